//! The example `spa` in a browser, behind real proxies, and its build.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test spa -- --ignored
//! ```

mod support;

use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{
    browser::{Browser, NetworkEvent},
    process::{root, Example},
    proxy::{Config, SPA_FILES},
    server::{free_addr, Files, Server},
};
use url::Url;

/// The root paths of the app behind a proxy, and of the sub-app in it.
const ROOT_PATHS: [&str; 6] = [
    "",
    "/app",
    "/team/app",
    "/tools/app",
    "/app/tools/app",
    "/team/app/tools/app",
];

/// Does what a user can do in the app at `site`, such as `http://127.0.0.1:9999/app`. Asserts that
/// each step works, that no request fails, and that none leaves the site. Returns all responses.
async fn assert_works(browser: &Browser, site: &str) -> Responses {
    // Belongs to the pages before, such as Chromium's own.
    browser.open("about:blank").await;
    let _ = (browser.errors().await, browser.network().await);

    browser.open(&format!("{site}/")).await;
    assert_live(browser, site).await;

    // The client shows another route, with a script and a style sheet that it loads for that.
    mark_page(browser).await;
    click(browser, "nav a[href=notes]").await;
    assert_shows(browser, &format!("{site}/notes"), "Coffee").await;
    let style = "getComputedStyle(document.getElementById('notes')).listStyleType";
    assert_eq!(browser.value::<String>(style).await, "square", "{site}");
    click(browser, "#notes li:nth-child(2) a").await;
    assert_shows(browser, &format!("{site}/notes/1"), "Bread").await;
    browser.client.back().await.unwrap();
    assert_shows(browser, &format!("{site}/notes"), "Coffee").await;
    browser.client.forward().await.unwrap();
    assert_shows(browser, &format!("{site}/notes/1"), "Bread").await;
    click(browser, "a[href='#main']").await;
    assert_shows(browser, &format!("{site}/notes/1#main"), "Bread").await;
    assert!(is_marked(browser).await, "{site}");

    browser.client.refresh().await.unwrap();
    assert_shows(browser, &format!("{site}/notes/1#main"), "Bread").await;
    assert!(!is_marked(browser).await, "{site}");

    let deep_link = format!("{site}/notes/2");
    browser.open("about:blank").await;
    browser.open(&deep_link).await;
    assert_shows(browser, &deep_link, "Coffee").await;
    assert_live(browser, site).await;

    // To the login page, from there by a link of its template, and once more.
    click(browser, "nav a[href=account]").await;
    assert_shows(browser, &format!("{site}/login"), "Log in").await;
    click(browser, "a[href$='/notes']").await;
    assert_shows(browser, &format!("{site}/notes"), "Coffee").await;
    log_in(browser, site).await;
    browser.client.refresh().await.unwrap();
    assert_shows(browser, &format!("{site}/account"), "logged in as alice").await;
    click(browser, "form[action=logout] button").await;
    assert_shows(browser, &format!("{site}/"), "under any prefix").await;
    click(browser, "nav a[href=account]").await;
    assert_shows(browser, &format!("{site}/login"), "Log in").await;

    let errors = browser.errors().await;
    assert!(errors.is_empty(), "{site}: {errors:#?}");
    let responses = Responses::of(&browser.network().await, site);
    responses.assert_contain(&committed_build(), site);
    responses
}

/// Asserts that the events, the WebSocket and the worker of the page work.
async fn assert_live(browser: &Browser, site: &str) {
    let base: String = browser.value("document.baseURI").await;
    assert_eq!(base, format!("{site}/"));
    let text = |id: &str| format!("document.getElementById('{id}').textContent");
    // More than one, so they are not sent at once when the response ends.
    browser.wait_until(&format!("{} > 1", text("events"))).await;
    let socket = format!("{} === 'hello'", text("socket"));
    browser.wait_until(&socket).await;
    let worker = format!("{} === '3 notes'", text("worker"));
    browser.wait_until(&worker).await;
}

/// Logs in, and is led back to the page that needs the login.
async fn log_in(browser: &Browser, site: &str) {
    click(browser, "nav a[href=account]").await;
    assert_shows(browser, &format!("{site}/login"), "Log in").await;
    let base: String = browser.value("document.baseURI").await;
    assert_eq!(
        base,
        format!("{site}/"),
        "the login page has no <base> of its own"
    );
    click(browser, "form button").await;
    assert_shows(browser, &format!("{site}/account"), "logged in as alice").await;

    let root_path = Url::parse(site).unwrap().path().to_owned();
    let cookies = browser.client.get_all_cookies().await.unwrap();
    let cookies = cookies.iter().filter(|cookie| cookie.name() == "session");
    let mut paths = cookies.filter_map(|cookie| cookie.path());
    assert!(paths.any(|path| path == root_path), "{site}");
}

async fn click(browser: &Browser, css: &str) {
    let clicked = browser.find(css).await.click().await;
    clicked.unwrap_or_else(|error| panic!("{css}: {error}"));
}

/// Waits until the page at `url` contains `text`.
async fn assert_shows(browser: &Browser, url: &str, text: &str) {
    let condition =
        format!("location.href === '{url}' && document.body.innerText.includes('{text}')");
    browser.wait_until(&condition).await;
}

/// Marks the page, until the browser loads another one.
async fn mark_page(browser: &Browser) {
    browser.value::<bool>("window.isMarked = true").await;
}

async fn is_marked(browser: &Browser) -> bool {
    browser.value("window.isMarked === true").await
}

/// The content codings of the responses, by path within the site.
#[derive(Debug)]
struct Responses(BTreeMap<String, Option<String>>);

impl Responses {
    /// Asserts that no request has failed, and that each was for a URL of `site`.
    fn of(events: &[NetworkEvent], site: &str) -> Self {
        let mut responses = BTreeMap::new();
        for NetworkEvent { method, params } in events {
            match method.as_str() {
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap();
                    assert!(path_in(site, url).is_some(), "{site}: {url}");
                }
                "Network.webSocketCreated" => {
                    let url = params["url"].as_str().unwrap();
                    let site = site.replace("http:", "ws:");
                    assert_eq!(path_in(&site, url), Some("/api/echo"), "{url}");
                }
                "Network.responseReceived" => {
                    let response = &params["response"];
                    let url = response["url"].as_str().unwrap();
                    assert!(response["status"].as_u64() < Some(400), "{response}");
                    let headers = response["headers"].as_object().unwrap().iter();
                    let mut headers = headers.map(|(name, value)| (name.to_lowercase(), value));
                    let coding = headers.find(|(name, _)| name == "content-encoding");
                    let coding = coding.and_then(|(_, value)| value.as_str().map(str::to_owned));
                    if let Some(path) = path_in(site, url) {
                        // 304 has none.
                        let known = responses.entry(path.to_owned()).or_insert(None);
                        *known = coding.or(known.take());
                    }
                }
                // The browser itself ends the requests of a page that it leaves.
                "Network.loadingFailed" if params["canceled"] != true => {
                    panic!("{site}: {params}")
                }
                _ => {}
            }
        }
        Self(responses)
    }

    /// Asserts that all files of the build were loaded, except for the page, which has other names.
    fn assert_contain(&self, build: &Path, site: &str) {
        for file in files_in(build).into_keys() {
            let path = format!("/{}", file.display());
            // The log of a page does not have its worker, whose answer is in the page.
            if path == "/index.html" || path.starts_with("/assets/worker-") {
                continue;
            }
            assert!(self.0.contains_key(&path), "{site}: {path}, {self:#?}");
        }
    }

    /// The content coding of the only response whose path begins with `prefix`.
    fn coding(&self, prefix: &str) -> Option<&str> {
        let mut matches = self.0.range(prefix.to_owned()..);
        let (path, coding) = matches.next().unwrap();
        assert!(path.starts_with(prefix), "{prefix}: {path}");
        coding.as_deref()
    }
}

/// The path of `url` within `site`.
fn path_in<'a>(site: &str, url: &'a str) -> Option<&'a str> {
    let path = url.strip_prefix(site)?;
    path.starts_with('/').then_some(path)
}

fn committed_build() -> PathBuf {
    root().join("examples/spa/dist")
}

/// The content of each file in `directory`, by its path in there.
fn files_in(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            let inner = files_in(&path).into_iter();
            files.extend(inner.map(|(path, content)| (name.join(path), content)));
        } else {
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// A copy of the committed build.
fn copy_of_build() -> Files {
    let copy = Files::new(&[]);
    for (path, content) in files_in(&committed_build()) {
        let path = copy.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    copy
}

#[tokio::test]
#[ignore = "needs Chromium, nginx and Traefik"]
async fn one_build_works_at_every_prefix() {
    let browser = Browser::start().await;
    for file in SPA_FILES {
        let config = Config::read(file);
        let app = Example::start("spa", &config.flags());
        let proxy = config.start(app.addr());
        for root_path in ROOT_PATHS {
            assert_works(&browser, &proxy.url(root_path)).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn one_build_works_without_a_proxy() {
    let browser = Browser::start().await;
    let app = Example::start("spa", &["--root-path", "/app", "--strip", "if-present"]);
    for root_path in ["/app", "/app/tools/app"] {
        assert_works(&browser, &app.url(root_path)).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_build_without_a_base_works() {
    let browser = Browser::start().await;
    let copy = copy_of_build();
    let page = copy.path().join("index.html");
    let with_base = fs::read_to_string(&page).unwrap();
    let without_base = with_base.replace("<base href=\"/\">", "");
    assert_ne!(without_base, with_base);
    fs::write(page, without_base).unwrap();

    let config = Config::read("nginx/spa.conf");
    let dist = ["--dist", copy.path().to_str().unwrap()];
    let app = Example::start("spa", &[&config.flags()[..], &dist].concat());
    let proxy = config.start(app.addr());
    for root_path in ["", "/app", "/app/tools/app"] {
        assert_works(&browser, &proxy.url(root_path)).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium, nginx, Traefik and gzip"]
async fn pages_are_edited_before_they_are_compressed() {
    let browser = Browser::start().await;
    let precompressed = copy_of_build();
    for path in files_in(precompressed.path()).keys() {
        let mut gzip = Command::new("gzip");
        gzip.arg("--keep").arg(precompressed.path().join(path));
        assert!(gzip.status().unwrap().success(), "{path:?}");
    }
    let dist = ["--dist", precompressed.path().to_str().unwrap()];
    for file in SPA_FILES {
        let config = Config::read(file);
        for (flags, page, script) in [
            (&[][..], None, None),
            (&["--compress"], Some("gzip"), Some("gzip")),
            (&dist, None, Some("gzip")),
            (
                &[&dist[..], &["--compress"]].concat(),
                Some("gzip"),
                Some("gzip"),
            ),
        ] {
            let app = Example::start("spa", &[&config.flags(), flags].concat());
            let proxy = config.start(app.addr());
            let responses = assert_works(&browser, &proxy.url("/app/tools/app")).await;
            for (path, coding) in [
                ("/notes/2", page),
                ("/account", page),
                ("/login", page),
                ("/assets/notes-", script),
                ("/api/events", None),
            ] {
                assert_eq!(responses.coding(path), coding, "{file} {flags:?} {path}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs Chromium, nginx and Traefik"]
async fn two_prefixes_are_open_at_once() {
    for file in SPA_FILES {
        let config = Config::read(file);
        let app = Example::start("spa", &config.flags());
        let proxy = config.start(app.addr());
        // Stops before the servers, which would wait for its requests.
        let browser = Browser::start().await;
        let client = &browser.client;
        let tabs = [
            client.window().await.unwrap(),
            client.new_window(true).await.unwrap().handle,
        ];
        let sites = ["/app", "/team/app"].map(|root_path| proxy.url(root_path));
        for (tab, site) in tabs.iter().zip(&sites) {
            client.switch_to_window(tab.clone()).await.unwrap();
            browser.open(&format!("{site}/notes/1")).await;
        }
        // In the second tab, while the first one is logged in.
        for (tab, site) in tabs.iter().zip(&sites) {
            client.switch_to_window(tab.clone()).await.unwrap();
            assert_live(&browser, site).await;
            log_in(&browser, site).await;
        }
        for (tab, site) in tabs.iter().zip(&sites) {
            client.switch_to_window(tab.clone()).await.unwrap();
            click(&browser, "form[action=logout] button").await;
            assert_shows(&browser, &format!("{site}/"), "under any prefix").await;
            assert_live(&browser, site).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_manifest_with_relative_urls_follows_its_own_url() {
    let browser = Browser::start().await;
    let config = Config::read("nginx/spa.conf");
    let app = Example::start("spa", &config.flags());
    let proxy = config.start(app.addr());
    for root_path in ROOT_PATHS {
        let site = proxy.url(root_path);
        browser.open(&format!("{site}/notes/1")).await;
        let manifest = browser.devtools("Page.getAppManifest").await["manifest"].take();
        assert_eq!(manifest["startUrl"], format!("{site}/"));
        assert_eq!(manifest["scope"], format!("{site}/"));
        assert_eq!(manifest["icons"][0]["url"], format!("{site}/icon.svg"));
    }
}

/// What the guide says about each kind of URL, in a page at `{site}/notes/1`.
#[tokio::test]
#[ignore = "needs Chromium"]
async fn base_changes_the_meaning_of_each_relative_url() {
    let browser = Browser::start().await;
    let app = Example::start("spa", &["--root-path", "/app", "--strip", "if-present"]);
    let site = app.url("/app");
    browser.open(&format!("{site}/notes/1")).await;
    let link = |href: &str| {
        format!("Object.assign(document.createElement('a'), {{ href: '{href}' }}).href")
    };
    for (expression, url) in [
        // relative
        (&*link("notes"), "/app/notes"),
        (&link("./"), "/app/"),
        ("new Request('api/notes').url", "/app/api/notes"),
        ("new EventSource('api/events').url", "/app/api/events"),
        (
            "(history.pushState(null, '', 'notes/1'), location.href)",
            "/app/notes/1",
        ),
        // relative to the page, if it had no `<base>`
        (&link(""), "/app/"),
        (&link("#main"), "/app/#main"),
        (&link("?page=2"), "/app/?page=2"),
        // those still are
        ("document.createElement('form').action", "/app/notes/1"),
        (
            "(location.hash = '#main', location.href)",
            "/app/notes/1#main",
        ),
        // path-absolute
        (&link("/notes"), "/notes"),
        ("new Request('/api/notes').url", "/api/notes"),
        (
            "(history.pushState(null, '', '/notes'), location.href)",
            "/notes",
        ),
    ] {
        let value: String = browser.value(expression).await;
        assert_eq!(value, app.url(url), "{expression}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn svg_finds_its_own_elements_under_a_base() {
    let browser = Browser::start().await;
    let app = Example::start("spa", &["--root-path", "/app", "--strip", "if-present"]);
    browser.open(&app.url("/app/notes/1")).await;
    // After that, the app does not change its page.
    browser.wait_for_text("Bread").await;
    let draw = |content: &str| {
        let svg = format!("<svg id=\"svg\" width=\"40\" height=\"40\">{content}</svg>");
        let main = "document.getElementById('main')";
        let script = format!("(() => {{ {main}.innerHTML = {} }})()", json!(svg));
        let browser = &browser;
        async move {
            browser.value::<()>(&script).await;
            browser.find("#svg").await.screenshot().await.unwrap()
        }
    };
    let size = "width=\"40\" height=\"40\"";
    let expected = draw(&format!("<rect {size} fill=\"red\"/>")).await;
    assert_ne!(draw("").await, expected);
    for (defined, used) in [
        (
            "<linearGradient id=\"x\"><stop stop-color=\"red\"/></linearGradient>".to_owned(),
            format!("<rect {size} fill=\"url(#x)\"/>"),
        ),
        (
            format!("<clipPath id=\"x\"><rect {size}/></clipPath>"),
            format!("<rect {size} fill=\"red\" clip-path=\"url(#x)\"/>"),
        ),
        (
            format!("<mask id=\"x\"><rect {size} fill=\"white\"/></mask>"),
            format!("<rect {size} fill=\"red\" mask=\"url(#x)\"/>"),
        ),
        (
            format!("<rect id=\"x\" {size} fill=\"red\"/>"),
            "<use href=\"#x\"/>".to_owned(),
        ),
    ] {
        let drawn = draw(&format!("<defs>{defined}</defs>{used}")).await;
        assert!(drawn == expected, "{used}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium and nginx"]
async fn a_security_policy_may_forbid_the_base() {
    let browser = Browser::start().await;
    for (base_uri, is_allowed) in [("'self'", true), ("'none'", false)] {
        let policy = format!(
            "proxy_redirect off;
            proxy_hide_header Content-Security-Policy;
            add_header Content-Security-Policy \"base-uri {base_uri}\" always;"
        );
        let config = Config::read("nginx/spa.conf").with("proxy_redirect off;", &policy);
        let app = Example::start("spa", &config.flags());
        let proxy = config.start(app.addr());
        let page = proxy.url("/app/notes/1");
        browser.open(&page).await;
        let base: String = browser.value("document.baseURI").await;
        let expected = if is_allowed { proxy.url("/app/") } else { page };
        assert_eq!(base, expected, "{base_uri}");
        let errors = browser.errors().await;
        let forbidden = errors.iter().any(|error| error.contains("base-uri"));
        assert_eq!(forbidden, !is_allowed, "{errors:?}");
    }
}

/// Vite, as `interop/install-tools.sh` installs it. It runs in the directory of the front end.
fn vite() -> Command {
    let frontend = root().join("target/frontend");
    let vite = frontend.join("node_modules/vite/bin/vite.js");
    assert!(vite.is_file(), "no {vite:?}; run interop/install-tools.sh");
    let mut command = Command::new(frontend.join("node"));
    command.arg(vite);
    command.current_dir(root().join("examples/spa/frontend"));
    command
}

#[test]
#[ignore = "needs Vite"]
fn the_committed_build_is_vites() {
    let out = Files::new(&[]);
    let mut build = vite();
    build.args(["build", "--outDir"]).arg(out.path());
    let built = build.output().unwrap();
    assert!(built.status.success(), "{built:?}");
    let hint = "run: cd examples/spa/frontend && npm ci && npm run build";
    assert_eq!(files_in(out.path()), files_in(&committed_build()), "{hint}");
}

#[tokio::test]
#[ignore = "needs Chromium and Vite"]
async fn a_route_opens_in_vites_development_server() {
    let browser = Browser::start().await;
    let (addr, files) = (free_addr(), Files::new(&[]));
    let mut command = vite();
    command.args(["--strictPort", "--host", "127.0.0.1", "--port"]);
    command.arg(addr.port().to_string());
    let _vite = Server::start(addr, &mut command, files.path().join("log"));
    let route = format!("http://{addr}/no/such");
    browser.open(&route).await;
    assert_shows(&browser, &route, "There is no such page").await;
}
