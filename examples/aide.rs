//! An API described by aide, with the pages that aide brings.
//!
//! ```text
//! cargo run --all-features --example aide
//! cargo run --all-features --example gateway -- --route /a=http://127.0.0.1:8000 --route /b=http://127.0.0.1:8000
//! ```
//!
//! The second one publishes it twice: open `/docs` at 127.0.0.1:8000, `/a/docs` and `/b/docs` at
//! 127.0.0.1:9999.
//!
//! No prefix is written anywhere. The document is made once, and brought under the root path of
//! each request on its way out; the pages ask for it by a relative URL.

mod shared;

use aide::{
    axum::{routing::get_with, ApiRouter},
    openapi::{Info, OpenApi},
    redoc::Redoc,
    scalar::Scalar,
    swagger::Swagger,
};
use axum::{routing::get, Json};
use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::SocketAddr;
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
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;

    let mut api = OpenApi {
        info: Info {
            title: "Hello".to_owned(),
            version: "0.1.0".to_owned(),
            ..Info::default()
        },
        ..OpenApi::default()
    };
    let router = ApiRouter::new()
        .api_route("/app", get_with(hello, |op| op.summary("Say hello")))
        .finish_api(&mut api)
        .route("/openapi.json", get(|| async { Json(api) }))
        .layer(OpenApiLayer::new("/openapi.json"))
        .route("/docs", Swagger::new("openapi.json").axum_route().into())
        .route("/scalar", Scalar::new("openapi.json").axum_route().into())
        .route("/redoc", Redoc::new("openapi.json").axum_route().into());
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let app = router.layer(RootPathLayer::new("").with_forwarded(forwarded));
    shared::cli::serve(listener, app, &["/docs", "/scalar", "/redoc"]).await;
}

async fn hello(root_path: RootPath) -> Json<Hello> {
    Json(Hello {
        message: "Hello World",
        root_path: root_path.to_string(),
    })
}
