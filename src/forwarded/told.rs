//! Tells once why forwarded values are ignored, if there is somebody to tell it to.

use super::{Forwarded, ForwardedPrefix};

/// The reasons that were told already: one event for each, not for each request.
#[derive(Debug, Default)]
pub(crate) struct Told {
    #[cfg(feature = "tracing")]
    reasons: std::sync::atomic::AtomicU16,
}

impl Clone for Told {
    /// What a changed layer has to tell it has not told yet.
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(not(feature = "tracing"))]
impl Told {
    #[allow(clippy::unused_self)]
    pub(crate) fn tell(&self, _: &ForwardedPrefix, _: &Forwarded) {}
}

#[cfg(feature = "tracing")]
impl Told {
    pub(crate) fn tell(&self, by: &ForwardedPrefix, found: &Forwarded) {
        use super::InvalidForwarded;
        use std::sync::atomic::Ordering;

        let header = by.header();
        let reason = match found {
            Forwarded::Used(_) | Forwarded::Absent => return,
            Forwarded::UntrustedPeer(_) => 8,
            Forwarded::UnknownPeer => 9,
            Forwarded::Invalid(InvalidForwarded::PathMismatch { .. }) => 10,
            Forwarded::Invalid(InvalidForwarded::RootPath(error)) => error.kind(),
        };
        let seen = self.reasons.fetch_or(1 << reason, Ordering::Relaxed);
        if seen & (1 << reason) != 0 {
            return;
        }
        match found {
            Forwarded::UnknownPeer => tracing::warn!(
                %header,
                "ignored a forwarded root path, since the address of the peer is not known: axum \
                 needs `into_make_service_with_connect_info::<SocketAddr>()`, another server a \
                 `PeerAddr` in the request extensions or `ForwardedPrefix::peer_addr`",
            ),
            Forwarded::UntrustedPeer(_) => tracing::warn!(
                %header,
                "ignored a forwarded root path: {found} (if this is your proxy, add it to the \
                 `TrustedProxies`)",
            ),
            reason => tracing::warn!(%header, "ignored a forwarded root path: {reason}"),
        }
    }
}
