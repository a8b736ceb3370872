//! axum: the extractor, a router wrapped as a whole, mounts, and the peer's address.

use crate::{uri, RootPath, RootPathLayer};
use axum::{
    extract::{
        connect_info::MockConnectInfo, ConnectInfo, FromRequestParts, NestedPath, OriginalUri,
    },
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
    /// The router becomes the fallback of the new one: what is added to that later stands outside
    /// of the layer, and two wrapped routers cannot be merged.
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
    /// All of it, since the outermost router.
    pub(crate) whole: &'a str,
    /// The part of it that is not in the root path yet.
    pub(crate) own: &'a str,
}

impl<'a> Mount<'a> {
    /// `None` if no router has taken something off, or there is no telling what it was.
    pub(crate) fn of<B>(request: &'a Request<B>) -> Option<Self> {
        let extensions = request.extensions();
        let template = extensions.get::<NestedPath>()?.as_str();
        let OriginalUri(original) = extensions.get::<OriginalUri>()?;
        // May begin with a root path as well, stripped behind the outermost router.
        let taken_off = uri::taken_off(original.path(), request.uri().path())?;

        // For `/sub//x` axum's `nest` takes `/sub/` off, so a slash at the end comes from there,
        // unless it stands for a path parameter that is empty.
        let without_slash = taken_off.strip_suffix('/').unwrap_or(taken_off);
        let mounts = [without_slash, taken_off].into_iter();
        let whole = mounts
            .filter_map(|path| last_segments(path, count_segments(template)))
            .find(|mount| matches(mount, template))?;

        let counted = extensions.get::<RootPath>().map_or(0, RootPath::mounts);
        let own = last_segments(whole, count_segments(template).checked_sub(counted)?)?;
        Some(Self { whole, own })
    }
}

/// How many segments the routers around a layer have taken off the request path.
pub(crate) fn mounted_segments(extensions: &Extensions) -> usize {
    let template = extensions.get::<NestedPath>();
    template.map_or(0, |template| count_segments(template.as_str()))
}

fn count_segments(path: &str) -> usize {
    path.trim_end_matches('/').matches('/').count()
}

/// The last `count` segments of `path`; `None` if there are none.
fn last_segments(path: &str, count: usize) -> Option<&str> {
    let (start, _) = path.rmatch_indices('/').nth(count.checked_sub(1)?)?;
    Some(&path[start..])
}

/// Whether `path` is of the form `template`, which has as many segments.
fn matches(path: &str, template: &str) -> bool {
    let mut segments = path.split('/').zip(template.split('/'));
    segments.all(|(segment, pattern)| segment == pattern || pattern.contains('{'))
}

/// `MockConnectInfo` is what `ConnectInfo`, the extractor, falls back to.
pub(crate) fn peer_addr(extensions: &Extensions) -> Option<SocketAddr> {
    match extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) => Some(*peer),
        None => Some(extensions.get::<MockConnectInfo<SocketAddr>>()?.0),
    }
}
