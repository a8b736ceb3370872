//! Forwarded root paths: which header, which peers, how many hops.

mod support;

use http::{HeaderName, HeaderValue, Request, Response};
use std::net::IpAddr;
use support::{emitted, get, get_with, location, root_path, seen};
use tower_root_path::{
    Forwarded, ForwardedPrefix, InvalidForwarded, PeerAddr, RootPath, RootPathLayer, TrustedProxies,
};

const PREFIX: &str = "x-forwarded-prefix";

fn forwarded() -> ForwardedPrefix {
    ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback())
}

fn original_path() -> ForwardedPrefix {
    let name = HeaderName::from_static("x-envoy-original-path");
    ForwardedPrefix::original_path_header(name, TrustedProxies::loopback())
}

#[tokio::test]
async fn a_valid_header_overrides_the_configured_root_path() {
    for (lines, expected) in [
        (&[][..], "/configured"),
        (&[(PREFIX, "/sent")], "/sent"),
        (&[(PREFIX, "/configured")], "/configured"),
        (&[(PREFIX, "")], ""),
        (&[(PREFIX, "/")], ""),
        (&[(PREFIX, " , ,")], ""),
        (&[(PREFIX, "/client"), (PREFIX, "")], ""),
        (&[(PREFIX, "/..")], "/configured"),
        (&[(PREFIX, "/.."), (PREFIX, " ")], ""),
        (&[(PREFIX, "not/a/path")], "/configured"),
        (&[("x-script-name", "/sent")], "/configured"),
    ] {
        let layer = RootPathLayer::new("/configured").with_forwarded(forwarded());
        let request = seen(&layer, get_with("/x", lines)).await;
        assert_eq!(root_path(&request).unwrap_or(""), expected, "{lines:?}");
        let location = location(&layer, get_with("/x", lines), "/login").await;
        assert_eq!(location, format!("{expected}/login"), "{lines:?}");
    }
}

#[tokio::test]
async fn the_rightmost_hops_are_concatenated() {
    for (hops, values, expected) in [
        (1, &["/evil", "/api"][..], "/api"),
        (1, &["/evil, /api"], "/api"),
        (2, &["/edge", "/api"], "/edge/api"),
        (2, &["/edge, /api"], "/edge/api"),
        (2, &["/edge,/api"], "/edge/api"),
        (2, &["/evil", "/edge/", "/api/"], "/edge/api"),
        (2, &["/api"], "/api"),
        (1, &["/evil,"], ""),
        (1, &["/evil, \t"], ""),
        (1, &["/evil", ""], ""),
        (1, &["/evil", ","], ""),
        (2, &["/evil", "/edge,"], "/edge"),
        (2, &["/evil", "/edge", ""], "/edge"),
        (2, &["/evil", ", /api"], "/api"),
        (2, &["/evil", "", "/api"], "/api"),
        (2, &["/evil, /edge", ", /api ,"], "/api"),
        (3, &["/evil, /edge", ", /api ,"], "/api"),
        (4, &["/evil, /edge", ", /api ,"], "/edge/api"),
        (2, &["/", "/api"], "/api"),
        (3, &["/a", "/b, /c"], "/a/b/c"),
        (1, &["//evil", "/api"], "/api"),
        (2, &["//evil", "/api"], "/fallback"),
        (2, &["/edge", "api"], "/fallback"),
        (2, &["/edge", "/fallback"], "/edge/fallback"),
    ] {
        let layer = RootPathLayer::new("/fallback").with_forwarded(forwarded().hops(hops));
        let lines = values
            .iter()
            .map(|value| (PREFIX, *value))
            .collect::<Vec<_>>();
        let request = seen(layer, get_with("/x", &lines)).await;
        let seen = root_path(&request).unwrap_or("");
        assert_eq!(seen, expected, "{hops} {values:?}");
    }
}

#[test]
fn hops_that_are_too_long_together_are_invalid() {
    let long = "/".to_owned() + &"a".repeat(1000);
    let request = get_with("/x", &[(PREFIX, &long), (PREFIX, &long)]);
    assert!(matches!(
        forwarded().hops(1).read(&request),
        Forwarded::Used(_)
    ));
    let found = forwarded().hops(2).read(&request).to_string();
    assert!(
        found.ends_with("2002 bytes long, at most 1024 are allowed"),
        "{found}"
    );
}

#[tokio::test]
async fn the_root_path_is_the_part_before_the_path_that_arrived() {
    for (original, arrived, expected) in [
        (&["/api/v1/users?page=2"][..], "/users?page=2", "/api/v1"),
        (&["/api/v1/users?page=2"], "/users", "/api/v1"),
        (&["/api/v1"], "/", "/api/v1"),
        (&["/api/v1/"], "/", "/api/v1"),
        (&["/api/v1?x"], "/?x", "/api/v1"),
        (&["/api/v1/a,b"], "/a,b", "/api/v1"),
        (&["/users"], "/users", ""),
        (&["/a/a/x"], "/a/x", "/a"),
        (&["/evil/users", "/api/v1/users"], "/users", "/api/v1"),
        (&["/evil/users", ""], "/users", ""),
        (&[""], "/users", ""),
        // The client chooses the spelling.
        (&["/%61pi/v1/users"], "/users", "/api/v1"),
        (&["/api/v1/%75sers"], "/users", "/api/v1"),
        (&["/api/v1/users"], "/%75sers", "/api/v1"),
        (&["/%61pi/%76%31/%75sers?%61"], "/u%73ers", "/api/v1"),
        (&["/api/%7Euser%2Dname/x"], "/x", "/api/~user-name"),
        (&["/api/v1%2e5/x"], "/x", "/api/v1.5"),
        (&["/api/a%2Fb"], "/a%2Fb", "/api"),
        (&["/api/caf%C3%A9"], "/caf%C3%A9", "/api"),
        (&["/api/%zz"], "/%zz", "/api"),
        // A different path, or not a valid root path, after decoding too.
        (&["/api/a%2Fb"], "/a/b", "/fallback"),
        (&["/api/a%2Bb"], "/a+b", "/fallback"),
        (&["/api%2fusers"], "/users", "/fallback"),
        (&["/%2561pi/users"], "/users", "/fallback"),
        (&["/%%361pi/users"], "/users", "/fallback"),
        (&["/%2e%2e/users"], "/users", "/fallback"),
        (&["/api/.%2E/users"], "/users", "/fallback"),
        (&["/%2e/users"], "/users", "/fallback"),
        (&["/%2F/users"], "/users", "/fallback"),
        // The paths do not match, or the part before is not a valid root path.
        (&["/apiusers"], "/users", "/fallback"),
        (&["/api/v1/users"], "/other", "/fallback"),
        (&["/users"], "/api/v1/users", "/fallback"),
        (&["//evil.example/users"], "/users", "/fallback"),
        (&["https://app.example/api/users"], "/users", "/fallback"),
        (&["/api%2Fv1/users"], "/users", "/fallback"),
        (&["/evil, /api/users"], "/users", "/fallback"),
    ] {
        let layer = RootPathLayer::new("/fallback").with_forwarded(original_path());
        let lines = original
            .iter()
            .map(|value| ("x-envoy-original-path", *value));
        let request = get_with(arrived, &lines.collect::<Vec<_>>());
        let request = seen(layer, request).await;
        let case = format!("{original:?} {arrived}");
        assert_eq!(root_path(&request).unwrap_or(""), expected, "{case}");
        assert_eq!(request.uri(), arrived, "{case}: is stripped already");
    }
}

/// A proxy that sends a prefix may still pass it on. One that sends the original path has removed what
/// is in front of the path that arrived.
#[tokio::test]
async fn strip_if_present_strips_a_prefix_that_is_sent_but_not_behind_an_original_path() {
    const ORIGINAL: &str = "x-envoy-original-path";
    for (forwarded, line, arrived, expected) in [
        (forwarded(), (PREFIX, "/api"), "/api/users", "/users"),
        (forwarded(), (PREFIX, "/api"), "/users", "/users"),
        (forwarded(), (PREFIX, "/api"), "/fallback/x", "/fallback/x"),
        (forwarded(), (PREFIX, "/.."), "/fallback/x", "/x"),
        (original_path(), (ORIGINAL, "/api/x"), "/x", "/x"),
        (
            original_path(),
            (ORIGINAL, "/api/api/x"),
            "/api/x",
            "/api/x",
        ),
        (original_path(), (ORIGINAL, "/other"), "/fallback/x", "/x"),
    ] {
        let layer = RootPathLayer::new("/fallback")
            .with_forwarded(forwarded)
            .strip_if_present();
        let request = seen(layer, get_with(arrived, &[line])).await;
        assert_eq!(request.uri(), expected, "{line:?} {arrived}");
    }
}

#[test]
fn a_path_mismatch_quotes_both_paths() {
    let request = get_with("/oth%65r", &[("x-envoy-original-path", "/api/%75sers?x")]);
    let Forwarded::Invalid(error) = original_path().read(&request) else {
        panic!("the paths match");
    };
    assert!(matches!(error, InvalidForwarded::PathMismatch { .. }));
    assert_eq!(
        error.to_string(),
        r#"original path "/api/%75sers?x" does not end with the path "/oth%65r" that arrived"#
    );
}

#[test]
fn the_query_of_an_original_path_may_be_any_bytes() {
    let original = HeaderValue::from_bytes(b"/api/users?name=Jos\xe9").unwrap();
    let mut request = get("/users");
    request
        .headers_mut()
        .insert("x-envoy-original-path", original);
    assert_eq!(
        original_path().read(&request),
        Forwarded::Used(RootPath::from_static("/api"))
    );
}

#[test]
fn with_two_hops_the_older_original_path_is_used() {
    let lines = [
        ("x-envoy-original-path", "/evil/edge/api/users"),
        ("x-envoy-original-path", "/edge/api/users"),
        ("x-envoy-original-path", "/api/users"),
    ];
    let read = |hops| original_path().hops(hops).read(&get_with("/users", &lines));
    assert_eq!(read(1), Forwarded::Used(RootPath::from_static("/api")));
    assert_eq!(read(2), Forwarded::Used(RootPath::from_static("/edge/api")));

    let lines = [lines[0], lines[1], ("x-envoy-original-path", "")];
    let read = |hops| original_path().hops(hops).read(&get_with("/users", &lines));
    assert_eq!(read(1), Forwarded::Used(RootPath::EMPTY));
    assert_eq!(read(2), Forwarded::Used(RootPath::from_static("/edge/api")));
}

/// Whoever sends them.
#[tokio::test]
async fn by_default_no_header_is_read() {
    for root_path in ["", "/api/v1"] {
        for layer in [
            RootPathLayer::new(root_path),
            RootPathLayer::new(root_path).strip_if_present(),
        ] {
            let headers = [
                (PREFIX, "/evil"),
                ("x-forwarded-path", "/evil"),
                ("x-script-name", "/evil"),
                ("x-original-uri", "/evil/app"),
                ("x-envoy-original-path", "/evil/app"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "host=evil.example;proto=https"),
            ];
            // The peer is this machine.
            let request = support::get_with("/app", &headers);
            let response = support::send(&layer, request, |request| {
                let root_path = RootPath::from_extensions(request.extensions());
                Response::new(format!("{root_path} {}", request.uri()))
            });
            let response = response.await;
            assert_eq!(response.body(), &format!("{root_path} /app"));
            assert!(response.headers().is_empty(), "no `Vary`: {response:?}");
        }
    }
}

#[test]
fn the_header_of_an_untrusted_peer_is_not_used() {
    let read = |trusted: &str, peer: Option<&str>| {
        let trusted = trusted.parse::<TrustedProxies>().unwrap();
        let mut request = Request::builder().header(PREFIX, "/api").body(()).unwrap();
        if let Some(peer) = peer {
            let peer = PeerAddr((peer.parse::<IpAddr>().unwrap(), 4711).into());
            request.extensions_mut().insert(peer);
        }
        ForwardedPrefix::x_forwarded_prefix(trusted)
            .read(&request)
            .to_string()
    };
    for (trusted, peer, expected) in [
        ("10.0.0.0/8", Some("10.1.2.3"), "used"),
        ("10.0.0.0/8", Some("::ffff:10.1.2.3"), "used"),
        ("::ffff:10.0.0.0/104", Some("10.1.2.3"), "used"),
        ("::ffff:10.1.2.3", Some("10.1.2.3"), "used"),
        ("10.1.2.3/8", Some("10.255.255.255"), "used"),
        ("10.0.0.0/8", Some("11.0.0.0"), "untrusted peer 11.0.0.0"),
        (
            "10.0.0.0/8",
            Some("::ffff:192.0.2.1"),
            "untrusted peer 192.0.2.1",
        ),
        ("10.0.0.0/8", Some("::a01:203"), "untrusted peer ::a01:203"),
        ("::/0", Some("10.1.2.3"), "untrusted peer 10.1.2.3"),
        ("::/0", Some("2001:db8::1"), "used"),
        ("0.0.0.0/0", Some("192.0.2.1"), "used"),
        ("192.0.2.1", Some("192.0.2.1"), "used"),
        ("192.0.2.1", Some("192.0.2.2"), "untrusted peer 192.0.2.2"),
        ("fd00::/8, 192.0.2.1", Some("fd12::1"), "used"),
        ("loopback", Some("127.255.0.1"), "used"),
        ("loopback", Some("::1"), "used"),
        ("loopback", Some("::ffff:127.0.0.1"), "used"),
        ("loopback", Some("10.0.0.1"), "untrusted peer 10.0.0.1"),
        ("private, 192.0.2.1", Some("192.0.2.1"), "used"),
        ("private, 192.0.2.1", Some("10.1.2.3"), "used"),
        ("private", Some("172.31.255.255"), "used"),
        ("private", Some("172.32.0.0"), "untrusted peer 172.32.0.0"),
        ("private", Some("192.168.0.1"), "used"),
        ("private", Some("fdff::1"), "used"),
        ("private", Some("fe80::1"), "untrusted peer fe80::1"),
        ("private", Some("127.0.0.1"), "untrusted peer 127.0.0.1"),
        ("private", Some("::1"), "untrusted peer ::1"),
        ("private,loopback", Some("::1"), "used"),
        ("", Some("127.0.0.1"), "untrusted peer 127.0.0.1"),
        ("0.0.0.0/0, ::/0", None, "unknown peer"),
    ] {
        assert_eq!(read(trusted, peer), expected, "{trusted} {peer:?}");
    }
}

#[test]
fn a_list_of_proxies_is_parsed_strictly() {
    for bad in [
        "all",
        "*",
        "Private",
        "private/8",
        "loopback private",
        "10.0.0.0/33",
        "010.0.0.1",
        "010.1.2.3/8",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "10.0.0.0/8/8",
        "::1/129",
        "localhost",
        "10.0.0.1:80",
        "10.0.0.0-10.0.0.9",
        // Looks like a block of IPv4 addresses, and is larger.
        "::ffff:10.0.0.0/8",
    ] {
        let error = format!("10.0.0.1, {bad}")
            .parse::<TrustedProxies>()
            .unwrap_err();
        let quoted = format!("invalid trusted proxy {bad:?}: must be ");
        assert!(error.to_string().starts_with(&quoted), "{error}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_list_of_proxies_is_deserialized_from_a_string() {
    let trusted = serde_json::from_str::<TrustedProxies>(r#""private, ::1""#).unwrap();
    assert_eq!(trusted, "private, ::1".parse().unwrap());
    let error = serde_json::from_str::<TrustedProxies>(r#""all""#).unwrap_err();
    let expected = "all".parse::<TrustedProxies>().unwrap_err();
    assert_eq!(error.to_string(), expected.to_string());
    assert!(serde_json::from_str::<TrustedProxies>(r#"["::1"]"#).is_err());
}

#[test]
fn only_all_trusts_a_peer_without_an_address() {
    let request = Request::builder().header(PREFIX, "/api").body(()).unwrap();
    let read = |trusted| ForwardedPrefix::x_forwarded_prefix(trusted).read(&request);
    assert_eq!(read(TrustedProxies::loopback()), Forwarded::UnknownPeer);
    assert_eq!(read(TrustedProxies::private()), Forwarded::UnknownPeer);
    assert_eq!(read(TrustedProxies::default()), Forwarded::UnknownPeer);
    let used = Forwarded::Used(RootPath::from_static("/api"));
    assert_eq!(read(TrustedProxies::all()), used);
    assert_eq!(
        read(TrustedProxies::loopback().and(TrustedProxies::all())),
        used
    );
}

#[test]
fn the_address_of_the_peer_can_come_from_a_function() {
    #[derive(Clone)]
    struct Source(IpAddr);
    let forwarded = forwarded().peer_addr(|extensions| Some(extensions.get::<Source>()?.0));
    let request = |source: [u8; 4]| {
        let mut request = get_with("/", &[(PREFIX, "/api")]);
        request.extensions_mut().insert(Source(source.into()));
        request
    };
    assert_eq!(forwarded.read(&request([127, 0, 0, 9])).to_string(), "used");
    // The request has a trusted `PeerAddr` too, which is not read.
    assert_eq!(
        forwarded.read(&request([192, 0, 2, 1])).to_string(),
        "untrusted peer 192.0.2.1"
    );
    let without_source = get_with("/", &[(PREFIX, "/api")]);
    assert_eq!(forwarded.read(&without_source).to_string(), "unknown peer");
}

#[tokio::test]
async fn vary_names_the_header_once() {
    for (emitted_vary, expected) in [
        (&[][..], &["x-forwarded-prefix"][..]),
        (&["accept"], &["accept", "x-forwarded-prefix"]),
        (
            &["Accept, X-Forwarded-Prefix"],
            &["Accept, X-Forwarded-Prefix"],
        ),
        (
            &["accept", "x-forwarded-prefix"],
            &["accept", "x-forwarded-prefix"],
        ),
        (&["accept, *"], &["accept, *"]),
        (
            &["x-forwarded-prefix-2"],
            &["x-forwarded-prefix-2", "x-forwarded-prefix"],
        ),
    ] {
        let lines = emitted_vary.iter().map(|value| ("vary", value.as_bytes()));
        let lines = lines.collect::<Vec<_>>();
        let layer = RootPathLayer::new("/api").with_forwarded(forwarded());
        for request in [get("/x"), get_with("/x", &[(PREFIX, "/sent")])] {
            let headers = emitted(&layer, request, &lines).await;
            let vary = headers.get_all("vary").iter().collect::<Vec<_>>();
            assert_eq!(vary, expected);
        }
    }
    let lines: &[(&str, &[u8])] = &[];
    for layer in [
        RootPathLayer::new("/api"),
        RootPathLayer::new("/api")
            .with_forwarded(forwarded())
            .without_vary(),
        RootPathLayer::new("/api")
            .without_vary()
            .with_forwarded(forwarded()),
    ] {
        assert!(!emitted(layer, get("/x"), lines).await.contains_key("vary"));
    }
}

#[tokio::test]
async fn two_forwarded_root_paths_concatenate_and_vary_names_both_headers() {
    let script_name = HeaderName::from_static("x-script-name");
    let layers = (
        RootPathLayer::new("").with_forwarded(forwarded()),
        RootPathLayer::new("").with_forwarded(ForwardedPrefix::prefix_header(
            script_name,
            TrustedProxies::loopback(),
        )),
    );
    let request = || get_with("/x", &[(PREFIX, "/edge"), ("x-script-name", "/app")]);
    assert_eq!(
        root_path(&seen(&layers, request()).await),
        Some("/edge/app")
    );
    assert_eq!(location(&layers, request(), "/y").await, "/edge/app/y");
    let headers = emitted(&layers, request(), &[]).await;
    assert_eq!(headers.get_all("vary").iter().count(), 2);
}

#[test]
fn read_returns_an_empty_root_path_for_an_empty_last_line() {
    let request = get_with("/", &[(PREFIX, "/client"), (PREFIX, "")]);
    assert_eq!(forwarded().read(&request), Forwarded::Used(RootPath::EMPTY));
}

#[test]
#[should_panic = "hops must be at least 1"]
fn zero_hops_panic() {
    let _ = forwarded().hops(0);
}

#[test]
fn proxies_can_be_collected() {
    let addrs = ["10.0.0.1", "::ffff:10.0.0.2", "::1"].map(|addr| addr.parse::<IpAddr>().unwrap());
    let trusted = addrs.into_iter().collect::<TrustedProxies>();
    for (addr, expected) in [("10.0.0.2", true), ("::1", true), ("10.0.0.3", false)] {
        assert_eq!(trusted.contains(addr.parse().unwrap()), expected, "{addr}");
    }
}

#[cfg(feature = "axum")]
#[test]
fn connect_info_is_the_peer_in_axum() {
    use axum::extract::{connect_info::MockConnectInfo, ConnectInfo};
    use std::net::SocketAddr;

    let mut request = Request::builder().header(PREFIX, "/api").body(()).unwrap();
    let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
    request.extensions_mut().insert(MockConnectInfo(peer));
    assert_eq!(forwarded().read(&request).to_string(), "used");
    let other = SocketAddr::from(([192, 0, 2, 1], 4711));
    request.extensions_mut().insert(ConnectInfo(other));
    assert_eq!(
        forwarded().read(&request),
        Forwarded::UntrustedPeer(other.ip())
    );
    request.extensions_mut().insert(PeerAddr(peer));
    assert_eq!(
        forwarded().read(&request).to_string(),
        "used",
        "this crate's own comes first"
    );
}
