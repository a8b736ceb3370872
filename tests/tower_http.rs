//! tower-http's layers and services, outside of `RootPathLayer` and inside it.

mod support;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Redirect, Response},
    routing::{get, MethodRouter},
    Router,
};
use futures_util::FutureExt;
use http::{header::LINK, HeaderValue, Uri};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};
use support::axum::{get as fetch, text};
use tower::{util::BoxCloneSyncService, Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::{
    compression::CompressionLayer,
    cors::CorsLayer,
    decompression::DecompressionLayer,
    follow_redirect::{FollowRedirectLayer, RequestUri},
    normalize_path::NormalizePathLayer,
    services::ServeDir,
    set_header::SetResponseHeaderLayer,
    trace::TraceLayer,
};
use tower_root_path::{
    BaseHrefLayer, ForwardedPrefix, Rewrite, RootPath, RootPathLayer, StripPrefixLayer,
    TrustedProxies,
};

type Boxed = BoxCloneSyncService<Request, Response, Infallible>;

fn boxed<S>(service: S) -> Boxed
where
    S: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(service.map_response(IntoResponse::into_response))
}

/// The app with the layer outside of the root path layer, and inside it.
macro_rules! orders {
    ($root_path:expr, $layer:expr, $app:expr) => {{
        let outside = ServiceBuilder::new().layer($layer).layer($root_path);
        let inside = ServiceBuilder::new().layer($root_path).layer($layer);
        [boxed(outside.service($app)), boxed(inside.service($app))]
    }};
}

fn redirect(to: &'static str) -> MethodRouter {
    get(move || async move { Redirect::to(to) })
}

/// `/login` redirects to `/app`, which shows the root path and the path as routed.
fn app() -> Router {
    let show = |root_path: RootPath, uri: Uri| async move { format!("{root_path} {}", uri.path()) };
    let files = ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/files"));
    Router::new()
        .route("/", get(show))
        .route("/app", get(show))
        .route("/app/", get(show))
        .route("/login", redirect("/app"))
        .nest_service("/files", RootPathLayer::nested().layer(files))
}

fn api_v1() -> RootPathLayer {
    RootPathLayer::new("/api/v1").strip_if_present()
}

fn forwarded() -> RootPathLayer {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    RootPathLayer::new("").with_forwarded(forwarded.peer_addr(|_| Some(Ipv4Addr::LOCALHOST.into())))
}

async fn location(app: &Boxed, uri: &str) -> HeaderValue {
    fetch(app.clone(), uri).await.headers()["location"].clone()
}

/// Outside the layer it logs what goes over the wire, inside what the app sees and emits.
#[tokio::test]
async fn trace_logs_the_public_side_outside_and_the_side_of_the_app_inside() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let [requests, responses] = [log.clone(), log.clone()];
    let trace = TraceLayer::new_for_http()
        .make_span_with(move |request: &Request| {
            let root_path = RootPath::from_extensions(request.extensions());
            let line = format!("{root_path}: {}", request.uri());
            requests.lock().unwrap().push(line.parse().unwrap());
            tracing::Span::none()
        })
        .on_response(move |response: &Response<_>, _, _: &_| {
            let location = response.headers()["location"].clone();
            responses.lock().unwrap().push(location);
        });
    let [outside, inside] = orders!(api_v1(), trace.clone(), app());
    for uri in ["/login", "/api/v1/login"] {
        let public = [&*format!(": {uri}"), "/api/v1/app"];
        for (service, logged) in [(&outside, public), (&inside, ["/api/v1: /login", "/app"])] {
            assert_eq!(location(service, uri).await, "/api/v1/app");
            assert_eq!(log.lock().unwrap().split_off(0), logged, "{uri}");
        }
    }
}

#[tokio::test]
async fn normalized_paths_are_stripped_and_routed_in_either_order() {
    let trim = NormalizePathLayer::trim_trailing_slash();
    let append = NormalizePathLayer::append_trailing_slash();
    for (layer, app_path) in [(trim, "/app"), (append, "/app/")] {
        for service in orders!(api_v1(), layer, app()) {
            for (uri, expected) in [
                ("/app", app_path),
                ("/app/", app_path),
                ("/api/v1/app", app_path),
                ("/api/v1/app//?x", app_path),
                ("http://app.example/api/v1/app/", app_path),
                ("/api/v1", "/"),
                ("/api/v1//", "/"),
            ] {
                let shown = text(service.clone(), uri).await;
                assert_eq!(shown, format!("/api/v1 {expected}"), "{uri}");
            }
        }
    }
}

/// What normalizes sees one path: the client's outside, the app's inside.
#[tokio::test]
async fn doubled_slashes_are_normalized_on_one_side_of_the_root_path_or_by_two_layers_on_both() {
    let trim = NormalizePathLayer::trim_trailing_slash();
    let [outside, inside] = orders!(api_v1(), trim, app());
    let both = boxed((trim, api_v1(), trim).layer(app()));
    for (uri, statuses) in [
        ("//app", [200, 200, 200]),
        ("//api/v1/app", [200, 404, 200]),
        ("/api/v1//app", [404, 200, 200]),
        ("//api/v1//app//", [404, 404, 200]),
    ] {
        for (service, status) in [&outside, &inside, &both].into_iter().zip(statuses) {
            let response = fetch(service.clone(), uri).await;
            assert_eq!(response.status(), status, "{uri} of {statuses:?}");
        }
    }
}

#[tokio::test]
async fn compressed_bodies_and_cors_pass_and_vary_names_all_that_counts() {
    let origin = HeaderValue::from_static("https://a.example");
    let cors = CorsLayer::new().allow_origin([origin.clone()]);
    let layer = (CompressionLayer::new(), cors);
    for service in orders!(forwarded(), &layer, app()) {
        let send = |uri| {
            let request = Request::get(uri)
                .header("accept-encoding", "gzip")
                .header("origin", &origin)
                .header("x-forwarded-prefix", "/fwd");
            service.clone().oneshot(request.body("".into()).unwrap())
        };
        let response = send("/files/dir/").await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], origin);
        assert_eq!(headers["content-encoding"], "gzip");
        let mut vary = Vec::from_iter(headers.get_all("vary"));
        vary.sort_unstable();
        assert_eq!(vary, ["accept-encoding", "origin", "x-forwarded-prefix"]);
        let body = axum::body::to_bytes(response.into_body(), 1000).await;
        assert_eq!(body.unwrap()[..2], [0x1f, 0x8b], "the magic of gzip");

        let redirect = send("/files/dir").await.unwrap();
        assert_eq!(redirect.headers()["location"], "/fwd/files/dir/");
    }
}

/// What a layer in front emits is not the app's: nobody rewrites it, so it has to be public already.
#[tokio::test]
async fn a_header_that_a_layer_sets_is_rewritten_only_behind() {
    let set = SetResponseHeaderLayer::overriding(LINK, HeaderValue::from_static("</a.css>"));
    let root_path = api_v1().rewrite(Rewrite::all());
    let [outside, inside] = orders!(&root_path, &set, app());
    for (service, expected) in [(outside, "</a.css>"), (inside, "</api/v1/a.css>")] {
        assert_eq!(fetch(service, "/app").await.headers()["link"], expected);
    }
}

#[tokio::test]
async fn ranges_and_validators_of_nested_files_hold_wherever_the_layer_stands() {
    let [around, inside] = [boxed(api_v1().layer(app())), boxed(app().layer(api_v1()))];
    let whole = fetch(inside.clone(), "/files/hello.txt").await;
    let modified = whole.headers()["last-modified"].to_str().unwrap();
    for (name, value, status) in [
        ("range", "bytes=1-2", 206),
        ("range", "bytes=1000-", 416),
        ("if-modified-since", modified, 304),
    ] {
        for (service, root_path) in [(&around, ""), (&around, "/api/v1"), (&inside, "")] {
            let request = Request::get(format!("{root_path}/files/hello.txt"));
            let request = request.header(name, value).body("".into());
            let response = service.clone().oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), status, "{root_path} {value}");
        }
    }
}

#[tokio::test]
async fn pages_of_serve_dir_are_whole_and_its_assets_keep_ranges_and_validators() {
    let files = ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/page"));
    let files = ServiceBuilder::new()
        .layer(CompressionLayer::new())
        .layer(api_v1())
        .layer(BaseHrefLayer::new())
        .service(files.precompressed_gzip());
    let send = |path: &str, lines: &[(&'static str, &str)]| {
        let mut request = Request::get(path);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        files.clone().oneshot(request).map(Result::unwrap)
    };
    let asset = send("/app.css", &[]).await;
    let modified = asset.headers()["last-modified"].to_str().unwrap();
    let page = ("accept", "text/html,*/*;q=0.8");
    let range = ("range", "bytes=0-9");
    let since = ("if-modified-since", modified);
    for (path, lines, status) in [
        ("/app.css", &[range][..], 206),
        ("/app.css", &[since], 304),
        ("/app.css", &[("accept", "text/css,*/*;q=0.1"), since], 304),
        ("/index.html", &[page], 200),
        ("/index.html", &[page, range], 200),
        ("/index.html", &[page, since], 200),
        // Not opened by a browser.
        ("/index.html", &[since], 304),
        ("/index.html", &[range], 206),
    ] {
        let response = send(path, lines).await;
        assert_eq!(response.status(), status, "{path} {lines:?}");
        if path == "/index.html" && status == 200 {
            assert!(!response.headers().contains_key("last-modified"));
            let page = response.into_body().collect().await.unwrap().to_bytes();
            let page = String::from_utf8(page.into()).unwrap();
            assert_eq!(page.matches("<base href=\"/api/v1/\">").count(), 1);
        }
    }

    // The compression layer outside compresses what is edited.
    let gzip = [page, ("accept-encoding", "gzip")];
    let response = send("/index.html", &gzip).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "accept"]);
    let client = DecompressionLayer::new().layer(files.clone());
    let request = Request::get("/index.html").header("accept", "text/html");
    let response = client.oneshot(request.body(Body::empty()).unwrap()).await;
    let page = response.unwrap().into_body().collect().await.unwrap();
    let page = String::from_utf8(page.to_bytes().into()).unwrap();
    assert!(page.contains("<base href=\"/api/v1/\">"), "{page}");
}

/// Where a client ends that follows redirects, and what is in the first line there.
async fn follow(client: &Boxed, path: &str) -> String {
    let response = fetch(client.clone(), &format!("http://app.example{path}")).await;
    let RequestUri(uri) = response.extensions().get().cloned().unwrap();
    let body = axum::body::to_bytes(response.into_body(), 1000).await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    format!("{uri}: {}", body.lines().next().unwrap_or("nothing"))
}

#[tokio::test]
async fn a_client_that_follows_redirects_ends_at_the_public_page() {
    let app = app().route("/chain", redirect("/login"));
    let follows = FollowRedirectLayer::new();
    let published = forwarded().layer(app.clone());
    let gateway = |prefix| (&follows, StripPrefixLayer::new(prefix)).layer(published.clone());
    let [outside, inside] = orders!(api_v1(), &follows, app.clone());
    for (client, requested, root_path) in [
        (boxed(gateway("/shop")), "/shop", "/shop"),
        (boxed(gateway("/shop/eu")), "/shop/eu", "/shop/eu"),
        (outside.clone(), "/api/v1", "/api/v1"),
        (outside, "", "/api/v1"),
    ] {
        let page = &*format!("/app: {root_path} /app");
        for (path, landed) in [
            ("/login", page),
            ("/chain", page),
            ("/files/dir", "/files/dir/: <!doctype html>"),
        ] {
            let ended = follow(&client, &format!("{requested}{path}")).await;
            assert_eq!(ended, format!("http://app.example{root_path}{landed}"));
        }
    }
    // Behind the layer they are the app's own, but for those of sub-apps, which are public already
    // and lead nowhere from there.
    for (path, landed) in [
        ("/chain", "/app: /api/v1 /app"),
        ("/files/dir", "/api/v1/files/dir/: nothing"),
    ] {
        let ended = follow(&inside, &format!("/api/v1{path}")).await;
        assert_eq!(ended, format!("http://app.example{landed}"));
    }
}
