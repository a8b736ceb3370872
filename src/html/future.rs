//! The response future and the response body: which responses are pages, and what they get.

use super::{
    head::{Edit, HeadScanner},
    service::PageRequest,
};
use crate::{
    edit::{content_coding, define_body_and_future, Editor, ReadEnd},
    vary::add_vary,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    HeaderMap, HeaderValue, Response, StatusCode,
};
use http_body::Body;

/// How much of a page is read to find its head.
const WINDOW: usize = 64 << 10;

/// Encodings in which markup is not written in the bytes of ASCII, by their [labels].
///
/// [labels]: https://encoding.spec.whatwg.org/#names-and-labels
const NOT_ASCII_COMPATIBLE: [&[u8]; 17] = [
    // UTF-16BE and UTF-16LE
    b"unicodefffe",
    b"utf-16be",
    b"csunicode",
    b"iso-10646-ucs-2",
    b"ucs-2",
    b"unicode",
    b"unicodefeff",
    b"utf-16",
    b"utf-16le",
    // ISO-2022-JP
    b"csiso2022jp",
    b"iso-2022-jp",
    // replacement
    b"csiso2022kr",
    b"hz-gb-2312",
    b"iso-2022-cn",
    b"iso-2022-cn-ext",
    b"iso-2022-kr",
    b"replacement",
];

define_body_and_future! {
    /// Response body of [`BaseHrefService`](crate::BaseHrefService).
    ///
    /// It is the page with its `<base>` element, or the body of the inner service.
    body BaseHrefBody;

    /// Response future of [`BaseHrefService`](crate::BaseHrefService).
    future BaseHrefFuture of PageRequest;
}

impl Editor for PageRequest {
    type Progress = HeadScanner;
    const SENDS_HEAD_AS_GET: bool = false;

    fn limit(&self) -> usize {
        WINDOW
    }

    fn is_head(&self) -> bool {
        self.is_head
    }

    fn on_response<B: Body>(&self, response: &mut Response<B>) -> bool {
        let content_type = response.headers().get(CONTENT_TYPE);
        let Some(parameters) = content_type.and_then(parameters_of_html) else {
            return false;
        };
        let is_ascii_compatible = is_ascii_compatible(parameters);
        // The service changes requests that accept HTML.
        add_vary(response.headers_mut(), &ACCEPT);
        let headers = response.headers();
        if !is_ascii_compatible || !is_page(response.status()) || forbids_transformation(headers) {
            return false;
        }
        if let Some(coding) = content_coding(headers) {
            self.warn_once.encoded_page(coding);
            return false;
        }
        true
    }

    fn is_enough(&self, scanner: &mut HeadScanner, read: &[u8]) -> bool {
        scanner.scan(read) || read.len() >= WINDOW
    }

    fn edit(&self, scanner: HeadScanner, read: &[u8], end: ReadEnd) -> Option<Bytes> {
        if end == ReadEnd::Failed {
            return None;
        }
        // `&` is the only character of a root path that has a meaning in an attribute.
        let root_path = self.root_path.as_str().replace('&', "&amp;");
        let (range, new) = match scanner.finish()? {
            Edit::InsertElement(at) => (at..at, format!("<base href=\"{root_path}/\">")),
            Edit::ReplaceHref(range) => (range, format!("{root_path}/")),
        };
        if &read[range.clone()] == new.as_bytes() {
            return None;
        }
        let mut edited = BytesMut::with_capacity(read.len() - range.len() + new.len());
        for part in [&read[..range.start], new.as_bytes(), &read[range.end..]] {
            edited.put(part);
        }
        Some(edited.freeze())
    }
}

fn is_page(status: StatusCode) -> bool {
    status == StatusCode::OK || status.is_client_error() || status.is_server_error()
}

/// The parameters of the media type, if it is `text/html`.
fn parameters_of_html(content_type: &HeaderValue) -> Option<&[u8]> {
    const HTML: &[u8] = b"text/html";
    let content_type = content_type.as_bytes().trim_ascii_start();
    let (essence, parameters) = content_type.split_at(content_type.len().min(HTML.len()));
    let parameters = parameters.trim_ascii_start();
    let is_html = essence.eq_ignore_ascii_case(HTML) && matches!(parameters, [] | [b';', ..]);
    is_html.then_some(parameters)
}

fn is_ascii_compatible(parameters: &[u8]) -> bool {
    let charset = parameters
        .split(|byte| *byte == b';')
        .find_map(|parameter| {
            let (name, value) = parameter.trim_ascii().split_at_checked(b"charset=".len())?;
            name.eq_ignore_ascii_case(b"charset=").then_some(value)
        });
    let charset = charset.unwrap_or_default();
    let charset = charset.strip_prefix(b"\"").unwrap_or(charset);
    let charset = charset.strip_suffix(b"\"").unwrap_or(charset).trim_ascii();
    !NOT_ASCII_COMPATIBLE
        .iter()
        .any(|label| charset.eq_ignore_ascii_case(label))
}

/// Whether the response has `Cache-Control: no-transform` (RFC 9111, section 5.2.2.6).
fn forbids_transformation(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let mut directives = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}
