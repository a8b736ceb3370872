//! An API described by utoipa, with the pages of utoipa-swagger-ui, behind `proxies/nginx/ingress.conf`
//! or `proxies/traefik/strip-prefix-regex.toml`.
//!
//! ```text
//! cargo run --all-features --example utoipa
//! cargo run --all-features --example gateway -- --route /a=http://127.0.0.1:8000 --route /b=http://127.0.0.1:8000
//! ```
//!
//! The second command is a proxy in Rust. It publishes the app twice: open `/docs` at
//! 127.0.0.1:8000, `/a/docs` and `/b/docs` at 127.0.0.1:9999.
//!
//! No prefix is written anywhere. The document is made for each request, and Swagger UI requests it
//! by a relative URL.

use axum::{routing::get, Json, Router};
use clap::Parser;
use http::{header::CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_root_path::{ForwardedPrefix, OpenApiExt, RootPath, RootPathLayer, TrustedProxies};
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// An API with Swagger UI
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

#[derive(OpenApi)]
#[openapi(paths(hello))]
struct ApiDoc;

#[derive(Serialize, ToSchema)]
struct Hello {
    message: &'static str,
    root_path: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(Args::parse().listen).await?;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");
    println!("open http://{addr}/docs");

    let app = app().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

fn app() -> Router {
    // The page is at `/docs/`, and the document one level up. By default Swagger UI sends the
    // address of the document to a validator of its makers.
    let config = Config::from("../openapi.json").validator_url("none");
    let docs = Router::from(SwaggerUi::new("/docs").config(config));
    let cache_control = HeaderValue::from_static("max-age=3600");
    let cached = SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, cache_control);

    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    Router::new()
        .route("/app", get(hello))
        .route("/openapi.json", get(openapi))
        .merge(docs.layer(cached))
        .layer(RootPathLayer::new("").with_forwarded(forwarded))
}

/// Say hello
#[utoipa::path(get, path = "/app", responses((status = 200, description = "A greeting", body = Hello)))]
async fn hello(root_path: RootPath) -> Json<Hello> {
    Json(Hello {
        message: "Hello World",
        root_path: root_path.to_string(),
    })
}

async fn openapi(root_path: RootPath) -> Json<utoipa::openapi::OpenApi> {
    Json(ApiDoc::openapi().under_root_path(&root_path))
}
