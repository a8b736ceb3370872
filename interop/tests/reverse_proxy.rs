//! A gateway made of axum-reverse-proxy and `StripPrefixLayer`: the ways to combine them.

use axum::{
    body::{to_bytes, Body},
    extract::{ws::WebSocketUpgrade, Request},
    http::{header::LOCATION, HeaderMap, Uri},
    response::{IntoResponse, Redirect, Response},
    routing::get,
    Router,
};
use axum_reverse_proxy::{HostBehaviour, ProxyPolicy, ReverseProxy};
use futures_util::StreamExt;
use std::{convert::Infallible, net::SocketAddr};
use tokio::net::TcpListener;
use tower::{util::BoxCloneSyncService, Layer, Service, ServiceExt};
use tower_root_path::{
    ForwardedPrefix, Rewrite, RootPath, RootPathLayer, StripPrefixLayer, TrustedProxies,
};

type Gateway = BoxCloneSyncService<Request, Response, Infallible>;

fn boxed<S>(gateway: S) -> Gateway
where
    S: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(gateway.map_response(IntoResponse::into_response))
}

/// Serves until the test ends.
async fn serve(app: Router) -> SocketAddr {
    let (listener, addr) = listen().await;
    serve_on(listener, app);
    addr
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn serve_on(listener: TcpListener, app: Router) {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await });
}

/// An app that reads its root path from `X-Forwarded-Prefix`.
async fn upstream() -> String {
    let (listener, addr) = listen().await;
    serve_on(listener, app(Rewrite::redirects()));
    format!("http://{addr}")
}

/// An app like [`upstream`] that names the address it listens on.
async fn upstream_with_own_origin() -> String {
    let (listener, addr) = listen().await;
    let origin = format!("http://{addr}");
    serve_on(listener, app(Rewrite::redirects().own_origin(&*origin)));
    origin
}

fn app(rewrite: Rewrite) -> Router {
    let show = |root_path: RootPath, uri: Uri| async move { format!("{root_path} {uri}") };
    let echo = |headers: HeaderMap| async move {
        let host = headers["host"].to_str().unwrap();
        Redirect::to(&format!("http://{host}/app"))
    };
    let greet = |upgrade: WebSocketUpgrade, root_path: RootPath| async move {
        upgrade.on_upgrade(|mut socket| async move {
            let greeting = root_path.as_str().to_owned();
            socket.send(greeting.into()).await.unwrap();
        })
    };
    let public = || async { Redirect::to("http://app.example/app") };
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("").with_forwarded(forwarded);
    Router::new()
        .route("/login", get(|| async { Redirect::to("/app") }))
        .route("/own-host", get(echo))
        .route("/public-host", get(public))
        .route("/ws", get(greet))
        .fallback(show)
        .layer(layer.rewrite(rewrite))
}

/// The body at `uri`, or the target of its redirect.
async fn visit(gateway: &Gateway, uri: &str, headers: &[(&str, &str)]) -> String {
    let mut request = Request::get(uri).header("host", "app.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = gateway
        .clone()
        .oneshot(request.body(Body::empty()).unwrap());
    let (head, body) = response.await.unwrap().into_parts();
    if let Some(location) = head.headers.get(LOCATION) {
        return location.to_str().unwrap().to_owned();
    }
    assert_eq!(head.status, 200, "{uri}");
    let body = to_bytes(body, 1000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The layer has to see the prefix, so it runs before anything else that strips it.
#[tokio::test]
async fn the_layer_sends_the_prefix_if_nothing_strips_it_first() {
    let upstream = upstream().await;
    let strip = || StripPrefixLayer::new("/shop");
    let proxy = |path: &str| ReverseProxy::new(path, upstream.clone());
    let routed = strip().layer(proxy("/"));
    let routed = Router::new()
        .route_service("/shop", routed.clone())
        .route_service("/shop/{*path}", routed);
    let nested = strip().layer(proxy("/"));
    let nested = Router::new().nest_service("/shop", nested);
    let spoofed = &[("x-forwarded-prefix", "/spoofed")];
    for (name, gateway, root_path) in [
        (
            "around the proxy",
            boxed(strip().layer(proxy("/"))),
            "/shop",
        ),
        (
            "around a proxy with the path",
            boxed(strip().layer(proxy("/shop"))),
            "/shop",
        ),
        ("in a route", boxed(routed), "/shop"),
        // The router strips the prefix, so the layer sends none. It drops the client's value.
        ("in a nest", boxed(nested), ""),
        // Without the layer, the client's value passes.
        ("without", boxed(proxy("/shop")), "/spoofed"),
        (
            "without",
            boxed(Router::<()>::from(proxy("/shop"))),
            "/spoofed",
        ),
    ] {
        for (path, expected) in [
            ("/app?x=1", " /app?x=1"),
            ("/a//b/%2e%2e/?", " /a//b/%2e%2e/?"),
            ("", " /"),
            ("/login", "/app"),
        ] {
            let visited = visit(&gateway, &format!("/shop{path}"), spoofed).await;
            let expected = format!("{root_path}{expected}");
            assert_eq!(visited, expected, "{name}: {path}");
        }
    }
    // The proxy's own router has no route for a stripped path.
    let routed = strip().layer(Router::<()>::from(proxy("/shop")));
    let request = Request::get("/shop/app").body(Body::empty()).unwrap();
    assert_eq!(routed.oneshot(request).await.unwrap().status(), 404);
}

/// By default, the proxy sends the address of the app as `Host`, like nginx. An app that builds URLs
/// from `Host` names that address. A redirect to the public host stays, since other apps live there.
#[tokio::test]
async fn an_absolute_redirect_is_the_apps_own_only_if_it_names_the_origin() {
    let without = upstream().await;
    let with = upstream_with_own_origin().await;
    let public = "http://app.example/app";
    for (host, upstream, own_host) in [
        (HostBehaviour::Replace, &without, format!("{without}/app")),
        (HostBehaviour::Replace, &with, "/shop/app".to_owned()),
        (HostBehaviour::Preserve, &without, public.to_owned()),
        (HostBehaviour::Preserve, &with, public.to_owned()),
    ] {
        let policy = ProxyPolicy::new().with_host_behaviour(host);
        let proxy = ReverseProxy::new("/", upstream.clone()).with_policy(policy);
        let gateway = boxed(StripPrefixLayer::new("/shop").layer(proxy));
        for (path, expected) in [("/own-host", &*own_host), ("/public-host", public)] {
            let visited = visit(&gateway, &format!("/shop{path}"), &[]).await;
            assert_eq!(visited, expected, "{host:?}: {path} of {upstream}");
        }
    }
}

/// The proxy, which is inside the layer, removes the headers that `Connection` names.
#[tokio::test]
async fn a_client_cannot_make_the_proxy_remove_the_header() {
    let proxy = ReverseProxy::new("/", upstream().await);
    let gateway = boxed(StripPrefixLayer::new("/shop").layer(proxy));
    let named = &[("connection", "close, x-forwarded-prefix")];
    assert_eq!(visit(&gateway, "/shop/app", named).await, "/shop /app");
}

#[tokio::test]
async fn a_gateway_behind_a_gateway_appends_its_prefix() {
    let trusted = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback()).hops(2);
    let show = |root_path: RootPath, uri: Uri| async move { format!("{root_path} {uri}") };
    let app = Router::new().fallback(show);
    let app = serve(app.layer(RootPathLayer::new("").with_forwarded(trusted))).await;
    let proxy = |addr| Router::<()>::from(ReverseProxy::new("/", format!("http://{addr}")));
    let inner = StripPrefixLayer::new("/shop").trust_previous_hop();
    let inner = Router::new().fallback_service(inner.layer(proxy(app)));
    let outer = StripPrefixLayer::new("/eu").layer(proxy(serve(inner).await));
    let spoofed = &[("x-forwarded-prefix", "/spoofed")];
    let visited = visit(&boxed(outer), "/eu/shop/app", spoofed).await;
    assert_eq!(visited, "/eu/shop /app");
}

#[tokio::test]
async fn a_websocket_passes() {
    let proxy = ReverseProxy::new("/", upstream().await);
    let gateway = StripPrefixLayer::new("/shop").layer(proxy);
    let gateway = serve(Router::new().fallback_service(gateway)).await;
    let url = format!("ws://{gateway}/shop/ws");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let greeting = socket.next().await.unwrap().unwrap();
    assert_eq!(greeting.to_text().unwrap(), "/shop");
}
