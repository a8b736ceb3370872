//! A root path that a proxy sends: which header, which proxies are trusted, which peer.

mod original_path;
mod peer;
mod trusted_proxies;

pub use self::{
    peer::PeerAddr,
    trusted_proxies::{InvalidTrustedProxies, TrustedProxies},
};

pub(crate) use self::peer::PeerFn;
use crate::{
    root_path::{InvalidRootPath, Reason},
    RootPath,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Uri};
use std::{error, fmt, iter, net::IpAddr, num::NonZeroUsize};

pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The request header that holds the root path, and the proxies that are trusted to set it.
///
/// Most proxies pass the client's own `X-Forwarded-Prefix` on, unless they are configured to
/// overwrite it. A proxy that sets one such header does not remove the others. So only the header
/// named here is read, and only if the peer is one of the [`TrustedProxies`].
///
/// There are two kinds of header:
///
/// | kind | sent by | root path |
/// |---|---|---|
/// | prefix header: [`x_forwarded_prefix`](Self::x_forwarded_prefix), [`prefix_header`](Self::prefix_header) | Traefik's StripPrefix, Spring Cloud Gateway, nginx with `proxy_set_header X-Forwarded-Prefix` | the value |
/// | original path header: [`original_path_header`](Self::original_path_header) | Envoy (`X-Envoy-Original-Path`), Traefik's ReplacePathRegex (`X-Replaced-Path`), ingress-nginx (`X-Original-URI`, if `proxy-add-original-uri-header` is on) | the part before the path that arrived |
///
/// # Lists
///
/// The lines of a prefix header are taken in order and split at commas. White space around a member
/// is trimmed. The rightmost [`hops`](Self::hops) members (default: 1) are concatenated from left
/// to right. A value that the client sent is further left, so it is not used.
///
/// Empty members count: with one hop, `/a,` is the empty root path, because the nearest proxy sent
/// an empty prefix.
///
/// This fits two Traefik StripPrefixes in a row, HAProxy's `add-header` and Apache's `append`.
///
/// # Example
///
/// ```
/// use http::Request;
/// use tower_root_path::{Forwarded, ForwardedPrefix, PeerAddr, RootPath, TrustedProxies};
///
/// let forwarded = ForwardedPrefix::x_forwarded_prefix("10.0.0.0/8".parse::<TrustedProxies>()?);
///
/// let request = |peer: [u8; 4], value: &str| {
///     Request::builder()
///         .header("x-forwarded-prefix", value)
///         .extension(PeerAddr((peer, 4711).into()))
///         .body(())
/// };
/// assert_eq!(
///     forwarded.read(&request([10, 1, 2, 3], "/api/v1")?),
///     Forwarded::Used(RootPath::from_static("/api/v1"))
/// );
/// assert_eq!(
///     forwarded.read(&request([192, 0, 2, 1], "/api/v1")?).to_string(),
///     "untrusted peer 192.0.2.1"
/// );
/// assert_eq!(
///     forwarded.read(&request([10, 1, 2, 3], "//evil.example")?).to_string(),
///     r#"invalid: "//evil.example": empty segment at byte 1"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForwardedPrefix {
    header: HeaderName,
    kind: Kind,
    hops: NonZeroUsize,
    trusted: TrustedProxies,
    peer: PeerFn,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Prefix,
    OriginalPath,
}

impl ForwardedPrefix {
    /// Reads `X-Forwarded-Prefix` if the peer is one of `trusted`.
    #[must_use]
    pub fn x_forwarded_prefix(trusted: TrustedProxies) -> Self {
        Self::prefix_header(X_FORWARDED_PREFIX, trusted)
    }

    /// Reads the root path from `header` if the peer is one of `trusted`.
    ///
    /// Use it for `X-Script-Name`, `X-Ingress-Path` (Home Assistant) or any other header that your
    /// proxy sets.
    ///
    /// # Example
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_root_path::{ForwardedPrefix, TrustedProxies};
    ///
    /// let name = HeaderName::from_static("x-script-name");
    /// let forwarded = ForwardedPrefix::prefix_header(name, TrustedProxies::loopback());
    /// ```
    #[must_use]
    pub fn prefix_header(header: HeaderName, trusted: TrustedProxies) -> Self {
        Self::new(header, Kind::Prefix, trusted)
    }

    /// Reads the original path from `header` if the peer is one of `trusted`.
    ///
    /// The root path is the part of the original path before the path that arrived, cut at a
    /// segment boundary. If the original path does not end with the path that arrived, the value is
    /// [invalid](InvalidForwarded::PathMismatch). Queries are ignored.
    ///
    /// The client chooses the spelling of the path. So triplets of unreserved characters are decoded
    /// first ([RFC 3986, section 6.2.2.2]): `/%61pi/v1/users` yields `/api/v1`.
    ///
    /// A path may contain commas, so a line is never split. With several [`hops`](Self::hops), of
    /// the rightmost lines the leftmost one that is not empty is used.
    ///
    /// The path that arrived with such a header is stripped already, so
    /// [`RootPathLayer`](crate::RootPathLayer) does not strip it.
    ///
    /// [RFC 3986, section 6.2.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2
    ///
    /// # Example
    ///
    /// ```
    /// use http::{HeaderName, Request};
    /// use tower_root_path::{Forwarded, ForwardedPrefix, PeerAddr, RootPath, TrustedProxies};
    ///
    /// let name = HeaderName::from_static("x-envoy-original-path");
    /// let forwarded = ForwardedPrefix::original_path_header(name, TrustedProxies::loopback());
    ///
    /// let request = Request::builder()
    ///     .uri("/users?page=2")
    ///     .header("x-envoy-original-path", "/api/v1/users?page=2")
    ///     .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
    ///     .body(())?;
    /// assert_eq!(
    ///     forwarded.read(&request),
    ///     Forwarded::Used(RootPath::from_static("/api/v1"))
    /// );
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn original_path_header(header: HeaderName, trusted: TrustedProxies) -> Self {
        Self::new(header, Kind::OriginalPath, trusted)
    }

    fn new(header: HeaderName, kind: Kind, trusted: TrustedProxies) -> Self {
        Self {
            header,
            kind,
            hops: NonZeroUsize::MIN,
            trusted,
            peer: PeerFn::default(),
        }
    }

    /// Sets how many proxies in a row each add a value (default: 1).
    ///
    /// For two Traefiks in a row, use `hops(2)`. If fewer values arrive, all of them are used.
    ///
    /// # Panics
    ///
    /// If `hops` is zero.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{Forwarded, ForwardedPrefix, PeerAddr, RootPath, TrustedProxies};
    ///
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback()).hops(2);
    ///
    /// let request = Request::builder()
    ///     .header("x-forwarded-prefix", "/sent-by-the-client, /edge, /api/v1")
    ///     .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
    ///     .body(())?;
    /// assert_eq!(
    ///     forwarded.read(&request),
    ///     Forwarded::Used(RootPath::from_static("/edge/api/v1"))
    /// );
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn hops(mut self, hops: usize) -> Self {
        self.hops = NonZeroUsize::new(hops).expect("hops must be at least 1");
        self
    }

    /// Gets the address of the peer from the function `peer`.
    ///
    /// Use it if your server keeps the address in an extension of its own. The default is
    /// [`PeerAddr`], then axum's `ConnectInfo<SocketAddr>` (feature `axum`), then tonic's
    /// `TcpConnectInfo` (feature `tonic`).
    ///
    /// # Example
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use tower_root_path::{ForwardedPrefix, TrustedProxies};
    ///
    /// // An extension of your server.
    /// #[derive(Clone)]
    /// struct ProxyProtocol {
    ///     source: IpAddr,
    /// }
    ///
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::private())
    ///     .peer_addr(|extensions| Some(extensions.get::<ProxyProtocol>()?.source));
    /// ```
    ///
    /// A tonic server that receives TLS streams, instead of doing TLS itself, keeps the address only
    /// in `TlsConnectInfo`. That type needs one of tonic's TLS features:
    ///
    /// ```ignore
    /// forwarded.peer_addr(|extensions| {
    ///     let info = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
    ///     Some(info.get_ref().remote_addr()?.ip())
    /// });
    /// ```
    #[must_use]
    pub fn peer_addr<F>(mut self, peer: F) -> Self
    where
        F: Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.peer = PeerFn::new(peer);
        self
    }

    /// Returns the name of the header that is read.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{ForwardedPrefix, TrustedProxies};
    ///
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    /// assert_eq!(forwarded.header(), "x-forwarded-prefix");
    /// ```
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Reads the header of `request`, or returns why it is not used.
    ///
    /// [`RootPathLayer`](crate::RootPathLayer) uses this function. Call it in a handler to show on a
    /// status page why a header is ignored.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::{Forwarded, ForwardedPrefix, TrustedProxies};
    ///
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    ///
    /// let request = Request::builder().header("x-forwarded-prefix", "/api/v1").body(())?;
    /// assert_eq!(forwarded.read(&request), Forwarded::UnknownPeer);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn read<B>(&self, request: &Request<B>) -> Forwarded {
        let (uri, headers, extensions) = (request.uri(), request.headers(), request.extensions());
        self.read_or_reuse(uri, headers, extensions, &RootPath::EMPTY)
    }

    /// The same as [`read`](Self::read), but cheaper if the header holds `configured`: a comparison
    /// and a clone instead of parsing and an allocation.
    #[inline]
    pub(crate) fn read_or_reuse(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        extensions: &Extensions,
        configured: &RootPath,
    ) -> Forwarded {
        let mut lines = headers.get_all(&self.header).iter();
        let Some(last) = lines.next_back() else {
            return Forwarded::Absent;
        };
        if !self.trusted.is_all() {
            match self.peer.addr(extensions) {
                None => return Forwarded::UnknownPeer,
                Some(peer) if !self.trusted.contains(peer) => {
                    return Forwarded::UntrustedPeer(peer.to_canonical());
                }
                Some(_) => {}
            }
        }
        if self.is_exactly(last, configured) {
            return Forwarded::Used(configured.clone());
        }
        let from_the_right = iter::once(last).chain(lines.rev());
        let root_path = match self.kind {
            Kind::Prefix => self.parse_prefix(from_the_right),
            Kind::OriginalPath => self.parse_original_path(from_the_right, uri.path()),
        };
        root_path.map_or_else(Forwarded::Invalid, Forwarded::Used)
    }

    /// Whether a valid value of this header means that the request path is stripped already.
    pub(crate) fn implies_stripped(&self) -> bool {
        matches!(self.kind, Kind::OriginalPath)
    }

    /// Whether `last`, the last line, is the only one that is used, and is `root_path`.
    fn is_exactly(&self, last: &HeaderValue, root_path: &RootPath) -> bool {
        matches!(self.kind, Kind::Prefix)
            && self.hops == NonZeroUsize::MIN
            && last == root_path.as_str()
    }

    fn parse_prefix<'a>(
        &self,
        lines_from_the_right: impl Iterator<Item = &'a HeaderValue>,
    ) -> Result<RootPath, InvalidForwarded> {
        let mut members = lines_from_the_right
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
            // Empty members count, unlike in RFC 9110, section 5.6.1: a proxy may send an empty
            // prefix, and the member to the left of it may be the client's.
            .take(self.hops.get());
        members.try_fold(RootPath::EMPTY, |inner, outer| {
            Ok(RootPath::try_from(outer.trim_ascii())?.concat(&inner)?)
        })
    }

    fn parse_original_path<'a>(
        &self,
        lines_from_the_right: impl Iterator<Item = &'a HeaderValue>,
        path: &str,
    ) -> Result<RootPath, InvalidForwarded> {
        let Some(original) = lines_from_the_right
            .take(self.hops.get())
            .map(|line| line.as_bytes().trim_ascii())
            .filter(|line| !line.is_empty())
            .last()
        else {
            return Ok(RootPath::EMPTY);
        };
        original_path::root_path(original, path)
    }
}

/// The result of [`ForwardedPrefix::read`]: the forwarded root path, or why it is not used.
///
/// It is printed as a few words for a log or a status page: `used`, `absent`,
/// `untrusted peer 192.0.2.1`, `unknown peer`, or `invalid:` and the reason.
///
/// See [`ForwardedPrefix`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarded {
    /// A trusted proxy sent this root path. It is empty if the proxy sent an empty value or `/`.
    Used(RootPath),
    /// The request does not have the header.
    Absent,
    /// The peer with this address sent the header, and is not trusted.
    ///
    /// An IPv4-mapped IPv6 address is given as IPv4.
    UntrustedPeer(IpAddr),
    /// The request has the header, but the address of the peer is unknown.
    ///
    /// The usual cause is a missing `into_make_service_with_connect_info::<SocketAddr>()` in axum,
    /// or a missing [`PeerAddr`].
    UnknownPeer,
    /// A trusted proxy sent a value that is not valid. The whole header is ignored.
    Invalid(InvalidForwarded),
}

impl fmt::Display for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(_) => f.write_str("used"),
            Self::Absent => f.write_str("absent"),
            Self::UntrustedPeer(peer) => write!(f, "untrusted peer {peer}"),
            Self::UnknownPeer => f.write_str("unknown peer"),
            Self::Invalid(reason) => write!(f, "invalid: {reason}"),
        }
    }
}

/// Error returned when a trusted proxy sent a value that does not yield a valid root path.
///
/// The message quotes the value, and names the reason.
///
/// # Example
///
/// ```
/// use http::{HeaderName, Request};
/// use tower_root_path::{Forwarded, ForwardedPrefix, TrustedProxies};
///
/// let name = HeaderName::from_static("x-original-uri");
/// let forwarded = ForwardedPrefix::original_path_header(name, TrustedProxies::all());
///
/// let request = Request::get("/users").header("x-original-uri", "/api/v1/items").body(())?;
/// let Forwarded::Invalid(error) = forwarded.read(&request) else {
///     panic!("the paths do not match");
/// };
/// assert_eq!(
///     error.to_string(),
///     r#"original path "/api/v1/items" does not end with the path "/users" that arrived"#
/// );
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidForwarded {
    /// The root path does not follow the [grammar](RootPath#grammar).
    RootPath(InvalidRootPath),
    /// The original path does not end with the path that arrived, at a segment boundary.
    ///
    /// Returned only for an [original path header](ForwardedPrefix::original_path_header). The
    /// proxy did more than strip a prefix, or the header is not from the nearest proxy.
    #[non_exhaustive]
    PathMismatch {
        /// The original path, as it is in the header.
        original: Box<str>,
        /// The path that arrived.
        path: Box<str>,
    },
}

impl From<InvalidRootPath> for InvalidForwarded {
    fn from(error: InvalidRootPath) -> Self {
        Self::RootPath(error)
    }
}

impl fmt::Display for InvalidForwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootPath(error) => Reason(error).fmt(f),
            Self::PathMismatch { original, path } => write!(
                f,
                "original path {original:?} does not end with the path {path:?} that arrived"
            ),
        }
    }
}

impl error::Error for InvalidForwarded {}
