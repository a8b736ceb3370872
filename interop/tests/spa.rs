//! The example `spa` in a browser, behind real proxies, and its build.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test spa -- --ignored
//! ```

mod support;

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};
use support::{
    browser::{Browser, NetworkEvent},
    process::{root, Example},
    proxy::{Config, SPA_FILES},
    server::Files,
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
    // Belongs to the pages before.
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
                        responses.insert(path.to_owned(), coding);
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
