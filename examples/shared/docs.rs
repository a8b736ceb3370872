//! Swagger UI at `/docs`, its assets served by the app itself.
//!
//! Everything on the page is relative to the page, so there is no prefix in it, and nothing to
//! escape: it works at whatever URL it is opened.

use axum::{
    extract::Path,
    http::{header::CONTENT_TYPE, StatusCode},
    response::{Html, IntoResponse, Response},
    routing::get,
    Router,
};
use serde::Deserialize;
use std::sync::Arc;

const PAGE: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui" });
</script>
</body>
</html>
"##;

/// `/docs` for the document at `/openapi.json`.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/docs", get(|| async { Html(PAGE) }))
        .route("/docs/{asset}", get(asset))
}

/// By name, since the mount of a sub-app may have parameters of its own.
#[derive(Deserialize)]
struct Asset {
    asset: String,
}

async fn asset(Path(Asset { asset }): Path<Asset>) -> Response {
    let config = Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
    match utoipa_swagger_ui::serve(&asset, config) {
        Ok(Some(file)) => {
            ([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
