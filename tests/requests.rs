//! The cases of `vectors/requests.json`: requests that were vulnerabilities elsewhere.

mod support;

use http::Request;
use support::{emitted, get, get_with, location, root_path, seen, vectors};
use tower_root_path::{
    AllowedHosts, Forwarded, ForwardedOrigin, ForwardedPrefix, PeerAddr, Rewrite, RootPath,
    RootPathLayer, TrustedProxies,
};

fn forwarded() -> RootPathLayer {
    let trusted = TrustedProxies::loopback();
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix(trusted))
}

async fn root_path_of(lines: &[(&'static str, &str)]) -> String {
    let request = seen(forwarded(), get_with("/x", lines)).await;
    root_path(&request).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn which_headers_are_read() {
    for (id, lines, expected) in [
        (
            "R01",
            &[
                ("x-forwarded-prefix", "/evil"),
                ("x-forwarded-prefix", "/api"),
            ][..],
            "/api",
        ),
        ("R02", &[("x_forwarded_prefix", "/evil")], ""),
        ("R03", &[("x.forwarded.prefix", "/evil")], ""),
        (
            "R04",
            &[
                ("connection", "x-forwarded-prefix"),
                ("x-forwarded-prefix", "/api"),
            ],
            "/api",
        ),
        (
            "R08",
            &[
                ("forwarded", "for=1.2.3.4;prefix=/evil"),
                ("x-forwarded-prefix", "/api"),
            ],
            "/api",
        ),
        (
            "R09",
            &[("forwarded", "for=\"127.0.0.1;host=evil.com;prefix=/evil\"")],
            "",
        ),
        (
            "R10",
            &[("forwarded", "for=\"a, host=evil;prefix=/evil\"")],
            "",
        ),
        ("R11", &[("forwarded", "prefix=/a;prefix=/b")], ""),
        (
            "R23",
            &[("x-original-url", "/admin"), ("x-rewrite-url", "/admin")],
            "",
        ),
        (
            "R24",
            &[
                ("x-forwarded-uri", "/e/x"),
                ("x-envoy-original-path", "/e/x"),
            ],
            "",
        ),
    ] {
        assert!(
            vectors("requests").iter().any(|case| case["id"] == id),
            "{id}"
        );
        assert_eq!(root_path_of(lines).await, expected, "{id}");
        let request = seen(forwarded(), get_with("/x", lines)).await;
        assert_eq!(request.uri(), "/x", "{id}");
        for (name, _) in lines {
            assert!(
                request.headers().contains_key(*name),
                "{id}: {name} was removed"
            );
        }
    }
}

#[test]
fn r05_r06_r07_which_peers_are_trusted() {
    let trusted = "10.0.0.0/8".parse::<TrustedProxies>().unwrap();
    let forwarded = ForwardedPrefix::x_forwarded_prefix(trusted);
    let mut request = Request::builder()
        .header("x-forwarded-prefix", "/api")
        .body(())
        .unwrap();
    assert_eq!(forwarded.read(&request), Forwarded::UnknownPeer, "R07");
    for (id, peer, expected) in [
        (
            "R05",
            "192.0.2.1",
            Forwarded::UntrustedPeer([192, 0, 2, 1].into()),
        ),
        (
            "R06",
            "::ffff:10.0.0.1",
            Forwarded::Used(RootPath::from_static("/api")),
        ),
    ] {
        let peer = PeerAddr((peer.parse::<std::net::IpAddr>().unwrap(), 1).into());
        request.extensions_mut().insert(peer);
        assert_eq!(forwarded.read(&request), expected, "{id}");
    }
}

#[tokio::test]
async fn r13_r14_r15_a_reflected_path_stays_on_this_host() {
    for (id, uri, emitted, expected) in [
        (
            "R13",
            "//evil.example/",
            "//evil.example",
            "/api/v1/evil.example",
        ),
        (
            "R13",
            "/api/v1//evil.example/",
            "//evil.example",
            "/api/v1/evil.example",
        ),
        (
            "R14",
            "/\\evil.example/",
            "/\\evil.example",
            "/api/v1/evil.example",
        ),
        (
            "R15",
            "http://evil.example/x",
            "http://evil.example/x/",
            "/api/v1/x/",
        ),
    ] {
        let location = location(
            RootPathLayer::new("/api/v1").strip_if_present(),
            get(uri),
            emitted,
        )
        .await;
        assert_eq!(location, expected, "{id}");
    }
}

#[tokio::test]
async fn r16_to_r22_what_is_stripped() {
    for (id, uri, expected) in [
        ("R16", "/api/v1evil", "/api/v1evil"),
        ("R17", "/api/v1", "/"),
        ("R18", "/api/v1//admin", "//admin"),
        ("R19", "/api/v1/../admin", "/../admin"),
        ("R19", "/api/v1/%2e%2e/admin", "/%2e%2e/admin"),
        ("R20", "/api/v1../admin", "/api/v1../admin"),
        ("R21", "/API/v1/x", "/API/v1/x"),
        ("R22", "/ap%69/v1/x", "/ap%69/v1/x"),
    ] {
        let request = seen(RootPathLayer::new("/api/v1").strip_if_present(), get(uri)).await;
        assert_eq!(request.uri(), expected, "{id}");
    }
}

#[tokio::test]
async fn r25_vary_names_the_header() {
    let headers = emitted(forwarded(), get("/x"), &[("location", b"/y")]).await;
    assert_eq!(headers["vary"], "x-forwarded-prefix");
}

/// What is in quotes is data, a repeated parameter and too many of them are refused.
#[test]
fn forwarded_has_one_reading() {
    let origin = ForwardedOrigin::rfc7239(TrustedProxies::loopback(), AllowedHosts::any());
    let many = "x=y;".repeat(10_000);
    let malformed = "`Forwarded` does not follow the grammar of RFC 7239";
    for (id, line, expected) in [
        (
            "R09",
            "for=\"127.0.0.1;host=evil.com;proto=https\"",
            "http://app.example",
        ),
        ("R10", "for=\"a, host=evil\"", "http://app.example"),
        ("R11", "host=a;host=b", malformed),
        ("R12", &many, malformed),
    ] {
        let request = get_with("/", &[("forwarded", line)]);
        let shown = match origin.clone().default_scheme("http").read(&request) {
            Ok(origin) => origin.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(shown.starts_with(expected), "{id}: {shown}");
    }
}

/// A layer that hands nothing on and has none around it takes a shorter way through the code.
#[tokio::test]
async fn the_default_rewrite_named_is_the_default() {
    let forwarded = || ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layers = [
        RootPathLayer::new(""),
        RootPathLayer::new("/api"),
        RootPathLayer::new("/api").strip_if_present(),
        RootPathLayer::new("").with_forwarded(forwarded()),
        RootPathLayer::new("/api")
            .strip_if_present()
            .with_forwarded(forwarded()),
    ];
    for layer in layers {
        let named = layer.clone().rewrite(Rewrite::redirects());
        for uri in [
            "/",
            "/x?y",
            "/api",
            "/api/x",
            "//evil",
            "/api//evil",
            "/%2fevil",
            "*",
            "http://h/api/x",
        ] {
            for lines in [
                &[][..],
                &[("x-forwarded-prefix", "/b")],
                &[("x-forwarded-prefix", "")],
            ] {
                let (short, long) = (
                    seen(&layer, get_with(uri, lines)).await,
                    seen(&named, get_with(uri, lines)).await,
                );
                assert_eq!(short.uri(), long.uri(), "{layer:?} {uri} {lines:?}");
                assert_eq!(
                    root_path(&short).unwrap_or_default(),
                    root_path(&long).unwrap_or_default(),
                    "{layer:?} {uri} {lines:?}"
                );
                for value in ["/login", "/api/x", "//evil", "x", "http://h/x/"] {
                    let (short, long) = (
                        location(&layer, get_with(uri, lines), value).await,
                        location(&named, get_with(uri, lines), value).await,
                    );
                    assert_eq!(short, long, "{layer:?} {uri} {lines:?} {value}");
                }
            }
        }
    }
}
