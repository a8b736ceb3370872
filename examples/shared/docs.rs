//! Swagger UI at `/docs`, with assets that the app serves itself.
//!
//! All URLs in the page are relative, so it works under any prefix. It contains no prefix that
//! would have to be escaped.

use axum::{
    extract::Path,
    http::{
        header::{CACHE_CONTROL, CONTENT_TYPE},
        StatusCode,
    },
    response::{Html, IntoResponse, Redirect, Response},
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
// By default Swagger UI sends the address of the document to a validator of its makers.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui", validatorUrl: null });
</script>
</body>
</html>
"##;

/// Serves `/docs` for the document at `/openapi.json`.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/docs", get(|| async { Html(PAGE) }))
        .route("/docs/", get(|| async { Redirect::permanent("/docs") }))
        .route("/docs/{asset}", get(asset))
}

/// A struct, because `Path<String>` fails if the path of a mount has parameters too.
#[derive(Deserialize)]
struct Asset {
    asset: String,
}

async fn asset(Path(Asset { asset }): Path<Asset>) -> Response {
    let config = Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
    match utoipa_swagger_ui::serve(&asset, config) {
        Ok(Some(file)) => {
            let headers = [
                (CONTENT_TYPE, &*file.content_type),
                (CACHE_CONTROL, "max-age=3600"),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
