//! axum: the extractor, a router wrapped as a whole, nested layers, and the peer's address.

use crate::{
    warn_once, BaseUrl, MissingBaseUrl, PublicUri, Rewrite, RootPath, RootPathLayer,
    RootPathService,
};
use axum::{
    extract::{
        connect_info::MockConnectInfo, ConnectInfo, FromRequestParts, OptionalFromRequestParts,
        Request,
    },
    response::{IntoResponse, Response},
    Router,
};
use http::{request, Extensions, StatusCode};
use std::{convert::Infallible, net::SocketAddr};
use tower::{Layer, Service, ServiceExt};

/// Extracts the root path of the request, empty if there is no layer. Never fails.
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
        Ok(Self::from_extensions(&parts.extensions))
    }
}

macro_rules! extract_from_extensions {
    ($($extracted:ty),*) => {$(
        /// Rejects with 500 if no public origin is configured or the scheme is not known, and with
        /// 400 if the origin of the request was refused. The log has the reason (feature `tracing`).
        #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
        impl<S> FromRequestParts<S> for $extracted
        where
            S: Sync,
        {
            type Rejection = MissingBaseUrl;

            async fn from_request_parts(
                parts: &mut request::Parts,
                _: &S,
            ) -> Result<Self, Self::Rejection> {
                let extracted = Self::from_extensions(&parts.extensions);
                if let Err(MissingBaseUrl::NotConfigured) = extracted {
                    warn_once::no_public_origin();
                }
                extracted
            }
        }

        /// `None` if no public origin is configured or the scheme is not known. Rejects with 400 if
        /// the origin of the request was refused.
        #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
        impl<S> OptionalFromRequestParts<S> for $extracted
        where
            S: Sync,
        {
            type Rejection = MissingBaseUrl;

            async fn from_request_parts(
                parts: &mut request::Parts,
                _: &S,
            ) -> Result<Option<Self>, Self::Rejection> {
                match Self::from_extensions(&parts.extensions) {
                    Ok(extracted) => Ok(Some(extracted)),
                    Err(MissingBaseUrl::Refused) => Err(MissingBaseUrl::Refused),
                    Err(_) => Ok(None),
                }
            }
        }
    )*};
}

extract_from_extensions!(BaseUrl, PublicUri);

/// 400 with a line of text if the request was refused, or else 500.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for MissingBaseUrl {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Refused => StatusCode::BAD_REQUEST,
            Self::NotConfigured | Self::UnknownScheme => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

impl RootPathLayer {
    /// Wraps a whole `Router`, so that the layer runs before routing.
    ///
    /// Use it with [`strip_if_present`](Self::strip_if_present): [`Router::layer`] runs after
    /// routing, too late to strip the root path. `app` is a `Router`, or any other service that
    /// [`Router::fallback_service`] takes. The result is a `Router`, for `axum::serve`,
    /// `into_make_service_with_connect_info`, further layers and test servers.
    ///
    /// **A `.fallback` or `.fallback_service` that you add to the result replaces the app.** Routes
    /// that you add to it are outside the layer. Two wrapped routers cannot be merged.
    ///
    /// In the app, axum's `OriginalUri` is the URI as it arrived, with the root path if it was
    /// there.
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
    /// let app: Router = RootPathLayer::new("/api/v1").strip_if_present().wrap(router);
    ///
    /// for uri in ["/app", "/api/v1/app"] {
    ///     let request = Request::builder().uri(uri).body(Body::empty())?;
    ///     let response = app.clone().oneshot(request).await?;
    ///     assert_eq!(response.status(), StatusCode::OK);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Without a second router
    ///
    /// The second `Router` costs about as much as [`Router::nest`]. Without it, the result is a
    /// service, not a `Router`:
    ///
    /// ```no_run
    /// use axum::{extract::Request, Router, ServiceExt};
    /// use tokio::net::TcpListener;
    /// use tower::Layer;
    /// use tower_root_path::RootPathLayer;
    ///
    /// async fn serve(listener: TcpListener, router: Router) -> std::io::Result<()> {
    ///     let app = RootPathLayer::new("/api/v1").strip_if_present().layer(router);
    ///     axum::serve(listener, ServiceExt::<Request>::into_make_service(app)).await
    /// }
    /// ```
    ///
    /// [`Router::fallback_service`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.fallback_service
    /// [`Router::layer`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.layer
    /// [`Router::nest`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.nest
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn wrap<S>(self, app: S) -> Router
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        let layer = self.with(|config| config.wraps_router = true);
        let app = app.map_response(IntoResponse::into_response);
        Router::new().fallback_service(layer.layer(app))
    }

    /// Creates a layer for a sub-app, which extends the root path by the mount.
    ///
    /// The mount is what [`Router::nest`] or [`nest_service`] removed from the request path. What
    /// the sub-app emits is relative to itself: `/login` is its own login page.
    ///
    /// The mount may have path parameters. It is kept as the client wrote it. Only characters that
    /// the [grammar](RootPath#grammar) refuses are percent-encoded. Browsers do not send cookies
    /// back that were set for such a mount.
    ///
    /// These mounts count as none:
    ///
    /// - a mount with a dot segment or an empty segment;
    /// - a mount with path parameters after an empty segment;
    /// - a mount that makes the root path too long;
    /// - a mount with path parameters, if middleware inside the outer router has changed the path.
    ///
    /// Each mount counts once, also with several nested layers. The outer [`RootPathLayer`] may be
    /// around the router or inside it.
    ///
    /// In a nested router, use this layer and not `RootPathLayer::new`. `RootPathLayer::new("/x")`
    /// there adds `/x` to the root path of the outer layers, and does not add the mount.
    ///
    /// Without a layer of its own, a sub-app sees the root path of the app around it, and its
    /// redirects lose the mount.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{body::Body, routing::get, Router};
    /// use http::Request;
    /// use tower::ServiceExt;
    /// use tower_root_path::{RootPath, RootPathLayer};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shop = Router::new()
    ///     .route("/app", get(|root_path: RootPath| async move { root_path.to_string() }))
    ///     .layer(RootPathLayer::nested());
    ///
    /// let app = Router::new()
    ///     .nest("/t/{tenant}", shop)
    ///     .layer(RootPathLayer::new("/api/v1"));
    ///
    /// let request = Request::builder().uri("/t/acme/app").body(Body::empty())?;
    /// let response = app.oneshot(request).await?;
    /// let body = axum::body::to_bytes(response.into_body(), 100).await?;
    /// assert_eq!(body, "/api/v1/t/acme");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Router::nest`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.nest
    /// [`nest_service`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.nest_service
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    #[must_use]
    pub fn nested() -> NestedRootPathLayer {
        NestedRootPathLayer(Self::from(RootPath::EMPTY).with(|config| config.nested = true))
    }
}

/// Layer for a sub-app in a nested router, which extends the root path by the mount.
///
/// [`RootPathLayer::nested`] creates it. See there for the details and an example.
#[derive(Clone, Debug)]
pub struct NestedRootPathLayer(RootPathLayer);

impl NestedRootPathLayer {
    /// Selects the response headers to rewrite.
    ///
    /// Defaults to the setting of the nearest outer layer, and to [`Rewrite::redirects`] if there
    /// is none. With [`Rewrite::none`], what the sub-app emits is relative to the app around it.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{response::Redirect, routing::get, Router};
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let shop: Router = Router::new()
    ///     .route("/buy", get(|| async { Redirect::to("/shop/cart") }))
    ///     .layer(RootPathLayer::nested().rewrite(Rewrite::none()));
    /// let app: Router = Router::new().nest("/shop", shop);
    /// ```
    #[must_use]
    pub fn rewrite(self, rewrite: Rewrite) -> Self {
        Self(self.0.rewrite(rewrite))
    }
}

impl<S> Layer<S> for NestedRootPathLayer {
    type Service = RootPathService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}

/// The address in `ConnectInfo`, or else in `MockConnectInfo`, as axum's extractor has it.
pub(crate) fn peer_addr(extensions: &Extensions) -> Option<SocketAddr> {
    match extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) => Some(*peer),
        None => Some(extensions.get::<MockConnectInfo<SocketAddr>>()?.0),
    }
}
