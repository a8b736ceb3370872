//! The rows: a layer, the requests, and what the app answers.

use crate::{page::page, request::Template};
use axum::{
    body::{Body, HttpBody},
    extract::Request as AxumRequest,
    middleware::{from_fn, Next},
    response::Response as AxumResponse,
    routing::any,
    Router,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
    HeaderMap, HeaderValue, Request, Response, StatusCode,
};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    fmt::Debug,
    future::{ready, Ready},
    hint::black_box,
    sync::Arc,
};
use tower::{
    service_fn,
    util::{MapResponseLayer, ServiceFn},
    Layer, Service,
};
use tower_http::{
    add_extension::AddExtensionLayer, compression::CompressionLayer,
    normalize_path::NormalizePathLayer, set_header::SetResponseHeaderLayer,
};
use tower_root_path::{BaseHrefLayer, ForwardedPrefix, RootPath, RootPathLayer, TrustedProxies};

/// 24 bytes, with the slash at the end that `NormalizePathLayer` trims.
const UNSTRIPPED: &str = "/api/v1/users/42/?page=2";
const STRIPPED: &str = "/users/42/?page=2";
pub(crate) const PREFIX: &str = "/api/v1";

/// What a request may cost at most.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// The instructions that `http` leaves, with code for this case alone.
    pub(crate) floor: f64,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) budget: Option<Budget>,
    with_layer: Box<dyn Fn(usize)>,
    without: Box<dyn Fn(usize)>,
}

impl Case {
    /// Sends this many requests through the service, or through the one without the layer.
    pub(crate) fn run(&self, with_layer: bool, requests: usize) {
        if with_layer {
            (self.with_layer)(requests);
        } else {
            (self.without)(requests);
        }
    }

    /// `share` is that of `NormalizePathLayer`, which cost 3,023 instructions when the shares were
    /// set.
    fn budget(mut self, share: f64, allocations: u32, floor: f64) -> Self {
        self.budget = Some(Budget {
            instructions: (share * 3_023.0).round(),
            allocations: allocations.into(),
            floor,
        });
        self
    }
}

pub(crate) const NORMALIZE_PATH: &str = "NormalizePathLayer of tower-http";

pub(crate) fn all() -> Vec<Case> {
    let forwarded = || ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
    let header = |prefix| Template::new(STRIPPED, &[("x-forwarded-prefix", prefix)]);
    let stripped = || Template::new(STRIPPED, &[]);
    let unstripped = || Template::new(UNSTRIPPED, &[]);
    let asset = Template::with_headers("/assets/app.css", 10);
    vec![
        checked(
            "nothing configured",
            unstripped(),
            ok,
            RootPathLayer::new(""),
            " /api/v1/users/42/?page=2 /users/43/edit",
        )
        .budget(0.056, 0, 77.0),
        checked(
            "already stripped",
            stripped(),
            ok,
            RootPathLayer::new(PREFIX),
            "/api/v1 /users/42/?page=2 /api/v1/users/43/edit",
        )
        .budget(0.22, 1, 450.0),
        checked(
            "strip",
            unstripped(),
            ok,
            RootPathLayer::new(PREFIX).strip_if_present(),
            "/api/v1 /users/42/?page=2 /api/v1/users/43/edit",
        )
        .budget(0.40, 2, 940.0),
        checked(
            "forwarded, equal to the configured one",
            header(PREFIX),
            ok,
            RootPathLayer::new(PREFIX)
                .with_forwarded(forwarded())
                .without_vary(),
            "/api/v1 /users/42/?page=2 /api/v1/users/43/edit",
        )
        .budget(0.30, 1, 655.0),
        checked(
            "redirect rewritten",
            stripped(),
            redirect,
            RootPathLayer::new(PREFIX),
            "/api/v1 /users/42/?page=2 /api/v1/users/43/edit",
        )
        .budget(0.45, 2, 980.0),
        checked(
            "forwarded, another one",
            header("/api/v2"),
            ok,
            RootPathLayer::new(PREFIX).with_forwarded(forwarded()),
            "/api/v2 /users/42/?page=2 /api/v2/users/43/edit",
        ),
        checked(
            NORMALIZE_PATH,
            unstripped(),
            ok,
            NormalizePathLayer::trim_trailing_slash(),
            " /api/v1/users/42?page=2 /users/43/edit",
        ),
        case(
            "AddExtensionLayer",
            stripped(),
            ok,
            AddExtensionLayer::new(Arc::<str>::from(PREFIX)),
        ),
        case(
            "SetResponseHeaderLayer",
            stripped(),
            ok,
            SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ),
        routed(
            "axum from_fn, naively",
            unstripped(),
            from_fn(naive).layer(routes()),
        ),
        routed(
            "axum Router::nest",
            unstripped(),
            Router::new().nest(PREFIX, routes()),
        ),
        routed(
            "the layer around the Router, strip",
            unstripped(),
            RootPathLayer::new(PREFIX)
                .strip_if_present()
                .layer(routes()),
        ),
        routed(
            "wrap, strip",
            unstripped(),
            RootPathLayer::new(PREFIX).strip_if_present().wrap(routes()),
        ),
        routed(
            "Router::layer, already stripped",
            stripped(),
            routes().layer(RootPathLayer::new(PREFIX)),
        ),
        downloaded(
            "BaseHrefLayer, a page",
            &stripped(),
            file(page(), "text/html"),
            BaseHrefLayer::new(),
        ),
        downloaded(
            "BaseHrefLayer, an asset",
            &asset,
            file(page(), "text/css"),
            BaseHrefLayer::new(),
        ),
        downloaded(
            "CompressionLayer, the page",
            &stripped(),
            file(page(), "text/html"),
            CompressionLayer::new(),
        ),
    ]
}

pub(crate) fn find(name: &str) -> Case {
    let case = all().into_iter().find(|case| case.name == name);
    case.unwrap_or_else(|| panic!("there is no case {name:?}"))
}

/// The same as [`case`], for a layer behind which [`echo`] shows what is expected: a layer that does
/// nothing costs little.
fn checked<L, F>(name: &'static str, template: Template, app: F, layer: L, expected: &str) -> Case
where
    F: Fn(Request<()>) -> Ready<Result<Response<()>, Infallible>> + Clone + 'static,
    L: Layer<ServiceFn<F>> + Layer<ServiceFn<Echo>> + 'static,
    <L as Layer<ServiceFn<F>>>::Service:
        Service<Request<()>, Response = Response<()>, Error: Debug>,
    <L as Layer<ServiceFn<Echo>>>::Service:
        Service<Request<()>, Response = Response<()>, Error: Debug>,
{
    let mut service = layer.layer(service_fn(echo as Echo));
    let response = answer(&mut service, template.request());
    let header = |name| response.headers()[name].to_str().expect("it is ASCII");
    let echoed = ["root-path", "uri", "location"].map(header).join(" ");
    assert_eq!(echoed, expected, "{name}");
    case(name, template, app, layer)
}

type Echo = fn(Request<()>) -> Ready<Result<Response<()>, Infallible>>;

/// The root path, the URI and a redirect.
fn echo(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    let (request, ()) = request.into_parts();
    let root_path = RootPath::from_extensions(&request.extensions).to_string();
    let response = Response::builder()
        .header("root-path", root_path)
        .header("uri", request.uri.to_string())
        .header(LOCATION, "/users/43/edit");
    ready(Ok(response.body(()).expect("the values are valid")))
}

/// `layer` around `app`, and `app` alone.
pub(crate) fn case<L, F, AppBody, ResBody>(
    name: &'static str,
    template: Template,
    app: F,
    layer: L,
) -> Case
where
    F: Fn(Request<()>) -> Ready<Result<Response<AppBody>, Infallible>> + Clone + 'static,
    L: Layer<ServiceFn<F>> + 'static,
    L::Service: Service<Request<()>, Response = Response<ResBody>, Error: Debug>,
{
    let template = Arc::new(template);
    let (same_template, same_app) = (Arc::clone(&template), app.clone());
    Case {
        name,
        budget: None,
        with_layer: Box::new(move |requests| {
            send(
                &template,
                requests,
                layer.layer(service_fn(app.clone())),
                |request| request,
            );
        }),
        without: Box::new(move |requests| {
            let service = service_fn(same_app.clone());
            send(&same_template, requests, service, |request| request);
        }),
    }
}

/// The same as [`case`], with a client that reads the body to its end.
fn downloaded<L, F, B>(name: &'static str, template: &Template, app: F, layer: L) -> Case
where
    F: Fn(Request<()>) -> Ready<Result<Response<Body>, Infallible>> + Clone + 'static,
    L: Layer<ServiceFn<F>> + 'static,
    L::Service: Service<Request<()>, Response = Response<B>, Error: Debug>,
    B: HttpBody<Error: Debug> + 'static,
{
    let plain = MapResponseLayer::new(read::<Body>);
    let without = case(name, template.clone(), app.clone(), plain);
    let layers = (MapResponseLayer::new(read::<B>), layer);
    Case {
        without: without.with_layer,
        ..case(name, template.clone(), app, layers)
    }
}

pub(crate) fn ok(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    drop(black_box(request));
    ready(Ok(Response::new(())))
}

fn redirect(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    drop(black_box(request));
    let mut response = Response::new(());
    let location = HeaderValue::from_static("/users/43/edit");
    response.headers_mut().insert(LOCATION, location);
    ready(Ok(response))
}

/// An app whose every response has these headers.
pub(crate) fn responding(
    headers: HeaderMap,
) -> impl Fn(Request<()>) -> Ready<Result<Response<()>, Infallible>> + Clone {
    move |request| {
        drop(black_box(request));
        let mut response = Response::new(());
        response.headers_mut().clone_from(&headers);
        ready(Ok(response))
    }
}

/// An app that answers with this file.
pub(crate) fn file(
    content: Bytes,
    media_type: &'static str,
) -> impl Fn(Request<()>) -> Ready<Result<Response<Body>, Infallible>> + Clone {
    move |request| {
        drop(black_box(request));
        let mut response = Response::new(Body::from(content.clone()));
        let media_type = HeaderValue::from_static(media_type);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        ready(Ok(response))
    }
}

/// Reads the body to its end.
fn read<B>(response: Response<B>) -> Response<()>
where
    B: HttpBody<Error: Debug>,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().now_or_never();
    let body = body.expect("it is there").expect("it does not fail");
    black_box(body.to_bytes());
    Response::from_parts(parts, ())
}

/// The same by hand, as one would write it first.
async fn naive(mut request: AxumRequest, next: Next) -> AxumResponse {
    let uri = request.uri().to_string();
    if let Some(rest) = uri.strip_prefix(PREFIX) {
        *request.uri_mut() = rest.parse().expect("it is a URI");
    }
    request.extensions_mut().insert(PREFIX.to_owned());
    let mut response = next.run(request).await;
    if let Some(location) = response.headers().get(LOCATION) {
        let location = format!("{PREFIX}{}", location.to_str().expect("it is ASCII"));
        let location = HeaderValue::from_str(&location).expect("it is a value");
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn routes() -> Router {
    Router::new().route("/users/{id}/", any(|| async {}))
}

/// `service` around `routes()`, and `routes()` alone.
fn routed<S>(name: &'static str, template: Template, service: S) -> Case
where
    S: Service<AxumRequest, Response = AxumResponse, Error = Infallible> + Clone + 'static,
{
    let body = |request: Request<()>| request.map(|()| Body::empty());
    let flat = Template::new(STRIPPED, &[]);
    let response = answer(&mut service.clone(), body(template.request()));
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    Case {
        name,
        budget: None,
        with_layer: Box::new(move |requests| send(&template, requests, service.clone(), body)),
        without: Box::new(move |requests| send(&flat, requests, routes(), body)),
    }
}

fn send<S, B, ResBody>(
    template: &Template,
    requests: usize,
    mut service: S,
    body: impl Fn(Request<()>) -> Request<B>,
) where
    S: Service<Request<B>, Response = Response<ResBody>, Error: Debug>,
{
    for _ in 0..requests {
        let request = body(template.request());
        black_box(answer(&mut service, black_box(request)));
    }
}

#[inline]
fn answer<S, B, ResBody>(service: &mut S, request: Request<B>) -> Response<ResBody>
where
    S: Service<Request<B>, Response = Response<ResBody>, Error: Debug>,
{
    let response = service.call(request).now_or_never();
    let response = response.expect("the app answers at once");
    response.expect("the app does not fail")
}
