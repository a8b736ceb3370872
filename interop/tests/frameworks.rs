//! poem and salvo, which have requests of their own: `RootPathLayer` within them, and around them.

use axum::{
    body::{to_bytes, Body},
    extract::Request,
    http::{self, header::LOCATION, header::SET_COOKIE, uri::Scheme},
    response::Response,
    Extension, Router,
};
use poem::{
    endpoint::{make_sync, TowerCompatExt},
    web, Endpoint, EndpointExt, IntoResponse, Route,
};
use salvo::{
    conn::ConnCtrl,
    handler,
    http::{cookie::Cookie, ReqBody},
    hyper::service::Service as _,
    prelude::{TowerLayerCompat, TowerServiceCompat},
};
use std::{convert::Infallible, mem::swap, net::SocketAddr, sync::Arc};
use tower::{service_fn, util::BoxCloneSyncService, Layer, ServiceExt};
use tower_root_path::{
    ForwardedPrefix, PeerAddr, Rewrite, RootPath, RootPathLayer, TrustedProxies,
};

type App = BoxCloneSyncService<Request, Response, Infallible>;

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 4711).into()
}

/// What an app shows of a request; it also sets a cookie, and redirects.
fn shown(root_path: Option<&RootPath>, uri: &http::Uri) -> String {
    let root_path = root_path.cloned().unwrap_or_default();
    format!("{root_path} {}", uri.path())
}

/// An app that is a service for `http`'s requests, in whatever framework.
async fn tower_app<B>(request: http::Request<B>) -> Result<http::Response<String>, Infallible> {
    let response = http::Response::builder().header(LOCATION, "/app");
    let response = response.header(SET_COOKIE, "a=1; Path=/");
    let body = shown(request.extensions().get(), request.uri());
    Ok(response.body(body).unwrap())
}

fn poem_routes() -> Route {
    let app = |request: poem::Request| {
        let shown = shown(request.data(), request.uri()).with_header(LOCATION, "/app");
        shown.with_header(SET_COOKIE, "a=1; Path=/")
    };
    Route::new().at("/app", make_sync(app))
}

fn poem_app() -> impl Endpoint {
    let sub_app = within_poem(RootPathLayer::new("/sub"), poem_routes());
    let tower_app = RootPathLayer::new("/tower").layer(service_fn(tower_app));
    let app = poem_routes().nest("/sub", sub_app);
    app.nest("/tower", TowerCompatExt::compat(tower_app))
}

/// poem's own `compat` has layers take poem's requests, and this one takes those of `http`. So the
/// whole request goes through as the body of one.
fn within_poem(layer: RootPathLayer, app: impl Endpoint + 'static) -> impl Endpoint {
    fn swap_heads(request: &mut poem::Request, head: &mut http::request::Parts) {
        swap(request.uri_mut(), &mut head.uri);
        swap(request.headers_mut(), &mut head.headers);
        swap(request.extensions_mut(), &mut head.extensions);
    }
    app.around(move |app, mut request| {
        let (mut head, ()) = http::Request::new(()).into_parts();
        swap_heads(&mut request, &mut head);
        if let Some(peer) = request.remote_addr().as_socket_addr() {
            head.extensions.insert(PeerAddr(*peer));
        }
        let app = service_fn(move |request: http::Request<poem::Request>| {
            let app = app.clone();
            let (mut head, mut request) = request.into_parts();
            swap_heads(&mut request, &mut head);
            async move { Ok::<_, poem::Error>(app.get_response(request).await.into()) }
        });
        let request = http::Request::from_parts(head, request);
        let response = layer.layer(app).oneshot(request);
        async { response.await.map(poem::Response::from) }
    })
}

fn poem_service(app: impl Endpoint + 'static) -> App {
    let app = Arc::new(app);
    BoxCloneSyncService::new(service_fn(move |request: Request| {
        let app = app.clone();
        let remote = web::RemoteAddr(peer().into());
        let (head, local) = (request.into_parts().0, web::LocalAddr::default());
        let head = (head, local, remote, Scheme::HTTP).into();
        let request = poem::Request::from_parts(head, poem::Body::empty());
        async move {
            let response = http::Response::from(app.get_response(request).await);
            Ok(response.map(Body::new))
        }
    }))
}

#[handler]
async fn salvo_page(request: &mut salvo::Request, response: &mut salvo::Response) {
    response.add_cookie(Cookie::build(("a", "1")).path("/").build());
    response.add_header(LOCATION, "/app", true).unwrap();
    response.render(shown(request.extensions().get(), request.uri()));
}

/// Gives the layer after it the address of the peer.
#[handler]
async fn salvo_peer(request: &mut salvo::Request) {
    let addr = request.remote_addr().clone().into_std().unwrap();
    request.extensions_mut().insert(PeerAddr(addr));
}

fn salvo_app() -> salvo::Router {
    // Unlike poem and axum, salvo leaves the path of a mount in the request path.
    let mounted = |path| RootPathLayer::new(path).strip_if_present();
    let page = || salvo::Router::with_path("app").get(salvo_page);
    let sub_layer = TowerLayerCompat::compat(mounted("/sub"));
    let sub_app = salvo::Router::with_path("sub").hoop(sub_layer).push(page());
    let tower_app = mounted("/tower").layer(service_fn(tower_app));
    let tower_app = TowerServiceCompat::compat(tower_app);
    let tower_app = salvo::Router::with_path("tower/{**path}").goal(tower_app);
    let app = salvo::Router::new().push(page());
    app.push(sub_app).push(tower_app)
}

/// salvo runs hoops after routing, as axum does with `Router::layer`. So paths with the prefix need
/// routes of their own.
fn within_salvo(layer: RootPathLayer) -> salvo::Router {
    let unstripped = salvo::Router::with_path("api/v1").push(salvo_app());
    let layer = TowerLayerCompat::compat(layer);
    let app = salvo_app().push(unstripped);
    app.hoop(salvo_peer).hoop(layer)
}

fn salvo_service(app: salvo::Router) -> App {
    let addr = salvo::conn::SocketAddr::from(peer());
    let (app, conn) = (salvo::Service::new(app), ConnCtrl::new());
    let app = app.hyper_handler(addr.clone(), addr, Scheme::HTTP, None, conn, None);
    let app = service_fn(move |request| app.call(request))
        .map_request(|request: Request| request.map(|_| ReqBody::None))
        .map_response(|response| response.map(Body::new))
        .map_err(|error| -> Infallible { panic!("{error}") });
    BoxCloneSyncService::new(app)
}

async fn get(app: &App, uri: &str, forwarded: Option<&str>) -> (http::HeaderMap, String) {
    let mut request = Request::get(uri).header("host", "app.example");
    if let Some(prefix) = forwarded {
        request = request.header("x-forwarded-prefix", prefix);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
    let (head, body) = response.await.unwrap().into_parts();
    let body = to_bytes(body, 1000).await.unwrap();
    (head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_layer_does_all_its_work_within_poem_and_salvo_and_around_them() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("/api/v1")
        .strip_if_present()
        .with_forwarded(forwarded)
        .rewrite(Rewrite::all());
    let layers = (Extension(PeerAddr(peer())), layer.clone());
    let around = |app: App| BoxCloneSyncService::new(layers.layer(app));
    let nested = RootPathLayer::nested();
    let mounted = Router::new()
        .nest_service("/poem", nested.layer(poem_service(poem_app())))
        .nest_service("/salvo", nested.layer(salvo_service(salvo_app())));
    let mounted = around(BoxCloneSyncService::new(mounted));
    let within_poem = poem_service(within_poem(layer.clone(), poem_app()));
    let within_salvo = salvo_service(within_salvo(layer.clone()));
    for (name, app, mount) in [
        ("within poem", within_poem, ""),
        ("around poem", around(poem_service(poem_app())), ""),
        ("poem in axum", mounted.clone(), "/poem"),
        ("within salvo", within_salvo, ""),
        ("around salvo", around(salvo_service(salvo_app())), ""),
        ("salvo in axum", mounted, "/salvo"),
    ] {
        for (sent, forwarded, root_path) in [
            ("", None, "/api/v1"),
            ("/api/v1", None, "/api/v1"),
            ("", Some("/forwarded"), "/forwarded"),
        ] {
            for sub in ["", "/sub", "/tower"] {
                let case = format!("{name}: {sent}{sub} {forwarded:?}");
                let uri = format!("{sent}{mount}{sub}/app");
                let (headers, body) = get(&app, &uri, forwarded).await;
                let root_path = format!("{root_path}{mount}{sub}");
                // After axum has routed, no layer strips, so salvo's own mounts stay in the path.
                let left = if name == "salvo in axum" { sub } else { "" };
                assert_eq!(body, format!("{root_path} {left}/app"), "{case}");
                assert_eq!(headers[LOCATION], format!("{root_path}/app"), "{case}");
                let cookie = format!("a=1; Path={root_path}");
                assert_eq!(headers[SET_COOKIE], cookie, "{case}");
            }
        }
    }
}
