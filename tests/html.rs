//! `BaseHrefLayer`: which pages are edited and where, and the requests and responses around them.

mod support;

use bytes::Bytes;
use futures_util::{stream, FutureExt, StreamExt};
use http::{header, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use std::{
    convert::Infallible,
    fmt::Debug,
    io,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
};
use support::{
    get_with,
    pages::{pages, ROOT_PATH},
    App,
};
use tower::{Layer, Service, ServiceExt};
use tower_root_path::{BaseHrefLayer, RootPathLayer};

type Page = Response<Full<Bytes>>;
type Stack = (RootPathLayer, BaseHrefLayer);

fn stack(root_path: &str) -> Stack {
    (RootPathLayer::new(root_path), BaseHrefLayer::new())
}

const PAGE: &str = "<!doctype html><html><head></head><body>x</body></html>";
const EDITED: &str =
    "<!doctype html><html><head><base href=\"/api/v1/\"></head><body>x</body></html>";

fn page(page: &str) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "text/html; charset=utf-8")
        .header("content-length", page.len())
        .header("etag", "\"1\"")
        .header("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT")
        .header("accept-ranges", "bytes")
        .header("x-app", "kept")
        .body(Full::from(page.to_owned()))
        .unwrap()
}

type Respond<B> = Box<dyn FnMut(Request<()>) -> Response<B>>;

/// Sends `request` to an app that answers with `response`.
async fn respond<L, B, R>(layer: L, request: Request<()>, response: Response<B>) -> Response<R>
where
    B: 'static,
    L: Layer<App<Respond<B>>>,
    L::Service: Service<Request<()>, Response = Response<R>, Error = Infallible>,
{
    let mut response = Some(response);
    let app: Respond<B> = Box::new(move |_| response.take().expect("one request is sent"));
    layer.layer(App(app)).oneshot(request).await.unwrap()
}

/// The whole response that a client receives.
async fn sent<L, R>(layer: L, request: Request<()>, response: Page) -> Response<Bytes>
where
    L: Layer<App<Respond<Full<Bytes>>>>,
    L::Service: Service<Request<()>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes, Error: Debug>,
{
    let (parts, body) = respond(layer, request, response).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, body)
}

fn get() -> Request<()> {
    get_with("/", &[("accept", "text/html,*/*;q=0.8")])
}

#[tokio::test]
async fn the_value_is_the_root_path_and_a_slash() {
    for (root_path, original, expected) in [
        ("/api/v1", "<head>", "<head><base href=\"/api/v1/\">"),
        ("", "<head>", "<head><base href=\"/\">"),
        ("/a&b", "<head>", "<head><base href=\"/a&amp;b/\">"),
        ("/a&b", "<head><base href=/>", "<head><base href=/a&amp;b/>"),
        ("/a", "<head><base href='./'>", "<head><base href='/a/'>"),
        ("", "<head><base href='./'>", "<head><base href='/'>"),
        ("", "<head><base href='/'>", "<head><base href='/'>"),
        ("/a", "<head><base href=&#X2F;>", "<head><base href=/a/>"),
        (
            "/a",
            "<head><base href='.&#47;'>",
            "<head><base href='/a/'>",
        ),
        ("/a", "<head><base href='..'>", "<head><base href='..'>"),
        ("/a", "<head><base href=/b/>", "<head><base href=/b/>"),
    ] {
        let sent = sent(stack(root_path), get(), page(original)).await;
        assert_eq!(sent.body(), expected);
        let len = sent.headers()["content-length"].to_str().unwrap();
        assert_eq!(len, expected.len().to_string(), "{original}");
        let is_edited = original != expected;
        assert_eq!(
            sent.headers().contains_key("etag"),
            !is_edited,
            "{original}"
        );
    }
}

/// However the page is divided into frames.
#[tokio::test]
async fn the_place_of_the_element_is_found_as_a_parser_does() {
    for (before, after) in pages() {
        for frame_len in [1, 2, 3, 7, 1000] {
            let chunks = before.as_bytes().chunks(frame_len);
            let parts = chunks.map(|chunk| data(chunk.to_vec()));
            let parts = stream::iter(parts.collect::<Vec<_>>());
            let mut response = page("").map(|_| StreamBody::new(parts));
            response.headers_mut().remove("content-length");
            let response: Response<_> = respond(stack(ROOT_PATH), get(), response).await;
            let sent = response.into_body().collect().await.unwrap().to_bytes();
            let sent = String::from_utf8_lossy(&sent);
            assert_eq!(sent, after, "{before} in frames of {frame_len}");
        }
    }
}

#[tokio::test]
async fn pages_and_error_pages_are_edited() {
    for (status, line, is_edited) in [
        (200, ("x", "y"), true),
        (404, ("x", "y"), true),
        (500, ("x", "y"), true),
        (200, ("content-type", "Text/HTML"), true),
        (200, ("content-type", "text/html ;charset=Shift_JIS"), true),
        (200, ("content-encoding", "identity"), true),
        (200, ("cache-control", "max-age=1, private"), true),
        (201, ("x", "y"), false),
        (204, ("x", "y"), false),
        (206, ("x", "y"), false),
        (302, ("x", "y"), false),
        (304, ("x", "y"), false),
        (200, ("content-type", "text/html5"), false),
        (200, ("content-type", "application/xhtml+xml"), false),
        (200, ("content-type", "text/plain"), false),
        (
            200,
            ("content-type", "text/html; x=y; CharSet=\"UTF-16\""),
            false,
        ),
        (
            200,
            ("content-type", "text/html;charset=iso-2022-jp"),
            false,
        ),
        (200, ("content-encoding", "gzip"), false),
        (200, ("cache-control", "max-age=1, No-Transform"), false),
    ] {
        let mut response = page(PAGE);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let name = HeaderName::from_static(line.0);
        response.headers_mut().insert(name, line.1.parse().unwrap());
        let before = response.headers().clone();
        let sent = sent(stack("/api/v1"), get(), response).await;
        let expected = if is_edited { EDITED } else { PAGE };
        assert_eq!(sent.body(), expected, "{status} {line:?}");
        let mut headers = sent.headers().clone();
        let is_html = line.0 != "content-type" || line.1.contains("html;") || is_edited;
        let varies = headers.remove("vary").is_some();
        assert_eq!(varies, is_html, "{status} {line:?}");
        if !is_edited {
            assert_eq!(headers, before, "{status} {line:?}");
        }
    }
    let mut response = page(PAGE);
    for value in ["private", "no-transform"] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().append("cache-control", value);
    }
    let sent = sent(stack("/api/v1"), get(), response).await;
    assert_eq!(sent.body(), PAGE);
}

#[tokio::test]
async fn an_edited_page_has_no_validators_and_varies_by_accept() {
    let with_vary = |vary: Option<&str>| {
        let mut response = page(PAGE);
        if let Some(vary) = vary {
            response.headers_mut().insert("vary", vary.parse().unwrap());
        }
        response
    };
    for (vary, expected) in [
        (None, &["accept"][..]),
        (Some("accept-encoding"), &["accept-encoding", "accept"]),
        (Some("origin, Accept"), &["origin, Accept"]),
        (Some("*"), &["*"]),
    ] {
        let sent = sent(stack("/api/v1"), get(), with_vary(vary)).await;
        let vary: Vec<_> = sent.headers().get_all("vary").iter().collect();
        assert_eq!(vary, expected);
        let mut names: Vec<_> = sent.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "content-type", "vary", "x-app"]);
    }

    // An HTML response that is not a page varies as well; another one does not.
    let fragment = sent(stack("/api/v1"), get(), page("<p>x")).await;
    assert_eq!(fragment.headers()["vary"], "accept");
    let mut asset = page("x");
    asset
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("text/css"));
    let asset = sent(stack("/api/v1"), get(), asset).await;
    assert!(!asset.headers().contains_key("vary"));
}

#[tokio::test]
async fn requests_of_a_browser_for_a_page_are_for_the_whole_page() {
    const HEADERS: [(&str, &str); 7] = [
        ("if-none-match", "\"1\""),
        ("if-modified-since", "Sat, 21 Nov 2026 00:00:00 GMT"),
        ("if-range", "\"1\""),
        ("range", "bytes=0-9"),
        ("accept-encoding", "gzip, br"),
        ("if-match", "\"1\""),
        ("if-unmodified-since", "Sat, 21 Nov 2026 00:00:00 GMT"),
    ];
    for (method, accept, is_for_page) in [
        (
            "GET",
            &["text/html,application/xml;q=0.9,*/*;q=0.8"][..],
            true,
        ),
        (
            "HEAD",
            &["*/*", "application/json, Text/HTML ;level=1"],
            true,
        ),
        ("GET", &["*/*"], false),
        ("GET", &["text/*, text/html5, text/css"], false),
        ("GET", &[], false),
        ("POST", &["text/html"], false),
    ] {
        let mut request = get_with("/", &HEADERS);
        *request.method_mut() = method.parse().unwrap();
        for line in accept {
            let line = HeaderValue::from_static(line);
            request.headers_mut().append("accept", line);
        }
        let before = request.headers().clone();
        let mut expected = before.clone();
        if is_for_page {
            for (name, _) in &HEADERS[..4] {
                expected.remove(*name);
            }
            expected.insert("accept-encoding", HeaderValue::from_static("identity"));
        }
        let app = App(|request: Request<()>| {
            let (parts, ()) = request.into_parts();
            let response = Response::builder().extension(parts.method);
            let mut response = response.body(Full::<Bytes>::default()).unwrap();
            *response.headers_mut() = parts.headers;
            response
        });
        let seen = stack("").layer(app).oneshot(request).await.unwrap();
        assert_eq!(*seen.headers(), expected, "{method} {accept:?}");
        assert_eq!(seen.extensions().get::<Method>().unwrap(), method);
    }
}

#[tokio::test]
async fn head_has_the_length_of_get_or_none() {
    let head = || {
        let mut request = get();
        *request.method_mut() = Method::HEAD;
        request
    };
    // As from a handler for GET, whose body the server drops.
    let response = respond(stack("/api/v1"), head(), page(PAGE)).await;
    let len = EDITED.len();
    assert_eq!(response.headers()["content-length"], len.to_string());
    assert_eq!(response.body().size_hint().exact(), Some(len as u64));
    assert!(response.body().is_end_stream());
    assert!(!response.headers().contains_key("etag"));

    // As from a handler that sends the headers alone.
    let response = respond(stack("/api/v1"), head(), {
        page(PAGE).map(|_| Full::<Bytes>::default())
    })
    .await;
    let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "vary", "x-app"]);
    // axum writes a `Content-Length` of an exact size.
    assert_eq!(response.body().size_hint().exact(), None);

    // Not a page.
    let text = || {
        let mut text = page("x").map(|_| Full::<Bytes>::default());
        text.headers_mut()
            .insert("content-type", HeaderValue::from_static("text/css"));
        text
    };
    let response = respond(stack("/api/v1"), head(), text()).await;
    assert_eq!(response.headers(), text().headers());
}

/// A response in frames.
fn frames<E>(
    frames: Vec<Result<Frame<Bytes>, E>>,
) -> Response<StreamBody<impl futures_util::Stream<Item = Result<Frame<Bytes>, E>>>> {
    // Not more than the frames is read.
    let frames = stream::iter(frames).chain(stream::pending());
    let mut response = page("").map(|_| StreamBody::new(frames));
    response.headers_mut().remove("content-length");
    response
}

fn data(data: impl Into<Bytes>) -> Result<Frame<Bytes>, io::Error> {
    Ok(Frame::data(data.into()))
}

/// The frames that are there without waiting.
async fn ready_frames<B>(body: B) -> Vec<Bytes>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    let mut body = body;
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().now_or_never() {
        frames.push(frame.unwrap().unwrap().into_data().unwrap());
    }
    frames
}

#[tokio::test]
async fn a_page_leaves_as_soon_as_its_head_has_ended() {
    for end in ["</head ", "<body ", "<BODY>", "</HEAD\n"] {
        let first = format!("<html><head><title>x</title>{end}");
        let response = frames(vec![data(first.clone()), data("y")]);
        let response = respond(stack("/a"), get(), response).now_or_never();
        let frames = ready_frames(response.expect(end).into_body()).await;
        let edited = first.replace("<title>", "<base href=\"/a/\"><title>");
        assert_eq!(frames, [edited, "y".to_owned()]);
    }
    for undecided in [
        "<html><head><title>x</title>",
        "<html><head></hea",
        "<!doctype html>",
        "",
    ] {
        let response = frames(vec![data(undecided)]);
        let response = respond(stack("/a"), get(), response).now_or_never();
        assert!(response.is_none(), "{undecided}");
    }
    // What is not a page leaves with its first bytes.
    let response = frames(vec![data("<p>x")]);
    let response = respond(stack("/a"), get(), response).now_or_never();
    assert_eq!(ready_frames(response.unwrap().into_body()).await, ["<p>x"]);
}

#[tokio::test]
async fn no_more_than_64_kib_are_held() {
    const WINDOW: usize = 64 << 10;
    let head = "<html><head><title>";
    for frame_len in [1, 1000, WINDOW - 1, WINDOW, WINDOW + 1] {
        let whole = format!("{head}{}", "x".repeat(2 * WINDOW));
        let read = Arc::new(AtomicUsize::new(0));
        let chunks: Vec<_> = whole
            .as_bytes()
            .chunks(frame_len)
            .map(Bytes::copy_from_slice)
            .collect();
        let counted = stream::iter(chunks.into_iter().chain([Bytes::from_static(b"end")])).map({
            let read = Arc::clone(&read);
            move |chunk| {
                read.fetch_add(chunk.len(), Ordering::Relaxed);
                data(chunk)
            }
        });
        let body = StreamBody::new(counted);
        let response = respond(stack("/a"), get(), page("").map(|_| body)).await;
        let at_window = read.load(Ordering::Relaxed);
        let frames_to_window = WINDOW.div_ceil(frame_len);
        assert_eq!(at_window, frames_to_window * frame_len, "{frame_len}");
        let sent = response.into_body().collect().await.unwrap().to_bytes();
        let edited = whole.replace("<title>", "<base href=\"/a/\"><title>") + "end";
        assert!(sent == edited, "{frame_len}");
    }

    // What a frame has beyond the window is sent as it is, without a copy.
    let large = Bytes::from(format!("<html><head><title>{}", "x".repeat(1 << 20)));
    let response = frames(vec![data(large.clone())]);
    let response = respond(stack("/a"), get(), response).now_or_never();
    let frames = ready_frames(response.unwrap().into_body()).await;
    assert_eq!(frames[1].as_ptr(), large[WINDOW..].as_ptr());
}

#[tokio::test]
async fn trailers_arrive_without_digests_of_the_unedited_page() {
    let mut trailers = HeaderMap::new();
    trailers.insert("content-digest", HeaderValue::from_static("sha-256=:x:"));
    trailers.insert("server-timing", HeaderValue::from_static("x"));
    // Before and after the layer has stopped reading; and without an edit. For an exact length, a
    // server sends no trailers.
    for (parts, is_edited) in [
        (&["<head>"][..], true),
        (&["<head></head>", "x"], true),
        (&["<p>"], false),
    ] {
        let parts = parts.iter().map(|part| data(*part));
        let parts = parts.chain([Ok(Frame::trailers(trailers.clone()))]);
        let body = StreamBody::new(stream::iter(parts.collect::<Vec<_>>()));
        let mut response = page("").map(|_| body);
        response.headers_mut().remove("content-length");
        let response = respond(stack("/a"), get(), response).await;
        assert_eq!(response.body().size_hint().exact(), None);
        let collected = response.into_body().collect().await.unwrap();
        let sent = collected.trailers().unwrap();
        assert_eq!(sent.contains_key("content-digest"), !is_edited);
        assert_eq!(sent["server-timing"], "x");
    }
}

#[tokio::test]
async fn a_body_that_fails_loses_nothing_that_was_read() {
    let failure = || Err(io::Error::other("disk"));
    for (parts, expected) in [
        (&[][..], ""),
        (&["<html><head>"], "<html><head>"),
        (&["<head></head>", "x"], "<head><base href=\"/a/\"></head>x"),
    ] {
        let parts = parts.iter().map(|part| data(*part)).chain([failure()]);
        let response = frames(parts.collect());
        let mut body = respond(stack("/a"), get(), response).await.into_body();
        let mut sent = Vec::new();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => sent.extend_from_slice(frame.data_ref().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(sent, expected.as_bytes());
        assert_eq!(error.to_string(), "disk");
    }
}

#[tokio::test]
async fn a_page_that_is_too_short_stays_too_short() {
    // The declared length is by 100 bytes too large; the server has to notice it.
    let mut response = page(PAGE);
    let declared = HeaderValue::from(PAGE.len() + 100);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, declared);
    let sent = sent(stack("/api/v1"), get(), response).await;
    assert_eq!(sent.body(), EDITED);
    let declared = (EDITED.len() + 100).to_string();
    assert_eq!(sent.headers()["content-length"], declared);

    // A server ends an HTTP/1.1 response without an error if the body says that it has ended.
    let mut response = page(PAGE).map(|_| StreamBody::new(stream::iter([data(PAGE)])));
    let declared = HeaderValue::from(PAGE.len() + 100);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, declared);
    let mut body = respond(stack("/api/v1"), get(), response).await.into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert!(!body.is_end_stream());
    assert!(body.frame().await.is_none());
}

/// HTTP/2 needs an empty frame to end a body that does not say so with its last one.
#[tokio::test]
async fn the_last_frame_of_a_page_ends_the_body() {
    let mut body = respond(stack("/api/v1"), get(), page(PAGE))
        .await
        .into_body();
    assert!(!body.is_end_stream());
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn a_length_that_is_less_than_what_was_read_is_not_kept() {
    let mut response = page(PAGE);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
    let sent = sent(stack("/api/v1"), get(), response).await;
    assert!(!sent.headers().contains_key("content-length"));
    assert_eq!(sent.body(), EDITED);
}

#[tokio::test]
async fn a_client_that_goes_away_drops_the_body() {
    let body = Arc::new(());
    let response = {
        let body = Arc::clone(&body);
        let parts = stream::once(async move {
            let _body = body;
            std::future::pending::<Result<Frame<Bytes>, io::Error>>().await
        });
        page("").map(|_| StreamBody::new(parts.boxed()))
    };
    let future = respond(stack("/a"), get(), response);
    assert!(future.now_or_never().is_none());
    assert_eq!(Arc::strong_count(&body), 1);
}

#[tokio::test]
async fn the_innermost_of_stacked_layers_inserts_its_root_path() {
    let stacked = (
        (RootPathLayer::new("/outer"), BaseHrefLayer::new()),
        (RootPathLayer::new("/inner"), BaseHrefLayer::new()),
    );
    let nested = sent(stacked, get(), page("<head>")).await;
    assert_eq!(nested.body(), "<head><base href=\"/outer/inner/\">");

    // Without a `RootPathLayer`, there is no root path.
    let alone = sent(BaseHrefLayer::new(), get(), page("<head>")).await;
    assert_eq!(alone.body(), "<head><base href=\"/\">");
}
