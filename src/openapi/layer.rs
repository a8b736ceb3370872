//! What is configured: which documents, and how they are edited.

use super::OpenApiService;
use std::sync::Arc;
use tower_layer::Layer;

/// How large a document is held, unless [`OpenApiLayer::limit`] says otherwise.
const LIMIT: usize = 16 << 20;

/// Layer that applies [`OpenApiService`]: brings an OpenAPI document under the root path of each
/// request, whatever has made it.
///
/// Place it inside of [`RootPathLayer`](crate::RootPathLayer), and where a sub-app has a document of
/// its own, another one inside of its `RootPathLayer::nested()`. At the paths it is told, and only
/// for a response of status 200 whose content is JSON (`application/json`, `…+json`) and an OpenAPI
/// document, it edits
///
/// | version | what | with the root path `/api/v1` |
/// |---|---|---|
/// | 3.x | `servers` | gets `{"url":"/api/v1"}` as the first entry, unless one is there already |
/// | 3.x | URLs in `servers` of the document, of path items and of operations that begin with a slash | `/` becomes `/api/v1`, `/v2` becomes `/api/v1/v2` |
/// | 2.0 | `basePath`, unless the document has a `host` | `/` becomes `/api/v1`, `/v2` becomes `/api/v1/v2` |
///
/// Every other byte stays, and the order of keys. Not edited are the servers of callbacks, webhooks
/// and links, which may be anybody's, and other URLs, such as `tokenUrl`: write them relative. Without a root path nothing is edited, and nothing below holds.
///
/// `Content-Length` is that of the edited document; validators (such as `ETag`), digests and signatures of the message are
/// dropped. HEAD
/// reaches the app as GET, since the length is known only then. Conditions and ranges in the request
/// are not passed on, and no coding is accepted, since only the whole document in plain bytes can be
/// edited. What is larger than the [`limit`](Self::limit), compressed all the same, or no such
/// document passes as it is.
///
/// The document is parsed for each request, by the thread that serves it, in a time that grows with its
/// size.
///
/// Where the root path is forwarded, the `Vary` of [`RootPathLayer`](crate::RootPathLayer) keeps
/// caches from mixing the documents up; whoever turns that off has to tell them otherwise.
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
    /// Edits the document at `path`: the path of the app's own route, without the root path and
    /// without a query, such as `/openapi.json`.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or has a query or a template's braces.
    #[track_caller]
    pub fn new(path: impl Into<String>) -> Self {
        let config = Config {
            paths: vec![absolute(path.into())],
            root_path_in_servers: true,
            limit: LIMIT,
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// Edits the document at `path` as well.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or has a query or a template's braces.
    #[must_use]
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = absolute(path.into());
        self.with(|config| config.paths.push(path))
    }

    /// Adds no entry for the root path to the `servers` of the document: FastAPI's
    /// `root_path_in_servers=False`.
    ///
    /// Entries of the document that begin with a slash still get the root path, and so does the
    /// `basePath` of 2.0.
    #[doc(alias = "root_path_in_servers")]
    #[must_use]
    pub fn without_root_path(self) -> Self {
        self.with(|config| config.root_path_in_servers = false)
    }

    /// How many bytes of a document are held at most; 16 MiB unless told otherwise. A larger one
    /// passes as it is.
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
fn absolute(path: String) -> Box<str> {
    let problem = if !path.starts_with('/') {
        "must start with '/'"
    } else if path.contains(['?', '#']) {
        "must be a path, without a query"
    } else if path.contains(['{', '}']) {
        "must be the path of one document, not a template"
    } else {
        return path.into();
    };
    panic!("invalid path of a document {path:?}: {problem}");
}

impl<S> Layer<S> for OpenApiLayer {
    type Service = OpenApiService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenApiService::configured(inner, Arc::clone(&self.config))
    }
}
