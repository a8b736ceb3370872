//! A gateway: a reverse proxy that publishes several apps, each under its own prefix. The proxy is
//! in `shared/proxy.rs`, which you can copy.
//!
//! ```text
//! cargo run --all-features --example gateway
//! cargo run --all-features --example gateway -- --route /api=http://127.0.0.1:8000 --route /grpc=h2c://127.0.0.1:50051
//! ```
//!
//! Without `--route`, it starts two apps and publishes them. Two gateways in a row:
//!
//! ```text
//! cargo run --all-features --example gateway -- --trust-previous-hop
//! cargo run --all-features --example gateway -- --listen 127.0.0.1:9998 --route /outer=http://127.0.0.1:9999
//! curl -i http://127.0.0.1:9998/outer/shop/
//! ```
//!
//! A public gateway also needs TLS, timeouts and limits. This one has none of them.

mod shared;

use axum::{http::Uri, response::Redirect, routing::get, Router};
use clap::Parser;
use std::{collections::HashSet, net::SocketAddr};
use tower_root_path::{ForwardedPrefix, RootPath, RootPathLayer, TrustedProxies};

/// Publishes several apps, each under its own prefix
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9999")]
    listen: SocketAddr,
    /// A prefix and the app to publish there, such as /api=http://127.0.0.1:8000; h2c:// for gRPC;
    /// repeatable
    #[arg(long, value_name = "PREFIX=URL", value_parser = parse_route)]
    route: Vec<(RootPath, Uri)>,
    /// Trust the X-Forwarded-* headers of requests: only another gateway can reach this one
    #[arg(long)]
    trust_previous_hop: bool,
}

fn parse_route(route: &str) -> Result<(RootPath, Uri), String> {
    let Some((prefix, url)) = route.rsplit_once('=') else {
        return Err(format!("{route:?} must be of the form PREFIX=URL"));
    };
    let prefix = RootPath::try_from(prefix).map_err(|error| error.to_string())?;
    let uri: Uri = url.parse().map_err(|error| format!("{url:?}: {error}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "h2c")) {
        return Err(format!("{url:?} must begin with http:// or h2c://"));
    }
    // Refuses user information, and ports above 65535.
    let port = uri.port().map(|port| format!(":{port}"));
    let host = uri.host().unwrap_or_default().to_owned() + &port.unwrap_or_default();
    if uri.authority().is_some_and(|authority| *authority == *host) {
        Ok((prefix, uri))
    } else {
        Err(format!("{url:?} must be of the form SCHEME://HOST:PORT"))
    }
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;
    let mut routes = args.route;
    if routes.is_empty() {
        for prefix in ["/shop", "/news/today"] {
            let upstream = start_app(args.trust_previous_hop).await;
            routes.push((RootPath::from_static(prefix), upstream));
        }
    }
    let mut gateway = Router::new();
    let mut pages = Vec::new();
    let mut prefixes = HashSet::new();
    for (prefix, upstream) in &routes {
        if !prefixes.insert(prefix) {
            shared::cli::fail(
                format_args!("--route: the prefix {prefix:?} is not unique"),
                2,
            );
        }
        if upstream.scheme_str() == Some("http") {
            pages.push(format!("{prefix}/"));
        }
        let app = shared::proxy::publish(prefix, upstream, args.trust_previous_hop);
        gateway = gateway.merge(app);
    }
    let pages: Vec<_> = pages.iter().map(String::as_str).collect();
    shared::cli::serve(listener, gateway, &pages).await;
}

/// Starts an app that reads its root path from `X-Forwarded-Prefix`, and redirects from `/` to
/// another page.
async fn start_app(has_two_gateways: bool) -> Uri {
    let listener = shared::cli::listen("--listen", ([127, 0, 0, 1], 0).into()).await;
    let addr = listener.local_addr().expect("a listener has an address");
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let forwarded = forwarded.hops(if has_two_gateways { 2 } else { 1 });
    let hello = |root_path: RootPath| async move { format!("This is {root_path}\n") };
    let app = Router::new()
        .route("/", get(|| async { Redirect::to("/hello") }))
        .route("/hello", get(hello))
        .layer(RootPathLayer::new("").with_forwarded(forwarded));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await });
    let url = format!("http://{addr}");
    url.parse().expect("the URL is valid")
}
