//! Clients with an `AddPrefixLayer`, of a service that a gateway publishes under a prefix.

// The reverse proxy of the example `gateway`.
#[path = "../../../examples/shared/proxy.rs"]
mod proxy;

use super::*;
use axum::Router;
use http::Uri;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::{TokioExecutor, TokioIo},
};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tonic::{body::Body, transport::Endpoint};
use tower::service_fn;
use tower_root_path::{ForwardedPrefix, RootPath, TrustedProxies};

/// A client without a channel of tonic.
pub(super) fn of_hyper(
    addr: SocketAddr,
    prefix: &str,
) -> EchoClient<AddPrefix<Client<HttpConnector, Body>>> {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let origin = format!("http://{addr}").parse().unwrap();
    EchoClient::with_origin(AddPrefix::new(client, prefix), origin)
}

/// A gateway that publishes the service at `upstream` under `/public/grpc`.
async fn start_gateway(upstream: SocketAddr) -> (SocketAddr, Serving) {
    let prefix = RootPath::from_static("/public/grpc");
    let upstream = format!("h2c://{upstream}").parse().unwrap();
    serve(proxy::publish(&prefix, &upstream, false)).await
}

/// A server of axum, which has HTTP/1 and HTTP/2 on one port.
pub(super) async fn serve(router: Router) -> (SocketAddr, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = async { axum::serve(listener, service).await };
    (addr, Serving::start(server))
}

#[tokio::test]
async fn a_client_of_tonic_or_of_hyper_finds_the_service_behind_a_gateway() {
    let (addr, incoming) = listen().await;
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let server = Server::builder()
        .layer(RootPathLayer::new("").with_forwarded(forwarded))
        .add_service(EchoServer::new(Echo::default()));
    let _server = Serving::start(server.serve_with_incoming(incoming));
    let (gateway, _gateway) = start_gateway(addr).await;

    let mut of_tonic = client(gateway, "/public/grpc").await;
    assert_answers(&mut of_tonic, "/public/grpc", "tonic").await;
    let mut of_hyper = of_hyper(gateway, "/public/grpc");
    assert_answers(&mut of_hyper, "/public/grpc", "hyper").await;

    // Without the layer: tonic takes the origin alone of such a URI.
    let uri = format!("http://{gateway}/public/grpc");
    let mut without = EchoClient::connect(uri).await.unwrap();
    let status = without.unary(say("one")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
}

#[tokio::test]
async fn other_layers_of_a_client_stand_on_either_side() {
    let (addr, _server) = start(Echo::default()).await;
    let channel = connect(addr).await;
    let prefix = || AddPrefixLayer::new("/grpc");
    let timeout = || TimeoutLayer::new(Duration::from_secs(60));
    let pass = || InterceptorLayer::new(|request: Request<()>| Ok::<_, Status>(request));

    let service = ServiceBuilder::new()
        .layer(prefix())
        .layer(timeout())
        .layer(pass())
        .service(channel.clone());
    assert_answers(&mut EchoClient::new(service), "/grpc", "outside").await;

    let service = ServiceBuilder::new()
        .layer(timeout())
        .layer(pass())
        .layer(prefix())
        .service(channel.clone());
    assert_answers(&mut EchoClient::new(service), "/grpc", "inside").await;

    // Two gateways in a row, the outer one first.
    let (addr, incoming) = listen().await;
    let server = Server::builder()
        .layer(RootPathLayer::new("/edge").strip_if_present())
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .add_service(EchoServer::new(Echo::default()));
    let _server = Serving::start(server.serve_with_incoming(incoming));
    let service = ServiceBuilder::new()
        .layer(AddPrefixLayer::new("/grpc"))
        .layer(AddPrefixLayer::new("/edge"))
        .service(connect(addr).await);
    assert_answers(&mut EchoClient::new(service), "/edge/grpc", "two").await;
}

#[tokio::test]
async fn an_error_of_the_channel_is_the_same_status_through_the_layer() {
    let refused = service_fn(|_: Uri| async {
        Err::<TokioIo<TcpStream>, _>(io::Error::from(io::ErrorKind::ConnectionRefused))
    });
    let nobody = Endpoint::from_static("http://localhost").connect_with_connector_lazy(refused);
    let (addr, _server) = start(Echo::default()).await;
    let server = connect(addr).await;
    let soon = Duration::from_millis(10);
    for (channel, deadline, expected) in [
        (nobody, None, Code::Unavailable),
        (server, Some(soon), Code::Cancelled),
    ] {
        let request = || {
            let mut request = Request::new(say(WAIT));
            if let Some(deadline) = deadline {
                request.set_timeout(deadline);
            }
            request
        };
        let without = EchoClient::new(channel.clone()).unary(request()).await;
        let with = EchoClient::new(AddPrefix::new(channel, "/grpc"));
        let with = { with }.unary(request()).await.unwrap_err();
        let without = without.unwrap_err();
        assert_eq!(without.code(), expected, "{without:?}");
        assert_eq!(with.code(), expected, "{with:?}");
        assert_eq!(with.message(), without.message());
    }
}
