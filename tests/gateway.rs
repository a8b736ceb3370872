//! The example `gateway`: a reverse proxy made of `StripPrefixLayer` and axum-reverse-proxy.

mod support;

use ::axum::{
    body::{Body, Bytes},
    extract::ws::WebSocketUpgrade,
    http::{HeaderMap, Request, Version},
    response::Response,
    routing::any,
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
    axum::{greet_and_echo, serve},
    process::{get_with, parse, Example},
};
use tokio_tungstenite::connect_async;

/// A gateway that publishes `app` at `prefix`.
fn gateway(prefix: &str, app: &str, flags: &[&str]) -> Example {
    let route = format!("{prefix}={app}");
    Example::start("gateway", &[&["--route", &route], flags].concat())
}

/// The request as `whoami` received it.
#[track_caller]
fn received(gateway: &Example, path: &str, lines: &[&str]) -> Value {
    let response = get_with(&gateway.url(path), lines);
    serde_json::from_str(response.body()).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

fn values<'a>(received: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = received["headers"].as_array().unwrap().iter();
    let lines = headers.filter(|pair| pair[0] == name);
    lines.map(|pair| pair[1].as_str().unwrap()).collect()
}

fn connect(gateway: &Example) -> TcpStream {
    let stream = TcpStream::connect(gateway.addr()).unwrap();
    let timeout = Some(Duration::from_secs(60));
    stream.set_read_timeout(timeout).unwrap();
    stream
}

/// Sends these bytes, and reads until the gateway closes the connection.
fn raw(gateway: &Example, request: &str) -> String {
    let mut stream = connect(gateway);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The URL of an app that answers every request with these bytes.
fn canned(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.extend(byte);
            }
            let _ = stream.write_all(response.as_bytes());
        }
    });
    url
}

#[test]
fn each_of_its_own_apps_gets_its_prefix() {
    let gateway = Example::start("gateway", &[]);
    for (path, status, location) in [
        ("/shop/", 303, Some("/shop/hello")),
        ("/shop", 303, Some("/shop/hello")),
        ("/shop/hello", 200, None),
        ("/news/today/", 303, Some("/news/today/hello")),
        ("/shopping", 404, None),
        ("/news", 404, None),
        ("/", 404, None),
    ] {
        let response = get_with(&gateway.url(path), &[]);
        assert_eq!(response.status(), status, "{path}");
        let sent = response.headers().get("location");
        let sent = sent.map(|value| value.to_str().unwrap());
        assert_eq!(sent, location, "{path}");
        if status == 200 {
            assert_eq!(response.body(), "This is /shop\n", "{path}");
        }
    }
}

#[test]
fn two_gateways_in_a_row_send_one_prefix_each() {
    let app = Example::whoami(&["--trust", "127.0.0.1", "--hops", "2"]);
    let inner = gateway("/in", &app.url(""), &["--trust-previous-hop"]);
    let outer = gateway("/out", &inner.url(""), &[]);
    for lines in [
        &[][..],
        &["X-Forwarded-Prefix: /evil"],
        &["X_Forwarded_Prefix: /evil"],
        &["Connection: X-Forwarded-Prefix"],
    ] {
        let shown = received(&outer, "/out/in//a/../b?c", lines);
        assert_eq!(shown["root_path"], "/out/in", "{lines:?}");
        assert_eq!(shown["uri"], "//a/../b?c", "{lines:?}");
        assert_eq!(values(&shown, "x-forwarded-prefix"), ["/out", "/in"]);
    }
    let redirect = get_with(&outer.url("/out/in/redirect?to=/login"), &[]);
    assert_eq!(redirect.headers()["location"], "/out/in/login");
    assert_eq!(get_with(&outer.url("/in/x"), &[]).status(), 404);

    // The same with the inner gateway's own apps.
    let inner = Example::start("gateway", &["--trust-previous-hop"]);
    let outer = gateway("/eu", &inner.url(""), &[]);
    let redirect = get_with(&outer.url("/eu/shop/"), &[]);
    assert_eq!(redirect.headers()["location"], "/eu/shop/hello");
}

/// RFC 9110, section 7.6.1.
#[test]
fn hop_by_hop_headers_are_removed() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let lines = [
        "Connection: X-Mine, X-Forwarded-Prefix",
        "X-Mine: 1",
        "X-Other: 2",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        // Not named in `Connection`.
        "Upgrade: websocket",
        "Connection: X-Second",
        "X-Second: 1",
    ];
    let shown = received(&gateway, "/api/x", &lines);
    let names = shown["headers"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|pair| pair[0].as_str().unwrap()).collect();
    let expected = [
        "host",
        "x-other",
        "x-forwarded-prefix",
        "x-forwarded-for",
        "forwarded",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    assert_eq!(names, expected);

    let response = "HTTP/1.1 200 OK\r\nConnection: close, X-Up\r\nX-Up: 1\r\nX-Kept: 2\r\n\
                    Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n";
    let gateway = self::gateway("/api", &canned(response), &[]);
    let response = get_with(&gateway.url("/api/x"), &[]);
    let headers = response.headers();
    assert_eq!(headers["x-kept"], "2");
    assert!(!headers.contains_key("x-up") && !headers.contains_key("keep-alive"));
}

/// Requests on a connection upgraded to `h2c` would bypass `StripPrefixLayer`.
#[test]
fn no_upgrade_but_to_websocket_passes() {
    let app = Example::whoami(&[]);
    let h2c = [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
    ];
    let websocket = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let http1 = gateway("/api", &app.url(""), &[]);
    let http2 = gateway("/api", &app.url("").replace("http:", "h2c:"), &[]);
    for (gateway, lines) in [(http1, &h2c[..]), (http2, &websocket)] {
        let shown = received(&gateway, "/api/x", lines);
        for name in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(values(&shown, name), [""; 0], "{name}");
        }
    }

    // An app that switches to what was not requested.
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                     Upgrade: h2c\r\n\r\n";
    let gateway = gateway("/api", &canned(switching), &[]);
    for lines in [&[][..], &h2c, &websocket] {
        let status = get_with(&gateway.url("/api/x"), lines).status();
        assert_eq!(status, 502, "{lines:?}");
    }
}

#[test]
fn the_app_receives_the_requested_host() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    for (target, hosts, expected) in [
        ("/api/x", "Host: public.example\r\n", "public.example"),
        (
            "http://uri.example/api/x",
            "Host: other.example\r\n",
            "uri.example",
        ),
        (
            "http://u:p@uri.example:81/api/x",
            "Host: uri.example:81\r\n",
            "uri.example:81",
        ),
        (
            "/api/x",
            "Host: a.example\r\nHost: b.example\r\n",
            "a.example",
        ),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let response = parse(&raw(&gateway, &request));
        let shown = serde_json::from_str(response.body()).unwrap();
        for name in ["host", "x-forwarded-host"] {
            assert_eq!(values(&shown, name), [expected], "{name}: {target} {hosts}");
        }
    }
}

#[tokio::test]
async fn http_2_requests_become_http_1() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url(""), &[]);
    let request = Request::get(gateway.url("/api/x"))
        .version(Version::HTTP_2)
        .header("host", "evil.example");
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<Bytes>>();
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    let shown = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!(values(&shown, "host"), [gateway.addr().to_string()]);
    assert_eq!(shown["version"], "HTTP/1.1");

    // A WebSocket over HTTP/2 would have to become one over HTTP/1.1.
    let request = Request::connect(gateway.url("/api/x"))
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"));
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    assert_eq!(response.unwrap().status(), 501);
}

#[test]
fn the_app_may_expect_http_2() {
    let app = Example::whoami(&[]);
    let gateway = gateway("/api", &app.url("").replace("http:", "h2c:"), &[]);
    let shown = received(&gateway, "/api/x", &["TE: trailers"]);
    assert_eq!(shown["version"], json!("HTTP/2.0"));
    assert_eq!(shown["path"], "/x");
    // gRPC requires it.
    assert_eq!(values(&shown, "te"), ["trailers"]);
    let public = gateway.addr().to_string();
    assert_eq!(values(&shown, "x-forwarded-host"), [public]);
    let own = app.addr().to_string();
    assert_eq!(values(&shown, "host"), [own]);
}

#[test]
fn a_prefix_may_be_empty_or_have_reserved_characters() {
    let app = Example::whoami(&["--trust", "127.0.0.1"]);
    for prefix in ["", "/a(b)=*:x", "/a/b"] {
        let gateway = gateway(prefix, &app.url("/"), &["--route", "/a=http://127.0.0.1:1"]);
        let shown = received(&gateway, &format!("{prefix}/x"), &[]);
        assert_eq!(shown["root_path"], prefix);
        assert_eq!(shown["path"], "/x", "{prefix}");
    }
}

#[test]
fn forwarded_headers_of_an_untrusted_client_are_removed() {
    let app = Example::whoami(&[]);
    let spoofed = [
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
    let shown = received(&edge, "/api/x", &spoofed);
    let host = edge.addr().to_string();
    let forwarded = format!("for=127.0.0.1;host=\"{host}\";proto=http");
    for (name, expected) in [
        ("host", &[&*host][..]),
        ("x-forwarded-host", &[&*host]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-forwarded-proto", &["http"]),
        ("forwarded", &[&*forwarded]),
        ("x_forwarded_for", &[]),
        ("x.forwarded.host", &[]),
        ("x-forwarded-port", &[]),
        ("x-real-ip", &[]),
    ] {
        assert_eq!(values(&shown, name), expected, "{name}");
    }

    let inner = gateway("/api", &app.url(""), &["--trust-previous-hop"]);
    let shown = received(&inner, "/api/x", &spoofed);
    let hops = ["203.0.113.9, 127.0.0.1"];
    assert_eq!(values(&shown, "x-forwarded-for"), hops);
    assert_eq!(values(&shown, "x-forwarded-host"), ["evil.example"]);
    assert_eq!(values(&shown, "x-forwarded-proto"), ["https"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_streamed() {
    let app = Router::new().route("/echo", any(|body: Body| async { body }));
    let (app, _server) = serve(app).await;
    let gateway = gateway("/api", &format!("http://{app}"), &[]);

    let mut stream = connect(&gateway);
    let head = "POST /api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut received = String::new();
    for chunk in ["one", "two", "six"] {
        // Each chunk comes back before the next one is sent.
        write!(stream, "3\r\n{chunk}\r\n").unwrap();
        while !received.contains(chunk) {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{received}");
            received += std::str::from_utf8(&buffer[..read]).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes() {
    async fn echo(upgrade: WebSocketUpgrade, headers: HeaderMap) -> Response {
        let prefix = headers["x-forwarded-prefix"].to_str().unwrap();
        greet_and_echo(upgrade, prefix.to_owned())
    }
    let (app, _server) = serve(Router::new().route("/echo", any(echo))).await;
    let gateway = gateway("/api", &format!("http://{app}"), &[]);
    let url = format!("ws://{}/api/echo", gateway.addr());
    let (mut socket, _) = connect_async(url).await.unwrap();
    for text in ["one", "two"] {
        socket.send(text.into()).await.unwrap();
    }
    for expected in ["/api", "one", "two"] {
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(message.into_text().unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_app_is_a_bad_gateway() {
    let (app, server) = serve(Router::new()).await;
    drop(server);
    let gateway = gateway("/api", &format!("http://{app}"), &[]);
    assert_eq!(get_with(&gateway.url("/api/"), &[]).status(), 502);
}
