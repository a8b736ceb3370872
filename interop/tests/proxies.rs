//! The example `whoami` behind real proxies: FastAPI's page, and who rewrites `Location`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test proxies -- --ignored
//! ```

mod support;

use reqwest::{
    blocking::{Client, Response},
    header::{CONTENT_TYPE, LOCATION},
    redirect::Policy,
    IntoUrl,
};
use serde_json::{json, Value};
use std::{collections::BTreeSet, fs, net::SocketAddr};
use support::{
    process::{root, Example},
    proxy::{directory, traefik_of_fastapis_page, Config, FILES, GRPC_FILES},
    server::free_addr,
};
use url::Url;

/// Configurations that the tests read but do not run.
const KUBERNETES: [&str; 2] = [
    "kubernetes/http-route.yaml",
    "kubernetes/ingress-nginx.yaml",
];

#[test]
fn each_configuration_names_a_layer_and_is_in_the_readme() {
    let mut known = BTreeSet::new();
    for file in [FILES, GRPC_FILES, &KUBERNETES].concat() {
        // Panics if this crate has no such layer.
        let _ = Config::read(file).layer();
        known.insert(directory().join(file));
    }
    let mut found = BTreeSet::new();
    for proxy in fs::read_dir(directory()).unwrap() {
        for file in fs::read_dir(proxy.unwrap().path()).unwrap() {
            found.insert(file.unwrap().path());
        }
    }
    assert_eq!(found, known);

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for file in &known {
        let link = format!("({})", file.strip_prefix(root()).unwrap().display());
        assert!(readme.contains(&link), "no link to {link}");
    }
}

#[test]
#[ignore = "needs Traefik"]
fn fastapis_page_holds_behind_traefik() {
    // https://fastapi.tiangolo.com/advanced/behind-a-proxy/, with its ports
    let servers = ["https://stag.example.com", "https://prod.example.com"];
    let flags = ["--server", servers[0], "--server", servers[1]];
    let addr = SocketAddr::from(([127, 0, 0, 1], 8000));
    let _app = Example::start_at(addr, "whoami", &[CONFIGURED, &flags].concat());
    let _traefik = traefik_of_fastapis_page();

    for base in ["http://127.0.0.1:8000", "http://127.0.0.1:9999/api/v1"] {
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

/// Asserts that all references of an HTML page are relative, and can be loaded.
fn assert_page_loads(url: &str) {
    let page = get(url);
    assert_eq!(page.status(), 200, "{url}");
    let content_type = &page.headers()[CONTENT_TYPE];
    assert_eq!(content_type, "text/html; charset=utf-8", "{url}");

    let base = page.url().clone();
    let page = page.text().unwrap();
    let attributes = ["href=\"", "src=\"", "url: \""].into_iter();
    let values = attributes.flat_map(|attribute| page.split(attribute).skip(1));
    let references: Vec<_> = values.filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.contains(&"openapi.json"), "{references:?}");
    assert!(references.len() > 3, "{references:?}");
    for reference in references {
        let is_relative = !reference.starts_with('/') && !reference.contains(':');
        assert!(is_relative, "{url}: {reference}");
        let status = get(base.join(reference).unwrap()).status();
        assert_eq!(status, 200, "{url}: {reference}");
    }
}

/// If both the proxy and the layer rewrite, the prefix is doubled. If neither does, it is missing.
#[test]
#[ignore = "needs nginx, Apache, Caddy, HAProxy and lighttpd"]
fn either_the_proxy_or_the_layer_rewrites() {
    for (proxy, rewriting, not_rewriting) in [
        (
            "nginx",
            Config::read("nginx/strip.conf")
                .with("proxy_redirect off;", "proxy_redirect / /api/v1/;"),
            Config::read("nginx/strip.conf"),
        ),
        (
            "Apache",
            Config::read("apache/proxy-pass-reverse.conf").with(
                "ProxyPassReverse /api/v1 http://127.0.0.1:8000",
                "ProxyPassReverse /api/v1/ /",
            ),
            Config::read("apache/proxy-pass-reverse.conf"),
        ),
        (
            "Caddy",
            Config::read("caddy/header-up.Caddyfile")
                .with("header_up ", "header_down Location ^/ /api/v1/\nheader_up "),
            Config::read("caddy/header-up.Caddyfile"),
        ),
        (
            "HAProxy",
            Config::read("haproxy/set-header.cfg").with(
                "    server ",
                "    http-response replace-header Location ^/(.*) /api/v1/\\1\n    server ",
            ),
            Config::read("haproxy/set-header.cfg"),
        ),
        (
            "lighttpd",
            Config::read("lighttpd/map-urlpath.conf"),
            Config::read("lighttpd/no-strip.conf"),
        ),
    ] {
        for (config, rewrite, expected) in [
            (&rewriting, "none", "/api/v1/login"),
            (&not_rewriting, "redirects", "/api/v1/login"),
            (&rewriting, "redirects", "/api/v1/api/v1/login"),
            (&not_rewriting, "none", "/login"),
        ] {
            let flags = ["--strip", "if-present", "--rewrite", rewrite];
            let app = Example::whoami(&[CONFIGURED, &flags].concat());
            let site = config.start(app.addr());
            let target = redirect_target(site.addr(), "/login");
            assert_eq!(target.path(), expected, "{proxy}, --rewrite {rewrite}");
        }
    }
}

/// Without `proxy_redirect off`, nginx rewrites redirects to the address in `proxy_pass`. An app that
/// builds URLs from the address it listens on names that as its own. An absolute redirect to the
/// public host stays, since other apps live there. A path-absolute redirect is right in any case.
#[test]
#[ignore = "needs nginx"]
fn an_absolute_redirect_behind_nginx_needs_an_own_origin() {
    let by_default = |file| Config::read(file).with("proxy_redirect off;", "");
    for (config, has_origin, targets) in [
        // The expected targets of the redirects in `locations`.
        (
            by_default("nginx/strip.conf"),
            false,
            [
                "/api/v1/login",
                "/auth",
                "/api/v1/login",
                "/api/v1/api/v1/login",
            ],
        ),
        (
            by_default("nginx/no-strip.conf"),
            false,
            ["/api/v1/login", "/auth", "/login", "/api/v1/login"],
        ),
        (
            by_default("nginx/strip.conf"),
            true,
            ["/api/v1/login", "/auth", "/api/v1/login", "/api/v1/login"],
        ),
        (
            by_default("nginx/no-strip.conf"),
            true,
            ["/api/v1/login", "/auth", "/api/v1/login", "/api/v1/login"],
        ),
    ] {
        let (internal, public) = (free_addr(), free_addr());
        let origin = format!("http://{internal}");
        let mut flags = config.flags();
        if has_origin {
            flags.extend(["--own-origin", &origin]);
        }
        let _app = Example::start_at(internal, "whoami", &flags);
        let _nginx = config.start_at(public, internal);

        let locations = [
            "/login".to_owned(),
            format!("http://{public}/auth"),
            format!("http://{internal}/login"),
            format!("http://{internal}/api/v1/login"),
        ];
        for (location, target) in locations.iter().zip(targets) {
            let expected = format!("http://{public}{target}");
            assert_eq!(
                redirect_target(public, location).as_str(),
                expected,
                "{config:?}: {flags:?}: {location}"
            );
        }
    }
}

/// A rule of nginx that denies a path holds: the layer of the file does not strip a second time.
#[test]
#[ignore = "needs nginx"]
fn a_client_cannot_pass_a_rule_of_the_proxy_by_sending_the_prefix_twice() {
    let deny = "location /api/v1/admin { deny all; }\n    location /api/v1/ {";
    let config = Config::read("nginx/strip.conf").with("location /api/v1/ {", deny);
    // The second is what this option is not for.
    for (strip, expected) in [("never", "/api/v1/admin"), ("if-present", "/admin")] {
        let app = Example::whoami(&[CONFIGURED, &["--strip", strip]].concat());
        let site = config.start(app.addr());
        let get_path = |path: &str| {
            let shown = get(site.url(path));
            (
                shown.status().as_u16(),
                shown.json::<Value>().unwrap_or_default()["path"].clone(),
            )
        };
        assert_eq!(get_path("/api/v1/admin").0, 403);
        for path in ["/api/v1/api/v1/admin", "/api/v1/%61pi/v1/admin"] {
            assert_eq!(get_path(path), (200, expected.into()), "{path}");
        }
    }
}

/// An app with a configured root path.
const CONFIGURED: &[&str] = &["--root-path", "/api/v1"];

fn get(url: impl IntoUrl) -> Response {
    let client = Client::builder().redirect(Policy::none()).no_proxy();
    client.build().unwrap().get(url).send().unwrap()
}

fn get_json(url: &str) -> Value {
    let response = get(url);
    assert_eq!(response.status(), 200, "{url}");
    response.json().unwrap()
}

/// The URL that a browser opens if the app redirects to `to`.
fn redirect_target(public: SocketAddr, to: &str) -> Url {
    let url = format!("http://{public}/api/v1/redirect");
    let response = get(Url::parse_with_params(&url, [("to", to)]).unwrap());
    assert_eq!(response.status(), 302, "{to}");
    let location = response.headers()[LOCATION].to_str().unwrap();
    response.url().join(location).unwrap()
}
