//! The gateway's side.

mod support;

use support::{get, get_with, root_path, seen};
use tower_root_path::{ForwardedPrefix, RootPathLayer, StripPrefixLayer, TrustedProxies};

const PREFIX: &str = "x-forwarded-prefix";

fn told(request: &http::Request<()>) -> Vec<&str> {
    let lines = request.headers().get_all(PREFIX).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn strips_at_a_segment_boundary_and_tells_the_app() {
    for (uri, expected, prefixes) in [
        ("/api/v1/app?x=1", "/app?x=1", &["/api/v1"][..]),
        ("/api/v1", "/", &["/api/v1"]),
        ("/api/v1?x", "/?x", &["/api/v1"]),
        (
            "http://app.example/api/v1/app",
            "http://app.example/app",
            &["/api/v1"],
        ),
        ("/api/v10/app", "/api/v10/app", &[]),
        ("/app", "/app", &[]),
        ("*", "*", &[]),
    ] {
        let request = seen(StripPrefixLayer::new("/api/v1"), get(uri)).await;
        assert_eq!(request.uri(), expected, "{uri}");
        assert_eq!(told(&request), prefixes, "{uri}");
    }
}

#[tokio::test]
async fn a_clients_own_header_never_gets_through() {
    let spoofed = [
        (PREFIX, "/spoofed"),
        (PREFIX, "/again"),
        ("x_forwarded_prefix", "/spoofed"),
        ("x-forwarded_prefix", "/spoofed"),
        ("x.forwarded.prefix", "/spoofed"),
        ("x-forwarded-proto", "https"),
    ];
    for (prefix, uri, prefixes) in [
        ("/api/v1", "/api/v1/app", &["/api/v1"][..]),
        ("/api/v1", "/app", &[]),
        ("", "/app", &[]),
        ("/", "/api/v1/app", &[]),
    ] {
        let request = seen(StripPrefixLayer::new(prefix), get_with(uri, &spoofed)).await;
        assert_eq!(told(&request), prefixes, "{uri}");
        let others = request.headers().keys().map(|name| name.as_str());
        let others = others.filter(|name| *name != PREFIX).collect::<Vec<_>>();
        assert_eq!(others, ["host", "x-forwarded-proto"], "{uri}");
    }
}

/// What sends the request on drops the headers that are named there.
#[tokio::test]
async fn a_client_cannot_have_the_header_dropped() {
    const CONNECTION: &str = "connection";
    for (lines, kept) in [
        (&["keep-alive, x-a"][..], &["keep-alive, x-a"][..]),
        (&["x-forwarded-prefix"], &[]),
        (&["close,X-Forwarded-Prefix , x-a"], &["close, x-a"]),
        (&["x-forwarded-prefix", "upgrade", "x-a"], &["upgrade, x-a"]),
        (&["x-forwarded-prefixes"], &["x-forwarded-prefixes"]),
    ] {
        for layer in [
            StripPrefixLayer::new("/v1"),
            StripPrefixLayer::new("/v1").trust_previous_hop(),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (CONNECTION, *line)).collect();
            let outside = seen(&layer, get_with("/app", &lines)).await;
            let request = seen(layer, get_with("/v1/app", &lines)).await;
            assert_eq!(
                outside
                    .headers()
                    .get_all(CONNECTION)
                    .iter()
                    .collect::<Vec<_>>(),
                kept,
                "{lines:?}"
            );
            let left = request.headers().get_all(CONNECTION).iter();
            assert_eq!(left.collect::<Vec<_>>(), kept, "{lines:?}");
            assert_eq!(told(&request), ["/v1"], "{lines:?}");
        }
    }
}

#[tokio::test]
async fn a_trusted_hop_before_stays_in_front() {
    let layer = StripPrefixLayer::new("/v1").trust_previous_hop();
    let request = seen(&layer, get_with("/v1/app", &[(PREFIX, "/api")])).await;
    assert_eq!(told(&request), ["/api", "/v1"]);
    let request = seen(&layer, get_with("/other", &[(PREFIX, "/api")])).await;
    assert_eq!(told(&request), ["/api"]);

    // No gateway spells it so.
    let spoofed = [
        ("x_forwarded_prefix", "/evil"),
        ("x.forwarded.prefix", "/evil"),
    ];
    let request = seen(&layer, get_with("/v1/app", &spoofed)).await;
    assert_eq!(request.headers().len(), 2, "{:?}", request.headers());
    assert_eq!(told(&request), ["/v1"]);
}

#[tokio::test]
async fn two_gateways_and_an_app_make_one_root_path() {
    let app = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback()).hops(2);
    let stack = (
        StripPrefixLayer::new("/api"),
        (
            StripPrefixLayer::new("/v1").trust_previous_hop(),
            RootPathLayer::new("").with_forwarded(app),
        ),
    );
    let request = get_with("/api/v1/app", &[(PREFIX, "/spoofed")]);
    let request = seen(stack, request).await;
    assert_eq!(request.uri(), "/app");
    assert_eq!(root_path(&request), Some("/api/v1"));
}
