//! Chromium, controlled through WebDriver.

use super::{
    process::get_raw,
    server::{free_addr, Files, Server},
};
use fantoccini::{
    elements::Element, wd::WebDriverCompatibleCommand, Client, ClientBuilder, Locator,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::{de::DeserializeOwned, Deserialize};
use serde_json::{json, Value};
use std::{net::SocketAddr, process::Command, time::Duration};
use url::{ParseError, Url};

/// How often a condition is tested until it is true.
const POLL: Duration = Duration::from_millis(20);

/// How long that may take.
const TIMEOUT: Duration = Duration::from_secs(60);

const CHROMIUM: &str = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --disable-quic";

/// Chromium with an empty profile, and the driver that controls it.
#[derive(Debug)]
pub struct Browser {
    pub client: Client,
    driver: SocketAddr,
    // Stops before its files are removed.
    _server: Server,
    _files: Files,
}

impl Browser {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(args: &[String]) -> Self {
        let (driver, files) = (free_addr(), Files::new(&[]));
        let mut command = Command::new("/usr/bin/chromedriver");
        command.arg(format!("--port={}", driver.port()));
        command.env("HOME", files.path());
        let server = Server::start(driver, &mut command, files.path().join("log"));

        let profile = format!("--user-data-dir={}", files.path().display());
        let args = CHROMIUM.split(' ').chain(args.iter().map(String::as_str));
        let args: Vec<_> = args.chain([&*profile]).collect();
        let capabilities = json!({
            "goog:chromeOptions": { "args": args },
            // An open dialog stays open, and makes the next command fail.
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(serde_json::from_value(capabilities).unwrap())
            .connect(&format!("http://{driver}"))
            .await;
        Self {
            client: client.unwrap(),
            driver,
            _server: server,
            _files: files,
        }
    }

    pub async fn open(&self, url: &str) {
        let opened = self.client.goto(url).await;
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The value of the JavaScript `expression` in the page.
    pub async fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let script = format!("return {expression}");
        let value = self.client.execute(&script, Vec::new()).await;
        let value = value.unwrap_or_else(|error| panic!("{expression}: {error}"));
        serde_json::from_value(value).unwrap()
    }

    pub async fn find(&self, css: &str) -> Element {
        let wait = self.client.wait().every(POLL);
        let found = wait.for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Waits until the page contains `text`.
    pub async fn wait_for_text(&self, text: &str) {
        let is_there = format!("//body[contains(normalize-space(.), '{text}')]");
        let wait = self.client.wait().every(POLL);
        let found = wait.for_element(Locator::XPath(&is_there)).await;
        found.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// Waits until the JavaScript `condition` is true in the page.
    pub async fn wait_until(&self, condition: &str) {
        let is_true = async {
            while !self.value::<bool>(condition).await {
                tokio::time::sleep(POLL).await;
            }
        };
        let in_time = tokio::time::timeout(TIMEOUT, is_true).await;
        if in_time.is_err() {
            let page = "location.href + '\\n' + document.body.innerText";
            let page: String = self.value(page).await;
            panic!("it is not true that {condition}: {page}");
        }
    }

    /// Sends a command of the DevTools protocol.
    pub async fn devtools(&self, command: &'static str) -> Value {
        let body = json!({ "cmd": command, "params": {} });
        self.issue("goog/cdp/execute", body).await
    }

    /// The entries of a log since the last call.
    async fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.issue("se/log", json!({ "type": name })).await;
        serde_json::from_value(entries).expect("a log is a list")
    }

    /// The errors that the console has shown since the last call.
    pub async fn errors(&self) -> Vec<String> {
        let mut entries = self.log("browser").await;
        entries.retain(|entry| entry["level"] == "SEVERE");
        let messages = entries.iter().map(|entry| entry["message"].to_string());
        messages.collect()
    }

    /// The events of the DevTools domain `Network` since the last call.
    pub async fn network(&self) -> Vec<NetworkEvent> {
        let entries = self.log("performance").await.into_iter();
        let messages = entries.filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            serde_json::from_value(message["message"].clone()).ok()
        });
        let is_network = |event: &NetworkEvent| event.method.starts_with("Network.");
        messages.filter(is_network).collect()
    }

    async fn issue(&self, path: &'static str, body: Value) -> Value {
        let issued = self.client.issue_cmd(ChromiumCommand { path, body }).await;
        issued.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// An event of the DevTools protocol.
#[derive(Clone, Debug, Deserialize)]
pub struct NetworkEvent {
    pub method: String,
    pub params: Value,
}

/// A command that WebDriver itself does not have.
#[derive(Debug)]
struct ChromiumCommand {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A signal would stop the driver alone, and leave Chromium running.
        let _ = get_raw(self.driver, "/shutdown");
    }
}
