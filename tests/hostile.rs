//! Odd requests and bodies: no panic, nothing lost, nothing touched.

mod support;

use bytes::Bytes;
use http::{
    header::{HeaderName, HOST},
    uri::PathAndQuery,
    HeaderMap, HeaderValue, Method, Request, Response, Uri, Version,
};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use proptest::prelude::*;
use std::{convert::Infallible, io};
use support::{location, root_path, seen, App};
use tower::{service_fn, Layer, Service, ServiceExt};
use tower_root_path::{ForwardedPrefix, RootPath, RootPathLayer, StripPrefixLayer, TrustedProxies};

fn layer() -> RootPathLayer {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all()).hops(3);
    RootPathLayer::new("/api/v1")
        .with_forwarded(forwarded)
        .strip_if_present()
}

#[tokio::test]
async fn what_others_put_into_a_request_stays() {
    #[derive(Clone, Debug, PartialEq)]
    struct Others(u8);
    let mut request = Request::post("/api/v1/x?y=%zz").version(Version::HTTP_10);
    request = request.extension(Others(7)).header("x", "y");
    let request = seen(layer(), request.body(()).unwrap()).await;
    assert_eq!(request.extensions().get(), Some(&Others(7)));
    assert_eq!(request.extensions().len(), 2);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.version(), Version::HTTP_10);
    assert_eq!(request.uri(), "/x?y=%zz");
    assert_eq!(request.headers().len(), 1);
}

#[tokio::test]
async fn every_form_of_a_request_target_passes() {
    let long = "/x".repeat(30_000);
    for (method, uri, expected) in [
        ("GET", "/", "/"),
        ("OPTIONS", "*", "*"),
        ("CONNECT", "app.example:443", "app.example:443"),
        ("GET", "x", "x"),
        ("GET", "http://app.example", "http://app.example/"),
        ("GET", "http://app.example/api/v1", "http://app.example/"),
        (
            "GET",
            "http://user@app.example:1/api/v1/x",
            "http://user@app.example:1/x",
        ),
        (
            "CONNECT",
            "https://app.example/api/v1/chat",
            "https://app.example/chat",
        ),
        ("GET", "/api/v1/caf\u{e9}?\u{e9}", "/caf\u{e9}?\u{e9}"),
        ("GET", &format!("/api/v1{long}"), &*long),
    ] {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let request = seen(layer(), request).await;
        assert_eq!(request.uri().to_string(), expected);
        assert_eq!(root_path(&request), Some("/api/v1"));
    }
}

#[tokio::test]
async fn a_uri_that_no_server_makes_passes() {
    // An authority and a path, but no scheme, cannot even be put together.
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from(PathAndQuery::from_static("?x"));
    assert_eq!(seen(layer(), request).await.uri().query(), Some("x"));
}

#[tokio::test]
async fn thousands_of_headers_pass() {
    let mut headers = HeaderMap::new();
    for i in 0..20_000 {
        let name = HeaderName::try_from(format!("x-{i}")).unwrap();
        headers.insert(name, HeaderValue::from_static("/x"));
    }
    for _ in 0..5_000 {
        headers.append("x-forwarded-prefix", HeaderValue::from_static(", ,,/"));
    }
    let mut request = Request::new(());
    *request.headers_mut() = headers.clone();
    let stack = (
        StripPrefixLayer::new("/gateway").trust_previous_hop(),
        layer(),
    );
    let request = seen(stack, request).await;
    assert_eq!(request.headers().len(), 25_000);

    // A map that can take no more.
    let mut full = HeaderMap::new();
    let names = (0..1 << 16).map(|i| HeaderName::try_from(format!("x-{i}")).unwrap());
    for name in names {
        if full
            .try_insert(name, HeaderValue::from_static("/x"))
            .is_err()
        {
            break;
        }
    }
    assert!(full
        .try_insert("vary", HeaderValue::from_static("x"))
        .is_err());
    let size = full.len();
    let response = support::send(layer(), Request::new(()), |_| {
        let mut response = Response::new(());
        *response.headers_mut() = full.clone();
        response
    });
    assert_eq!(response.await.headers().len(), size);
    let mut request = Request::get("/gateway/x").body(()).unwrap();
    *request.headers_mut() = full;
    let stack = StripPrefixLayer::new("/gateway").trust_previous_hop();
    assert_eq!(seen(stack, request).await.headers().len(), size);
}

#[tokio::test]
async fn a_bad_host_is_nobodys_authority() {
    for host in [
        "", " ", "\\", "a b", "@", ":", "[", "\u{e9}", "a@b", "a:b", "a/b",
    ] {
        let request = || {
            let mut request = Request::new(());
            let value = HeaderValue::from_bytes(host.as_bytes()).unwrap();
            request.headers_mut().insert(HOST, value);
            request
        };
        assert_eq!(
            location(layer(), request(), "/login").await,
            "/api/v1/login",
            "{host}"
        );
        let absolute = format!("http://{host}");
        assert_eq!(location(layer(), request(), &absolute).await, absolute);
    }
}

#[tokio::test]
async fn bodies_stream_through_untouched() {
    let frames = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        [
            Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"one"))),
            Ok(Frame::data(Bytes::from_static(b"two"))),
            Ok(Frame::trailers(trailers)),
        ]
    };
    type Body = StreamBody<futures_util::stream::BoxStream<'static, io::Result<Frame<Bytes>>>>;
    let body = |frames: Vec<io::Result<Frame<Bytes>>>, endless: bool| -> Body {
        use futures_util::StreamExt;
        let frames = futures_util::stream::iter(frames);
        StreamBody::new(if endless {
            frames.chain(futures_util::stream::pending()).boxed()
        } else {
            frames.boxed()
        })
    };
    // What comes in goes out.
    let mirror = service_fn(|request: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let send = |body: Body| layer().layer(mirror).oneshot(Request::new(body));

    let whole = send(body(frames().into(), false)).await.unwrap();
    let whole = whole.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), "onetwo");

    let mut endless = send(body(frames().into(), true)).await.unwrap().into_body();
    let first = endless.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "one");

    let mut broken = Vec::from(frames());
    broken.insert(1, Err(io::Error::other("midway")));
    let mut broken = send(body(broken, false)).await.unwrap().into_body();
    assert!(broken.frame().await.unwrap().is_ok());
    assert_eq!(
        broken.frame().await.unwrap().unwrap_err().to_string(),
        "midway"
    );
}

#[tokio::test]
async fn the_inner_services_error_and_readiness_are_its_own() {
    let fails = service_fn(|_: Request<()>| async { Err::<Response<()>, _>("on its own") });
    let error = layer()
        .layer(fails)
        .oneshot(Request::new(()))
        .await
        .unwrap_err();
    assert_eq!(error, "on its own");

    let mut busy = layer().layer(tower::limit::ConcurrencyLimit::new(
        App(|_: Request<()>| Response::new(())),
        1,
    ));
    let first = busy.ready().await.unwrap().call(Request::new(()));
    let mut again = poll_ready(&mut busy);
    assert!(again.is_pending(), "the one permit is taken");
    drop(first);
    again = poll_ready(&mut busy);
    assert!(again.is_ready());
}

fn poll_ready<S>(service: &mut S) -> std::task::Poll<Result<(), S::Error>>
where
    S: Service<Request<()>>,
{
    let mut context = std::task::Context::from_waker(futures_util::task::noop_waker_ref());
    service.poll_ready(&mut context)
}

proptest! {
    /// Whatever a trusted peer sends becomes a root path or is refused, and a root path is in
    /// the grammar.
    #[test]
    fn no_value_of_the_header_does_harm(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let mut request = Request::new(());
        request.headers_mut().insert("x-forwarded-prefix", value);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = runtime.block_on(seen(layer(), request));
        let root_path = root_path(&request).unwrap_or_default();
        prop_assert!(root_path.parse::<RootPath>().is_ok_and(|parsed| parsed == root_path));
        prop_assert!(!root_path.contains("//") && !root_path.ends_with('/'));
    }

    /// The rest is byte-identical, and putting the prefix in front again gives the request back.
    #[test]
    fn what_is_stripped_is_the_prefix_and_nothing_else(rest in "(/[!-~&&[^#?<>`]]{0,6}){0,4}(\\?[!-~&&[^#<>`]]{0,8})?") {
        let uri = format!("/api/v1{rest}");
        let Ok(request) = Request::builder().uri(&uri).body(()) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = runtime.block_on(seen(RootPathLayer::new("/api/v1").strip_if_present(), request));
        let stripped = request.uri().to_string();
        let expected = if rest.starts_with('/') { rest.clone() } else { format!("/{rest}") };
        prop_assert_eq!(stripped, expected);
    }

    /// A reference is left alone, or comes out as a path on this host.
    #[test]
    fn no_location_leads_to_another_host_than_it_did(value in "[/\\\\a-c:.@?# \t]{0,10}", path in "/[/\\\\a-c]{0,6}") {
        let Ok(request) = Request::builder().uri(&path).header(HOST, "a.b").body(()) else {
            return Ok(());
        };
        for root_path in ["", "/api/v1"] {
            let mut again = Request::new(());
            *again.uri_mut() = request.uri().clone();
            again.headers_mut().insert(HOST, HeaderValue::from_static("a.b"));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let rewritten = runtime.block_on(location(RootPathLayer::new(root_path), again, &value));
            let mut slashes = rewritten.bytes().map(|byte| matches!(byte, b'/' | b'\\'));
            let is_path = slashes.next() == Some(true) && slashes.next() != Some(true);
            prop_assert!(rewritten == value || is_path, "{value:?} became {rewritten:?}");
        }
    }
}
