//! What is logged. In a process of its own, since tracing caches per process what is enabled.

mod support;

use http::{Request, Response, StatusCode};
use std::{
    future::Future,
    io::{self, Write},
    sync::{Arc, Mutex},
};
use support::{get, get_with, App};
use tower::{Layer, ServiceExt};
use tower_root_path::{
    BaseHrefLayer, ForwardedOrigin, ForwardedPrefix, PeerAddr, RootPathLayer, TrustedProxies,
};

const PREFIX: &str = "x-forwarded-prefix";

/// The lines that are logged while `run` runs.
async fn logged(run: impl Future<Output = ()>) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    run.await;
    drop(guard);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn assert_lines(lines: &[String], expected: &[&str]) {
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(" WARN ") && line.contains(expected), "{line}");
    }
}

#[tokio::test]
async fn each_reason_why_a_header_is_ignored_is_logged_once() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("/api").with_forwarded(forwarded);
    let unknown = || Request::builder().header(PREFIX, "/x").body(()).unwrap();
    let untrusted = |last| {
        let mut request = unknown();
        let peer = PeerAddr(([192, 0, 2, last], 1).into());
        request.extensions_mut().insert(peer);
        request
    };
    let lines = logged(async {
        for last in 1..4 {
            for request in [
                unknown(),
                untrusted(last),
                get_with("/", &[(PREFIX, "//evil")]),
                get_with("/", &[(PREFIX, "//other")]),
                get_with("/", &[(PREFIX, "evil")]),
                get_with("/", &[(PREFIX, "/fine")]),
                get("/"),
            ] {
                support::send(&layer, request, |_| Response::new(())).await;
            }
        }
    });
    assert_lines(
        &lines.await,
        &[
            "into_make_service_with_connect_info",
            "untrusted peer 192.0.2.1 (if this is your proxy",
            "\"//evil\": empty segment at byte 1",
            "\"evil\": must start with '/'",
        ],
    );
}

/// Whether the proxy strips is not for the layer to know, so the message asks.
#[tokio::test]
async fn a_404_with_the_prefix_in_the_path_is_logged_once() {
    let answer = |status: StatusCode| {
        move |_: Request<()>| {
            let mut response = Response::new(());
            *response.status_mut() = status;
            response
        }
    };
    let not_found = || answer(StatusCode::NOT_FOUND);
    let hint = "Does your proxy strip the prefix?";
    let names_it = "root_path=\"/api\"";
    let proxies = TrustedProxies::all();
    let varying =
        RootPathLayer::new("/api").with_forwarded(ForwardedPrefix::x_forwarded_prefix(proxies));
    for (layer, uri, expected) in [
        (RootPathLayer::new("/api"), "/api/x", &[hint][..]),
        (RootPathLayer::new("/api"), "/api", &[hint]),
        (RootPathLayer::new("/api"), "/apix", &[]),
        (RootPathLayer::new("/api"), "/x", &[]),
        (varying, "/x", &[]),
        (RootPathLayer::new("/api").strip_if_present(), "/api/x", &[]),
        (RootPathLayer::new(""), "/api/x", &[]),
    ] {
        let lines = logged(async {
            support::send(&layer, get(uri), answer(StatusCode::OK)).await;
        });
        assert_lines(&lines.await, &[]);
        let lines = logged(async {
            for _ in 0..3 {
                support::send(&layer, get(uri), not_found()).await;
            }
        });
        let lines = lines.await;
        assert_lines(&lines, expected);
        assert!(
            lines.iter().all(|line| line.contains(names_it)),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn a_404_is_logged_by_the_layer_whose_root_path_is_in_the_path() {
    let not_found = || {
        App(|_| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        })
    };
    for (uri, expected) in [
        ("/outer/inner/x", &["root_path=\"/inner\""][..]),
        ("/inner/x", &["root_path=\"/inner\""]),
        ("/outer/x", &[]),
        ("/outer/outer/x", &[]),
        ("/x", &[]),
    ] {
        let outer = RootPathLayer::new("/outer").strip_if_present();
        let app = (outer, RootPathLayer::new("/inner")).layer(not_found());
        let lines = logged(async move {
            app.oneshot(get(uri)).await.unwrap();
        });
        assert_lines(&lines.await, expected);
    }
}

#[tokio::test]
async fn a_404_with_a_forwarded_prefix_in_the_path_names_the_proxy() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
    let layer = RootPathLayer::new("").with_forwarded(forwarded);
    let lines = logged(async {
        let request = get_with("/api/v1/app", &[(PREFIX, "/api/v1")]);
        let app = App(|_| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        });
        layer.layer(app).oneshot(request).await.unwrap();
    })
    .await;
    assert_lines(&lines, &["let the proxy strip the prefix that it sends"]);
}

/// After routing it is too late to strip.
#[cfg(feature = "axum")]
#[tokio::test]
async fn a_404_of_a_layer_that_runs_too_late_to_strip_is_logged() {
    use axum::{body::Body, routing::get, Router};
    use tower::ServiceExt;

    let routes = || Router::new().route("/x", get(|| async {}));
    let layer = RootPathLayer::new("/api").strip_if_present();
    for (app, expected) in [
        (routes().layer(layer.clone()), &["strip_if_present()"][..]),
        (layer.wrap(routes()), &[]),
    ] {
        let lines = logged(async {
            let request = Request::get("/api/x").body(Body::empty()).unwrap();
            app.oneshot(request).await.unwrap();
        });
        assert_lines(&lines.await, expected);
    }
}

/// The mount stands in the path twice, but nobody had to strip it.
#[cfg(feature = "axum")]
#[tokio::test]
async fn a_404_in_a_mount_is_not_logged() {
    use axum::{body::Body, Router};

    let sub_app = Router::new()
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(RootPathLayer::nested());
    let app = Router::new().nest("/sub", sub_app);
    let lines = logged(async {
        let request = Request::get("/sub/sub/x").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    });
    assert_lines(&lines.await, &[]);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_handler_that_needs_a_base_url_without_an_origin_is_logged_once() {
    use axum::{body::Body, routing::get, Router};
    use tower_root_path::BaseUrl;

    let app = Router::new().route("/", get(|_: BaseUrl| async {}));
    let lines = logged(async {
        for _ in 0..2 {
            let request = Request::new(Body::empty());
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    });
    let lines = lines.await;
    let expected = "ERROR tower_root_path::warn_once: a handler needs the base URL";
    assert!(lines.len() == 1 && lines[0].contains(expected), "{lines:?}");
}

#[tokio::test]
async fn each_reason_why_there_is_no_base_url_is_logged_once() {
    let hosts = || "app.example".parse().unwrap();
    let origin = ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts());
    let layer = RootPathLayer::new("/api").with_forwarded_origin(origin);
    let https = ("x-forwarded-proto", "https");
    let unknown_peer = || {
        let mut request = get_with("/", &[https]);
        request.extensions_mut().remove::<PeerAddr>();
        request
    };
    let untrusted_peer = || {
        let mut request = get_with("/", &[https]);
        let peer = PeerAddr(([192, 0, 2, 1], 1).into());
        request.extensions_mut().insert(peer);
        request
    };
    let without_host = || {
        let mut request = get_with("/", &[https]);
        request.headers_mut().remove(http::header::HOST);
        request
    };
    let lines = logged(async {
        for _ in 0..3 {
            for request in [
                get_with("/", &[https]),
                unknown_peer(),
                unknown_peer(),
                untrusted_peer(),
                get_with("/", &[https, ("x-forwarded-host", "evil.example")]),
                get_with("/", &[https, ("x-forwarded-host", "other.example")]),
                get_with("/", &[https, ("x-forwarded-host", "a b")]),
                get_with("/", &[("x-forwarded-proto", "javascript")]),
                get_with("/", &[https, ("x-forwarded-port", "0")]),
                get_with("/", &[https, ("host", "evil.example")]),
                without_host(),
                get_with("https://other.example/", &[https]),
            ] {
                support::send(&layer, request, |_| Response::new(())).await;
            }
        }
    });
    assert_lines(
        &lines.await,
        &[
            "ignored a forwarded origin, since the address of the peer is not known",
            "no base URL: the scheme is not known",
            "ignored a forwarded origin: untrusted peer 192.0.2.1 (if this is your proxy",
            "the host of https://evil.example is not allowed",
            "is not a host with an optional port",
            "scheme \"javascript\" is not http or https",
            "\"0\" is not a port from 1 to 65535",
            "the request has several `Host` lines",
            "the request has no host",
            "`Host` differs from the authority",
        ],
    );
}

#[tokio::test]
async fn an_unknown_and_an_untrusted_peer_are_logged_in_either_order() {
    let request = || get_with("/", &[("x-forwarded-host", "app.example")]);
    let unknown = || {
        let mut request = request();
        request.extensions_mut().remove::<PeerAddr>();
        (request, "the address of the peer is not known")
    };
    let untrusted = || {
        let mut request = request();
        let peer = PeerAddr(([192, 0, 2, 1], 1).into());
        request.extensions_mut().insert(peer);
        (request, "untrusted peer 192.0.2.1")
    };
    for requests in [[unknown(), untrusted()], [untrusted(), unknown()]] {
        let hosts = "app.example".parse().unwrap();
        let origin =
            ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts).default_scheme("https");
        let layer = RootPathLayer::new("/api").with_forwarded_origin(origin);
        let expected = requests.each_ref().map(|(_, expected)| *expected);
        let lines = logged(async {
            for (request, _) in requests {
                support::send(&layer, request, |_| Response::new(())).await;
            }
        });
        assert_lines(&lines.await, &expected);
    }
}

#[tokio::test]
async fn a_malformed_forwarded_is_logged_once() {
    let hosts = "app.example".parse().unwrap();
    let origin = ForwardedOrigin::rfc7239(TrustedProxies::loopback(), hosts);
    let layer = RootPathLayer::new("/api").with_forwarded_origin(origin);
    let lines = logged(async {
        for _ in 0..3 {
            let request = get_with("/", &[("forwarded", "proto=https; host=app.example")]);
            support::send(&layer, request, |_| Response::new(())).await;
        }
    });
    assert_lines(&lines.await, &["does not follow the grammar of RFC 7239"]);
}

#[tokio::test]
async fn a_page_with_a_content_coding_is_logged_once() {
    let respond = |content_type: &'static str, coding: &'static str| {
        move |_: Request<()>| {
            Response::builder()
                .header("content-type", content_type)
                .header("content-encoding", coding)
                .body(String::new())
                .unwrap()
        }
    };
    let lines = logged(async {
        let layer = BaseHrefLayer::new();
        for (content_type, coding) in [
            ("text/css", "gzip"),
            ("text/html", "identity"),
            ("text/html", "br"),
            ("text/html", "gzip"),
        ] {
            let app = App(respond(content_type, coding));
            let response = layer.layer(app).oneshot(get("/")).await.unwrap();
            assert_eq!(response.headers()["content-encoding"], coding);
        }
    })
    .await;
    assert_lines(&lines, &["inside the compression layer"]);
    assert!(lines[0].contains("\"br\""), "{lines:?}");
}
