//! What is configured.

use crate::{
    forwarded::ForwardedPrefix, rewrite::Rewrite, root_path::InvalidRootPath,
    service::RootPathService, warn_once::WarnOnce, RootPath,
};
use http::HeaderValue;
use std::{env, error, fmt, sync::Arc};
use tower_layer::Layer;

/// Layer that applies [`RootPathService`]: tells an app the path prefix it lives under, and brings
/// what it emits under that prefix.
///
/// See the [crate documentation](crate) for the whole, and for where to place it in axum.
///
/// # Example
///
/// ```
/// use http::{header::LOCATION, Request, Response};
/// use std::convert::Infallible;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::{RootPath, RootPathLayer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// async fn app(request: Request<()>) -> Result<Response<String>, Infallible> {
///     let root_path = request.extensions().get::<RootPath>().cloned();
///     let response = Response::builder().header(LOCATION, "/login");
///     let body = format!("{} under {}", request.uri(), root_path.unwrap_or_default());
///     Ok(response.body(body).unwrap())
/// }
///
/// let mut service = ServiceBuilder::new()
///     .layer(RootPathLayer::new("/api/v1"))
///     .service_fn(app);
///
/// // Whether the proxy strips the prefix or not, the app sees the same.
/// for uri in ["/app", "/api/v1/app"] {
///     let request = Request::builder().uri(uri).body(())?;
///     let response = service.ready().await?.call(request).await?;
///
///     assert_eq!(response.headers()[LOCATION], "/api/v1/login");
///     assert_eq!(response.body(), "/app under /api/v1");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RootPathLayer {
    config: Arc<Config>,
}

/// Behind one pointer, since services are cloned for every connection or request.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) root_path: RootPath,
    pub(crate) forwarded: Option<ForwardedPrefix>,
    #[cfg(feature = "axum")]
    pub(crate) nested: bool,
    pub(crate) strip: Strip,
    /// `None`: what a layer further out is told, or the default.
    pub(crate) rewrite: Option<Arc<Rewrite>>,
    pub(crate) default_rewrite: Arc<Rewrite>,
    adds_vary: bool,
    pub(crate) warn_once: WarnOnce,
}

impl Config {
    /// Whether no request can have a root path.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        #[cfg(feature = "axum")]
        if self.nested {
            return false;
        }
        self.root_path.is_empty() && self.forwarded.is_none() && self.rewrite.is_none()
    }

    /// The member to add to `Vary`.
    pub(crate) fn vary(&self) -> Option<&HeaderValue> {
        self.forwarded
            .as_ref()
            .filter(|_| self.adds_vary)
            .map(ForwardedPrefix::vary)
    }
}

/// Whether [`RootPathLayer`] takes the root path off the request path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strip {
    /// If it is there, up to a segment boundary: the app answers at the public URL and directly,
    /// behind a proxy that strips the prefix and behind one that does not.
    #[default]
    IfPresent,
    /// Never: for an app behind a stripping proxy that has routes of its own which begin with the
    /// root path, as `/api/v1/api/v1/x` in public. By looking, a stripped request for such a route
    /// cannot be told from an unstripped one for another.
    Never,
}

impl RootPathLayer {
    /// The root path is `root_path`: `""` or `/seg…`, by the [grammar](RootPath#grammar). `"/"`
    /// is the same as `""`: nothing is stripped or told, and the one thing that is rewritten is an
    /// [echo](Rewrite) of the path.
    ///
    /// # Panics
    ///
    /// If `root_path` does not follow the grammar.
    #[must_use]
    #[track_caller]
    pub fn new<P>(root_path: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        match root_path.try_into() {
            Ok(root_path) => Self::from(root_path),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same as [`new`](Self::new), for a value that comes from outside the program.
    ///
    /// # Errors
    ///
    /// If `root_path` does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// # use tower_root_path::RootPathLayer;
    /// let error = RootPathLayer::try_new("api/v1").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"invalid root path "api/v1": must start with '/'"#
    /// );
    /// ```
    pub fn try_new<P>(root_path: P) -> Result<Self, P::Error>
    where
        P: TryInto<RootPath>,
    {
        root_path.try_into().map(Self::from)
    }

    /// The root path is the value of the environment variable `name`; unset or empty means none.
    ///
    /// # Errors
    ///
    /// If the value does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// # use tower_root_path::RootPathLayer;
    /// let layer = RootPathLayer::from_env("ROOT_PATH")?;
    /// # Ok::<(), tower_root_path::InvalidRootPathVar>(())
    /// ```
    pub fn from_env(name: &str) -> Result<Self, InvalidRootPathVar> {
        let value = env::var_os(name).unwrap_or_default();
        match RootPath::try_from(value.as_encoded_bytes()) {
            Ok(root_path) => Ok(Self::from(root_path)),
            Err(error) => Err(InvalidRootPathVar {
                name: name.into(),
                error,
            }),
        }
    }

    /// The root path is what the routers around this layer have taken off the request path: for a
    /// sub-app, between [`Router::nest`] or [`nest_service`] and what is mounted there.
    ///
    /// The mount may have path parameters; what is not fit for a root path in them is
    /// percent-encoded, and a mount that cannot be written as one (`..`, an empty segment) counts
    /// as none. Each mount counts once, however many of these layers there are, and wherever the
    /// outer [`RootPathLayer`] stands.
    ///
    /// What a sub-app emits is relative to itself: `/login` is its own login page. Give this layer
    /// [`Rewrite::none`], and all that the sub-app emits is relative to the app around it.
    ///
    /// A [`RootPathLayer::new`] in a mount says all of that mount, whatever it is told.
    ///
    /// Without a layer of its own a sub-app sees the root path of the outer one, its redirects
    /// lose the mount, and an echo of a path that begins with `//` only behind the mount is not
    /// seen as one.
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
    /// [`Router::nest`]: axum::Router::nest
    /// [`nest_service`]: axum::Router::nest_service
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    #[must_use]
    pub fn nested() -> Self {
        Self::from(RootPath::EMPTY).with(|config| config.nested = true)
    }

    /// Takes the root path that a trusted proxy tells; what is configured is for requests without
    /// it.
    ///
    /// What the app answers then depends on the header, so its name is added to `Vary`, unless it
    /// is there already; [`without_vary`](Self::without_vary) turns that off.
    ///
    /// ```
    /// use tower_root_path::{ForwardedPrefix, RootPathLayer, TrustedProxies};
    ///
    /// let proxies: TrustedProxies = "10.0.0.0/8".parse()?;
    /// let layer = RootPathLayer::new("/api/v1")
    ///     .with_forwarded(ForwardedPrefix::x_forwarded_prefix(proxies).hops(2));
    /// # Ok::<(), tower_root_path::InvalidTrustedProxies>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the layer is `nested`: the mount is nothing that a proxy knows.
    #[must_use]
    #[track_caller]
    pub fn with_forwarded(self, forwarded: ForwardedPrefix) -> Self {
        #[cfg(feature = "axum")]
        assert!(
            !self.config.nested,
            "a nested layer has its root path from the routers around it, not from a header"
        );
        self.with(|config| config.forwarded = Some(forwarded))
    }

    /// Does not add the name of the forwarded header to `Vary`: for those who tell caches
    /// otherwise, or have none.
    #[must_use]
    pub fn without_vary(self) -> Self {
        self.with(|config| config.adds_vary = false)
    }

    /// Whether the root path is taken off the request path; [`Strip::IfPresent`] unless told
    /// otherwise.
    #[must_use]
    pub fn strip(self, strip: Strip) -> Self {
        self.with(|config| config.strip = strip)
    }

    /// Which response headers are rewritten. Unless told, what the nearest [`RootPathLayer`] further
    /// out is told, or else [`Rewrite::redirects`].
    #[must_use]
    pub fn rewrite(self, rewrite: Rewrite) -> Self {
        self.with(|config| config.rewrite = Some(Arc::new(rewrite)))
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl From<RootPath> for RootPathLayer {
    fn from(root_path: RootPath) -> Self {
        Self {
            config: Arc::new(Config {
                root_path,
                forwarded: None,
                #[cfg(feature = "axum")]
                nested: false,
                strip: Strip::default(),
                rewrite: None,
                default_rewrite: Arc::default(),
                adds_vary: true,
                warn_once: WarnOnce::default(),
            }),
        }
    }
}

impl<S> Layer<S> for RootPathLayer {
    type Service = RootPathService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RootPathService::with_config(inner, Arc::clone(&self.config))
    }
}

/// An environment variable holds no [`RootPath`]; names the variable.
///
/// ```
/// # use tower_root_path::RootPathLayer;
/// std::env::set_var("MY_ROOT_PATH", "api/v1");
/// let error = RootPathLayer::from_env("MY_ROOT_PATH").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"environment variable MY_ROOT_PATH: invalid root path "api/v1": must start with '/'"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRootPathVar {
    name: Box<str>,
    error: InvalidRootPath,
}

impl fmt::Display for InvalidRootPathVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment variable {}: {}", self.name, self.error)
    }
}

impl error::Error for InvalidRootPathVar {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.error)
    }
}
