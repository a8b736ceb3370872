//! An API described by aide, with the pages that aide brings, behind `proxies/nginx/ingress.conf` or
//! `proxies/traefik/strip-prefix-regex.toml`.
//!
//! ```text
//! cargo run --all-features --example aide
//! cargo run --all-features --example gateway -- --route /a=http://127.0.0.1:8000 --route /b=http://127.0.0.1:8000
//! ```
//!
//! The second command is a proxy in Rust. It publishes the app twice: open `/docs` at
//! 127.0.0.1:8000, `/a/docs` and `/b/docs` at 127.0.0.1:9999.
//!
//! No prefix is written anywhere. The document is made once, and `OpenApiLayer` adds the root path
//! of each request on its way out. The pages request it by a relative URL.

use aide::{
    axum::{routing::get_with, ApiRouter},
    openapi::{Info, OpenApi},
    redoc::Redoc,
    scalar::Scalar,
    swagger::Swagger,
    transform::TransformOperation,
};
use axum::{
    response::{Html, Redirect},
    routing::{get, MethodRouter},
    Json, Router,
};
use clap::Parser;
use http::header::CACHE_CONTROL;
use schemars::JsonSchema;
use serde::Serialize;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;
use tower_root_path::{ForwardedPrefix, OpenApiLayer, RootPath, RootPathLayer, TrustedProxies};

/// An API with Swagger UI, Scalar and Redoc
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

#[derive(Serialize, JsonSchema)]
struct Hello {
    message: &'static str,
    root_path: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(Args::parse().listen).await?;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");
    for page in ["docs", "scalar", "redoc"] {
        println!("open http://{addr}/{page}");
    }

    let app = app().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

fn app() -> Router {
    let mut api = OpenApi {
        info: Info {
            title: "Hello".to_owned(),
            version: "0.1.0".to_owned(),
            ..Info::default()
        },
        ..OpenApi::default()
    };
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    ApiRouter::new()
        .api_route("/app", get_with(hello, describe_hello))
        .finish_api(&mut api)
        .route("/openapi.json", get(|| async { Json(api) }))
        .layer(OpenApiLayer::new("/openapi.json"))
        .route("/docs", page(&Swagger::new("openapi.json").html()))
        .route("/docs/", get(|| async { Redirect::permanent("/docs") }))
        .route("/scalar", page(&Scalar::new("openapi.json").html()))
        .route("/redoc", page(&Redoc::new("openapi.json").html()))
        .layer(RootPathLayer::new("").with_forwarded(forwarded))
}

/// A page of aide, with an icon: without one, browsers request `/favicon.ico` outside of the
/// prefix. Scripts and styles are in the page, which is large; so let browsers keep it.
fn page(html: &str) -> MethodRouter {
    let html = html.replacen("<head>", "<head><link rel=\"icon\" href=\"data:,\">", 1);
    let cache_control = [(CACHE_CONTROL, "max-age=3600")];
    get(|| async { (cache_control, Html(html)) })
}

fn describe_hello(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let operation = operation.summary("Say hello");
    operation.response_with::<200, Json<Hello>, _>(|response| response.description("A greeting"))
}

async fn hello(root_path: RootPath) -> Json<Hello> {
    Json(Hello {
        message: "Hello World",
        root_path: root_path.to_string(),
    })
}
