//! The response future and the response body: which responses are documents.

use super::{
    document::{self, BYTE_ORDER_MARK},
    service::DocumentRequest,
};
use crate::edit::{content_coding, define_body_and_future, Editor, ReadEnd};
use bytes::Bytes;
use http::{header::CONTENT_TYPE, HeaderValue, Response, StatusCode};
use http_body::Body;

define_body_and_future! {
    /// Response body of [`OpenApiService`](crate::OpenApiService).
    ///
    /// It is the edited document, or the body of the inner service.
    body OpenApiBody;

    /// Response future of [`OpenApiService`](crate::OpenApiService).
    future OpenApiFuture of DocumentRequest;
}

impl Editor for DocumentRequest {
    type Progress = JsonOffset;
    const SENDS_HEAD_AS_GET: bool = true;

    fn limit(&self) -> usize {
        self.config.limit
    }

    fn is_head(&self) -> bool {
        self.is_head
    }

    fn on_response<B: Body>(&self, response: &mut Response<B>) -> bool {
        let headers = response.headers();
        let limit = u64::try_from(self.config.limit).unwrap_or(u64::MAX);
        response.status() == StatusCode::OK
            && headers.get(CONTENT_TYPE).is_some_and(is_json)
            && content_coding(headers).is_none()
            && response.body().size_hint().lower() <= limit
    }

    /// The first byte is enough of what is not an object.
    fn is_enough(&self, json_offset: &mut JsonOffset, read: &[u8]) -> bool {
        json_offset
            .first_byte(read)
            .is_some_and(|byte| byte != b'{')
    }

    fn edit(&self, _: JsonOffset, read: &[u8], end: ReadEnd) -> Option<Bytes> {
        if end != ReadEnd::Complete {
            return None;
        }
        let document = document::edit(read, &self.root_path, self.config.root_path_in_servers);
        document.map(Bytes::from)
    }
}

/// Where the JSON value begins in what was read, after a byte order mark and white space; or the
/// length of these so far.
#[derive(Debug, Default)]
pub(super) struct JsonOffset(usize);

impl JsonOffset {
    /// The first byte of the JSON value. `None` if it has not been read yet.
    fn first_byte(&mut self, read: &[u8]) -> Option<u8> {
        let mark = BYTE_ORDER_MARK.as_bytes();
        if self.0 == 0 {
            if mark.starts_with(read) {
                return None;
            }
            if read.starts_with(mark) {
                self.0 = mark.len();
            }
        }
        let json = read[self.0..].trim_ascii_start();
        self.0 = read.len() - json.len();
        json.first().copied()
    }
}

/// Whether the media type is `…/json` or `…+json`, such as `application/vnd.oai.openapi+json`.
fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    essence.ends_with(b"/json") || essence.ends_with(b"+json")
}
