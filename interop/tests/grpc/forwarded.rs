//! Root paths that a proxy sends to tonic, and which proxies are trusted.

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

/// Trusts the proxies at `peers`, and takes requests with the prefix and without.
fn layer(peers: &str) -> RootPathLayer {
    layer_without_stripping(peers).strip_if_present()
}

/// The same for a proxy that strips.
fn layer_without_stripping(peers: &str) -> RootPathLayer {
    let peers = match peers {
        "all" => TrustedProxies::all(),
        peers => peers.parse().unwrap(),
    };
    RootPathLayer::new("/configured").with_forwarded(ForwardedPrefix::x_forwarded_prefix(peers))
}

/// Calls twice, as a proxy does that strips `/forwarded` and as one that passes it on. Returns the
/// root paths that the service sees.
async fn seen(channel: &Channel, way: &str) -> String {
    let mut seen = Vec::new();
    for prefix in ["", "/forwarded"] {
        let mut request = Request::new(say("one"));
        let forwarded = "/forwarded".parse().unwrap();
        request
            .metadata_mut()
            .insert("x-forwarded-prefix", forwarded);
        let mut client = EchoClient::new(AddPrefix::new(channel.clone(), prefix));
        match client.unary(request).await {
            Ok(response) => {
                let vary = response.metadata().get("vary");
                assert_eq!(vary.unwrap(), "x-forwarded-prefix", "{way}");
                seen.push(response.into_inner().root_path);
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unimplemented, "{way}: {status:?}");
                seen.push("not found".to_owned());
            }
        }
    }
    seen.join(", then ")
}

const TRUSTED: &str = "/forwarded, then /forwarded";
const NOT_STRIPPED: &str = "/forwarded, then not found";
const NOT_TRUSTED: &str = "/configured, then not found";

/// Asserts that requests have the extensions of such a connection.
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
    for (peers, layer, expected) in [
        ("127.0.0.1", layer as fn(&str) -> _, TRUSTED),
        ("10.0.0.0/8", layer, NOT_TRUSTED),
        ("all", layer, TRUSTED),
        ("127.0.0.1", layer_without_stripping, NOT_STRIPPED),
        ("10.0.0.0/8", layer_without_stripping, NOT_TRUSTED),
    ] {
        let (addr, incoming) = listen().await;
        let server = Server::builder()
            .layer(comes_by(|extensions| {
                extensions.get::<TcpConnectInfo>().is_some()
            }))
            .layer(layer(peers))
            .add_service(EchoServer::new(Echo::default()));
        let _server = Serving::start(server.serve_with_incoming(incoming));
        assert_eq!(seen(&connect(addr).await, peers).await, expected, "{peers}");
    }
}

type Passes = fn(http::Request<Body>) -> http::Request<Body>;

/// What the service sees with `layer` if the peer connects by TLS. Requests pass `passes` first.
async fn seen_by_tls(passes: Passes, layer: RootPathLayer) -> String {
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
    seen(&channel, "tls").await
}

#[tokio::test]
async fn the_peer_of_tls_is_known() {
    for (peers, expected) in [("127.0.0.1", TRUSTED), ("10.0.0.0/8", NOT_TRUSTED)] {
        let seen = seen_by_tls(|request| request, layer(peers)).await;
        assert_eq!(seen, expected, "{peers}");
    }
}

/// For TLS streams that the app accepts itself, tonic has no `TcpConnectInfo`.
#[tokio::test]
async fn the_peer_of_a_given_tls_stream_is_known_by_a_function() {
    let given: Passes = |mut request| {
        request.extensions_mut().remove::<TcpConnectInfo>();
        request
    };
    let unknown = layer("127.0.0.1");
    assert_eq!(seen_by_tls(given, unknown).await, NOT_TRUSTED);
    for (peers, expected) in [("127.0.0.1", TRUSTED), ("10.0.0.0/8", NOT_TRUSTED)] {
        let forwarded = ForwardedPrefix::x_forwarded_prefix(peers.parse().unwrap());
        let forwarded = forwarded.peer_addr(|extensions| {
            let info = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
            Some(info.get_ref().remote_addr()?.ip())
        });
        let known = RootPathLayer::new("/configured")
            .strip_if_present()
            .with_forwarded(forwarded);
        assert_eq!(seen_by_tls(given, known).await, expected, "{peers}");
    }
}

#[tokio::test]
async fn the_peer_of_a_unix_socket_is_not_known() {
    for (peers, expected) in [("0.0.0.0/0, ::/0", NOT_TRUSTED), ("all", TRUSTED)] {
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
        assert_eq!(seen(&channel, peers).await, expected, "{peers}");
    }
}
