//! The example `gateway`: a reverse proxy made of `StripPrefixLayer`.

mod support;

use ::axum::{
    body::{Body, Bytes},
    extract::ws::WebSocketUpgrade,
    http::{HeaderMap, Request, Version},
    response::{IntoResponse, Response},
    routing::{any, get},
    Router,
};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::ext::Protocol;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{json, Value};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};
use support::{
    axum::{say_and_echo, serve},
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

/// A connection that fails if nothing comes.
fn connect(gateway: &Example) -> TcpStream {
    let stream = TcpStream::connect(gateway.addr()).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// The response of the gateway to these bytes, until it closes.
fn raw(gateway: &Example, request: &str) -> String {
    let mut stream = connect(gateway);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// An upstream that answers each request by these bytes.
fn canned(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                seen.extend(byte);
            }
            let _ = stream.write_all(response.as_bytes());
        }
    });
    url
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
        "Connection: X-Mine, Host, X-Forwarded-Prefix",
        "X-Mine: 1",
        "X-Other: 2",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        "Proxy-Authenticate: Basic",
        // Not asked for in `Connection`.
        "Upgrade: websocket",
        "Connection: X-Second",
        "X-Second: 1",
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
    assert_eq!(values(&shown, "host"), [gateway.addr().to_string()]);
    assert_eq!(values(&shown, "via"), ["1.1 gateway"]);

    let upstream = "HTTP/1.1 200 OK\r\nConnection: close, X-Up\r\nX-Up: 1\r\nX-Kept: 2\r\n\
                    Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n";
    let gateway = self::gateway("/api", &canned(upstream), &[]);
    let (head, _) = head_and_body(&gateway, "/api/x", &[]);
    let mut lines = head.lines().map(str::to_lowercase);
    assert!(lines.any(|line| line == "x-kept: 2"), "{head}");
    assert!(
        !head.contains("x-up") && !head.contains("keep-alive"),
        "{head}"
    );
}

/// Behind such a tunnel there would be requests that nobody strips.
#[test]
fn nothing_but_a_web_socket_is_switched_to() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let lines = [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
    ];
    let shown = arrived(&gateway, "/api/x", &lines);
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(values(&shown, name), [""; 0], "{name}");
    }

    let h2c = self::gateway("/api", &app.url("").replace("http:", "h2c:"), &[]);
    let shown = arrived(
        &h2c,
        "/api/x",
        &["Connection: Upgrade", "Upgrade: websocket"],
    );
    assert_eq!(values(&shown, "upgrade"), [""; 0]);

    // In any case, and nothing but a GET over HTTP/1.1.
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                     Upgrade: websocket\r\n\r\n";
    let gateway = self::gateway("/api", &canned(switching), &[]);
    for (method, version, status) in [
        ("GET", "HTTP/1.1", "HTTP/1.1 101 "),
        ("POST", "HTTP/1.1", "HTTP/1.1 502 "),
        ("GET", "HTTP/1.0", "HTTP/1.0 502 "),
    ] {
        let request = format!(
            "{method} /api/x {version}\r\nHost: x\r\nConnection: close, upgrade\r\n\
             Upgrade: WebSocket\r\n\r\n"
        );
        let response = raw(&gateway, &request);
        assert!(
            response.starts_with(status),
            "{method} {version}: {response}"
        );
    }

    // The upstream switches, to what nobody asked for.
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                     Upgrade: h2c\r\n\r\n";
    let gateway = self::gateway("/api", &canned(switching), &[]);
    for lines in [&[][..], &["Connection: Upgrade", "Upgrade: websocket"]] {
        let (head, _) = head_and_body(&gateway, "/api/x", lines);
        assert!(head.starts_with("HTTP/1.1 502 "), "{lines:?}: {head}");
    }
}

#[test]
fn the_host_is_the_one_that_counts() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    for (target, hosts, expected) in [
        ("/api/x", "Host: public.example\r\n", Some("public.example")),
        (
            "http://uri.example/api/x",
            "Host: other.example\r\n",
            Some("uri.example"),
        ),
        (
            "http://u:p@uri.example/api/x",
            "Host: uri.example\r\n",
            Some("uri.example"),
        ),
        ("/api/x", "Host: a.example\r\nHost: b.example\r\n", None),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let response = raw(&gateway, &request);
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        match expected {
            None => assert!(head.starts_with("HTTP/1.1 400 "), "{target}: {head}"),
            Some(host) => {
                let shown = serde_json::from_str(body).unwrap();
                assert_eq!(values(&shown, "host"), [host], "{target} {hosts}");
                assert_eq!(
                    values(&shown, "x-forwarded-host"),
                    [host],
                    "{target} {hosts}"
                );
            }
        }
    }
}

#[tokio::test]
async fn http_2_becomes_http_1() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let request = Request::get(gateway.url("/api/x"))
        .version(Version::HTTP_2)
        .header("host", "evil.example")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers");
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<Bytes>>();
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    let shown = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!(values(&shown, "host"), [gateway.addr().to_string()]);
    assert_eq!(values(&shown, "cookie"), ["a=1; b=2"]);
    assert_eq!(values(&shown, "te"), [""; 0]);
    assert_eq!(values(&shown, "via"), ["2 gateway"]);
    assert_eq!(shown["version"], "HTTP/1.1");

    // A WebSocket that would have to become another one.
    let request = Request::connect(gateway.url("/api/x"))
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"));
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 501);
}

#[test]
fn messages_keep_their_bodies_and_their_version() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let response = raw(&gateway, "GET /api/x HTTP/1.0\r\nHost: x\r\n\r\n");
    assert!(response.contains(r#"["via","1.0 gateway"]"#), "{response}");
    for (coding, sent_on) in [("chunked", true), ("gzip, chunked", false)] {
        let request = format!(
            "GET /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Transfer-Encoding: {coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        let response = raw(&gateway, &request);
        let has_body = response.contains(r#"["transfer-encoding","chunked"]"#);
        assert_eq!(has_body, sent_on, "{response}");
        assert_eq!(response.contains(" 501 "), !sent_on, "{response}");
    }

    let of_1_0 = self::gateway("/api", &canned("HTTP/1.0 200 OK\r\n\r\nhello"), &[]);
    let request = "GET /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let response = raw(&of_1_0, request);
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");

    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let response = raw(
        &self::gateway("/api", &canned(chunks), &[]),
        &request.replace("GET", "HEAD"),
    );
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(!response.contains("content-length"), "{response}");
}

#[test]
fn a_prefix_may_be_any_root_path() {
    let app = Example::whoami(&["--trust", "127.0.0.1"]);
    for prefix in ["", "/*x", "/:y", "/a(b)=*:x", "/a/b"] {
        let gateway = gateway(prefix, &app.url("/"), &["--route", "/a=http://127.0.0.1:1"]);
        let shown = arrived(&gateway, &format!("{prefix}/x"), &[]);
        assert_eq!(shown["root_path"], prefix);
        assert_eq!(shown["path"], "/x", "{prefix}");
    }
}

#[test]
fn its_own_apps_may_be_behind_two() {
    let inner = Example::start("gateway", &["--trust-previous-hop"]);
    let outer = gateway("/eu", &inner.url(""), &[]);
    let (head, _) = head_and_body(&outer, "/eu/shop/", &[]);
    assert!(head.contains("\r\nlocation: /eu/shop/hello\r\n"), "{head}");
}

/// RFC 9110, section 6.5.
#[test]
fn trailers_pass() {
    let upstream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                    3\r\none\r\n0\r\nx-sum: 1\r\n\r\n";
    let gateway = gateway("/api", &canned(upstream), &[]);
    let request = "GET /api/x HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    let response = raw(&gateway, request);
    assert!(response.ends_with("0\r\nx-sum: 1\r\n\r\n"), "{response}");
}

#[test]
fn what_a_client_says_of_itself_does_not_count() {
    let app = Example::whoami(&[]);
    let lies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "Forwarded: for=203.0.113.9",
        "X_Forwarded_For: 203.0.113.9",
        "X.Forwarded.Host: evil.example",
        "X-Forwarded-Port: 1",
        "X-Real-IP: 203.0.113.9",
    ];
    let edge = gateway("/api", &app.url(""), &[]);
    let shown = arrived(&edge, "/api/x", &lies);
    assert_eq!(values(&shown, "host"), [edge.addr().to_string()]);
    assert_eq!(values(&shown, "x-forwarded-host"), values(&shown, "host"));
    assert_eq!(values(&shown, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&shown, "x-forwarded-proto"), ["http"]);
    for name in [
        "forwarded",
        "x_forwarded_for",
        "x.forwarded.host",
        "x-forwarded-port",
        "x-real-ip",
    ] {
        assert_eq!(values(&shown, name), [""; 0], "{name}");
    }

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

    let mut stream = connect(&gateway);
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
        let prefix = headers["x-forwarded-prefix"].to_str().unwrap();
        say_and_echo(upgrade, prefix.to_owned())
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
    let shown = arrived(&gateway, "/api/x", &["TE: trailers"]);
    assert_eq!(shown["version"], json!("HTTP/2.0"));
    assert_eq!(shown["path"], "/x");
    assert_eq!(values(&shown, "te"), ["trailers"]);
    let host = gateway.addr().to_string();
    assert_eq!(values(&shown, "x-forwarded-host"), [host]);
    assert_eq!(values(&shown, "host"), [""; 0]);
}
