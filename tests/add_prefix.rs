//! The client's side.

mod support;

use http::{
    header::HOST,
    uri::{Authority, Scheme},
    Method, Request, Response, Uri, Version,
};
use std::{
    cell::Cell,
    convert::Infallible,
    future::{ready, Ready},
    panic,
    rc::Rc,
    task::{Context, Poll},
};
use support::{get, seen, App};
use tower::{limit::ConcurrencyLimit, service_fn, BoxError, Layer, Service, ServiceExt};
use tower_root_path::{AddPrefix, AddPrefixLayer, InvalidPrefixedPath, RootPath};

/// The longest path and query that `http` takes.
const MAX_LEN: usize = 65_534;

fn uri(scheme: Option<&str>, authority: Option<&str>, path_and_query: &str) -> Uri {
    // As a path alone, `http` takes no `*` before 1.5.
    let path = if path_and_query == "*" { "*" } else { "/" };
    let mut parts = path.parse::<Uri>().unwrap().into_parts();
    parts.scheme = scheme.map(|scheme| scheme.parse().unwrap());
    parts.authority = authority.map(|authority| authority.parse().unwrap());
    if path_and_query != "*" {
        parts.path_and_query = Some(path_and_query.parse().unwrap());
    }
    Uri::from_parts(parts).unwrap()
}

#[tokio::test]
async fn what_has_a_path_gets_the_prefix_and_the_rest_stays() {
    for (name, original, expected) in [
        ("origin-form", "/x", "/grpc/x"),
        ("root", "/", "/grpc/"),
        ("trailing slash", "/x/", "/grpc/x/"),
        ("method", "/pkg.Svc/Method", "/grpc/pkg.Svc/Method"),
        ("query", "/x?a=/b?c", "/grpc/x?a=/b?c"),
        ("empty query", "/x?", "/grpc/x?"),
        ("there already", "/grpc/x", "/grpc/grpc/x"),
        ("the prefix itself", "/grpc", "/grpc/grpc"),
        ("two slashes", "//x", "/grpc//x"),
        ("backslash", "/\\x", "/grpc/\\x"),
        ("dots", "/../x/./%2e%2E", "/grpc/../x/./%2e%2E"),
        ("no triplet", "/%zz?%", "/grpc/%zz?%"),
        (
            "raw non-ASCII",
            "/caf\u{e9}?\u{e9}",
            "/grpc/caf\u{e9}?\u{e9}",
        ),
        ("absolute-form", "http://h:80/x?y", "http://h:80/grpc/x?y"),
        ("no path", "http://h", "http://h/grpc/"),
        ("query without a path", "http://h?y", "http://h/grpc/?y"),
        ("userinfo", "http://u:p@h/x", "http://u:p@h/grpc/x"),
        (
            "other scheme",
            "unix+h2://[::1]/x",
            "unix+h2://[::1]/grpc/x",
        ),
        ("asterisk-form", "*", "*"),
        ("authority-form", "h:443", "h:443"),
        ("authority-form without a port", "h", "h"),
    ] {
        let request = seen(AddPrefixLayer::new("/grpc"), get(original)).await;
        assert_eq!(request.uri().to_string(), expected, "{name}");
        for empty in ["", "/"] {
            let request = seen(AddPrefixLayer::new(empty), get(original)).await;
            assert_eq!(*request.uri(), *original, "{name}");
        }
    }
}

#[tokio::test]
async fn what_http_takes_in_parts_only_gets_the_prefix_as_well() {
    let http2 = (Some("https"), Some("h"));
    let origin = (None, None);
    for (name, (scheme, authority), path_and_query, path, whole) in [
        ("query alone", origin, "?x", "/grpc/", "/grpc/?x"),
        ("query alone, HTTP/2", http2, "?x", "/grpc/", "/grpc/?x"),
        ("fragment alone", origin, "#x", "/grpc/", "/grpc/"),
        ("HTTP/2", http2, "/x?y", "/grpc/x", "/grpc/x?y"),
        ("two slashes, HTTP/2", http2, "//x", "/grpc//x", "/grpc//x"),
        ("OPTIONS * over HTTP/2", http2, "*", "*", "*"),
    ] {
        let mut request = get("/");
        *request.uri_mut() = uri(scheme, authority, path_and_query);
        let request = seen(AddPrefixLayer::new("/grpc"), request).await;
        let prefixed = request.uri();
        assert_eq!(prefixed.path(), path, "{name}");
        assert_eq!(prefixed.path_and_query().unwrap().as_str(), whole, "{name}");
        assert_eq!(prefixed.scheme().map(Scheme::as_str), scheme, "{name}");
        let found = prefixed.authority().map(Authority::as_str);
        assert_eq!(found, authority, "{name}");
    }
}

#[tokio::test]
async fn a_connect_with_a_path_is_a_request_as_any_other() {
    for (uri, expected) in [
        ("h:443", "h:443"),
        ("https://h/chat", "https://h/grpc/chat"),
        ("https://h/", "https://h/grpc/"),
    ] {
        let request = Request::connect(uri).body(()).unwrap();
        let request = seen(AddPrefixLayer::new("/grpc"), request).await;
        assert_eq!(request.uri(), expected);
    }
}

#[tokio::test]
async fn everything_but_the_path_stays() {
    let request = Request::put("http://gateway.example/x")
        .version(Version::HTTP_2)
        .header(HOST, "app.example")
        .header("x-forwarded-prefix", "/of/someone/else")
        .extension(7_u8);
    let request = seen(AddPrefixLayer::new("/grpc"), request.body(()).unwrap()).await;
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.headers().len(), 2);
    assert_eq!(request.headers()[HOST], "app.example");
    assert_eq!(request.headers()["x-forwarded-prefix"], "/of/someone/else");
    assert_eq!(request.extensions().len(), 1);
    assert_eq!(request.extensions().get(), Some(&7_u8));
}

#[tokio::test]
async fn stacked_layers_add_the_inner_prefix_last() {
    let stack = (AddPrefixLayer::new("/v1"), AddPrefixLayer::new("/api"));
    assert_eq!(seen(stack, get("/x")).await.uri(), "/api/v1/x");
}

#[tokio::test]
async fn http_says_how_long_a_path_may_be() {
    let long_prefix = format!("/{}", "p".repeat(RootPath::MAX_LEN - 1));
    for prefix in ["/p", "/api/v1", &long_prefix] {
        for (scheme, authority) in [(None, None), (Some("http"), Some("h"))] {
            for front in ["/", "/?", "/caf\u{e9}?"] {
                let fits = MAX_LEN - prefix.len();
                let path_of = |len| front.to_owned() + &"x".repeat(len - front.len());
                let send = |len| {
                    let mut request = get("/");
                    *request.uri_mut() = uri(scheme, authority, &path_of(len));
                    AddPrefix::new(App(Response::new), prefix).oneshot(request)
                };
                let request = send(fits).await.unwrap().into_body();
                let sent = request.uri().path_and_query().unwrap().as_str();
                assert_eq!(sent, format!("{prefix}{}", path_of(fits)));

                let error = send(fits + 1).await.unwrap_err();
                let error = error.downcast::<InvalidPrefixedPath>().unwrap();
                let len = fits + 1;
                let shown = path_of(64 + front.len() - front.chars().count());
                assert_eq!(
                    error.to_string(),
                    format!("cannot put {prefix:?} in front of \"{shown}…\" ({len} bytes): uri too long")
                );
            }
        }
    }
}

#[tokio::test]
async fn a_query_alone_needs_room_for_its_slash() {
    for (len, fits) in [(MAX_LEN - 3, true), (MAX_LEN - 2, false)] {
        let mut request = get("/");
        *request.uri_mut() = uri(None, None, &format!("?{}", "x".repeat(len - 1)));
        let sent = AddPrefix::new(App(Response::new), "/p").oneshot(request);
        assert_eq!(sent.await.is_ok(), fits, "{len}");
    }
}

#[tokio::test]
async fn an_empty_prefix_changes_and_refuses_nothing() {
    let mut request = get("/");
    *request.uri_mut() = uri(None, None, "?x");
    let request = seen(AddPrefixLayer::new(""), request).await;
    assert_eq!(request.uri().path_and_query().unwrap(), "?x");

    let longest = format!("/{}", "x".repeat(MAX_LEN - 1));
    let request = seen(AddPrefixLayer::new(""), get(&longest)).await;
    assert_eq!(request.uri().path(), longest);
}

#[tokio::test]
async fn a_refused_request_is_dropped_and_the_service_stays_usable() {
    let calls = Rc::new(Cell::new(0));
    let counts = service_fn(|_: Request<Rc<()>>| {
        calls.set(calls.get() + 1);
        ready(Ok::<_, Infallible>(Response::new(())))
    });
    let mut client = AddPrefix::new(ConcurrencyLimit::new(counts, 1), "/p");
    let body = Rc::new(());
    let request = |len| {
        let path = format!("/{}", "x".repeat(len - 1));
        Request::get(path).body(Rc::clone(&body)).unwrap()
    };

    let refused = client.ready().await.unwrap().call(request(MAX_LEN));
    assert_eq!(Rc::strong_count(&body), 1, "nobody holds the request");
    assert_eq!(calls.get(), 0);
    let refused = refused.await.unwrap_err();
    let message = refused.to_string();
    assert!(message.ends_with(" bytes): uri too long"), "{message}");
    // Else a report of the error and its sources has the reason twice.
    assert!(refused.source().is_none());

    let sent = client.ready().await.unwrap().call(request(MAX_LEN - 2));
    sent.await.unwrap();
    assert_eq!(calls.get(), 1);
}

/// Not ready, then failed.
struct Failing(Poll<Result<(), &'static str>>);

impl Service<Request<()>> for Failing {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Err("in call"))
    }
}

#[tokio::test]
async fn readiness_and_errors_are_the_inner_services() {
    let mut client = AddPrefix::new(Failing(Poll::Pending), "/grpc");
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    assert!(client.poll_ready(&mut context).is_pending());
    client.get_mut().0 = Poll::Ready(Err("in poll_ready"));
    let error = client.ready().await.err().unwrap();
    assert_eq!(error.to_string(), "in poll_ready");
    client.get_mut().0 = Poll::Ready(Ok(()));
    let error = client.ready().await.unwrap().call(get("/x")).await;
    assert_eq!(error.unwrap_err().to_string(), "in call");
}

#[tokio::test]
async fn an_error_is_boxed_once() {
    let fails = || service_fn(|_: Request<()>| ready(Err::<Response<()>, _>(std::fmt::Error)));
    let stack = (AddPrefixLayer::new("/v1"), AddPrefixLayer::new("/api"));
    let error: BoxError = stack.layer(fails()).oneshot(get("/x")).await.unwrap_err();
    assert!(error.is::<std::fmt::Error>());
}

#[test]
fn layer_and_service_have_the_same_constructors() {
    for prefix in ["/grpc", "/grpc/", ""] {
        let same = [
            AddPrefixLayer::new(prefix).layer(()),
            AddPrefixLayer::new(prefix.to_owned()).layer(()),
            AddPrefixLayer::new(prefix.parse::<RootPath>().unwrap()).layer(()),
            AddPrefixLayer::from(prefix.parse::<RootPath>().unwrap()).layer(()),
            AddPrefixLayer::try_new(prefix).unwrap().layer(()),
            AddPrefix::new((), prefix),
            AddPrefix::try_new((), prefix).unwrap(),
        ];
        let trimmed = prefix.trim_end_matches('/');
        for service in same {
            let shown = format!("AddPrefix {{ inner: (), prefix: {trimmed:?} }}");
            assert_eq!(format!("{:?}", service.clone()), shown);
            assert_eq!(service.get_ref(), &());
            service.into_inner();
        }
    }
}

#[test]
fn an_invalid_prefix_is_an_error_or_a_panic_of_the_same_words() {
    let error = AddPrefixLayer::try_new("grpc").unwrap_err();
    assert_eq!(AddPrefix::try_new((), "grpc").unwrap_err(), error);
    let expected = r#"invalid root path "grpc": must start with '/'"#;
    assert_eq!(error.to_string(), expected);

    for construct in [
        || drop(AddPrefixLayer::new("grpc")),
        || drop(AddPrefix::new((), "grpc")),
    ] {
        let payload = panic::catch_unwind(construct).unwrap_err();
        assert_eq!(*payload.downcast::<String>().unwrap(), expected);
    }
}
