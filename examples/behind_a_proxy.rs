//! The setup of FastAPI's page "Behind a Proxy": an app, and a proxy that publishes it under
//! `/api/v1`.
//!
//! ```text
//! cargo run --all-features --example behind_a_proxy
//! ```
//!
//! The proxy strips the prefix, like Traefik's StripPrefix. The app also answers at its own
//! address, without the prefix.

mod shared;

use axum::{response::Redirect, routing::get, Json, Router};
use clap::Parser;
use serde_json::{json, Value};
use std::{future::IntoFuture, net::SocketAddr};
use tower_root_path::{RootPath, RootPathLayer, Server, Servers};

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
    let upstream = format!("http://{app_addr}");
    let upstream = upstream.parse().expect("the URL is valid");
    let proxy = shared::proxy::publish(&PREFIX, &upstream, false);
    let proxy = proxy.into_make_service_with_connect_info::<SocketAddr>();
    let proxy = axum::serve(proxy_listener, proxy);
    tokio::try_join!(app.into_future(), proxy.into_future()).expect("axum::serve does not fail");
}

/// The app. Only the layer contains the prefix.
fn app() -> Router {
    let router = Router::new()
        .route("/", get(|| async { Redirect::to("/docs") }))
        .route("/app", get(hello))
        .route("/openapi.json", get(openapi))
        .merge(shared::docs::router());
    router.layer(RootPathLayer::new(PREFIX))
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
