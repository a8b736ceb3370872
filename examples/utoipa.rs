//! An API described by utoipa, with the pages of utoipa-swagger-ui and utoipa-scalar.
//!
//! ```text
//! cargo run --all-features --example utoipa
//! cargo run --all-features --example gateway -- --route /a=http://127.0.0.1:8000 --route /b=http://127.0.0.1:8000
//! ```
//!
//! The second one publishes it twice: open `/docs` at 127.0.0.1:8000, `/a/docs` and `/b/docs` at
//! 127.0.0.1:9999.
//!
//! No prefix is written anywhere: the document is made for each request. Swagger UI asks for it by
//! a relative URL. The page of Scalar has it inside, so it is made for each request as well. A root
//! path is safe there: it has none of the characters that end an element or a string.

mod shared;

use axum::{response::Html, routing::get, Json, Router};
use clap::Parser;
use serde::Serialize;
use std::net::SocketAddr;
use tower_root_path::{ForwardedPrefix, OpenApiExt, RootPath, RootPathLayer, TrustedProxies};
use utoipa::{OpenApi, ToSchema};
use utoipa_scalar::Scalar;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// An API with Swagger UI and Scalar
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
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;

    let router = Router::new()
        .route("/app", get(hello))
        .route("/openapi.json", get(openapi))
        // The page is at `/docs/`, and the document one level up.
        .merge(SwaggerUi::new("/docs").config(Config::from("../openapi.json")))
        .route("/scalar", get(scalar));
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let app = router.layer(RootPathLayer::new("").with_forwarded(forwarded));
    shared::cli::serve(listener, app, &["/docs", "/scalar"]).await;
}

/// Say hello
#[utoipa::path(get, path = "/app", responses((status = 200, body = Hello)))]
async fn hello(root_path: RootPath) -> Json<Hello> {
    Json(Hello {
        message: "Hello World",
        root_path: root_path.to_string(),
    })
}

async fn openapi(root_path: RootPath) -> Json<utoipa::openapi::OpenApi> {
    Json(ApiDoc::openapi().under_root_path(&root_path))
}

async fn scalar(root_path: RootPath) -> Html<String> {
    let document = ApiDoc::openapi().under_root_path(&root_path);
    Html(Scalar::new(document).to_html())
}
