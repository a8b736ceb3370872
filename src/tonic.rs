//! tonic: the address of the peer.

use ::tonic::transport::server::TcpConnectInfo;
use http::Extensions;
use std::net::SocketAddr;

/// If tonic does TLS, it inserts both `TlsConnectInfo<TcpConnectInfo>` and the `TcpConnectInfo`
/// inside.
pub(crate) fn peer_addr(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<TcpConnectInfo>()?.remote_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_addr_is_the_remote_addr() {
        let mut extensions = Extensions::new();
        assert_eq!(peer_addr(&extensions), None);
        let [local, remote] = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 4711)));
        extensions.insert(TcpConnectInfo {
            local_addr: Some(local),
            remote_addr: Some(remote),
        });
        assert_eq!(peer_addr(&extensions), Some(remote));
    }
}
