//! The rule for one URI reference, row by row.

mod support;

use http::{header::HOST, Request, Version};
use support::{emitted, get, location, vectors};
use tower_root_path::{ForwardedPrefix, Origin, Rewrite, RootPathLayer, TrustedProxies};

#[tokio::test]
async fn every_vector_holds() {
    let layer = RootPathLayer::new("/api/v1");
    for case in vectors("locations") {
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

#[tokio::test]
async fn only_the_authority_of_the_request_is_the_app() {
    let http1 = |host: &str| {
        let mut request = get("/x");
        request.headers_mut().insert(HOST, host.parse().unwrap());
        request
    };
    let http2 = |uri: &str| {
        let request = Request::builder().uri(uri).version(Version::HTTP_2);
        request.body(()).unwrap()
    };
    for (request, value, expected) in [
        // HTTP/1.1 knows no scheme.
        (
            http1("app.example"),
            "http://app.example/login",
            "/api/v1/login",
        ),
        (
            http1("app.example"),
            "HTTP://App.Example/login",
            "/api/v1/login",
        ),
        (http1("app.example"), "http://app.example?q", "/api/v1/?q"),
        (http1("app.example"), "//APP.EXAMPLE/login", "/api/v1/login"),
        (
            http1("app.example:443"),
            "http://app.example:443/x",
            "/api/v1/x",
        ),
        (
            http1("app.example:8080"),
            "http://app.example:8080:80/x",
            "http://app.example:8080:80/x",
        ),
        (
            http1("app.example:x"),
            "http://app.example:x/y",
            "http://app.example:x/y",
        ),
        (http1("[::1]"), "http://[::1]:80/x", "/api/v1/x"),
        (http1("::1"), "http://::1/x", "http://::1/x"),
        (http1("[::1"), "http://[::1/x", "http://[::1/x"),
        (
            http1("app.example"),
            "http://app.example/api/v1/x",
            "/api/v1/x",
        ),
        (http1("app.example"), "//app.example/login", "/api/v1/login"),
        (
            http1("app.example"),
            "//app.example:80/login",
            "/api/v1/login",
        ),
        (
            http1("app.example"),
            "https://app.example/login",
            "https://app.example/api/v1/login",
        ),
        (
            http1("app.example"),
            "https://app.example:443?q",
            "https://app.example:443/api/v1/?q",
        ),
        (http1("app.example:80"), "http://app.example/x", "/api/v1/x"),
        (
            http1("app.example:8080"),
            "http://app.example:8080/x",
            "/api/v1/x",
        ),
        (
            http1("app.example:8080"),
            "http://app.example/x",
            "http://app.example/x",
        ),
        (
            http1("app.example:443"),
            "https://app.example/x",
            "https://app.example/api/v1/x",
        ),
        (http1("[::1]:3000"), "http://[::1]:3000/x", "/api/v1/x"),
        (
            http1("app.example"),
            "http://app.example.evil/x",
            "http://app.example.evil/x",
        ),
        (
            http1("app.example"),
            "http://app.example:/x",
            "http://app.example:/x",
        ),
        (
            http1("app.example"),
            "http://app.example\t/x",
            "http://app.example\t/x",
        ),
        (
            http1("app.example"),
            "http://user@app.example/x",
            "http://user@app.example/x",
        ),
        (
            http1("app.example"),
            "ws://app.example/x",
            "ws://app.example/x",
        ),
        (
            http1("app.example"),
            "https:app.example",
            "https:app.example",
        ),
        (
            http1("app.example"),
            "https:///app.example",
            "https:///app.example",
        ),
        // A client may send any Host: nothing in it counts that a browser would not call a host.
        (
            http1("a@evil.example"),
            "http://a@evil.example/",
            "http://a@evil.example/",
        ),
        (
            http1("evil.example\\"),
            "http://evil.example\\/",
            "http://evil.example\\/",
        ),
        (http1(""), "http:///x", "http:///x"),
        // HTTP/2 and the absolute-form do.
        (
            http2("https://app.example/x"),
            "https://app.example/x",
            "/api/v1/x",
        ),
        (
            http2("https://app.example/x"),
            "https://app.example:443/x",
            "/api/v1/x",
        ),
        (
            http2("https://app.example/x"),
            "//app.example:443/x",
            "/api/v1/x",
        ),
        (
            http2("https://app.example/x"),
            "//app.example:80/x",
            "//app.example:80/x",
        ),
        // Of two ports at least one is another origin's.
        (
            http1("app.example:443"),
            "//app.example:80/x",
            "//app.example:80/x",
        ),
        (
            http1("app.example:443"),
            "http://app.example:80/x",
            "http://app.example:80/x",
        ),
        (
            http2("https://app.example/x"),
            "http://app.example/x",
            "/api/v1/x",
        ),
        (
            http2("http://app.example/x"),
            "http://app.example:80/x",
            "/api/v1/x",
        ),
        (
            http2("http://app.example/x"),
            "https://app.example/x",
            "https://app.example/api/v1/x",
        ),
        (
            http2("http://app.example:8080/x"),
            "https://app.example/x",
            "https://app.example/x",
        ),
        (
            http2("http://app.example/x"),
            "http://other.example/x",
            "http://other.example/x",
        ),
    ] {
        let case = format!("{request:?} {value}");
        let becomes = location(RootPathLayer::new("/api/v1"), request, value).await;
        assert_eq!(becomes, expected, "{case}");
    }
}

#[tokio::test]
async fn further_origins_mean_the_app_as_well() {
    let rewrite = Rewrite::redirects()
        .origin("http://127.0.0.1:3000")
        .origin("https://internal.example/");
    for (value, expected) in [
        ("http://127.0.0.1:3000/login", "/api/v1/login"),
        ("//127.0.0.1:3000/login", "/api/v1/login"),
        (
            "https://127.0.0.1:3000/login",
            "https://127.0.0.1:3000/login",
        ),
        ("http://127.0.0.1/login", "http://127.0.0.1/login"),
        ("https://internal.example:443/x", "/api/v1/x"),
        ("http://internal.example/x", "http://internal.example/x"),
        ("http://app.example/x", "/api/v1/x"),
    ] {
        let layer = RootPathLayer::new("/api/v1").rewrite(rewrite.clone());
        assert_eq!(location(layer, get("/x"), value).await, expected, "{value}");
    }
}

#[tokio::test]
async fn an_echo_of_the_path_is_not_a_host() {
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
        // Not an echo.
        ("", "/x", "//other.example/", "//other.example/"),
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
        let becomes = location(RootPathLayer::new(root_path), get(path), value).await;
        assert_eq!(becomes, expected, "{root_path:?} {path} {value}");
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
        ("//x", "//x"),
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
            "/api/v1/y",
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
        let layers = || (RootPathLayer::new(outer), RootPathLayer::new(inner));
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

/// The outermost layer says what means the app, the innermost one where the app is; one in the
/// middle that has nothing to add makes neither forget.
#[tokio::test]
async fn an_origin_of_the_outer_layer_counts_for_the_inner_app() {
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
            let outer = RootPathLayer::new("/api").rewrite(Rewrite::redirects().origin(origin));
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
    ] {
        let origin = good.parse::<Origin>().unwrap();
        assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin), "{good}");
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
        " http://a",
    ] {
        let error = bad.parse::<Origin>().unwrap_err().to_string();
        assert!(error.contains(&format!("{bad:?}")), "{error}");
    }
}

/// Not every client sends it first.
#[tokio::test]
async fn the_host_is_found_among_other_headers() {
    let request = Request::get("/x")
        .header("accept", "accept.example")
        .header(HOST, "app.example")
        .body(())
        .unwrap();
    for (value, expected) in [
        ("http://app.example/login", "/api/v1/login"),
        ("http://accept.example/login", "http://accept.example/login"),
    ] {
        let becomes = location(RootPathLayer::new("/api/v1"), request.clone(), value).await;
        assert_eq!(becomes, expected);
    }
}
