//! The client's side, with clients and servers that are real.

mod support;

use axum::{
    extract::{ws::WebSocketUpgrade, Request},
    response::Redirect,
    routing::{any, get},
    Router,
};
use bytes::Bytes;
use http::{
    header::{LOCATION, SEC_WEBSOCKET_VERSION},
    StatusCode, Uri, Version,
};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, ext::Protocol};
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use std::net::SocketAddr;
use support::axum::{serve, Server};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_root_path::{
    AddPrefix, AddPrefixLayer, ForwardedPrefix, RootPath, RootPathLayer, StripPrefixLayer,
    TrustedProxies,
};

type HyperClient = Client<HttpConnector, Empty<Bytes>>;

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn client(version: Version) -> AddPrefix<HyperClient> {
    let mut client = Client::builder(TokioExecutor::new());
    client.http2_only(version == Version::HTTP_2);
    AddPrefixLayer::new("/api/v1").layer(client.build_http())
}

/// An app that knows its root path from the gateway in front of it, which strips that; `/api/v1` is
/// the beginning of a path of its own as well.
async fn gateway() -> (SocketAddr, Server) {
    let show = |root_path: RootPath, request: Request| async move {
        let uri = request.uri();
        format!("{root_path} + {} {:?}", uri.path(), uri.query())
    };
    let chat = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) };
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
    let app = Router::new()
        .route("/login", get(|| async { Redirect::to("/app?from=login") }))
        .route("/chat", any(chat))
        .fallback(show)
        .layer(RootPathLayer::new("").with_forwarded(forwarded));
    let gateway = StripPrefixLayer::new("/api/v1").layer(app);
    serve(axum::ServiceExt::<Request>::into_make_service(gateway)).await
}

async fn send<S>(client: &mut S, request: http::request::Builder) -> http::Response<Incoming>
where
    S: Service<http::Request<Empty<Bytes>>, Response = http::Response<Incoming>>,
    S::Error: Into<BoxError>,
{
    let ready = client.ready().await.map_err(Into::into).unwrap();
    let response = ready.call(request.body(Empty::new()).unwrap()).await;
    response.map_err(Into::into).unwrap()
}

async fn text(response: http::Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().into()).unwrap()
}

#[tokio::test]
async fn a_hyper_client_reaches_an_app_behind_a_gateway() {
    let (addr, _gateway) = gateway().await;
    for version in VERSIONS {
        let mut client = client(version);
        for (path, expected) in [
            ("/app", "/api/v1 + /app None"),
            ("/app?x=/y", "/api/v1 + /app Some(\"x=/y\")"),
            ("", "/api/v1 + / None"),
            ("?x", "/api/v1 + / Some(\"x\")"),
            ("/api/v1/app", "/api/v1 + /api/v1/app None"),
            ("//caf\u{e9}/../%2e", "/api/v1 + //caf\u{e9}/../%2e None"),
        ] {
            let request = http::Request::get(format!("http://{addr}{path}"));
            let response = send(&mut client, request).await;
            assert_eq!(response.version(), version);
            assert_eq!(text(response).await, expected, "{version:?} {path}");
        }
        let request = http::Request::get(format!("http://{addr}/app"));
        let without = send(client.get_mut(), request).await;
        assert_eq!(text(without).await, " + /app None", "without the layer");
    }
}

#[tokio::test]
async fn a_redirect_is_public_and_followed_inside_of_the_layer() {
    let (addr, _gateway) = gateway().await;
    for version in VERSIONS {
        let mut client = client(version);
        let request = http::Request::get(format!("http://{addr}/login"));
        let response = send(&mut client, request).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let location = response.headers()[LOCATION].to_str().unwrap();
        assert_eq!(location, "/api/v1/app?from=login");
        let location = format!("http://{addr}{location}");
        for (response, expected) in [
            (
                send(client.get_mut(), http::Request::get(&location)).await,
                "/api/v1 + /app Some(\"from=login\")",
            ),
            (
                send(&mut client, http::Request::get(&location)).await,
                "/api/v1 + /api/v1/app Some(\"from=login\")",
            ),
        ] {
            assert_eq!(text(response).await, expected, "{version:?}");
        }
    }
}

#[tokio::test]
async fn an_extended_connect_goes_through_the_gateway() {
    let (addr, _gateway) = gateway().await;
    let mut client = client(Version::HTTP_2);
    // The server says in its settings that it takes one.
    let request = http::Request::get(format!("http://{addr}/app"));
    text(send(&mut client, request).await).await;

    let request = http::Request::connect(format!("http://{addr}/chat"))
        .version(Version::HTTP_2)
        .header(SEC_WEBSOCKET_VERSION, "13")
        .extension(Protocol::from_static("websocket"));
    let response = send(&mut client, request).await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// What a server gets over HTTP/1.1 and never answers.
async fn head(
    request: impl FnOnce(SocketAddr) -> http::request::Builder,
) -> (SocketAddr, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let request = request(addr).body(Empty::new()).unwrap();
    let receiving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = Vec::new();
        loop {
            match lines.next_line().await.unwrap() {
                Some(line) if !line.is_empty() => head.push(line),
                _ => return head,
            }
        }
    };
    tokio::select! {
        head = receiving => (addr, head),
        answer = client(Version::HTTP_11).oneshot(request) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn the_host_is_that_of_the_gateway() {
    let (addr, head) = head(|addr| http::Request::get(format!("http://{addr}/app?x"))).await;
    assert_eq!(head[0], "GET /api/v1/app?x HTTP/1.1");
    assert_eq!(head[1..], [format!("host: {addr}")]);
}

#[tokio::test]
async fn a_tunnel_is_asked_for_by_the_authority_alone() {
    for scheme in ["", "http://"] {
        let uri = |addr| format!("{scheme}{addr}").parse::<Uri>().unwrap();
        let (addr, head) = head(|addr| http::Request::connect(uri(addr))).await;
        assert_eq!(head[0], format!("CONNECT {addr} HTTP/1.1"), "{scheme}");
    }
}
