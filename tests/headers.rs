//! Headers that are rewritten on request, each by its own grammar.

mod support;

use http::HeaderName;
use support::{emitted, get};
use tower::Layer;
use tower_root_path::{Rewrite, RootPathLayer};

/// The value of the header that the client receives, with the root path `/api/v1`.
async fn becomes(rewrite: Rewrite, name: &'static str, value: &str) -> String {
    let layer = RootPathLayer::new("/api/v1").rewrite(rewrite);
    let headers = emitted(layer, get("/x"), &[(name, value.as_bytes())]).await;
    String::from_utf8_lossy(headers[name].as_bytes()).into_owned()
}

#[tokio::test]
async fn link_targets_and_anchors() {
    for (value, expected) in [
        ("</a>; rel=next", "</api/v1/a>; rel=next"),
        (
            "</a,b>; title=\"</no>, x\" ,  </c>;rel=\"x y\";anchor=\"/d#e\"",
            "</api/v1/a,b>; title=\"</no>, x\" ,  </api/v1/c>;rel=\"x y\";anchor=\"/api/v1/d#e\"",
        ),
        ("<https://app.example/a>", "<https://app.example/a>"),
        ("</api/v1/a>, </b>", "</api/v1/a>, </api/v1/b>"),
        (
            "<a>, <?b>, <#c>, <//other.example/d>",
            "<a>, <?b>, <#c>, <//other.example/d>",
        ),
        (
            "<https://other.example>; rel=x",
            "<https://other.example>; rel=x",
        ),
        ("</a>; rel=x; </b", "</api/v1/a>; rel=x; </b"),
        ("/a", "/a"),
    ] {
        assert_eq!(
            becomes(Rewrite::none().link(), "link", value).await,
            expected
        );
        assert_eq!(becomes(Rewrite::redirects(), "link", value).await, value);
    }
}

#[tokio::test]
async fn cookie_paths() {
    for (value, expected) in [
        ("a=1; Path=/", "a=1; Path=/api/v1"),
        (
            "a=1; path=/admin; HttpOnly",
            "a=1; path=/api/v1/admin; HttpOnly",
        ),
        ("a=1;Path = /x/ ;Secure", "a=1;Path = /api/v1/x/ ;Secure"),
        ("a=1; Path=/api/v1", "a=1; Path=/api/v1"),
        ("a=1; Path=/api/v1/", "a=1; Path=/api/v1/"),
        ("a=1; Path=/api/v10", "a=1; Path=/api/v1/api/v10"),
        ("a=1; Path=//x", "a=1; Path=/api/v1//x"),
        ("a=1; Path=/x; Path=/y", "a=1; Path=/x; Path=/api/v1/y"),
        ("a=1", "a=1"),
        ("a=/x; Path=", "a=/x; Path="),
        ("a=1; Path=x", "a=1; Path=x"),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/"),
        (
            "__Secure-a=1; Secure; Path=/",
            "__Secure-a=1; Secure; Path=/api/v1",
        ),
        // A cookie is removed by the path it was set with.
        ("a=; Max-Age=0; Path=/", "a=; Max-Age=0; Path=/api/v1"),
    ] {
        let rewrite = Rewrite::redirects().set_cookie_path();
        assert_eq!(becomes(rewrite, "set-cookie", value).await, expected);
        assert_eq!(
            becomes(Rewrite::redirects(), "set-cookie", value).await,
            value
        );
    }
}

#[tokio::test]
async fn htmx_headers() {
    for (name, value, expected) in [
        ("hx-redirect", "/a", "/api/v1/a"),
        ("hx-push-url", "/a?b", "/api/v1/a?b"),
        ("hx-push-url", "false", "false"),
        ("hx-replace-url", "/a", "/api/v1/a"),
        ("hx-replace-url", "false", "false"),
        ("hx-location", "/a", "/api/v1/a"),
        ("hx-location", "a", "a"),
        ("hx-location", r#"{"path":"/a"}"#, r#"{"path":"/api/v1/a"}"#),
        (
            r"hx-location",
            r##"{ "target":"#x", "path" : "\/caf\u00e9", "values":{"path":"/no"}, "push":"/b" }"##,
            r##"{ "target":"#x", "path" : "/api/v1/caf\u00e9", "values":{"path":"/no"}, "push":"/api/v1/b" }"##,
        ),
        (
            "hx-location",
            r#"{"path":"/api/v1/a"}"#,
            r#"{"path":"/api/v1/a"}"#,
        ),
        (
            "hx-location",
            r#"{ "path":"/a", "swap":"x" ,"path":"/b"}"#,
            r#"{ "path":"/a", "swap":"x" ,"path":"/api/v1/b"}"#,
        ),
        (
            "hx-location",
            "{\"path\":\"/café\",\"target\":\"#é\"}",
            "{\"path\":\"/api/v1/caf\\u00e9\",\"target\":\"#é\"}",
        ),
        (
            "hx-location",
            r#"{"path":"\/\/other.example"}"#,
            r#"{"path":"\/\/other.example"}"#,
        ),
        ("hx-location", r#"{"path":"/a""#, r#"{"path":"/a""#),
        ("hx-trigger", "/a", "/a"),
    ] {
        assert_eq!(becomes(Rewrite::none().htmx(), name, value).await, expected);
        assert_eq!(becomes(Rewrite::redirects(), name, value).await, value);
    }
}

#[tokio::test]
async fn json_in_iso_8859_1() {
    for (value, expected) in [
        (
            &b"{\"path\":\"/a\",\"target\":\"#\xe9\xff\"}"[..],
            &b"{\"path\":\"/api/v1/a\",\"target\":\"#\xe9\xff\"}"[..],
        ),
        (
            b"{\"path\":\"/caf\xe9\"}",
            b"{\"path\":\"/api/v1/caf\\u00e9\"}",
        ),
        (b"{\"target\":\"\xe9\"}", b"{\"target\":\"\xe9\"}"),
    ] {
        let layer = RootPathLayer::new("/api/v1").rewrite(Rewrite::none().htmx());
        let headers = emitted(layer, get("/x"), &[("hx-location", value)]).await;
        assert_eq!(headers["hx-location"].as_bytes(), expected);
    }
}

#[tokio::test]
async fn a_reflected_path_is_not_a_host_in_any_header() {
    let lines: &[(&str, &[u8])] = &[
        ("refresh", b"0;url=//evil.example/"),
        ("link", b"<//evil.example/>; rel=next"),
        ("hx-redirect", b"//evil.example/"),
        ("hx-location", b"{\"path\":\"\\/\\/evil.example/\"}"),
        ("x-up-location", b"/\\evil.example/"),
    ];
    for root_path in ["", "/api/v1"] {
        let rewrite = Rewrite::all().header("x-up-location");
        let layer = RootPathLayer::new(root_path).rewrite(rewrite);
        let headers = emitted(layer, get("//evil.example"), lines).await;
        let expected = [
            format!("0;url={root_path}/evil.example/"),
            format!("<{root_path}/evil.example/>; rel=next"),
            format!("{root_path}/evil.example/"),
            format!("{{\"path\":\"{root_path}/evil.example/\"}}"),
            format!("{root_path}/evil.example/"),
        ];
        assert_eq!(headers.values().collect::<Vec<_>>(), expected.each_ref());
    }
}

#[tokio::test]
async fn each_header_line_is_rewritten() {
    let lines: &[(&str, &[u8])] = &[
        ("set-cookie", b"a=1; Path=/"),
        ("x", b"/y"),
        ("set-cookie", b"b=1"),
        ("set-cookie", b"c=1; Path=/c"),
    ];
    for rewrite in [Rewrite::none().set_cookie_path(), Rewrite::all()] {
        let layer = RootPathLayer::new("/api/v1").rewrite(rewrite);
        let headers = emitted(layer, get("/x"), lines).await;
        let cookies = headers.get_all("set-cookie").iter().collect::<Vec<_>>();
        assert_eq!(cookies, ["a=1; Path=/api/v1", "b=1", "c=1; Path=/api/v1/c"]);
        assert_eq!(headers["x"], "/y");
    }
}

#[tokio::test]
async fn other_headers_by_name() {
    let rewrite = || {
        Rewrite::none()
            .header("X-Inertia-Location")
            .header("refresh")
    };
    assert_eq!(
        becomes(rewrite(), "x-inertia-location", "/a").await,
        "/api/v1/a"
    );
    // A known header is rewritten by its own grammar.
    assert_eq!(
        becomes(rewrite(), "refresh", "1;url=/a").await,
        "1;url=/api/v1/a"
    );
    assert_eq!(becomes(rewrite(), "location", "/a").await, "/a");
    assert_eq!(
        becomes(Rewrite::all().header("location"), "location", "/a").await,
        "/api/v1/a"
    );
}

/// In none of them would a rewritten value be right.
#[test]
fn headers_that_cannot_be_rewritten_are_refused_by_name() {
    let for_the_proxy = [
        "X-Accel-Redirect",
        "X-Sendfile",
        "X-Lighttpd-Send-File",
        "X-Reproxy-URL",
    ];
    let with_a_grammar_of_their_own = [
        "WWW-Authenticate",
        "Content-Security-Policy",
        "Content-Security-Policy-Report-Only",
        "Reporting-Endpoints",
        "Report-To",
        "Speculation-Rules",
        "Use-As-Dictionary",
        "Link-Template",
    ];
    let without_a_path = ["NEL", "Alt-Svc", "Clear-Site-Data"];
    for (names, reason) in [
        (&for_the_proxy[..], "for the proxy"),
        (&with_a_grammar_of_their_own, "not one URL"),
        (&without_a_path, "holds no path"),
    ] {
        for name in names {
            let name = HeaderName::try_from(*name).unwrap();
            let error = Rewrite::all().try_header(name.clone()).unwrap_err();
            let error = error.to_string();
            let begin = format!("cannot rewrite header {:?}: ", name.as_str());
            assert!(
                error.starts_with(&begin) && error.contains(reason),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn headers_whose_value_is_one_url() {
    for name in [
        "azure-asyncoperation",
        "operation-location",
        "service-worker-allowed",
        "sourcemap",
        "turbo-location",
        "x-inertia-location",
        "x-pjax-url",
        "x-sourcemap",
        "x-up-location",
    ] {
        for (value, expected) in [("/", "/api/v1/"), ("/a", "/api/v1/a"), ("a", "a")] {
            assert_eq!(
                becomes(Rewrite::all(), name, value).await,
                expected,
                "{name}"
            );
            assert_eq!(
                becomes(Rewrite::redirects(), name, value).await,
                value,
                "{name}"
            );
        }
    }
}

#[test]
#[should_panic = "cannot rewrite header \"x-sendfile\": it is for the proxy, not for the client"]
fn what_is_for_the_proxy_panics_in_code() {
    let _ = Rewrite::redirects().header("x-sendfile");
}

#[tokio::test]
async fn stacked_layers_rewrite_the_headers_of_their_own_configuration() {
    let lines: &[(&str, &[u8])] = &[
        ("location", b"/a"),
        ("link", b"</a>"),
        ("set-cookie", b"a=1; Path=/a"),
        ("hx-redirect", b"/a"),
    ];
    let all = || Some(Rewrite::all());
    let none = || Some(Rewrite::none());
    let link = || Some(Rewrite::none().link());
    let redirects = || Some(Rewrite::redirects());

    let from = |root_path: &str| {
        let values = ["R/a", "<R/a>", "a=1; Path=R/a", "R/a"];
        values.map(|value| value.replace('R', root_path))
    };
    let the_link = ["/a", "</1/2/3/a>", "a=1; Path=/a", "/a"].map(str::to_owned);
    let the_redirect = ["/1/2/3/a", "</a>", "a=1; Path=/a", "/a"].map(str::to_owned);
    let [_, link_of_middle, ..] = from("/1/2");
    let [_, _, cookie_of_outer, hx_of_outer] = from("/1");
    let each = [
        "/1/2/3/a".to_owned(),
        link_of_middle,
        cookie_of_outer,
        hx_of_outer,
    ];
    let [_, link_of_middle, cookie_of_middle, hx_of_middle] = from("/1/2");
    let rest_of_middle = [
        "/1/2/3/a".to_owned(),
        link_of_middle,
        cookie_of_middle,
        hx_of_middle,
    ];
    for (outer, middle, inner, expected) in [
        (None, None, None, the_redirect),
        (all(), None, None, from("/1/2/3")),
        (all(), None, all(), from("/1/2/3")),
        (all(), all(), None, from("/1/2/3")),
        (none(), None, None, from("")),
        (none(), link(), None, the_link.clone()),
        (none(), None, link(), the_link),
        // What a layer with a setting of its own does not rewrite, the outer layer does.
        (all(), link(), redirects(), each),
        (all(), None, redirects(), rest_of_middle),
        (all(), None, none(), from("/1/2")),
        (all(), none(), none(), from("/1")),
        (all(), none(), None, from("/1")),
    ] {
        let case = format!("{outer:?} {middle:?} {inner:?}");
        let layer = |root_path, rewrite: Option<Rewrite>| {
            let layer = RootPathLayer::new(root_path);
            match rewrite {
                Some(rewrite) => layer.rewrite(rewrite),
                None => layer,
            }
        };
        let layers = (layer("/1", outer), layer("/2", middle), layer("/3", inner));
        let headers = emitted(layers, get("/x"), lines).await;
        let values = headers.values().map(|value| value.to_str().unwrap());
        assert_eq!(values.collect::<Vec<_>>(), expected, "{case}");
    }
}

/// Headers of a middleware between two layers get the root path of the outer layer, whether the
/// inner app emits the same headers or not.
#[tokio::test]
async fn a_middleware_between_two_layers_belongs_to_the_outer_app() {
    let between = || {
        tower::util::MapResponseLayer::new(|mut response: http::Response<()>| {
            let value = http::HeaderValue::from_static;
            let headers = response.headers_mut();
            headers.insert("location", value("/login"));
            headers.append("set-cookie", value("sid=1; Path=/"));
            response
        })
    };
    let emitted_inside: [&[(&'static str, &[u8])]; 3] = [
        &[("x", b"y")],
        &[("content-location", b"/a")],
        &[("location", b"/a"), ("set-cookie", b"cart=1; Path=/")],
    ];
    for lines in emitted_inside {
        let layers = (
            RootPathLayer::new("/1").rewrite(Rewrite::all()),
            between(),
            RootPathLayer::new("/2"),
        );
        let headers = emitted(layers, get("/x"), lines).await;
        assert_eq!(headers["location"], "/1/login");
        let cookies = headers.get_all("set-cookie").iter().collect::<Vec<_>>();
        if cookies.len() == 2 {
            assert_eq!(cookies, ["cart=1; Path=/1/2", "sid=1; Path=/1"]);
        } else {
            assert_eq!(cookies, ["sid=1; Path=/1"]);
        }
        if let Some(location) = headers.get("content-location") {
            assert_eq!(location, "/1/2/a");
        }
    }
}

/// If one app calls another, the response passes the layers of both.
#[tokio::test]
async fn layers_leave_no_extensions_in_the_response() {
    let inner = (RootPathLayer::new("/1"), RootPathLayer::new("/2"));
    let mut inner = Some(inner.layer(support::App(|_: http::Request<()>| {
        http::Response::builder()
            .header("location", "/a")
            .body(())
            .unwrap()
    })));
    let outer = RootPathLayer::new("/gateway");
    let response = support::send(outer, get("/x"), move |_| {
        use tower::ServiceExt;
        let call = inner.take().unwrap().oneshot(get("/x"));
        let response = futures_util::FutureExt::now_or_never(call)
            .unwrap()
            .unwrap();
        assert!(response.extensions().is_empty());
        response
    });
    assert_eq!(response.await.headers()["location"], "/gateway/1/2/a");
}

#[tokio::test]
async fn the_rewrite_of_an_outer_layer_without_a_root_path_is_inherited() {
    let lines: &[(&str, &[u8])] = &[("location", b"/a"), ("link", b"</a>")];
    for (rewrite, expected) in [
        (Rewrite::all(), ["/sub/a", "</sub/a>"]),
        (Rewrite::redirects(), ["/sub/a", "</a>"]),
        (Rewrite::none(), ["/a", "</a>"]),
    ] {
        let outer = RootPathLayer::new("").rewrite(rewrite);
        let headers = emitted((outer, RootPathLayer::new("/sub")), get("/x"), lines).await;
        assert_eq!(headers.values().collect::<Vec<_>>(), expected);
    }
}

/// Only the innermost layer sees the path as the app does, so it makes redirects harmless whatever
/// it rewrites. An outer layer then finds a path of the app.
#[tokio::test]
async fn a_reflected_path_is_no_host_whatever_the_layers_rewrite() {
    let lines: &[(&str, &[u8])] = &[
        ("location", b"//evil.example/"),
        ("content-location", b"/\\evil.example/"),
        ("refresh", b"0;url=//evil.example/"),
    ];
    for (outer, inner, root_path) in [
        (Rewrite::all(), Rewrite::none(), "/1"),
        (Rewrite::redirects(), Rewrite::none(), "/1"),
        (Rewrite::none(), Rewrite::redirects(), "/1/2"),
        (Rewrite::none(), Rewrite::none(), ""),
        (Rewrite::none().link(), Rewrite::none().link(), ""),
    ] {
        let layers = (
            RootPathLayer::new("/1").strip_if_present().rewrite(outer),
            RootPathLayer::new("/2").strip_if_present().rewrite(inner),
        );
        for uri in ["/1/2//evil.example/", "/2//evil.example/"] {
            let headers = emitted(layers.clone(), get(uri), lines).await;
            let path = format!("{root_path}/evil.example/");
            let expected = [path.clone(), path.clone(), format!("0;url={path}")];
            let values = headers.values().map(|value| value.to_str().unwrap());
            assert_eq!(values.collect::<Vec<_>>(), expected, "{uri}");
        }
    }
}
