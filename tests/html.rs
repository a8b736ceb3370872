//! `BaseHrefLayer`.
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use http::{Request,Response};
use tower::{service_fn, Layer, ServiceExt};
use tower_root_path::{BaseHrefLayer, RootPathLayer};
use std::convert::Infallible;
#[tokio::test]
async fn x() {
    for page in ["<head></head>", "<!doctype html><html><head><base href=./>"] {
    let app = service_fn(move |_: Request<()>| async move {
        Ok::<_, Infallible>(Response::builder().header("content-type","text/html").body(Full::<Bytes>::from(page)).unwrap())
    });
    let r = (RootPathLayer::new("/api/v1"), BaseHrefLayer::new()).layer(app).oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    println!("{:?} {:?}", r.headers().clone(), r.into_body().collect().await.unwrap().to_bytes());
    }
}
