//! What users of the Rust web stack asked for, under the names of their issues.

mod support;

use axum::{routing::get, Router};
use axum_extra::routing::RouterExt;
use http::{header::LOCATION, StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use std::{net::SocketAddr, path::Path};
use support::axum::{get as fetch, serve};
use tower::Layer;
use tower_http::services::ServeDir;
use tower_root_path::{RootPath, RootPathLayer};

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
