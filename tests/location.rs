//! The rule for one URI reference, row by row.

mod support;

use http::{header::HOST, Request, Version};
use support::{emitted, get, location, vectors};
use tower_root_path::{ForwardedPrefix, Origin, Rewrite, RootPathLayer, TrustedProxies};

#[tokio::test]
async fn every_vector_holds() {
    for case in vectors("locations") {
        let own_origins = case["own_origins"].as_array().into_iter().flatten();
        let rewrite = own_origins.fold(Rewrite::redirects(), |rewrite, origin| {
            rewrite.own_origin(origin.as_str().unwrap())
        });
        let layer = RootPathLayer::new("/api/v1").rewrite(rewrite);
        let value = case["location"].as_str().unwrap();
        let becomes = location(&layer, get("/x"), value).await;
        assert_eq!(becomes, case["becomes"].as_str().unwrap(), "{}", case["id"]);
    }
}

#[tokio::test]
async fn paths_are_prefixed_once_and_the_rest_is_the_browsers() {
    for (value, expected) in [
        ("/", "/api/v1/"),
        ("/login?next=/x#f", "/api/v1/login?next=/x#f"),
        ("/api/v1", "/api/v1"),
        ("/api/v1#x", "/api/v1#x"),
        ("/%61pi/v1", "/api/v1/%61pi/v1"),
        ("/\\evil.example", "/api/v1/\\evil.example"),
        ("/\t/evil.example", "/api/v1/\t/evil.example"),
        ("/..//evil.example", "/api/v1/..//evil.example"),
        (" /login ", "/api/v1/login"),
        ("x", "x"),
        ("../x", "../x"),
        ("?q", "?q"),
        ("*", "*"),
        ("a:/b", "a:/b"),
        ("//", "//"),
        ("// /x", "// /x"),
    ] {
        let becomes = location(RootPathLayer::new("/api/v1"), get("/x"), value).await;
        assert_eq!(becomes, expected, "{value:?}");
    }
}

/// Other apps live on the same host, such as an identity provider at `/auth`.
#[tokio::test]
async fn an_absolute_url_of_the_requests_host_stays() {
    let http1 = |host: &str| {
        let mut request = get("/login");
        request.headers_mut().insert(HOST, host.parse().unwrap());
        request
    };
    for (request, value) in [
        (http1("app.example"), "https://app.example/auth/login"),
        (http1("app.example"), "http://app.example/auth/login"),
        (http1("app.example"), "http://app.example/login"),
        (http1("app.example"), "//app.example/login"),
        (http1("app.example"), "HTTP://APP.EXAMPLE"),
        (http1("app.example:8080"), "http://app.example:8080/x"),
        (http1("[::1]:3000"), "http://[::1]:3000/x"),
        (
            http2("https://app.example/login"),
            "https://app.example/auth/login",
        ),
        (http2("https://app.example/login"), "https://app.example/"),
        (http2("https://app.example/login"), "https://app.example"),
        (http2("https://app.example/login"), "//app.example/login"),
    ] {
        let case = format!("{request:?}");
        let becomes = location(RootPathLayer::new("/api/v1"), request, value).await;
        assert_eq!(becomes, value, "{case}");
    }
}

fn http2(uri: &str) -> Request<()> {
    let request = Request::builder().uri(uri).version(Version::HTTP_2);
    request.body(()).unwrap()
}

/// As `ServeDir` makes it of a request that has scheme and authority in its URI.
#[tokio::test]
async fn an_absolute_redirect_of_a_request_to_itself_is_rewritten() {
    for (uri, value, expected) in [
        (
            "https://app.example/dir",
            "https://app.example/dir/",
            "/api/v1/dir/",
        ),
        (
            "https://app.example/dir/",
            "https://app.example/dir",
            "/api/v1/dir",
        ),
        (
            "https://app.example/dir",
            "https://app.example/dir?x#y",
            "/api/v1/dir?x#y",
        ),
        (
            "http://app.example:8080/a?b",
            "http://app.example:8080/a/?b",
            "/api/v1/a/?b",
        ),
        ("https://app.example/", "https://app.example", "/api/v1/"),
        // Before and after stripping.
        (
            "https://app.example/api/v1/dir",
            "https://app.example/dir/",
            "/api/v1/dir/",
        ),
        (
            "https://app.example/api/v1/dir",
            "https://app.example/api/v1/dir/",
            "/api/v1/dir/",
        ),
        (
            "https://app.example//evil",
            "https://app.example//evil/",
            "/api/v1//evil/",
        ),
        // Not to itself.
        (
            "https://app.example/dir",
            "https://app.example/dir//",
            "https://app.example/dir//",
        ),
        (
            "https://app.example/dir",
            "https://app.example/dir/x",
            "https://app.example/dir/x",
        ),
        (
            "https://app.example/dir",
            "https://app.example/di",
            "https://app.example/di",
        ),
        (
            "https://app.example/dir",
            "https://app.example/%64ir/",
            "https://app.example/%64ir/",
        ),
        (
            "https://app.example/dir",
            "http://app.example/dir/",
            "http://app.example/dir/",
        ),
        (
            "https://app.example/dir",
            "https://app.example:443/dir/",
            "https://app.example:443/dir/",
        ),
        (
            "https://app.example/dir",
            "https://app.example.evil/dir/",
            "https://app.example.evil/dir/",
        ),
        (
            "https://app.example/dir",
            "https://app.example@evil/dir/",
            "https://app.example@evil/dir/",
        ),
        (
            "https://app.example/dir",
            "HTTPS://app.example/dir/",
            "HTTPS://app.example/dir/",
        ),
        ("/dir", "http://app.example/dir/", "http://app.example/dir/"),
    ] {
        let layer = RootPathLayer::new("/api/v1").strip_if_present();
        assert_eq!(
            location(layer, http2(uri), value).await,
            expected,
            "{uri} {value}"
        );
        let becomes = location(RootPathLayer::new(""), http2(uri), value).await;
        assert_eq!(becomes, value, "without a root path: {uri} {value}");
    }
}

#[tokio::test]
async fn an_own_origin_means_the_app() {
    let rewrite = Rewrite::redirects()
        .own_origin("http://127.0.0.1:3000")
        .own_origin("https://Internal.example/")
        .own_origin("http://[::1]:3000");
    for (value, rest) in [
        ("http://127.0.0.1:3000/login", "/login"),
        ("HTTP://127.0.0.1:3000/login", "/login"),
        ("//127.0.0.1:3000/login", "/login"),
        ("http://127.0.0.1:3000", "/"),
        ("http://127.0.0.1:3000?q", "/?q"),
        ("http://127.0.0.1:3000#f", "/#f"),
        ("https://internal.example:443/x", "/x"),
        ("https://INTERNAL.example/x", "/x"),
        ("//internal.example:443/x", "/x"),
        ("http://[::1]:3000/x", "/x"),
        ("http://127.0.0.1:3000/%2F", "/%2F"),
    ] {
        for root_path in ["", "/api/v1"] {
            let layer = RootPathLayer::new(root_path).rewrite(rewrite.clone());
            let becomes = location(layer, get("/x"), value).await;
            assert_eq!(becomes, format!("{root_path}{rest}"), "{value}");
        }
    }
    for value in [
        "https://127.0.0.1:3000/login",
        "http://127.0.0.1/login",
        "http://internal.example/x",
        "//internal.example:80/x",
        "http://app.example/x",
        "http://user@127.0.0.1:3000/x",
        "http://127.0.0.1:3000@evil.example/x",
        "http://127.0.0.1:3000\\@evil.example/x",
        "http://127.0.0.1:3000:80/x",
        "http://127.0.0.1:+3000/x",
        "http:127.0.0.1:3000/x",
        "http:///127.0.0.1:3000/x",
        "http:\\\\127.0.0.1:3000\\x",
        "http://127.0.0.1:3000\t/x",
    ] {
        let layer = RootPathLayer::new("/api/v1").rewrite(rewrite.clone());
        assert_eq!(location(layer, get("/x"), value).await, value);
    }
}

/// Without the authority in front, two slashes would be a host.
#[tokio::test]
async fn the_path_of_an_own_origin_never_becomes_a_host() {
    for (path, expected) in [
        ("//evil.example", "/evil.example"),
        ("/\\evil.example", "/evil.example"),
        ("/\t/evil.example", "/evil.example"),
        ("///\\\t/evil.example", "/evil.example"),
        ("/\tx", "/\tx"),
    ] {
        let rewrite = || Rewrite::redirects().own_origin("http://own.example");
        let value = format!("http://own.example{path}");
        let layer = RootPathLayer::new("").rewrite(rewrite());
        assert_eq!(location(layer, get("/x"), &value).await, expected);
        let layer = RootPathLayer::new("/api").rewrite(rewrite());
        assert_eq!(
            location(layer, get("/x"), &value).await,
            format!("/api{path}")
        );
    }
}

#[tokio::test]
async fn a_reflected_path_is_not_a_host() {
    for (root_path, path, value, expected) in [
        (
            "/api/v1",
            "//evil.example/",
            "//evil.example/",
            "/api/v1/evil.example/",
        ),
        (
            "/api/v1",
            "/api/v1//evil.example/",
            "//evil.example/",
            "/api/v1/evil.example/",
        ),
        (
            "/api/v1",
            "/\\evil.example/",
            "/\\evil.example",
            "/api/v1/evil.example",
        ),
        (
            "/api/v1",
            "/\\evil.example/",
            "//evil.example",
            "/api/v1/evil.example",
        ),
        (
            "/api/v1",
            "///evil.example",
            "///\\/evil.example",
            "/api/v1/evil.example",
        ),
        (
            "/api/v1",
            "//app.example/",
            "//app.example/x",
            "/api/v1/app.example/x",
        ),
        ("/api/v1", "//api/v1/x", "//api/v1/x/", "/api/v1/x/"),
        ("/api/v1", "//x", "//", "/api/v1/"),
        ("", "//evil.example/", "//evil.example/", "/evil.example/"),
        ("", "/\\evil.example/", "/\\evil.example/", "/evil.example/"),
        // Browsers drop the tab.
        ("", "//x", "//\t/evil.example", "/evil.example"),
        // The app has decoded the path.
        ("", "/%2Fevil.example", "//evil.example", "/evil.example"),
        (
            "/api/v1",
            "/%2fevil.example",
            "//evil.example",
            "/api/v1/evil.example",
        ),
        ("", "/%5Cevil.example", "/\\evil.example", "/evil.example"),
        ("", "/%09/evil.example", "/\t/evil.example", "/evil.example"),
        (
            "/api/v1",
            "/%09%5cevil.example",
            "/\t\\evil.example",
            "/api/v1/evil.example",
        ),
        ("", "/%0A/evil.example", "//evil.example", "/evil.example"),
        (
            "/api/v1",
            "/api/v1/%2Fevil.example",
            "//evil.example",
            "/api/v1/evil.example",
        ),
        // Not reflected.
        ("", "/x", "//other.example/", "//other.example/"),
        ("", "/x%2F", "//other.example/", "//other.example/"),
        ("", "/%252Fx", "//other.example/", "//other.example/"),
        ("/api/v1", "/x//y", "//other.example/", "//other.example/"),
        ("/api/v1", "//x", "/login", "/api/v1/login"),
        ("", "//x", "/login", "/login"),
        (
            "",
            "//x",
            "https://other.example/",
            "https://other.example/",
        ),
    ] {
        let layer = RootPathLayer::new(root_path).strip_if_present();
        let becomes = location(&layer, get(path), value).await;
        assert_eq!(becomes, expected, "{root_path:?} {path} {value}");

        // The prefix is the proxy's to add, but what leads to another host does not leave the app.
        let layer = layer.rewrite(Rewrite::none());
        let becomes = location(&layer, get(path), value).await;
        let leads_away = value != "/login" && expected != value;
        let expected = if leads_away {
            format!("/{}", value.trim_start_matches(['/', '\\', '\t']))
        } else {
            value.to_owned()
        };
        assert_eq!(
            becomes, expected,
            "not rewritten: {root_path:?} {path} {value}"
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf8_stay_as_they_are() {
    let headers = emitted(
        RootPathLayer::new("/api/v1"),
        get("/x"),
        &[("location", b"/caf\xe9")],
    );
    assert_eq!(headers.await["location"].as_bytes(), b"/api/v1/caf\xe9");
}

#[tokio::test]
async fn rewrites_every_line_of_the_three_headers_and_no_other() {
    let headers = emitted(
        RootPathLayer::new("/api/v1"),
        get("/x"),
        &[
            ("location", b"/a"),
            ("location", b"/b"),
            ("content-location", b"/c"),
            ("refresh", b"5; URL='/d' "),
            ("link", b"</e>"),
            ("set-cookie", b"a=1; Path=/"),
            ("x-accel-redirect", b"/f"),
            ("hx-redirect", b"/g"),
        ],
    );
    let headers = headers.await;
    let lines = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            ("location", "/api/v1/a"),
            ("location", "/api/v1/b"),
            ("content-location", "/api/v1/c"),
            ("refresh", "5; URL='/api/v1/d' "),
            ("link", "</e>"),
            ("set-cookie", "a=1; Path=/"),
            ("x-accel-redirect", "/f"),
            ("hx-redirect", "/g"),
        ]
    );
}

#[tokio::test]
async fn nothing_is_rewritten_if_turned_off() {
    let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::none());
    for (path, value) in [
        ("/x", "/login"),
        ("//x", "/x"),
        ("/x", "http://app.example/"),
    ] {
        assert_eq!(location(&layer, get(path), value).await, value);
    }
}

#[tokio::test]
async fn a_sensitive_value_stays_sensitive() {
    let response = support::send(RootPathLayer::new("/api/v1"), get("/x"), |_| {
        let mut value = http::HeaderValue::from_static("/secret");
        value.set_sensitive(true);
        http::Response::builder()
            .header("location", value)
            .body(())
            .unwrap()
    });
    let headers = response.await.headers().clone();
    let value = &headers["location"];
    assert_eq!(value, "/api/v1/secret");
    assert!(value.is_sensitive());
}

#[tokio::test]
async fn stacked_layers_concatenate_and_rewrite_once() {
    for (outer, inner, path, value, seen, expected) in [
        ("/api", "/v1", "/x", "/login", "/x", "/api/v1/login"),
        ("/api", "/v1", "/api/v1/x", "/login", "/x", "/api/v1/login"),
        ("/api", "/v1", "/v1/x", "/login", "/x", "/api/v1/login"),
        ("/api", "/v1", "/x", "/api/v1/login", "/x", "/api/v1/login"),
        // The mount alone gets what is missing in front of it.
        ("/api", "/v1", "/x", "/v1/login", "/x", "/api/v1/login"),
        ("/api", "/v1", "/x", "/v1", "/x", "/api/v1"),
        ("/api", "/v1", "/x", "/v10", "/x", "/api/v1/v10"),
        ("/api", "/api", "/x", "/login", "/x", "/api/api/login"),
        (
            "/api",
            "/api",
            "/api/api/x",
            "/login",
            "/x",
            "/api/api/login",
        ),
        (
            "/api",
            "/api",
            "/x",
            "/api/api/login",
            "/x",
            "/api/api/login",
        ),
        ("/api", "/api", "/x", "/api/login", "/x", "/api/api/login"),
        (
            "/api",
            "/v1",
            "/x",
            "//other.example",
            "/x",
            "//other.example",
        ),
        (
            "/api",
            "/v1",
            "/x",
            "http://app.example/y",
            "/x",
            "http://app.example/y",
        ),
        ("", "/v1", "/v1/x", "/login", "/x", "/v1/login"),
        ("/api", "", "/api/x", "/login", "/x", "/api/login"),
        (
            "/api",
            "/v1",
            "//evil",
            "//evil/",
            "//evil",
            "/api/v1/evil/",
        ),
        ("/api", "", "//evil", "//evil/", "//evil", "/api/evil/"),
    ] {
        let case = format!("{outer} {inner} {path} {value}");
        let layer = |root_path| RootPathLayer::new(root_path).strip_if_present();
        let layers = || (layer(outer), layer(inner));
        let request = support::seen(layers(), get(path)).await;
        assert_eq!(request.uri(), seen, "{case}");
        let whole = format!("{outer}{inner}");
        assert_eq!(support::root_path(&request), Some(whole.as_str()), "{case}");
        assert_eq!(
            location(layers(), get(path), value).await,
            expected,
            "{case}"
        );
    }
}

#[tokio::test]
async fn an_outer_layer_rewrites_what_an_inner_one_does_not() {
    let layers = (
        RootPathLayer::new("/api"),
        RootPathLayer::new("/v1").rewrite(Rewrite::none()),
    );
    assert_eq!(
        location(&layers, get("/x"), "/v1/login").await,
        "/api/v1/login"
    );
    assert_eq!(
        location(&layers, get("/x"), "/api/v1/login").await,
        "/api/v1/login"
    );
}

/// A layer that adds nothing rewrites as the outer layer would.
#[tokio::test]
async fn a_setting_of_an_inner_layer_without_a_root_path_changes_no_reference() {
    let outer = || (RootPathLayer::new("/api"), RootPathLayer::new("/shop"));
    for value in ["/shop/x", "/x", "/api/shop/x", "/api/x"] {
        let inner = RootPathLayer::new("").rewrite(Rewrite::redirects());
        let (api, shop) = outer();
        let becomes = location((api, shop, inner), get("/x"), value).await;
        assert_eq!(
            becomes,
            location(outer(), get("/x"), value).await,
            "{value}"
        );
    }
}

/// Also through a layer in the middle that adds nothing.
#[tokio::test]
async fn an_own_origin_of_the_outer_layer_holds_in_the_inner_app() {
    let forwarded = || {
        let trusted = TrustedProxies::loopback();
        RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix(trusted))
    };
    let origin = "http://127.0.0.1:3000";
    for path in ["/x", "//x"] {
        for (middle, root_path) in [
            (RootPathLayer::new(""), "/api/v1"),
            (RootPathLayer::new("/m"), "/api/m/v1"),
            (forwarded(), "/api/v1"),
        ] {
            let outer = RootPathLayer::new("/api").rewrite(Rewrite::redirects().own_origin(origin));
            let layers = (outer, (middle, RootPathLayer::new("/v1")));
            let becomes = location(layers, get(path), format!("{origin}/login")).await;
            assert_eq!(becomes, format!("{root_path}/login"), "{path}");
        }
    }
}

#[test]
fn an_origin_is_a_scheme_and_a_host() {
    for good in [
        "http://a",
        "https://a.example:8443",
        "HTTP://A/",
        "http://[::1]:3000",
        "https://a_b-c.1:65535",
    ] {
        let origin = good.parse::<Origin>().unwrap();
        assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin), "{good}");
    }
    for (origin, printed) in [
        ("HTTP://A.Example:80/", "http://a.example"),
        ("https://a:443", "https://a"),
        ("https://a:80", "https://a:80"),
        ("http://a:0080", "http://a"),
        ("http://[::A]:3000", "http://[::a]:3000"),
    ] {
        assert_eq!(origin.parse::<Origin>().unwrap().to_string(), printed);
    }
    for bad in [
        "",
        "a",
        "a.example",
        "//a",
        "ftp://a",
        "http:a",
        "http:/a",
        "http://",
        "http:///",
        "http://a/b",
        "http://a?b",
        "http://:80",
        "http://a:",
        "http://a:b",
        "http://a:80:80",
        "http://u@a",
        "http://a b",
        "http://a\\b",
        "http://::1",
        "http://[::1",
        "http://[a]",
        "http://[::1]x",
        "http://a:0",
        "http://a:65536",
        "http://a:+80",
        "http://a'b",
        "http://caf\u{e9}",
        " http://a",
    ] {
        let error = bad.parse::<Origin>().unwrap_err().to_string();
        assert!(error.contains(&format!("{bad:?}")), "{error}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn an_origin_deserialises_from_a_string() {
    let origin: Origin = serde_json::from_str("\"http://127.0.0.1:3000\"").unwrap();
    assert_eq!(origin, "http://127.0.0.1:3000".parse().unwrap());
    let error = serde_json::from_str::<Origin>("\"127.0.0.1:3000\"").unwrap_err();
    assert!(error.to_string().contains("must be http://"), "{error}");
}
