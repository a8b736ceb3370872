//! WebSockets through the configurations of `examples/proxies/` that pass upgrades.
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

/// The others drop the upgrade.
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

/// Says the root path, and then whatever it hears.
async fn echo(upgrade: WebSocketUpgrade, root_path: RootPath) -> Response {
    greet_and_echo(upgrade, root_path.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs all proxies"]
async fn a_web_socket_passes_where_the_proxy_passes_upgrades() {
    for file in FILES {
        let config = Config::read(file);
        let router = Router::new()
            .route("/app", get(|| async {}))
            .route("/echo", get(echo));
        let app = config.layer().wrap(router);
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
        let mut heard = Vec::new();
        for says in ["one", "two", "three"] {
            heard.push(socket.next().await.unwrap().unwrap().into_text().unwrap());
            socket.send(tungstenite::Message::text(says)).await.unwrap();
        }
        assert_eq!(heard, ["/api/v1", "one", "two"], "{file}");
    }
}
