//! hyper without a framework: HTTP/1 and HTTP/2 on one port. The server adds the `PeerAddr` itself.
//! The proxy is `proxies/nginx/no-strip.conf` or `proxies/nginx/ingress.conf`.
//!
//! ```text
//! cargo run --all-features --example hyper
//! ```

use clap::Parser;
use http::{header::LOCATION, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{convert::Infallible, io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_root_path::{ForwardedPrefix, PeerAddr, RootPath, RootPathLayer, TrustedProxies};

/// hyper without a framework
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(Args::parse().listen).await?;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");
    for path in ["/app", "/api/v1/app", "/"] {
        println!("curl -i http://{addr}{path}");
    }
    println!("curl -i --http2-prior-knowledge -H 'x-forwarded-prefix: /api/v2' http://{addr}/");

    // A forwarded root path overrides the configured one.
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("/api/v1")
        .with_forwarded(forwarded)
        .strip_if_present();
    loop {
        let (stream, peer_addr) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, for example: retrying at once would fail again.
                eprintln!("{error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(PeerAddr(peer_addr));
                request
            })
            .layer(layer.clone())
            .service_fn(app);
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service);
            let stream = TokioIo::new(stream);
            let served = server.serve_connection_with_upgrades(stream, service);
            if let Err(error) = served.await {
                eprintln!("{peer_addr}: {error}");
            }
        });
    }
}

async fn app(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let root_path = RootPath::from_extensions(request.extensions());
    let response = match request.uri().path() {
        "/" => Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(LOCATION, "/app")
            .body(String::new()),
        "/app" => Response::builder().body(format!("Hello World at {root_path:?}\n")),
        path => Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(format!("{path} not found\n")),
    };
    Ok(response.expect("all parts are valid"))
}
