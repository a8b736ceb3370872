//! gRPC under a prefix: a server and a client with tonic.
//!
//! ```text
//! cargo run --all-features --example tonic
//! ```

mod shared;

use clap::Parser;
use std::{error::Error, net::SocketAddr};
use tonic::transport::{server::TcpIncoming, Endpoint, Server};
use tonic_health::pb::{health_client::HealthClient, HealthCheckRequest};
use tower::ServiceBuilder;
use tower_root_path::{AddPrefixLayer, RootPathLayer};

/// gRPC under a prefix
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Args = shared::cli::parse();
    let listener = shared::cli::listen("--listen", args.listen).await;
    let addr = listener.local_addr()?;
    println!("listening on http://{addr}");

    // The health service reports the whole server as serving.
    let (_reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let server = Server::builder()
        .layer(RootPathLayer::new("/grpc").strip_if_present())
        .add_service(health)
        .add_service(reflection);
    let incoming = TcpIncoming::from(listener);
    let server = tokio::spawn(server.serve_with_incoming(incoming));

    // The client adds the prefix, as it has to if a proxy publishes the services under a prefix.
    let channel = Endpoint::from_shared(format!("http://{addr}"))?
        .connect()
        .await?;
    let channel = ServiceBuilder::new()
        .layer(AddPrefixLayer::new("/grpc"))
        .service(channel);
    let checked = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await?;
    println!("/grpc/grpc.health.v1.Health/Check: {:?}", checked.get_ref());

    // An empty message is a frame of five bytes. The response has two more, 08 01: serving.
    for prefix in ["/grpc", ""] {
        println!(
            "printf '\\0\\0\\0\\0\\0' | curl -si --http2-prior-knowledge --data-binary @- \
             -H 'content-type: application/grpc' \
             http://{addr}{prefix}/grpc.health.v1.Health/Check | cat -v"
        );
    }
    server.await??;
    Ok(())
}
