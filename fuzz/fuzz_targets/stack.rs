//! A request through stacked layers and nested routers. The last lines of an input are the layers,
//! the outermost first.
#![cfg_attr(fuzzing, no_main)]

use axum::{body::Body, extract::Request, response::Response, Router};
use futures_util::FutureExt;
use fuzz::{decoded, follow, is_under};
use http::{
    header::{CONTENT_LOCATION, LOCATION},
    HeaderName, HeaderValue,
};
use std::convert::Infallible;
use tower::{service_fn, util::BoxCloneSyncService, Layer, ServiceExt};
use tower_root_path::{
    BaseUrl, ForwardedPrefix, PublicUri, Rewrite, RootPath, RootPathLayer, StripPrefixLayer,
    TrustedProxies,
};
use url::Url;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-original-uri");
const OWN_PATH: &str = "/path-of-the-app";

type Service = BoxCloneSyncService<Request, Response, Infallible>;

/// What the app receives.
#[derive(Clone)]
struct Seen {
    path: String,
    root_path: RootPath,
    base_url: Option<BaseUrl>,
    public_uri: Option<PublicUri>,
}

fuzz::target!(check);

fn check([uri, forwarded, original_path, reference, stack]: [&[u8]; 5]) -> Option<()> {
    let stack = std::str::from_utf8(stack).ok()?;
    let layers = stack.lines().take(8).map(|line| line.split_once(' '));
    let stack: Vec<(&str, &str)> = layers.collect::<Option<_>>()?;
    let request = || {
        let mut request = Request::get(uri).body(Body::empty()).ok()?;
        for (name, value) in [(FORWARDED, forwarded), (ORIGINAL_PATH, original_path)] {
            let value = HeaderValue::from_bytes(value).ok()?;
            if !value.is_empty() {
                request.headers_mut().insert(name, value);
            }
        }
        Some(request)
    };
    let respond = |reference: &HeaderValue| {
        let mut layers = stack.iter().rev();
        let service = layers.try_fold(app(reference.clone()), |inner, (kind, path)| {
            wrap(inner, kind, path)
        });
        // Inner layers get the origin and the headers to rewrite from this one.
        let layer = RootPathLayer::new("")
            .public_origin("https://pub.example")
            .rewrite(Rewrite::all());
        layer
            .layer(service?)
            .oneshot(request()?)
            .now_or_never()?
            .ok()
    };
    let value = HeaderValue::from_bytes(reference).ok()?;
    let response = respond(&value)?;
    let Some(seen) = response.extensions().get::<Seen>().cloned() else {
        return Some(()); // No router has a route to the app.
    };
    let once = &response.headers()[LOCATION];
    assert_eq!(
        respond(once)?.headers()[LOCATION],
        once,
        "a second pass changes nothing"
    );

    // No new origin, and none that comes from the request.
    let page = Url::parse("https://pub.example/x").unwrap();
    let stays = |reference: &[u8]| {
        let landed = follow(&page, reference);
        landed.is_some_and(|landed| landed.origin() == page.origin())
    };
    let path = seen.path.as_bytes();
    let is_reflected =
        value.as_bytes().starts_with(b"/") && !(stays(path) && stays(&decoded(path)));
    // Inside the other layers, a gateway changes the path that they saw.
    let has_gateway = stack.iter().any(|(kind, _)| *kind == "gateway");
    let may_leave = once == value && (!is_reflected || has_gateway);
    assert!(
        stays(once.as_bytes()) || may_leave,
        "{value:?} became {once:?}"
    );

    // What the app reads is what its references get, and the public URL.
    let root_path = seen.root_path.as_str();
    let rewrites = stack.iter().all(|(kind, _)| *kind != "silent");
    if rewrites && !root_path.contains(OWN_PATH) {
        let own = response.headers()[CONTENT_LOCATION].to_str().unwrap();
        assert_eq!(own, [root_path, OWN_PATH].concat());
        assert_eq!(
            seen.base_url?.join(OWN_PATH),
            format!("https://pub.example{own}")
        );
    }
    let public_uri = Url::parse(&seen.public_uri?.to_string()).unwrap();
    assert_eq!(public_uri.origin(), page.origin());
    let reference = reference.trim_ascii();
    if rewrites && reference.starts_with(b"/") && !reference.starts_with(b"//") {
        // A mount may be spelled as the client wrote it.
        let once = decoded(once.as_bytes().trim_ascii());
        let root_path = decoded(root_path.as_bytes());
        assert!(once.starts_with(&root_path));
    }
    if let Some((expected, path)) = model(&request()?, &stack) {
        assert_eq!((root_path, seen.path), (&*expected, path));
    }
    Some(())
}

fn app(reference: HeaderValue) -> Service {
    BoxCloneSyncService::new(service_fn(move |request: Request| {
        let extensions = request.extensions();
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Seen {
            path: request.uri().path().to_owned(),
            root_path: RootPath::from_extensions(extensions),
            base_url: BaseUrl::from_extensions(extensions).ok(),
            public_uri: PublicUri::from_extensions(extensions).ok(),
        });
        response.headers_mut().insert(LOCATION, reference.clone());
        response
            .headers_mut()
            .insert(CONTENT_LOCATION, HeaderValue::from_static(OWN_PATH));
        async { Ok(response) }
    }))
}

fn wrap(inner: Service, kind: &str, path: &str) -> Option<Service> {
    let root_path = path.parse::<RootPath>();
    let layer = || Some(RootPathLayer::from(root_path.clone().ok()?));
    let layer = match kind {
        "root-path" => layer()?,
        "strip" => layer()?.strip_if_present(),
        "forwarded" => {
            layer()?.with_forwarded(ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all()))
        }
        "original-path" => {
            let forwarded =
                ForwardedPrefix::original_path_header(ORIGINAL_PATH, TrustedProxies::all());
            layer()?.with_forwarded(forwarded).strip_if_present()
        }
        "own-origin" => layer()?.rewrite(Rewrite::all().own_origin("http://app:3000")),
        "silent" => layer()?.rewrite(Rewrite::none()),
        "gateway" => {
            let layer = StripPrefixLayer::from(root_path.ok()?).trust_previous_hop();
            return Some(BoxCloneSyncService::new(layer.layer(inner)));
        }
        "nest" if ["/sub", "/t/{tenant}", "/a/{b}/c", "/api"].contains(&path) => {
            let nested = RootPathLayer::nested().layer(inner);
            return Some(BoxCloneSyncService::new(
                Router::new().nest_service(path, nested),
            ));
        }
        _ => return None,
    };
    Some(BoxCloneSyncService::new(layer.layer(inner)))
}

/// The root path and the path that the app receives, if they depend on the request path alone, and
/// mounts have no parameters.
fn model(request: &Request, stack: &[(&str, &str)]) -> Option<(String, String)> {
    let (mut whole, mut path) = (String::new(), request.uri().path());
    let mut is_routed = false;
    for (kind, configured) in stack {
        let configured = configured.trim_end_matches('/');
        let is_added = whole.len() + configured.len() <= RootPath::MAX_LEN;
        let is_stripped = match *kind {
            "root-path" | "own-origin" | "silent" => false,
            "strip" => is_added && !is_routed && is_under(path.as_bytes(), configured),
            "nest" if !configured.contains('{') => true,
            _ => return None,
        };
        if is_stripped && !configured.is_empty() {
            path = match &path[configured.len()..] {
                "" => "/",
                // axum strips a slash as well, and inserts one if there is none.
                rest if *kind == "nest" && rest.starts_with("//") => &rest[1..],
                rest => rest,
            };
        }
        is_routed |= *kind == "nest";
        if is_added {
            whole.push_str(configured);
        }
    }
    Some((whole, path.to_owned()))
}
