//! axum: which placement of the layer does what.

mod support;

use axum::{
    body::Body,
    extract::{
        ws::{Message, WebSocketUpgrade},
        ConnectInfo, OriginalUri, Path, Request,
    },
    http::{header::LOCATION, StatusCode, Uri},
    response::{Redirect, Response},
    routing::get,
    Router, ServiceExt,
};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use support::axum::{get as fetch, serve, text};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _};
use tower_root_path::{
    BaseUrl, ForwardedOrigin, ForwardedPrefix, PublicUri, Rewrite, RootPath, RootPathLayer,
    TrustedProxies,
};

const ROOT: RootPath = RootPath::from_static("/api/v1");

fn stripping() -> RootPathLayer {
    RootPathLayer::new(ROOT).strip_if_present()
}

/// Shows the root path and the path as routed; `/login` redirects.
fn app() -> Router {
    Router::new()
        .route("/app", get(show))
        .route("/login", get(|| async { Redirect::to("/app") }))
}

async fn show(root_path: RootPath, uri: Uri) -> String {
    format!("{root_path} {uri}")
}

/// `app`, with itself mounted in every way axum has.
fn mounted() -> Router {
    let sub_app = || app().fallback(show).layer(RootPathLayer::nested());
    let inner = app()
        .nest("/b", sub_app())
        .fallback(show)
        .layer(RootPathLayer::nested());
    app()
        .nest("/sub", sub_app())
        .nest("/api/v1/own", sub_app())
        .nest("/api", sub_app())
        .nest("/t/{tenant}", sub_app())
        .nest("/a", inner)
        .nest_service(
            "/service",
            RootPathLayer::nested().layer(app().fallback(show)),
        )
        .fallback(|root_path: RootPath, uri: Uri| async move { format!("miss {root_path} {uri}") })
}

#[tokio::test]
async fn without_a_layer_the_root_path_is_empty() {
    assert_eq!(text(app(), "/app").await, " /app");
}

#[tokio::test]
async fn on_a_router_it_rewrites_but_cannot_route() {
    let app = app().layer(RootPathLayer::new(ROOT));
    assert_eq!(text(app.clone(), "/app").await, "/api/v1 /app");
    let response = fetch(app.clone(), "/login").await;
    assert_eq!(response.headers()[LOCATION], "/api/v1/app");
    let response = fetch(app, "/api/v1/app").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn around_a_router_it_routes_what_is_not_stripped_as_well() {
    let around = stripping().layer(app());
    let built = ServiceBuilder::new().layer(stripping()).service(app());
    let wrapped = stripping().wrap(app());
    for uri in ["/app", "/api/v1/app", "http://app.example/api/v1/app"] {
        let expected = if uri.starts_with("http") {
            "/api/v1 http://app.example/app"
        } else {
            "/api/v1 /app"
        };
        assert_eq!(text(around.clone(), uri).await, expected);
        assert_eq!(text(built.clone(), uri).await, expected);
        assert_eq!(text(wrapped.clone(), uri).await, expected);
    }
    for service in [around, built] {
        let response = fetch(service, "/api/v1/login").await;
        assert_eq!(response.headers()[LOCATION], "/api/v1/app");
    }
    let response = fetch(wrapped, "/api/v1/login").await;
    assert_eq!(response.headers()[LOCATION], "/api/v1/app");
}

#[tokio::test]
async fn a_wrapped_router_is_a_router() {
    let app: Router = stripping().wrap(Router::new().route(
        "/app",
        get(|OriginalUri(uri): OriginalUri| async move { uri.to_string() }),
    ));
    let app = Router::new().nest("/outer", app).route("/other", get(show));
    assert_eq!(
        text(app.clone(), "/outer/api/v1/app").await,
        "/outer/api/v1/app"
    );
    assert_eq!(text(app.clone(), "/outer/app").await, "/outer/app");
    assert_eq!(text(app, "/other").await, " /other");
}

#[tokio::test]
async fn a_mounted_app_lives_under_its_mount_wherever_the_outer_layer_stands() {
    for (path, expected, redirected) in [
        ("/app", " /app", "/app"),
        ("/sub/app", "/sub /app", "/sub/app"),
        ("/api/app", "/api /app", "/api/app"),
        ("/api/v1/own/app", "/api/v1/own /app", "/api/v1/own/app"),
        ("/service/app", "/service /app", "/service/app"),
        ("/t/acme/app", "/t/acme /app", "/t/acme/app"),
        ("/a/app", "/a /app", "/a/app"),
        ("/a/b/app", "/a/b /app", "/a/b/app"),
    ] {
        let around = stripping().layer(mounted());
        let wrapped = stripping().wrap(mounted());
        let layer = RootPathLayer::new(ROOT);
        let never = [layer.clone().wrap(mounted()), mounted().layer(layer)];

        let absent = text(mounted(), path).await;
        assert_eq!(absent, expected, "no outer layer: {path}");
        let response = fetch(mounted(), &path.replace("/app", "/login")).await;
        assert_eq!(
            response.headers()[LOCATION],
            redirected,
            "no outer layer: {path}"
        );

        let expected = format!("{ROOT}{expected}");
        let redirected = format!("{ROOT}{redirected}");
        let own_route = path.starts_with("/api/v1/");
        for (path, whole) in [(path.to_owned(), false), (format!("{ROOT}{path}"), true)] {
            let login = path.replace("/app", "/login");
            if whole || !own_route {
                assert_eq!(
                    text(around.clone(), &path).await,
                    expected,
                    "around: {path}"
                );
                assert_eq!(
                    text(wrapped.clone(), &path).await,
                    expected,
                    "wrapped: {path}"
                );
                for response in [
                    fetch(around.clone(), &login).await,
                    fetch(wrapped.clone(), &login).await,
                ] {
                    assert_eq!(response.headers()[LOCATION], redirected, "{path}");
                }
            }
            if !whole {
                for app in never.clone() {
                    assert_eq!(text(app.clone(), &path).await, expected, "never: {path}");
                    let response = fetch(app, &login).await;
                    assert_eq!(response.headers()[LOCATION], redirected, "never: {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_root_of_a_mount_is_under_it() {
    let app = stripping().wrap(mounted());
    for (uri, expected) in [
        ("/sub", "/api/v1/sub /"),
        ("/sub?x", "/api/v1/sub /?x"),
        ("/sub/x/", "/api/v1/sub /x/"),
        ("/api/v1/sub", "/api/v1/sub /"),
        ("/api/v1", "miss /api/v1 /"),
        ("/api/v1/nowhere", "miss /api/v1 /nowhere"),
        ("/api/v10", "/api/v1/api /v10"),
    ] {
        assert_eq!(text(app.clone(), uri).await, expected, "{uri}");
    }
}

#[tokio::test]
async fn a_mount_stays_as_the_client_wrote_it() {
    let app = stripping().wrap(mounted());
    for (tenant, expected) in [
        ("acme", "/api/v1/t/acme"),
        ("caf%C3%A9", "/api/v1/t/caf%C3%A9"),
        ("alice%40example.com", "/api/v1/t/alice%40example.com"),
        ("%61%7E%21", "/api/v1/t/%61%7E%21"),
        ("ac%2Fme", "/api/v1/t/ac%2Fme"),
        ("c%23", "/api/v1/t/c%23"),
        ("50%25", "/api/v1/t/50%25"),
        ("a%3bb%5c", "/api/v1/t/a%3bb%5c"),
        ("..%2Fx", "/api/v1/t/..%2Fx"),
        ("...", "/api/v1/t/..."),
        // Raw characters that the grammar refuses.
        ("caf\u{e9}", "/api/v1/t/caf%C3%A9"),
        ("x'+alert(1)+'", "/api/v1/t/x%27+alert(1)+%27"),
        ("a,b", "/api/v1/t/a%2Cb"),
        ("{a}\"b\"", "/api/v1/t/%7Ba%7D%22b%22"),
        ("a;b", "/api/v1/t/a%3Bb"),
        ("a\\b", "/api/v1/t/a%5Cb"),
        ("a%zz%4", "/api/v1/t/a%25zz%254"),
        // With these, it would mean something else: the mount counts as none.
        ("..", "/api/v1"),
        (".", "/api/v1"),
        ("%2e%2E", "/api/v1"),
        (".%2e", "/api/v1"),
        ("%2E", "/api/v1"),
        ("", "/api/v1"),
        (&"x".repeat(2000), "/api/v1"),
        (&"'".repeat(400), "/api/v1"),
    ] {
        for prefix in ["", "/api/v1"] {
            let shown = text(app.clone(), &format!("{prefix}/t/{tenant}/app")).await;
            assert_eq!(shown, format!("{expected} /app"), "{tenant}");
            let response = fetch(app.clone(), &format!("{prefix}/t/{tenant}/login")).await;
            assert_eq!(
                response.headers()[LOCATION],
                format!("{expected}/app"),
                "{tenant}"
            );
        }
    }
}

/// The path for a cookie is compared with the request path byte for byte (RFC 6265, section 5.1.4).
#[tokio::test]
async fn cookies_of_a_mount_come_back() {
    let cookie = || async { [("set-cookie", "id=7; Path=/")] };
    let sub_app = Router::new()
        .route("/login", get(cookie))
        .layer(RootPathLayer::nested());
    let app = Router::new()
        .nest("/t/{tenant}", sub_app)
        .layer(RootPathLayer::new(ROOT).rewrite(Rewrite::all()));
    for tenant in ["alice%40example.com", "c%23", "ac%2Fme", "50%25", "%61cme"] {
        let response = fetch(app.clone(), &format!("/t/{tenant}/login")).await;
        let expected = format!("id=7; Path=/api/v1/t/{tenant}");
        assert_eq!(response.headers()["set-cookie"], expected);
    }
}

/// Which segments are the mount is known from the lengths of paths, not by counting from the end.
#[tokio::test]
async fn an_empty_path_parameter_takes_no_other_segment() {
    let sub_app = || app().fallback(show).layer(RootPathLayer::nested());
    let deep = || Router::new().nest_service("/u/{b}", sub_app());
    let nested = RootPathLayer::nested().layer(deep());
    for (app, expected) in [
        (Router::new().nest("/t/{a}/u/{b}", sub_app()), ""),
        (Router::new().nest_service("/t/{a}", deep()), ""),
        (Router::new().nest_service("/t/{a}", nested), "/t/u"),
    ] {
        let shown = text(app.clone(), "/t/u/u//q").await;
        assert_eq!(shown, format!("{expected} /q"));
        for (root_path, prefix) in [("/r", ""), ("/r", "/r"), ("/t/u", "/t/u"), ("/u", "")] {
            let layer = RootPathLayer::new(root_path).strip_if_present();
            let shown = text(layer.wrap(app.clone()), &format!("{prefix}/t/u/u//q")).await;
            assert_eq!(shown, format!("{root_path}{expected} /q"), "{prefix}");
        }
    }
    let app = Router::new().nest("/t/{a}", sub_app());
    let app = RootPathLayer::new("/t").strip_if_present().wrap(app);
    assert_eq!(text(app, "/t/t//x").await, "/t /x");
}

/// Of `/v1//x` axum makes an empty tenant and the route `/x`, so `/x` is not the mount.
#[tokio::test]
async fn a_doubled_slash_before_a_path_parameter_makes_no_mount_of_the_next_segment() {
    let leaf = || {
        Router::new()
            .route("/x", get(show))
            .layer(RootPathLayer::nested())
    };
    let v1 = Router::new()
        .nest("/{tenant}", leaf())
        .layer(RootPathLayer::nested());
    let app = Router::new().nest("/v1", v1);
    let app = app.layer(RootPathLayer::new(ROOT));
    assert_eq!(text(app.clone(), "/v1/acme/x").await, "/api/v1/v1/acme /x");
    assert_eq!(text(app, "/v1//x").await, "/api/v1/v1 /");

    // The path of a mount without parameters is known.
    let deep = RootPathLayer::nested().layer(Router::new().nest_service("/deep", leaf()));
    let app = Router::new().nest_service("/v1", deep);
    assert_eq!(text(app, "/v1//deep/x").await, "/v1/deep /x");
}

/// A layer with a setting of its own that adds nothing knows the mount of the outer layers.
#[tokio::test]
async fn a_reference_with_the_mount_gets_the_outer_part_alone_whatever_layer_rewrites_it() {
    let reflect =
        |OriginalUri(uri): OriginalUri| async move { Redirect::to(&format!("{}/", uri.path())) };
    let redirects = Rewrite::redirects;
    let app = || Router::new().route("/{*path}", get(reflect));
    for app in [
        app(),
        app().layer(RootPathLayer::new("").rewrite(redirects())),
        app().layer(RootPathLayer::nested().rewrite(redirects())),
        app()
            .layer(RootPathLayer::new("").rewrite(redirects()))
            .layer(RootPathLayer::nested().rewrite(redirects())),
    ] {
        let sub_app = app.layer(RootPathLayer::nested());
        let app = Router::new()
            .nest("/t/{tenant}", sub_app)
            .layer(RootPathLayer::new("/api"));
        for path in ["/t/acme/x", "/t/o'brien/x"] {
            let response = fetch(app.clone(), path).await;
            assert_eq!(response.headers()[LOCATION], format!("/api{path}/"));
        }
    }
}

/// The routers took more off than the mount that is in the root path.
#[tokio::test]
async fn a_reference_with_the_mount_gets_the_outer_part_whatever_that_is() {
    let redirect = |Path(params): Path<Vec<String>>| async move {
        Redirect::to(&format!("/t/{}/y", params.last().unwrap()))
    };
    let sub_app = || {
        Router::new()
            .route("/x", get(redirect))
            .layer(RootPathLayer::nested())
    };
    let outer = || Router::new().nest("/t/{tenant}", sub_app());
    let app = Router::new()
        .nest("/v1", outer().layer(RootPathLayer::new("/other")))
        .nest("/v2/{version}", outer().layer(RootPathLayer::nested()));
    // A mount of two dots counts as none.
    for (mount, root_path) in [("/v1", "/other"), ("/v2/..", "")] {
        for tenant in ["acme", "o'brien"] {
            let response = fetch(app.clone(), &format!("{mount}/t/{tenant}/x")).await;
            let expected = format!("{root_path}/t/{tenant}/y");
            assert_eq!(response.headers()[LOCATION], expected, "{mount}");
        }
    }
}

/// The outer layer sees another path than the sub-app.
#[tokio::test]
async fn a_reflected_path_of_a_sub_app_stays_on_this_host_with_a_nested_layer() {
    let reflect = |uri: Uri| async move { Redirect::to(&format!("{}/", uri.path())) };
    let sub_app = || Router::new().fallback(reflect);
    let app = Router::new()
        .nest("/without", sub_app())
        .nest("/with", sub_app().layer(RootPathLayer::nested()));
    for root_path in ["", "/api/v1"] {
        let app = app.clone().layer(RootPathLayer::new(root_path));
        for (uri, expected) in [
            (
                "/with///evil.example/a",
                format!("{root_path}/with/evil.example/a/"),
            ),
            ("/without///evil.example/a", "//evil.example/a/".to_owned()),
        ] {
            let response = fetch(app.clone(), uri).await;
            assert_eq!(response.headers()[LOCATION], expected, "{uri}");
        }
    }
}

/// Middleware may replace the root path, which is a plain value.
#[tokio::test]
async fn a_root_path_that_middleware_inserts_is_taken_as_it_is() {
    for inserted in ["/x", "/a/much/longer/root/path/than/the/mount", ""] {
        let insert = tower::util::MapRequestLayer::new(move |mut request: Request| {
            request
                .extensions_mut()
                .insert(RootPath::from_static(inserted));
            request
        });
        let sub_app = app()
            .layer(RootPathLayer::new("").rewrite(Rewrite::redirects()))
            .layer(insert)
            .layer(RootPathLayer::nested());
        let app = Router::new().nest("/long-mount", sub_app);
        let response = fetch(app, "/long-mount/login").await;
        // The outer layer then sees a path of the mount, or one that it does not know.
        let location = response.headers()[LOCATION].to_str().unwrap();
        assert!(location.ends_with(&format!("{inserted}/app")), "{location}");
    }
}

/// The path of such a mount is in the routes.
#[tokio::test]
async fn a_mount_without_parameters_is_known_after_doubled_slashes() {
    use tower_http::normalize_path::NormalizePathLayer;

    let leaf = || app().fallback(show).layer(RootPathLayer::nested());
    let trimmed = NormalizePathLayer::trim_trailing_slash().layer(leaf());
    let app = Router::new()
        .nest_service("/t", Router::new().nest_service("/t", leaf()))
        .nest_service("/sub/", leaf())
        .nest_service("/a/b", trimmed);
    for (uri, expected) in [
        ("/t//t/x", "/t/t /x"),
        ("/sub///x", "/sub /x"),
        ("/a/b///x", "/a/b /x"),
        ("/a/b/x//", "/a/b /x"),
    ] {
        assert_eq!(text(app.clone(), uri).await, expected, "{uri}");
    }
}

#[tokio::test]
async fn a_mount_that_counts_as_none_does_not_count_for_the_next_one() {
    let deep = app().layer(RootPathLayer::nested());
    let tenant = Router::new()
        .nest("/deep", deep)
        .layer(RootPathLayer::nested());
    let app = Router::new().nest("/t/{tenant}", tenant);
    let under = stripping().wrap(app.clone());
    assert_eq!(text(app.clone(), "/t/x/deep/app").await, "/t/x/deep /app");
    assert_eq!(text(app, "/t/../deep/app").await, "/deep /app");
    // By itself, and together with what is in front of it.
    for len in [2000, 1015] {
        let long = format!("/api/v1/t/{}/deep/app", "x".repeat(len));
        assert_eq!(text(under.clone(), &long).await, "/api/v1/deep /app");
    }
    assert_eq!(
        text(under, "/api/v1/t/../deep/app").await,
        "/api/v1/deep /app"
    );
}

/// Where a root path is not what the routers took off, a reference still gets the whole of it.
#[tokio::test]
async fn a_mount_is_never_cut_in_the_middle() {
    let sub_app = || app().fallback(show).layer(RootPathLayer::nested());
    for said in ["/a", "/v1", "/api", "/apis", "/public"] {
        let v1 = Router::new()
            .nest("/sub", sub_app())
            .layer(RootPathLayer::new(said));
        let app = Router::new().nest("/v1", v1);
        let expected = format!("{said}/sub/app");
        assert_eq!(
            fetch(app, "/v1/sub/login").await.headers()[LOCATION],
            expected
        );
    }
    let deep = Router::new()
        .nest("/deep", sub_app())
        .layer(RootPathLayer::nested());
    let app = || {
        Router::new()
            .nest("/t/{tenant}", deep.clone())
            .nest("/sub", sub_app())
    };
    for (path, expected) in [
        ("/t/a;b/deep/login", "/t/a%3Bb/deep/app"),
        ("/t/%zz/deep/login", "/t/%25zz/deep/app"),
        ("/t/../deep/login", "/deep/app"),
        ("/t/a,b/deep/login", "/t/a%2Cb/deep/app"),
    ] {
        for root_path in ["", "/a", "/api/v1"] {
            let layer = RootPathLayer::new(root_path);
            for app in [layer.clone().wrap(app()), app().layer(layer)] {
                let response = fetch(app, path).await;
                let expected = format!("{root_path}{expected}");
                assert_eq!(response.headers()[LOCATION], expected, "{path}");
            }
        }
    }
}

/// A layer between two mounts strips what is in none of them.
#[tokio::test]
async fn a_root_path_between_two_mounts_is_in_neither() {
    let sub_app = app().layer(RootPathLayer::nested());
    let inner = RootPathLayer::new("/r")
        .strip_if_present()
        .wrap(Router::new().nest("/sub", sub_app));
    let app = Router::new().nest("/m", inner.layer(RootPathLayer::nested()));
    for uri in ["/m/sub", "/m/r/sub"] {
        assert_eq!(
            text(app.clone(), &format!("{uri}/app")).await,
            "/m/r/sub /app"
        );
        let response = fetch(app.clone(), &format!("{uri}/login")).await;
        assert_eq!(response.headers()[LOCATION], "/m/r/sub/app");
    }
}

#[tokio::test]
async fn a_root_path_stripped_within_a_mount_is_not_the_mount() {
    let sub_app = app().layer(RootPathLayer::nested());
    let inner = RootPathLayer::new("/v")
        .strip_if_present()
        .wrap(Router::new().nest("/sub", sub_app));
    let app = Router::new().nest("/a", inner);
    for uri in ["/a/sub", "/a/v/sub"] {
        assert_eq!(
            text(app.clone(), &format!("{uri}/app")).await,
            "/v/sub /app",
            "{uri}"
        );
        let response = fetch(app.clone(), &format!("{uri}/login")).await;
        assert_eq!(response.headers()[LOCATION], "/v/sub/app", "{uri}");
    }
}

/// Once there is a route, what begins like the root path is the route's own.
#[tokio::test]
async fn a_mount_may_begin_like_the_root_path_behind_the_routing() {
    for (root_path, mount, requested, expected) in [
        ("/t", "/t/{x}", "/t/acme", "/t/t/acme"),
        ("/api", "/api/v1", "/api/v1", "/api/api/v1"),
        ("/api/v1", "/api", "/api/v1", "/api/v1/api"),
        ("/api", "/api", "/api", "/api/api"),
        (
            "/api/v1",
            "/api/v1/own",
            "/api/v1/own",
            "/api/v1/api/v1/own",
        ),
    ] {
        let sub_app = Router::new()
            .route("/app", get(show))
            .route("/v1/app", get(show))
            .layer(RootPathLayer::nested());
        let app = Router::new()
            .nest(mount, sub_app)
            .layer(RootPathLayer::new(root_path));
        let shown = text(app, &format!("{requested}/app")).await;
        let path = requested
            .strip_prefix("/api")
            .filter(|_| mount == "/api")
            .unwrap_or("");
        assert_eq!(
            shown,
            format!("{expected} {path}/app"),
            "{root_path} {mount}"
        );
    }
    let own = Router::new()
        .route("/api/v1/items", get(show))
        .layer(RootPathLayer::new(ROOT));
    assert_eq!(text(own, "/api/v1/items").await, "/api/v1 /api/v1/items");
}

#[tokio::test]
async fn nothing_is_stripped_after_routing() {
    let layer = |root_path| RootPathLayer::new(root_path).strip_if_present();
    let paths = || Router::new().fallback(show);

    let app = Router::new().route_service("/{*path}", stripping().layer(paths()));
    assert_eq!(text(app, "/api/v1/app").await, "/api/v1 /api/v1/app");
    let files = layer("/files").layer(paths());
    let app = Router::new().nest_service("/files", files);
    let shown = text(app, "/files/files/a.txt").await;
    assert_eq!(shown, "/files /files/a.txt");
    // The path is the one of the tenant that was routed.
    let tenant = paths().layer(RootPathLayer::nested());
    let app = Router::new()
        .nest_service("/{tenant}", tenant)
        .layer(layer("/a"));
    assert_eq!(text(app, "/a/victim/x").await, "/a/a /victim/x");

    // Only `wrap` places a layer before routing, in a nest and in a fallback too.
    let inner = layer("/b").layer(paths());
    assert_eq!(text(layer("/a").wrap(inner), "/a/b/x").await, "/a/b /b/x");
    let inner = layer("/b").wrap(paths());
    assert_eq!(
        text(layer("/a").wrap(inner.clone()), "/a/b/x").await,
        "/a/b /x"
    );
    let app = Router::new().nest("/nest", inner.clone());
    assert_eq!(text(app, "/nest/b/x").await, "/b /x");
    let app = Router::new().fallback_service(inner);
    assert_eq!(text(app, "/b/x").await, "/b /x");
}

#[tokio::test]
async fn nothing_is_stripped_by_default() {
    let paths = || Router::new().fallback(show);
    let layer = || RootPathLayer::new(ROOT);
    let around = layer().layer(paths());
    for uri in ["/api/v1/admin", "/%61pi/v1/admin", "/api/v1"] {
        assert_eq!(text(around.clone(), uri).await, format!("/api/v1 {uri}"));
        let wrapped = layer().wrap(paths());
        assert_eq!(text(wrapped, uri).await, format!("/api/v1 {uri}"));
    }
}

/// The third row of the table: the prefix is passed on, and nothing else is answered.
#[tokio::test]
async fn a_mount_with_a_nested_layer_answers_under_the_prefix_only() {
    let inner = Router::new()
        .route("/", get(show))
        .merge(app())
        .layer(RootPathLayer::nested());
    let app = Router::new().nest_service("/api/v1", inner);
    for (uri, expected) in [
        ("/api/v1", "/api/v1 /"),
        ("/api/v1/", "/api/v1 /"),
        ("/api/v1/app", "/api/v1 /app"),
    ] {
        assert_eq!(text(app.clone(), uri).await, expected);
    }
    let response = fetch(app.clone(), "/api/v1/login").await;
    assert_eq!(response.headers()[LOCATION], "/api/v1/app");
    for uri in ["/app", "/api/v1/api/v1/app", "/api/v10/app"] {
        let status = fetch(app.clone(), uri).await.status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{uri}");
    }
}

/// An empty root path adds nothing, whether the layer has a `Rewrite` of its own or not.
#[tokio::test]
async fn an_inner_layer_without_a_root_path_leaves_the_mount_to_deeper_ones() {
    let empty = || RootPathLayer::new("");
    for inner in [empty(), empty().rewrite(Rewrite::all())] {
        let deep = || Router::new().nest("/deep", app().layer(RootPathLayer::nested()));
        for sub_app in [deep().layer(inner.clone()), inner.wrap(deep())] {
            let app = stripping().wrap(Router::new().nest("/sub", sub_app));
            let shown = text(app.clone(), "/sub/deep/app").await;
            assert_eq!(shown, "/api/v1/sub/deep /app");
            let response = fetch(app, "/sub/deep/login").await;
            assert_eq!(response.headers()[LOCATION], "/api/v1/sub/deep/app");
        }
    }
}

/// `wrap` takes whatever `Router::fallback_service` takes.
#[tokio::test]
async fn a_service_around_a_router_can_be_wrapped() {
    use tower_http::normalize_path::NormalizePath;

    let normalized = NormalizePath::trim_trailing_slash(app());
    let app = stripping().wrap(normalized);
    assert_eq!(text(app, "/api/v1/app/").await, "/api/v1 /app");
    let answers = tower::service_fn(|request: Request| async move {
        Ok::<_, std::convert::Infallible>(request.uri().to_string())
    });
    assert_eq!(text(stripping().wrap(answers), "/api/v1/app").await, "/app");
}

/// A middleware may write the path anew, as long as the mount has no parameters.
#[tokio::test]
async fn a_mount_without_parameters_is_known_whatever_becomes_of_the_path() {
    let rewritten = tower::util::MapRequestLayer::new(|mut request: Request| {
        *request.uri_mut() = Uri::from_static("/other");
        request
    });
    let sub_app = Router::new()
        .fallback(show)
        .layer(RootPathLayer::nested())
        .layer(rewritten);
    let app = stripping().wrap(
        Router::new()
            .nest("/sub", sub_app.clone())
            .nest("/t/{tenant}", sub_app),
    );
    assert_eq!(text(app.clone(), "/sub/x").await, "/api/v1/sub /other");
    assert_eq!(text(app, "/t/acme/x").await, "/api/v1 /other");
}

/// With parameters, the path has to show which segments are the mount.
#[tokio::test]
async fn what_other_middleware_strips_is_not_taken_for_a_mount() {
    let strip = |prefix: &'static str| {
        tower::util::MapRequestLayer::new(move |mut request: Request| {
            let path = request.uri().path().strip_prefix(prefix).unwrap();
            *request.uri_mut() = path.parse().unwrap();
            request
        })
    };
    let nested = RootPathLayer::nested;
    let sub_app = || Router::new().fallback(show).layer(nested());
    let mounted = || Router::new().nest("/t/{tenant}", sub_app());
    let before = |prefix| Router::new().fallback_service(strip(prefix).layer(mounted()));
    let within = Router::new().fallback(show).layer((strip("/s"), nested()));
    let between = Router::new()
        .fallback_service(strip("/t").layer(mounted()))
        .layer(nested());
    let app = stripping().wrap(
        before("/x")
            .nest("/within/{tenant}", within)
            .nest("/between", between),
    );
    for (uri, expected) in [
        ("/x/t/acme/app", "/api/v1/t/acme /app"),
        ("/within/acme/s/app", "/api/v1 /app"),
        ("/between/t/t/acme/app", "/api/v1/between /app"),
    ] {
        assert_eq!(text(app.clone(), uri).await, expected, "{uri}");
    }
}

/// axum takes `/sub/` off `/sub//app`; that slash is in no mount, while an empty tenant is.
#[tokio::test]
async fn a_doubled_slash_behind_a_mount_is_not_in_it() {
    let sub_app = || app().fallback(show).layer(RootPathLayer::nested());
    let app = RootPathLayer::new("/r").strip_if_present().wrap(
        mounted()
            .nest("/slash/", sub_app())
            .nest("/param/{p}/", sub_app()),
    );
    for (uri, expected) in [
        ("/sub//app", "/r/sub /app"),
        ("/r/sub//app", "/r/sub /app"),
        ("/t//app", "/r /app"),
        ("/slash/app", "/r/slash /app"),
        ("/r/slash/app", "/r/slash /app"),
        ("/param/a/app", "/r/param/a /app"),
        ("/param/a//app", "/r/param/a /app"),
    ] {
        assert_eq!(text(app.clone(), uri).await, expected, "{uri}");
    }
}

/// The page to log in to is often one of the app around it.
#[tokio::test]
async fn a_sub_app_can_redirect_to_the_app_around_it() {
    let to = |to: &'static str| get(move || async move { Redirect::to(to) });
    let routes = || {
        Router::new()
            .route("/relative", to("../login"))
            .route("/path", to("/login"))
    };
    let outward = RootPathLayer::nested().rewrite(Rewrite::none());
    let app = Router::new()
        .nest("/sub", routes().layer(RootPathLayer::nested()))
        .nest("/out", routes().layer(outward));
    let app = stripping().wrap(app);
    for (uri, expected) in [
        ("/sub/path", "/api/v1/sub/login"),
        ("/sub/relative", "../login"),
        ("/out/path", "/api/v1/login"),
    ] {
        assert_eq!(
            fetch(app.clone(), uri).await.headers()[LOCATION],
            expected,
            "{uri}"
        );
    }
}

/// What the app sees is the same if something in between tidies the path up.
#[tokio::test]
async fn a_mount_is_known_behind_other_middleware() {
    use tower_http::normalize_path::NormalizePathLayer;

    for normalize in [
        NormalizePathLayer::append_trailing_slash(),
        NormalizePathLayer::trim_trailing_slash(),
    ] {
        let sub_app = Router::new().fallback(show).layer(RootPathLayer::nested());
        let layers = (stripping(), normalize);
        let app = layers.layer(Router::new().nest("/sub", sub_app));
        for uri in ["/sub/app", "/sub/app/", "/api/v1/sub/app"] {
            let shown = text(app.clone(), uri).await;
            assert!(shown.starts_with("/api/v1/sub /app"), "{shown}");
        }
    }
}

#[tokio::test]
async fn inside_a_nest_the_mount_may_be_configured_instead() {
    let sub_app = app().layer(RootPathLayer::new("/sub"));
    let app = stripping().wrap(Router::new().nest("/sub", sub_app));
    assert_eq!(
        text(app.clone(), "/api/v1/sub/app").await,
        "/api/v1/sub /app"
    );
    assert_eq!(
        fetch(app, "/sub/login").await.headers()[LOCATION],
        "/api/v1/sub/app"
    );
}

#[tokio::test]
async fn path_parameters_are_those_of_the_route() {
    let app = Router::new().route(
        "/{a}/{b}",
        get(|Path(path): Path<(String, String)>| async move { format!("{path:?}") }),
    );
    let app = RootPathLayer::new("/api").strip_if_present().wrap(app);
    assert_eq!(text(app, "/api/1/2").await, "(\"1\", \"2\")");
}

#[tokio::test]
async fn a_router_with_state_and_methods_stays_what_it_is() {
    let app = stripping().wrap(
        Router::new()
            .route(
                "/app",
                get(|state: axum::extract::State<u32>| async move { state.0.to_string() }),
            )
            .with_state(7),
    );
    assert_eq!(text(app.clone(), "/api/v1/app").await, "7");
    let request = Request::post("/api/v1/app").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn options_star_and_connect_reach_the_fallback() {
    let show =
        |root_path: RootPath, uri: Uri| async move { [("seen", format!("{root_path} {uri}"))] };
    let app = stripping().wrap(Router::new().fallback(show));
    for (method, uri) in [("OPTIONS", "*"), ("CONNECT", "app.example:443")] {
        let request = Request::builder().method(method).uri(uri);
        let response = app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await;
        let headers = response.unwrap().headers().clone();
        assert_eq!(headers["seen"], format!("/api/v1 {uri}"));
    }
}

#[tokio::test]
async fn connect_info_has_the_address_of_the_peer() {
    let layer = || {
        let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
        RootPathLayer::new("").with_forwarded(forwarded)
    };
    let app = || {
        Router::new().route(
            "/app",
            get(
                |root_path: RootPath, peer: ConnectInfo<SocketAddr>| async move {
                    format!("{root_path} {}", peer.ip())
                },
            ),
        )
    };
    let request =
        "GET /app HTTP/1.1\r\nhost: x\r\nx-forwarded-prefix: /fwd\r\nconnection: close\r\n\r\n";

    let wrapped = layer()
        .wrap(app())
        .into_make_service_with_connect_info::<SocketAddr>();
    let (addr, _server) = serve(wrapped).await;
    assert!(support::axum::raw(addr, request)
        .await
        .ends_with("/fwd 127.0.0.1"));

    let around = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(
        layer().layer(app()),
    );
    let (addr, _server) = serve(around).await;
    assert!(support::axum::raw(addr, request)
        .await
        .ends_with("/fwd 127.0.0.1"));

    let without = layer().wrap(Router::new().route("/app", get(show)));
    let (addr, _server) = serve(without.into_make_service()).await;
    assert!(support::axum::raw(addr, request)
        .await
        .ends_with("\r\n /app"));
}

#[tokio::test]
async fn a_web_socket_goes_through() {
    let echo = |upgrade: WebSocketUpgrade, root_path: RootPath| async move {
        upgrade.on_upgrade(|mut socket| async move {
            let greeting = Message::text(root_path.as_str());
            socket.send(greeting).await.unwrap();
            while let Some(Ok(message)) = socket.recv().await {
                socket.send(message).await.unwrap();
            }
        })
    };
    let sub_app = Router::new()
        .route("/ws", get(echo))
        .layer(RootPathLayer::nested());
    let app = Router::new().route("/ws", get(echo)).nest("/sub", sub_app);
    let (addr, _server) = serve(stripping().wrap(app).into_make_service()).await;
    for (path, root_path) in [
        ("/ws", "/api/v1"),
        ("/api/v1/ws", "/api/v1"),
        ("/api/v1/sub/ws", "/api/v1/sub"),
    ] {
        let url = format!("ws://{addr}{path}");
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        let greeting = socket.next().await.unwrap().unwrap();
        assert_eq!(greeting.to_text().unwrap(), root_path, "{path}");
        socket.send("hello".into()).await.unwrap();
        assert_eq!(
            socket.next().await.unwrap().unwrap().to_text().unwrap(),
            "hello"
        );
    }
}

/// The layer asks neither for `Clone` nor for a body of a certain type.
#[tokio::test]
async fn a_service_need_not_be_clone() {
    struct NotClone;
    impl Service<Request<NotClone>> for NotClone {
        type Response = Response<NotClone>;
        type Error = std::fmt::Error;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<NotClone>) -> Self::Future {
            std::future::ready(Ok(Response::new(request.into_body())))
        }
    }
    let mut service = stripping().layer(NotClone);
    let response = service
        .ready()
        .await
        .unwrap()
        .call(Request::new(NotClone))
        .await;
    let _: NotClone = response.unwrap().into_body();
    let _: (&NotClone, &mut NotClone) = (&NotClone, service.get_mut());
    let _: &NotClone = service.get_ref();
    let _: NotClone = service.into_inner();
}

/// 500 if nobody has configured an origin, 400 if the public origin of the request was refused.
#[tokio::test]
async fn the_base_url_is_an_extractor() {
    let required = |base_url: BaseUrl, uri: PublicUri| async move { format!("{base_url} {uri}") };
    let optional = |base_url: Option<BaseUrl>, uri: Option<PublicUri>| async move {
        let text = base_url.map(|base_url| base_url.to_string());
        format!("{text:?} {}", uri.is_some())
    };
    let shop = Router::new().route("/required", get(required));
    let app = Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .nest("/shop", shop.layer(RootPathLayer::nested()));
    let fixed = RootPathLayer::new(ROOT).public_origin("https://example.com");
    let hosts = |hosts: &str| {
        let origin = ForwardedOrigin::x_forwarded(TrustedProxies::all(), hosts.parse().unwrap());
        RootPathLayer::new(ROOT).with_forwarded_origin(origin)
    };
    let http = |hosts: &str| {
        let origin = ForwardedOrigin::x_forwarded(TrustedProxies::all(), hosts.parse().unwrap());
        RootPathLayer::new(ROOT).with_forwarded_origin(origin.default_scheme("http"))
    };
    for (layer, path, status, expected) in [
        (
            fixed.clone(),
            "/required",
            200,
            "https://example.com/api/v1 https://example.com/api/v1/required",
        ),
        (
            fixed.clone(),
            "/shop/required?x",
            200,
            "https://example.com/api/v1/shop https://example.com/api/v1/shop/required?x",
        ),
        (
            fixed,
            "/optional",
            200,
            "Some(\"https://example.com/api/v1\") true",
        ),
        (
            RootPathLayer::new(ROOT),
            "/required",
            500,
            "no public origin is configured",
        ),
        (RootPathLayer::new(ROOT), "/optional", 200, "None false"),
        (
            hosts("app.example"),
            "/required",
            500,
            "the public scheme is not known",
        ),
        (hosts("app.example"), "/optional", 200, "None false"),
        (
            http("app.example"),
            "/required",
            200,
            "http://app.example/api/v1 http://app.example/api/v1/required",
        ),
        (
            http("other.example"),
            "/required",
            400,
            "the public origin of the request was refused",
        ),
        (
            http("other.example"),
            "/optional",
            400,
            "the public origin of the request was refused",
        ),
    ] {
        let response = fetch(app.clone().layer(layer), path).await;
        assert_eq!(response.status(), status, "{path}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 10)
            .await
            .unwrap();
        assert_eq!(body, expected, "{path}");
    }
}

/// Middleware may make a new request and forget the extensions of the old one.
#[tokio::test]
async fn a_mount_counts_once_although_the_extensions_before_it_are_lost() {
    let forgets = tower::util::MapRequestLayer::new(|mut request: Request| {
        request.extensions_mut().clear();
        request
    });
    let inner = Router::new().route("/app", get(show));
    let middle = Router::new().nest("/c", inner.layer(RootPathLayer::nested()));
    for (middle, expected) in [
        (middle.clone().layer(RootPathLayer::nested()), "/b/c /app"),
        (
            middle.layer(RootPathLayer::new("/public")),
            "/public/c /app",
        ),
    ] {
        let app = Router::new().nest("/b", middle).layer(forgets.clone());
        assert_eq!(text(app, "/b/c/app").await, expected);
    }
}

/// The layer with the origin may be inside a mount that only the layers inside of it add.
#[tokio::test]
async fn the_public_uri_has_the_mount() {
    let show = |base_url: BaseUrl, uri: PublicUri| async move { format!("{base_url} {uri}") };
    let origin = || RootPathLayer::new("").public_origin("https://h");
    let inner = || {
        Router::new()
            .route("/x", get(show))
            .layer(RootPathLayer::nested())
    };
    let mounted = || inner().layer(origin());
    let root = RootPathLayer::new(ROOT);
    for (app, path, expected) in [
        (
            Router::new().nest_service("/api/v1", mounted()),
            "/api/v1/x?q",
            "https://h/api/v1 https://h/api/v1/x?q",
        ),
        (
            Router::new()
                .nest_service("/api/v1", inner())
                .layer(origin()),
            "/api/v1/x",
            "https://h/api/v1 https://h/api/v1/x",
        ),
        (
            Router::new().nest("/shop", mounted()).layer(root.clone()),
            "/shop/x?q",
            "https://h/api/v1/shop https://h/api/v1/shop/x?q",
        ),
        (
            stripping().wrap(Router::new().nest("/t/{t}", mounted())),
            "/api/v1/t/%41/x",
            "https://h/api/v1/t/%41 https://h/api/v1/t/%41/x",
        ),
        (
            Router::new().nest(
                "/shop",
                inner().layer(RootPathLayer::new("/public").public_origin("https://h")),
            ),
            "/shop/x",
            "https://h/public https://h/public/x",
        ),
    ] {
        assert_eq!(text(app, path).await, expected, "{path}");
    }
}
