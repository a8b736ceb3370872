//! Request headers that would keep a body from being edited, and response headers that do not hold
//! for an edited one.

use http::{
    header::{self, HeaderName, ACCEPT_ENCODING, CONTENT_ENCODING},
    HeaderMap, HeaderValue,
};

/// Headers that are derived from the bytes of a body, and do not hold for an edited one.
const VALIDATORS: [HeaderName; 10] = [
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-md5"),
    // RFC 9530, draft-ietf-httpbis-unencoded-digest and, obsolete, RFC 3230.
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("unencoded-digest"),
    HeaderName::from_static("digest"),
    // RFC 9421: a signature may cover the digest and the length of the content.
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

pub(super) fn remove_validators(headers: &mut HeaderMap) {
    for name in VALIDATORS {
        headers.remove(name);
    }
}

/// Makes a request one for a body without a content coding, and removes `conditional` headers,
/// which ask for less than the whole body.
pub(crate) fn request_identity(headers: &mut HeaderMap, conditional: &[HeaderName]) {
    for name in conditional {
        headers.remove(name);
    }
    // Without the header, every coding would be acceptable (RFC 9110, section 12.5.3).
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// The content coding of a response, unless it is `identity`.
pub(crate) fn content_coding(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.find(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
