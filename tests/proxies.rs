//! The example `whoami` behind real proxies.
//!
//! ```text
//! tests/install-tools.sh
//! cargo test --all-features -- --ignored
//! ```

mod support;

use reqwest::{
    blocking::{Client, Response},
    header::{CONTENT_TYPE, LOCATION, VARY},
    redirect::Policy,
    IntoUrl,
};
use serde_json::{json, Value};
use std::net::{Ipv4Addr, SocketAddr};
use support::{
    process::{free_addr, get_raw, Whoami},
    proxy::{nginx, traefik, AT_ONCE, TRUSTING_CLIENTS},
};
use url::Url;

#[test]
#[ignore = "needs Traefik"]
fn fastapis_page_holds_behind_traefik() {
    // https://fastapi.tiangolo.com/advanced/behind-a-proxy/, with the ports that it names
    let servers = ["https://stag.example.com", "https://prod.example.com"];
    let flags = ["--server", servers[0], "--server", servers[1]];
    let app = SocketAddr::from((Ipv4Addr::LOCALHOST, 8000));
    let _app = Whoami::start_at(app, &[CONFIGURED, &flags].concat());
    let _traefik = traefik(":9999", app, &["/api/v1"], "");

    for base in [
        "http://127.0.0.1:8000",
        "http://127.0.0.1:8000/api/v1",
        "http://127.0.0.1:9999/api/v1",
    ] {
        let hello = json!({ "message": "Hello World", "root_path": "/api/v1" });
        assert_eq!(get_json(&format!("{base}/app")), hello, "{base}");

        let document = get_json(&format!("{base}/openapi.json"));
        let listed = document["servers"].as_array().unwrap().iter();
        let listed: Vec<_> = listed.map(|server| &server["url"]).collect();
        assert_eq!(listed, ["/api/v1", servers[0], servers[1]], "{base}");

        assert_page_loads(&format!("{base}/docs"));
    }
    assert_eq!(get("http://127.0.0.1:9999/app").status(), 404);
}

/// An HTML page whose references are relative, and all there.
fn assert_page_loads(url: &str) {
    let page = get(url);
    assert_eq!(page.status(), 200, "{url}");
    let content_type = &page.headers()[CONTENT_TYPE];
    assert_eq!(content_type, "text/html; charset=utf-8", "{url}");

    let base = page.url().clone();
    let page = page.text().unwrap();
    let attributes = ["href=\"", "src=\"", "url: \""].into_iter();
    let behind = attributes.flat_map(|attribute| page.split(attribute).skip(1));
    let references: Vec<_> = behind.filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.contains(&"openapi.json"), "{references:?}");
    assert!(references.len() > 3, "{references:?}");
    for reference in references {
        let is_relative = !reference.starts_with('/') && !reference.contains(':');
        assert!(is_relative, "{url}: {reference}");
        let status = get(base.join(reference).unwrap()).status();
        assert_eq!(status, 200, "{url}: {reference}");
    }
}

#[test]
#[ignore = "needs nginx"]
fn redirects_land_in_the_app_behind_nginx() {
    for form in FORMS {
        let (internal, public) = (free_addr(), free_addr());
        // With each host that the app may take for its own when it builds an absolute URL.
        let origins = [internal, public].map(|addr| format!("http://{addr}"));
        let flags = ["--origin", &origins[0], "--origin", &origins[1]];
        let _app = Whoami::start_at(internal, &[CONFIGURED, &flags].concat());
        let _nginx = nginx(public, &form.location(internal));

        for (from, to, lands) in [
            ("redirect", "/", "/api/v1/"),
            ("redirect", "/login", "/api/v1/login"),
            ("redirect", "/login?next=/x#f", "/api/v1/login?next=/x#f"),
            ("redirect", "/api/v1/login", "/api/v1/login"),
            ("redirect", "/api/v10", "/api/v1/api/v10"),
            ("redirect", "login", "/api/v1/login"),
            ("redirect", "?q=1", "/api/v1/redirect?q=1"),
            ("redirect", "//other.example/x", "http://other.example/x"),
            ("redirect", "https://other.example", "https://other.example"),
            ("redirect", "http://public/login", "/api/v1/login"),
            ("redirect", "http://public/api/v1/login", "/api/v1/login"),
            ("redirect", "http://internal/login", "/api/v1/login"),
            ("redirect", "http://internal/api/v1/x", "/api/v1/x"),
            ("sub/redirect", "/app", "/api/v1/sub/app"),
            ("sub/redirect", "app", "/api/v1/sub/app"),
            ("sub/redirect", "http://public/app", "/api/v1/sub/app"),
            ("sub/redirect", "http://internal/app", "/api/v1/sub/app"),
            ("t/acme/redirect", "/app", "/api/v1/t/acme/app"),
        ] {
            let location = to
                .replace("http://internal", &origins[0])
                .replace("http://public", &origins[1]);
            let landed = redirected(public, from, &location);
            let expected = Url::parse(&origins[1]).unwrap().join(lands).unwrap();
            assert_eq!(
                landed.as_str(),
                expected.as_str(),
                "{}: {from} to {to}",
                form.name
            );
        }
    }
}

/// nginx gives the app the address in `proxy_pass` for a host, and turns it into the `location`
/// where the app emits it: `/api/v1/` if the prefix is stripped, and `/` if not.
#[test]
#[ignore = "needs nginx"]
fn an_absolute_redirect_needs_a_host_that_the_app_can_know_behind_nginx() {
    let landings = [
        ["/login", "/api/v1/login", "/api/v1/login"],
        ["/api/v1/login", "/api/v1/login", "/api/v1/api/v1/login"],
        ["/login", "/api/v1/login", "/api/v1/login"],
        ["/api/v1/login", "/login", "/api/v1/login"],
    ];
    for (form, landings) in FORMS.into_iter().zip(landings) {
        let app = Whoami::start(CONFIGURED);
        let nginx = nginx(free_addr(), &form.location(app.addr()));
        let locations = [
            format!("http://{}/login", nginx.addr()),
            format!("http://{}/login", app.addr()),
            format!("http://{}/api/v1/login", app.addr()),
        ];
        for (location, lands) in locations.iter().zip(landings) {
            let landed = redirected(nginx.addr(), "redirect", location);
            let expected = format!("http://{}{lands}", nginx.addr());
            assert_eq!(landed.as_str(), expected, "{}: {location}", form.name);
        }
    }
}

#[test]
#[ignore = "needs nginx"]
fn a_client_that_follows_redirects_arrives_behind_nginx() {
    behind_each_nginx(assert_client_arrives);
}

#[test]
#[ignore = "needs Traefik"]
fn a_client_that_follows_redirects_arrives_behind_traefik() {
    behind_each_traefik(assert_client_arrives);
}

fn assert_client_arrives(name: &str, public: SocketAddr) {
    let client = client(Policy::default());
    let get = |path: &str| client.get(format!("http://{public}{path}")).send().unwrap();

    // By tower-http's ServeDir, which knows nothing of prefixes.
    let page = get("/api/v1/files/dir");
    assert_eq!(page.url().path(), "/api/v1/files/dir/", "{name}");
    assert_eq!(page.status(), 200, "{name}");

    for mount in ["/api/v1", "/api/v1/sub", "/api/v1/t/acme"] {
        let page = get(&format!("{mount}/redirect?to=/app"));
        assert_eq!(page.url().path(), format!("{mount}/app"), "{name}");
        assert_eq!(page.json::<Value>().unwrap()["root_path"], mount, "{name}");
    }
}

#[test]
#[ignore = "needs Traefik"]
fn what_traefik_strips_is_the_root_path_if_the_peer_is_trusted() {
    let one = &["/api/v1"][..];
    let two = &["/api", "/v1"][..];
    let local = "--trust 127.0.0.1";
    let two_hops = "--trust 127.0.0.1 --hops 2";
    let remote = "--trust 10.0.0.0/8";
    for (settings, strip, flags, root_path, forwarded) in [
        (AT_ONCE, one, local, "/api/v1", "used"),
        (AT_ONCE, one, remote, "", "untrusted peer"),
        (AT_ONCE, two, local, "/v1", "used"),
        (AT_ONCE, two, two_hops, "/api/v1", "used"),
        (TRUSTING_CLIENTS, one, local, "/api/v1", "used"),
        (TRUSTING_CLIENTS, one, remote, "", "untrusted peer"),
        (TRUSTING_CLIENTS, two, two_hops, "/api/v1", "used"),
    ] {
        let app = Whoami::start(&flags.split(' ').collect::<Vec<_>>());
        let traefik = traefik(&free_addr().to_string(), app.addr(), strip, settings);
        let name = format!("{strip:?}, {flags}, {settings:?}");
        assert_told(&name, traefik.addr(), root_path, forwarded);
    }
}

#[test]
#[ignore = "needs nginx"]
fn what_nginx_sets_is_the_root_path() {
    for form in FORMS {
        let app = Whoami::start(TRUSTING);
        let set = "proxy_set_header X-Forwarded-Prefix /api/v1;";
        let location = form.location(app.addr()).replace('}', &format!("{set} }}"));
        let nginx = nginx(free_addr(), &location);
        assert_told(form.name, nginx.addr(), "/api/v1", "used");
    }
}

/// What the app makes of what the proxy told it, whatever the client tells.
fn assert_told(name: &str, public: SocketAddr, root_path: &str, forwarded: &str) {
    let client = client(Policy::none());
    for lines in [
        &[][..],
        &[("x-forwarded-prefix", "/evil")],
        &[
            ("x-forwarded-prefix", "/evil"),
            ("x-forwarded-prefix", "/,/x"),
        ],
        &[("x_forwarded_prefix", "/evil")],
        &[("connection", "x-forwarded-prefix")],
    ] {
        let get = |path: &str| {
            let mut request = client.get(format!("http://{public}/api/v1/{path}"));
            for (name, value) in lines {
                request = request.header(*name, *value);
            }
            request.send().unwrap()
        };
        let shown = get("any/thing");
        let vary: Vec<_> = shown.headers().get_all(VARY).iter().collect();
        assert_eq!(vary, ["x-forwarded-prefix"], "{name}: {lines:?}");
        let shown: Value = shown.json().unwrap();
        let seen = ["root_path", "forwarded", "path"].map(|key| &shown[key]);
        let expected = [root_path, forwarded, "/any/thing"];
        assert_eq!(seen, expected, "{name}: {lines:?}");

        let redirect = get("redirect?to=/login");
        let location = redirect.headers()[LOCATION].to_str().unwrap();
        assert_eq!(location, format!("{root_path}/login"), "{name}: {lines:?}");
    }
}

#[test]
#[ignore = "needs nginx"]
fn an_echo_of_the_path_stays_in_the_app_behind_nginx() {
    behind_each_nginx(|name, public| assert_echoes_stay(name, public, "/api/v1"));

    let app = Whoami::start(&[]);
    let location = format!("location / {{ proxy_pass http://{}; }}", app.addr());
    assert_echoes_stay("no prefix", nginx(free_addr(), &location).addr(), "");
}

#[test]
#[ignore = "needs Traefik"]
fn an_echo_of_the_path_stays_in_the_app_behind_traefik() {
    behind_each_traefik(|name, public| assert_echoes_stay(name, public, "/api/v1"));
}

fn assert_echoes_stay(name: &str, public: SocketAddr, prefix: &str) {
    for path in [
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "//\\evil.example/",
        "/%2Fevil.example/",
        "/%5Cevil.example/",
        "//api/v1//evil.example/",
    ] {
        let response = get_raw(public, &format!("{prefix}{path}?echo")).unwrap();
        assert!(
            response.starts_with("HTTP/1.1 308 "),
            "{name}: {path}: {response}"
        );
        let location = response.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then_some(value)
        });
        let location = location.unwrap_or_else(|| panic!("{name}: {path}: {response}"));

        let url = Url::parse(&format!("http://{public}{prefix}/")).unwrap();
        let landed = url.join(location).unwrap();
        assert_eq!(landed.origin(), url.origin(), "{name}: {path}: {location}");
        let is_in_the_app = landed.path().starts_with(url.path());
        assert!(is_in_the_app, "{name}: {path}: {location}");
    }
}

/// The app that its operator tells the root path.
const CONFIGURED: &[&str] = &["--root-path", "/api/v1"];
/// The app that its proxy tells.
const TRUSTING: &[&str] = &["--trust", "127.0.0.1"];

/// A way to write `location /api/v1/` for nginx.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    /// Behind the address in `proxy_pass`; if there is a path, nginx strips the prefix.
    path: &'static str,
    host: &'static str,
}

const FORMS: [Form; 4] = [
    Form::new("stripped", "/", "$proxy_host"),
    Form::new("stripped, public Host", "/", "$http_host"),
    Form::new("not stripped", "", "$proxy_host"),
    Form::new("not stripped, public Host", "", "$http_host"),
];

impl Form {
    const fn new(name: &'static str, path: &'static str, host: &'static str) -> Self {
        Self { name, path, host }
    }

    fn location(self, app: SocketAddr) -> String {
        let Self { path, host, .. } = self;
        // `$proxy_host` is what nginx says without being told.
        format!(
            "location /api/v1/ {{ proxy_pass http://{app}{path}; proxy_set_header Host {host}; }}"
        )
    }
}

fn behind_each_nginx(check: fn(&str, SocketAddr)) {
    for form in FORMS {
        let app = Whoami::start(CONFIGURED);
        let nginx = nginx(free_addr(), &form.location(app.addr()));
        check(form.name, nginx.addr());
    }
}

fn behind_each_traefik(check: fn(&str, SocketAddr)) {
    for flags in [CONFIGURED, TRUSTING] {
        let app = Whoami::start(flags);
        let traefik = traefik(&free_addr().to_string(), app.addr(), &["/api/v1"], AT_ONCE);
        check(flags[0], traefik.addr());
    }
}

fn client(redirects: Policy) -> Client {
    let client = Client::builder().redirect(redirects).no_proxy();
    client.build().unwrap()
}

fn get(url: impl IntoUrl) -> Response {
    client(Policy::none()).get(url).send().unwrap()
}

fn get_json(url: &str) -> Value {
    let response = get(url);
    assert_eq!(response.status(), 200, "{url}");
    response.json().unwrap()
}

/// Where a browser goes if the app redirects it to `to`.
fn redirected(public: SocketAddr, from: &str, to: &str) -> Url {
    let url = format!("http://{public}/api/v1/{from}");
    let response = get(Url::parse_with_params(&url, [("to", to)]).unwrap());
    assert_eq!(response.status(), 302, "{from} to {to}");
    let location = response.headers()[LOCATION].to_str().unwrap();
    response.url().join(location).unwrap()
}
