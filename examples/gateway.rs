//! A gateway: publishes several apps under a prefix each, and tells each of them its own. What sends
//! the requests on is in `shared/proxy.rs`.
//!
//! ```text
//! cargo run --all-features --example gateway
//! cargo run --all-features --example gateway -- --route /api=http://127.0.0.1:8000 --route /grpc=h2c://127.0.0.1:50051
//! ```
//!
//! The first one brings two apps of its own. Behind another gateway it has to be told so:
//!
//! ```text
//! cargo run --all-features --example gateway -- --trust-previous-hop
//! cargo run --all-features --example gateway -- --listen 127.0.0.1:9998 --route /outer=http://127.0.0.1:9999
//! curl -i http://127.0.0.1:9998/outer/shop/
//! ```
//!
//! It has no TLS, no timeouts and no limits: those are for a gateway that the world can reach.

mod shared;

use axum::{
    response::Redirect,
    routing::{any, get},
    Router,
};
use clap::Parser;
use shared::proxy::{forward, Upstream};
use std::{collections::HashSet, net::SocketAddr, str::FromStr};
use tower::Layer;
use tower_root_path::{ForwardedPrefix, RootPath, RootPathLayer, StripPrefixLayer, TrustedProxies};

/// Publishes several apps under a prefix each
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9999")]
    listen: SocketAddr,
    /// What is published where, such as /api=http://127.0.0.1:8000; h2c:// for gRPC; may be given
    /// several times
    #[arg(long, value_name = "PREFIX=URL")]
    route: Vec<Route>,
    /// Only another gateway can reach this one: its word counts
    #[arg(long)]
    trust_previous_hop: bool,
}

#[derive(Clone)]
struct Route {
    prefix: RootPath,
    upstream: Upstream,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(route: &str) -> Result<Self, String> {
        let (prefix, url) = route
            .rsplit_once('=')
            .ok_or_else(|| format!("{route:?} must be of the form PREFIX=URL"))?;
        let prefix = prefix
            .parse::<RootPath>()
            .map_err(|error| error.to_string())?;
        let upstream = url.parse()?;
        Ok(Self { prefix, upstream })
    }
}

#[tokio::main]
async fn main() {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;
    let mut routes = args.route;
    if routes.is_empty() {
        for prefix in ["/shop", "/news/today"] {
            let addr = start_app(args.trust_previous_hop).await;
            let route = format!("{prefix}=http://{addr}");
            routes.push(route.parse().expect("it is a route"));
        }
    }
    let mut gateway = Router::new().without_v07_checks();
    let mut pages = Vec::new();
    let mut prefixes = HashSet::new();
    for Route { prefix, upstream } in routes {
        if !prefixes.insert(prefix.clone()) {
            shared::cli::fail(format!("--route: {prefix:?} is there twice"), 2);
        }
        if upstream.is_for_browsers() {
            pages.push(format!("{prefix}/"));
        }
        let mut layer = StripPrefixLayer::new(prefix.clone());
        if args.trust_previous_hop {
            layer = layer.trust_previous_hop();
        }
        let upstream = upstream.trust_previous_hop(args.trust_previous_hop);
        let app = layer.layer(any(forward).with_state(upstream));
        for path in ["", "/", "/{*rest}"] {
            let path = format!("{prefix}{path}");
            if !path.is_empty() {
                gateway = gateway.route_service(&path, app.clone());
            }
        }
    }
    let pages: Vec<_> = pages.iter().map(String::as_str).collect();
    shared::cli::serve(listener, gateway, &pages).await;
}

/// An app to be published, which is told its prefix, and redirects from `/` to another page.
async fn start_app(is_behind_two: bool) -> SocketAddr {
    let listener = shared::cli::listen("--listen", ([127, 0, 0, 1], 0).into()).await;
    let addr = listener.local_addr().expect("a listener has an address");
    let told = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let hello = |root_path: RootPath| async move { format!("This is {root_path}\n") };
    let app = Router::new()
        .route("/", get(|| async { Redirect::to("/hello") }))
        .route("/hello", get(hello))
        .layer(RootPathLayer::new("").with_forwarded(told.hops(if is_behind_two { 2 } else { 1 })));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await });
    addr
}
