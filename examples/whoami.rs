//! Shows what arrived, and emits what it is asked to: an app to try a proxy with.
//!
//! ```text
//! cargo run --all-features --example whoami -- --root-path /api/v1
//! curl -i 'http://127.0.0.1:8000/anything'
//! curl -i 'http://127.0.0.1:8000/redirect?to=/login'
//! ```

mod shared;

use axum::{
    extract::{ws::WebSocketUpgrade, OriginalUri, RawQuery, Request, State},
    http::{header, HeaderMap, HeaderName, HeaderValue, StatusCode, Uri},
    response::{
        sse::{Event, Sse},
        Html, IntoResponse, Response,
    },
    routing::{any, get},
    Json, Router,
};
use clap::{Parser, ValueEnum};
use futures_util::{stream, StreamExt};
use percent_encoding::percent_decode;
use serde_json::{json, Value};
use shared::cli::{parse_trust, Strip};
use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc};
use tower::Layer;
use tower_http::services::ServeDir;
use tower_root_path::{
    AllowedHosts, BaseHrefLayer, BaseUrl, ForwardedOrigin, ForwardedPrefix, Origin, PublicUri,
    Rewrite, RootPath, RootPathLayer, Server, Servers, TrustedProxies,
};

/// Shows what arrived, and emits what it is asked to
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The path prefix the app lives under
    #[arg(
        long,
        value_name = "PATH",
        default_value = "",
        allow_hyphen_values = true
    )]
    root_path: RootPath,
    /// Read the root path from a header, if it comes from these addresses or CIDR blocks; or "all"
    #[arg(long, value_name = "NETWORKS", value_parser = parse_trust)]
    trust: Option<TrustedProxies>,
    /// The header that contains the prefix
    #[arg(long, value_name = "NAME", default_value = "x-forwarded-prefix")]
    prefix_header: HeaderName,
    /// Read the original path from this header instead
    #[arg(long, value_name = "NAME")]
    original_path_header: Option<HeaderName>,
    /// How many proxies in a row add to the headers
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_hops, allow_hyphen_values = true)]
    hops: usize,
    /// Whether to strip the root path from the request path
    #[arg(long, value_name = "WHEN", default_value = "never")]
    strip: Strip,
    /// Which response headers to rewrite
    #[arg(long, value_name = "WHICH", default_value = "redirects")]
    rewrite: RewriteArg,
    /// Do not add the names of the forwarded headers to Vary
    #[arg(long)]
    no_vary: bool,
    /// An origin that means this app, such as the address it listens on; may be given several times
    #[arg(long, value_name = "ORIGIN", alias = "origin")]
    own_origin: Vec<Origin>,
    /// The origin of the public URL
    #[arg(long, value_name = "ORIGIN", conflicts_with = "forwarded_origin")]
    public_origin: Option<Origin>,
    /// Read the origin of the public URL from these headers, if they come from --trust
    #[arg(long, value_name = "FAMILY", requires = "allowed_hosts")]
    forwarded_origin: Option<FamilyArg>,
    /// The hosts of the public URL, such as "app.example, *.example.com"; or "any"
    #[arg(long, value_name = "HOSTS", value_parser = parse_allowed_hosts)]
    allowed_hosts: Option<AllowedHosts>,
    /// A server of the OpenAPI document; may be given several times
    #[arg(long, value_name = "URL")]
    server: Vec<Server>,
    /// Leave the root path out of the OpenAPI document
    #[arg(long)]
    no_root_path_in_servers: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum RewriteArg {
    Redirects,
    All,
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum FamilyArg {
    XForwarded,
    Rfc7239,
}

fn parse_allowed_hosts(hosts: &str) -> Result<AllowedHosts, String> {
    match hosts {
        "any" => Ok(AllowedHosts::any()),
        hosts => hosts.parse().map_err(|error| format!("{error}")),
    }
}

fn parse_hops(hops: &str) -> Result<usize, String> {
    match hops.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(hops) => Ok(hops),
        Err(error) => Err(error.to_string()),
    }
}

impl Args {
    fn forwarded(&self) -> Option<ForwardedPrefix> {
        let trusted = self.trust.clone()?;
        let forwarded = match self.original_path_header.clone() {
            Some(name) => ForwardedPrefix::original_path_header(name, trusted),
            None => ForwardedPrefix::prefix_header(self.prefix_header.clone(), trusted),
        };
        Some(forwarded.hops(self.hops))
    }

    fn forwarded_origin(&self) -> Option<ForwardedOrigin> {
        let (family, hosts) = (self.forwarded_origin?, self.allowed_hosts.clone()?);
        let trusted = self.trust.clone().unwrap_or_default();
        let origin = match family {
            FamilyArg::XForwarded => ForwardedOrigin::x_forwarded(trusted, hosts),
            FamilyArg::Rfc7239 => ForwardedOrigin::rfc7239(trusted, hosts),
        };
        Some(origin.hops(self.hops).default_scheme("http"))
    }

    fn layer(&self) -> RootPathLayer {
        let mut layer = RootPathLayer::new(self.root_path.clone()).rewrite(self.rewrite());
        if matches!(self.strip, Strip::IfPresent) {
            layer = layer.strip_if_present();
        }
        if let Some(forwarded) = self.forwarded() {
            layer = layer.with_forwarded(forwarded);
        }
        if let Some(origin) = self.public_origin.clone() {
            layer = layer.public_origin(origin);
        }
        if let Some(origin) = self.forwarded_origin() {
            layer = layer.with_forwarded_origin(origin);
        }
        if self.no_vary {
            layer = layer.without_vary();
        }
        layer
    }

    fn rewrite(&self) -> Rewrite {
        let rewrite = match self.rewrite {
            RewriteArg::Redirects => Rewrite::redirects(),
            RewriteArg::All => Rewrite::all(),
            RewriteArg::None => Rewrite::none(),
        };
        let own = self.own_origin.iter().cloned();
        own.fold(rewrite, Rewrite::own_origin)
    }

    fn servers(&self) -> Servers {
        let servers = Servers::new(self.server.clone());
        if self.no_root_path_in_servers {
            servers.without_root_path()
        } else {
            servers
        }
    }
}

/// What the handlers need to know.
struct Whoami {
    forwarded: Option<ForwardedPrefix>,
    servers: Servers,
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;
    shared::cli::serve(listener, args.layer().wrap(router(&args)), &[]).await;
}

fn router(args: &Args) -> Router {
    let state = Arc::new(Whoami {
        forwarded: args.forwarded(),
        servers: args.servers(),
    });
    let sub_app = app(Arc::clone(&state)).layer(RootPathLayer::nested());
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/files");

    app(state)
        .nest_service(
            "/files",
            RootPathLayer::nested().layer(ServeDir::new(files)),
        )
        .nest("/sub", sub_app.clone())
        .nest("/t/{tenant}", sub_app)
}

/// The app itself, which does not know where it is mounted.
fn app(state: Arc<Whoami>) -> Router {
    Router::new()
        .route("/app", get(hello))
        .route("/redirect", get(redirect))
        .route("/emit", get(emit))
        .route("/openapi.json", get(openapi))
        .route("/base-url", get(base_url))
        .route("/events", get(events))
        .route("/websocket", any(websocket))
        .fallback(show)
        .with_state(state)
        .merge(pages())
        .merge(shared::docs::router())
}

/// A page at two depths, and its assets, which it names by relative URLs.
fn pages() -> Router {
    const JAVASCRIPT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/javascript")];
    const CSS: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/css")];
    let page = get(|| async { Html(include_str!("page/index.html")) });
    let javascript = get(|| async { (JAVASCRIPT, include_str!("page/app.js")) });
    let css = get(|| async { (CSS, include_str!("page/app.css")) });
    Router::new()
        .route("/page", page.clone())
        .route("/page/deep/er", page)
        .route("/app.js", javascript)
        .route("/app.css", css)
        .layer(BaseHrefLayer::new())
}

async fn hello(root_path: RootPath) -> Json<Value> {
    Json(json!({ "message": "Hello World", "root_path": root_path }))
}

async fn base_url(base_url: Option<BaseUrl>, public_uri: Option<PublicUri>) -> Json<Value> {
    Json(json!({ "base_url": base_url, "public_uri": public_uri }))
}

/// One event, after which the response stays open: a proxy that buffers it does not pass it on.
async fn events() -> impl IntoResponse {
    let event = Event::default().data("hello");
    Sse::new(stream::iter([Ok::<_, Infallible>(event)]).chain(stream::pending()))
}

/// Sends back each message.
async fn websocket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async {
        let (sender, receiver) = socket.split();
        // It ends when the client goes away.
        let _ = receiver.forward(sender).await;
    })
}

/// `?to=VALUE&status=302`: that status, and `Location: VALUE`.
async fn redirect(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut status = StatusCode::FOUND;
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(&query) {
        match &*name {
            b"to" => match HeaderValue::from_bytes(&value) {
                Ok(value) => drop(headers.insert(header::LOCATION, value)),
                Err(error) => return bad_request("to", &error),
            },
            b"status" => match StatusCode::from_bytes(&value) {
                Ok(value) => status = value,
                Err(error) => return bad_request("status", &error),
            },
            _ => {}
        }
    }
    (status, headers).into_response()
}

/// `?NAME=VALUE&…`: each pair as a line of the response header.
async fn emit(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(&query) {
        match (
            HeaderName::from_bytes(&name),
            HeaderValue::from_bytes(&value),
        ) {
            (Ok(name), Ok(value)) => drop(headers.append(name, value)),
            (Err(error), _) => return bad_request(&String::from_utf8_lossy(&name), &error),
            (_, Err(error)) => return bad_request(&String::from_utf8_lossy(&name), &error),
        }
    }
    headers.into_response()
}

fn bad_request(name: &str, reason: &dyn Error) -> Response {
    (StatusCode::BAD_REQUEST, format!("{name}: {reason}\n")).into_response()
}

/// The pairs of a query, byte by byte as they were before they were encoded.
fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    let decode = |part: &str| percent_decode(part.replace('+', " ").as_bytes()).collect();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(move |(name, value)| (decode(name), decode(value)))
}

async fn openapi(State(whoami): State<Arc<Whoami>>, root_path: RootPath) -> Json<Value> {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "whoami", "version": env!("CARGO_PKG_VERSION") },
        "paths": {
            "/app": {
                "get": {
                    "summary": "Say hello",
                    "responses": { "200": { "description": "Hello, and the root path" } },
                },
            },
        },
    });
    let servers = whoami.servers.list(&root_path);
    if !servers.is_empty() {
        document["servers"] = json!(servers);
    }
    Json(document)
}

/// Everything else: what arrived. With the query `echo` a redirect to the path, the way
/// trailing-slash redirects reflect it.
///
/// A browser that opens a directory gets a page that checks the way to the app.
async fn show(
    State(whoami): State<Arc<Whoami>>,
    RawQuery(query): RawQuery,
    OriginalUri(arrived): OriginalUri,
    root_path: RootPath,
    mut request: Request,
) -> Response {
    let uri: &Uri = request.uri();
    if pairs(query.as_deref().unwrap_or_default()).any(|(name, _)| name == b"echo") {
        return match HeaderValue::from_bytes(uri.path().as_bytes()) {
            Ok(path) => {
                (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, path)]).into_response()
            }
            Err(error) => bad_request("echo", &error),
        };
    }
    let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
    // What the layer has read, it has read with the URI that arrived.
    *request.uri_mut() = arrived;
    let forwarded = match &whoami.forwarded {
        Some(forwarded) => forwarded.read(&request).to_string(),
        None => "off".to_owned(),
    };
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        json!([name.as_str(), value])
    });
    let accept = request.headers().get(header::ACCEPT);
    let is_browser = accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let is_directory = path.ends_with('/') || root_path == *path;
    let seen = json!({
        "root_path": root_path,
        "path": path,
        "query": query,
        "uri": request.uri().to_string(),
        "method": request.method().as_str(),
        "version": format!("{:?}", request.version()),
        "headers": headers.collect::<Value>(),
        "forwarded": forwarded,
    });
    if is_browser && is_directory {
        // `<` would end the script element.
        let seen = seen.to_string().replace('<', "\\u003c");
        let page = include_str!("page/root.html").replace("{{ request }}", &seen);
        return ([(header::VARY, "accept")], Html(page)).into_response();
    }
    Json(seen).into_response()
}
