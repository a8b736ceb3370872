//! gRPC under a prefix: a server and a client with tonic.
//!
//! ```text
//! cargo run --all-features --example tonic
//! ```
//!
//! Behind a proxy, the flags choose the row of the table of configurations:
//!
//! ```text
//! cargo run --all-features --example tonic -- --listen 127.0.0.1:8000
//! nginx with proxies/nginx/grpc.conf
//!
//! cargo run --all-features --example tonic -- --listen 127.0.0.1:8000 --prefix-header x-forwarded-prefix
//! Traefik with proxies/traefik/grpc.toml
//!
//! cargo run --all-features --example tonic -- --listen 127.0.0.1:8000 --original-path-header x-envoy-original-path
//! Envoy with proxies/envoy/grpc.yaml
//! ```

use clap::Parser;
use http::HeaderName;
use std::{error::Error, net::SocketAddr};
use tokio::net::TcpListener;
use tonic::transport::{server::TcpIncoming, Endpoint, Server};
use tonic_health::pb::{health_client::HealthClient, HealthCheckRequest};
use tower::ServiceBuilder;
use tower_root_path::{AddPrefixLayer, ForwardedPrefix, RootPathLayer, TrustedProxies};

/// gRPC under a prefix
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Read the prefix from this header, if it comes from this machine
    #[arg(long, value_name = "NAME", conflicts_with = "original_path_header")]
    prefix_header: Option<HeaderName>,
    /// Read the original path from this header, if it comes from this machine
    #[arg(long, value_name = "NAME")]
    original_path_header: Option<HeaderName>,
}

impl Args {
    fn forwarded(self) -> Option<ForwardedPrefix> {
        let trusted = TrustedProxies::loopback();
        match (self.prefix_header, self.original_path_header) {
            (Some(name), _) => Some(ForwardedPrefix::prefix_header(name, trusted)),
            (None, Some(name)) => Some(ForwardedPrefix::original_path_header(name, trusted)),
            (None, None) => None,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");

    // A proxy that sends the prefix has stripped it, so the app does not answer with it.
    let (layer, prefixes) = match args.forwarded() {
        Some(forwarded) => (RootPathLayer::new("").with_forwarded(forwarded), &[""][..]),
        None => (
            RootPathLayer::new("/grpc").strip_if_present(),
            &["/grpc", ""][..],
        ),
    };

    // The health service reports the whole server as serving.
    let (_reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let server = Server::builder()
        .layer(layer)
        .add_service(health)
        .add_service(reflection);
    let incoming = TcpIncoming::from(listener);
    let server = tokio::spawn(server.serve_with_incoming(incoming));

    // The client adds the prefix, as it has to if a proxy publishes the services under a prefix.
    let channel = Endpoint::from_shared(format!("http://{addr}"))?
        .connect()
        .await?;
    let channel = ServiceBuilder::new()
        .layer(AddPrefixLayer::new(prefixes[0]))
        .service(channel);
    let checked = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await?;
    let path = "/grpc.health.v1.Health/Check";
    println!("{}{path}: {:?}", prefixes[0], checked.get_ref());

    // An empty message is a frame of five bytes. The response has two more, 08 01: serving.
    for prefix in prefixes {
        println!(
            "printf '\\0\\0\\0\\0\\0' | curl -si --http2-prior-knowledge --data-binary @- \
             -H 'content-type: application/grpc' \
             http://{addr}{prefix}{path} | cat -v"
        );
    }
    server.await??;
    Ok(())
}
