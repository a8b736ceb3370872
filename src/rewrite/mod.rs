//! Response headers: which of them are rewritten, and the rule for each reference in them.

#[cfg(feature = "htmx")]
mod hx_location;
mod link;
mod location;
mod refresh;
mod set_cookie;

pub(crate) use self::location::{Base, Unusual};

use crate::Origin;
use http::{header, HeaderMap, HeaderName, HeaderValue};
use std::{error, fmt, ops::Range, sync::LazyLock};

/// The response headers that [`RootPathLayer`](crate::RootPathLayer) rewrites, and how.
///
/// Defaults to [`redirects`](Self::redirects). One rule holds for every URI reference in these
/// headers. With the root path `/api/v1`:
///
/// | the app emits | the client receives |
/// |---|---|
/// | `/login?next=/x#f` | `/api/v1/login?next=/x#f` |
/// | `/api/v1`, `/api/v1/x` | the same: the root path is there already |
/// | `/api/v10/x`, `/API/v1/x` | `/api/v1/api/v10/x`, `/api/v1/API/v1/x` |
/// | `login`, `../x`, `?q`, `#f`, `mailto:…` and the empty reference | the same: browsers resolve them against the public URL |
/// | `//other.example/x`, `https://other.example/x` | the same |
/// | `https://app.example/auth/login`, the host of the request itself | the same: other apps may live there |
/// | an [own origin](Self::own_origin), as in `http://127.0.0.1:3000/login` | `/api/v1/login` |
/// | over HTTP/2, the URL of the request itself, ignoring a trailing slash and the query | its path under `/api/v1` |
///
/// A rewritten reference is always path-absolute. So it contains neither a wrong scheme nor an
/// internal host, and proxies pass it unchanged by default. Without a root path, only own origins
/// and reflected paths are rewritten.
///
/// An app may have routes of its own that begin with the root path. A redirect to `/api/v1/x` stays
/// as it is. So redirect to such a route by its whole public path, which
/// [`RootPath::join`](crate::RootPath::join) returns.
///
/// # Reflected paths
///
/// An app may redirect to the path of the request, for example to append a slash. For a request for
/// `//evil.example`, it sends `Location: //evil.example/`. Browsers read a host in this
/// network-path reference ([RFC 3986, section 4.2]).
///
/// If the request path begins with `//` or `/\`, as it is or percent-decoded, such a reference is
/// treated as a path. Its leading slashes and backslashes become one slash. In `Location`,
/// `Content-Location` and `Refresh`, this holds with [`none`](Self::none) and without a root path
/// too.
///
/// A sub-app needs a nested layer of its own for this, since the outer layer sees another path.
///
/// # Stacked layers
///
/// A layer inherits the `Rewrite` of the nearest outer layer, unless it has its own. Each layer
/// rewrites what its own app emits, and no reference is prefixed twice.
///
/// # One party rewrites
///
/// If your proxy rewrites headers (nginx `proxy_redirect / /api/v1/;`, lighttpd `map-urlpath`), turn
/// that off. If you cannot change the proxy, use [`none`](Self::none).
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::{Rewrite, RootPathLayer};
///
/// async fn app(_: Request<()>) -> Result<Response<()>, Infallible> {
///     let response = Response::builder()
///         .header("location", "/login")
///         .header("link", "</app.css>; rel=preload")
///         .header("set-cookie", "id=7; Path=/; HttpOnly");
///     Ok(response.body(()).unwrap())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rewrite = Rewrite::redirects().link().set_cookie_path();
/// let mut service = ServiceBuilder::new()
///     .layer(RootPathLayer::new("/api/v1").rewrite(rewrite))
///     .service_fn(app);
///
/// let response = service.ready().await?.call(Request::new(())).await?;
/// assert_eq!(response.headers()["location"], "/api/v1/login");
/// assert_eq!(response.headers()["link"], "</api/v1/app.css>; rel=preload");
/// assert_eq!(response.headers()["set-cookie"], "id=7; Path=/api/v1; HttpOnly");
/// # Ok(())
/// # }
/// ```
///
/// [RFC 3986, section 4.2]: https://www.rfc-editor.org/rfc/rfc3986#section-4.2
#[derive(Clone, Debug)]
pub struct Rewrite {
    headers: Vec<(HeaderName, Grammar)>,
    own_origins: Vec<Origin>,
}

impl Rewrite {
    /// Rewrites `Location`, `Content-Location` and the `url=` of `Refresh`.
    ///
    /// They are rewritten in responses with any status.
    #[must_use]
    pub fn redirects() -> Self {
        Self::none().with([header::LOCATION, header::CONTENT_LOCATION, header::REFRESH])
    }

    /// Rewrites every header that this crate knows.
    ///
    /// These are
    ///
    /// - the headers of [`redirects`](Self::redirects), [`link`](Self::link) and
    ///   [`set_cookie_path`](Self::set_cookie_path);
    /// - with the feature `htmx`, the headers of htmx;
    /// - headers whose value is one URL: `Azure-AsyncOperation`, `Operation-Location`,
    ///   `Service-Worker-Allowed`, `SourceMap`, `Turbo-Location`, `X-Inertia-Location`, `X-PJAX-URL`,
    ///   `X-SourceMap`, `X-Up-Location`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::all());
    /// ```
    #[must_use]
    pub fn all() -> Self {
        let all = Self::redirects().link().set_cookie_path().with(ONE_URL);
        #[cfg(feature = "htmx")]
        let all = all.htmx();
        all
    }

    /// Rewrites no header.
    ///
    /// The app reads its [`RootPath`](crate::RootPath), and what it emits stays. Only
    /// [reflected paths](Self#reflected-paths) are made harmless.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::none());
    /// ```
    #[must_use]
    pub fn none() -> Self {
        Self {
            headers: Vec::new(),
            own_origins: Vec::new(),
        }
    }

    /// Rewrites the targets and the `anchor`s of `Link` too ([RFC 8288]).
    ///
    /// [RFC 8288]: https://www.rfc-editor.org/rfc/rfc8288
    #[must_use]
    pub fn link(self) -> Self {
        self.with([header::LINK])
    }

    /// Rewrites the `Path` of `Set-Cookie` too.
    ///
    /// `/` becomes `/api/v1`, so that apps on one host do not receive each other's cookies.
    ///
    /// A cookie without a `Path`, or with one that does not begin with a slash, stays. Browsers use
    /// the directory of the public URL instead. A `__Host-` cookie stays, since its path must be `/`
    /// ([RFC 6265bis, section 4.1.3.2][host]).
    ///
    /// [host]: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2
    #[must_use]
    pub fn set_cookie_path(self) -> Self {
        self.with([header::SET_COOKIE])
    }

    /// Rewrites the headers of [htmx] too.
    ///
    /// These are `HX-Redirect`, `HX-Push-Url`, `HX-Replace-Url` and `HX-Location`. The last one is a
    /// URL, or JSON whose members `path`, `push` and `replace` may be URLs.
    ///
    /// [htmx]: https://htmx.org/reference/#response_headers
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::redirects().htmx());
    /// ```
    #[cfg(feature = "htmx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "htmx")))]
    #[must_use]
    pub fn htmx(self) -> Self {
        self.with([
            hx_location::NAME,
            HeaderName::from_static("hx-push-url"),
            HeaderName::from_static("hx-redirect"),
            HeaderName::from_static("hx-replace-url"),
        ])
    }

    /// Rewrites the header `name` too.
    ///
    /// Its value is rewritten as one URI reference, or by its own grammar if this crate knows it.
    ///
    /// # Panics
    ///
    /// If `name` is not a header name, or if [`try_header`](Self::try_header) refuses it.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1")
    ///     .rewrite(Rewrite::redirects().link().header("x-inertia-location"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn header<N>(self, name: N) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let name = name.try_into().unwrap_or_else(|error| panic!("{error}"));
        match self.try_header(name) {
            Ok(rewrite) => rewrite,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same as [`header`](Self::header), but returns an error instead of panicking.
    ///
    /// Use it for a name that comes from outside the program.
    ///
    /// # Errors
    ///
    /// If a rewritten value would be wrong, or would silently stay as it is:
    ///
    /// - URLs in a grammar of the header's own: `Alt-Svc`, `Clear-Site-Data`,
    ///   `Content-Security-Policy`, `Content-Security-Policy-Report-Only`, `Link-Template`, `NEL`,
    ///   `Report-To`, `Reporting-Endpoints`, `Speculation-Rules`, `Use-As-Dictionary`,
    ///   `WWW-Authenticate`;
    /// - paths for the proxy, not for the client: `X-Accel-Redirect`, `X-Lighttpd-Send-File`,
    ///   `X-Reproxy-URL`, `X-Sendfile`;
    /// - without the feature `htmx`: `HX-Location`, which may be JSON.
    ///
    /// # Example
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_root_path::Rewrite;
    ///
    /// let name = HeaderName::from_static("x-accel-redirect");
    /// let error = Rewrite::redirects().try_header(name).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"cannot rewrite header "x-accel-redirect": it is for the proxy, not for the client"#
    /// );
    /// ```
    pub fn try_header(self, name: HeaderName) -> Result<Self, UnsupportedHeader> {
        let is_one = |(_, names): &&(_, &[&str])| names.contains(&name.as_str());
        match UNSUPPORTED.iter().find(is_one) {
            Some((reason, _)) => Err(UnsupportedHeader { name, reason }),
            None => Ok(self.with([name])),
        }
    }

    /// Treats URLs of `origin` as references to this app.
    ///
    /// `http://127.0.0.1:3000/login` becomes `/api/v1/login`. Use it if the app builds absolute URLs
    /// from the address that it listens on. You can call it several times.
    ///
    /// **Do not name the public origin.** Other apps may live there. With
    /// `own_origin("https://example.com")`, a redirect to the identity provider at
    /// `https://example.com/auth/login` would lead to `/api/v1/auth/login`.
    ///
    /// # Panics
    ///
    /// If `origin` is not a valid [`Origin`]. To get an error instead, parse the `Origin` yourself.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1")
    ///     .rewrite(Rewrite::redirects().own_origin("http://127.0.0.1:3000"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn own_origin<O>(mut self, origin: O) -> Self
    where
        O: TryInto<Origin>,
        O::Error: fmt::Display,
    {
        match origin.try_into() {
            Ok(origin) => self.own_origins.push(origin),
            Err(error) => panic!("{error}"),
        }
        self
    }

    fn with<const N: usize>(mut self, names: [HeaderName; N]) -> Self {
        for name in names {
            if self.grammar(&name).is_none() {
                let grammar = Grammar::of(&name);
                self.headers.push((name, grammar));
            }
        }
        self
    }

    /// What a layer rewrites that has no setting and inherits none.
    pub(crate) fn shared_default() -> &'static Self {
        static DEFAULT: LazyLock<Rewrite> = LazyLock::new(Rewrite::default);
        &DEFAULT
    }

    /// Whether no header is rewritten.
    pub(crate) fn is_noop(&self, base: &Base) -> bool {
        let has_reason =
            base.has_root_path() || !self.own_origins.is_empty() || base.reflects_as_network_path();
        self.headers.is_empty() || !has_reason
    }

    /// Rewrites `headers`. What is rewritten already stays, so an outer layer may do the same again
    /// with its own root path.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, base: &Base) {
        if self.is_noop(base) {
            return;
        }
        // Few look-ups cost less than a pass over the map, many cost more.
        let is_there = |(name, _): &(HeaderName, Grammar)| headers.contains_key(name);
        if self.headers.len() < 3 && !self.headers.iter().any(is_there) {
            return;
        }
        for (name, value) in headers.iter_mut() {
            let Some(grammar) = self.grammar(name) else {
                continue;
            };
            if let Some(rewritten) = grammar.rewrite(value.as_bytes(), base, &self.own_origins) {
                replace(value, rewritten);
            }
        }
    }

    /// How to rewrite the header `name`, if it is rewritten.
    #[inline]
    fn grammar(&self, name: &HeaderName) -> Option<Grammar> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }
}

impl Default for Rewrite {
    /// [`Rewrite::redirects`].
    fn default() -> Self {
        Self::redirects()
    }
}

/// Error returned when [`Rewrite::try_header`] refuses a header.
///
/// The message quotes the name of the header, and names the reason. See there for the headers and an
/// example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedHeader {
    name: HeaderName,
    reason: &'static str,
}

impl fmt::Display for UnsupportedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason } = self;
        write!(f, "cannot rewrite header {:?}: {reason}", name.as_str())
    }
}

impl error::Error for UnsupportedHeader {}

/// Headers whose value is one URL.
const ONE_URL: [HeaderName; 9] = [
    // Azure REST API Guidelines, "Long-Running Operations"
    HeaderName::from_static("azure-asyncoperation"),
    HeaderName::from_static("operation-location"),
    // Service Workers, "Service-Worker-Allowed": the widest scope
    HeaderName::from_static("service-worker-allowed"),
    // ECMA-426, "Linking through HTTP headers"; with the prefix in older tools
    HeaderName::from_static("sourcemap"),
    HeaderName::from_static("x-sourcemap"),
    // @hotwired/turbo
    HeaderName::from_static("turbo-location"),
    // Inertia, "External redirects"
    HeaderName::from_static("x-inertia-location"),
    // jquery-pjax
    HeaderName::from_static("x-pjax-url"),
    // Unpoly
    HeaderName::from_static("x-up-location"),
];

/// Headers that cannot be rewritten as one URL, with the reason.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    (
        "it is for the proxy, not for the client",
        &[
            "x-accel-redirect",     // nginx
            "x-lighttpd-send-file", // lighttpd
            "x-reproxy-url",        // Perlbal
            "x-sendfile",           // Apache mod_xsendfile, lighttpd
        ],
    ),
    (
        "its value is not one URL but a list or a policy with URLs in it; write their paths by \
         `RootPath::join`",
        &[
            "content-security-policy", // CSP Level 3: `report-uri`, path sources
            "content-security-policy-report-only",
            "link-template",       // RFC 9652
            "report-to",           // Reporting API, 2018
            "reporting-endpoints", // Reporting API
            "speculation-rules",   // HTML, section 7.6
            "use-as-dictionary",   // RFC 9842: a URL pattern
            "www-authenticate",    // RFC 9110, section 11.6.1; RFC 9728: `resource_metadata`
        ],
    ),
    (
        "its value holds no path",
        &[
            "alt-svc",         // RFC 7838
            "clear-site-data", // Clear Site Data
            "nel",             // Network Error Logging
        ],
    ),
    #[cfg(not(feature = "htmx"))]
    ("it may be JSON; use the feature `htmx`", &["hx-location"]),
];

/// Where the references are in the value of a header.
#[derive(Clone, Copy, Debug)]
enum Grammar {
    OneUrl,
    Link,
    Refresh,
    SetCookie,
    #[cfg(feature = "htmx")]
    HxLocation,
}

impl Grammar {
    fn of(name: &HeaderName) -> Self {
        #[cfg(feature = "htmx")]
        if *name == hx_location::NAME {
            return Self::HxLocation;
        }
        if *name == header::REFRESH {
            Self::Refresh
        } else if *name == header::LINK {
            Self::Link
        } else if *name == header::SET_COOKIE {
            Self::SetCookie
        } else {
            Self::OneUrl
        }
    }

    /// Rewrites the references in `value`; `None` if it stays.
    fn rewrite(self, value: &[u8], base: &Base, own_origins: &[Origin]) -> Option<Vec<u8>> {
        match self {
            Self::OneUrl => location::rewrite_value(value, base, own_origins),
            Self::Link => link::rewrite(value, base, own_origins),
            Self::Refresh => refresh::rewrite(value, base, own_origins),
            Self::SetCookie => set_cookie::rewrite(value, base),
            #[cfg(feature = "htmx")]
            Self::HxLocation => hx_location::rewrite(value, base, own_origins),
        }
    }
}

/// Rewrites these ranges of `value`, in their order; `None` if all of them stay.
fn splice(
    value: &[u8],
    ranges: impl IntoIterator<Item = Range<usize>>,
    rewrite: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut spliced = Vec::new();
    let mut kept = 0;
    for Range { start, end } in ranges {
        if let Some(rewritten) = rewrite(&value[start..end]) {
            if kept == 0 {
                // All that one range needs: a longer buffer would cost an allocation more.
                spliced.reserve_exact(value.len() - (end - start) + rewritten.len());
            }
            spliced.extend_from_slice(&value[kept..start]);
            spliced.extend_from_slice(&rewritten);
            kept = end;
        }
    }
    if kept == 0 {
        return None;
    }
    spliced.extend_from_slice(&value[kept..]);
    Some(spliced)
}

fn replace(value: &mut HeaderValue, bytes: Vec<u8>) {
    // Bytes of a header value and of a root path are a header value.
    if let Ok(mut rewritten) = HeaderValue::try_from(bytes) {
        rewritten.set_sensitive(value.is_sensitive());
        *value = rewritten;
    }
}
