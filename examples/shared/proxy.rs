//! A reverse proxy: `StripPrefixLayer` around axum-reverse-proxy.
//!
//! The layer strips the prefix and sends it to the app in `X-Forwarded-Prefix`. axum-reverse-proxy
//! forwards the request: it removes hop-by-hop headers, streams the bodies, and passes on upgrades
//! to WebSocket, but not to `h2c`: requests on such a connection would bypass the layer.

use axum::{
    extract::Request,
    http::{header::HOST, HeaderName, Uri},
    middleware::map_request,
    Router,
};
use axum_reverse_proxy::{HostBehaviour, ProxyPolicy, ReverseProxy};
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use tower::Layer;
use tower_root_path::{RootPath, StripPrefixLayer};

/// Publishes the app at `upstream` under `prefix`. `X-Forwarded-*` headers of requests are kept
/// only if `trust_previous_hop`.
pub(crate) fn publish(prefix: &RootPath, upstream: &Uri, trust_previous_hop: bool) -> Router {
    let mut layer = StripPrefixLayer::new(prefix.clone());
    if trust_previous_hop {
        layer = layer.trust_previous_hop();
    }
    let app = layer.layer(reverse_proxy(upstream));

    // Not `nest_service`, which would strip the prefix before the layer does.
    let mut router = Router::new()
        .route_service(&format!("{prefix}/"), app.clone())
        .route_service(&format!("{prefix}/{{*path}}"), app.clone());
    if !prefix.is_empty() {
        router = router.route_service(prefix.as_str(), app);
    }
    if !trust_previous_hop {
        router = router.layer(map_request(remove_forwarded));
    }
    router.layer(map_request(set_host))
}

/// Forwards requests to `upstream`: `http://HOST:PORT`, or `h2c://HOST:PORT` for an app that
/// expects HTTP/2 without TLS, such as a gRPC server.
fn reverse_proxy(upstream: &Uri) -> ReverseProxy<HttpConnector> {
    let is_http2 = upstream.scheme_str() == Some("h2c");
    let client = Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build_http();
    let policy = ProxyPolicy::new()
        .with_public_scheme("http")
        .with_host_behaviour(if is_http2 {
            // `Host` must not differ from `:authority`, the address of the app.
            HostBehaviour::Replace
        } else {
            HostBehaviour::Preserve
        });
    let target = upstream.to_string().replacen("h2c:", "http:", 1);
    ReverseProxy::new_with_client("/", target, client).with_policy(policy)
}

/// Leaves one `Host`: the authority of the URI, if it has one, overrides the header (RFC 9112,
/// section 3.2.2, and RFC 9113, section 8.3.1).
async fn set_host(mut request: Request) -> Request {
    let host = match request.uri().authority() {
        Some(authority) => {
            let host = authority.as_str().rsplit('@').next();
            host.and_then(|host| host.parse().ok())
        }
        None => request.headers().get(HOST).cloned(),
    };
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    request
}

/// Removes what only a proxy may send, also in spellings such as `X_Forwarded_Host`, which some
/// apps read as the same name.
async fn remove_forwarded(mut request: Request) -> Request {
    let is_forwarded = |name: &&HeaderName| {
        let name = name.as_str().replace(['_', '.'], "-");
        name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    };
    let names = request.headers().keys().filter(is_forwarded);
    for name in names.cloned().collect::<Vec<_>>() {
        request.headers_mut().remove(name);
    }
    request
}
