//! Warnings that are logged once per layer, not once per request.

use crate::{
    base_url::{ForwardedOrigin, Origin, RefusedOrigin},
    forwarded::Forwarded,
};
use http::{HeaderName, Request};

#[cfg(feature = "html")]
use http::HeaderValue;

#[cfg(feature = "tracing")]
use {
    crate::forwarded::InvalidForwarded,
    std::sync::atomic::{AtomicU32, Ordering},
};

/// Logs each reason once (feature `tracing`; does nothing without it).
#[derive(Debug, Default)]
pub(crate) struct WarnOnce {
    /// A bit for each reason that was logged.
    #[cfg(feature = "tracing")]
    logged: AtomicU32,
}

impl Clone for WarnOnce {
    /// A layer whose configuration was changed logs every reason again.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl WarnOnce {
    /// Whether anything is logged. If not, nothing needs to be kept for a warning.
    pub(crate) const ENABLED: bool = cfg!(feature = "tracing");
}

/// Logs, once per process, that a handler needs a base URL and no layer has an origin.
#[cfg(feature = "axum")]
pub(crate) fn no_public_origin() {
    #[cfg(feature = "tracing")]
    {
        static LOGGED: std::sync::Once = std::sync::Once::new();
        LOGGED.call_once(|| {
            tracing::error!(
                "a handler needs the base URL, and no public origin is configured: use \
                 `RootPathLayer::public_origin` or `RootPathLayer::with_forwarded_origin`",
            );
        });
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)]
impl WarnOnce {
    pub(crate) fn forwarded(&self, _header: &HeaderName, _forwarded: &Forwarded) {}

    #[cfg(feature = "html")]
    pub(crate) fn encoded_page(&self, _coding: &HeaderValue) {}

    pub(crate) fn prefix_not_stripped(&self, _root_path: &str, _reads_prefix: bool) {}

    pub(crate) fn origin<B>(
        &self,
        _forwarded: &ForwardedOrigin,
        _request: &Request<B>,
        _read: &Result<Origin, RefusedOrigin>,
    ) {
    }
}

/// The bits below are those of [`InvalidRootPath::kind`](crate::InvalidRootPath::kind).
#[cfg(feature = "tracing")]
impl WarnOnce {
    const UNTRUSTED_PEER: u8 = 16;
    const UNKNOWN_PEER: u8 = 17;
    const PATH_MISMATCH: u8 = 18;
    const PREFIX_NOT_STRIPPED: u8 = 19;
    const ORIGIN_OF_UNTRUSTED_PEER: u8 = 20;
    const ORIGIN_OF_UNKNOWN_PEER: u8 = 21;
    /// And those after it, by [`RefusedOrigin::kind`].
    const REFUSED_ORIGIN: u8 = 22;
    /// `BaseHrefLayer` has a `WarnOnce` of its own.
    #[cfg(feature = "html")]
    const ENCODED_PAGE: u8 = 0;

    /// Why the value of `header` was ignored, if it was.
    pub(crate) fn forwarded(&self, header: &HeaderName, forwarded: &Forwarded) {
        let reason = match forwarded {
            Forwarded::Used(_) | Forwarded::Absent => return,
            Forwarded::UntrustedPeer(_) => Self::UNTRUSTED_PEER,
            Forwarded::UnknownPeer => Self::UNKNOWN_PEER,
            Forwarded::Invalid(InvalidForwarded::PathMismatch { .. }) => Self::PATH_MISMATCH,
            Forwarded::Invalid(InvalidForwarded::RootPath(error)) => error.kind(),
        };
        if !self.is_first(reason) {
            return;
        }
        match forwarded {
            Forwarded::UntrustedPeer(_) => tracing::warn!(
                %header,
                "ignored a forwarded root path: {forwarded} (if this is your proxy, add it to the \
                 `TrustedProxies`)",
            ),
            Forwarded::UnknownPeer => tracing::warn!(
                %header,
                "ignored a forwarded root path, since the address of the peer is not known: axum \
                 needs `into_make_service_with_connect_info::<SocketAddr>()`, another server a \
                 `PeerAddr` in the request extensions or `ForwardedPrefix::peer_addr`",
            ),
            _ => tracing::warn!(%header, "ignored a forwarded root path: {forwarded}"),
        }
    }

    /// A page with this content coding.
    #[cfg(feature = "html")]
    pub(crate) fn encoded_page(&self, coding: &HeaderValue) {
        if self.is_first(Self::ENCODED_PAGE) {
            tracing::warn!(
                ?coding,
                "an HTML page has a content coding, so it gets no `<base href>`: place \
                 `BaseHrefLayer` inside the compression layer, and do not precompress pages",
            );
        }
    }

    /// A request path that begins with the root path, and a 404 response. The path alone does not
    /// show whether the proxy does not strip the prefix or the client sent it twice.
    ///
    /// A proxy that sends the prefix has to strip it: for a client that sends the header, the app
    /// would strip any prefix.
    pub(crate) fn prefix_not_stripped(&self, root_path: &str, reads_prefix: bool) {
        let fix = match reads_prefix {
            true => "let the proxy strip the prefix that it sends",
            false => "use `strip_if_present()`, in axum with `RootPathLayer::wrap`",
        };
        if self.is_first(Self::PREFIX_NOT_STRIPPED) {
            tracing::warn!(
                root_path,
                "the request path begins with the root path, and the response is 404. Does your \
                 proxy strip the prefix? If it does, the client sent the prefix twice, and nothing \
                 is wrong. If it does not, {fix}",
            );
        }
    }

    /// Why a request has no origin, or why forwarded headers were ignored.
    pub(crate) fn origin<B>(
        &self,
        forwarded: &ForwardedOrigin,
        request: &Request<B>,
        read: &Result<Origin, RefusedOrigin>,
    ) {
        match self.ignored_peer_to_log(forwarded, request) {
            Some(Forwarded::UnknownPeer) => {
                tracing::warn!(
                    "ignored a forwarded origin, since the address of the peer is not known: axum \
                 needs `into_make_service_with_connect_info::<SocketAddr>()`, another server a \
                 `PeerAddr` in the request extensions or `ForwardedOrigin::peer_addr`",
                );
            }
            Some(ignored) => tracing::warn!(
                "ignored a forwarded origin: {ignored} (if this is your proxy, add it to the \
                 `TrustedProxies`)",
            ),
            None => {}
        }
        if let Err(refused) = read {
            if self.is_first(Self::REFUSED_ORIGIN + refused.kind()) {
                tracing::warn!("the request has no base URL: {refused}");
            }
        }
    }

    fn ignored_peer_to_log<B>(
        &self,
        forwarded: &ForwardedOrigin,
        request: &Request<B>,
    ) -> Option<Forwarded> {
        let bits = 1 << Self::ORIGIN_OF_UNTRUSTED_PEER | 1 << Self::ORIGIN_OF_UNKNOWN_PEER;
        if self.logged.load(Ordering::Relaxed) & bits == bits {
            return None;
        }
        let ignored = forwarded.ignored_peer(request)?;
        let reason = match ignored {
            Forwarded::UnknownPeer => Self::ORIGIN_OF_UNKNOWN_PEER,
            _ => Self::ORIGIN_OF_UNTRUSTED_PEER,
        };
        self.is_first(reason).then_some(ignored)
    }

    /// Whether `reason`, a number below 32, is here for the first time.
    fn is_first(&self, reason: u8) -> bool {
        let bit = 1 << reason;
        let is_new = |logged: u32| logged & bit == 0;
        // Most often it is not, and a load leaves the cache line to the other threads.
        is_new(self.logged.load(Ordering::Relaxed))
            && is_new(self.logged.fetch_or(bit, Ordering::Relaxed))
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_first_once_per_configuration() {
        let warn_once = WarnOnce::default();
        assert!(warn_once.is_first(0));
        assert!(!warn_once.is_first(0));
        assert!(warn_once.is_first(31));
        assert!(!warn_once.is_first(31));
        assert!(!warn_once.is_first(0));
        assert!(warn_once.clone().is_first(0));
    }
}
