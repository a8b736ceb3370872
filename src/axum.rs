//! axum: the extractor, a router wrapped as a whole, mounts, and the peer's address.

use crate::{uri, RootPath, RootPathLayer};
use axum::{
    extract::{
        connect_info::MockConnectInfo, ConnectInfo, FromRequestParts, MatchedPath, NestedPath,
        OriginalUri,
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
        let template = template(extensions);
        // May begin with a root path as well, stripped behind the outermost router.
        let taken_off = uri::taken_off(original_path(extensions)?, request.uri().path())
            // Something in between has changed the path, but a mount without parameters is known.
            .or((!template.contains('{')).then_some(template))?;
        let last = |count| {
            let template = last_segments(template, count)?;
            // For `/sub//x` axum's `nest` takes `/sub/` off, so a slash at the end comes from
            // there, unless it stands for a path parameter that is empty.
            let mut mounts = [taken_off.trim_end_matches('/'), taken_off]
                .into_iter()
                .filter_map(|path| last_segments(path, count));
            mounts.find(|mount| matches(mount, template))
        };
        let segments = count_segments(template);
        let counted = extensions.get::<RootPath>();
        let counted = counted.map_or(0, |root_path| root_path.told().mounts);
        let own = last(segments.checked_sub(counted)?)?;
        // Where a layer has stripped a root path between two mounts, they are not in one piece.
        let whole = last(segments).unwrap_or(own);
        Some(Self { whole, own })
    }
}

/// The path as the outermost router got it.
pub(crate) fn original_path(extensions: &Extensions) -> Option<&str> {
    let OriginalUri(original) = extensions.get()?;
    Some(original.path())
}

/// Whether a route was found, so that it is too late to take something off the path for it. (What
/// matched a wildcard may be routed again.)
pub(crate) fn is_routed(extensions: &Extensions) -> bool {
    let matched = extensions.get::<MatchedPath>();
    matched.is_some_and(|matched| !matched.as_str().contains("{*"))
}

/// What the routers around a layer have for a path, with the names of path parameters where their
/// values are in the request.
fn template(extensions: &Extensions) -> &str {
    let nested = extensions.get::<NestedPath>();
    nested.map_or("", |nested| nested.as_str().trim_end_matches('/'))
}

/// How many segments the routers around a layer have taken off the request path.
pub(crate) fn mounted_segments(extensions: &Extensions) -> usize {
    count_segments(template(extensions))
}

fn count_segments(path: &str) -> usize {
    path.matches('/').count()
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
