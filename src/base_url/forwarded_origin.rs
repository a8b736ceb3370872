//! The origin that a proxy sends, or that the request itself names.

use super::{
    origin::{parse_port, Authority, Origin, Scheme},
    rfc7239, AllowedHosts,
};
#[cfg(feature = "tracing")]
use crate::forwarded::Forwarded;
use crate::forwarded::{PeerFn, TrustedProxies};
use http::{header, uri, Extensions, HeaderMap, HeaderName, HeaderValue, Request, Uri};
use std::{borrow::Cow, error, fmt, net::IpAddr, num::NonZeroUsize};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The request headers that hold the public origin, the proxies that are trusted to set them, and
/// the allowed hosts.
///
/// If the public origin is always the same, use
/// [`public_origin`](crate::RootPathLayer::public_origin) instead, which reads no header.
///
/// | | from a trusted proxy | else |
/// |---|---|---|
/// | scheme | `X-Forwarded-Proto`, or `proto` of `Forwarded` | the scheme of the request URI (HTTP/2, absolute-form), else [`default_scheme`](Self::default_scheme) |
/// | host | `X-Forwarded-Host`, or `host` of `Forwarded` | the authority of the request URI, else `Host` |
/// | port | that of the host, else `X-Forwarded-Port` unless it is empty, 80 or 443 | that of the host |
///
/// The address of the peer is read as for [`ForwardedPrefix`](crate::ForwardedPrefix). In axum, it
/// needs `into_make_service_with_connect_info::<SocketAddr>()`. Elsewhere, use
/// [`PeerAddr`](crate::PeerAddr) or [`peer_addr`](Self::peer_addr). If the peer is not trusted or
/// not known, no forwarded header is read.
///
/// # Validation
///
/// - The host is a DNS name, an IPv4 address or an IPv6 address in brackets
///   ([RFC 3986, section 3.2.2]). The port is a number from 1 to 65535. There is no userinfo.
/// - The scheme is `http` or `https`. `ws` and `wss` count as these: Traefik sends them with a
///   WebSocket handshake.
/// - An invalid value is refused, never repaired. A host that is not one of the [`AllowedHosts`] is
///   refused too.
/// - Without a forwarded host, a request with several `Host` lines is refused. So is one whose
///   `Host` differs from the authority of its URI.
///
/// A refused request has no [`BaseUrl`](crate::BaseUrl). [`RefusedOrigin`] has the reason.
///
/// # What the proxy must do
///
/// - It must overwrite or remove each of the headers, also one that it does not need. nginx, HAProxy
///   and Caddy pass a client's own `X-Forwarded-Port` on.
/// - `X-Forwarded-Host` should have the port that the client sent (nginx: `$http_host`, not
///   `$host`). The port that the proxy listens on (nginx: `$server_port`) is wrong behind a port
///   mapping.
/// - It should overwrite `Forwarded`. If it only appends, a client can make the whole header
///   malformed, and its request is refused.
///
/// The names of the headers are added to `Vary`, whether they were sent or not.
/// [`without_vary`](crate::RootPathLayer::without_vary) turns that off.
///
/// # Example
///
/// ```
/// use tower_root_path::{AllowedHosts, ForwardedOrigin, RootPathLayer, TrustedProxies};
///
/// let hosts: AllowedHosts = "app.example, *.example.com".parse()?;
/// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts);
/// let layer = RootPathLayer::new("/api/v1").with_forwarded_origin(origin);
/// # Ok::<(), tower_root_path::InvalidAllowedHosts>(())
/// ```
///
/// [RFC 3986, section 3.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2
#[derive(Clone, Debug)]
pub struct ForwardedOrigin {
    family: Family,
    hops: NonZeroUsize,
    trusted: TrustedProxies,
    peer: PeerFn,
    hosts: AllowedHosts,
    default_scheme: Option<Scheme>,
}

#[derive(Clone, Copy, Debug)]
enum Family {
    XForwarded,
    Rfc7239,
}

/// What one family of headers holds. A missing value is taken from the request itself.
#[derive(Default)]
struct Values<'a> {
    scheme: Option<Cow<'a, [u8]>>,
    host: Option<Cow<'a, [u8]>>,
    port: Option<Cow<'a, [u8]>>,
}

impl ForwardedOrigin {
    /// Reads `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`, as Traefik, Caddy and
    /// HAProxy send them.
    #[must_use]
    pub fn x_forwarded(trusted: TrustedProxies, hosts: AllowedHosts) -> Self {
        Self::new(Family::XForwarded, trusted, hosts)
    }

    /// Reads `proto` and `host` of `Forwarded` ([RFC 7239]).
    ///
    /// With `Vary: Forwarded`, shared caches cannot reuse a response for another client, since the
    /// header has the client's address in it.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{ForwardedOrigin, PeerAddr, TrustedProxies};
    ///
    /// let origin = ForwardedOrigin::rfc7239(TrustedProxies::loopback(), "app.example".parse()?);
    ///
    /// let request = Request::builder()
    ///     .header("forwarded", "for=192.0.2.43;proto=https;host=app.example")
    ///     .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
    ///     .body(())?;
    /// assert_eq!(origin.read(&request)?.to_string(), "https://app.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239
    #[must_use]
    pub fn rfc7239(trusted: TrustedProxies, hosts: AllowedHosts) -> Self {
        Self::new(Family::Rfc7239, trusted, hosts)
    }

    fn new(family: Family, trusted: TrustedProxies, hosts: AllowedHosts) -> Self {
        Self {
            family,
            hops: NonZeroUsize::MIN,
            trusted,
            peer: PeerFn::default(),
            hosts,
            default_scheme: None,
        }
    }

    /// Sets how many proxies in a row each append a value (default: 1).
    ///
    /// Of a list, the member at this place from the right is used. If there are fewer, the leftmost
    /// member is used.
    ///
    /// This is independent of [`ForwardedPrefix::hops`](crate::ForwardedPrefix::hops): one Traefik
    /// with two StripPrefix middlewares sends two prefixes and one host.
    ///
    /// # Panics
    ///
    /// If `hops` is zero.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{ForwardedOrigin, PeerAddr, TrustedProxies};
    ///
    /// let hosts = "app.example".parse()?;
    /// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts).hops(2);
    ///
    /// let request = Request::builder()
    ///     .header("x-forwarded-proto", "https, http")
    ///     .header("x-forwarded-host", "app.example, edge.internal")
    ///     .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
    ///     .body(())?;
    /// assert_eq!(origin.read(&request)?.to_string(), "https://app.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn hops(mut self, hops: usize) -> Self {
        self.hops = NonZeroUsize::new(hops).expect("hops must be at least 1");
        self
    }

    /// Sets the scheme of requests that name none: `http` or `https`.
    ///
    /// Over HTTP/1.1, a request URI has no scheme. If the proxy does not send it either, there is no
    /// base URL without this setting. A default of `http` would send password-reset links over plain
    /// HTTP.
    ///
    /// Prefer `https`. Some proxies, such as Apache, drop the headers that a client names in
    /// `Connection`. With `http`, a client can then choose plain HTTP.
    ///
    /// # Panics
    ///
    /// If `scheme` is not `http` or `https`.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{ForwardedOrigin, TrustedProxies};
    ///
    /// let hosts = "app.example".parse()?;
    /// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts)
    ///     .default_scheme("https");
    ///
    /// let request = Request::builder().header("host", "app.example").body(())?;
    /// assert_eq!(origin.read(&request)?.to_string(), "https://app.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn default_scheme<S>(mut self, scheme: S) -> Self
    where
        S: TryInto<uri::Scheme>,
        S::Error: fmt::Display,
    {
        let scheme = scheme.try_into().unwrap_or_else(|error| panic!("{error}"));
        let parsed = Scheme::parse(scheme.as_str().as_bytes());
        assert!(parsed.is_some(), "scheme {scheme:?} is not http or https");
        self.default_scheme = parsed;
        self
    }

    /// Gets the address of the peer from the function `peer`.
    ///
    /// See [`ForwardedPrefix::peer_addr`](crate::ForwardedPrefix::peer_addr) for the default and for
    /// tonic.
    ///
    /// # Example
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use tower_root_path::{ForwardedOrigin, TrustedProxies};
    ///
    /// // An extension of your server.
    /// #[derive(Clone)]
    /// struct ProxyProtocol {
    ///     source: IpAddr,
    /// }
    ///
    /// let hosts = "app.example".parse()?;
    /// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::private(), hosts)
    ///     .peer_addr(|extensions| Some(extensions.get::<ProxyProtocol>()?.source));
    /// # Ok::<(), tower_root_path::InvalidAllowedHosts>(())
    /// ```
    #[must_use]
    pub fn peer_addr<F>(mut self, peer: F) -> Self
    where
        F: Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.peer = PeerFn::new(peer);
        self
    }

    /// Reads the public origin of `request`.
    ///
    /// [`RootPathLayer`](crate::RootPathLayer) uses this function.
    ///
    /// # Errors
    ///
    /// If a value is refused, or if the scheme is not known. See [`RefusedOrigin`].
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{ForwardedOrigin, PeerAddr, TrustedProxies};
    ///
    /// let hosts = "app.example".parse()?;
    /// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts);
    ///
    /// let request = Request::builder()
    ///     .header("x-forwarded-proto", "https")
    ///     .header("x-forwarded-host", "app.example")
    ///     .header("x-forwarded-port", "8443")
    ///     .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
    ///     .body(())?;
    /// assert_eq!(origin.read(&request)?.to_string(), "https://app.example:8443");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<B>(&self, request: &Request<B>) -> Result<Origin, RefusedOrigin> {
        let (uri, headers) = (request.uri(), request.headers());
        let values = if self.trusts(request.extensions()) {
            self.forwarded(headers)?
        } else {
            Values::default()
        };

        let scheme = match (&values.scheme, uri.scheme_str()) {
            (Some(scheme), _) => parse_scheme(scheme)?,
            (None, Some(scheme)) => parse_scheme(scheme.as_bytes())?,
            (None, None) => self.default_scheme.ok_or(RefusedOrigin::UnknownScheme)?,
        };
        let mut authority = match &values.host {
            Some(host) => parse_host(host)?,
            None => request_host(uri, headers)?,
        };
        let port = values.port.filter(|port| !port.is_empty());
        if let Some(port) = port.filter(|_| authority.port.is_none()) {
            let port = parse_port(&port).ok_or_else(|| RefusedOrigin::InvalidPort(text(&port)))?;
            // A proxy behind a TLS offload sends `https` and 80.
            authority.port = Some(port).filter(|port| !matches!(port, 80 | 443));
        }

        let origin = Origin::new(scheme, authority);
        if self.hosts.contains(&origin) {
            Ok(origin)
        } else {
            Err(RefusedOrigin::HostNotAllowed(origin))
        }
    }

    fn trusts(&self, extensions: &Extensions) -> bool {
        let is_trusted = |peer| self.trusted.contains(peer);
        self.trusted.is_all() || self.peer.addr(extensions).is_some_and(is_trusted)
    }

    /// The peer because of which the forwarded headers of `request` are ignored, if they are.
    #[cfg(feature = "tracing")]
    pub(crate) fn ignored_peer<B>(&self, request: &Request<B>) -> Option<Forwarded> {
        let (headers, extensions) = (request.headers(), request.extensions());
        let is_sent = self.headers().iter().any(|name| headers.contains_key(name));
        let is_ignored = is_sent && !self.trusts(extensions);
        is_ignored.then(|| match self.peer.addr(extensions) {
            Some(peer) => Forwarded::UntrustedPeer(peer.to_canonical()),
            None => Forwarded::UnknownPeer,
        })
    }

    fn forwarded<'a>(&self, headers: &'a HeaderMap) -> Result<Values<'a>, RefusedOrigin> {
        match self.family {
            Family::XForwarded => Ok(Values {
                scheme: self.member(headers, &X_FORWARDED_PROTO),
                host: self.member(headers, &X_FORWARDED_HOST),
                port: self.member(headers, &X_FORWARDED_PORT),
            }),
            Family::Rfc7239 => {
                let lines = headers.get_all(header::FORWARDED).iter();
                let element = rfc7239::element(lines.map(HeaderValue::as_bytes), self.hops)
                    .map_err(|rfc7239::Malformed| RefusedOrigin::MalformedForwarded)?;
                let element = element.unwrap_or_default();
                Ok(Values {
                    scheme: element.proto,
                    host: element.host,
                    port: None,
                })
            }
        }
    }

    /// The member of a list, counted from the right, or the leftmost if there are fewer.
    fn member<'a>(&self, headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        let lines = headers.get_all(name).iter().rev();
        let members = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let member = members.take(self.hops.get()).last()?;
        Some(member.trim_ascii().into())
    }

    /// The headers of the family, which the members of `Vary` are.
    pub(crate) fn headers(&self) -> &'static [HeaderName] {
        static X_FORWARDED: [HeaderName; 3] =
            [X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT];
        static RFC_7239: [HeaderName; 1] = [header::FORWARDED];
        match self.family {
            Family::XForwarded => &X_FORWARDED,
            Family::Rfc7239 => &RFC_7239,
        }
    }
}

fn parse_scheme(scheme: &[u8]) -> Result<Scheme, RefusedOrigin> {
    let http = match scheme {
        _ if scheme.eq_ignore_ascii_case(b"ws") => b"http",
        _ if scheme.eq_ignore_ascii_case(b"wss") => &b"https"[..],
        _ => scheme,
    };
    Scheme::parse(http).ok_or_else(|| RefusedOrigin::InvalidScheme(text(scheme)))
}

fn parse_host(host: &[u8]) -> Result<Authority<'_>, RefusedOrigin> {
    Authority::parse(host).ok_or_else(|| RefusedOrigin::InvalidHost(text(host)))
}

/// The host that the request itself names ([RFC 9112, section 3.2]).
///
/// [RFC 9112, section 3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
fn request_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Authority<'a>, RefusedOrigin> {
    let mut lines = headers.get_all(header::HOST).iter();
    let host = lines.next().map(|host| parse_host(host.as_bytes()));
    if lines.next().is_some() {
        return Err(RefusedOrigin::SeveralHosts);
    }
    let Some(authority) = uri.authority() else {
        return host.unwrap_or(Err(RefusedOrigin::NoHost));
    };
    let authority = parse_host(authority.as_str().as_bytes())?;
    // The scheme's default port may be named or not.
    let scheme = uri
        .scheme_str()
        .and_then(|scheme| Scheme::parse(scheme.as_bytes()));
    let default_port = scheme.map(Scheme::default_port);
    let port = |authority: Authority<'_>| authority.port.or(default_port);
    match host.transpose()? {
        Some(host)
            if host.canonical_host() != authority.canonical_host()
                || port(host) != port(authority) =>
        {
            Err(RefusedOrigin::HostMismatch)
        }
        _ => Ok(authority),
    }
}

/// For an error message.
fn text(value: &[u8]) -> Box<str> {
    String::from_utf8_lossy(value).into()
}

/// Error returned when the public origin of a request is refused, or its scheme is not known.
///
/// The message names the reason, and quotes the value if there is one.
///
/// # Example
///
/// ```
/// use http::Request;
/// use tower_root_path::{ForwardedOrigin, RefusedOrigin, TrustedProxies};
///
/// let hosts = "app.example".parse()?;
/// let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts);
///
/// let request = Request::get("https://evil.example/").body(())?;
/// let error = origin.read(&request).unwrap_err();
/// assert_eq!(error, RefusedOrigin::HostNotAllowed("https://evil.example".parse()?));
/// assert_eq!(
///     error.to_string(),
///     "the host of https://evil.example is not allowed \
///      (if it is the app's own, add it to the `AllowedHosts`)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedOrigin {
    /// Neither the proxy nor the request names the scheme, and there is no
    /// [`default_scheme`](ForwardedOrigin::default_scheme).
    UnknownScheme,
    /// The scheme is not `http` or `https`.
    InvalidScheme(Box<str>),
    /// The request has no host.
    NoHost,
    /// The request has several `Host` lines.
    SeveralHosts,
    /// `Host` differs from the authority of the request URI.
    HostMismatch,
    /// The value is not a host with an optional port.
    InvalidHost(Box<str>),
    /// `X-Forwarded-Port` is not a number from 1 to 65535.
    InvalidPort(Box<str>),
    /// `Forwarded` does not follow the grammar of RFC 7239.
    MalformedForwarded,
    /// The host is not one of the [`AllowedHosts`].
    HostNotAllowed(Origin),
}

impl RefusedOrigin {
    /// A number below 10, for what is logged once.
    #[cfg(feature = "tracing")]
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::UnknownScheme => 0,
            Self::InvalidScheme(_) => 1,
            Self::NoHost => 2,
            Self::SeveralHosts => 3,
            Self::HostMismatch => 4,
            Self::InvalidHost(_) => 5,
            Self::InvalidPort(_) => 6,
            Self::MalformedForwarded => 7,
            Self::HostNotAllowed(_) => 8,
        }
    }
}

impl fmt::Display for RefusedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme => f.write_str(
                "the scheme is not known: have the proxy send it (`X-Forwarded-Proto`, or `proto` \
                 of `Forwarded`), or use `ForwardedOrigin::default_scheme`",
            ),
            Self::InvalidScheme(scheme) => write!(f, "scheme {scheme:?} is not http or https"),
            Self::NoHost => f.write_str("the request has no host"),
            Self::SeveralHosts => f.write_str("the request has several `Host` lines"),
            Self::HostMismatch => {
                f.write_str("`Host` differs from the authority of the request URI")
            }
            Self::InvalidHost(host) => write!(f, "{host:?} is not a host with an optional port"),
            Self::InvalidPort(port) => write!(f, "{port:?} is not a port from 1 to 65535"),
            Self::MalformedForwarded => f.write_str(
                "`Forwarded` does not follow the grammar of RFC 7239 (white space is allowed \
                 around commas alone, and a host with a port must be in quotes)",
            ),
            Self::HostNotAllowed(origin) => write!(
                f,
                "the host of {origin} is not allowed (if it is the app's own, add it to the \
                 `AllowedHosts`)"
            ),
        }
    }
}

impl error::Error for RefusedOrigin {}
