//! Root paths that a proxy tells to tonic, and whose word counts.

use super::*;
use futures_util::stream;
use http::Uri;
use hyper_util::rt::TokioIo;
use rcgen::{generate_simple_self_signed, CertifiedKey};
use std::{env, fs, process};
use tokio::net::{UnixListener, UnixStream};
use tonic::{
    body::Body,
    transport::{
        server::{TcpConnectInfo, TlsConnectInfo, UdsConnectInfo},
        Certificate, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig,
    },
    Extensions,
};
use tower::{service_fn, util::MapRequestLayer};
use tower_root_path::{ForwardedPrefix, TrustedProxies};

/// Trusts those at `peers`.
fn layer(peers: &str) -> RootPathLayer {
    let peers = match peers {
        "all" => TrustedProxies::all(),
        peers => peers.parse().unwrap(),
    };
    RootPathLayer::new("/configured").with_forwarded(ForwardedPrefix::x_forwarded_prefix(peers))
}

/// Calls twice, as a proxy does that strips `/told` and as one that does not, and tells which root
/// path the service is told.
async fn told(channel: &Channel, way: &str) -> String {
    let mut told = Vec::new();
    for prefix in ["", "/told"] {
        let mut request = Request::new(say("one"));
        let told_by_proxy = "/told".parse().unwrap();
        request
            .metadata_mut()
            .insert("x-forwarded-prefix", told_by_proxy);
        let mut client = EchoClient::new(AddPrefix::new(channel.clone(), prefix));
        match client.unary(request).await {
            Ok(response) => {
                let vary = response.metadata().get("vary");
                assert_eq!(vary.unwrap(), "x-forwarded-prefix", "{way}");
                told.push(response.into_inner().root_path);
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unimplemented, "{way}: {status:?}");
                told.push("not found".to_owned());
            }
        }
    }
    told.join(", then ")
}

const BELIEVED: &str = "/told, then /told";
const NOT_BELIEVED: &str = "/configured, then not found";

/// A guard for the extensions which a request has if it comes by such a connection.
fn comes_by(
    has: fn(&Extensions) -> bool,
) -> InterceptorLayer<impl tonic::service::Interceptor + Clone> {
    InterceptorLayer::new(move |request: Request<()>| {
        assert!(has(request.extensions()));
        Ok(request)
    })
}

#[tokio::test]
async fn the_peer_of_tcp_is_known() {
    for (peers, expected) in [
        ("127.0.0.1", BELIEVED),
        ("10.0.0.0/8", NOT_BELIEVED),
        ("all", BELIEVED),
    ] {
        let (addr, incoming) = listen().await;
        let server = Server::builder()
            .layer(comes_by(|extensions| {
                extensions.get::<TcpConnectInfo>().is_some()
            }))
            .layer(layer(peers))
            .add_service(EchoServer::new(Echo::default()));
        let _server = Serving::start(server.serve_with_incoming(incoming));
        assert_eq!(told(&connect(addr).await, peers).await, expected, "{peers}");
    }
}

type Passes = fn(http::Request<Body>) -> http::Request<Body>;

/// What `layer` believes of a peer that comes by TLS, where requests go through `passes` first.
async fn told_by_tls(passes: Passes, layer: RootPathLayer) -> String {
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let identity = Identity::from_pem(cert.pem(), signing_key.serialize_pem());
    let (addr, incoming) = listen().await;
    let server = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))
        .unwrap()
        .layer(comes_by(|extensions| {
            extensions.get::<TlsConnectInfo<TcpConnectInfo>>().is_some()
        }))
        .layer(MapRequestLayer::new(passes))
        .layer(layer)
        .add_service(EchoServer::new(Echo::default()));
    let _server = Serving::start(server.serve_with_incoming(incoming));

    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(cert.pem()))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{addr}")).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    told(&channel, "tls").await
}

#[tokio::test]
async fn the_peer_of_tls_is_known() {
    for (peers, expected) in [("127.0.0.1", BELIEVED), ("10.0.0.0/8", NOT_BELIEVED)] {
        let told = told_by_tls(|request| request, layer(peers)).await;
        assert_eq!(told, expected, "{peers}");
    }
}

/// Of TLS streams that tonic is given, it tells no `TcpConnectInfo`.
#[tokio::test]
async fn the_peer_of_a_given_tls_stream_is_known_by_a_function() {
    let given: Passes = |mut request| {
        request.extensions_mut().remove::<TcpConnectInfo>();
        request
    };
    let unknown = layer("127.0.0.1");
    assert_eq!(told_by_tls(given, unknown).await, NOT_BELIEVED);
    for (peers, expected) in [("127.0.0.1", BELIEVED), ("10.0.0.0/8", NOT_BELIEVED)] {
        let forwarded = ForwardedPrefix::x_forwarded_prefix(peers.parse().unwrap());
        let forwarded = forwarded.peer_addr(|extensions| {
            let info = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
            Some(info.get_ref().remote_addr()?.ip())
        });
        let known = RootPathLayer::new("/configured").with_forwarded(forwarded);
        assert_eq!(told_by_tls(given, known).await, expected, "{peers}");
    }
}

#[tokio::test]
async fn the_peer_of_a_unix_socket_is_not_known() {
    for (peers, expected) in [("0.0.0.0/0, ::/0", NOT_BELIEVED), ("all", BELIEVED)] {
        let name = format!("interop-{}-{}.sock", process::id(), peers.len());
        // The directory of the build may have too long a path for a socket.
        let path = env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let incoming = stream::poll_fn(move |cx| {
            let accepted = listener.poll_accept(cx);
            accepted.map_ok(|(stream, _)| stream).map(Some)
        });
        let server = Server::builder()
            .layer(comes_by(|extensions| {
                extensions.get::<UdsConnectInfo>().is_some()
            }))
            .layer(layer(peers))
            .add_service(EchoServer::new(Echo::default()));
        let _server = Serving::start(server.serve_with_incoming(incoming));

        let socket = path.clone();
        let connector = service_fn(move |_: Uri| {
            let stream = UnixStream::connect(socket.clone());
            async { Ok::<_, std::io::Error>(TokioIo::new(stream.await?)) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(told(&channel, peers).await, expected, "{peers}");
    }
}
