//! tonic: the peer's address.

use ::tonic::transport::server::TcpConnectInfo;
use http::Extensions;
use std::net::SocketAddr;

/// Where tonic does the TLS, its `TlsConnectInfo<TcpConnectInfo>` is not the only one: the inner
/// one is an extension as well.
pub(crate) fn peer_addr(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<TcpConnectInfo>()?.remote_addr()
}
