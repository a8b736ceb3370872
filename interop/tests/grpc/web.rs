//! gRPC-Web, which browsers speak over HTTP/1.1, with the layer of tonic-web on either side.

use super::*;
use http::{header::CONTENT_TYPE, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message as _;
use tonic_web::GrpcWebLayer;

/// A flag, the length of the message, the message.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], message].concat()
}

#[tokio::test]
async fn grpc_web_is_translated_on_either_side_of_the_layer() {
    let service = || EchoServer::new(Echo::default());
    let (outside, incoming) = listen().await;
    let server = Server::builder()
        .accept_http1(true)
        .layer(GrpcWebLayer::new())
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .add_service(service());
    let _outside = Serving::start(server.serve_with_incoming(incoming));
    let (inside, incoming) = listen().await;
    let server = Server::builder()
        .accept_http1(true)
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .layer(GrpcWebLayer::new())
        .add_service(service());
    let _inside = Serving::start(server.serve_with_incoming(incoming));

    for (layer, addr) in [("outside", outside), ("inside", inside)] {
        for prefix in PREFIXES {
            let way = format!("tonic-web {layer}, {prefix:?}");
            let uri = format!("http://{addr}{prefix}/interop.Echo/Unary");
            let request = http::Request::post(uri)
                .header(CONTENT_TYPE, "application/grpc-web+proto")
                .body(Full::new(Bytes::from(frame(&say("one").encode_to_vec()))));
            let browser = Client::builder(TokioExecutor::new()).build_http();
            let response = browser.request(request.unwrap()).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11, "{way}");
            assert_eq!(response.status(), StatusCode::OK, "{way}");
            let content_type = &response.headers()[CONTENT_TYPE];
            assert_eq!(content_type, "application/grpc-web+proto", "{way}");

            let body = response.into_body().collect().await.unwrap().to_bytes();
            let answer = echo::Message {
                root_path: "/grpc".to_owned(),
                ..say("one")
            };
            let expected = frame(&answer.encode_to_vec());
            let (message, trailers) = body.split_at(expected.len());
            assert_eq!(message, expected, "{way}");
            // Trailers are a frame as well, with a flag of its own.
            assert_eq!(trailers[0], 0x80, "{way}");
            let trailers = String::from_utf8_lossy(&trailers[5..]);
            assert!(trailers.contains("grpc-status:0"), "{way}: {trailers}");

            // What is not gRPC-Web passes through that layer.
            assert_answers(&mut client(addr, prefix).await, "/grpc", &way).await;
        }
    }
}
