//! A reverse proxy: what of a request goes on to the app behind, and of the response back.

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{
        header::{
            HeaderName, CONNECTION, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
            TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
        },
        uri::Authority,
        HeaderMap, HeaderValue, Response, StatusCode, Uri, Version,
    },
    response::IntoResponse,
};
use hyper::upgrade;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::{TokioExecutor, TokioIo},
};
use std::{error::Error, net::SocketAddr, str::FromStr};

/// What is for one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An app to pass requests on to: `http://HOST:PORT`, or `h2c://HOST:PORT` for gRPC.
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
        let authority = authority.trim_end_matches('/').parse();
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .http2_only(version == Version::HTTP_2)
                .build_http(),
            authority: authority.map_err(|error| format!("{url:?}: {error}"))?,
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

    fn uri(&self, uri: &Uri) -> Option<Uri> {
        let path_and_query = uri.path_and_query()?.as_str();
        let uri = Uri::builder().scheme("http");
        let uri = uri.authority(self.authority.clone());
        uri.path_and_query(path_and_query).build().ok()
    }

    /// Who asked, and for which host. What a client says of that itself counts for nothing.
    fn tell_of_client(&self, peer: SocketAddr, headers: &mut HeaderMap) {
        let value = |text: &str| HeaderValue::from_str(text).expect("an address is a value");
        if !self.trusts_previous_hop {
            for name in [
                &FORWARDED,
                &X_FORWARDED_FOR,
                &X_FORWARDED_HOST,
                &X_FORWARDED_PROTO,
            ] {
                headers.remove(name);
            }
            if let Some(host) = headers.get(HOST).cloned() {
                headers.insert(X_FORWARDED_HOST, host);
            }
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        headers.append(X_FORWARDED_FOR, value(&peer.ip().to_string()));
    }
}

/// Passes `request` on, and the response back, each body as it comes.
pub(crate) async fn forward(
    State(upstream): State<Upstream>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response<Body> {
    let Some(uri) = upstream.uri(request.uri()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // Over HTTP/2 the host is in the URI.
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str()).expect("an authority is a value");
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let upgrade = requested_upgrade(request.headers());
    let upgrade = upgrade.filter(|_| upstream.version == Version::HTTP_11);
    let takes_trailers = request.headers().get(TE).is_some_and(|te| te == "trailers");
    remove_hop_by_hop(request.headers_mut());
    upstream.tell_of_client(peer, request.headers_mut());
    let via = match request.version() {
        Version::HTTP_2 => HeaderValue::from_static("2 gateway"),
        _ => HeaderValue::from_static("1.1 gateway"),
    };
    request.headers_mut().append(VIA, via);
    if let Some(protocol) = &upgrade {
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    if upstream.version == Version::HTTP_2 {
        request.headers_mut().remove(HOST);
        // gRPC asks for it.
        if takes_trailers {
            request
                .headers_mut()
                .insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    *request.uri_mut() = uri;
    *request.version_mut() = upstream.version;
    let client_side = upgrade::on(&mut request);

    match upstream.client.request(request).await {
        Ok(mut response) => {
            let upgraded = response.headers().get(UPGRADE).cloned();
            remove_hop_by_hop(response.headers_mut());
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.extend(upgraded.map(|protocol| (UPGRADE, protocol)));
                let upstream_side = upgrade::on(&mut response);
                tokio::spawn(tunnel(client_side, upstream_side));
            }
            response.into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// The protocol to which the client wants to switch, such as `websocket`.
fn requested_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut options = connection_options(headers);
    options
        .any(|option| option.eq_ignore_ascii_case("upgrade"))
        .then_some(())?;
    headers.get(UPGRADE).cloned()
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CONNECTION).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = connection_options(headers).filter_map(|option| option.parse().ok());
    for name in named.chain(HOP_BY_HOP).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

async fn tunnel(
    client: upgrade::OnUpgrade,
    upstream: upgrade::OnUpgrade,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, upstream) = tokio::try_join!(client, upstream)?;
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
