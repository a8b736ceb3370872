//! The example `gateway`: a reverse proxy made of `StripPrefixLayer`.
#![cfg(feature = "axum")]

mod support;

use ::axum::{
    body::Body,
    extract::ws::{Message, WebSocketUpgrade},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{any, get},
    Router,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{json, Value};
use std::{
    io::{Read, Write},
    net::TcpStream,
};
use support::{
    axum::serve,
    process::{get_raw_with, Example},
};
use tokio_tungstenite::connect_async;

/// A gateway that publishes `app` at `prefix`.
fn gateway(prefix: &str, app: &str, flags: &[&str]) -> Example {
    let route = format!("{prefix}={app}");
    Example::start("gateway", &[&["--route", &route], flags].concat())
}

fn head_and_body(gateway: &Example, path: &str, lines: &[&str]) -> (String, String) {
    let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
    let response = get_raw_with(gateway.addr(), path, &lines).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// What arrived at `whoami`.
fn arrived(gateway: &Example, path: &str, lines: &[&str]) -> Value {
    let (head, body) = head_and_body(gateway, path, lines);
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {head}\n{body}"))
}

fn values<'a>(arrived: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = arrived["headers"].as_array().unwrap().iter();
    let lines = headers.filter(|pair| pair[0] == name);
    lines.map(|pair| pair[1].as_str().unwrap()).collect()
}

#[test]
fn each_of_its_own_apps_is_told_its_prefix() {
    let gateway = Example::start("gateway", &[]);
    for (path, status, location) in [
        ("/shop/", "303", Some("/shop/hello")),
        ("/shop", "303", Some("/shop/hello")),
        ("/shop/hello", "200", None),
        ("/news/today/", "303", Some("/news/today/hello")),
        ("/shopping", "404", None),
        ("/news", "404", None),
        ("/", "404", None),
    ] {
        let (head, body) = head_and_body(&gateway, path, &[]);
        assert_eq!(head.split(' ').nth(1), Some(status), "{path}");
        let told = head.split("location: ").nth(1);
        assert_eq!(
            told.and_then(|rest| rest.lines().next()),
            location,
            "{path}"
        );
        assert!(
            status != "200" || body == "This is /shop\n",
            "{path}: {body}"
        );
    }
}

#[test]
fn two_gateways_in_a_row_tell_a_part_each() {
    let app = Example::whoami(&["--trust", "127.0.0.1", "--hops", "2"]);
    let inner = gateway("/in", &app.url(""), &["--trust-previous-hop"]);
    let outer = gateway("/out", &inner.url(""), &[]);
    for lines in [
        &[][..],
        &["X-Forwarded-Prefix: /evil"],
        &["X_Forwarded_Prefix: /evil"],
    ] {
        let shown = arrived(&outer, "/out/in//a/../b?c", lines);
        assert_eq!(shown["root_path"], "/out/in", "{lines:?}");
        assert_eq!(shown["uri"], "//a/../b?c", "{lines:?}");
        assert_eq!(values(&shown, "x-forwarded-prefix"), ["/out", "/in"]);
    }
    let (head, _) = head_and_body(&outer, "/out/in/redirect?to=/login", &[]);
    assert!(head.contains("\r\nlocation: /out/in/login\r\n"), "{head}");
    let (head, _) = head_and_body(&outer, "/in/x", &[]);
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[test]
fn what_is_for_one_connection_stays_there() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let lines = [
        "Connection: X-Mine, keep-alive, X-Forwarded-Prefix",
        "X-Mine: 1",
        "X-Other: 2",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Trailer: X-T",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        // Not asked for in `Connection`.
        "Upgrade: h2c",
    ];
    let shown = arrived(&gateway, "/api/x", &lines);
    let names = shown["headers"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|pair| pair[0].as_str().unwrap()).collect();
    let expected = [
        "host",
        "x-other",
        "x-forwarded-prefix",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-for",
        "via",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_a_client_says_of_itself_does_not_count() {
    let app = Example::whoami(&[]);
    let lies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "Forwarded: for=203.0.113.9",
    ];
    let edge = gateway("/api", &app.url(""), &[]);
    let shown = arrived(&edge, "/api/x", &lies);
    assert_eq!(values(&shown, "host"), [edge.addr().to_string()]);
    assert_eq!(values(&shown, "x-forwarded-host"), values(&shown, "host"));
    assert_eq!(values(&shown, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&shown, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&shown, "forwarded"), [""; 0]);

    // Another gateway has seen to it.
    let inner = gateway("/api", &app.url(""), &["--trust-previous-hop"]);
    let shown = arrived(&inner, "/api/x", &lies);
    let hops = ["203.0.113.9", "127.0.0.1"];
    assert_eq!(values(&shown, "x-forwarded-for"), hops);
    assert_eq!(values(&shown, "x-forwarded-host"), ["evil.example"]);
    assert_eq!(values(&shown, "x-forwarded-proto"), ["https"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_as_they_come() {
    let app = Router::new().route("/echo", any(|body: Body| async { body }));
    let (app, _server) = serve(app).await;
    let gateway = gateway("/api", &format!("http://{app}"), &[]);

    let mut stream = TcpStream::connect(gateway.addr()).unwrap();
    let head = "POST /api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = String::new();
    for chunk in ["one", "two", "six"] {
        // Each is back before the next one is sent.
        write!(stream, "3\r\n{chunk}\r\n").unwrap();
        while !seen.contains(chunk) {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{seen}");
            seen += std::str::from_utf8(&buffer[..read]).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_passes() {
    async fn echo(upgrade: WebSocketUpgrade, headers: HeaderMap) -> Response {
        let prefix = headers["x-forwarded-prefix"].to_str().unwrap().to_owned();
        upgrade.on_upgrade(|mut socket| async move {
            let mut says = Message::text(prefix);
            while socket.send(says).await.is_ok() {
                match socket.recv().await {
                    Some(Ok(heard)) => says = heard,
                    _ => break,
                }
            }
        })
    }
    let (app, _server) = serve(Router::new().route("/echo", any(echo))).await;
    let gateway = gateway("/api", &format!("http://{app}"), &[]);
    let url = format!("ws://{}/api/echo", gateway.addr());
    let (mut socket, _) = connect_async(url).await.unwrap();
    for says in ["one", "two"] {
        socket.send(says.into()).await.unwrap();
    }
    for expected in ["/api", "one", "two"] {
        let heard = socket.next().await.unwrap().unwrap();
        assert_eq!(heard.into_text().unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_gone_is_a_bad_gateway() {
    let (app, server) = serve(Router::new().route("/", get(|| async { "".into_response() }))).await;
    drop(server);
    let gateway = gateway("/api", &format!("http://{app}"), &[]);
    let (head, _) = head_and_body(&gateway, "/api/", &[]);
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
}

#[test]
fn the_upstream_may_speak_http_2() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url("").replace("http:", "h2c:"), &[]);
    let shown = arrived(&gateway, "/api/x", &[]);
    assert_eq!(shown["version"], json!("HTTP/2.0"));
    assert_eq!(shown["path"], "/x");
}
