//! Spoofed headers and unusual paths, sent to each configuration of `examples/proxies/`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test proxy_clients -- --ignored
//! ```

mod support;

use serde_json::Value;
use std::{net::SocketAddr, ops::RangeFrom};
use support::{
    process::{get_raw_with, Example},
    proxy::{files, Config, Proxy, FILES},
};
use url::Url;

/// Headers from which some framework reads a prefix or a path. Most proxies pass them on.
const NAMES: &[&str] = &[
    "X-Forwarded-Prefix",
    "X_Forwarded_Prefix",
    "X-Script-Name",
    "Script-Name",
    "X-Forwarded-Path",
    "X-Forwarded-Uri",
    "X-Forwarded-Context",
    "X-Original-URI",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Envoy-Original-Path",
    "X-Replaced-Path",
    "X-Ingress-Path",
];

/// A path of the app, and paths that a proxy may match but not strip, or strip without sending the
/// prefix.
const PATHS: &[&str] = &[
    "/api/v1/any/thing",
    "/api/v1",
    "/api/v1/",
    "/api/v1//any/thing",
    "/api/v1/any%2Fthing",
    "/api/v1/any,/thing",
    "/api/v1/../any/thing",
    "/api/v1/%2e%2e/any/thing",
    "/%61pi/v1/any/thing",
    "/API/V1/any/thing",
    "/api/v1x/any/thing",
    "/api/v1%2Fany/thing",
    "/api/v1;x/any/thing",
    "//api/v1/any/thing",
    "/any/thing",
];

/// The header lines of each request.
fn spoofs(path: &str) -> Vec<Vec<String>> {
    let values = [
        "/evil".to_owned(),
        "/evil,".to_owned(),
        "/evil,/api/v1".to_owned(),
        "/api/v1".to_owned(),
        "//evil.example".to_owned(),
        "/".to_owned(),
        String::new(),
        format!("/evil{path}"),
        format!("/evil{}", path.trim_start_matches("/api/v1")),
    ];
    let mut spoofs: Vec<_> = NAMES
        .iter()
        .flat_map(|name| {
            values
                .iter()
                .map(move |value| vec![format!("{name}: {value}")])
        })
        .collect();
    let everything = NAMES.iter().map(|name| format!("{name}: /evil"));
    let everything = everything.collect();
    for name in NAMES {
        spoofs.push(vec![format!("Connection: {name}")]);
        spoofs.push(vec![
            format!("Connection: {name}"),
            format!("{name}: /evil"),
            format!("{name}: /worse"),
        ]);
    }
    spoofs.push(vec!["Forwarded: for=192.0.2.1;prefix=\"/evil\"".to_owned()]);
    spoofs.push(everything);
    spoofs
}

/// A request as the app sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    status: String,
    root_path: Value,
    path: Value,
}

/// `whoami` behind a proxy.
struct Site {
    name: String,
    public: SocketAddr,
    _app: Example,
    _proxies: Vec<Proxy>,
}

impl Site {
    fn new(config: &Config, flags: &[&str]) -> Self {
        let app = Example::whoami(flags);
        let proxy = config.start(app.addr());
        Self {
            name: format!("{} {flags:?}", config.file()),
            public: proxy.addr(),
            _app: app,
            _proxies: vec![proxy],
        }
    }

    /// The same behind nginx as the outer proxy.
    fn with_edge(config: &Config) -> Self {
        let mut site = Self::new(config, &[&config.flags()[..], &["--hops", "2"]].concat());
        let edge = Config::edge().start(site.public);
        site.public = edge.addr();
        site._proxies.push(edge);
        site
    }

    /// `unique` gives each request a URL of its own, so that no cache answers it.
    fn get(&self, path: &str, lines: &[String], unique: &mut RangeFrom<u32>) -> Seen {
        let target = format!("{path}?{}", unique.next().unwrap());
        let response = get_raw_with(self.public, &target, lines).unwrap();
        let json = response.find('{').zip(response.rfind('}'));
        let shown = json.and_then(|(start, end)| serde_json::from_str(&response[start..=end]).ok());
        let shown: Value = shown.unwrap_or_default();
        Seen {
            status: response.chars().take("HTTP/1.1 200".len()).collect(),
            root_path: shown["root_path"].clone(),
            path: shown["path"].clone(),
        }
    }

    /// The `Location` of the response to `target`; if it has none, the whole response.
    fn location(&self, target: &str) -> Result<String, String> {
        let response = get_raw_with(self.public, target, &[]).unwrap();
        let location = response.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.to_owned())
        });
        location.ok_or(response)
    }

    /// Asserts that the app sees `root_path`, whatever a client sends.
    fn assert_root_path(&self, prefix: &str, root_path: &str) {
        let mut unique = 0..;
        for (nth, path) in PATHS.iter().enumerate() {
            let path = path.replace("/api/v1", prefix);
            let expected = self.get(&path, &[], &mut unique);
            if nth == 0 {
                let seen = Seen {
                    status: "HTTP/1.1 200".to_owned(),
                    root_path: root_path.into(),
                    path: "/any/thing".into(),
                };
                assert_eq!(expected, seen, "{}", self.name);
            }
            for lines in spoofs(&path) {
                let spoofed = self.get(&path, &lines, &mut unique);
                assert_eq!(spoofed, expected, "{}: {path}: {lines:?}", self.name);
            }
        }
    }
}

fn assert_root_path_stays(proxy: &str) {
    for config in files(proxy) {
        Site::new(&config, &config.flags()).assert_root_path("/api/v1", "/api/v1");
    }
}

#[test]
#[ignore = "needs nginx"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_nginx() {
    assert_root_path_stays("nginx");
}

#[test]
#[ignore = "needs Traefik"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_traefik() {
    assert_root_path_stays("traefik");
}

#[test]
#[ignore = "needs Caddy"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_caddy() {
    assert_root_path_stays("caddy");
}

#[test]
#[ignore = "needs HAProxy"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_haproxy() {
    assert_root_path_stays("haproxy");
}

#[test]
#[ignore = "needs Apache"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_apache() {
    assert_root_path_stays("apache");
}

#[test]
#[ignore = "needs Envoy"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_envoy() {
    assert_root_path_stays("envoy");
}

#[test]
#[ignore = "needs lighttpd"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_lighttpd() {
    assert_root_path_stays("lighttpd");
}

#[test]
#[ignore = "needs Varnish"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_varnish() {
    assert_root_path_stays("varnish");
}

/// Traefik drops the header of a peer that it does not trust. If it trusts every peer, it appends
/// its own value to the client's.
#[test]
#[ignore = "needs Traefik"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_a_traefik_that_trusts_it() {
    let config = Config::read("traefik/strip-prefix.toml")
        .arg("--entryPoints.http.forwardedHeaders.insecure=true");
    Site::new(&config, &config.flags()).assert_root_path("/api/v1", "/api/v1");
}

#[test]
#[ignore = "needs nginx, Traefik, HAProxy and Apache"]
fn nothing_that_a_client_sends_changes_the_root_path_behind_two_proxies() {
    for config in [
        Config::read("traefik/strip-prefix.toml")
            .arg("--entryPoints.http.forwardedHeaders.trustedIPs=127.0.0.1"),
        Config::read("haproxy/add-header.cfg"),
        Config::read("apache/request-header-append.conf"),
    ] {
        Site::with_edge(&config).assert_root_path("/edge/api/v1", "/edge/api/v1");
    }
}

/// The proxy sends a prefix, but its address is not trusted.
#[test]
#[ignore = "needs Traefik and nginx"]
fn a_proxy_that_is_not_trusted_changes_nothing() {
    for file in ["traefik/strip-prefix.toml", "nginx/ingress.conf"] {
        let config = Config::read(file);
        let site = Site::new(&config, &["--trust", "10.0.0.0/8"]);
        site.assert_root_path("/api/v1", "");
        let shown = get_raw_with(site.public, "/api/v1/any", &[]).unwrap();
        let named = r#""forwarded":"untrusted peer 127.0.0.1""#;
        assert!(shown.contains(named), "{file}: {shown}");
    }
}

/// HAProxy sends an empty value if it takes the prefix from a variable that is not set.
#[test]
#[ignore = "needs HAProxy and nginx"]
fn an_empty_value_of_the_proxy_hides_the_value_of_a_client() {
    let config = Config::read("haproxy/add-header.cfg").with(
        "add-header X-Forwarded-Prefix /api/v1",
        "add-header X-Forwarded-Prefix %[var(txn.not_set)]",
    );
    Site::new(&config, &config.flags()).assert_root_path("/api/v1", "");
    Site::with_edge(&config).assert_root_path("/edge/api/v1", "/edge");
}

/// Each precaution in a configuration or a layer is necessary, and the tests above notice if it is
/// missing.
#[test]
#[ignore = "needs nginx, Traefik, HAProxy and Apache"]
fn a_client_changes_the_root_path_if_a_precaution_is_missing() {
    let trusting = "--trust 127.0.0.1";
    let prefix = "X-Forwarded-Prefix: /evil";
    for (config, flags, path, line, root_path) in [
        (
            Config::read("nginx/ingress.conf")
                .with("proxy_set_header X-Forwarded-Prefix \"/api/v1\";", ""),
            trusting,
            "/api/v1/any",
            prefix,
            "/evil",
        ),
        (
            Config::read("haproxy/add-header.cfg"),
            "--trust 127.0.0.1 --hops 2",
            "/api/v1/any",
            prefix,
            "/evil/api/v1",
        ),
        (
            Config::read("apache/request-header.conf"),
            trusting,
            "/api/v1/any",
            "Connection: X-Forwarded-Prefix",
            "",
        ),
        (
            // The rule matches more paths than the regex, so some are not replaced.
            Config::read("traefik/replace-path-regex.toml")
                .with(
                    "Path(`/api/v1`) || PathPrefix(`/api/v1/`)",
                    "PathPrefix(`/api/v1`)",
                )
                .with("\"no-replaced-path\", ", ""),
            "--trust 127.0.0.1 --original-path-header x-replaced-path",
            "/api/v1x/any",
            "X-Replaced-Path: /evil/api/v1x/any",
            "/evil",
        ),
    ] {
        let site = Site::new(&config, &flags.split(' ').collect::<Vec<_>>());
        let seen = site.get(path, &[line.to_owned()], &mut (0..));
        assert_eq!(seen.root_path, root_path, "{}", site.name);
    }
}

/// Some proxies pass on a request target in absolute form (RFC 9112, section 3.2.2).
#[test]
#[ignore = "needs all proxies"]
fn a_request_target_in_absolute_form_makes_no_difference() {
    let mut passed_on = 0;
    for file in FILES {
        let config = Config::read(file);
        let site = Site::new(&config, &config.flags());
        let public = format!("http://{}", site.public);
        let raw = get_raw_with(site.public, &format!("{public}/api/v1/any"), &[]);
        passed_on += usize::from(raw.unwrap().contains(r#""uri":"http://"#));
        let (next_door, itself) = match *file {
            // lighttpd rewrites for any host, and does not know the mount.
            "lighttpd/map-urlpath.conf" => ("/api/v1/auth", "/api/v1/dir/"),
            _ => ("/auth", "/api/v1/files/dir/"),
        };
        let to_next_door = format!("/api/v1/redirect?to={public}/auth");
        for (path, expected) in [
            ("/api/v1/redirect?to=/login", "/api/v1/login"),
            (&*to_next_door, next_door),
            // Of an absolute URI, `ServeDir` makes an absolute URL.
            ("/api/v1/files/dir", itself),
        ] {
            for target in [path.to_owned(), format!("{public}{path}")] {
                let location = site.location(&target).unwrap_or_default();
                let opened = Url::parse(&public).unwrap().join(&location).unwrap();
                let expected = format!("{public}{expected}");
                assert_eq!(opened.as_str(), expected, "{file}: {target}: {location}");
            }
        }
    }
    assert!(passed_on > 0, "every proxy passes on the path alone");
}

/// A redirect that reflects the request path, which may begin like a network-path reference.
#[test]
#[ignore = "needs all proxies"]
fn a_reflected_path_stays_in_the_app() {
    for file in FILES {
        let config = Config::read(file);
        let site = Site::new(&config, &config.flags());
        for path in [
            "//evil.example/",
            "///evil.example/",
            "/\\evil.example/",
            "//\\evil.example/",
            "/%2Fevil.example/",
            "/%5Cevil.example/",
            "/%09/evil.example/",
            "/%2F%5C%2Fevil.example/",
            "//api/v1//evil.example/",
        ] {
            let location = match site.location(&format!("/api/v1{path}?echo")) {
                Ok(location) => location,
                // Some proxies reject some of these paths.
                Err(response) => {
                    assert!(response.starts_with("HTTP/1.1 40"), "{path}: {response}");
                    continue;
                }
            };
            let url = Url::parse(&format!("http://{}/api/v1/", site.public)).unwrap();
            let target = url.join(&location).unwrap();
            let is_in_the_app =
                target.origin() == url.origin() && target.path().starts_with(url.path());
            assert!(is_in_the_app, "{file}: {path}: {location}");
        }
    }
}
