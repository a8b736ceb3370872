//! The page of `whoami` in a browser, behind right and wrong configurations.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test whoami_page -- --ignored
//! ```

mod support;

use std::collections::BTreeMap;
use support::{
    browser::Browser,
    process::Example,
    proxy::{Config, Proxy},
};

/// With these flags, all that the page checks is right if the root path is.
const FLAGS: &[&str] = &[
    "--rewrite",
    "all",
    "--forwarded-origin",
    "x-forwarded",
    "--allowed-hosts",
    "127.0.0.1",
];

/// nginx as `file` has it, which also streams and passes on WebSockets.
fn nginx(file: &'static str) -> Config {
    Config::read(file).with(
        "proxy_redirect off;",
        "proxy_redirect off; proxy_buffering off; proxy_http_version 1.1; \
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;",
    )
}

fn ingress() -> Config {
    Config::read("nginx/ingress.conf").with(
        "proxy_redirect off;",
        "proxy_redirect off; proxy_buffering off;",
    )
}

fn start(config: &Config, flags: &[&str]) -> (Proxy, Example) {
    let app = Example::whoami(&[flags, FLAGS].concat());
    (config.start(app.addr()), app)
}

/// The text of each red line of the page at `url`.
async fn red_lines(browser: &Browser, url: &str) -> BTreeMap<String, String> {
    browser.open(url).await;
    browser
        .wait_until("document.body.dataset.checked === 'true'")
        .await;
    let lines = "[...document.querySelectorAll('#checks li')].map(line => \
                 [line.dataset.check, line.className, line.querySelector('p').textContent])";
    let lines: Vec<(String, String, String)> = browser.value(lines).await;
    assert_eq!(lines.len(), 7, "{lines:#?}");
    let red = lines
        .into_iter()
        .filter_map(|(check, class, text)| match &*class {
            "right" => None,
            "wrong" => Some((check, text)),
            _ => panic!("{check}: {class}"),
        });
    red.collect()
}

#[track_caller]
fn assert_red(found: &BTreeMap<String, String>, expected: &[(&str, &str)], name: &str) {
    let expected: BTreeMap<_, _> = expected.iter().copied().collect();
    assert!(
        found
            .keys()
            .map(String::as_str)
            .eq(expected.keys().copied()),
        "{name}: {found:#?}"
    );
    for (check, text) in &expected {
        assert!(found[*check].contains(text), "{name}: {found:#?}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium, Traefik and nginx"]
async fn every_line_is_green_behind_a_right_configuration() {
    let browser = Browser::start().await;
    let traefik = Config::read("traefik/strip-prefix.toml");
    for (name, config, flags) in [
        ("Traefik", traefik, &["--trust", "127.0.0.1"][..]),
        ("ingress", ingress(), &["--trust", "127.0.0.1"]),
        (
            "strip",
            nginx("nginx/strip.conf"),
            &["--root-path", "/api/v1"],
        ),
        (
            "no strip",
            nginx("nginx/no-strip.conf"),
            &["--root-path", "/api/v1", "--strip", "if-present"],
        ),
    ] {
        let (proxy, _app) = start(&config, flags);
        for path in [
            "/api/v1/",
            "/api/v1/x/",
            "/api/v1/sub/x/",
            "/api/v1/t/a%20b/x/",
        ] {
            assert_red(&red_lines(&browser, &proxy.url(path)).await, &[], name);
        }
    }
    let app = Example::whoami(FLAGS);
    assert_red(&red_lines(&browser, &app.url("/")).await, &[], "no proxy");
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_red_line_names_the_fix_of_a_wrong_root_path() {
    let browser = Browser::start().await;
    let strip = || nginx("nginx/strip.conf");
    let header = |value: &str| ingress().with("\"/api/v1\";", &format!("\"{value}\";"));
    let lost = ("Redirect", "The root path of the app has to be the prefix");
    let base_url = ("Base URL", "not http://127.0.0.1:");
    let cookie = ("Cookie", "does not come back");
    for (name, config, flags, root_path) in [
        (
            "no header",
            strip(),
            &[][..],
            "Your proxy strips /api/v1 and sends no header: use RootPathLayer::new(\"/api/v1\").",
        ),
        (
            "a header that is not read",
            ingress(),
            &[],
            "sends X-Forwarded-Prefix: /api/v1, which the app does not read: use \
             RootPathLayer::new(\"\").with_forwarded(",
        ),
        (
            "an untrusted peer",
            ingress(),
            &["--trust", "192.0.2.0/24"],
            "add 127.0.0.1 to the TrustedProxies",
        ),
        (
            "an invalid header",
            header("/api//v1"),
            &["--trust", "127.0.0.1"],
            "correct the header",
        ),
        (
            "another header",
            header("/api/v2"),
            &["--trust", "127.0.0.1"],
            "sends /api/v2: let it send /api/v1",
        ),
        (
            "another root path",
            strip(),
            &["--root-path", "/api/v2"],
            "use RootPathLayer::new(\"/api/v1\")",
        ),
    ] {
        let (proxy, _app) = start(&config, flags);
        let red = red_lines(&browser, &proxy.url("/api/v1/")).await;
        let expected = [("Root path", root_path), lost, base_url, cookie];
        assert_red(&red, &expected, name);
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_red_line_names_the_fix_of_a_prefix_that_is_not_stripped() {
    let browser = Browser::start().await;
    for flags in [&[][..], &["--root-path", "/api/v1"]] {
        let (proxy, _app) = start(&nginx("nginx/no-strip.conf"), flags);
        let red = red_lines(&browser, &proxy.url("/api/v1/")).await;
        let fix = "/api/v1 is not the root of the app. If it is the prefix, your proxy passes it \
                   on: use RootPathLayer::new(\"/api/v1\").strip_if_present().wrap(router).";
        assert_eq!(red["Root path"], fix, "{flags:?}");
        assert!(red.contains_key("Relative URL"), "{red:#?}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_red_line_names_the_fix_of_the_rest() {
    let browser = Browser::start().await;
    let strip = || nginx("nginx/strip.conf");
    let twice = strip().with("proxy_redirect off;", "proxy_redirect / /api/v1/;");
    let configured = ["--root-path", "/api/v1"];
    let (proxy, _app) = start(&twice, &configured);
    let red = red_lines(&browser, &proxy.url("/api/v1/")).await;
    assert_red(&red, &[("Redirect", "Rewrite::none()")], "two rewrite");

    let (proxy, _app) = start(&Config::read("nginx/strip.conf"), &configured);
    let red = red_lines(&browser, &proxy.url("/api/v1/")).await;
    let expected = [
        ("EventSource", "proxy_buffering off"),
        ("WebSocket", "proxy_set_header Upgrade"),
    ];
    assert_red(&red, &expected, "no streams");

    // Without the other flags.
    for (flags, check, fix) in [
        (
            &[][..],
            "Base URL",
            "use RootPathLayer::public_origin(\"http://127.0.0.1:",
        ),
        (
            &["--public-origin", "https://x.example"],
            "Base URL",
            "is https://x.example/api/v1, not",
        ),
        (
            &[
                "--forwarded-origin",
                "x-forwarded",
                "--allowed-hosts",
                "x.example",
            ],
            "Base URL",
            "to the AllowedHosts",
        ),
        (&[], "Cookie", "Rewrite::redirects().set_cookie_path()"),
    ] {
        let app = Example::whoami(&[&configured, flags].concat());
        let proxy = strip().start(app.addr());
        let red = red_lines(&browser, &proxy.url("/api/v1/")).await;
        assert!(red[check].contains(fix), "{red:#?}");
        assert!(!red.contains_key("Root path"), "{red:#?}");
    }

    // Without the proxy.
    let app = Example::whoami(&configured);
    let red = red_lines(&browser, &app.url("/")).await;
    assert!(
        red["Root path"].contains("without the prefix /api/v1"),
        "{red:#?}"
    );
}
