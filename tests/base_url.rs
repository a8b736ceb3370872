//! The base URL: values, the origin that a request gets, and what hostile requests get.

mod support;

use http::{header::VARY, Request, Response};
use std::net::{IpAddr, Ipv4Addr};
use support::send;
use tower_root_path::{
    AllowedHosts, BaseUrl, ForwardedOrigin, ForwardedPrefix, MissingBaseUrl, Origin, PeerAddr,
    PublicUri, RefusedOrigin, RootPathLayer, TrustedProxies,
};

const HOSTS: &str = "app.example, *.example.com, one.example:8443, 127.0.0.1, [2001:db8::1]";

fn x_forwarded() -> ForwardedOrigin {
    let hosts = HOSTS.parse().unwrap();
    ForwardedOrigin::x_forwarded(TrustedProxies::loopback(), hosts)
}

fn rfc7239() -> ForwardedOrigin {
    let hosts = HOSTS.parse().unwrap();
    ForwardedOrigin::rfc7239(TrustedProxies::loopback(), hosts)
}

/// A request with these header lines, from this peer.
fn request(uri: &str, lines: &[(&str, &[u8])], peer: Option<[u8; 4]>) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in lines {
        let name = name.parse::<http::HeaderName>().unwrap();
        let value = http::HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append(name, value);
    }
    if let Some(peer) = peer {
        let peer = IpAddr::from(Ipv4Addr::from(peer));
        request
            .extensions_mut()
            .insert(PeerAddr((peer, 4711).into()));
    }
    request
}

const LOOPBACK: Option<[u8; 4]> = Some([127, 0, 0, 1]);

fn read(forwarded: &ForwardedOrigin, uri: &str, lines: &[(&str, &str)]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    match forwarded.read(&request(uri, &lines, LOOPBACK)) {
        Ok(origin) => origin.to_string(),
        Err(error) => error.to_string(),
    }
}

/// What the app sees behind these layers: base URL and public URI, or why there are none.
async fn seen<L>(layer: &L, request: Request<()>) -> (String, String)
where
    L: tower::Layer<support::App<Show>>,
    L::Service: tower::Service<Request<()>, Response = Response<(String, String)>>,
    <L::Service as tower::Service<Request<()>>>::Error: std::fmt::Debug,
{
    send(layer, request, show as Show).await.into_body()
}

type Show = fn(Request<()>) -> Response<(String, String)>;

fn show(request: Request<()>) -> Response<(String, String)> {
    let extensions = &request.into_parts().0.extensions;
    let text = |result: Result<String, MissingBaseUrl>| result.unwrap_or_else(|e| e.to_string());
    Response::new((
        text(BaseUrl::from_extensions(extensions).map(|url| url.to_string())),
        text(PublicUri::from_extensions(extensions).map(|uri| uri.to_string())),
    ))
}

#[test]
fn a_base_url_is_parsed_printed_and_joined() {
    for (text, printed, joined) in [
        (
            "https://example.com",
            "https://example.com",
            "https://example.com/x",
        ),
        (
            "https://example.com/",
            "https://example.com",
            "https://example.com/x",
        ),
        (
            "HTTPS://Example.COM:443/api/v1/",
            "https://example.com/api/v1",
            "https://example.com/api/v1/x",
        ),
        (
            "http://[::1]:8080/api",
            "http://[::1]:8080/api",
            "http://[::1]:8080/api/x",
        ),
    ] {
        let base_url: BaseUrl = text.parse().unwrap();
        assert_eq!(base_url.to_string(), printed);
        assert_eq!(base_url.join("/x"), joined);
        assert_eq!(base_url.join("x"), joined);
        assert_eq!(base_url.join("//x"), joined);
        let again = BaseUrl::new(base_url.origin().clone(), base_url.root_path().clone());
        assert_eq!(again, base_url);
    }
    let base_url: BaseUrl = "https://example.com/api".parse().unwrap();
    assert_eq!(
        base_url.join("/api/x?y#z"),
        "https://example.com/api/api/x?y#z"
    );
}

#[test]
fn what_is_not_a_base_url_is_refused_with_the_reason() {
    let origin = "must begin with http:// or https://, a host and an optional port";
    for (text, reason) in [
        ("", origin),
        ("example.com", origin),
        ("//example.com/api", origin),
        ("/api", origin),
        ("ftp://example.com", origin),
        ("https://", origin),
        ("https:///api", origin),
        ("https://user@example.com", origin),
        ("https://example.com:0", origin),
        ("https://example.com:65536", origin),
        ("https://exa mple.com", origin),
        ("https://exämple.com", origin),
        ("https://example.com\\@evil.example", origin),
        ("https://example.com//", "invalid root path \"//\""),
        ("https://example.com/../x", "segment \"..\""),
        ("https://example.com?x", "must start with '/'"),
        ("https://example.com/api?x", "unexpected '?' at byte 4"),
        ("https://example.com/api#x", "unexpected '#' at byte 4"),
    ] {
        let error = text.parse::<BaseUrl>().unwrap_err().to_string();
        let expected = format!("invalid base URL {text:?}: ");
        assert!(
            error.starts_with(&expected) && error.contains(reason),
            "{error}"
        );
    }
}

#[cfg(feature = "serde")]
#[test]
fn values_are_strings_for_serde() {
    let base_url: BaseUrl = serde_json::from_str("\"https://Example.com:443/api/\"").unwrap();
    assert_eq!(
        serde_json::to_string(&base_url).unwrap(),
        "\"https://example.com/api\""
    );
    assert_eq!(
        serde_json::to_string(base_url.origin()).unwrap(),
        "\"https://example.com\""
    );
    assert!(serde_json::from_str::<BaseUrl>("\"https://example.com/a//b\"").is_err());
    let hosts: AllowedHosts = serde_json::from_str("\"app.example\"").unwrap();
    assert_eq!(hosts, "app.example".parse().unwrap());
    assert!(serde_json::from_str::<AllowedHosts>("\"https://app.example\"").is_err());
}

#[test]
fn hosts_are_allowed_by_name_and_port() {
    for (list, origin, expected) in [
        ("app.example", "https://app.example", true),
        ("APP.example", "https://App.Example:8443", true),
        ("app.example", "https://app.example.", false),
        ("app.example", "https://evil.app.example", false),
        ("app.example", "https://app.example.evil.example", false),
        ("app.example:443", "https://app.example", true),
        ("app.example:443", "http://app.example", false),
        ("app.example:8443", "https://app.example:8443", true),
        ("app.example:8443", "https://app.example", false),
        ("*.example.com", "https://a.example.com", true),
        ("*.example.com", "https://a.b.example.com", true),
        ("*.example.com", "https://example.com", false),
        ("*.example.com", "https://.example.com", false),
        ("*.example.com", "https://a..example.com", false),
        ("*.example.com", "https://aexample.com", false),
        ("*.example.com", "https://a.example.com.evil.example", false),
        ("*.example.com:8443", "https://a.example.com:8443", true),
        ("*.example.com:8443", "https://a.example.com", false),
        ("[::1]", "https://[::1]:8443", true),
        ("[::1]:8443", "https://[::1]", false),
        ("[0:0::1]", "https://[::1]", true),
        ("*.example.com", "https://a..b.example.com", false),
        ("*.example.com", "https://.a.example.com", false),
        ("127.0.0.1", "http://127.0.0.1:3000", true),
        ("a.example, b.example", "https://b.example", true),
        ("", "https://app.example", false),
        (" , ", "https://app.example", false),
    ] {
        let hosts: AllowedHosts = list.parse().unwrap();
        let origin: Origin = origin.parse().unwrap();
        assert_eq!(hosts.contains(&origin), expected, "{list:?} {origin}");
        assert!(AllowedHosts::any().contains(&origin));
    }
    for list in [
        "*",
        "*.",
        "*example.com",
        "a.*.example",
        "**.example.com",
        "https://a.example",
        "user@a.example",
        "a.example/",
        "a.example:0",
        "a.example:",
        "::1",
        "a b",
        "bücher.example",
        "a.example, any host",
    ] {
        let error = list.parse::<AllowedHosts>().unwrap_err().to_string();
        let member = list.rsplit(", ").next().unwrap();
        assert!(
            error.starts_with(&format!("invalid host {member:?}: ")),
            "{error}"
        );
    }
}

/// Of `x-forwarded-proto`, `x-forwarded-host`, `x-forwarded-port` and `host`.
#[test]
fn a_trusted_proxy_names_scheme_host_and_port() {
    for (proto, host, port, own_host, expected) in [
        (
            "https",
            "app.example",
            "",
            "127.0.0.1:8000",
            "https://app.example",
        ),
        (
            "http",
            "app.example:8080",
            "",
            "",
            "http://app.example:8080",
        ),
        ("HTTPS", "App.Example", "", "", "https://app.example"),
        (
            "https",
            "eu.example.com",
            "8443",
            "",
            "https://eu.example.com:8443",
        ),
        (
            "https",
            "app.example:9999",
            "8443",
            "",
            "https://app.example:9999",
        ),
        // Caddy's `{port}`, if the client sent none.
        ("https", "app.example", " ", "", "https://app.example"),
        // A TLS offload sends `https` and 80.
        ("https", "app.example", "80", "", "https://app.example"),
        ("http", "app.example", "443", "", "http://app.example"),
        (
            "https",
            "",
            "",
            "app.example:9999",
            "https://app.example:9999",
        ),
        (
            "https",
            "",
            "9999",
            "app.example",
            "https://app.example:9999",
        ),
        (
            "https",
            "[2001:DB8::1]:8443",
            "",
            "",
            "https://[2001:db8::1]:8443",
        ),
        // Traefik, with a WebSocket handshake.
        ("wss", "app.example", "", "", "https://app.example"),
        ("ws", "app.example", "", "", "http://app.example"),
    ] {
        let lines = [
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", host),
            ("x-forwarded-port", port),
            ("host", own_host),
        ];
        let lines: Vec<_> = lines
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(read(&x_forwarded(), "/x", &lines), expected, "{lines:?}");
    }
}

#[test]
fn hostile_values_are_refused_and_never_repaired() {
    let scheme = ("x-forwarded-proto", "https");
    let not_allowed = |host: &str| {
        format!(
            "the host of https://{host} is not allowed (if it is the app's own, add it to the \
             `AllowedHosts`)"
        )
    };
    let not_a_host = |host: &str| format!("{host:?} is not a host with an optional port");
    for host in [
        "evil.example",
        "app.example.",
        "example.com",
        "app.example.evil.example",
    ] {
        for header in ["host", "x-forwarded-host"] {
            let shown = read(&x_forwarded(), "/x", &[scheme, (header, host)]);
            assert_eq!(shown, not_allowed(host), "{header}");
        }
    }
    for host in [
        "user@app.example",
        "app.example@evil.example",
        "app.example/evil",
        "app.example/",
        "app example",
        "app.example:0",
        "app.example:65536",
        "app.example:80a",
        "app.example:",
        "app.example:-1",
        ":443",
        "",
        "https://app.example",
        "app.example\\evil",
        "app.example?x",
        "app.example#x",
        "[::1",
        "[app.example]",
        "2001:db8::1",
        "app.example%2eevil.example",
        "app.ex\tample",
        "bücher.example",
        "app.example;x",
    ] {
        for header in ["host", "x-forwarded-host"] {
            let shown = read(&x_forwarded(), "/x", &[scheme, (header, host)]);
            assert_eq!(shown, not_a_host(host.trim()), "{header}");
        }
    }
    for proto in [
        "javascript",
        "https:",
        "https://",
        "ftp",
        "",
        "http/1.1",
        "httpss",
        "on",
    ] {
        let lines = [("x-forwarded-proto", proto), ("host", "app.example")];
        let expected = format!("scheme {proto:?} is not http or https");
        assert_eq!(read(&x_forwarded(), "/x", &lines), expected);
    }
    for port in [
        "0",
        "65536",
        "-1",
        "+8443",
        "8443a",
        "0x50",
        "99999999999999999999",
    ] {
        let lines = [scheme, ("x-forwarded-port", port), ("host", "app.example")];
        let expected = format!("{port:?} is not a port from 1 to 65535");
        assert_eq!(read(&x_forwarded(), "/x", &lines), expected);
    }
    let lines = [scheme, ("host", "app.example"), ("host", "evil.example")];
    let several = "the request has several `Host` lines";
    assert_eq!(read(&x_forwarded(), "/x", &lines), several);
    assert_eq!(
        read(&x_forwarded(), "/x", &lines[..1]),
        "the request has no host"
    );
    let not_utf8 = request("/x", &[("host", b"app.\xFFexample")], LOOPBACK);
    let refused = x_forwarded().default_scheme("http").read(&not_utf8);
    assert!(
        matches!(refused, Err(RefusedOrigin::InvalidHost(_))),
        "{refused:?}"
    );
}

/// HTTP/2 and the absolute-form.
#[test]
fn the_authority_of_the_request_uri_comes_before_host_and_must_be_the_same() {
    let refused = "`Host` differs from the authority of the request URI";
    for (uri, lines, expected) in [
        ("https://app.example/x", &[][..], "https://app.example"),
        (
            "https://app.example:8443/x",
            &[],
            "https://app.example:8443",
        ),
        (
            "https://app.example/x",
            &[("host", "APP.example")],
            "https://app.example",
        ),
        (
            "https://app.example/x",
            &[("host", "eu.example.com")],
            refused,
        ),
        (
            "https://app.example/x",
            &[("host", "app.example:8443")],
            refused,
        ),
        (
            "http://app.example/x",
            &[("host", "app.example:80")],
            "http://app.example",
        ),
        (
            "http://app.example/x",
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "eu.example.com"),
            ],
            "https://eu.example.com",
        ),
        (
            "https://user@app.example/x",
            &[],
            "\"user@app.example\" is not a host with an optional port",
        ),
        (
            "ftp://app.example/x",
            &[],
            "scheme \"ftp\" is not http or https",
        ),
    ] {
        assert_eq!(
            read(&x_forwarded(), uri, lines),
            expected,
            "{uri} {lines:?}"
        );
    }
}

#[test]
fn of_a_list_the_member_of_the_proxy_counts() {
    let hosts = (
        "x-forwarded-host",
        "evil.example, a.example.com, b.example.com",
    );
    let protos = ("x-forwarded-proto", "javascript, https,http");
    for (hops, lines, expected) in [
        (1, &[hosts, protos][..], "http://b.example.com"),
        (2, &[hosts, protos], "https://a.example.com"),
        (
            2,
            &[hosts, ("x-forwarded-proto", "https")],
            "https://a.example.com",
        ),
        (
            2,
            &[
                hosts,
                ("x-forwarded-host", "c.example.com"),
                ("x-forwarded-proto", "https"),
            ],
            "https://b.example.com",
        ),
        (
            4,
            &[hosts, protos],
            "scheme \"javascript\" is not http or https",
        ),
        (
            1,
            &[
                ("x-forwarded-host", "app.example,"),
                ("x-forwarded-proto", "https"),
            ],
            "\"\" is not a host with an optional port",
        ),
    ] {
        assert_eq!(
            read(&x_forwarded().hops(hops), "/x", lines),
            expected,
            "{hops} {lines:?}"
        );
    }
}

#[test]
fn the_scheme_is_never_guessed() {
    let lines = [("host", "app.example")];
    let unknown = read(&x_forwarded(), "/x", &lines);
    assert!(
        unknown.starts_with("the scheme is not known: "),
        "{unknown}"
    );
    let https = x_forwarded().default_scheme("https");
    assert_eq!(read(&https, "/x", &lines), "https://app.example");
    assert_eq!(
        read(&https, "http://app.example/x", &lines),
        "http://app.example"
    );
}

#[test]
#[should_panic(expected = "scheme \"ftp\" is not http or https")]
fn a_default_scheme_is_http_or_https() {
    let _ = x_forwarded().default_scheme("ftp");
}

#[test]
fn headers_of_a_peer_that_is_not_trusted_are_not_read() {
    let lines: &[(&str, &[u8])] = &[
        ("x-forwarded-proto", b"https"),
        ("x-forwarded-host", b"eu.example.com"),
        ("forwarded", b"proto=https;host=eu.example.com"),
        ("host", b"app.example"),
    ];
    for forwarded in [x_forwarded(), rfc7239()] {
        let forwarded = forwarded.default_scheme("http");
        for peer in [None, Some([192, 0, 2, 1])] {
            let origin = forwarded.read(&request("/x", lines, peer)).unwrap();
            assert_eq!(origin.to_string(), "http://app.example");
            let origin = forwarded
                .read(&request("https://app.example/x", lines, peer))
                .unwrap();
            assert_eq!(origin.to_string(), "https://app.example");
        }
        let by_function = forwarded.peer_addr(|_| Some(Ipv4Addr::LOCALHOST.into()));
        let origin = by_function.read(&request("/x", lines, None)).unwrap();
        assert_eq!(origin.to_string(), "https://eu.example.com");
    }
}

#[test]
fn one_family_is_read_and_the_other_ignored() {
    let lines = [
        ("forwarded", "proto=https;host=a.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "b.example.com"),
        ("x-forwarded-port", "8080"),
    ];
    assert_eq!(
        read(&x_forwarded(), "/x", &lines),
        "http://b.example.com:8080"
    );
    assert_eq!(read(&rfc7239(), "/x", &lines), "https://a.example.com");
}

#[test]
fn a_port_of_the_proxy_is_checked_against_the_allowed_one() {
    let one = |port| {
        [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "one.example"),
            ("x-forwarded-port", port),
        ]
    };
    assert_eq!(
        read(&x_forwarded(), "/x", &one("8443")),
        "https://one.example:8443"
    );
    let refused = read(&x_forwarded(), "/x", &one("9443"));
    assert!(
        refused.starts_with("the host of https://one.example:9443 is not allowed"),
        "{refused}"
    );
}

#[test]
fn all_proxies_are_trusted_also_without_an_address() {
    let lines: &[(&str, &[u8])] = &[
        ("x-forwarded-proto", b"https"),
        ("x-forwarded-host", b"app.example"),
    ];
    let forwarded = ForwardedOrigin::x_forwarded(TrustedProxies::all(), HOSTS.parse().unwrap());
    let origin = forwarded.read(&request("/x", lines, None)).unwrap();
    assert_eq!(origin.to_string(), "https://app.example");
}

#[test]
fn forwarded_is_read_at_the_hop_of_the_proxy_or_refused_as_a_whole() {
    let two = [(
        "forwarded",
        "host=evil.example, proto=https;host=app.example, for=10.0.0.1",
    )];
    assert_eq!(read(&rfc7239().hops(2), "/x", &two), "https://app.example");
    let malformed = [
        ("forwarded", "proto=https;host=app.example, x"),
        ("host", "app.example"),
    ];
    let refused = read(&rfc7239().default_scheme("http"), "/x", &malformed);
    assert!(refused.contains("grammar of RFC 7239"), "{refused}");
}

/// An inner layer whose origin is refused does not keep that of the outer one.
#[tokio::test]
async fn the_origin_is_that_of_the_inner_layer_even_if_refused() {
    let outer = RootPathLayer::new("").public_origin("https://example.com");
    let inner = RootPathLayer::new("/x").with_forwarded_origin(x_forwarded());
    let lines: &[(&str, &[u8])] = &[("x-forwarded-proto", b"https"), ("host", b"evil.example")];
    let shown = seen(&(outer, inner), request("/x", lines, LOOPBACK)).await;
    let refused = "the public origin of the request was refused".to_owned();
    assert_eq!(shown, (refused.clone(), refused));
}

#[test]
fn origins_base_urls_and_hosts_are_made_of_any_string() {
    let origin = String::from("https://example.com");
    let _ = RootPathLayer::new("")
        .public_origin(&origin)
        .public_origin(origin);
    assert!(BaseUrl::try_from(String::from("https://example.com/api")).is_ok());
    assert!(AllowedHosts::try_from(&String::from("app.example")).is_ok());
}

#[tokio::test]
async fn the_app_sees_its_base_url_and_the_uri_as_the_client_sent_it() {
    let stripped = RootPathLayer::new("/api/v1").public_origin("https://example.com");
    let strips = stripped.clone().strip_if_present();
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
    let forwarded = stripped.clone().with_forwarded(forwarded);
    for (layer, uri, lines, base_url, public) in [
        (&stripped, "/x?a=%31", &[][..], "/api/v1", "/api/v1/x?a=%31"),
        (&stripped, "/", &[], "/api/v1", "/api/v1/"),
        // The client asked for `/api/v1/api/v1/x`.
        (&stripped, "/api/v1/x", &[], "/api/v1", "/api/v1/api/v1/x"),
        (
            &stripped,
            "//x/..;/%2e",
            &[],
            "/api/v1",
            "/api/v1//x/..;/%2e",
        ),
        (&stripped, "*", &[], "/api/v1", ""),
        (&stripped, "app.example:443", &[], "/api/v1", ""),
        (&strips, "/api/v1/x", &[], "/api/v1", "/api/v1/x"),
        (&strips, "/api/v1", &[], "/api/v1", "/api/v1"),
        (&strips, "/x", &[], "/api/v1", "/api/v1/x"),
        (&strips, "http://h/api/v1?y", &[], "/api/v1", "/api/v1?y"),
        (
            &forwarded,
            "/x",
            &[("x-forwarded-prefix", &b"/other"[..])],
            "/other",
            "/other/x",
        ),
        (&forwarded, "/x", &[("x-forwarded-prefix", b"")], "", "/x"),
    ] {
        let origin = "https://example.com";
        let expected = (format!("{origin}{base_url}"), format!("{origin}{public}"));
        assert_eq!(
            seen(layer, request(uri, lines, LOOPBACK)).await,
            expected,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn stacked_layers_have_one_public_uri_and_a_base_url_of_their_own() {
    let outer = RootPathLayer::new("/a").public_origin("https://example.com");
    let stripping = outer.clone().strip_if_present();
    let inner = RootPathLayer::new("/b");
    let other = inner.clone().public_origin("https://other.example");
    let inner_only = (RootPathLayer::new("/a").strip_if_present(), other.clone());
    let url = |text: &str| text.to_owned();

    let shown = seen(&(outer.clone(), inner.clone()), request("/x", &[], None)).await;
    assert_eq!(
        shown,
        (
            url("https://example.com/a/b"),
            url("https://example.com/a/x")
        )
    );
    let strips = (stripping, inner.strip_if_present());
    let shown = seen(&strips, request("/a/b/x", &[], None)).await;
    assert_eq!(
        shown,
        (
            url("https://example.com/a/b"),
            url("https://example.com/a/b/x")
        )
    );
    let inner_strips = (RootPathLayer::new("/a"), other.clone().strip_if_present());
    let shown = seen(&inner_strips, request("/b/x", &[], None)).await;
    assert_eq!(
        shown,
        (
            url("https://other.example/a/b"),
            url("https://other.example/a/b/x")
        )
    );
    let shown = seen(&(outer, other), request("/x", &[], None)).await;
    assert_eq!(
        shown,
        (
            url("https://other.example/a/b"),
            url("https://other.example/a/x")
        )
    );
    let shown = seen(&inner_only, request("/a/x", &[], None)).await;
    assert_eq!(
        shown,
        (
            url("https://other.example/a/b"),
            url("https://other.example/a/b/x")
        )
    );
}

#[tokio::test]
async fn without_an_origin_there_is_no_base_url_and_nothing_is_inserted() {
    let none = "no public origin is configured".to_owned();
    let layer = RootPathLayer::new("/api");
    let shown = seen(&layer, request("/x", &[("host", b"app.example")], None)).await;
    assert_eq!(shown, (none.clone(), none));
    let extensions = send(&layer, request("/x", &[], None), |request| {
        Response::new(request.extensions().len())
    });
    assert_eq!(extensions.await.into_body(), 1);

    let refused = "the public origin of the request was refused".to_owned();
    let layer = layer.with_forwarded_origin(x_forwarded());
    let lines: &[(&str, &[u8])] = &[("x-forwarded-proto", b"https"), ("host", b"evil.example")];
    let shown = seen(&layer, request("/x", lines, LOOPBACK)).await;
    assert_eq!(shown, (refused.clone(), refused));
    let unknown = "the public scheme is not known".to_owned();
    let shown = seen(&layer, request("/x", &lines[1..], None)).await;
    assert_eq!(shown, (unknown.clone(), unknown));
}

/// The later call replaces the earlier.
#[tokio::test]
async fn an_origin_is_configured_or_forwarded() {
    let lines: &[(&str, &[u8])] = &[("x-forwarded-proto", b"https"), ("host", b"app.example")];
    let configured = RootPathLayer::new("").public_origin("https://example.com");
    for (layer, expected) in [
        (
            configured.clone().with_forwarded_origin(x_forwarded()),
            "https://app.example",
        ),
        (
            RootPathLayer::new("")
                .with_forwarded_origin(x_forwarded())
                .public_origin("http://h:1"),
            "http://h:1",
        ),
    ] {
        let shown = seen(&layer, request("/x", lines, LOOPBACK)).await;
        assert_eq!(shown, (expected.to_owned(), format!("{expected}/x")));
    }
}

#[test]
#[should_panic(expected = "invalid origin \"example.com\"")]
fn an_invalid_public_origin_panics() {
    let _ = RootPathLayer::new("").public_origin("example.com");
}

#[tokio::test]
async fn vary_names_every_header_of_the_family() {
    let prefix = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
    let layer = RootPathLayer::new("/api");
    let family = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];
    let both = ["x-forwarded-prefix", family[0], family[1], family[2]];
    for (layer, expected) in [
        (
            layer.clone().with_forwarded_origin(x_forwarded()),
            &family[..],
        ),
        (
            layer.clone().with_forwarded_origin(rfc7239()),
            &["forwarded"],
        ),
        (
            layer
                .clone()
                .with_forwarded(prefix)
                .with_forwarded_origin(x_forwarded()),
            &both,
        ),
        (
            layer
                .clone()
                .with_forwarded_origin(x_forwarded())
                .without_vary(),
            &[],
        ),
        (layer.public_origin("https://example.com"), &[]),
    ] {
        let response = send(&layer, request("/x", &[], None), |_| Response::new(())).await;
        let vary: Vec<_> = response.headers().get_all(VARY).iter().collect();
        assert_eq!(vary, expected);
    }
}

/// Other apps live at the public origin (an identity provider, say).
#[tokio::test]
async fn redirects_to_the_public_origin_stay() {
    let layer = RootPathLayer::new("/api").public_origin("https://example.com");
    let location = "https://example.com/auth/login";
    let response = send(&layer, request("/x", &[], None), |_| {
        Response::builder()
            .header("location", location)
            .body(())
            .unwrap()
    });
    assert_eq!(response.await.headers()["location"], location);
}

#[tokio::test]
async fn a_public_uri_has_an_origin_and_a_path_and_query() {
    let layer = RootPathLayer::new("/api").public_origin("https://example.com:8443");
    let request = support::seen(&layer, request("/x?y=%2F", &[], None)).await;
    let public = PublicUri::from_extensions(request.extensions()).unwrap();
    assert_eq!(public.origin().scheme(), "https");
    assert_eq!(public.origin().host(), "example.com");
    assert_eq!(public.origin().port(), 8443);
    assert_eq!(public.path_and_query(), "/api/x?y=%2F");
}
