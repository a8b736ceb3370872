//! WebSockets through each configuration of `examples/proxies/`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test proxy_upgrades -- --ignored
//! ```

mod support;

use axum::{extract::ws::WebSocketUpgrade, response::Response, routing::get, Router};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use support::{
    axum::{greet_and_echo, serve},
    proxy::{Config, FILES},
};
use tokio_tungstenite::{connect_async, tungstenite};
use tower_root_path::RootPath;

/// The other configurations drop the upgrade.
const PASS_UPGRADES: &[&str] = &[
    "nginx/ingress.conf",
    "traefik/strip-prefix.toml",
    "traefik/strip-prefix-regex.toml",
    "traefik/chained.toml",
    "traefik/replace-path-regex.toml",
    "caddy/strip.Caddyfile",
    "caddy/header-up.Caddyfile",
    "haproxy/set-header.cfg",
    "haproxy/add-header.cfg",
    "apache/proxy-pass.conf",
    "envoy/prefix-rewrite.yaml",
    "envoy/regex-rewrite.yaml",
    "lighttpd/no-strip.conf",
];

/// Sends the root path, and then each received message back.
async fn echo(upgrade: WebSocketUpgrade, root_path: RootPath) -> Response {
    greet_and_echo(upgrade, root_path.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs all proxies"]
async fn a_websocket_passes_where_the_proxy_passes_upgrades() {
    for file in FILES {
        let config = Config::read(file);
        let router = Router::new()
            .route("/app", get(|| async {}))
            .route("/echo", get(echo));
        let app = config.place(router);
        let (app, _server) = serve(app.into_make_service_with_connect_info::<SocketAddr>()).await;
        let proxy = config.start(app);

        let url = format!("ws://{}/api/v1/echo", proxy.addr());
        let socket = connect_async(url).await;
        assert_eq!(
            socket.is_ok(),
            PASS_UPGRADES.contains(file),
            "{file}: {socket:?}"
        );
        let Ok((mut socket, _)) = socket else {
            continue;
        };
        let mut received = Vec::new();
        for text in ["one", "two", "three"] {
            received.push(socket.next().await.unwrap().unwrap().into_text().unwrap());
            socket.send(tungstenite::Message::text(text)).await.unwrap();
        }
        assert_eq!(received, ["/api/v1", "one", "two"], "{file}");
    }
}
