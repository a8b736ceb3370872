//! FastAPI's page "Behind a Proxy": an app, and a proxy that publishes it under `/api/v1`.
//!
//! ```text
//! cargo run --all-features --example behind_a_proxy
//! ```
//!
//! The proxy strips the prefix, as Traefik's StripPrefix does. The app answers at its own address
//! as well, with the prefix and without.

mod shared;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{header, HeaderMap, StatusCode, Uri, Version},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
    Json, Router,
};
use clap::Parser;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use serde_json::{json, Value};
use std::{future::IntoFuture, net::SocketAddr};
use tower_root_path::{RootPath, RootPathLayer, Server, Servers, StripPrefixLayer};

const PREFIX: RootPath = RootPath::from_static("/api/v1");

/// An app, and a proxy that publishes it under /api/v1
#[derive(Parser)]
struct Args {
    /// Where the app listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    app: SocketAddr,
    /// Where the proxy listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9999")]
    proxy: SocketAddr,
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let app_listener = shared::cli::listen("--app", args.app).await;
    let proxy_listener = shared::cli::listen("--proxy", args.proxy).await;
    let app_addr = app_listener
        .local_addr()
        .expect("a listener has an address");
    let proxy_addr = proxy_listener
        .local_addr()
        .expect("a listener has an address");

    let urls = [
        (
            format!("http://{proxy_addr}{PREFIX}/docs"),
            "the docs behind the proxy",
        ),
        (
            format!("http://{proxy_addr}{PREFIX}/app"),
            "the app behind the proxy",
        ),
        (
            format!("http://{proxy_addr}{PREFIX}/"),
            "a redirect behind the proxy",
        ),
        (
            format!("http://{proxy_addr}{PREFIX}/openapi.json"),
            "the list of servers",
        ),
        (format!("http://{proxy_addr}/app"), "404: not published"),
        (
            format!("http://{app_addr}/docs"),
            "the docs, without the proxy",
        ),
        (
            format!("http://{app_addr}/app"),
            "the app, without the proxy",
        ),
        (format!("http://{app_addr}{PREFIX}/app"), "the same"),
    ];
    println!("Open in a browser:");
    for (url, what) in &urls {
        println!("  {url:42} {what}");
    }
    println!("\nOr in a shell:");
    for (url, _) in &urls {
        println!("  curl -i {url}");
    }

    let app = axum::serve(app_listener, app());
    let proxy = axum::serve(proxy_listener, proxy(app_addr));
    tokio::try_join!(app.into_future(), proxy.into_future()).expect("serving goes on");
}

/// The app, which writes its prefix nowhere but here.
fn app() -> Router {
    let router = Router::new()
        .route("/", get(|| async { Redirect::to("/docs") }))
        .route("/app", get(hello))
        .route("/openapi.json", get(openapi))
        .merge(shared::docs::router());
    RootPathLayer::new(PREFIX).wrap(router)
}

async fn hello(root_path: RootPath) -> Json<Value> {
    Json(json!({ "message": "Hello World", "root_path": root_path }))
}

async fn openapi(root_path: RootPath) -> Json<Value> {
    let servers = Servers::new([
        Server::new("https://stag.example.com").description("Staging environment"),
        Server::new("https://prod.example.com").description("Production environment"),
    ]);
    Json(json!({
        "openapi": "3.1.0",
        "info": { "title": "Behind a proxy", "version": "0.1.0" },
        "servers": servers.list(&root_path),
        "paths": {
            "/app": {
                "get": {
                    "summary": "Say hello",
                    "responses": { "200": { "description": "Hello, and the root path" } },
                },
            },
        },
    }))
}

/// What of a request goes on to the app, and of its response back to the client.
#[derive(Clone)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    addr: SocketAddr,
}

/// Publishes the app at `addr` under the prefix, and nothing else.
fn proxy(addr: SocketAddr) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    Router::new()
        .route(&format!("{PREFIX}"), any(forward))
        .route(&format!("{PREFIX}/"), any(forward))
        .route(&format!("{PREFIX}/{{*path}}"), any(forward))
        .layer(StripPrefixLayer::new(PREFIX))
        .with_state(Upstream { client, addr })
}

async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    let path_and_query = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let uri = Uri::builder()
        .scheme("http")
        .authority(upstream.addr.to_string())
        .path_and_query(path_and_query)
        .build();
    let Ok(uri) = uri else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    remove_hop_by_hop(request.headers_mut());

    match upstream.client.request(request).await {
        Ok(mut response) => {
            remove_hop_by_hop(response.headers_mut());
            response.into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// What is for one connection only (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}
