//! A login with OAuth 2.0 behind a proxy: the authorization code flow (RFC 6749, section 4.1) with
//! PKCE (RFC 7636).
//!
//! ```text
//! cargo run --all-features --example oauth
//! ```
//!
//! An app that has a login already needs three lines:
//!
//! ```text
//! .layer(RootPathLayer::new("/app").public_origin("https://localhost:9999"))
//! async fn start_login(base_url: BaseUrl) …
//! let redirect_uri = base_url.join("/callback");
//! ```
//!
//! The example prints how to start nginx, which publishes two apps on one host: this one at `/app`,
//! and the identity provider in `provider.rs` at `/auth`. The provider accepts only the registered
//! `redirect_uri`, `https://localhost:9999/app/callback`. The app itself receives plain HTTP
//! requests for `/callback`.
//!
//! With the crate `oauth2`, pass the same URL to `set_redirect_uri`, for the authorization request
//! and for the token request.

mod provider;
#[path = "../shared/mod.rs"]
mod shared;

use axum::{
    body::Body,
    extract::{Query, Request, State},
    http::{
        header::{AUTHORIZATION, CONTENT_TYPE, SET_COOKIE},
        HeaderMap, StatusCode,
    },
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::get,
    Router,
};
use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
use clap::Parser;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use serde::{de::DeserializeOwned, Deserialize};
use sha2::{Digest, Sha256};
use shared::session::{cookie, random};
use std::{
    collections::HashMap,
    error::Error,
    future::IntoFuture,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tower_root_path::{BaseUrl, Origin, Rewrite, RootPath, RootPathLayer};
use url::{form_urlencoded, Url};

const PREFIX: RootPath = RootPath::from_static("/app");
const CLIENT_ID: &str = "example";
const COOKIE_FLAGS: &str = "Secure; HttpOnly; SameSite=Lax";

/// A login with OAuth 2.0 behind a proxy
#[derive(Parser)]
struct Args {
    /// Where the app listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    app: SocketAddr,
    /// Where the identity provider listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    provider: SocketAddr,
    /// The origin of the public URLs
    #[arg(long, value_name = "ORIGIN", default_value = "https://localhost:9999")]
    public_origin: Origin,
}

/// The app. The layer contains the prefix and the public origin.
fn app(login: Login, public_origin: Origin) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", get(start_login))
        .route("/callback", get(callback))
        .with_state(Arc::new(login))
        .layer(
            RootPathLayer::new(PREFIX)
                .public_origin(public_origin)
                .rewrite(Rewrite::redirects().set_cookie_path()),
        )
}

struct Login {
    /// Where the browser goes.
    authorization_endpoint: String,
    /// Where the app itself asks.
    provider: SocketAddr,
    client: Client<HttpConnector, Body>,
    /// The users by the value of their session cookie.
    sessions: Mutex<HashMap<String, String>>,
}

async fn home(State(login): State<Arc<Login>>, headers: HeaderMap) -> Response {
    let sessions = login.sessions.lock().expect("no handler panics");
    match cookie(&headers, "session").and_then(|session| sessions.get(session)) {
        Some(user) => format!("You are logged in as {user}.\n").into_response(),
        None => {
            Html("<!doctype html><title>App</title><a href=\"login\">Log in</a>\n").into_response()
        }
    }
}

/// Sends the browser to the identity provider, and remembers in a cookie what was sent.
async fn start_login(State(login): State<Arc<Login>>, base_url: BaseUrl) -> impl IntoResponse {
    let redirect_uri = base_url.join("/callback");
    let (state, verifier) = (random(), random());
    let to = Url::parse_with_params(
        &login.authorization_endpoint,
        [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", &redirect_uri),
            ("state", &state),
            ("code_challenge", &challenge(&verifier)),
            ("code_challenge_method", "S256"),
        ],
    );
    let to = to.expect("the public origin is valid");
    // The layer makes the path `/app/callback`.
    let cookie = format!("login={state}.{verifier}; Path=/callback; Max-Age=600; {COOKIE_FLAGS}");
    ([(SET_COOKIE, cookie)], Redirect::to(to.as_str()))
}

#[derive(Deserialize)]
struct Callback {
    code: String,
    state: String,
}

/// Where the identity provider sends the browser back to.
async fn callback(
    State(login): State<Arc<Login>>,
    base_url: BaseUrl,
    Query(query): Query<Callback>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, (StatusCode, String)> {
    let started = cookie(&headers, "login").and_then(|login| login.split_once('.'));
    // Otherwise an attacker could log the browser in as somebody else (RFC 6749, section 10.12).
    let Some((_, verifier)) = started.filter(|(state, _)| *state == query.state) else {
        let reason = "this browser has not started this login\n";
        return Err((StatusCode::BAD_REQUEST, reason.to_owned()));
    };
    let redirect_uri = base_url.join("/callback");
    let user = login.user(&query.code, &redirect_uri, verifier).await;
    let user = user.map_err(|error| (StatusCode::BAD_GATEWAY, format!("{error}\n")))?;

    let session = random();
    let mut sessions = login.sessions.lock().expect("no handler panics");
    sessions.insert(session.clone(), user);
    // The layer makes the paths `/app` and `/app/callback`, and the redirect one to `/app/`.
    let cookies = AppendHeaders(
        [
            format!("session={session}; Path=/; {COOKIE_FLAGS}"),
            format!("login=; Path=/callback; Max-Age=0; {COOKIE_FLAGS}"),
        ]
        .map(|cookie| (SET_COOKIE, cookie)),
    );
    Ok((cookies, Redirect::to("/")))
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct User {
    sub: String,
}

impl Login {
    /// Exchanges the code for a token (RFC 6749, section 4.1.3), and the token for the user's name.
    async fn user(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<String, Box<dyn Error>> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            // The same as in the authorization request.
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("client_id", CLIENT_ID)
            .append_pair("code_verifier", verifier)
            .finish();
        let request = Request::post(format!("http://{}/auth/token", self.provider))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into())?;
        let Token { access_token } = self.ask(request).await?;

        let request = Request::get(format!("http://{}/auth/user", self.provider))
            .header(AUTHORIZATION, format!("Bearer {access_token}"))
            .body(Body::empty())?;
        let User { sub } = self.ask(request).await?;
        Ok(sub)
    }

    /// Sends `request` to the identity provider, which answers with JSON.
    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Box<dyn Error>> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if !head.status.is_success() {
            let body = String::from_utf8_lossy(&body);
            return Err(format!("the identity provider answers {}: {body}", head.status).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// The `S256` code challenge of a code verifier (RFC 7636, section 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let app_listener = shared::cli::listen("--app", args.app).await;
    let provider_listener = shared::cli::listen("--provider", args.provider).await;
    let app_addr = app_listener
        .local_addr()
        .expect("a listener has an address");
    let provider_addr = provider_listener
        .local_addr()
        .expect("a listener has an address");

    let base_url = BaseUrl::new(args.public_origin.clone(), PREFIX);
    println!("The app listens on http://{app_addr}, and the identity provider on http://{provider_addr}.");
    println!("\nStart nginx in another shell:\n{NGINX}");
    println!("\nOpen in a browser, which warns of the certificate:");
    println!("  {base_url}/");
    println!("\nOr in a shell:");
    println!("  curl -k -L -b '' {}", base_url.join("/login"));

    let login = Login {
        authorization_endpoint: format!("{}/auth/authorize", args.public_origin),
        provider: provider_addr,
        client: Client::builder(TokioExecutor::new()).build_http(),
        sessions: Mutex::default(),
    };
    let registered = format!("{}/app/callback", args.public_origin);
    let app = axum::serve(app_listener, app(login, args.public_origin));
    let provider = axum::serve(provider_listener, provider::router(registered));
    tokio::try_join!(app.into_future(), provider.into_future()).expect("axum::serve does not fail");
}

const NGINX: &str = "  \
  mkdir -p target/nginx
  openssl req -x509 -noenc -newkey rsa:2048 -subj /CN=localhost \\
    -keyout target/nginx/localhost.key -out target/nginx/localhost.pem
  echo 'events {} http { access_log access.log; include ../../examples/proxies/nginx/oauth.conf; }' \\
    > target/nginx/nginx.conf
  nginx -p target/nginx -c nginx.conf -e stderr -g 'daemon off; pid nginx.pid;'";
