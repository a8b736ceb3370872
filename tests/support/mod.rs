//! What more than one test needs.
#![allow(unused, unreachable_pub)] // Each test takes its part.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(all(feature = "html", feature = "openapi"))]
pub mod layers;
pub mod pages;
pub mod process;

use http::{header::HOST, HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde_json::Value;
use std::{
    convert::Infallible,
    fmt::Debug,
    fs,
    future::{ready, Ready},
    path::Path,
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt};
use tower_root_path::{PeerAddr, RootPath};

/// The cases of `tests/vectors/{name}.json`.
pub fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let cases = vectors["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{name} has no cases");
    cases
}

/// `GET uri` from a peer on this machine, to `app.example`.
pub fn get(uri: &str) -> Request<()> {
    Request::builder()
        .uri(uri)
        .header(HOST, "app.example")
        .extension(PeerAddr(([127, 0, 0, 1], 4711).into()))
        .body(())
        .unwrap()
}

/// The same with header lines.
pub fn get_with(uri: &str, lines: &[(&'static str, &str)]) -> Request<()> {
    let mut request = get(uri);
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    request
}

/// An app: a function of the request.
#[derive(Clone)]
pub struct App<F>(pub F);

impl<F, B> Service<Request<()>> for App<F>
where
    F: FnMut(Request<()>) -> Response<B>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok((self.0)(request)))
    }
}

/// Sends `request` to an app behind `layer`.
pub async fn send<L, F, B>(layer: L, request: Request<()>, app: F) -> Response<B>
where
    F: FnMut(Request<()>) -> Response<B>,
    L: Layer<App<F>>,
    L::Service: Service<Request<()>, Response = Response<B>, Error: Debug>,
{
    layer.layer(App(app)).oneshot(request).await.unwrap()
}

/// The request as an app behind `layer` sees it.
pub async fn seen<L>(layer: L, request: Request<()>) -> Request<()>
where
    L: Layer<App<fn(Request<()>) -> Response<Request<()>>>>,
    L::Service: Service<Request<()>, Response = Response<Request<()>>, Error: Debug>,
{
    send(layer, request, Response::new as fn(_) -> _)
        .await
        .into_body()
}

/// The root path that an app sees in `request`; `None` if no layer set one.
pub fn root_path(request: &Request<()>) -> Option<&str> {
    Some(request.extensions().get::<RootPath>()?.as_str())
}

/// Sends `request` to an app behind `layer` that emits `lines`, and returns the response headers.
pub async fn emitted<L>(
    layer: L,
    request: Request<()>,
    lines: &[(&'static str, &[u8])],
) -> HeaderMap
where
    L: Layer<App<EmitFn>>,
    L::Service: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    let emit: EmitFn = Box::new(move |_| {
        let mut response = Response::new(());
        *response.headers_mut() = headers.clone();
        response
    });
    let response = send(layer, request, emit).await;
    response.headers().clone()
}

pub type EmitFn = Box<dyn FnMut(Request<()>) -> Response<()>>;

/// What `Location: value` becomes on its way out through `layer`.
pub async fn location<L>(layer: L, request: Request<()>, value: impl AsRef<[u8]>) -> String
where
    L: Layer<App<EmitFn>>,
    L::Service: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let headers = emitted(layer, request, &[("location", value.as_ref())]).await;
    let lines = headers.get_all("location").iter().collect::<Vec<_>>();
    assert_eq!(lines.len(), 1, "one line stays one line");
    String::from_utf8_lossy(lines[0].as_bytes()).into_owned()
}
