//! `OpenApiLayer`: the edited document, and the requests and responses around it.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{
    convert::Infallible,
    io,
    pin::{pin, Pin},
    task::{Context, Poll},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{limit::ConcurrencyLimitLayer, service_fn, Layer, Service, ServiceExt};
use tower_http::{compression::CompressionLayer, decompression::DecompressionLayer};
use tower_root_path::{OpenApiLayer, RootPathLayer};

type Stack = (RootPathLayer, OpenApiLayer);

fn stack(root_path: &str) -> Stack {
    let document = OpenApiLayer::new("/openapi.json");
    (RootPathLayer::new(root_path), document)
}

/// The response that a client receives from an app that sends `response`, through `layers`.
async fn sent(
    layers: Stack,
    request: Request<()>,
    response: Response<Full<Bytes>>,
) -> Response<Bytes> {
    let app = service_fn(move |_: Request<()>| {
        let response = response.clone();
        async move { Ok::<_, Infallible>(response) }
    });
    let response = layers.layer(app).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, body)
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

fn json(document: &str) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "application/json")
        .header("content-length", document.len())
        .header("etag", "\"1\"")
        .body(Full::from(document.to_owned()))
        .unwrap()
}

async fn edited(layers: Stack, document: &str) -> String {
    let response = sent(layers, get("/openapi.json"), json(document)).await;
    let length = response.headers()["content-length"].to_str().unwrap();
    assert_eq!(length, response.body().len().to_string());
    let is_edited = response.body() != document;
    assert_eq!(
        response.headers().contains_key("etag"),
        !is_edited,
        "{document}"
    );
    String::from_utf8(response.body().to_vec()).unwrap()
}

#[tokio::test]
async fn the_root_path_is_the_first_server() {
    for (document, expected) in [
        (
            r#"{"openapi":"3.1.0","paths":{}}"#,
            r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}],"paths":{}}"#,
        ),
        (
            "{ \"paths\" : {},\n  \"openapi\" : \"3.0.4\"\n}\n",
            "{ \"paths\" : {},\n  \"openapi\" : \"3.0.4\",\"servers\":[{\"url\":\"/api/v1\"}]\n}\n",
        ),
        (
            r#"{"openapi":"3.2.0","servers":[],"x":1.0e2}"#,
            r#"{"openapi":"3.2.0","servers":[{"url":"/api/v1"}],"x":1.0e2}"#,
        ),
        (
            r#"{"servers":[ {"url":"https://a.example","x-y":{}} ],"openapi":"3.1.0"}"#,
            r#"{"servers":[ {"url":"/api/v1"},{"url":"https://a.example","x-y":{}} ],"openapi":"3.1.0"}"#,
        ),
        (
            r#"{"openapi":"3.1.0","servers":[{"description":"d","url":"\/"}]}"#,
            r#"{"openapi":"3.1.0","servers":[{"description":"d","url":"/api/v1"}]}"#,
        ),
        (
            r#"{"openapi":"3.1.0","servers":[{"url":"/v2"},{"url":"/api/v1/"}]}"#,
            r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1/v2"},{"url":"/api/v1/"}]}"#,
        ),
        (
            r#"{"openapi":"3.1.0","servers":null}"#,
            r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}]}"#,
        ),
        // An invalid document.
        (
            r#"{"openapi":"3.1.0","servers":{}}"#,
            r#"{"openapi":"3.1.0","servers":{}}"#,
        ),
        (
            r#"{"openapi":"3.1.0","servers":[{"url":"//b.example/v2"}]}"#,
            r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"},{"url":"//b.example/v2"}]}"#,
        ),
        (
            r#"{"servers":[],"openapi":"3.1.0","servers":[{"url":"/"}]}"#,
            r#"{"servers":[],"openapi":"3.1.0","servers":[{"url":"/api/v1"}]}"#,
        ),
        (
            "\r\n\t {\"openapi\":\"3.1.0\"}",
            "\r\n\t {\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"/api/v1\"}]}",
        ),
        (
            "\u{feff}{\"openapi\":\"3.1.0\"}",
            "\u{feff}{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"/api/v1\"}]}",
        ),
        (
            "\u{feff}\n{\"swagger\":\"2.0\"}",
            "\u{feff}\n{\"swagger\":\"2.0\",\"basePath\":\"/api/v1\"}",
        ),
    ] {
        assert_eq!(edited(stack("/api/v1"), document).await, expected);
        assert_eq!(edited(stack(""), document).await, document);
    }
}

#[tokio::test]
async fn the_root_path_can_be_left_out() {
    let layers = || {
        let document = OpenApiLayer::new("/openapi.json").without_root_path();
        (RootPathLayer::new("/api/v1"), document)
    };
    let none = r#"{"openapi":"3.1.0"}"#;
    assert_eq!(edited(layers(), none).await, none);
    assert_eq!(
        edited(
            layers(),
            r#"{"openapi":"3.1.0","servers":[{"url":"/"},{"url":"/v2"}]}"#
        )
        .await,
        r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"},{"url":"/api/v1/v2"}]}"#
    );
    assert_eq!(
        edited(layers(), r#"{"swagger":"2.0"}"#).await,
        r#"{"swagger":"2.0","basePath":"/api/v1"}"#
    );
}

#[tokio::test]
async fn servers_of_path_items_and_operations_are_prefixed() {
    let document = r#"{
  "openapi": "3.1.0",
  "servers": [{ "url": "/api/v1" }],
  "paths": {
    "/a": {
      "servers": [{ "url": "/files" }, { "url": "https://b.example" }],
      "get": { "servers": [{ "url": "/" }], "responses": { "servers": [{ "url": "/no" }] } },
      "additionalOperations": { "COPY": { "servers": [{ "url": "/files" }] } },
      "x-ext": { "servers": [{ "url": "/no" }] }
    },
    "x-ext": { "servers": [{ "url": "/no" }] },
    "/servers": { "post": { "operationId": "servers", "servers": [] } },
    "/null": null
  },
  "components": { "pathItems": { "a": { "servers": [{ "url": "/c" }] } } },
  "x-servers": [{ "url": "/no" }]
}"#;
    let expected = document
        .replace(r#""/files""#, r#""/api/v1/files""#)
        .replace(r#"{ "url": "/" }"#, r#"{ "url": "/api/v1" }"#)
        .replace(r#""/c""#, r#""/api/v1/c""#);
    assert_eq!(edited(stack("/api/v1"), document).await, expected);
}

#[tokio::test]
async fn swagger_2_has_a_base_path() {
    for (document, expected) in [
        (
            r#"{"swagger":"2.0"}"#,
            r#"{"swagger":"2.0","basePath":"/api/v1"}"#,
        ),
        (
            r#"{"basePath":"/","swagger":"2.0"}"#,
            r#"{"basePath":"/api/v1","swagger":"2.0"}"#,
        ),
        (
            r#"{"swagger":"2.0","basePath":"/v2","servers":[{"url":"/no"}]}"#,
            r#"{"swagger":"2.0","basePath":"/api/v1/v2","servers":[{"url":"/no"}]}"#,
        ),
        (
            r#"{"swagger":"2.0","basePath":"/api/v1"}"#,
            r#"{"swagger":"2.0","basePath":"/api/v1"}"#,
        ),
        (
            r#"{"swagger":"2.0","basePath":null}"#,
            r#"{"swagger":"2.0","basePath":"/api/v1"}"#,
        ),
        (
            r#"{"swagger":"2.0","basePath":""}"#,
            r#"{"swagger":"2.0","basePath":"/api/v1"}"#,
        ),
    ] {
        assert_eq!(edited(stack("/api/v1"), document).await, expected);
    }
}

#[tokio::test]
async fn swagger_2_with_a_host_keeps_its_base_path() {
    for document in [
        r#"{"swagger":"2.0","host":"api.example.com","basePath":"/v2"}"#,
        r#"{"swagger":"2.0","basePath":"/","host":"api.example.com:8443"}"#,
        r#"{"swagger":"2.0","host":"api.example.com"}"#,
        r#"{"swagger":"2.0","host":null,"basePath":"/v2","host":"api.example.com"}"#,
    ] {
        assert_eq!(edited(stack("/api/v1"), document).await, document);
    }
    for host in ["null", "\"\"", "1"] {
        let document = format!(r#"{{"swagger":"2.0","host":{host},"basePath":"/v2"}}"#);
        let expected = document.replace("/v2", "/api/v1/v2");
        assert_eq!(edited(stack("/api/v1"), &document).await, expected);
    }
}

#[tokio::test]
async fn other_responses_pass_unchanged() {
    for document in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "\"openapi\"",
        r#"{"openapi":3.1}"#,
        r#"{"openapi":"4.0.0"}"#,
        r#"{"swagger":"1.2"}"#,
        r#"{"openapi":"3.1.0"} x"#,
        r#"{"openapi":"3.1.0","a":}"#,
        r#"{"a":{"openapi":"3.1.0"}}"#,
        "\u{feff}",
        "\u{feff}[]",
        "\u{feff}\u{feff}{\"openapi\":\"3.1.0\"}",
        " \u{feff}{\"openapi\":\"3.1.0\"}",
    ] {
        assert_eq!(edited(stack("/api/v1"), document).await, document);
    }
    let document = r#"{"openapi":"3.1.0"}"#;
    let with = |name: &'static str, value: &'static str| {
        let mut response = json(document);
        response.headers_mut().insert(name, value.parse().unwrap());
        response
    };
    let with_status = |status| {
        let mut response = json(document);
        *response.status_mut() = status;
        response
    };
    for (uri, response) in [
        ("/openapi.json", with("content-type", "text/plain")),
        ("/openapi.json", with("content-encoding", "br")),
        ("/openapi.json", with_status(StatusCode::CREATED)),
        ("/openapi.json", with_status(StatusCode::PARTIAL_CONTENT)),
        ("/openapi.json", with_status(StatusCode::NOT_FOUND)),
        ("/openapi.json/", json(document)),
        ("/other.json", json(document)),
    ] {
        let response = sent(stack("/api/v1"), get(uri), response).await;
        assert_eq!(response.body(), document, "{uri}");
        assert!(response.headers().contains_key("etag"), "{uri}");
    }
    for content_type in [
        "text/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.oai.openapi+json;version=3.1",
    ] {
        let response = with("content-type", content_type);
        let response = sent(stack("/api/v1"), get("/openapi.json?x"), response).await;
        assert_ne!(response.body(), document, "{content_type}");
    }
    let response = with("content-encoding", "Identity");
    let response = sent(stack("/api/v1"), get("/openapi.json"), response).await;
    assert_ne!(response.body(), document);
}

#[test]
fn invalid_document_paths_are_refused() {
    for (path, problem) in [
        ("openapi.json", "must start with '/'"),
        ("", "must start with '/'"),
        (
            "/openapi.json?x",
            "must be a path, without a query or a fragment",
        ),
        (
            "/{tenant}/openapi.json",
            "must be the path of one document, not a template",
        ),
    ] {
        let refused = std::panic::catch_unwind(|| OpenApiLayer::new(path)).unwrap_err();
        let expected = format!("invalid document path {path:?}: {problem}");
        assert_eq!(refused.downcast_ref(), Some(&expected));
        let another = || OpenApiLayer::new("/openapi.json").path(path);
        assert!(std::panic::catch_unwind(another).is_err(), "{path}");
    }
}

/// Headers that do not hold for an edited document.
const VALIDATORS: [&str; 10] = [
    "etag",
    "last-modified",
    "accept-ranges",
    "content-md5",
    "content-digest",
    "repr-digest",
    "unencoded-digest",
    "digest",
    "signature",
    "signature-input",
];

#[tokio::test]
async fn an_edited_document_has_no_validators_digests_or_signatures() {
    for (document, is_edited) in [(r#"{"openapi":"3.1.0"}"#, true), ("{}", false)] {
        for name in VALIDATORS {
            let mut response = json(document);
            let headers = response.headers_mut();
            headers.insert("cache-control", "no-cache".parse().unwrap());
            headers.insert(name, "x".parse().unwrap());
            headers.append(name, "y".parse().unwrap());
            let response = sent(stack("/api/v1"), get("/openapi.json"), response).await;
            let headers = response.headers();
            assert_eq!(headers.contains_key(name), !is_edited, "{document} {name}");
            assert_eq!(headers["cache-control"], "no-cache", "{document} {name}");
        }
    }
}

#[tokio::test]
async fn an_edited_document_has_none_of_them_in_its_trailers() {
    for (document, is_edited) in [(r#"{"openapi":"3.1.0"}"#, true), ("{}", false)] {
        let app = service_fn(|_: Request<()>| async {
            let names = VALIDATORS
                .into_iter()
                .chain(["x"])
                .map(HeaderName::from_static);
            let trailers = names
                .map(|name| (name, HeaderValue::from_static("y")))
                .collect();
            let frames = [
                Frame::data(Bytes::from(document)),
                Frame::trailers(trailers),
            ];
            let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
            let response = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(body).unwrap())
        });
        let service = stack("/api/v1").layer(app);
        let response = service.oneshot(get("/openapi.json")).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap();
        for name in VALIDATORS {
            assert_eq!(trailers.contains_key(name), !is_edited, "{document} {name}");
        }
        assert_eq!(trailers["x"], "y");
    }
}

#[tokio::test]
async fn the_app_receives_a_get_request_for_the_whole_document() {
    let app = || {
        service_fn(|request: Request<()>| async move {
            assert_eq!(request.method(), Method::GET);
            let names = request.headers().keys().map(|name| name.as_str());
            let names = names.collect::<Vec<_>>().join(" ");
            let response = json(r#"{"openapi":"3.1.0"}"#);
            let (mut parts, body) = response.into_parts();
            parts.headers.insert("seen", names.parse().unwrap());
            Ok::<_, Infallible>(Response::from_parts(parts, body))
        })
    };
    let request = |method: Method| {
        Request::builder()
            .method(method)
            .uri("/openapi.json")
            .header("accept", "*/*")
            .header("accept-encoding", "gzip")
            .header("if-none-match", "\"1\"")
            .header("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("range", "bytes=0-1")
            .header("if-range", "\"1\"")
            .header("if-match", "\"1\"")
            .header("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT")
            .body(())
            .unwrap()
    };
    let get = stack("/api/v1")
        .layer(app())
        .oneshot(request(Method::GET))
        .await
        .unwrap();
    let head = stack("/api/v1")
        .layer(app())
        .oneshot(request(Method::HEAD))
        .await
        .unwrap();
    assert_eq!(get.headers()["seen"], "accept accept-encoding");
    assert_eq!(get.headers(), head.headers());
    assert_eq!(get.status(), head.status());
    assert!(head
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .is_empty());

    // Without a root path, the request stays as it is.
    let plain = stack("")
        .layer(app())
        .oneshot(request(Method::GET))
        .await
        .unwrap();
    assert!(plain.headers()["seen"]
        .to_str()
        .unwrap()
        .contains("if-none-match"));
}

#[tokio::test]
async fn a_body_that_is_too_large_or_fails_passes_unchanged() {
    type Frames = Vec<Result<Frame<Bytes>, io::Error>>;
    let send = |limit: usize, frames: fn() -> Frames| async move {
        let app = service_fn(move |_: Request<()>| async move {
            let body = StreamBody::new(futures_util::stream::iter(frames()));
            let response = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(body).unwrap())
        });
        let layers = (
            RootPathLayer::new("/api/v1"),
            OpenApiLayer::new("/openapi.json").limit(limit),
        );
        let response = layers
            .layer(app)
            .oneshot(get("/openapi.json"))
            .await
            .unwrap();
        let mut body = Box::pin(response.into_body());
        let (mut data, mut trailers, mut error) = (Vec::new(), None, None);
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(chunk)) => data.extend_from_slice(&chunk),
                Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
                Err(failed) => error = Some(failed.to_string()),
            }
        }
        (String::from_utf8(data).unwrap(), trailers, error)
    };
    fn data(text: &'static str) -> Result<Frame<Bytes>, io::Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }
    fn trailers() -> Result<Frame<Bytes>, io::Error> {
        let mut trailers = HeaderMap::new();
        trailers.insert("x", "y".parse().unwrap());
        trailers.insert("content-digest", "x".parse().unwrap());
        Ok(Frame::trailers(trailers))
    }
    let whole = || vec![data("{\"openapi\":"), data("\"3.1.0\"}"), trailers()];
    let (edited, with_trailers, error) = send(19, whole).await;
    assert_eq!(
        edited,
        r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}]}"#
    );
    let with_trailers = with_trailers.unwrap();
    assert_eq!(with_trailers["x"], "y");
    assert!(!with_trailers.contains_key("content-digest"));
    assert_eq!(error, None);

    let (too_large, with_trailers, error) = send(18, whole).await;
    assert_eq!(too_large, r#"{"openapi":"3.1.0"}"#);
    assert_eq!(with_trailers.unwrap()["x"], "y");
    assert_eq!(error, None);

    let failing = || {
        let error = Err(io::Error::other("midway"));
        vec![data("{\"openapi\":"), error, data("3.1.0")]
    };
    let (broken, _, error) = send(100, failing).await;
    assert_eq!(
        broken, "{\"openapi\":3.1.0",
        "frames after an error are passed on"
    );
    assert_eq!(error.as_deref(), Some("midway"));
}

#[tokio::test]
async fn concurrent_requests_have_their_own_root_paths() {
    let document = r#"{"openapi":"3.1.0"}"#;
    let requests = ["/a", "/b", "/c"]
        .repeat(30)
        .into_iter()
        .map(|root_path| async move { (root_path, edited(stack(root_path), document).await) });
    for (root_path, edited) in futures_util::future::join_all(requests).await {
        let expected = format!(r#"{{"openapi":"3.1.0","servers":[{{"url":"{root_path}"}}]}}"#);
        assert_eq!(edited, expected);
    }
}

/// What hyper's server sends for two requests in a row. The first one is for the document.
async fn on_the_wire<S, B>(service: S) -> String
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data: Send, Error: Into<tower::BoxError>> + 'static,
{
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let next = "GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    client
        .write_all((request.to_owned() + next).as_bytes())
        .await
        .unwrap();
    let mut http = http1::Builder::new();
    http.auto_date_header(false);
    let service = TowerToHyperService::new(service);
    // An error closes the connection.
    let _ = http.serve_connection(TokioIo::new(server), service).await;
    let mut sent = String::new();
    client.read_to_string(&mut sent).await.unwrap();
    sent
}

/// With a wrong length, a client would read the next response as a part of the body.
#[tokio::test]
async fn a_body_with_a_wrong_length_fails_as_without_the_layer() {
    type Chunks = &'static [&'static str];
    let app = |content_length: Option<usize>, chunks: Chunks, limit: usize| {
        service_fn(move |request: Request<Incoming>| async move {
            let next: Chunks = &["next"];
            let is_next = request.uri().path() == "/next";
            let chunks = if is_next { next } else { chunks };
            let chunks = chunks
                .iter()
                .map(|chunk| Bytes::from_static(chunk.as_bytes()));
            let chunks = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
            let body = StreamBody::new(futures_util::stream::iter(chunks));
            let mut response = Response::builder().header("content-type", "application/json");
            if let Some(content_length) = content_length.filter(|_| !is_next) {
                response = response.header("content-length", content_length);
            }
            Ok::<_, Infallible>(response.body(Limited::new(body, limit)).unwrap())
        })
    };
    for (name, content_length, chunks, limit) in [
        ("short", Some(100), &["{\"a\"", ":1}"][..], 1000),
        ("short, no object", Some(100), &["[1,", "2]"], 1000),
        ("long", Some(7), &["{\"a\":1}", "HTTP/1.1 200 OK"], 1000),
        ("empty", Some(100), &[], 1000),
        ("right", Some(7), &["{\"a\":", "1}"], 1000),
        ("no content-length", None, &["{\"a\":1}"], 1000),
        ("fails", None, &["{\"openapi\"", ":\"3.1.0\"}"], 15),
        ("fails, no object", None, &["[1,", "2]"], 3),
        ("fails at once", None, &["[1,"], 2),
    ] {
        let app = app(content_length, chunks, limit);
        let plain = on_the_wire(app).await;
        assert_eq!(
            on_the_wire(stack("/api/v1").layer(app)).await,
            plain,
            "{name}"
        );
        let keeps_alive = matches!(name, "long" | "right" | "no content-length");
        assert_eq!(plain.contains("next"), keeps_alive, "{name}: {plain}");
    }
}

/// A body that never ends, with an exact size hint.
struct Endless {
    first: Option<Frame<Bytes>>,
    len: u64,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}

#[tokio::test]
async fn other_responses_are_not_buffered() {
    for (first, len, content_type) in [
        (None, 1000, "application/json"),
        (Some("{}"), 1000, "text/plain"),
        (Some(" [1,"), 10, "application/json"),
        (Some("{\"openapi\": \"3.1.0\""), 10, "application/json"),
    ] {
        let app = service_fn(move |_: Request<()>| async move {
            let first = first.map(|text| Frame::data(Bytes::from_static(text.as_bytes())));
            let response = Response::builder().header("content-type", content_type);
            Ok::<_, Infallible>(response.body(Endless { first, len }).unwrap())
        });
        let document = OpenApiLayer::new("/openapi.json").limit(15);
        let layers = (RootPathLayer::new("/api/v1"), document);
        let response = layers.layer(app).oneshot(get("/openapi.json"));
        let response = response.now_or_never().expect("the body is not awaited");
        let mut body = response.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(len), "{first:?}");
        assert!(!body.is_end_stream(), "{first:?}");
        if let Some(first) = first {
            // A frame that reaches beyond the limit is divided there.
            let mut sent = Vec::new();
            while let Some(frame) = body.frame().now_or_never() {
                sent.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
            }
            assert_eq!(sent, first.as_bytes());
            let left = len.saturating_sub(first.len() as u64);
            assert!(body.size_hint().exact() == Some(left) || content_type == "text/plain");
        }
        assert!(body.frame().now_or_never().is_none(), "{first:?}");
    }
}

#[tokio::test]
async fn a_head_response_without_the_document_has_no_length() {
    let app = service_fn(|_: Request<()>| async {
        let mut response = json(r#"{"openapi":"3.1.0"}"#);
        *response.body_mut() = Full::default();
        Ok::<_, Infallible>(response)
    });
    let head = Request::head("/openapi.json").body(()).unwrap();
    let response = stack("/api/v1").layer(app).oneshot(head).await.unwrap();
    assert_eq!(response.headers().len(), 1, "{:?}", response.headers());
    assert_eq!(response.body().size_hint().exact(), None);
}

#[tokio::test]
async fn framing_headers_match_the_edited_document() {
    let mut chunked = json(r#"{"openapi":"3.1.0"}"#);
    chunked.headers_mut().remove("content-length");
    chunked
        .headers_mut()
        .insert("transfer-encoding", "chunked".parse().unwrap());
    let edited = sent(stack("/api/v1"), get("/openapi.json"), chunked).await;
    assert!(!edited.headers().contains_key("transfer-encoding"));
    assert_eq!(
        edited.headers()["content-length"],
        edited.body().len().to_string()
    );

    // As a body, too: without a length, an edited document has one; one that a header declares may
    // still end too early.
    for (declared, expected) in [(None, Some(49)), (Some(19), None)] {
        let app = service_fn(|_: Request<()>| async move {
            let data = Frame::data(Bytes::from_static(br#"{"openapi":"3.1.0"}"#));
            let body = StreamBody::new(futures_util::stream::iter([Ok::<_, Infallible>(data)]));
            let mut response = Response::builder().header("content-type", "application/json");
            if let Some(len) = declared {
                response = response.header("content-length", len);
            }
            Ok::<_, Infallible>(response.body(body).unwrap())
        });
        let service = stack("/api/v1").layer(app);
        let response = service.oneshot(get("/openapi.json")).await.unwrap();
        assert_eq!(response.headers()["content-length"], "49");
        assert_eq!(response.body().size_hint().exact(), expected);
    }

    // Trailers need the chunked coding, and follow the document.
    let app = service_fn(|_: Request<()>| async {
        let data = Bytes::from_static(br#"{"openapi":"3.1.0"}"#);
        let mut trailers = HeaderMap::new();
        trailers.insert("x", "y".parse().unwrap());
        let frames = [Frame::data(data), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let response = Response::builder().header("content-type", "application/json");
        let response = response.header("content-length", 19).body(body);
        Ok::<_, Infallible>(response.unwrap())
    });
    let service = stack("/api/v1").layer(app);
    let response = service.oneshot(get("/openapi.json")).await.unwrap();
    assert!(!response.headers().contains_key("content-length"));
    let mut body = response.into_body();
    let hint = body.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (49, None));
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert!(!body.is_end_stream());
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert!(body.frame().await.is_none());

    // Without an edit, HEAD has the length that GET has.
    let app = service_fn(|_: Request<()>| async {
        let response = Response::builder().header("content-type", "text/plain");
        Ok::<_, Infallible>(response.body(Full::<Bytes>::from("plain")).unwrap())
    });
    let head = Request::head("/openapi.json").body(()).unwrap();
    let response = stack("/api/v1").layer(app).oneshot(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    let body = response.into_body();
    assert!(body.is_end_stream());
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn a_head_response_without_content_has_no_length_of_its_own() {
    let app = service_fn(|_: Request<()>| async {
        let response = Response::builder().status(StatusCode::NOT_MODIFIED);
        Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
    });
    let head = Request::head("/openapi.json").body(()).unwrap();
    let response = stack("/api/v1").layer(app).oneshot(head).await.unwrap();
    assert!(!response.headers().contains_key("content-length"));
}

#[tokio::test]
async fn compression_may_be_inside_or_outside() {
    let document = format!(r#"{{"openapi":"3.1.0","x":"{}"}}"#, "x".repeat(1000));
    let app = service_fn(|_: Request<()>| {
        let response = json(&document);
        async move { Ok::<_, Infallible>(response) }
    });
    let request = || {
        Request::get("/openapi.json")
            .header("accept-encoding", "gzip")
            .body(())
            .unwrap()
    };
    let (root_path, openapi) = stack("/api/v1");
    let inside = (root_path.clone(), openapi.clone(), CompressionLayer::new());
    let outside = (CompressionLayer::new(), root_path, openapi);

    let response = inside.layer(app).oneshot(request()).await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
    let plain = response.into_body().collect().await.unwrap().to_bytes();
    assert!(plain.starts_with(br#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}]"#));

    let response = outside.layer(app).oneshot(request()).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let decompressed = DecompressionLayer::new().layer(outside.layer(app));
    let response = decompressed.oneshot(request()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, plain);
}

#[tokio::test]
async fn a_body_may_arrive_in_single_bytes() {
    let document = "\u{feff}{\"openapi\":\"3.1.0\"}";
    let app = service_fn(|_: Request<()>| async {
        let bytes = document.bytes().map(|byte| Bytes::copy_from_slice(&[byte]));
        let chunks = futures_util::stream::iter(bytes).then(|chunk| async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Frame::data(chunk))
        });
        tokio::task::yield_now().await;
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(StreamBody::new(chunks)).unwrap())
    });
    let service = stack("/api/v1").layer(app);
    let response = service.oneshot(get("/openapi.json")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let expected = "\u{feff}{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"/api/v1\"}]}";
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_inner_future_is_dropped_before_the_body_is_read() {
    let app = service_fn(|_: Request<()>| async {
        let (first, len) = (None, 10);
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(Endless { first, len }).unwrap())
    });
    let one_at_a_time = ConcurrencyLimitLayer::new(1);
    let mut service = (stack("/api/v1"), one_at_a_time).layer(app);
    service.ready().await.unwrap();
    let mut reading = pin!(service.call(get("/openapi.json")));
    assert!(reading.as_mut().now_or_never().is_none());
    let next = service.ready().now_or_never();
    assert!(next.is_some(), "the permit is released");
}
