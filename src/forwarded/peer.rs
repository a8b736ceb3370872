//! Whose request it is: the address at the other end of the connection.

use http::Extensions;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The address at the other end of the connection, as a request extension for servers that have
/// none of their own: put it into every request where you accept connections.
///
/// Needed only by [`ForwardedPrefix`](crate::ForwardedPrefix). With the feature `axum`, axum's
/// `ConnectInfo<SocketAddr>` does the same, and with the feature `tonic`, tonic's
/// `TcpConnectInfo`, which its server adds with and without TLS.
///
/// ```
/// use http::Request;
/// use std::net::SocketAddr;
/// use tower_root_path::PeerAddr;
///
/// # let (_stream, peer_addr) = ((), SocketAddr::from(([127, 0, 0, 1], 4711)));
/// // let (stream, peer_addr) = listener.accept().await?;
/// let mut request = Request::new(());
/// request.extensions_mut().insert(PeerAddr(peer_addr));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> Self {
        Self(addr)
    }
}

type Peer = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// Where to find the peer's address: the user's own way, or every place this crate knows.
#[derive(Clone, Default)]
pub(super) struct PeerFn(Option<Arc<Peer>>);

impl PeerFn {
    pub(super) fn new<F>(peer: F) -> Self
    where
        F: Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    {
        Self(Some(Arc::new(peer)))
    }

    pub(super) fn addr(&self, extensions: &Extensions) -> Option<IpAddr> {
        match &self.0 {
            Some(peer) => peer(extensions),
            None => known(extensions),
        }
    }
}

impl fmt::Debug for PeerFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "PeerFn(..)",
            None => "PeerFn",
        })
    }
}

fn known(extensions: &Extensions) -> Option<IpAddr> {
    let own = || extensions.get::<PeerAddr>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let own = || own().or_else(|| crate::axum::peer_addr(extensions));
    #[cfg(feature = "tonic")]
    let own = || own().or_else(|| crate::tonic::peer_addr(extensions));
    own().map(|peer| peer.ip())
}
