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

/// Which headers hold the public origin, which proxies are trusted to set them, and which hosts are
/// the app's own.
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
/// The peer is found as for [`ForwardedPrefix`](crate::ForwardedPrefix): in axum by
/// `into_make_service_with_connect_info::<SocketAddr>()`, elsewhere by [`PeerAddr`](crate::PeerAddr)
/// or [`peer_addr`](Self::peer_addr). Of a peer that is not trusted, or not known, no forwarded
/// header is read.
///
/// The values are validated one by one: a host
/// ([RFC 3986, section 3.2.2]) without userinfo, a port from 1 to 65535, and the scheme `http` or
/// `https`; `ws` and `wss`, which Traefik sends with a WebSocket handshake, count as these. An
/// invalid value that is used is refused and never repaired, and so is a host that is not allowed.
/// Without a forwarded host, so is a second `Host`, and one that differs from the authority of the
/// request URI. The request then has no [`BaseUrl`](crate::BaseUrl).
///
/// # What the proxy must do
///
/// It must overwrite or remove each of the headers, also one that it does not need: nginx, HAProxy and Caddy pass
/// a client's own `X-Forwarded-Port` on. `X-Forwarded-Host` should have the port that the client
/// sent (nginx: `$http_host`, not `$host`). A port that the proxy listens on (nginx: `$server_port`)
/// is wrong behind a port mapping. A client can make the whole of a `Forwarded` malformed that its
/// proxy only appends to; the request is refused then.
///
/// `Vary` gets the names of the headers, whether they were sent or not;
/// [`without_vary`](crate::RootPathLayer::without_vary) turns that off.
///
/// # Example
///
/// ```
/// use tower_root_path::{ForwardedOrigin, RootPathLayer, TrustedProxies};
///
/// let origin = ForwardedOrigin::x_forwarded(
///     TrustedProxies::loopback(),
///     "app.example, *.example.com".parse()?,
/// );
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
    /// `Vary: Forwarded` keeps shared caches from storing responses, since the header has the
    /// client's address in it.
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

    /// The number of proxies that append to the headers, 1 by default: of a list, the member at
    /// this place from the right is used, or the leftmost if there are fewer.
    ///
    /// It is independent of [`ForwardedPrefix::hops`](crate::ForwardedPrefix::hops): one Traefik with
    /// two StripPrefix middlewares sends two prefixes and one host.
    ///
    /// # Panics
    ///
    /// If `hops` is 0.
    #[must_use]
    #[track_caller]
    pub fn hops(mut self, hops: usize) -> Self {
        self.hops = NonZeroUsize::new(hops).expect("hops must be at least 1");
        self
    }

    /// The scheme of requests that name none: `http` or `https`.
    ///
    /// Over HTTP/1.1 a request has no scheme. If the proxy does not send it either, there is no base
    /// URL without this: `http` would be a guess that sends password-reset links over plain HTTP.
    ///
    /// With `http`, a client can choose plain HTTP if the proxy drops the headers that the client
    /// names in `Connection` (Apache).
    ///
    /// # Panics
    ///
    /// If `scheme` is not `http` or `https`.
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

    /// Takes the address of the peer from `peer`, for servers whose connect info this crate does not
    /// know. See [`ForwardedPrefix::peer_addr`](crate::ForwardedPrefix::peer_addr).
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
    /// If a value is refused, or if the scheme is not known.
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

/// Why a request has no [`BaseUrl`](crate::BaseUrl). Values are quoted as they were sent.
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
    /// The host is not a host with an optional port.
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
