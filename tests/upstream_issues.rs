//! What users of the Rust web stack asked for, under the names of their issues.

mod support;

use axum::{
    body::Body,
    response::{Html, Redirect},
    routing::get,
    Json, Router,
};
use axum_extra::routing::RouterExt;
use http::{header::LOCATION, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use std::{net::SocketAddr, path::Path};
use support::axum::{get as fetch, serve, text};
use tokio::net::TcpListener;
use tonic::{
    transport::{server::TcpIncoming, Endpoint},
    Code,
};
use tonic_health::pb::{health_client::HealthClient, HealthCheckRequest};
use tower::{Layer, ServiceExt};
use tower_http::services::ServeDir;
use tower_root_path::{
    AddPrefixLayer, BaseHrefLayer, BaseUrl, ForwardedOrigin, ForwardedPrefix, OpenApiExt, PeerAddr,
    Rewrite, RootPath, RootPathLayer, TrustedProxies,
};
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Static files at `/files`, and at `/deep/files` in a router of their own.
fn files() -> Router {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/files");
    let files = || RootPathLayer::nested().layer(ServeDir::new(&dir));
    let deep = Router::new().nest_service("/files", files());
    let tenant = deep.clone().layer(RootPathLayer::nested());
    Router::new()
        .nest_service("/files", files())
        .nest("/deep", deep)
        .nest("/t/{tenant}", tenant)
}

/// `Location` of a response over HTTP/1.1 or HTTP/2, from a real server.
async fn location_over_a_socket(addr: SocketAddr, path: &str, http2: bool) -> String {
    let client: Client<HttpConnector, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http();
    let uri = Uri::try_from(format!("http://{addr}{path}")).unwrap();
    let response = client.get(uri).await.unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// [axum#1731](https://github.com/tokio-rs/axum/issues/1731) and
/// [tower-http#413](https://github.com/tower-rs/tower-http/issues/413): the redirect of a nested
/// `ServeDir` loses the path it is nested at, and behind a proxy the proxy's prefix as well.
#[tokio::test]
async fn axum_1731_and_tower_http_413_nested_serve_dir_redirects_to_where_it_is() {
    for (root_path, strip) in [("", ""), ("/api/v1", "/api/v1"), ("/api/v1", "")] {
        let around = RootPathLayer::new(root_path)
            .strip_if_present()
            .layer(files());
        let around = tower::make::Shared::new(around);
        let (around, _server) = serve(around).await;
        let wrapped = RootPathLayer::new(root_path)
            .strip_if_present()
            .wrap(files());
        let (wrapped, _server) = serve(wrapped.into_make_service()).await;
        let inside = files().layer(RootPathLayer::new(root_path));
        let (inside, _server) = serve(inside.into_make_service()).await;

        for path in ["/files/dir", "/deep/files/dir", "/t/acme/files/dir"] {
            let expected = format!("{root_path}{path}/");
            for http2 in [false, true] {
                let case = format!("{root_path:?} {strip:?} {path} {http2}");
                let requested = format!("{strip}{path}");
                for addr in [around, wrapped] {
                    let location = location_over_a_socket(addr, &requested, http2).await;
                    assert_eq!(path_of(&location, addr), expected, "{case}");
                }
                if strip.is_empty() {
                    let location = location_over_a_socket(inside, &requested, http2).await;
                    assert_eq!(path_of(&location, inside), expected, "inside: {case}");
                }
            }
        }
    }
}

/// What tower-http does about it itself, whichever part of the public path it is told.
#[tokio::test]
async fn tower_http_413_a_redirect_path_prefix_is_not_doubled() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/files");
    for (mount, is_nested, prefix, expected) in [
        ("/files", true, "/files", "/api/v1/files/dir/?x"),
        ("/files", true, "/api/v1/files", "/api/v1/files/dir/?x"),
        ("/files", false, "/files", "/api/v1/files/dir/?x"),
        ("/files", false, "/api/v1/files", "/api/v1/files/dir/?x"),
        ("/dir", true, "/dir", "/api/v1/dir/dir/?x"),
        ("/dir", false, "/dir", "/api/v1/dir/dir/?x"),
        // A directory named like its mount: `/dir/` is what one emits who shows the mount, too.
        ("/dir", true, "", "/api/v1/dir/?x"),
    ] {
        let nested = is_nested.then(RootPathLayer::nested);
        let files = ServeDir::new(&dir).redirect_path_prefix(prefix);
        let files = tower::util::option_layer(nested).layer(files);
        let app = RootPathLayer::new("/api/v1")
            .strip_if_present()
            .wrap(Router::new().nest_service(mount, files));
        for root_path in ["", "/api/v1"] {
            let response = fetch(app.clone(), &format!("{root_path}{mount}/dir?x")).await;
            let case = format!("{root_path:?} {mount} {is_nested} {prefix:?}");
            assert_eq!(response.headers()[LOCATION], expected, "{case}");
        }
    }
}

/// Where a browser ends: without a root path a reference may keep its authority.
fn path_of(location: &str, addr: SocketAddr) -> &str {
    location
        .strip_prefix(&format!("http://{addr}"))
        .unwrap_or(location)
}

/// [tower-http#487](https://github.com/tower-rs/tower-http/issues/487): a proxy publishes a `ServeDir`
/// at another path, which its redirects do not have.
#[tokio::test]
async fn tower_http_487_serve_dir_behind_a_proxy_redirects_to_the_public_path() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/files");
    let files = || axum::routing::any_service(ServeDir::new(&dir));
    let alone = fetch(files(), "/dir").await;
    assert_eq!(alone.headers()[LOCATION], "/dir/");
    let layered = RootPathLayer::new("/some/path").layer(files());
    let layered = fetch(layered, "/dir").await;
    assert_eq!(layered.headers()[LOCATION], "/some/path/dir/");
}

/// [axum#1858](https://github.com/tokio-rs/axum/issues/1858): a redirect of a nested router, which
/// does not know its ancestors' paths.
#[tokio::test]
async fn axum_1858_a_nested_router_redirects_to_its_own_routes() {
    let users = || {
        let users = Router::new().route("/fallback", get(|| async { "users" }));
        users.route("/x", get(|| async { Redirect::to("/fallback") }))
    };
    let app = Router::new().nest("/users", users());
    assert_eq!(
        fetch(app, "/users/x").await.headers()[LOCATION],
        "/fallback"
    );

    let users = users().layer(RootPathLayer::nested());
    let app = Router::new().nest("/users", users);
    assert_eq!(
        fetch(app.clone(), "/users/x").await.headers()[LOCATION],
        "/users/fallback"
    );
    let app = Router::new().nest("/deep", app.layer(RootPathLayer::nested()));
    let app = app.layer(RootPathLayer::new("/api"));
    assert_eq!(
        fetch(app, "/deep/users/x").await.headers()[LOCATION],
        "/api/deep/users/fallback"
    );
}

/// [axum#2230](https://github.com/tokio-rs/axum/pull/2230): a layer that adds the path at which a
/// service is nested to its redirects. Its review asked for path parameters, for a way to opt out,
/// and what becomes of a layer that is applied twice.
#[tokio::test]
async fn axum_2230_redirects_have_the_path_at_which_the_service_is_nested() {
    let users = || Router::new().route("/", get(|| async { Redirect::to("/login") }));
    let nested = RootPathLayer::nested;
    let opted_out = || nested().rewrite(Rewrite::none());
    for (case, users, expected) in [
        ("without the crate", users(), "/login"),
        ("once", users().layer(nested()), "{mount}/login"),
        (
            "twice",
            users().layer(nested()).layer(nested()),
            "{mount}/login",
        ),
        ("opted out", users().layer(opted_out()), "/login"),
    ] {
        for (template, mount) in [
            ("/users", "/users"),
            ("/{tenant}", "/acme"),
            ("/t/{tenant}/users", "/t/acme/users"),
        ] {
            let app = Router::new().nest(template, users.clone());
            let response = fetch(app, mount).await;
            let expected = expected.replace("{mount}", mount);
            assert_eq!(response.headers()[LOCATION], expected, "{case}: {template}");

            // Twice, as one layer on the outer router and one on the inner.
            let outer = Router::new().nest(template, users.clone()).layer(nested());
            let app = Router::new().nest("/v1", outer);
            let response = fetch(app, &format!("/v1{mount}")).await;
            let expected = format!("/v1{expected}");
            assert_eq!(
                response.headers()[LOCATION],
                expected,
                "{case}: /v1{template}"
            );
        }
    }
}

/// [axum#3442](https://github.com/tokio-rs/axum/issues/3442): the public host and scheme, from the
/// headers of a trusted proxy only.
#[tokio::test]
async fn axum_3442_the_public_url_comes_from_trusted_proxies() {
    let router = Router::new().route(
        "/",
        get(|base_url: BaseUrl| async move { base_url.join("/x") }),
    );
    let trusted = TrustedProxies::loopback();
    let forwarded = ForwardedOrigin::x_forwarded(trusted, "app.example".parse().unwrap());
    let layer = RootPathLayer::new("/api").with_forwarded_origin(forwarded.default_scheme("http"));
    let app = router.layer(layer);
    for (peer, expected) in [
        ([127, 0, 0, 1], "https://app.example/api/x"),
        ([192, 0, 2, 1], "http://app.example/api/x"),
    ] {
        let request = Request::get("/")
            .header("host", "app.example")
            .header("x-forwarded-proto", "https")
            .extension(PeerAddr((peer, 1).into()));
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
        let body = response.await.unwrap().into_body();
        let body = axum::body::to_bytes(body, 100).await.unwrap();
        assert_eq!(body, expected);
    }
}

/// [axum-oidc#32](https://github.com/pfzetto/axum-oidc/issues/32): after the login in a nested router,
/// users come to its path without the prefix.
#[tokio::test]
async fn axum_oidc_32_the_redirect_back_to_a_nested_route_has_the_mount() {
    // Stores the path of the request as the place to return to.
    let back = |uri: Uri| async move { Redirect::to(uri.path()) };
    let user = || Router::new().route("/profile", get(back));
    let app = Router::new().nest("/user", user());
    assert_eq!(
        fetch(app, "/user/profile").await.headers()[LOCATION],
        "/profile"
    );
    let app = Router::new().nest("/user", user().layer(RootPathLayer::nested()));
    assert_eq!(
        fetch(app, "/user/profile").await.headers()[LOCATION],
        "/user/profile"
    );
}

/// An app as in [actix-web#3143](https://github.com/actix/actix-web/issues/3143) and
/// [Rocket#828](https://github.com/rwf2/Rocket/issues/828).
fn site() -> Router {
    let page = |root_path: RootPath| async move {
        Html(format!(
            "<head></head><img src=\"{root_path}/image.png\"><a href=\"about\">"
        ))
    };
    Router::new()
        .route("/", get(page))
        .route("/old", get(|| async { Redirect::permanent("/") }))
}

/// [actix-web#3143](https://github.com/actix/actix-web/issues/3143): Traefik strips the prefix and
/// sends it, and the links of the app break.
#[tokio::test]
async fn actix_web_3143_links_have_the_prefix_that_the_proxy_sends() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let app = site().layer(RootPathLayer::new("").with_forwarded(forwarded));
    for (app, prefix, expected) in [
        (site(), "/products", "\"/image.png\""),
        (app.clone(), "", "\"/image.png\""),
        (app, "/products", "\"/products/image.png\""),
    ] {
        let request = Request::get("/")
            .header("x-forwarded-prefix", prefix)
            .extension(PeerAddr(([127, 0, 0, 1], 1).into()));
        let response = app.oneshot(request.body(Body::empty()).unwrap());
        let body = response.await.unwrap().into_body();
        let body = axum::body::to_bytes(body, 1000).await.unwrap();
        let page = String::from_utf8(body.into()).unwrap();
        assert!(page.contains(expected), "{page}");
    }
}

/// [Rocket#828](https://github.com/rwf2/Rocket/issues/828): in a subdirectory of a site, links and
/// redirects lead to the root of the site. `<base>` helps the links only.
#[tokio::test]
async fn rocket_828_links_and_redirects_stay_in_the_subdirectory() {
    let alone = site();
    assert_eq!(fetch(alone.clone(), "/old").await.headers()[LOCATION], "/");
    assert!(text(alone, "/").await.contains("src=\"/image.png\""));

    let app = site().layer(BaseHrefLayer::new());
    let app = app.layer(RootPathLayer::new("/live-coding"));
    assert_eq!(
        fetch(app.clone(), "/old").await.headers()[LOCATION],
        "/live-coding/"
    );
    let page = text(app, "/").await;
    assert!(page.contains("<base href=\"/live-coding/\">"), "{page}");
    assert!(page.contains("src=\"/live-coding/image.png\""), "{page}");
}

#[derive(OpenApi)]
struct ApiDoc;

/// The API as its document describes it, and Swagger UI with `docs`.
fn api(docs: SwaggerUi) -> Router {
    let document =
        |root_path: RootPath| async move { Json(ApiDoc::openapi().under_root_path(&root_path)) };
    Router::new()
        .route("/openapi.json", get(document))
        .merge(docs)
}

/// Where Swagger UI at `page` looks for its document.
async fn document_url(app: Router, page: &str) -> String {
    let script = text(app, &format!("{page}swagger-initializer.js")).await;
    let url = script
        .split("\"url\": \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let url = url.unwrap_or_else(|| panic!("{script}"));
    let page = url::Url::parse("https://app.example")
        .unwrap()
        .join(page)
        .unwrap();
    page.join(url).unwrap().path().to_owned()
}

/// [utoipa#856](https://github.com/juhaku/utoipa/issues/856): behind a proxy, Swagger UI requests its
/// document at the root of the domain.
#[tokio::test]
async fn utoipa_856_swagger_ui_finds_its_document_behind_a_proxy() {
    let absolute = SwaggerUi::new("/docs").url("/api-docs/openapi.json", ApiDoc::openapi());
    let relative = SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    for (docs, expected) in [
        (absolute, "/api-docs/openapi.json"),
        (relative, "/foo/openapi.json"),
    ] {
        // The proxy publishes `/docs/` as `/foo/docs/`.
        let app = RootPathLayer::new("/foo")
            .strip_if_present()
            .wrap(api(docs));
        assert_eq!(document_url(app, "/foo/docs/").await, expected);
    }
}

/// [utoipa#734](https://github.com/juhaku/utoipa/issues/734): Swagger UI in a nested router requests
/// its document outside of it.
#[tokio::test]
async fn utoipa_734_swagger_ui_of_nested_versions_each_finds_its_document() {
    let docs = || SwaggerUi::new("/swagger-ui").config(Config::from("../openapi.json"));
    let nested = || api(docs()).layer(RootPathLayer::nested());
    let app = Router::new()
        .nest("/api/v1", nested())
        .nest("/api/v2", nested());
    for version in ["/api/v1", "/api/v2"] {
        let url = document_url(app.clone(), &format!("{version}/swagger-ui/")).await;
        assert_eq!(url, format!("{version}/openapi.json"));
        let document = text(app.clone(), &url).await;
        assert!(
            document.contains(&format!("\"url\":\"{version}\"")),
            "{document}"
        );
    }

    let absolute = SwaggerUi::new("/swagger-ui").url("/openapi.json", ApiDoc::openapi());
    let app = Router::new().nest("/api/v1", Router::from(absolute));
    assert_eq!(
        document_url(app, "/api/v1/swagger-ui/").await,
        "/openapi.json"
    );
}

/// [utoipa#1530](https://github.com/juhaku/utoipa/pull/1530): Swagger UI redirects to the path of its
/// page with a slash at the end, without the prefix that the proxy stripped.
#[tokio::test]
async fn utoipa_1530_the_redirect_to_swagger_ui_keeps_the_prefix_of_the_proxy() {
    let page = "/path/to/swagger";
    let swagger_ui = || Router::from(SwaggerUi::new(page));
    let bare = fetch(swagger_ui(), page).await;
    assert_eq!(bare.headers()[LOCATION], "/path/to/swagger/");

    let app = swagger_ui().layer(RootPathLayer::new("/api"));
    let response = fetch(app.clone(), page).await;
    let location = response.headers()[LOCATION].to_str().unwrap();
    assert_eq!(location, "/api/path/to/swagger/");
    let stripped = location.strip_prefix("/api").unwrap();
    let page = text(app, stripped).await;
    assert!(page.contains("swagger-initializer.js"), "{page}");
}

/// [utoipa#842](https://github.com/juhaku/utoipa/issues/842): the servers of a document are fixed at
/// the start, and the prefix is that of the proxy.
#[tokio::test]
async fn utoipa_842_the_servers_follow_the_prefix_of_each_request() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let docs = || SwaggerUi::new("/docs").config(Config::from("../openapi.json"));
    let app = api(docs()).layer(RootPathLayer::new("").with_forwarded(forwarded));
    // Without the crate, the document is the same for every request.
    let alone = Router::new().route("/openapi.json", get(|| async { Json(ApiDoc::openapi()) }));
    for (app, prefix, expected) in [
        (alone, "/a", None),
        (app.clone(), "/a", Some("/a")),
        (app.clone(), "/b", Some("/b")),
        (app, "/a", Some("/a")),
    ] {
        let request = Request::get("/openapi.json")
            .header("x-forwarded-prefix", prefix)
            .extension(PeerAddr(([127, 0, 0, 1], 1).into()));
        let response = app.oneshot(request.body(Body::empty()).unwrap());
        let body = response.await.unwrap().into_body();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["servers"][0]["url"].as_str(), expected);
    }
}

/// A server of gRPC's health service.
async fn health_server(layer: RootPathLayer) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let (_, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .layer(layer)
        .add_service(health);
    let server = server.serve_with_incoming(TcpIncoming::from(listener));
    (addr, tokio::spawn(async { server.await.unwrap() }))
}

/// [grpc-rust#1614](https://github.com/grpc/grpc-rust/issues/1614), a server that answers with and
/// without a prefix, and [grpc-rust#1314](https://github.com/grpc/grpc-rust/issues/1314), a client
/// that ignores the path of its endpoint.
#[tokio::test]
async fn grpc_rust_1614_and_1314_a_server_and_a_client_under_a_prefix() {
    let strips = RootPathLayer::new("/grpc").strip_if_present();
    for (layer, prefix, code) in [
        (RootPathLayer::new(""), "", Code::Ok),
        (RootPathLayer::new(""), "/grpc", Code::Unimplemented),
        (strips.clone(), "", Code::Ok),
        (strips, "/grpc", Code::Ok),
    ] {
        let (addr, server) = health_server(layer).await;
        // The path has no effect.
        let endpoint = Endpoint::from_shared(format!("http://{addr}/grpc")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let channel = AddPrefixLayer::new(prefix).layer(channel);
        let checked = HealthClient::new(channel)
            .check(HealthCheckRequest::default())
            .await;
        let found = checked.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(found, code, "{prefix:?}");
        server.abort();
    }
}

/// axum-extra's trailing-slash redirect echoes the path it was asked for: for `//evil.example/`
/// that is another host.
#[tokio::test]
async fn route_with_tsr_redirects_to_no_other_host() {
    let app = || Router::new().route_with_tsr("/{a}/{b}", get(|| async { "" }));
    let bare = fetch(app(), "//evil.example/").await;
    assert_eq!(
        bare.headers()[LOCATION],
        "//evil.example",
        "without the layer it goes off-site, or this test tests nothing"
    );
    for (root_path, uri, expected) in [
        ("", "//evil.example/", "/evil.example"),
        ("/api/v1", "//evil.example/", "/api/v1/evil.example"),
        ("/api/v1", "/api/v1//evil.example/", "/api/v1/evil.example"),
        ("", "/\\evil.example/x/", "/evil.example/x"),
        ("/api/v1", "/a/b/", "/api/v1/a/b"),
        ("/api/v1", "/api/v1/a/b/", "/api/v1/a/b"),
    ] {
        let around = RootPathLayer::new(root_path)
            .strip_if_present()
            .layer(app());
        let response = fetch(around, uri).await;
        assert_eq!(
            response.headers()[LOCATION],
            expected,
            "{root_path:?} {uri}"
        );
        let wrapped = RootPathLayer::new(root_path).strip_if_present().wrap(app());
        let response = fetch(wrapped, uri).await;
        let location = response.headers()[LOCATION].to_str().unwrap();
        assert!(
            !location.starts_with("//"),
            "{root_path:?} {uri}: {location}"
        );
    }
}

/// The same redirect in sub-apps, where it shows the mount and perhaps the root path.
#[tokio::test]
async fn route_with_tsr_redirects_within_its_mount() {
    let leaf = || Router::new().route_with_tsr("/leaf", get(|| async { "" }));
    let sub_app = || leaf().layer(RootPathLayer::nested());
    let inner = leaf().nest("/b", sub_app()).layer(RootPathLayer::nested());
    let app = || {
        leaf()
            .nest("/sub", sub_app())
            .nest("/a", inner.clone())
            .nest("/t/{tenant}", sub_app())
    };
    let root_path = RootPath::from_static("/api/v1");
    for path in ["/leaf", "/sub/leaf", "/a/leaf", "/a/b/leaf", "/t/acme/leaf"] {
        for prefix in ["", "/api/v1"] {
            let uri = format!("{prefix}{path}/");
            let expected = format!("{root_path}{path}");
            let around = RootPathLayer::new(root_path.clone())
                .strip_if_present()
                .layer(app());
            assert_eq!(
                fetch(around, &uri).await.headers()[LOCATION],
                expected,
                "{uri}"
            );
            let wrapped = RootPathLayer::new(root_path.clone())
                .strip_if_present()
                .wrap(app());
            assert_eq!(
                fetch(wrapped, &uri).await.headers()[LOCATION],
                expected,
                "{uri}"
            );
        }
        let uri = format!("{path}/");
        assert_eq!(
            fetch(app(), &uri).await.headers()[LOCATION],
            path,
            "no outer layer"
        );
        let inside = app().layer(RootPathLayer::new(root_path.clone()));
        let expected = format!("{root_path}{path}");
        assert_eq!(
            fetch(inside, &uri).await.headers()[LOCATION],
            expected,
            "inside: {uri}"
        );
    }
}

/// Also one with characters that a root path has percent-encoded, and one that is named like what is
/// around it.
#[tokio::test]
async fn route_with_tsr_keeps_a_mount_as_the_client_wrote_it() {
    let leaf = || Router::new().route_with_tsr("/foo", get(|| async { "" }));
    let sub_app = || leaf().layer(RootPathLayer::nested());
    let tenant = Router::new().nest("/m", sub_app()).nest("/t", sub_app());
    let app = Router::new().nest("/t/{x}", tenant.layer(RootPathLayer::nested()));
    for (root_path, uri, expected) in [
        ("/m", "/m/t/x'y/m/foo/", "/m/t/x'y/m/foo"),
        ("/m", "/t/x'y/t/foo/", "/m/t/x'y/t/foo"),
        ("/m", "/t/a,b/m/foo/", "/m/t/a,b/m/foo"),
        ("/t", "/t/t/%61/m/foo/", "/t/t/%61/m/foo"),
        ("", "/t/%61/t/foo/", "/t/%61/t/foo"),
        ("", "/t/x'y/t/foo/", "/t/x'y/t/foo"),
    ] {
        let app = RootPathLayer::new(root_path)
            .strip_if_present()
            .wrap(app.clone());
        let response = fetch(app, uri).await;
        assert_eq!(response.headers()[LOCATION], expected, "{root_path} {uri}");
    }
}

/// The first segment of the path may be the mount, and another host.
#[tokio::test]
async fn route_with_tsr_in_a_mount_leads_to_no_other_host() {
    let leaf = Router::new().route_with_tsr("/foo", get(|| async { "" }));
    let app = Router::new().nest("/{t}", leaf.layer(RootPathLayer::nested()));
    let uri = "/\\evil.example/foo/";
    let alone = fetch(app.clone(), uri).await;
    assert_eq!(
        alone.headers()[LOCATION],
        "/%5Cevil.example/evil.example/foo"
    );
    let inside = fetch(RootPathLayer::new("/api").wrap(app), uri).await;
    assert_eq!(
        inside.headers()[LOCATION],
        "/api/%5Cevil.example/evil.example/foo"
    );
}
