//! The example `oauth` behind nginx with TLS: a login at an identity provider on the same host.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test oauth -- --ignored
//! ```

mod support;

use cookie_store::CookieStore;
use http::{
    header::{COOKIE, LOCATION, SET_COOKIE},
    Request, Response,
};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use rcgen::{generate_simple_self_signed, CertifiedKey};
use rustls::{pki_types::CertificateDer, ClientConfig, RootCertStore};
use std::{net::SocketAddr, process::Command};
use support::{
    process::{example, get_with, Program},
    proxy::{Config, Proxy},
    server::{free_addr, Files},
};
use url::Url;

/// The example and nginx, with a certificate of its own.
struct Site {
    origin: String,
    app: SocketAddr,
    certificate: CertificateDer<'static>,
    _example: Program,
    _proxy: Proxy,
    _files: Files,
}

impl Site {
    fn start() -> Self {
        let [public, app, provider] = [(); 3].map(|()| free_addr());
        let origin = format!("https://localhost:{}", public.port());
        let mut command = Command::new(example("oauth"));
        command.args(["--app", &app.to_string()]);
        command.args(["--provider", &provider.to_string()]);
        command.args(["--public-origin", &origin]);
        let (example, [_listens]) = Program::start_and_read(&mut command);

        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = Files::new(&[
            ("localhost.pem", &cert.pem()),
            ("localhost.key", &signing_key.serialize_pem()),
        ]);
        let path = |name| files.path().join(name).display().to_string();
        let config = Config::read("nginx/oauth.conf")
            .with("8001", &provider.port().to_string())
            .with("localhost.pem", &path("localhost.pem"))
            .with("localhost.key", &path("localhost.key"));
        Self {
            origin,
            app,
            certificate: cert.der().clone(),
            _example: example,
            _proxy: config.start_at(public, app),
            _files: files,
        }
    }

    fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.origin).parse().unwrap()
    }
}

/// A browser that trusts the certificate of one site.
struct Browser {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    cookies: CookieStore,
}

impl Browser {
    fn new(site: &Site) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(site.certificate.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_only()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            cookies: CookieStore::default(),
        }
    }

    /// Opens `url`, and does not follow a redirect.
    async fn open(&mut self, url: &Url) -> Response<String> {
        let cookies = self.cookies.matches(url).into_iter();
        let cookies: Vec<_> = cookies
            .map(|cookie| cookie.stripped().to_string())
            .collect();
        let mut request = Request::get(url.as_str());
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let request = request.body(Empty::new()).unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        for line in head.headers.get_all(SET_COOKIE) {
            self.cookies.parse(line.to_str().unwrap(), url).unwrap();
        }
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Opens `url` and where it redirects to. Returns the last URL.
    async fn follow(&mut self, mut url: Url) -> (Url, Response<String>) {
        for _ in 0..10 {
            let response = self.open(&url).await;
            if !response.status().is_redirection() {
                return (url, response);
            }
            url = url.join(location(&response)).unwrap();
        }
        panic!("too many redirects: {url}");
    }
}

fn location(response: &Response<String>) -> &str {
    assert!(response.status().is_redirection(), "{response:?}");
    response.headers()[LOCATION].to_str().unwrap()
}

/// The parameter `name` in the query of `url`.
fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let parameter = url.query_pairs().find(|(key, _)| key == name);
    let parameter = parameter.unwrap_or_else(|| panic!("no {name} in {url}"));
    parameter.1.into_owned()
}

/// `url` with another value of the parameter `name`.
fn with_parameter(url: &str, name: &str, value: &str) -> Url {
    let mut url = Url::parse(url).unwrap();
    let pairs = url.query_pairs().into_owned();
    let (others, replaced): (Vec<_>, Vec<_>) = pairs.partition(|(key, _)| key != name);
    assert_eq!(replaced.len(), 1, "{name} in {url}");
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(name, value);
    url
}

/// The `Path` of the cookie `name` that is set in `response`.
fn cookie_path(response: &Response<String>, name: &str) -> String {
    let lines = response.headers().get_all(SET_COOKIE).iter();
    let mut lines = lines.map(|line| line.to_str().unwrap());
    let line = lines.find(|line| line.starts_with(&format!("{name}=")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {response:?}"));
    let path = line.split("; ").find_map(|part| part.strip_prefix("Path="));
    path.unwrap_or_else(|| panic!("no Path in {line}"))
        .to_owned()
}

async fn assert_logged_in(browser: &mut Browser, site: &Site, expected: bool) {
    let home = browser.open(&site.url("/app/")).await;
    let is_logged_in = home.body() == "You are logged in as alice.\n";
    assert_eq!(is_logged_in, expected, "{home:?}");
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_login_leads_to_the_provider_and_back_under_the_prefix() {
    let site = Site::start();
    let browser = &mut Browser::new(&site);
    assert_logged_in(browser, &site, false).await;

    let login = browser.open(&site.url("/app/login")).await;
    let authorize = location(&login);
    let provider = format!("{}/auth/authorize?", site.origin);
    assert!(authorize.starts_with(&provider), "{authorize}");
    let redirect_uri = format!("{}/app/callback", site.origin);
    assert_eq!(parameter(authorize, "redirect_uri"), redirect_uri);
    assert_eq!(cookie_path(&login, "login"), "/app/callback");

    let authorized = browser.open(&authorize.parse().unwrap()).await;
    let callback = location(&authorized);
    assert!(callback.starts_with(&format!("{redirect_uri}?code=")));

    let logged_in = browser.open(&callback.parse().unwrap()).await;
    assert_eq!(location(&logged_in), "/app/");
    assert_eq!(cookie_path(&logged_in, "session"), "/app");
    assert_eq!(cookie_path(&logged_in, "login"), "/app/callback");
    assert_logged_in(browser, &site, true).await;

    // Only the session is left, and the provider does not see it.
    let left: Vec<_> = browser.cookies.iter_unexpired().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(browser.cookies.matches(&site.url("/auth/user")).is_empty());

    let another = &mut Browser::new(&site);
    let (last, _) = another.follow(site.url("/app/login")).await;
    assert_eq!(last, site.url("/app/"));
    assert_logged_in(another, &site, true).await;
}

/// The app serves plain HTTP at its own address, and knows its public URL without a header.
#[test]
#[ignore = "needs nginx"]
fn the_redirect_uri_does_not_depend_on_the_request() {
    let site = Site::start();
    let url = format!("http://{}/login", site.app);
    let spoof = ["x-forwarded-host: evil.example", "x-forwarded-proto: http"];
    for lines in [&[][..], &spoof] {
        let login = get_with(&url, lines);
        let redirect_uri = format!("{}/app/callback", site.origin);
        assert_eq!(parameter(location(&login), "redirect_uri"), redirect_uri);
    }
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_callback_with_a_wrong_state_is_refused() {
    let site = Site::start();
    let browser = &mut Browser::new(&site);
    let login = browser.open(&site.url("/app/login")).await;
    let authorized = browser.open(&location(&login).parse().unwrap()).await;
    let callback = location(&authorized);

    let wrong = with_parameter(callback, "state", "wrong");
    let refused = browser.open(&wrong).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.headers().get(SET_COOKIE), None);
    // The link of an attacker, in a browser that has not started the login.
    let another = &mut Browser::new(&site);
    assert_eq!(another.open(&callback.parse().unwrap()).await.status(), 400);
    assert_logged_in(another, &site, false).await;

    let wrong = with_parameter(callback, "code", "wrong");
    let refused = browser.open(&wrong).await;
    assert_eq!(refused.status(), 502);
    assert!(refused.body().contains("invalid_grant"), "{refused:?}");
    assert_logged_in(browser, &site, false).await;

    assert_eq!(
        location(&browser.open(&callback.parse().unwrap()).await),
        "/app/"
    );
    assert_logged_in(browser, &site, true).await;
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn the_provider_refuses_every_redirect_uri_but_the_registered_one() {
    let site = Site::start();
    let browser = &mut Browser::new(&site);
    let login = browser.open(&site.url("/app/login")).await;
    let authorize = location(&login);
    let origin = &site.origin;
    for redirect_uri in [
        format!("{origin}/callback"),
        format!("{origin}/app/callback/"),
        format!("{origin}/app/app/callback"),
        format!("{}/app/callback", origin.replace("https:", "http:")),
        format!("http://{}/callback", site.app),
        "/app/callback".to_owned(),
        "https://evil.example/app/callback".to_owned(),
    ] {
        let wrong = with_parameter(authorize, "redirect_uri", &redirect_uri);
        let refused = browser.open(&wrong).await;
        assert_eq!(refused.status(), 400, "{redirect_uri}");
        assert_eq!(refused.headers().get(LOCATION), None, "{redirect_uri}");
    }
}
