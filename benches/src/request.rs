//! A request as hyper makes it: its header values are slices of one buffer. Its URI has a buffer of
//! its own.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};

const HEADERS: [(&str, &str); 10] = [
    ("host", "app.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0)"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("referer", "https://app.example/start"),
    ("cookie", "session=0123456789abcdef"),
    ("x-forwarded-for", "192.0.2.7"),
    ("x-forwarded-proto", "https"),
    ("cache-control", "no-cache"),
];

/// A foreign extension, such as a server's `ConnectInfo`.
#[derive(Clone, Copy)]
#[allow(dead_code)] // It is only carried along.
struct Foreign(u32);

/// A request to be made many times.
#[derive(Clone)]
pub(crate) struct Template {
    uri: Bytes,
    headers: Vec<(HeaderName, Bytes)>,
}

impl Template {
    /// `GET uri` with ten headers and those of `more`.
    pub(crate) fn new(uri: &str, more: &[(&str, &str)]) -> Self {
        Self::of(uri, HEADERS.iter().chain(more).copied())
    }

    /// `GET uri` with this many headers.
    pub(crate) fn with_headers(uri: &str, count: usize) -> Self {
        let names: Vec<_> = (0..count).map(|i| format!("x-header-{i}")).collect();
        Self::of(uri, names.iter().map(|name| (&**name, "value")))
    }

    fn of<'a>(uri: &str, lines: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let buffer: Vec<&str> = lines.clone().map(|(_, value)| value).collect();
        let buffer = Bytes::from([uri, &buffer.concat()].concat());
        let mut rest = buffer.clone();
        let uri = rest.split_to(uri.len());
        let headers = lines.map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("it is a name");
            (name, rest.split_to(value.len()))
        });
        Self {
            uri,
            headers: headers.collect(),
        }
    }

    pub(crate) fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = Uri::try_from(&self.uri[..]).expect("it is a URI");
        let headers = request.headers_mut();
        headers.reserve(self.headers.len());
        for (name, value) in &self.headers {
            let value = HeaderValue::from_maybe_shared(value.clone()).expect("it is a value");
            headers.append(name, value);
        }
        request.extensions_mut().insert(Foreign(7));
        request
    }
}
