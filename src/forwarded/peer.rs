//! The peer: the address at the other end of the connection.

use http::Extensions;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Request extension with the address at the other end of the connection.
///
/// [`ForwardedPrefix`](crate::ForwardedPrefix) needs it. Insert it in every request of a server
/// that does not keep the address in an extension of its own, such as hyper.
///
/// With the feature `axum`, axum's `ConnectInfo<SocketAddr>` is read as well. With the feature
/// `tonic`, tonic's `TcpConnectInfo` is, which its server adds with and without TLS.
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

type PeerAddrFn = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// How to get the address of the peer: the user's function, or the known extensions.
#[derive(Clone, Default)]
pub(crate) struct PeerFn(Option<Arc<PeerAddrFn>>);

impl PeerFn {
    pub(crate) fn new<F>(peer: F) -> Self
    where
        F: Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    {
        Self(Some(Arc::new(peer)))
    }

    pub(crate) fn addr(&self, extensions: &Extensions) -> Option<IpAddr> {
        match &self.0 {
            Some(peer) => peer(extensions),
            None => known_peer_addr(extensions),
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

fn known_peer_addr(extensions: &Extensions) -> Option<IpAddr> {
    let addr = || extensions.get::<PeerAddr>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let addr = || addr().or_else(|| crate::axum::peer_addr(extensions));
    #[cfg(feature = "tonic")]
    let addr = || addr().or_else(|| crate::tonic::peer_addr(extensions));
    addr().map(|addr| addr.ip())
}
