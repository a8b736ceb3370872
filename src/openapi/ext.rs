//! `OpenApiExt`: the `servers` of documents of the types of utoipa and aide.

use super::Server;
use crate::RootPath;

/// Extension trait that sets the `servers` of utoipa's and aide's OpenAPI documents.
///
/// It is implemented for `utoipa::openapi::OpenApi` with the feature `utoipa`, and for
/// `aide::openapi::OpenApi` with the feature `aide`.
///
/// # Example
///
/// A handler whose document has the root path of the request:
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
    /// Returns the document for a request with this root path.
    ///
    /// The edits are those of
    #[cfg_attr(feature = "openapi", doc = "[`OpenApiLayer`](crate::OpenApiLayer):")]
    #[cfg_attr(not(feature = "openapi"), doc = "`OpenApiLayer`:")]
    /// the root path becomes the first entry of `servers`, unless an entry has it as its URL. URLs
    /// that begin with a slash get the root path, in the `servers` of the document, of path items
    /// and of operations. Without a root path, the document stays as it is.
    #[must_use]
    fn under_root_path(self, root_path: &RootPath) -> Self;

    /// Returns the document with `servers` in place of its own.
    ///
    /// Use it with the [list](crate::Servers::list) for a root path. An empty list removes the key.
    ///
    /// # Example
    ///
    /// ```
    /// # #[cfg(feature = "utoipa")]
    /// # {
    /// use tower_root_path::{OpenApiExt, RootPath, Server, Servers};
    ///
    /// let servers = Servers::new([Server::new("https://prod.example.com")]);
    /// let list = servers.list(&RootPath::from_static("/api/v1"));
    ///
    /// let document = utoipa::openapi::OpenApi::default().with_servers(list);
    /// let urls: Vec<_> = document.servers.iter().flatten().map(|server| &server.url).collect();
    /// assert_eq!(urls, ["/api/v1", "https://prod.example.com"]);
    /// # }
    /// ```
    #[must_use]
    fn with_servers(self, servers: impl IntoIterator<Item = Server>) -> Self;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
