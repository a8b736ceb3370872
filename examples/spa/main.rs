//! A single-page app: one build of its front end under any prefix, and under several at once.
//!
//! ```text
//! cargo run --all-features --example spa -- --trust 127.0.0.1
//! ```
//!
//! `examples/proxies/nginx/spa.conf` and `examples/proxies/traefik/spa.toml` publish it at `/`,
//! `/app` and `/team/app`. At each of them it is a second time in itself, as a sub-app at
//! `/tools/app`.
//!
//! The front end is in `frontend/`, and `dist/` is what Vite builds of it:
//!
//! ```text
//! cd examples/spa/frontend && npm ci && npm run build
//! ```

#[path = "../shared/mod.rs"]
mod shared;

use axum::{
    extract::{
        ws::{WebSocket, WebSocketUpgrade},
        Path, Request, State,
    },
    http::{
        header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SET_COOKIE},
        HeaderMap, HeaderValue, StatusCode,
    },
    response::{
        sse::{Event, Sse},
        Html, IntoResponse, Redirect, Response,
    },
    routing::{get, post},
    Json, Router,
};
use clap::Parser;
use futures_util::stream;
use serde_json::{json, Value};
use shared::{
    cli::{parse_trust, Strip},
    session::{cookie, random},
};
use std::{
    collections::HashSet,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::interval;
use tower::ServiceExt;
use tower_http::{
    compression::CompressionLayer,
    services::{ServeDir, ServeFile},
    set_header::SetResponseHeaderLayer,
};
use tower_root_path::{
    BaseHrefLayer, ForwardedPrefix, Rewrite, RootPath, RootPathLayer, TrustedProxies,
};

const NOTES: [&str; 3] = ["Milk", "Bread", "Coffee"];

/// `base-uri` allows the element that `BaseHrefLayer` inserts.
const SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; \
     object-src 'none'",
);

const COOKIE_FLAGS: &str = "Path=/; HttpOnly; SameSite=Lax";

/// A single-page app under any prefix
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The path prefix the app lives under
    #[arg(long, value_name = "PATH", default_value = "")]
    root_path: RootPath,
    /// Read the root path from X-Forwarded-Prefix, if it comes from these addresses or CIDR blocks;
    /// or "all"
    #[arg(long, value_name = "NETWORKS", value_parser = parse_trust)]
    trust: Option<TrustedProxies>,
    /// Whether to strip the root path from the request path
    #[arg(long, value_name = "WHEN", default_value = "never")]
    strip: Strip,
    /// The build of the front end
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/spa/dist"))]
    dist: PathBuf,
    /// Compress the responses
    #[arg(long)]
    compress: bool,
}

impl Args {
    fn layer(&self) -> RootPathLayer {
        let mut layer = RootPathLayer::new(self.root_path.clone())
            // `Location: /login` and `Set-Cookie: …; Path=/` get the root path.
            .rewrite(Rewrite::redirects().set_cookie_path());
        if let Some(trusted) = self.trust.clone() {
            layer = layer.with_forwarded(ForwardedPrefix::x_forwarded_prefix(trusted));
        }
        match self.strip {
            Strip::IfPresent => layer.strip_if_present(),
            Strip::Never => layer,
        }
    }
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;
    let sub_app = app(&args).layer(RootPathLayer::nested());
    let app = app(&args).nest_service("/tools/app", sub_app);
    let mut app = args.layer().wrap(app);
    if args.compress {
        // Outside `BaseHrefLayer`, which edits pages that are not compressed yet.
        app = app.layer(CompressionLayer::new());
    }
    shared::cli::serve(listener, app, &["/", "/tools/app/"]).await;
}

struct Site {
    index: PathBuf,
    /// The values of the session cookies of those who are logged in.
    sessions: Mutex<HashSet<String>>,
}

/// The app, which does not know where it is mounted.
fn app(args: &Args) -> Router {
    let site = Arc::new(Site {
        index: args.dist.join("index.html"),
        sessions: Mutex::default(),
    });
    let api = Router::new()
        .route("/notes", get(notes))
        .route("/notes/{id}", get(note))
        .route("/account", get(account))
        .route("/events", get(events))
        .route("/echo", get(echo))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let files = ServeDir::new(&args.dist)
        .precompressed_gzip()
        .fallback(get(index).with_state(Arc::clone(&site)));

    Router::new()
        .nest("/api", api)
        .route("/account", get(account_page))
        .route("/login", get(login_page).post(log_in))
        .route("/logout", post(log_out))
        .fallback_service(files)
        .with_state(site)
        .layer(BaseHrefLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            cache_control,
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            CONTENT_SECURITY_POLICY,
            SECURITY_POLICY,
        ))
}

/// Pages name the assets of one build, and some need a login, so browsers have to ask again.
fn cache_control(response: &Response) -> Option<HeaderValue> {
    let content_type = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let is_page = content_type.starts_with("text/html");
    is_page.then_some(HeaderValue::from_static("no-cache"))
}

/// The page for each route of the client. A request for a missing asset does not accept HTML.
async fn index(State(site): State<Arc<Site>>, request: Request) -> Response {
    let accept = request.headers().get(ACCEPT);
    let accepts_html = accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !accepts_html {
        return StatusCode::NOT_FOUND.into_response();
    }
    match ServeFile::new(&site.index).oneshot(request).await {
        Ok(page) => page.into_response(),
        Err(never) => match never {},
    }
}

/// A route of the client that the server protects.
async fn account_page(State(site): State<Arc<Site>>, request: Request) -> Response {
    if site.is_logged_in(request.headers()) {
        index(State(site), request).await
    } else {
        Redirect::to("/login").into_response()
    }
}

/// A page that is not part of the build.
async fn login_page(root_path: RootPath) -> Html<String> {
    // A template engine escapes `&`, the only character of a root path with a meaning in HTML.
    let root_path = root_path.as_str().replace('&', "&amp;");
    Html(include_str!("login.html").replace("{{ root_path }}", &root_path))
}

async fn log_in(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let session = random();
    let cookie = format!("session={session}; {COOKIE_FLAGS}");
    let mut sessions = site.sessions.lock().expect("no handler panics");
    sessions.insert(session);
    ([(SET_COOKIE, cookie)], Redirect::to("/account"))
}

async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> impl IntoResponse {
    if let Some(session) = cookie(&headers, "session") {
        let mut sessions = site.sessions.lock().expect("no handler panics");
        sessions.remove(session);
    }
    let cookie = format!("session=; Max-Age=0; {COOKIE_FLAGS}");
    ([(SET_COOKIE, cookie)], Redirect::to("/"))
}

impl Site {
    fn is_logged_in(&self, headers: &HeaderMap) -> bool {
        let sessions = self.sessions.lock().expect("no handler panics");
        cookie(headers, "session").is_some_and(|session| sessions.contains(session))
    }
}

async fn account(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    match site.is_logged_in(&headers) {
        true => Ok(Json(json!({ "user": "alice" }))),
        false => Err(StatusCode::UNAUTHORIZED),
    }
}

async fn notes() -> Json<Value> {
    let notes = NOTES.iter().enumerate();
    let notes = notes.map(|(id, title)| json!({ "id": id, "title": title }));
    Json(notes.collect())
}

async fn note(Path(id): Path<usize>) -> Result<Json<Value>, StatusCode> {
    let title = NOTES.get(id).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "id": id, "title": title })))
}

/// Numbers, five of them a second.
async fn events() -> impl IntoResponse {
    let interval = interval(Duration::from_millis(200));
    let events = stream::unfold((interval, 1), |(mut interval, n): (_, u32)| async move {
        interval.tick().await;
        let event = Event::default().data(n.to_string());
        Some((Ok::<_, Infallible>(event), (interval, n + 1)))
    });
    // nginx would hold them back until its buffer is full.
    ([("x-accel-buffering", "no")], Sse::new(events))
}

/// Sends each received message back.
async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
