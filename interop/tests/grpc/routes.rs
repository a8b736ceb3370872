//! axum and tonic on one port, behind one prefix.

use super::*;
use axum::{response::Redirect, routing::get, Router};
use http::{header::LOCATION, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prefixed_clients::serve;
use tonic::service::Routes;
use tower_root_path::RootPath;

/// Pages, the service, and a sub-app that has pages and the service as well.
fn router() -> Router {
    let service = || Routes::new(EchoServer::new(Echo::default())).into_axum_router();
    let pages = || {
        Router::new()
            .route(
                "/app",
                get(|root: RootPath| async move { root.to_string() }),
            )
            .route("/old", get(|| async { Redirect::permanent("/app") }))
    };
    let sub = pages().merge(service()).layer(RootPathLayer::nested());
    pages().nest("/sub", sub).merge(service())
}

#[tokio::test]
async fn pages_services_and_sub_apps_share_a_port_and_a_prefix() {
    let of_axum = serve(RootPathLayer::new("/api").strip_if_present().wrap(router())).await;

    let (addr, incoming) = listen().await;
    let of_tonic = Server::builder()
        .accept_http1(true)
        .layer(RootPathLayer::new("/api").strip_if_present())
        .add_routes(Routes::from(router()));
    let of_tonic = (addr, Serving::start(of_tonic.serve_with_incoming(incoming)));

    for (server, (addr, _server)) in [("axum", of_axum), ("tonic", of_tonic)] {
        for (prefix, root_path) in [
            ("", "/api"),
            ("/api", "/api"),
            ("/sub", "/api/sub"),
            ("/api/sub", "/api/sub"),
        ] {
            let way = format!("{server}, {prefix:?}");
            assert_answers(&mut client(addr, prefix).await, root_path, &way).await;

            let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
            let page = |path: &str| {
                let request = Request::get(format!("http://{addr}{prefix}{path}"));
                http.request(request.body(Empty::new()).unwrap())
            };
            let app = page("/app").await.unwrap();
            let shown = app.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(shown, root_path, "{way}");
            let old = page("/old").await.unwrap();
            assert_eq!(old.headers()[LOCATION], format!("{root_path}/app"), "{way}");
            assert_eq!(old.status(), StatusCode::PERMANENT_REDIRECT, "{way}");
        }
    }
}
