//! A root path that a proxy tells: which header, whose word, which peer.

mod original_path;
mod peer;
mod trusted_proxies;

pub use self::{
    peer::PeerAddr,
    trusted_proxies::{InvalidTrustedProxies, TrustedProxies},
};

use self::peer::PeerFn;
use crate::{
    root_path::{InvalidRootPath, Reason},
    RootPath,
};
use http::{Extensions, HeaderName, HeaderValue, Request};
use std::{error, fmt, iter, net::IpAddr, num::NonZeroUsize};

pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// One request header that tells the root path, and the proxies whose word counts.
///
/// Nearly every proxy passes a client's own `X-Forwarded-Prefix` on unless it is told to overwrite
/// it, and a proxy that sets one such header does not clean the others. So exactly one header is
/// read, the one named here, and only from a peer in [`TrustedProxies`].
///
/// There are two kinds of header:
///
/// | kind | set by | the root path is |
/// |---|---|---|
/// | prefix header: [`x_forwarded_prefix`](Self::x_forwarded_prefix), [`prefix_header`](Self::prefix_header) | Traefik's StripPrefix, Spring Cloud Gateway, `proxy_set_header X-Forwarded-Prefix` and the like | its value |
/// | original path header: [`original_path_header`](Self::original_path_header) | Envoy (`X-Envoy-Original-Path`), Traefik's ReplacePathRegex (`X-Replaced-Path`), ingress-nginx (`X-Original-URI`, if `proxy-add-original-uri-header` is on) | the part in front of the path that arrived |
///
/// # Lists
///
/// The lines of a prefix header are taken in order and split at commas, and white space around a
/// member is trimmed. The rightmost [`hops`](Self::hops) members (default: one) are concatenated
/// from left to right. Empty members are among them, and contribute nothing: with one hop, `/a,`
/// is the empty root path, since the nearest proxy sent an empty prefix. This is right for two
/// StripPrefixes in a row, HAProxy's `add-header` (with an empty variable too) and Apache's
/// `append`, and a value that the client sent stays out.
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
    /// The same name, as a member of `Vary`.
    vary: HeaderValue,
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

    /// Reads the root path from `header` if the peer is one of `trusted`: `X-Script-Name`,
    /// `X-Ingress-Path` (Home Assistant), or any name your proxy sets.
    ///
    /// ```
    /// # use http::HeaderName;
    /// # use tower_root_path::{ForwardedPrefix, TrustedProxies};
    /// let name = HeaderName::from_static("x-script-name");
    /// let forwarded = ForwardedPrefix::prefix_header(name, TrustedProxies::loopback());
    /// ```
    #[must_use]
    pub fn prefix_header(header: HeaderName, trusted: TrustedProxies) -> Self {
        Self::new(header, Kind::Prefix, trusted)
    }

    /// Reads the path as it was before a proxy stripped it from `header`, if the peer is one of
    /// `trusted`. The root path is the part in front of the path that arrived, cut at a segment
    /// boundary. Queries are ignored, and triplets of unreserved characters are decoded first, since
    /// the client chooses the spelling: `/%61pi/v1/users` yields `/api/v1`. If the original path does
    /// not end with the path that arrived, the value is [invalid](InvalidForwarded::PathMismatch).
    ///
    /// Such a header is one line for each hop, and never split at commas, since a path may have
    /// them. With several [`hops`](Self::hops), the leftmost of the rightmost lines that is not
    /// empty is taken. A path that comes with one is stripped by the proxy already, so
    /// [`RootPathLayer`](crate::RootPathLayer) does not strip it again.
    ///
    /// ```
    /// # use http::{HeaderName, Request};
    /// # use tower_root_path::{Forwarded, ForwardedPrefix, PeerAddr, RootPath, TrustedProxies};
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
            vary: HeaderValue::from(header.clone()),
            header,
            kind,
            hops: NonZeroUsize::MIN,
            trusted,
            peer: PeerFn::default(),
        }
    }

    /// How many proxies in a row each add their own part: `hops(2)` for Traefik in front of
    /// Traefik. One unless told otherwise. Where fewer parts arrive, all of them count.
    ///
    /// # Panics
    ///
    /// If `hops` is zero.
    #[must_use]
    #[track_caller]
    pub fn hops(mut self, hops: usize) -> Self {
        self.hops = NonZeroUsize::new(hops).expect("hops must be at least 1");
        self
    }

    /// Takes the address of the peer from `peer` alone, for servers that keep it elsewhere than in
    /// [`PeerAddr`] or, with the features `axum` and `tonic`, where axum and tonic keep it.
    ///
    /// ```
    /// # use std::net::IpAddr;
    /// # use tower_root_path::{ForwardedPrefix, TrustedProxies};
    /// # #[derive(Clone)]
    /// # struct ProxyProtocol { source: IpAddr }
    /// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::private())
    ///     .peer_addr(|extensions| Some(extensions.get::<ProxyProtocol>()?.source));
    /// ```
    ///
    /// A tonic server that is given TLS streams, instead of doing the TLS itself, keeps it in its
    /// `TlsConnectInfo` alone, a type that is there only with one of tonic's TLS features:
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

    /// The name of the header that is read.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// What the header says, and if it does not count, why. This is what
    /// [`RootPathLayer`](crate::RootPathLayer) acts upon.
    pub fn read<B>(&self, request: &Request<B>) -> Forwarded {
        self.read_or_reuse(request, &RootPath::EMPTY)
    }

    /// [`read`](Self::read), with a root path that is likely to be the one told: comparing is
    /// cheaper than parsing, and its clone than a new one.
    pub(crate) fn read_or_reuse<B>(&self, request: &Request<B>, likely: &RootPath) -> Forwarded {
        let mut lines = request.headers().get_all(&self.header).iter();
        let Some(last) = lines.next_back() else {
            return Forwarded::Absent;
        };
        if !self.trusted.is_all() {
            match self.peer.addr(request.extensions()) {
                None => return Forwarded::UnknownPeer,
                Some(peer) if !self.trusted.contains(peer) => {
                    return Forwarded::UntrustedPeer(peer.to_canonical());
                }
                Some(_) => {}
            }
        }
        let from_the_right = iter::once(last).chain(lines.rev());
        let told = match self.kind {
            Kind::Prefix if self.is_just(last, likely) => Ok(likely.clone()),
            Kind::Prefix => self.prefix(from_the_right),
            Kind::OriginalPath => self.in_front_of(request.uri().path(), from_the_right),
        };
        told.map_or_else(Forwarded::Invalid, Forwarded::Used)
    }

    /// The name of the header as a member of `Vary`.
    pub(crate) fn vary(&self) -> &HeaderValue {
        &self.vary
    }

    /// Whether a value of this header also tells that the path is stripped already.
    pub(crate) fn tells_stripped(&self) -> bool {
        matches!(self.kind, Kind::OriginalPath)
    }

    /// Whether the last line alone tells `root_path`. (An empty line tells nothing.)
    fn is_just(&self, last: &HeaderValue, root_path: &RootPath) -> bool {
        self.hops == NonZeroUsize::MIN && !root_path.is_empty() && last == root_path.as_str()
    }

    fn prefix<'a>(
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

    fn in_front_of<'a>(
        &self,
        path: &str,
        lines_from_the_right: impl Iterator<Item = &'a HeaderValue>,
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

/// What [`ForwardedPrefix::read`] found in a request.
///
/// Its [`Display`](fmt::Display) is a few words for a log or a status page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarded {
    /// A trusted peer told this root path; empty if it told that there is none.
    Used(RootPath),
    /// The header is not there.
    Absent,
    /// The header was sent by a peer with this address, which is not trusted. An IPv4-mapped IPv6
    /// address is given as IPv4.
    UntrustedPeer(IpAddr),
    /// The header is there, and nobody knows from whom. The usual cause is a missing
    /// `into_make_service_with_connect_info::<SocketAddr>()` in axum, or a missing [`PeerAddr`].
    UnknownPeer,
    /// A trusted peer sent something that is no root path. It is ignored as a whole.
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

/// Why a forwarded value is no root path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidForwarded {
    /// It, or what is in front of the path that arrived, does not follow the
    /// [grammar](RootPath#grammar).
    RootPath(InvalidRootPath),
    /// The original path does not end with the path that arrived, at a segment boundary: the proxy
    /// did more than strip a prefix, or an earlier proxy sent the header.
    ///
    /// Only for an [original path header](ForwardedPrefix::original_path_header).
    #[non_exhaustive]
    PathMismatch {
        /// The path in the header.
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
