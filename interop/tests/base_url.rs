//! The base URL of an app behind proxies that terminate TLS, with the configurations of
//! `examples/proxies/*/tls.*` and `forwarded.*`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test base_url -- --ignored
//! ```

mod support;

use axum::{
    extract::ws::WebSocketUpgrade, http::HeaderMap, response::Response, routing::get, Router,
};
use futures_util::StreamExt;
use http::{request::Builder, Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::{json, Value};
use std::{net::SocketAddr, thread};
use support::{
    axum::{greet_and_echo, serve},
    process::Example,
    proxy::{Config, Proxy, TLS_FILES},
    tls,
};
use tokio::runtime::Runtime;
use tokio_tungstenite::{
    tungstenite::{handshake::client::generate_key, protocol::Role},
    WebSocketStream,
};
use tower_root_path::BaseUrl;

/// What a proxy sends to the app with its file of `TLS_FILES`, whatever a client sends.
struct Behaviour {
    file: &'static str,
    /// The fields that the layer of the file reads.
    forwarded: &'static [(&'static str, &'static str)],
    /// The names in `Connection` that the proxy answers with 400. Others change nothing.
    rejected_in_connection: &'static [&'static str],
    /// The field with the scheme of a WebSocket handshake, if the proxy passes upgrades.
    websocket_scheme: Option<&'static str>,
}

const X_FORWARDED: &[(&str, &str)] = &[
    ("x-forwarded-host", "app.example:9999"),
    ("x-forwarded-prefix", "/shop"),
    ("x-forwarded-proto", "https"),
];

const RFC_7239: &[(&str, &str)] = &[
    ("forwarded", "proto=https;host=\"app.example:9999\""),
    ("x-forwarded-prefix", "/shop"),
];

const BEHAVIOURS: [Behaviour; 7] = [
    Behaviour {
        file: "nginx/tls.conf",
        forwarded: X_FORWARDED,
        rejected_in_connection: &[],
        websocket_scheme: Some("https"),
    },
    Behaviour {
        file: "traefik/tls.toml",
        forwarded: &[
            ("x-forwarded-host", "app.example:9999"),
            ("x-forwarded-port", "9999"),
            ("x-forwarded-prefix", "/shop"),
            ("x-forwarded-proto", "https"),
        ],
        rejected_in_connection: &[],
        websocket_scheme: Some("wss"),
    },
    Behaviour {
        file: "caddy/tls.Caddyfile",
        forwarded: X_FORWARDED,
        rejected_in_connection: &[],
        websocket_scheme: Some("https"),
    },
    Behaviour {
        file: "haproxy/tls.cfg",
        forwarded: X_FORWARDED,
        rejected_in_connection: &[],
        websocket_scheme: Some("https"),
    },
    Behaviour {
        file: "envoy/tls.yaml",
        forwarded: X_FORWARDED,
        rejected_in_connection: &["host", "x-forwarded-host", "x-forwarded-proto"],
        websocket_scheme: Some("https"),
    },
    Behaviour {
        file: "nginx/forwarded.conf",
        forwarded: RFC_7239,
        rejected_in_connection: &[],
        websocket_scheme: None,
    },
    Behaviour {
        file: "haproxy/forwarded.cfg",
        forwarded: RFC_7239,
        rejected_in_connection: &[],
        websocket_scheme: Some("proto=https;host=\"app.example:9999\""),
    },
];

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// `whoami` behind a proxy.
struct Site {
    file: &'static str,
    public: SocketAddr,
    /// Whether the app reads `Forwarded`, not `X-Forwarded-*`.
    is_rfc_7239: bool,
    runtime: Runtime,
    _app: Example,
    _proxy: Proxy,
}

impl Site {
    fn new(config: &Config) -> Self {
        let app = Example::whoami(&config.flags());
        let proxy = config.start(app.addr());
        Self {
            file: config.file(),
            public: proxy.addr(),
            is_rfc_7239: config.flags().contains(&"rfc7239"),
            runtime: Runtime::new().unwrap(),
            _app: app,
            _proxy: proxy,
        }
    }

    /// `url` with the port of the proxy in place of 9999.
    fn url(&self, url: &str) -> String {
        url.replace("9999", &self.public.port().to_string())
    }

    /// Sends `GET url` with these header fields. Returns the status, and the body if it is JSON.
    fn get(&self, version: Version, url: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let request = request(&self.url(url), fields).version(version);
        let request = request.body(Empty::new()).unwrap();
        self.runtime.block_on(async {
            let response = tls::send(self.public, request).await;
            let response = response.unwrap_or_else(|error| panic!("{}: {error}", self.file));
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        })
    }

    /// The fields that the app receives of those that its layer reads, sorted.
    fn forwarded(&self, version: Version, fields: &[(&str, &str)]) -> Vec<[String; 2]> {
        let (_, shown) = self.get(version, "https://app.example:9999/shop/show", fields);
        let mut received: Vec<[String; 2]> =
            serde_json::from_value(shown["headers"].clone()).unwrap_or_default();
        received.retain(|[name, _]| match name.as_str() {
            "forwarded" => self.is_rfc_7239,
            "x-forwarded-host" | "x-forwarded-port" | "x-forwarded-proto" => !self.is_rfc_7239,
            name => name == "x-forwarded-prefix",
        });
        received.sort();
        received
    }
}

fn request(url: &str, fields: &[(&str, &str)]) -> Builder {
    let fields = fields.iter();
    fields.fold(Request::get(url), |request, (name, value)| {
        request.header(*name, *value)
    })
}

/// Each proxy, running.
fn sites() -> impl Iterator<Item = (Behaviour, Site)> {
    let files = BEHAVIOURS.iter().map(|behaviour| &behaviour.file);
    assert!(files.eq(TLS_FILES));
    BEHAVIOURS.into_iter().map(|behaviour| {
        let site = Site::new(&Config::read(behaviour.file));
        (behaviour, site)
    })
}

/// URLs, and the base URL of the app at each.
const URLS: [(&str, &str); 4] = [
    (
        "https://app.example:9999/api/v1/base-url?x=%31",
        "https://app.example:9999/api/v1",
    ),
    (
        "https://eu.example.com:9999/shop/base-url",
        "https://eu.example.com:9999/shop",
    ),
    // The sub-app has a base URL of its own.
    (
        "https://eu.example.com:9999/shop/sub/base-url",
        "https://eu.example.com:9999/shop/sub",
    ),
    (
        "https://app.example:9999/shop/t/acme/base-url?y&z=%2F",
        "https://app.example:9999/shop/t/acme",
    ),
];

#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn the_public_uri_is_the_url_that_the_client_opened() {
    for (_, site) in sites() {
        thread::scope(|scope| {
            let rows = VERSIONS.map(|version| URLS.map(|row| (version, row)));
            for (version, (url, base_url)) in rows.into_iter().flatten() {
                let site = &site;
                scope.spawn(move || {
                    let expected = json!({
                        "base_url": site.url(base_url),
                        "public_uri": site.url(url),
                    });
                    for _ in 0..5 {
                        let answer = site.get(version, url, &[]);
                        assert_eq!(answer, (200, expected.clone()), "{} {version:?}", site.file);
                    }
                });
            }
        });
    }
}

#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn a_host_that_is_not_allowed_is_refused() {
    for (_, site) in sites() {
        for version in VERSIONS {
            let url = "https://evil.example:9999/shop/base-url";
            let answer = site.get(version, url, &[]);
            assert_eq!(answer, (400, Value::Null), "{} {version:?}", site.file);
        }
        for host in ["evil.example", "app.example@evil.example", QUOTED] {
            let url = "https://app.example:9999/shop/base-url";
            let answer = site.get(Version::HTTP_11, url, &[("Host", host)]);
            assert_eq!(answer, (400, Value::Null), "{}: {host}", site.file);
        }
    }
}

/// A host that ends the quoted string in `host="…"`, and begins another one.
const QUOTED: &str = "evil.example\",proto=http;host=\"app.example";

/// Header fields by which a client might change the base URL.
const SPOOFS: &[&[(&str, &str)]] = &[
    &[],
    &[("X-Forwarded-Host", "evil.example")],
    &[("X-Forwarded-Host", "eu.example.com")],
    &[
        ("X-Forwarded-Host", "eu.example.com, app.example"),
        ("X-Forwarded-Host", "eu.example.com"),
    ],
    &[("X-Forwarded-Proto", "javascript")],
    &[("X-Forwarded-Proto", "http")],
    &[("X-Forwarded-Port", "1")],
    &[("X-Forwarded-Prefix", "/evil")],
    &[
        ("X_Forwarded_Host", "eu.example.com"),
        ("X_Forwarded_Proto", "http"),
    ],
    &[("Forwarded", "host=eu.example.com;proto=http")],
    &[("Forwarded", "host=\"eu.example.com")],
    &[
        ("Forwarded", "host=eu.example.com;proto=http"),
        ("Forwarded", "for=192.0.2.1, host=eu.example.com,"),
        ("X-Forwarded-Server", "eu.example.com"),
    ],
    &[
        ("Forwarded", "host=evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-For", "127.0.0.1"),
    ],
];

/// Names of fields for the next hop only (RFC 9110, section 7.6.1).
const CONNECTION_OPTIONS: [&str; 7] = [
    "host",
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "close, forwarded, x-forwarded-host, x-forwarded-proto, x-forwarded-port, x-forwarded-prefix",
];

#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn nothing_that_a_client_sends_changes_the_base_url() {
    let url = "https://app.example:9999/shop/base-url";
    for (behaviour, site) in sites() {
        let forwarded = behaviour.forwarded.iter();
        let forwarded: Vec<_> = forwarded
            .map(|(name, value)| [(*name).to_owned(), site.url(value)])
            .collect();
        let body = json!({
            "base_url": site.url("https://app.example:9999/shop"),
            "public_uri": site.url(url),
        });
        let assert_unchanged = |version, fields: &[(&str, &str)]| {
            let name = format!("{} {version:?}: {fields:?}", site.file);
            assert_eq!(
                site.get(version, url, fields),
                (200, body.clone()),
                "{name}"
            );
            assert_eq!(site.forwarded(version, fields), forwarded, "{name}");
        };
        for spoof in SPOOFS {
            for version in VERSIONS {
                assert_unchanged(version, spoof);
            }
            // HTTP/2 has no `Connection`.
            for options in CONNECTION_OPTIONS {
                let fields = [&[("Connection", options)], *spoof].concat();
                let mut names = options.split(", ");
                if names.any(|name| behaviour.rejected_in_connection.contains(&name)) {
                    let answer = site.get(Version::HTTP_11, url, &fields);
                    assert_eq!(answer, (400, Value::Null), "{}: {fields:?}", site.file);
                } else {
                    assert_unchanged(Version::HTTP_11, &fields);
                }
            }
        }
    }
}

/// Port 443 of a load balancer or a container may be mapped to the port of the proxy. The client
/// then sends no port.
#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn a_proxy_behind_a_port_mapping_has_the_public_port() {
    let expected = json!({
        "base_url": "https://app.example/shop",
        "public_uri": "https://app.example/shop/base-url",
    });
    for (_, site) in sites() {
        for spoof in SPOOFS {
            let fields = [&[("Host", "app.example")], *spoof].concat();
            let url = "https://app.example:9999/shop/base-url";
            let answer = site.get(Version::HTTP_11, url, &fields);
            assert_eq!(answer, (200, expected.clone()), "{}: {fields:?}", site.file);
        }
    }
}

/// Each directive of the files is necessary, and the tests above notice if it is missing.
#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn the_base_url_is_wrong_if_a_precaution_is_missing() {
    let mapped = ("Host", "app.example");
    let (host, proto) = (
        ("X-Forwarded-Host", "eu.example.com"),
        ("X-Forwarded-Proto", "http"),
    );
    let (port, quoted) = (("X-Forwarded-Port", "1"), ("Host", QUOTED));
    let without = |file, directive| Config::read(file).with(directive, "");
    let nginx_port = "proxy_set_header X-Forwarded-Port \"\";";
    let haproxy_port = "http-request del-header X-Forwarded-Port";
    let caddy_port = "header_up -X-Forwarded-Port";
    for (config, fields, base_url) in [
        (
            without(
                "nginx/tls.conf",
                "proxy_set_header X-Forwarded-Host $http_host;",
            ),
            &[host][..],
            Some("https://eu.example.com/shop"),
        ),
        (
            without(
                "nginx/tls.conf",
                "proxy_set_header X-Forwarded-Proto $scheme;",
            ),
            &[proto],
            Some("http://app.example:9999/shop"),
        ),
        (
            without("nginx/tls.conf", nginx_port),
            &[mapped, port],
            Some("https://app.example:1/shop"),
        ),
        (
            Config::read("nginx/tls.conf").with(
                nginx_port,
                "proxy_set_header X-Forwarded-Port $server_port;",
            ),
            &[mapped],
            Some("https://app.example:9999/shop"),
        ),
        (
            Config::read("nginx/tls.conf")
                .with("X-Forwarded-Host $http_host", "X-Forwarded-Host $host"),
            &[],
            Some("https://app.example/shop"),
        ),
        (
            // Traefik then trusts every peer.
            Config::read("traefik/tls.toml")
                .arg("--entryPoints.http.forwardedHeaders.insecure=true"),
            &[host, proto],
            Some("http://eu.example.com:9999/shop"),
        ),
        (
            without("caddy/tls.Caddyfile", caddy_port),
            &[mapped, port],
            Some("https://app.example:1/shop"),
        ),
        (
            without(
                "haproxy/tls.cfg",
                "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
            ),
            &[host],
            Some("https://eu.example.com/shop"),
        ),
        (
            without(
                "haproxy/tls.cfg",
                "http-request set-header X-Forwarded-Proto https",
            ),
            &[proto],
            Some("http://app.example:9999/shop"),
        ),
        (
            without("haproxy/tls.cfg", haproxy_port),
            &[mapped, port],
            Some("https://app.example:1/shop"),
        ),
        (
            Config::read("haproxy/tls.cfg").with(
                haproxy_port,
                "http-request set-header X-Forwarded-Port %[dst_port]",
            ),
            &[mapped],
            Some("https://app.example:9999/shop"),
        ),
        (
            Config::read("envoy/tls.yaml").with("X-Forwarded-Host", "X-Not-Read"),
            &[host],
            Some("https://eu.example.com/shop"),
        ),
        (
            without("envoy/tls.yaml", "use_remote_address: true"),
            &[proto],
            Some("http://app.example:9999/shop"),
        ),
        (
            without(
                "envoy/tls.yaml",
                "request_headers_to_remove: [X-Forwarded-Port]",
            ),
            &[mapped, port],
            Some("https://app.example:1/shop"),
        ),
        (
            Config::read("nginx/forwarded.conf").with("$forwarded_host\\", "$http_host\\"),
            &[quoted],
            Some("http://app.example/shop"),
        ),
        (
            Config::read("haproxy/forwarded.cfg").with("http-request deny", "# http-request deny"),
            &[quoted],
            Some("http://app.example/shop"),
        ),
    ] {
        let site = Site::new(&config);
        let url = "https://app.example:9999/shop/base-url";
        let (_, shown) = site.get(Version::HTTP_11, url, fields);
        let base_url = base_url.map(|base_url| site.url(base_url));
        assert_eq!(
            shown["base_url"].as_str(),
            base_url.as_deref(),
            "{config:?}: {fields:?}"
        );
    }
}

/// Sends the base URL of the handshake, and the field with its scheme.
async fn greet(upgrade: WebSocketUpgrade, base_url: BaseUrl, headers: HeaderMap) -> Response {
    let field = headers
        .get("x-forwarded-proto")
        .or(headers.get("forwarded"));
    greet_and_echo(
        upgrade,
        format!("{base_url} {}", field.unwrap().to_str().unwrap()),
    )
}

#[test]
#[ignore = "needs nginx, Traefik, Caddy, HAProxy and Envoy"]
fn a_websocket_has_the_base_url_of_the_page_that_opens_it() {
    let runtime = Runtime::new().unwrap();
    for behaviour in BEHAVIOURS {
        let config = Config::read(behaviour.file);
        let router = Router::new()
            .route("/app", get(|| async {}))
            .route("/echo", get(greet));
        let app = config.place(router);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let (app, _server) = runtime.block_on(serve(app));
        // Outside of the runtime, since the wait for Traefik blocks.
        let proxy = config.start(app);

        let port = proxy.addr().port();
        let greeting = runtime.block_on(async {
            let url = format!("https://app.example:{port}/api/v1/echo");
            let key = generate_key();
            let handshake = [
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", &key),
            ];
            let request = request(&url, &handshake).body(Empty::new()).unwrap();
            let response = tls::send(proxy.addr(), request).await.unwrap();
            if response.status() != 101 {
                return None;
            }
            let stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
            let greeting = socket.next().await.unwrap().unwrap();
            Some(greeting.into_text().unwrap().to_string())
        });
        let expected = behaviour.websocket_scheme;
        let expected = expected.map(|scheme| {
            let greeting = format!("https://app.example:9999/api/v1 {scheme}");
            greeting.replace("9999", &port.to_string())
        });
        assert_eq!(greeting, expected, "{}", behaviour.file);
    }
}
