//! A reverse proxy: what of a request goes on to the app behind, and of the response back.

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request, State},
    http::{
        header::{
            HeaderName, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, PROXY_AUTHENTICATE,
            PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, VIA,
        },
        uri::Authority,
        HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version,
    },
    response::IntoResponse,
};
use futures_util::stream;
use hyper::upgrade::{self, OnUpgrade};
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::{TokioExecutor, TokioIo},
};
use std::{convert::Infallible, error::Error, net::SocketAddr, str::FromStr};

/// What is for one connection only: RFC 9110, section 7.6.1, and the credentials for a proxy.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An app to pass requests on to: `http://HOST:PORT`, or for gRPC `h2c://HOST:PORT`, which is told
/// that address for a host.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: Client<HttpConnector, Body>,
    authority: Authority,
    version: Version,
    trusts_previous_hop: bool,
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (version, authority) = match url.split_once("://") {
            Some(("http", authority)) => (Version::HTTP_11, authority),
            Some(("h2c", authority)) => (Version::HTTP_2, authority),
            _ => return Err(format!("{url:?} must begin with http:// or h2c://")),
        };
        let authority: Authority = authority
            .trim_end_matches('/')
            .parse()
            .map_err(|error| format!("{url:?}: {error}"))?;
        // Neither a port that is none, nor credentials.
        let port = authority.port_u16().map(|port| format!(":{port}"));
        if authority.as_str() != format!("{}{}", authority.host(), port.unwrap_or_default()) {
            return Err(format!("{url:?} must be of the form SCHEME://HOST:PORT"));
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .http2_only(version == Version::HTTP_2)
                .build_http(),
            authority,
            version,
            trusts_previous_hop: false,
        })
    }
}

impl Upstream {
    /// Only another gateway can reach this one: what it says of the client stays.
    pub(crate) fn trust_previous_hop(mut self, trusts: bool) -> Self {
        self.trusts_previous_hop = trusts;
        self
    }

    /// Whether a browser can be told to go there.
    pub(crate) fn is_for_browsers(&self) -> bool {
        self.version != Version::HTTP_2
    }

    fn uri(&self, uri: &Uri) -> Option<Uri> {
        let path_and_query = uri.path_and_query()?.as_str();
        let uri = Uri::builder().scheme("http");
        let uri = uri.authority(self.authority.clone());
        uri.path_and_query(path_and_query).build().ok()
    }

    /// Makes `request` one to the upstream, and tells which upgrade it asks for.
    fn address(
        &self,
        request: &mut Request,
        peer: SocketAddr,
    ) -> Result<Option<HeaderValue>, StatusCode> {
        // A WebSocket over HTTP/2 among them, which would have to become one over HTTP/1.1.
        if request.method() == Method::CONNECT || has_further_codings(request.headers()) {
            return Err(StatusCode::NOT_IMPLEMENTED);
        }
        let uri = self.uri(request.uri()).ok_or(StatusCode::BAD_REQUEST)?;
        let host = host(request).ok_or(StatusCode::BAD_REQUEST)?;
        let upgrade = requested_upgrade(request).filter(|_| self.version == Version::HTTP_11);
        let has_length = request.body().size_hint().exact().is_some();
        let received = request.version();
        *request.uri_mut() = uri;
        *request.version_mut() = self.version;

        let headers = request.headers_mut();
        headers.insert(HOST, host);
        let takes_trailers = headers.get(TE).is_some_and(|te| te == "trailers");
        remove_hop_by_hop(headers);
        self.tell_of_client(headers, peer);
        headers.append(VIA, via(received));
        if let Some(protocol) = &upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol.clone());
        }
        if self.version == Version::HTTP_2 {
            headers.remove(HOST);
            // gRPC asks for it.
            if takes_trailers {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
        } else {
            join_cookies(headers);
            // Else the body of a GET would have neither a length nor chunks.
            if !has_length {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
        Ok(upgrade)
    }

    /// Who asked, and for which host. What a client says of that itself counts for nothing, in
    /// whatever spelling; its prefix is the affair of `StripPrefixLayer`.
    fn tell_of_client(&self, headers: &mut HeaderMap, peer: SocketAddr) {
        if !self.trusts_previous_hop {
            let said = headers.keys().filter(|name| {
                let name = name.as_str().replace(['_', '.'], "-");
                let is_of_proxies =
                    name.starts_with("x-forwarded-") && name != "x-forwarded-prefix";
                is_of_proxies || name == "forwarded" || name == "x-real-ip"
            });
            for name in said.cloned().collect::<Vec<_>>() {
                headers.remove(name);
            }
        }
        if let Some(host) = headers.get(HOST).cloned() {
            headers.entry(X_FORWARDED_HOST).or_insert(host);
        }
        let http = HeaderValue::from_static("http");
        headers.entry(X_FORWARDED_PROTO).or_insert(http);
        let peer = HeaderValue::from_str(&peer.ip().to_string()).expect("an address is a value");
        headers.append(X_FORWARDED_FOR, peer);
    }
}

/// Passes `request` on, and the response back, each body as it comes.
pub(crate) async fn forward(
    State(upstream): State<Upstream>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response<Body> {
    let asked = match upstream.address(&mut request, peer) {
        Ok(asked) => asked,
        Err(status) => return status.into_response(),
    };
    let client_side = upgrade::on(&mut request);
    let is_head = request.method() == Method::HEAD;
    let mut response = match upstream.client.request(request).await {
        Ok(response) => response,
        Err(error) => return (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    };
    // Whatever the upstream speaks.
    *response.version_mut() = Version::HTTP_11;
    let switched_to = response.headers().get(UPGRADE).cloned();
    remove_hop_by_hop(response.headers_mut());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let is_asked_for = |protocol: &HeaderValue| asked.is_some() && is_web_socket(protocol);
        let Some(protocol) = switched_to.filter(is_asked_for) else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
        let upstream_side = upgrade::on(&mut response);
        tokio::spawn(tunnel(client_side, upstream_side));
    }
    let mut response = response.into_response();
    if is_head && !response.headers().contains_key(CONTENT_LENGTH) {
        // An empty body would be told as the length of what GET has.
        let of_no_known_length = stream::empty::<Result<Bytes, Infallible>>();
        *response.body_mut() = Body::from_stream(of_no_known_length);
    }
    response
}

/// The one host that was asked for. One in the URI counts (RFC 9112, section 3.2.2; RFC 9113,
/// section 8.3.1).
fn host(request: &Request) -> Option<HeaderValue> {
    let mut lines = request.headers().get_all(HOST).iter();
    let host = match (request.uri().authority(), lines.next(), lines.next()) {
        (Some(authority), _, None) => authority.as_str().rsplit('@').next()?,
        (None, Some(line), None) => line.to_str().ok().filter(|host| !host.contains('@'))?,
        _ => return None,
    };
    let authority: Authority = host.parse().ok()?;
    HeaderValue::from_str(authority.as_str()).ok()
}

/// Whether there is more to undo than the chunks, which hyper has undone.
fn has_further_codings(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

/// The upgrade to a WebSocket, if the client asks for it. No other one: behind `h2c` there would be
/// further requests, which nobody strips, and of which nobody tells who sent them.
fn requested_upgrade(request: &Request) -> Option<HeaderValue> {
    let may_ask = request.version() == Version::HTTP_11 && request.method() == Method::GET;
    let mut options = connection_options(request.headers());
    let is_asked_for = may_ask && options.any(|option| option.eq_ignore_ascii_case(b"upgrade"));
    let protocol = request.headers().get(UPGRADE).filter(|_| is_asked_for);
    protocol.filter(|protocol| is_web_socket(protocol)).cloned()
}

fn is_web_socket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(CONNECTION).into_iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.map(<[u8]>::trim_ascii)
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = connection_options(headers).map(HeaderName::from_bytes);
    let named = named.filter_map(Result::ok).filter(|name| name != HOST);
    for name in named.chain(HOP_BY_HOP).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

/// HTTP/2 may split them, and HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let lines: Vec<_> = lines.collect();
    if lines.len() > 1 {
        let joined = HeaderValue::from_bytes(&lines.join(&b"; "[..]));
        headers.insert(COOKIE, joined.expect("parts of values are a value"));
    }
}

fn via(received: Version) -> HeaderValue {
    HeaderValue::from_static(match received {
        Version::HTTP_2 => "2 gateway",
        Version::HTTP_10 => "1.0 gateway",
        _ => "1.1 gateway",
    })
}

async fn tunnel(
    client: OnUpgrade,
    upstream: OnUpgrade,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, upstream) = tokio::try_join!(client, upstream)?;
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
