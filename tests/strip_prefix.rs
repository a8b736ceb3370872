//! `StripPrefixLayer`: what it strips, sends and removes.

mod support;

use http::{
    header::{CONNECTION, TRAILER},
    HeaderName, HeaderValue, Request, Response,
};
use support::{get, get_with, root_path, seen, App};
use tower::{Layer, ServiceExt};
use tower_root_path::{
    ForwardedPrefix, RootPath, RootPathLayer, StripPrefix, StripPrefixLayer, TrustedProxies,
};

const PREFIX: &str = "x-forwarded-prefix";

fn sent_prefixes(request: &Request<()>) -> Vec<&str> {
    let lines = request.headers().get_all(PREFIX).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn strips_at_a_segment_boundary_and_sends_the_prefix() {
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
        assert_eq!(sent_prefixes(&request), prefixes, "{uri}");
    }
}

#[tokio::test]
async fn the_clients_own_header_never_reaches_the_app() {
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
        assert_eq!(sent_prefixes(&request), prefixes, "{uri}");
        let others = request.headers().keys().map(|name| name.as_str());
        let others = others.filter(|name| *name != PREFIX).collect::<Vec<_>>();
        assert_eq!(others, ["host", "x-forwarded-proto"], "{uri}");
    }
}

/// The characters of a header name that are not alphanumeric (RFC 9110, section 5.6.2).
const SYMBOLS: &str = "!#$%&'*+-.^_`|~";

/// lighttpd's CGI turns each of these characters into `_`, as every CGI does with the hyphen.
#[tokio::test]
async fn no_symbol_can_stand_for_a_hyphen() {
    for symbol in SYMBOLS.chars() {
        let symbol = symbol.to_string();
        for spelling in [
            PREFIX.replace('-', &symbol),
            PREFIX.replacen('-', &symbol, 1),
            format!("x-forwarded{symbol}prefix"),
            format!("x_forwarded{symbol}prefix"),
        ] {
            for layer in [
                StripPrefixLayer::new("/v1"),
                StripPrefixLayer::new("/v1").trust_previous_hop(),
            ] {
                let name = HeaderName::try_from(&spelling).unwrap();
                let mut request = get("/v1/app");
                let headers = request.headers_mut();
                headers.append(&name, HeaderValue::from_static("/evil"));
                headers.append(&name, HeaderValue::from_static("/again"));
                headers.insert(CONNECTION, spelling.to_uppercase().parse().unwrap());
                headers.insert(TRAILER, format!("{spelling}, x-a").parse().unwrap());
                let request = seen(&layer, request).await;
                if spelling != PREFIX {
                    assert_eq!(sent_prefixes(&request), ["/v1"], "{spelling}");
                    assert!(!request.headers().contains_key(&name), "{spelling}");
                }
                assert!(!request.headers().contains_key(CONNECTION), "{spelling}");
                assert_eq!(request.headers()[TRAILER], "x-a", "{spelling}");
            }
        }
    }
}

#[tokio::test]
async fn other_names_pass() {
    for name in [
        "x-forwarded-prefixes",
        "x-forwarded-prefi",
        "xxforwarded-prefix",
        "x-forwarded0prefix",
        "x--forwarded-prefix",
        "x-forwardedprefix",
        "x-forwarded_proto",
        "forwarded",
    ] {
        let lines = [(name, "/x"), ("connection", name), ("trailer", name)];
        let request = seen(StripPrefixLayer::new("/v1"), get_with("/v1/app", &lines)).await;
        for (header, value) in lines {
            assert_eq!(request.headers()[header], value, "{name}");
        }
    }
}

/// A proxy drops the headers that `Connection` names, and some servers merge the trailers that
/// `Trailer` names into the headers.
#[tokio::test]
async fn a_client_cannot_have_the_prefix_dropped() {
    for list in ["connection", "trailer"] {
        for (lines, kept) in [
            (&["keep-alive, x-a"][..], &["keep-alive, x-a"][..]),
            (&["x-forwarded-prefix"], &[]),
            (&["x_forwarded!prefix"], &[]),
            (&["close,X-Forwarded-Prefix , x-a"], &["close, x-a"]),
            (&["x-forwarded-prefix", "upgrade", "x-a"], &["upgrade, x-a"]),
            (&["x-forwarded-prefixes"], &["x-forwarded-prefixes"]),
        ] {
            for layer in [
                StripPrefixLayer::new("/v1"),
                StripPrefixLayer::new("/v1").trust_previous_hop(),
            ] {
                let lines = lines.iter().map(|line| (list, *line)).collect::<Vec<_>>();
                for (uri, prefixes) in [("/v1/app", &["/v1"][..]), ("/app", &[])] {
                    let request = seen(&layer, get_with(uri, &lines)).await;
                    let left = request.headers().get_all(list).iter();
                    assert_eq!(left.collect::<Vec<_>>(), kept, "{lines:?}");
                    assert_eq!(sent_prefixes(&request), prefixes, "{lines:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_prefix_of_a_trusted_previous_hop_comes_first() {
    let layer = StripPrefixLayer::new("/v1").trust_previous_hop();
    let request = seen(&layer, get_with("/v1/app", &[(PREFIX, "/api")])).await;
    assert_eq!(sent_prefixes(&request), ["/api", "/v1"]);
    let request = seen(&layer, get_with("/other", &[(PREFIX, "/api")])).await;
    assert_eq!(sent_prefixes(&request), ["/api"]);

    // No gateway sends these names.
    let spoofed = [
        ("x_forwarded_prefix", "/evil"),
        ("x.forwarded.prefix", "/evil"),
    ];
    let request = seen(&layer, get_with("/v1/app", &spoofed)).await;
    assert_eq!(request.headers().len(), 2, "{:?}", request.headers());
    assert_eq!(sent_prefixes(&request), ["/v1"]);
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

#[tokio::test]
async fn every_constructor_makes_the_same_service() {
    let prefix = "/api/v1";
    let root_path = || RootPath::from_static("/api/v1");
    let app = || App(Response::new as fn(Request<()>) -> Response<Request<()>>);
    for service in [
        StripPrefix::new(app(), prefix),
        StripPrefix::new(app(), root_path()),
        StripPrefix::try_new(app(), prefix).unwrap(),
        StripPrefixLayer::new(prefix).layer(app()),
        StripPrefixLayer::try_new(prefix).unwrap().layer(app()),
        StripPrefixLayer::from(root_path()).layer(app()),
    ] {
        let request = service.oneshot(get("/api/v1/app")).await.unwrap();
        assert_eq!(request.body().uri(), "/app");
        assert_eq!(sent_prefixes(request.body()), [prefix]);
    }
    let error = StripPrefixLayer::try_new("api/v1").unwrap_err();
    assert_eq!(StripPrefix::try_new((), "api/v1").unwrap_err(), error);
    assert_eq!(error, RootPath::try_from("api/v1").unwrap_err());
}

#[test]
#[should_panic = "invalid root path \"api/v1\": must start with '/'"]
fn a_bad_prefix_in_code_panics_with_the_reason() {
    let _ = StripPrefixLayer::new("api/v1");
}
