//! The configuration of `RootPathLayer`.

use crate::{
    base_url::{ForwardedOrigin, Origin, PublicOrigin},
    forwarded::ForwardedPrefix,
    rewrite::Rewrite,
    root_path::InvalidRootPath,
    service::RootPathService,
    warn_once::WarnOnce,
    RootPath,
};
use http::HeaderName;
use std::{env, error, fmt, sync::Arc};
use tower_layer::Layer;

/// Layer that gives an app its root path, the public path prefix, and prepends it to redirects.
///
/// See [the guide](crate::guide::configuration) for which configuration fits your proxy, and for
/// where to place the layer.
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
///     let root_path = RootPath::from_extensions(request.extensions());
///     let response = Response::builder().header(LOCATION, "/login");
///     Ok(response.body(format!("{} under {root_path}", request.uri())).unwrap())
/// }
///
/// // The proxy publishes the app at `/api/v1` and strips that prefix.
/// let mut service = ServiceBuilder::new()
///     .layer(RootPathLayer::new("/api/v1"))
///     .service_fn(app);
///
/// let request = Request::builder().uri("/app").body(())?;
/// let response = service.ready().await?.call(request).await?;
///
/// assert_eq!(response.headers()[LOCATION], "/api/v1/login");
/// assert_eq!(response.body(), "/app under /api/v1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RootPathLayer {
    config: Arc<Config>,
}

/// Behind one pointer, since services are cloned for every connection or request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) root_path: RootPath,
    pub(crate) forwarded: Option<ForwardedPrefix>,
    pub(crate) origin: Option<PublicOrigin>,
    /// The root path is the mount, not `root_path`.
    pub(crate) nested: bool,
    pub(crate) strips: bool,
    /// `wrap` placed this layer before all routing, although a router is around it.
    pub(crate) wraps_router: bool,
    /// `None`: inherited from the nearest outer layer, or the default.
    pub(crate) rewrite: Option<Arc<Rewrite>>,
    without_vary: bool,
    pub(crate) warn_once: WarnOnce,
    pub(crate) derived: Derived,
}

/// What follows from the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Derived {
    /// Whether no request gets a root path and no response is rewritten.
    pub(crate) is_noop: bool,
    /// Whether inner layers may inherit more than the root path.
    pub(crate) hands_on: bool,
    /// Whether `Vary` gets members.
    pub(crate) varies: bool,
}

impl Config {
    fn derived(&self) -> Derived {
        let has_forwarded_origin = matches!(self.origin, Some(PublicOrigin::Forwarded(_)));
        let hands_on = self.nested || self.rewrite.is_some() || self.origin.is_some();
        Derived {
            is_noop: self.root_path.is_empty() && self.forwarded.is_none() && !hands_on,
            hands_on: hands_on || self.wraps_router,
            varies: (self.forwarded.is_some() || has_forwarded_origin) && !self.without_vary,
        }
    }

    /// The members to add to `Vary`, if it gets any.
    pub(crate) fn vary(&self) -> impl Iterator<Item = &HeaderName> {
        let prefix = self.forwarded.iter().map(ForwardedPrefix::header);
        let origin = match &self.origin {
            Some(PublicOrigin::Forwarded(forwarded)) => forwarded.headers(),
            _ => &[],
        };
        prefix.chain(origin)
    }
}

impl RootPathLayer {
    /// Sets the root path to `root_path`: `""` or `/seg…`, by the [grammar](RootPath#grammar).
    ///
    /// With `""` or `"/"` and no other setting, requests and responses pass unchanged. Only a
    /// `Location`, `Content-Location` or `Refresh` is made harmless, if it
    /// [reflects](Rewrite#reflected-paths) a request path such as `//evil.example`.
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

    /// The same as [`new`](Self::new), but returns an error instead of panicking.
    ///
    /// Use it for a value that comes from outside the program.
    ///
    /// # Errors
    ///
    /// If `root_path` does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPathLayer;
    ///
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

    /// Sets the root path to the value of the environment variable `name`.
    ///
    /// If the variable is unset or empty, the root path is empty.
    ///
    /// # Errors
    ///
    /// If the value does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPathLayer;
    ///
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

    /// Takes the root path from a header that a trusted proxy sends.
    ///
    /// A valid header overrides the configured root path, which applies to requests without one. An
    /// invalid header is ignored.
    ///
    /// The name of the header is added to `Vary`, unless it is there already.
    /// [`without_vary`](Self::without_vary) turns that off.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{ForwardedPrefix, RootPathLayer, TrustedProxies};
    ///
    /// let proxies: TrustedProxies = "10.0.0.0/8".parse()?;
    /// let layer = RootPathLayer::new("/api/v1")
    ///     .with_forwarded(ForwardedPrefix::x_forwarded_prefix(proxies).hops(2));
    /// # Ok::<(), tower_root_path::InvalidTrustedProxies>(())
    /// ```
    #[must_use]
    pub fn with_forwarded(self, forwarded: ForwardedPrefix) -> Self {
        self.with(|config| config.forwarded = Some(forwarded))
    }

    /// Sets the public origin: the scheme, host and port of the app's public URL.
    ///
    /// Requests then have a [`BaseUrl`](crate::BaseUrl) and a [`PublicUri`](crate::PublicUri). No
    /// header is read, so this is safe behind every proxy.
    ///
    /// If the prefix is a mount, use `RootPathLayer::new("").public_origin(…)` around the router. If
    /// one app has several public hosts, use
    /// [`with_forwarded_origin`](Self::with_forwarded_origin). Of the two methods, the later call
    /// replaces the earlier.
    ///
    /// The origin is not used to rewrite redirects: other apps may live there.
    ///
    /// # Panics
    ///
    /// If `origin` is not a valid [`Origin`]. To get an error instead, parse the `Origin` yourself.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPathLayer;
    ///
    /// let layer = RootPathLayer::new("/api/v1").public_origin("https://example.com");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn public_origin<O>(self, origin: O) -> Self
    where
        O: TryInto<Origin>,
        O::Error: fmt::Display,
    {
        match origin.try_into() {
            Ok(origin) => {
                self.with(|config| config.origin = Some(PublicOrigin::Configured(origin)))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Takes the public origin from each request: from headers of a trusted proxy, or from `Host`.
    ///
    /// Requests whose host is allowed then have a [`BaseUrl`](crate::BaseUrl) and a
    /// [`PublicUri`](crate::PublicUri). See [`ForwardedOrigin`] for the headers. Of this and
    /// [`public_origin`](Self::public_origin), the later call replaces the earlier.
    ///
    /// The names of the headers are added to `Vary`. [`without_vary`](Self::without_vary) turns that
    /// off.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{ForwardedOrigin, RootPathLayer, TrustedProxies};
    ///
    /// let hosts = "app.example, *.example.com".parse()?;
    /// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts);
    /// let layer = RootPathLayer::new("/api/v1").with_forwarded_origin(origin);
    /// # Ok::<(), tower_root_path::InvalidAllowedHosts>(())
    /// ```
    #[must_use]
    pub fn with_forwarded_origin(self, origin: ForwardedOrigin) -> Self {
        let origin = PublicOrigin::Forwarded(Box::new(origin));
        self.with(|config| config.origin = Some(origin))
    }

    /// Does not add the names of forwarded headers to `Vary`.
    ///
    /// Use it only if no cache stores the responses, or if the cache separates them by other means.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{ForwardedPrefix, RootPathLayer, TrustedProxies};
    ///
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    /// let layer = RootPathLayer::new("").with_forwarded(forwarded).without_vary();
    /// ```
    #[must_use]
    pub fn without_vary(self) -> Self {
        self.with(|config| config.without_vary = true)
    }

    /// Strips the root path from the request path if the path begins with it.
    ///
    /// Use it only if the proxy does not strip the prefix. Requests with and without the prefix then
    /// reach the same handlers.
    ///
    /// Stripping is off by default, since the request path does not show whether the proxy strips.
    /// Assume that a proxy strips `/api/v1` and denies `/api/v1/admin`. A client asks for
    /// `/api/v1/api/v1/admin`, and the app receives `/api/v1/admin`. A layer that strips would serve
    /// `/admin`, past the rule.
    ///
    /// The path is compared as raw bytes, case-sensitively, at a segment boundary. The rest stays as
    /// it is. If it has no leading slash, one is added.
    ///
    /// In axum, use `wrap` (feature `axum`), which runs before routing. [`Router::layer`] runs after
    /// routing, and there the layer does not strip. Nor does it strip in a router of another
    /// framework inside an axum router. Without the feature `axum`, the layer cannot detect this.
    ///
    /// # Example
    ///
    /// ```
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    /// use tower::{Service, ServiceBuilder, ServiceExt};
    /// use tower_root_path::RootPathLayer;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut service = ServiceBuilder::new()
    ///     .layer(RootPathLayer::new("/api/v1").strip_if_present())
    ///     .service_fn(|request: Request<()>| async move {
    ///         Ok::<_, Infallible>(Response::new(request.uri().to_string()))
    ///     });
    ///
    /// for uri in ["/api/v1/app", "/app"] {
    ///     let request = Request::builder().uri(uri).body(())?;
    ///     let response = service.ready().await?.call(request).await?;
    ///     assert_eq!(response.body(), "/app");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Router::layer`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.layer
    #[must_use]
    pub fn strip_if_present(self) -> Self {
        self.with(|config| config.strips = true)
    }

    /// Selects the response headers to rewrite.
    ///
    /// Defaults to the setting of the nearest outer `RootPathLayer`, and to [`Rewrite::redirects`]
    /// if there is none.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::redirects().set_cookie_path());
    /// ```
    #[must_use]
    pub fn rewrite(self, rewrite: Rewrite) -> Self {
        self.with(|config| config.rewrite = Some(Arc::new(rewrite)))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let config = Arc::make_mut(&mut self.config);
        change(config);
        config.derived = config.derived();
        self
    }
}

impl From<RootPath> for RootPathLayer {
    fn from(root_path: RootPath) -> Self {
        let layer = Self {
            config: Arc::default(),
        };
        layer.with(|config| config.root_path = root_path)
    }
}

impl<S> Layer<S> for RootPathLayer {
    type Service = RootPathService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RootPathService::with_config(inner, Arc::clone(&self.config))
    }
}

/// Error returned when an environment variable does not hold a valid [`RootPath`].
///
/// The message names the variable, quotes its value, and names the reason and the place.
///
/// # Example
///
/// ```
/// use tower_root_path::RootPathLayer;
///
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

impl error::Error for InvalidRootPathVar {}
