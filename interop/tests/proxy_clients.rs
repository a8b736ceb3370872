//! What clients may try, behind the configurations of `examples/proxies/`.
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

/// Headers that tell some app somewhere where it is. Most proxies pass them on.
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

/// A path of the app, and paths that a proxy may match but not strip, or strip but not tell.
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

/// The lines of one client: each of these is sent on its own.
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

/// What the app makes of a request.
#[derive(Debug, PartialEq)]
struct Seen {
    status: String,
    root_path: Value,
    path: Value,
}

/// A proxy in front of `whoami`.
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

    /// With nginx in front.
    fn behind_the_edge(config: &Config) -> Self {
        let mut site = Self::new(config, &[&config.flags()[..], &["--hops", "2"]].concat());
        let edge = Config::edge().start(site.public);
        site.public = edge.addr();
        site._proxies.push(edge);
        site
    }

    /// `unique` keeps a cache out of this.
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

    /// Where the response to `target` redirects to, or the whole of it if it does not.
    fn location(&self, target: &str) -> Result<String, String> {
        let response = get_raw_with(self.public, target, &[]).unwrap();
        let location = response.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.to_owned())
        });
        location.ok_or(response)
    }

    /// Whether `root_path` is what the app sees, whatever a client sends.
    fn assert_root_path(&self, prefix: &str, root_path: &str) {
        let mut unique = 0..;
        for (nth, path) in PATHS.iter().enumerate() {
            let path = path.replace("/api/v1", prefix);
            let honest = self.get(&path, &[], &mut unique);
            if nth == 0 {
                let expected = Seen {
                    status: "HTTP/1.1 200".to_owned(),
                    root_path: root_path.into(),
                    path: "/any/thing".into(),
                };
                assert_eq!(honest, expected, "{}", self.name);
            }
            for lines in spoofs(&path) {
                let spoofed = self.get(&path, &lines, &mut unique);
                assert_eq!(spoofed, honest, "{}: {path}: {lines:?}", self.name);
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

/// Traefik drops what it is told by a peer that it does not trust. If it is told to trust
/// everybody, it adds its part behind the client's.
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
        Site::behind_the_edge(&config).assert_root_path("/edge/api/v1", "/edge/api/v1");
    }
}

/// The proxy is right, but it is not the one whose word counts.
#[test]
#[ignore = "needs Traefik and nginx"]
fn a_proxy_that_is_not_trusted_changes_nothing() {
    for file in ["traefik/strip-prefix.toml", "nginx/ingress.conf"] {
        let config = Config::read(file);
        Site::new(&config, &["--trust", "10.0.0.0/8"]).assert_root_path("/api/v1", "");
    }
}

/// What the configurations and their layers do against it is needed, and these tests would see it.
#[test]
#[ignore = "needs nginx, Traefik, HAProxy and Apache"]
fn without_its_precaution_each_of_these_could_be_told() {
    let told = "--trust 127.0.0.1";
    let prefix = "X-Forwarded-Prefix: /evil";
    for (config, flags, path, line, root_path) in [
        (
            Config::read("nginx/ingress.conf")
                .with("proxy_set_header X-Forwarded-Prefix \"/api/v1\";", ""),
            told,
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
            told,
            "/api/v1/any",
            "Connection: X-Forwarded-Prefix",
            "",
        ),
        (
            // Where the rule is wider than the regex, the path stays.
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

/// Some proxies pass the absolute form of a request target on, and then the app has to find its
/// path and its authority in there.
#[test]
#[ignore = "needs all proxies"]
fn the_absolute_form_of_a_request_makes_no_difference() {
    for file in FILES {
        let config = Config::read(file);
        let site = Site::new(&config, &config.flags());
        let public = format!("http://{}", site.public);
        for to in ["/login", &format!("{public}/login")] {
            let path = format!("/api/v1/redirect?to={to}");
            let [origin_form, absolute_form] = [&path, &(public.clone() + &path)].map(|target| {
                let location = site.location(target).unwrap_or_default();
                Url::parse(&public).unwrap().join(&location).unwrap()
            });
            assert_eq!(origin_form.path(), "/api/v1/login", "{file}: {to}");
            assert_eq!(absolute_form, origin_form, "{file}: {to}");
        }
    }
}

/// A redirect to the path as the app sees it, which may look like one to another host.
#[test]
#[ignore = "needs all proxies"]
fn an_echo_of_the_path_stays_in_the_app() {
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
            "//api/v1//evil.example/",
        ] {
            let location = match site.location(&format!("/api/v1{path}?echo")) {
                Ok(location) => location,
                // Some proxies refuse some of these.
                Err(response) => {
                    assert!(response.starts_with("HTTP/1.1 40"), "{path}: {response}");
                    continue;
                }
            };
            let url = Url::parse(&format!("http://{}/api/v1/", site.public)).unwrap();
            let landed = url.join(&location).unwrap();
            let is_in_the_app =
                landed.origin() == url.origin() && landed.path().starts_with(url.path());
            assert!(is_in_the_app, "{file}: {path}: {location}");
        }
    }
}
