//! Documents that other crates hold as values.

use super::Server;
use crate::RootPath;

/// The `servers` of an OpenAPI document that utoipa or aide has made: their types `OpenApi`, each
/// with the feature of that name.
///
/// # Example
///
/// A handler that tells each client where the app is:
///
/// ```
/// # #[cfg(feature = "utoipa")]
/// # mod example {
/// use axum::Json;
/// use tower_root_path::{OpenApiExt, RootPath};
/// use utoipa::OpenApi;
///
/// #[derive(OpenApi)]
/// #[openapi(servers((url = "https://prod.example.com")))]
/// struct ApiDoc;
///
/// async fn openapi(root_path: RootPath) -> Json<utoipa::openapi::OpenApi> {
///     Json(ApiDoc::openapi().under_root_path(&root_path))
/// }
///
/// # #[tokio::main]
/// # pub async fn main() {
/// let Json(document) = openapi(RootPath::from_static("/api/v1")).await;
/// let urls: Vec<_> = document.servers.iter().flatten().map(|server| &server.url).collect();
/// assert_eq!(urls, ["/api/v1", "https://prod.example.com"]);
/// # }
/// # }
/// # #[cfg(feature = "utoipa")]
/// # example::main();
/// ```
pub trait OpenApiExt: sealed::Sealed {
    /// The document for a request under `root_path`, as
    #[cfg_attr(feature = "openapi", doc = "[`OpenApiLayer`](crate::OpenApiLayer)")]
    #[cfg_attr(not(feature = "openapi"), doc = "`OpenApiLayer`")]
    /// edits it: the root path is the first of its `servers`, unless it is there already, and what
    /// begins with a slash in the `servers` of the document, of its path items and of its
    /// operations is brought under it. Without a root path the document stays as it is.
    #[must_use]
    fn under_root_path(self, root_path: &RootPath) -> Self;

    /// The document with `servers` in place of its own, such as the
    /// [list](crate::Servers::list) for a root path. The key is left out if there are none.
    #[must_use]
    fn with_servers(self, servers: impl IntoIterator<Item = Server>) -> Self;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
