//! tonic under a prefix: `RootPathLayer` in a server, `AddPrefixLayer` in a client.

mod echo;
#[path = "grpc/forwarded.rs"]
mod forwarded;
#[path = "grpc/prefixed_clients.rs"]
mod prefixed_clients;
#[path = "grpc/routes.rs"]
mod routes;
#[path = "grpc/web.rs"]
mod web;

use echo::{
    assert_answers, connect, listen, root_path, say, Echo, EchoClient, EchoServer, Serving,
    DESCRIPTORS, FAIL, WAIT,
};
use futures_util::stream;
use std::{net::SocketAddr, time::Duration};
use tonic::{
    metadata::MetadataValue,
    service::InterceptorLayer,
    transport::{Channel, Server},
    Code, Request, Status,
};
use tonic_health::pb::{
    health_check_response::ServingStatus, health_client::HealthClient, HealthCheckRequest,
};
use tonic_reflection::pb::v1::{
    server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse, ServerReflectionRequest,
};
use tonic_types::StatusExt;
use tower::{limit::GlobalConcurrencyLimitLayer, timeout::TimeoutLayer, ServiceBuilder};
use tower_root_path::{AddPrefix, AddPrefixLayer, RootPathLayer};

/// For a direct call, and for one through a proxy that passes the prefix on.
const PREFIXES: [&str; 2] = ["", "/grpc"];

async fn start(echo: Echo) -> (SocketAddr, Serving) {
    start_with(Server::builder(), echo).await
}

async fn start_with(server: Server, echo: Echo) -> (SocketAddr, Serving) {
    let (addr, incoming) = listen().await;
    let server = server
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .add_service(EchoServer::new(echo));
    (addr, Serving::start(server.serve_with_incoming(incoming)))
}

/// A client of the service at `prefix`.
async fn client(addr: SocketAddr, prefix: &str) -> EchoClient<AddPrefix<Channel>> {
    let layer = AddPrefixLayer::try_new(prefix).unwrap();
    EchoClient::new(
        ServiceBuilder::new()
            .layer(layer)
            .service(connect(addr).await),
    )
}

#[tokio::test]
async fn a_service_answers_under_the_prefix_and_directly() {
    let (addr, _server) = start(Echo::default()).await;
    for prefix in PREFIXES {
        assert_answers(&mut client(addr, prefix).await, "/grpc", prefix).await;
    }
}

#[tokio::test]
async fn what_is_not_at_the_prefix_is_not_there() {
    let (addr, _server) = start(Echo::default()).await;
    for prefix in ["/grpcs", "/grpc/grpc", "/GRPC", "/api"] {
        let status = client(addr, prefix).await.unary(say("one")).await;
        assert_eq!(status.unwrap_err().code(), Code::Unimplemented, "{prefix}");
    }
}

#[tokio::test]
async fn metadata_goes_both_ways_and_trailers_come_back() {
    let (addr, _server) = start(Echo::default()).await;
    for prefix in PREFIXES {
        let mut client = client(addr, prefix).await;
        let (text, bytes) = ("/interop.Echo", MetadataValue::from_bytes(b"\0/grpc\xff"));
        let mut request = Request::new(say("one"));
        request
            .metadata_mut()
            .insert("x-echo", text.parse().unwrap());
        request
            .metadata_mut()
            .insert_bin("x-echo-bin", bytes.clone());
        let mut response = client.server_streaming(request).await.unwrap();

        assert_eq!(response.metadata().get("x-echo").unwrap(), text, "{prefix}");
        assert_eq!(
            response.metadata().get_bin("x-echo-bin"),
            Some(&bytes),
            "{prefix}"
        );
        let trailers = response.get_mut().trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("x-echo").unwrap(), text, "{prefix}");
        assert_eq!(trailers.get_bin("x-echo-bin"), Some(&bytes), "{prefix}");
    }
}

#[tokio::test]
async fn an_error_keeps_its_code_its_message_and_its_details() {
    let (addr, _server) = start(Echo::default()).await;
    for prefix in PREFIXES {
        let mut client = client(addr, prefix).await;
        // In the head, where there is nothing else, and in the trailers of a stream.
        let alone = client.unary(say(FAIL)).await.unwrap_err();
        let answers = client.server_streaming(say(&format!("one {FAIL}"))).await;
        let mut answers = answers.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().text, "one");
        let after_a_message = answers.message().await.unwrap_err();

        for status in [alone, after_a_message] {
            assert_eq!(status.code(), Code::InvalidArgument, "{prefix}");
            assert_eq!(status.message(), "caf\u{e9} / tea", "{prefix}");
            let violations = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(violations[0].field, "text", "{prefix}");
            assert_eq!(violations[0].description, "it asks to fail", "{prefix}");
        }
    }
}

#[tokio::test]
async fn a_deadline_of_the_client_and_a_timeout_of_the_server_end_a_call() {
    let soon = Duration::from_millis(10);
    for prefix in PREFIXES {
        for (of_the_client, of_the_server) in [(Some(soon), None), (None, Some(soon))] {
            let (echo, mut server) = (Echo::default(), Server::builder());
            if let Some(timeout) = of_the_server {
                server = server.timeout(timeout);
            }
            let (addr, _server) = start_with(server, echo.clone()).await;
            // Unlike tonic's channel, hyper's client leaves deadlines to the server.
            let mut client = prefixed_clients::of_hyper(addr, prefix);
            // Not a message that the handler could wait for in vain: it may come too late.
            let mut request = Request::new(stream::pending());
            if let Some(deadline) = of_the_client {
                request.set_timeout(deadline);
            }
            let status = client.client_streaming(request).await.unwrap_err();
            assert_eq!(status.message(), "Timeout expired", "{prefix}");
            echo.abandoned.notified().await;
        }
    }
}

#[tokio::test]
async fn a_server_notices_that_a_client_drops_a_call() {
    let echo = Echo::default();
    let (addr, _server) = start(echo.clone()).await;
    for prefix in PREFIXES {
        let mut client = client(addr, prefix).await;
        let answers = client.server_streaming(say(&format!("one {WAIT}"))).await;
        let mut answers = answers.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().text, "one");
        drop(answers);
        echo.abandoned.notified().await;
    }
}

#[tokio::test]
async fn large_messages_arrive_whole() {
    let (addr, _server) = start(Echo::default()).await;
    // Of 16 KiB each frame.
    let large = "x".repeat(1_000_000);
    for prefix in PREFIXES {
        let mut client = client(addr, prefix).await;
        let says = stream::iter([say(&large), say(&large), say(&large)]);
        let response = client.client_streaming(says).await.unwrap();
        assert_eq!(response.get_ref().text.len(), 3_000_002, "{prefix}");

        let says = stream::iter([say(&large), say(&large), say(&large)]);
        let mut answers = client.bidirectional(says).await.unwrap().into_inner();
        for _ in 0..3 {
            let answer = answers.message().await.unwrap().unwrap();
            assert!(answer.text == large, "{prefix}: {}", answer.text.len());
        }
    }
}

#[tokio::test]
async fn other_layers_stand_on_either_side() {
    let layer = || RootPathLayer::new("/grpc").strip_if_present();
    let timeout = || TimeoutLayer::new(Duration::from_secs(60));
    let limit = || GlobalConcurrencyLimitLayer::new(1);
    // Accepts requests with this root path in their extensions.
    let guard = |expected: &'static str| {
        InterceptorLayer::new(
            move |request: Request<()>| match root_path(request.extensions()) {
                seen if seen == expected => Ok(request),
                seen => Err(Status::permission_denied(seen)),
            },
        )
    };
    let absent = "no root path";
    macro_rules! servers {
        ($($($layer:expr),+;)+) => {
            [$({
                let (addr, incoming) = listen().await;
                let server = Server::builder()$(.layer($layer))+;
                let server = { server }.add_service(EchoServer::new(Echo::default()));
                let server = Serving::start(server.serve_with_incoming(incoming));
                (stringify!($($layer),+), addr, server)
            }),+]
        };
    }
    for (layers, addr, _server) in servers! {
        layer(), guard("/grpc"), timeout(), limit();
        guard(absent), timeout(), limit(), layer();
        timeout(), layer(), limit(), guard("/grpc");
        limit(), guard(absent), layer(), guard("/grpc"), timeout();
    } {
        for prefix in PREFIXES {
            let way = format!("{layers} at {prefix:?}");
            assert_answers(&mut client(addr, prefix).await, "/grpc", &way).await;
        }
    }
}

#[tokio::test]
async fn health_and_reflection_answer_under_the_prefix_and_directly() {
    let (addr, incoming) = listen().await;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<EchoServer<Echo>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .build_v1()
        .unwrap();
    let server = Server::builder()
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .add_service(EchoServer::new(Echo::default()))
        .add_service(health)
        .add_service(reflection);
    let _server = Serving::start(server.serve_with_incoming(incoming));

    for prefix in PREFIXES {
        let channel = AddPrefix::new(connect(addr).await, prefix);
        let service = "interop.Echo".to_owned();
        let response = HealthClient::new(channel.clone())
            .check(HealthCheckRequest { service })
            .await;
        let status = response.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{prefix}");

        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let response = ServerReflectionClient::new(channel)
            .server_reflection_info(stream::iter([request]))
            .await;
        let response = response.unwrap().into_inner().message().await.unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = response.unwrap().message_response
        else {
            panic!("{prefix}: another response");
        };
        let names = list.service.iter().map(|service| &*service.name);
        assert!(
            { names }.any(|name| name == "interop.Echo"),
            "{prefix}: {list:?}"
        );
    }
}
