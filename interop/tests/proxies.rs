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
use std::{collections::BTreeMap, fs, net::SocketAddr};
use support::{
    process::{root, Example},
    proxy::{directory, traefik_of_fastapis_page, Config, FILES, GRPC_FILES, SPA_FILES, TLS_FILES},
    server::{free_addr, Files},
};
use url::Url;

/// Configurations that the tests read but do not run.
const KUBERNETES: [&str; 2] = [
    "kubernetes/http-route.yaml",
    "kubernetes/ingress-nginx.yaml",
];

/// Belong to the examples of these names, which have prefixes of their own.
const OF_EXAMPLES: &[&[&str]] = &[&["nginx/oauth.conf"], SPA_FILES];

#[test]
fn each_configuration_names_a_layer_and_is_in_the_guide() {
    let mut known = BTreeMap::new();
    for file in [FILES, GRPC_FILES, TLS_FILES, &KUBERNETES].concat() {
        let config = Config::read(file);
        // Panics if this crate has no such layer.
        let _ = config.layer();
        let line = config.first_line();
        let placement = if line.starts_with("# router.layer(") {
            "| `router.layer("
        } else if line.starts_with("# .layer(") {
            "| `.layer("
        } else {
            "| `new(\"/api/v1\").strip_if_present().wrap(router)`"
        };
        known.insert(directory().join(file), placement);
    }
    let mut found = Vec::new();
    for proxy in fs::read_dir(directory()).unwrap() {
        for file in fs::read_dir(proxy.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    let of_examples: Vec<_> = OF_EXAMPLES
        .concat()
        .into_iter()
        .map(|file| directory().join(file))
        .collect();
    found.retain(|file| !of_examples.contains(file));
    found.sort();
    assert!(found.iter().eq(known.keys()), "{found:?}");

    let guide = |page| fs::read_to_string(root().join("src/guide").join(page)).unwrap();
    let (table, files) = (guide("configuration.md"), guide("mod.rs"));
    for (file, placement) in &known {
        let file = file.strip_prefix(directory()).unwrap().display();
        let link = format!("[`{file}`]");
        let mut rows = table.lines().filter(|line| line.starts_with("| "));
        let row = rows.find(|row| row.contains(&link));
        let row = row.unwrap_or_else(|| panic!("no link to {file}"));
        assert!(row.contains(placement), "{row} has no {placement}");
        assert!(
            files.contains(&format!("\"{file}\"")),
            "{file} is not shown"
        );
    }
}

/// They are in full, so that they can be copied.
#[test]
fn the_configurations_in_the_text_are_those_of_the_files() {
    for (page, language, file) in [
        ("README.md", "nginx", "nginx/strip.conf"),
        ("README.md", "toml", "traefik/strip-prefix.toml"),
        ("README.md", "caddyfile", "caddy/strip.Caddyfile"),
        ("src/guide/behind_a_proxy.md", "nginx", "nginx/strip.conf"),
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let file = fs::read_to_string(directory().join(file)).unwrap();
        let lines = file.lines().filter(|line| !line.starts_with('#'));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        let block = format!("```{language}\n{lines}```");
        assert!(text.contains(&block), "{page}: {block}");
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

/// An app redirects to an identity provider at another path of its host.
#[test]
#[ignore = "needs nginx"]
fn a_redirect_to_single_sign_on_on_the_same_host_stays() {
    let locations = "location /auth/ { return 200 \"sign in\"; }\n    location /api/ {";
    let config = Config::read("nginx/strip.conf").with("location /api/v1/ {", locations);
    let (internal, public) = (free_addr(), free_addr());
    let [internal_origin, public_origin] = [internal, public].map(|addr| format!("http://{addr}"));
    for (own_origin, target) in [
        (None, "/auth/login"),
        (Some(&internal_origin), "/auth/login"),
        // The mistake that the guide warns of.
        (Some(&public_origin), "/api/auth/login"),
    ] {
        let mut flags = vec!["--root-path", "/api"];
        flags.extend(own_origin.into_iter().flat_map(|own| ["--own-origin", own]));
        let _app = Example::start_at(internal, "whoami", &flags);
        let _nginx = config.start_at(public, internal);

        for reference in [&*public_origin, public_origin.trim_start_matches("http:")] {
            let to = format!("{reference}/auth/login");
            let url = format!("{public_origin}/api/redirect");
            let response = get(Url::parse_with_params(&url, [("to", &to)]).unwrap());
            let location = response.headers()[LOCATION].to_str().unwrap();
            let opened = response.url().join(location).unwrap();
            assert_eq!(opened.path(), target, "{own_origin:?}: {to}");
            if target == "/auth/login" {
                assert_eq!(location, to, "{own_origin:?}");
                assert_eq!(get(opened).text().unwrap(), "sign in", "{to}");
            }
        }
    }
}

/// lighttpd gives a CGI app the headers as variables, with `_` for each byte of a name that is not
/// alphanumeric. So the app cannot distinguish `X!Forwarded!Prefix` from `X-Forwarded-Prefix`.
#[test]
#[ignore = "needs lighttpd"]
fn a_cgi_app_reads_only_the_prefix_of_the_gateway() {
    let script = "printf 'Content-Type: text/plain\n\n'; env | grep ^HTTP_X_FORWARDED_PREFIX";
    let files = Files::new(&[("app.cgi", script)]);
    let lighttpd = Config::read("lighttpd/no-strip.conf")
        .with("/var/www/html", files.path().to_str().unwrap())
        .with("mod_proxy", "mod_cgi")
        .with("^/api/v1(/|$)", "^/")
        .with("proxy.header = ( \"upgrade\" => \"enable\" )", "")
        .with(
            "proxy.server = ( \"\" => (( \"host\" => \"127.0.0.1\", \"port\" => 8000 )) )",
            "cgi.assign = ( \".cgi\" => \"/bin/sh\" )",
        )
        .start(free_addr());
    let get_with = |url: &str, separator: char| {
        let name = format!("X{separator}Forwarded{separator}Prefix");
        let client = Client::builder().no_proxy().build().unwrap();
        let response = client.get(url).header(name, "/evil").send().unwrap();
        assert_eq!(response.status(), 200, "{url}: {separator}");
        response.text().unwrap()
    };
    let separators = "!~+'|*#$^";
    for separator in separators.chars() {
        let shown = get_with(&lighttpd.url("/app.cgi"), separator);
        assert_eq!(shown, "HTTP_X_FORWARDED_PREFIX=/evil\n", "{separator}");
    }
    let route = format!("/shop=http://{}", lighttpd.addr());
    // Without the flag, the gateway itself removes some of these headers.
    for flags in [&[][..], &["--trust-previous-hop"]] {
        let gateway = Example::start("gateway", &[&["--route", &*route], flags].concat());
        for separator in separators.chars().chain("%&._`".chars()) {
            let shown = get_with(&gateway.url("/shop/app.cgi"), separator);
            let expected = "HTTP_X_FORWARDED_PREFIX=/shop\n";
            assert_eq!(shown, expected, "{flags:?}: {separator}");
        }
    }
}

/// A rule of nginx that denies a path holds: the layer of the file does not strip a second time.
#[test]
#[ignore = "needs nginx"]
fn a_client_cannot_pass_a_rule_of_the_proxy_by_sending_the_prefix_twice() {
    let deny = "location /api/v1/admin { deny all; }\n    location /api/v1/ {";
    let config = |file| Config::read(file).with("location /api/v1/ {", deny);
    let (strips, passes_on) = (config("nginx/strip.conf"), config("nginx/no-strip.conf"));
    let as_received = ["/api/v1/admin"; 2];
    for (config, flags, expected) in [
        (&strips, strips.flags(), as_received),
        // The mistake that the guide warns of.
        (&strips, passes_on.flags(), ["/admin"; 2]),
        (
            &passes_on,
            passes_on.flags(),
            ["/api/v1/admin", "/%61pi/v1/admin"],
        ),
    ] {
        let app = Example::whoami(&flags);
        let site = config.start(app.addr());
        let get_path = |path: &str| {
            let shown = get(site.url(path));
            (
                shown.status().as_u16(),
                shown.json::<Value>().unwrap_or_default()["path"].clone(),
            )
        };
        assert_eq!(get_path("/api/v1/admin").0, 403);
        let paths = ["/api/v1/api/v1/admin", "/api/v1/%61pi/v1/admin"];
        for (path, expected) in paths.into_iter().zip(expected) {
            let shown = get_path(path);
            assert_eq!(shown, (200, expected.into()), "{flags:?}: {path}");
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
