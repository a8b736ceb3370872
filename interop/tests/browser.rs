//! The docs pages of the examples in a browser.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test browser -- --ignored
//! ```

mod support;

use fantoccini::error::{CmdError, ErrorStatus};
use serde_json::{json, Value};
use support::{
    browser::Browser,
    process::{get_raw, Example},
    proxy::Config,
};

/// An app with a configured root path.
const CONFIGURED: &[&str] = &["--root-path", "/api/v1", "--strip", "if-present"];

impl Browser {
    /// The list of servers in Swagger UI. Asserts that the first one is selected.
    async fn servers(&self) -> Vec<String> {
        self.find(".opblock-get").await;
        let list = "[...document.querySelectorAll('.servers option')]";
        let options = format!("{list}.map(option => [option.value, option.selected])");
        let options: Vec<(String, bool)> = self.value(&options).await;
        let selected = options.iter().position(|(_, selected)| *selected);
        assert_eq!(selected.unwrap_or(0), 0, "{options:?}");
        options.into_iter().map(|(server, _)| server).collect()
    }

    /// Executes the operation in Swagger UI, and returns the requested URL and the response.
    async fn execute(&self) -> (String, Value) {
        for button in [".opblock-summary-control", ".try-out__btn", ".execute"] {
            self.find(button).await.click().await.unwrap();
        }
        let body = self.find(".live-responses-table .response-col_description pre");
        let body = body.await.text().await.unwrap();
        let json = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let url = self.find(".request-url pre").await.text().await;
        (url.unwrap(), json)
    }

    /// Asserts that Swagger UI has loaded everything, and requests the app under `root_path`.
    async fn assert_docs_work(&self, root_path: &str) {
        let page = self.client.current_url().await.unwrap();
        let listed = Some(root_path).filter(|root_path| !root_path.is_empty());
        assert_eq!(self.servers().await, Vec::from_iter(listed), "{page}");

        let loaded = "performance.getEntriesByType('resource').map(entry => entry.name)";
        let loaded: Vec<String> = self.value(loaded).await;
        let (site, _) = page.as_str().rsplit_once("docs").expect("it is at /docs");
        let outside = loaded.iter().find(|url| !url.starts_with(site));
        assert_eq!(outside, None, "{page}");

        let url = format!("{}{root_path}/app", page.origin().ascii_serialization());
        let hello = json!({ "message": "Hello World", "root_path": root_path });
        assert_eq!(self.execute().await, (url, hello), "{page}");
    }

    /// Whether `alert(hit=1)` has opened a dialog, and whether it has set the variable.
    async fn is_hit(&self) -> (bool, bool) {
        let dialog = match self.client.accept_alert().await {
            Ok(()) => true,
            Err(CmdError::Standard(error)) if error.error == ErrorStatus::NoSuchAlert => false,
            Err(error) => panic!("{error}"),
        };
        (dialog, self.value("window.hit === 1").await)
    }
}

#[tokio::test]
#[ignore = "needs Chromium, Traefik and nginx"]
async fn swagger_ui_requests_the_public_url_behind_a_proxy() {
    let browser = Browser::start().await;
    for file in ["traefik/strip-prefix.toml", "nginx/strip.conf"] {
        let config = Config::read(file);
        let app = Example::whoami(&config.flags());
        let proxy = config.start(app.addr());
        browser.open(&proxy.url("/api/v1/docs")).await;
        browser.assert_docs_work("/api/v1").await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and Traefik"]
async fn swagger_ui_of_one_app_is_open_at_several_prefixes_at_once() {
    let browser = Browser::start().await;
    let config = Config::read("traefik/strip-prefix-regex.toml");
    let app = Example::whoami(&config.flags());
    let proxy = config.start(app.addr());
    let mut sites = [
        (proxy.url("/api/v1/docs"), "/api/v1"),
        (proxy.url("/api/v2/docs"), "/api/v2"),
        (app.url("/docs"), ""),
    ];
    let client = &browser.client;
    let mut tabs = vec![client.window().await.unwrap()];
    while tabs.len() < sites.len() {
        tabs.push(client.new_window(true).await.unwrap().handle);
    }
    // In the second round, each page is in another tab, and Chromium may have cached all of them.
    for _ in 0..2 {
        for (tab, (docs, _)) in tabs.iter().zip(&sites) {
            client.switch_to_window(tab.clone()).await.unwrap();
            browser.open(docs).await;
        }
        for (tab, (_, root_path)) in tabs.iter().zip(&sites) {
            client.switch_to_window(tab.clone()).await.unwrap();
            browser.assert_docs_work(root_path).await;
        }
        sites.rotate_left(1);
    }
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn swagger_ui_works_at_the_apps_own_address() {
    let browser = Browser::start().await;
    for (flags, docs, root_path) in [
        (CONFIGURED, "/docs", "/api/v1"),
        (CONFIGURED, "/api/v1/docs", "/api/v1"),
        (CONFIGURED, "/api/v1/t/acme/docs", "/api/v1/t/acme"),
        (&[], "/docs", ""),
        (&[], "/sub/docs", "/sub"),
        (&[], "/t/{{tenant}}/docs", "/t/%7B%7Btenant%7D%7D"),
    ] {
        let app = Example::whoami(flags);
        browser.open(&app.url(docs)).await;
        browser.assert_docs_work(root_path).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and Traefik"]
async fn the_pages_of_generators_work_wherever_they_are_opened() {
    // On 127.0.0.1, Swagger UI would not use a validator of others.
    let host = "--host-resolver-rules=MAP app.example 127.0.0.1";
    let browser = Browser::start_with(&[host.to_owned()]).await;
    for example in ["aide", "utoipa"] {
        let config = Config::read("traefik/strip-prefix-regex.toml");
        let app = Example::start(example, &[]);
        let proxy = config.start(app.addr());
        for (base, root_path) in [
            (proxy.url(""), "/api/v1"),
            (proxy.url(""), "/api/v2"),
            (app.url(""), ""),
        ] {
            let site = format!("{base}{root_path}").replace("127.0.0.1", "app.example");
            browser.open(&format!("{site}/docs")).await;
            browser.assert_docs_work(root_path).await;
            if example == "aide" {
                browser.open(&format!("{site}/scalar")).await;
                browser.wait_for_text(&format!("curl {site}/app")).await;
                browser.open(&format!("{site}/redoc")).await;
                browser.wait_for_text(&format!("{site}/app")).await;
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn swagger_ui_lists_the_servers_that_fastapi_would() {
    // https://fastapi.tiangolo.com/advanced/behind-a-proxy/#additional-servers
    let [stag, prod] = ["https://stag.example.com", "https://prod.example.com"];
    let own = ["--server", stag, "--server", prod];
    let browser = Browser::start().await;
    for (flags, servers) in [
        (&[][..], &["/api/v1", stag, prod][..]),
        (&["--no-root-path-in-servers"], &[stag, prod]),
    ] {
        let app = Example::whoami(&[CONFIGURED, &own, flags].concat());
        browser.open(&app.url("/docs")).await;
        assert_eq!(browser.servers().await, servers, "{flags:?}");
    }
}

/// Each script runs in a page that contains the path unescaped. nginx serves such a page here.
#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn no_script_in_the_path_of_a_mount_runs() {
    let browser = Browser::start().await;
    let app = Example::whoami(&[]);
    let page = r#"<body title=\"$uri\"><script>var mount = '$uri';</script>"#;
    let page = format!("default_type text/html; return 200 \"{page}\";");
    let location = "location /api/v1/ {";
    let careless = Config::read("nginx/strip.conf")
        .with(location, &format!("location /t/ {{ {page} }} {location}"))
        .start(app.addr());
    for (mount, root_path) in [
        ("/t/x'+alert(hit=1)+'", "/t/x%27+alert(hit=1)+%27"),
        ("/t/x%27+alert(hit=1)+%27", "/t/x%27+alert(hit=1)+%27"),
        (
            "/t/%27%2Balert%28hit=1%29-'",
            "/t/%27%2Balert%28hit=1%29-%27",
        ),
        (
            "/t/%22onload=%22alert(hit=1)",
            "/t/%22onload=%22alert(hit=1)",
        ),
        (
            "/t/\"><img src onerror=alert(hit=1)>",
            "/t/%22%3E%3Cimg%20src%20onerror=alert(hit=1)%3E",
        ),
        (
            "/t/<%2Fscript><script>alert(hit=1)<%2Fscript>",
            "/t/%3C%2Fscript%3E%3Cscript%3Ealert(hit=1)%3C%2Fscript%3E",
        ),
    ] {
        let docs = format!("{mount}/docs");
        browser.open(&careless.url(&docs)).await;
        assert_eq!(browser.is_hit().await, (true, true), "{mount}");

        browser.open(&app.url(&docs)).await;
        browser.assert_docs_work(root_path).await;
        assert_eq!(browser.is_hit().await, (false, false), "{mount}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn no_script_in_a_forwarded_prefix_runs() {
    let browser = Browser::start().await;
    let app = Example::whoami(&[CONFIGURED, &["--trust", "127.0.0.1"]].concat());
    for prefix in [
        "/x'+alert(hit=1)+'",
        "//evil.example",
        "/</script><script>alert(hit=1)</script>",
        "/{{constructor.constructor('alert(hit=1)')()}}",
        "javascript:alert(hit=1)",
    ] {
        let header = format!("X-Forwarded-Prefix \"{prefix}\"");
        let config = Config::read("nginx/ingress.conf");
        let config = config.with("X-Forwarded-Prefix \"/api/v1\"", &header);
        let proxy = config.start(app.addr());
        let shown = get_raw(proxy.addr(), "/api/v1/").unwrap();
        assert!(shown.contains(r#":"invalid: "#), "{prefix}: {shown}");

        browser.open(&proxy.url("/api/v1/docs")).await;
        browser.assert_docs_work("/api/v1").await;
        assert_eq!(browser.is_hit().await, (false, false), "{prefix}");
    }
}
