//! axum: the extractor, a router wrapped as a whole, mounts, and the peer's address.

use crate::{uri, RootPath, RootPathLayer};
use axum::{
    extract::{connect_info::MockConnectInfo, ConnectInfo, FromRequestParts, OriginalUri},
    Router,
};
use http::{request, Extensions, Request};
use std::{convert::Infallible, net::SocketAddr};

/// The root path of this request, whatever layer told it; empty if none did. Never fails.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S> FromRequestParts<S> for RootPath
where
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl RootPathLayer {
    /// Puts this layer around the whole `router`, in front of its routing, and gives back a
    /// [`Router`], for `axum::serve`, `into_make_service_with_connect_info`, test servers and
    /// further layers.
    ///
    /// [`Router::layer`] runs after routing, too late for a root path that is still in the request
    /// path: without this, a request that no proxy has stripped finds no route.
    ///
    /// In the app, [`OriginalUri`] is the URI as it arrived, root path included if it was there.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{body::Body, routing::get, Router};
    /// use http::{Request, StatusCode};
    /// use tower::ServiceExt;
    /// use tower_root_path::RootPathLayer;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let router = Router::new().route("/app", get(|| async { "Hello World" }));
    /// let app: Router = RootPathLayer::new("/api/v1").wrap(router);
    ///
    /// for uri in ["/app", "/api/v1/app"] {
    ///     let request = Request::builder().uri(uri).body(Body::empty())?;
    ///     let response = app.clone().oneshot(request).await?;
    ///     assert_eq!(response.status(), StatusCode::OK);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn wrap(self, router: Router) -> Router {
        Router::new().fallback_service(router).layer(self)
    }
}

/// What the routers around a layer have taken off the request path.
pub(crate) struct Mount<'a> {
    /// Since the last layer that told a root path.
    pub(crate) own: &'a str,
    /// Since the outermost router.
    pub(crate) shown: &'a str,
}

/// `None` if there is no telling, or nothing was taken off.
pub(crate) fn mount<B>(request: &Request<B>) -> Option<Mount<'_>> {
    let path = request.uri().path();
    // Not `NestedPath`, which has the names of path parameters where their values should be.
    let original = request.extensions().get::<OriginalUri>()?.0.path();
    let shown = uri::taken_off(original, path)?;

    // The outermost router may stand outside the layer that told the root path so far, and then
    // the original path still has what that layer has stripped.
    let outer = request.extensions().get::<RootPath>();
    let own = match outer.and_then(RootPath::passed_on) {
        Some(passed_on) if passed_on.get() < original.len() => {
            uri::taken_off(original.get(original.len() - passed_on.get()..)?, path)?
        }
        _ => shown,
    };
    (!own.is_empty()).then_some(Mount { own, shown })
}

/// `MockConnectInfo` is what `ConnectInfo`, the extractor, falls back to.
pub(crate) fn peer_addr(extensions: &Extensions) -> Option<SocketAddr> {
    match extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) => Some(*peer),
        None => Some(extensions.get::<MockConnectInfo<SocketAddr>>()?.0),
    }
}
