//! `OpenApiLayer`: which documents are edited, and how.

use super::OpenApiService;
use std::sync::Arc;
use tower_layer::Layer;

/// The default of [`OpenApiLayer::limit`]: 16 MiB.
const DEFAULT_LIMIT: usize = 16 << 20;

/// Layer that adds the root path of each request to the `servers` of an OpenAPI document.
///
/// It edits the JSON text in the response, so it works with every generator, and with a document in
/// a file. Place it inside [`RootPathLayer`](crate::RootPathLayer). A sub-app with a document of
/// its own needs its own `OpenApiLayer`, inside the nested layer of the sub-app.
///
/// A response is edited if the request is for one of the configured paths, the status is 200, and
/// the content is an OpenAPI document in JSON (`application/json`, `…+json`). The edits, with the
/// root path `/api/v1`:
///
/// | version | where | edit |
/// |---|---|---|
/// | 3.x | `servers` of the document | `{"url":"/api/v1"}` is added as the first entry, unless an entry has this URL |
/// | 3.x | `servers` of the document, of path items and of operations: URLs that begin with a slash | `/` becomes `/api/v1`, `/v2` becomes `/api/v1/v2` |
/// | 2.0 | `basePath`, unless the document has a `host` | `/` becomes `/api/v1`, `/v2` becomes `/api/v1/v2` |
///
/// All other bytes stay, including a byte order mark. The servers of callbacks, webhooks and links
/// are not edited, since they may belong to other parties. Other URLs, such as `tokenUrl`, are not
/// edited either: write them as relative references. Without a root path, requests and responses
/// pass unchanged.
///
/// # Requests and responses
///
/// - HEAD reaches the app as GET, since the length of the edited document is known only then.
/// - Only a whole document without a content coding can be edited. So `Range` and conditional
///   headers, such as `If-None-Match`, are removed from the request, and `Accept-Encoding` becomes
///   `identity`. To compress documents, place the compression layer outside this one.
/// - `Content-Length` becomes the length of the edited document. Validators (`ETag`,
///   `Last-Modified`), digests and message signatures are removed.
/// - A response with a content coding passes unchanged. So does one that is larger than the
///   [`limit`](Self::limit).
/// - The document is parsed for each request, on the thread that serves the request.
///
/// If the root path is forwarded, [`RootPathLayer`](crate::RootPathLayer) adds the name of the
/// header to `Vary`, so that a cache keeps one document for each root path. If you turn this off,
/// configure the cache to do so.
///
/// # Example
///
/// ```
/// use axum::{body::Body, routing::get, Json, Router};
/// use http::Request;
/// use serde_json::json;
/// use tower::ServiceExt;
/// use tower_root_path::{OpenApiLayer, RootPathLayer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new()
///     .route("/openapi.json", get(|| async {
///         Json(json!({ "openapi": "3.1.0", "paths": {} }))
///     }))
///     .layer(OpenApiLayer::new("/openapi.json"))
///     .layer(RootPathLayer::new("/api/v1"));
///
/// let request = Request::builder().uri("/openapi.json").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// let body = axum::body::to_bytes(response.into_body(), 1000).await?;
/// assert_eq!(body, r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}],"paths":{}}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenApiLayer {
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) paths: Vec<Box<str>>,
    pub(super) root_path_in_servers: bool,
    pub(super) limit: usize,
}

impl OpenApiLayer {
    /// Edits the document at `path`.
    ///
    /// This is the path of the app's own route, without the root path, such as `/openapi.json`.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or contains a query, a fragment or braces.
    #[track_caller]
    pub fn new(path: impl Into<String>) -> Self {
        let config = Config {
            paths: vec![validate_path(path.into())],
            root_path_in_servers: true,
            limit: DEFAULT_LIMIT,
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// Edits another document, at `path`.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or contains a query, a fragment or braces.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::OpenApiLayer;
    ///
    /// let layer = OpenApiLayer::new("/openapi.json").path("/admin/openapi.json");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = validate_path(path.into());
        self.with(|config| config.paths.push(path))
    }

    /// Adds no entry for the root path to the `servers` of the document.
    ///
    /// This is FastAPI's `root_path_in_servers=False`. URLs that begin with a slash still get the
    /// root path, in `servers` and in the `basePath` of 2.0.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::OpenApiLayer;
    ///
    /// let layer = OpenApiLayer::new("/openapi.json").without_root_path();
    /// ```
    #[doc(alias = "root_path_in_servers")]
    #[must_use]
    pub fn without_root_path(self) -> Self {
        self.with(|config| config.root_path_in_servers = false)
    }

    /// Sets the maximum size of a document, in bytes. Defaults to 16 MiB.
    ///
    /// A document is held in memory while it is edited. A larger one passes unchanged.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::OpenApiLayer;
    ///
    /// let layer = OpenApiLayer::new("/openapi.json").limit(1024 * 1024);
    /// ```
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.with(|config| config.limit = limit)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

#[track_caller]
fn validate_path(path: String) -> Box<str> {
    let problem = if !path.starts_with('/') {
        "must start with '/'"
    } else if path.contains(['?', '#']) {
        "must be a path, without a query or a fragment"
    } else if path.contains(['{', '}']) {
        "must be the path of one document, not a template"
    } else {
        return path.into();
    };
    panic!("invalid document path {path:?}: {problem}");
}

impl<S> Layer<S> for OpenApiLayer {
    type Service = OpenApiService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenApiService::with_config(inner, Arc::clone(&self.config))
    }
}
