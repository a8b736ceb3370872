//! gRPC through real proxies, with the configurations of `examples/proxies/*/grpc.*`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test grpc_proxies -- --ignored
//! ```

mod echo;
mod support;

use echo::{assert_answers, connect, listen, say, Echo, EchoClient, EchoServer, Serving};
use futures_util::stream;
use std::{net::SocketAddr, path::Path, process::Command};
use support::{
    process::{root, Example},
    proxy::{Config, GRPC_FILES},
};
use tonic::{
    transport::{Channel, Server},
    Code,
};
use tower_root_path::{AddPrefix, ForwardedPrefix, RootPathLayer, TrustedProxies};

async fn start(layer: RootPathLayer) -> (SocketAddr, Serving) {
    let (addr, incoming) = listen().await;
    let server = Server::builder()
        .layer(layer)
        .add_service(EchoServer::new(Echo::default()));
    (addr, Serving::start(server.serve_with_incoming(incoming)))
}

/// A proxy configuration and its layer.
struct Case {
    name: String,
    config: Config,
    layer: RootPathLayer,
    strips: bool,
}

/// Each configuration as it is, and changed from stripping to not stripping or the other way round.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for file in GRPC_FILES {
        let mut config = Config::read(file);
        let (strips, from, to) = match file.split('/').next() {
            Some("nginx") => (
                false,
                "grpc_pass ",
                "rewrite ^/grpc(/.*) $1 break; grpc_pass ",
            ),
            Some("traefik") => {
                config = config.arg(READ_TIMEOUT);
                (true, "middlewares = [\"grpc\"]", "")
            }
            Some("envoy") => (true, "prefix_rewrite: /", ""),
            _ => panic!("{file}: unknown proxy"),
        };
        cases.push(Case {
            name: (*file).to_owned(),
            layer: config.layer(),
            config: config.clone(),
            strips,
        });
        cases.push(Case {
            name: format!("{file} with {to:?} for {from:?}"),
            layer: RootPathLayer::new("/grpc").strip_if_present(),
            config: config.with(from, to),
            strips: !strips,
        });
    }
    cases
}

/// The option on the command line in `traefik/grpc.toml`.
const READ_TIMEOUT: &str = "--entryPoints.http.transport.respondingTimeouts.readTimeout=0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nginx, Envoy and Traefik"]
async fn a_service_answers_behind_proxies_that_strip_and_that_do_not() {
    for case in cases() {
        let name = case.name;
        let (app, _server) = start(case.layer.clone()).await;
        let proxy = case.config.start(app);
        assert_published(proxy.addr(), &name).await;

        // Without stripping in the layer, the service is found only if the proxy strips.
        let (app, _server) = start(RootPathLayer::new("/grpc")).await;
        let proxy = case.config.start(app);
        let answer = client(proxy.addr()).await.unary(say("one")).await;
        let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        let expected = if case.strips {
            Code::Ok
        } else {
            Code::Unimplemented
        };
        assert_eq!(code, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python"]
async fn a_service_answers_behind_the_example_gateway() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let (app, _server) = start(RootPathLayer::new("").with_forwarded(forwarded)).await;
    let gateway = Example::start("gateway", &["--route", &format!("/grpc=h2c://{app}")]);
    assert_published(gateway.addr(), "gateway").await;
}

async fn client(public: SocketAddr) -> EchoClient<AddPrefix<Channel>> {
    EchoClient::new(AddPrefix::new(connect(public).await, "/grpc"))
}

/// Asserts that clients in Rust and in Python find the service under `/grpc`.
async fn assert_published(public: SocketAddr, proxy: &str) {
    let mut client = client(public).await;
    assert_answers(&mut client, "/grpc", proxy).await;

    // More than nginx accepts by default.
    let large = "x".repeat(1_000_000);
    let says = stream::iter([say(&large), say(&large), say(&large)]);
    let response = client.client_streaming(says).await;
    let response = response.unwrap_or_else(|status| panic!("{proxy}: {status:?}"));
    assert_eq!(response.get_ref().text.len(), 3_000_002, "{proxy}");

    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grpc_client.py");
    let output = Command::new(root().join("target/tools/bin/python"))
        .arg(program)
        .args([&public.port().to_string(), "/grpc"])
        .output()
        .expect("run interop/install-tools.sh");
    let [printed, errors] = [output.stdout, output.stderr].map(String::from_utf8);
    let expected = [
        "one /grpc",
        "one /grpc",
        "two /grpc",
        "three /grpc",
        "StatusCode.OK",
        "StatusCode.INVALID_ARGUMENT caf\u{e9} / tea",
    ];
    let printed = printed.unwrap();
    let lines = printed.lines().collect::<Vec<_>>();
    assert_eq!(lines, expected, "{proxy}: {}", errors.unwrap());
}
