//! The symptoms of the page "When it does not work" of the guide: each failure, and its fix.

mod support;

use axum::{
    body::Body,
    extract::Request,
    http::{header, HeaderValue, StatusCode},
    middleware::{from_fn, map_response, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
    Json, Router,
};
use serde_json::json;
use std::net::SocketAddr;
use support::axum::{raw, serve};
use tower::{Layer, ServiceExt};
use tower_root_path::{
    BaseUrl, ForwardedOrigin, ForwardedPrefix, OpenApiLayer, Rewrite, RootPath, RootPathLayer,
    TrustedProxies,
};
use url::Url;

const PREFIX: &str = "/api/v1";

/// A proxy that publishes an app at `http://app.example/api/v1`, as a browser sees it.
struct Site {
    app: Router,
    strips: bool,
}

impl Site {
    /// Behind a proxy that strips the prefix.
    fn stripped(app: Router) -> Self {
        Self { app, strips: true }
    }

    /// Behind a proxy that passes the prefix on.
    fn passed_on(app: Router) -> Self {
        Self { app, strips: false }
    }

    /// The response to a request of the browser for `url`.
    async fn open(&self, url: &Url) -> Response {
        let rest = url.path().strip_prefix(PREFIX);
        let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let path = match (self.strips, rest) {
            (false, _) => url.path(),
            (true, "") => "/",
            (true, rest) => rest,
        };
        let request = Request::get(path).header(header::HOST, "app.example");
        let request = request.header("x-forwarded-proto", url.scheme());
        let request = request.body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.open(&public(path)).await.status().as_u16()
    }

    async fn location(&self, path: &str) -> String {
        let response = self.open(&public(path)).await;
        response.headers()[header::LOCATION]
            .to_str()
            .unwrap()
            .into()
    }

    async fn text(&self, path: &str) -> String {
        let body = self.open(&public(path)).await.into_body();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The status after all redirects; `None` if there is no end to them.
    async fn status_after_redirects(&self, url: &str) -> Option<u16> {
        let mut url = public(url);
        for _ in 0..10 {
            let response = self.open(&url).await;
            match response.headers().get(header::LOCATION) {
                Some(location) => url = url.join(location.to_str().unwrap()).unwrap(),
                None => return Some(response.status().as_u16()),
            }
        }
        None
    }
}

fn public(path: &str) -> Url {
    let host = Url::parse("http://app.example").unwrap();
    host.join(path).unwrap()
}

fn layer() -> RootPathLayer {
    RootPathLayer::new(PREFIX)
}

#[tokio::test]
async fn every_path_is_404_if_neither_the_proxy_nor_the_layer_strips() {
    let routes = || {
        Router::new()
            .route("/", get(|| async {}))
            .route("/app", get(|| async {}))
    };

    let as_stripped = Site::passed_on(routes().layer(layer()));
    let after_routing = Site::passed_on(routes().layer(layer().strip_if_present()));
    for broken in [as_stripped, after_routing] {
        assert_eq!(broken.status("/api/v1/app").await, 404);
        assert_eq!(broken.status("/api/v1/").await, 404);
    }

    // `nest` has no route for `/api/v1/`.
    let nested = Site::passed_on(Router::new().nest(PREFIX, routes()));
    assert_eq!(nested.status("/api/v1").await, 200);
    assert_eq!(nested.status("/api/v1/").await, 404);

    let wrapped = Site::passed_on(layer().strip_if_present().wrap(routes()));
    let mounted = routes().layer(RootPathLayer::nested());
    let mounted = Site::passed_on(Router::new().nest_service(PREFIX, mounted));
    for fixed in [wrapped, mounted] {
        assert_eq!(fixed.status("/api/v1/app").await, 200);
        assert_eq!(fixed.status("/api/v1/").await, 200);
    }
}

#[tokio::test]
async fn every_path_is_404_if_the_routes_have_the_prefix_and_the_proxy_strips_it() {
    let routes = || Router::new().route("/app", get(|| async {}));

    let broken = Site::stripped(Router::new().nest(PREFIX, routes()));
    assert_eq!(broken.status("/api/v1/app").await, 404);

    let fixed = Site::stripped(routes().layer(layer()));
    assert_eq!(fixed.status("/api/v1/app").await, 200);
}

#[tokio::test]
async fn a_redirect_loses_the_prefix_if_the_layer_does_not_see_it() {
    let to_login = || get(|| async { Redirect::to("/login") });

    // A route that is added after the layer is outside of it.
    let broken = Site::stripped(Router::new().layer(layer()).route("/", to_login()));
    assert_eq!(broken.location("/api/v1/").await, "/login");

    let fixed = Site::stripped(Router::new().route("/", to_login()).layer(layer()));
    assert_eq!(fixed.location("/api/v1/").await, "/api/v1/login");

    // So is a middleware that redirects.
    let account = || Router::new().route("/", get(|| async {}));
    let redirect = || from_fn(|_: Request, _: Next| async { Redirect::to("/login") });
    let broken = Site::stripped(account().layer(layer()).layer(redirect()));
    assert_eq!(broken.location("/api/v1/").await, "/login");

    let fixed = Site::stripped(account().layer(redirect()).layer(layer()));
    assert_eq!(fixed.location("/api/v1/").await, "/api/v1/login");
}

#[tokio::test]
async fn a_redirect_of_a_sub_app_loses_the_mount_without_a_nested_layer() {
    let shop = || Router::new().route("/", get(|| async { Redirect::to("/items") }));

    let broken = Site::stripped(Router::new().nest("/shop", shop()).layer(layer()));
    assert_eq!(broken.location("/api/v1/shop").await, "/api/v1/items");

    let shop = shop().layer(RootPathLayer::nested());
    let fixed = Site::stripped(Router::new().nest("/shop", shop).layer(layer()));
    assert_eq!(fixed.location("/api/v1/shop").await, "/api/v1/shop/items");
}

#[tokio::test]
async fn a_redirect_to_the_address_of_the_app_leaves_the_site_without_an_own_origin() {
    let to = "http://127.0.0.1:8000/login";
    let routes = || Router::new().route("/", get(move || async move { Redirect::to(to) }));

    let broken = Site::stripped(routes().layer(layer()));
    assert_eq!(broken.location("/api/v1/").await, to);

    let rewrite = Rewrite::redirects().own_origin("http://127.0.0.1:8000");
    let fixed = Site::stripped(routes().layer(layer().rewrite(rewrite)));
    assert_eq!(fixed.location("/api/v1/").await, "/api/v1/login");
}

#[tokio::test]
async fn the_prefix_is_doubled_if_the_proxy_prepends_it_too() {
    // nginx: `proxy_redirect / /api/v1/;`
    let proxy_redirect = map_response(|mut response: Response| async {
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        let location = location.replacen('/', "/api/v1/", 1);
        let location = HeaderValue::from_str(&location).unwrap();
        response.headers_mut().insert(header::LOCATION, location);
        response
    });
    let routes = || Router::new().route("/", get(|| async { Redirect::to("/login") }));

    let broken = routes().layer(layer()).layer(proxy_redirect.clone());
    let location = Site::stripped(broken).location("/api/v1/").await;
    assert_eq!(location, "/api/v1/api/v1/login");

    let proxy_alone = layer().rewrite(Rewrite::none());
    let layer_alone = routes().layer(layer());
    for fixed in [
        routes().layer(proxy_alone).layer(proxy_redirect),
        layer_alone,
    ] {
        let location = Site::stripped(fixed).location("/api/v1/").await;
        assert_eq!(location, "/api/v1/login");
    }
}

#[tokio::test]
async fn the_prefix_is_doubled_if_two_layers_have_it() {
    let routes = || Router::new().route("/", get(|| async { Redirect::to("/login") }));

    let broken = Site::stripped(routes().layer(layer()).layer(layer()));
    assert_eq!(broken.location("/api/v1/").await, "/api/v1/api/v1/login");

    let fixed = Site::stripped(routes().layer(layer()));
    assert_eq!(fixed.location("/api/v1/").await, "/api/v1/login");
}

#[tokio::test]
async fn a_login_redirect_loops_if_the_guard_is_outside_the_layer() {
    let guard = || {
        from_fn(|request: Request, next: Next| async {
            match request.uri().path() {
                "/login" => next.run(request).await,
                _ => Redirect::to("/api/v1/login").into_response(),
            }
        })
    };
    let routes = || Router::new().route("/login", get(|| async { "sign in" }));

    let broken = layer().strip_if_present().wrap(routes()).layer(guard());
    let broken = Site::passed_on(broken);
    assert_eq!(broken.status_after_redirects("/api/v1/account").await, None);

    let fixed = routes().fallback(|| async {}).layer(guard());
    let fixed = Site::passed_on(layer().strip_if_present().wrap(fixed));
    assert_eq!(
        fixed.status_after_redirects("/api/v1/account").await,
        Some(200)
    );
}

#[tokio::test]
async fn a_redirect_to_https_loops_if_the_proxy_terminates_tls() {
    async fn by_connection(request: Request, next: Next) -> Response {
        match request.uri().scheme_str() {
            Some("https") => next.run(request).await,
            _ => Redirect::to("https://app.example/api/v1/").into_response(),
        }
    }
    async fn by_base_url(base_url: BaseUrl, request: Request, next: Next) -> Response {
        match base_url.origin().scheme() {
            "https" => next.run(request).await,
            _ => Redirect::to("https://app.example/api/v1/").into_response(),
        }
    }
    let routes = || Router::new().route("/", get(|| async {}));

    let broken = Site::stripped(routes().layer(from_fn(by_connection)).layer(layer()));
    let http = "http://app.example/api/v1/";
    assert_eq!(broken.status_after_redirects(http).await, None);

    let hosts = "app.example".parse().unwrap();
    let origin = ForwardedOrigin::x_forwarded(TrustedProxies::all(), hosts);
    let layer = layer().with_forwarded_origin(origin);
    let fixed = Site::stripped(routes().layer(from_fn(by_base_url)).layer(layer));
    assert_eq!(fixed.status_after_redirects(http).await, Some(200));
}

#[tokio::test]
async fn the_docs_page_is_empty_if_it_asks_for_the_document_at_the_root_of_the_host() {
    let routes = |url: &'static str| {
        let document = json!({ "openapi": "3.1.0", "paths": { "/app": {} } });
        Router::new()
            .route("/docs", get(move || async move { Html(url) })) // all that matters here
            .route("/openapi.json", get(|| async { Json(document) }))
    };
    for (url, status) in [("/openapi.json", 404), ("openapi.json", 200)] {
        let site = Site::stripped(routes(url).layer(layer()));
        let url = site.text("/api/v1/docs").await;
        let document = public("/api/v1/docs").join(&url).unwrap();
        assert_eq!(site.status(document.path()).await, status, "{url}");
    }

    // Then "Execute" asks for `/app` at the root of the host, unless the document has `servers`.
    let routes = || routes("openapi.json");
    let broken = Site::stripped(routes().layer(layer()));
    assert!(!broken
        .text("/api/v1/openapi.json")
        .await
        .contains("servers"));

    let fixed = routes()
        .layer(OpenApiLayer::new("/openapi.json"))
        .layer(layer());
    let document = Site::stripped(fixed).text("/api/v1/openapi.json").await;
    assert!(
        document.contains(r#""servers":[{"url":"/api/v1"}]"#),
        "{document}"
    );
}

#[tokio::test]
async fn a_session_is_gone_if_its_cookie_has_a_path_without_the_prefix() {
    let routes = || {
        let cookie = [(header::SET_COOKIE, "session=1; Path=/account; HttpOnly")];
        Router::new().route("/login", get(move || async move { cookie }))
    };
    let with_cookie_path = || layer().rewrite(Rewrite::redirects().set_cookie_path());
    for (app, path, is_sent) in [
        (routes().layer(layer()), "/account", false),
        (routes().layer(with_cookie_path()), "/api/v1/account", true),
        // The session layer, or the route, is outside.
        (
            Router::new().layer(with_cookie_path()).merge(routes()),
            "/account",
            false,
        ),
    ] {
        let response = Site::stripped(app).open(&public("/api/v1/login")).await;
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie, format!("session=1; Path={path}; HttpOnly"));
        assert_eq!(path_matches("/api/v1/account", path), is_sent, "{path}");
    }
}

#[tokio::test]
async fn a_session_is_gone_if_another_app_on_the_host_sets_the_same_cookie() {
    let cookie = |name: &'static str| {
        let cookie = [(header::SET_COOKIE, name)];
        get(move || async move { cookie })
    };
    let app = || Router::new().route("/login", cookie("session=1; Path=/"));
    let set_by = |app: Router| async {
        let response = Site::stripped(app).open(&public("/api/v1/login")).await;
        response.headers()[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .to_owned()
    };

    // `Path=/` is that of every app on the host, so the last one to set it replaces the others.
    let broken = set_by(app().layer(layer())).await;
    assert_eq!(broken, "session=1; Path=/");
    assert!(path_matches("/shop", "/"));

    let rewrite = Rewrite::redirects().set_cookie_path();
    let fixed = set_by(app().layer(layer().rewrite(rewrite))).await;
    assert_eq!(fixed, "session=1; Path=/api/v1");
    assert!(!path_matches("/shop", "/api/v1"));
}

/// Whether a browser sends a cookie with `cookie_path` to `path` (RFC 6265, section 5.1.4).
fn path_matches(path: &str, cookie_path: &str) -> bool {
    let rest = path.strip_prefix(cookie_path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

#[tokio::test]
async fn a_header_is_ignored_if_the_peer_is_not_known_or_not_trusted() {
    let app = |proxies: &str| {
        let forwarded = ForwardedPrefix::x_forwarded_prefix(proxies.parse().unwrap());
        Router::new()
            .route(
                "/",
                get(|root_path: RootPath| async move { format!("[{root_path}]") }),
            )
            .layer(RootPathLayer::new("").with_forwarded(forwarded))
    };
    let answer = |addr: SocketAddr, name: &'static str| async move {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: app.example\r\n{name}: /api/v1\r\nConnection: close\r\n\r\n"
        );
        let response = raw(addr, &request).await;
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    };

    let (unknown, _server) = serve(app("loopback").into_make_service()).await;
    assert_eq!(answer(unknown, "X-Forwarded-Prefix").await, "[]");

    let connect_info = |proxies| app(proxies).into_make_service_with_connect_info::<SocketAddr>();
    let (untrusted, _server) = serve(connect_info("10.0.0.0/8")).await;
    assert_eq!(answer(untrusted, "X-Forwarded-Prefix").await, "[]");

    let (fixed, _server) = serve(connect_info("loopback")).await;
    assert_eq!(answer(fixed, "X-Forwarded-Prefix").await, "[/api/v1]");
    assert_eq!(answer(fixed, "X-Script-Name").await, "[]");
}

#[tokio::test]
async fn the_scheme_is_wrong_if_it_is_that_of_the_connection_to_the_proxy() {
    let routes = || {
        Router::new().route(
            "/",
            get(|base_url: BaseUrl| async move { base_url.to_string() }),
        )
    };
    let origin = |proxies| ForwardedOrigin::x_forwarded(proxies, "app.example".parse().unwrap());
    let untrusted = origin(TrustedProxies::default());
    let public = "https://app.example/api/v1/";
    for (layer, expected) in [
        (
            layer().with_forwarded_origin(untrusted.clone().default_scheme("http")),
            "http://app.example/api/v1",
        ),
        // Without a guess, there is no base URL.
        (
            layer().with_forwarded_origin(untrusted),
            "the public scheme is not known",
        ),
        (
            layer().with_forwarded_origin(origin(TrustedProxies::all())),
            "https://app.example/api/v1",
        ),
        (
            layer().public_origin("https://app.example"),
            "https://app.example/api/v1",
        ),
    ] {
        let site = Site::stripped(routes().layer(layer));
        assert_eq!(site.text(public).await, expected);
    }
}

/// A nested layer around `ServeDir` is for the same reason as around a sub-app.
#[tokio::test]
async fn a_directory_loses_the_mount_without_a_nested_layer() {
    use tower_http::services::ServeDir;

    let files = || ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/files"));
    let broken = Router::new().nest_service("/files", files()).layer(layer());
    let location = Site::stripped(broken).location("/api/v1/files/dir").await;
    assert_eq!(location, "/api/v1/dir/");

    let fixed = RootPathLayer::nested().layer(files());
    let fixed = Router::new().nest_service("/files", fixed).layer(layer());
    let location = Site::stripped(fixed).location("/api/v1/files/dir").await;
    assert_eq!(location, "/api/v1/files/dir/");
}
