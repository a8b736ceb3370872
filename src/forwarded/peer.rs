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
/// `tonic`, tonic's `TcpConnectInfo` is read, which its server adds with and without TLS.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use std::{convert::Infallible, net::SocketAddr};
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::{ForwardedPrefix, PeerAddr, RootPath, RootPathLayer, TrustedProxies};
///
/// async fn app(request: Request<()>) -> Result<Response<String>, Infallible> {
///     let root_path = RootPath::from_extensions(request.extensions());
///     Ok(Response::new(root_path.to_string()))
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // For each connection: `let (stream, peer_addr) = listener.accept().await?`.
/// let peer_addr: SocketAddr = "127.0.0.1:4711".parse()?;
///
/// let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
/// let mut service = ServiceBuilder::new()
///     .map_request(move |mut request: Request<()>| {
///         request.extensions_mut().insert(PeerAddr(peer_addr));
///         request
///     })
///     .layer(RootPathLayer::new("").with_forwarded(forwarded))
///     .service_fn(app);
///
/// let request = Request::builder().header("x-forwarded-prefix", "/api/v1").body(())?;
/// let response = service.ready().await?.call(request).await?;
/// assert_eq!(response.body(), "/api/v1");
/// # Ok(())
/// # }
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
