//! TLS: a certificate for the public hosts, and a client that trusts it.

use http::{header::HOST, Request, Response, Uri, Version};
use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{generate_simple_self_signed, CertifiedKey};
use std::{
    error::Error,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
};
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_rustls::{
    client::TlsStream,
    rustls::{crypto::ring, pki_types::ServerName, ClientConfig, RootCertStore},
    TlsConnector,
};

/// A certificate for the hosts of the tests.
fn certificate() -> &'static CertifiedKey<rcgen::KeyPair> {
    static CERTIFICATE: OnceLock<CertifiedKey<rcgen::KeyPair>> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let hosts = ["app.example", "*.example.com", "evil.example"];
        generate_simple_self_signed(hosts.map(str::to_owned)).expect("the hosts are valid")
    })
}

/// Writes the certificate and its key to the files that the configurations name.
pub fn write_certificate(directory: &Path) {
    let CertifiedKey { cert, signing_key } = certificate();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    for (name, text) in [
        ("tls.crt", &certificate),
        ("tls.key", &key),
        ("tls.pem", &format!("{certificate}{key}")),
    ] {
        fs::write(directory.join(name), text).expect("the directory is writable");
    }
}

/// Sends `request` to the proxy at `addr`, whatever its host, on a connection of its own.
pub async fn send(
    addr: SocketAddr,
    mut request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, Box<dyn Error>> {
    let uri = request.uri().clone();
    let stream = TokioIo::new(connect(addr, &uri, request.version()).await?);
    if request.version() == Version::HTTP_2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        return Ok(sender.send_request(request).await?);
    }
    // hyper sends the URI as it is.
    let host = uri.authority().ok_or("no authority")?.as_str().parse()?;
    request.headers_mut().entry(HOST).or_insert(host);
    *request.uri_mut() = uri.path_and_query().ok_or("no path")?.clone().into();
    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

async fn connect(
    addr: SocketAddr,
    uri: &Uri,
    version: Version,
) -> Result<TlsStream<TcpStream>, Box<dyn Error>> {
    let is_http2 = version == Version::HTTP_2;
    let protocol: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
    let mut config = config().clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let host = ServerName::try_from(uri.host().ok_or("no host")?.to_owned())?;
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(host, stream).await?;
    let negotiated = stream.get_ref().1.alpn_protocol();
    assert_eq!(negotiated, Some(protocol), "{uri}");
    Ok(stream)
}

/// Its clones share their sessions, so that most handshakes are short.
fn config() -> &'static ClientConfig {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let added = roots.add(certificate().cert.der().clone());
        added.expect("the certificate is valid");
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider is complete")
            .with_root_certificates(roots)
            .with_no_client_auth()
    })
}

/// Whether the proxy at `addr` answers a request for `path` with 200.
pub fn is_ok(addr: SocketAddr, path: &str) -> bool {
    let uri = format!("https://app.example:{}{path}", addr.port());
    let request = Request::get(uri).body(Empty::new());
    let request = request.expect("the path is valid");
    let runtime = Runtime::new().expect("a runtime");
    let response = runtime.block_on(send(addr, request));
    response.is_ok_and(|response| response.status() == 200)
}
