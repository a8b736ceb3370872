//! The response future: which responses are buffered, and their headers after an edit.

use super::{
    body::{self, BufferedBody},
    document::{self, BYTE_ORDER_MARK},
    service::DocumentRequest,
    OpenApiBody,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    header::{self, HeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    response, HeaderMap, HeaderValue, Response, StatusCode,
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{ready, Context, Poll},
};

/// Headers that are derived from the bytes of a document, and do not hold for an edited one.
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

pin_project! {
    /// Response future of [`OpenApiService`](super::OpenApiService).
    pub struct OpenApiFuture<F, B>
    where
        B: Body,
    {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B>
    where
        B: Body,
    {
        Calling { #[pin] inner: F, request: Option<DocumentRequest> },
        // `None` after completion.
        Reading { response: Option<BufferingResponse<B>> },
    }
}

impl<F, B> OpenApiFuture<F, B>
where
    B: Body,
{
    pub(super) fn new(inner: F, request: Option<DocumentRequest>) -> Self {
        let state = State::Calling { inner, request };
        Self { state }
    }
}

impl<F, B> fmt::Debug for OpenApiFuture<F, B>
where
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenApiFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for OpenApiFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<OpenApiBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Calling { inner, request } => {
                    let response = ready!(inner.poll(cx))?;
                    match request.take() {
                        Some(request) if request.may_edit(&response) => {
                            let response = Some(BufferingResponse::new(request, response));
                            // Drops the inner future, and with it what only the call needs, such
                            // as the permit of a concurrency limit.
                            state.set(State::Reading { response });
                        }
                        Some(request) if request.is_head => {
                            let (parts, body) = response.into_parts();
                            return Poll::Ready(Ok(head_response(parts, body.size_hint())));
                        }
                        _ => return Poll::Ready(Ok(response.map(OpenApiBody::inner))),
                    }
                }
                StateProj::Reading { response: slot } => {
                    let mut response = slot.take().expect("polled after completion");
                    return match response.poll_read(cx) {
                        Poll::Ready(outcome) => Poll::Ready(Ok(response.finish(outcome))),
                        Poll::Pending => {
                            *slot = Some(response);
                            Poll::Pending
                        }
                    };
                }
            }
        }
    }
}

impl DocumentRequest {
    /// Whether the head of `response` is that of a document that can be edited.
    fn may_edit<B: Body>(&self, response: &Response<B>) -> bool {
        let headers = response.headers();
        let limit = u64::try_from(self.config.limit).unwrap_or(u64::MAX);
        response.status() == StatusCode::OK
            && headers.get(CONTENT_TYPE).is_some_and(is_json)
            && headers
                .get_all(CONTENT_ENCODING)
                .iter()
                .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
            && response.body().size_hint().lower() <= limit
    }

    fn edit(&self, document: &[u8]) -> Option<String> {
        document::edit(document, &self.root_path, self.config.root_path_in_servers)
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

/// A response whose body is read into a buffer.
struct BufferingResponse<B: Body> {
    request: DocumentRequest,
    parts: response::Parts,
    body: Pin<Box<B>>,
    /// The size hint of the body before it was read.
    size_hint: SizeHint,
    buffer: BytesMut,
    /// Where the JSON value begins in `buffer`, after a byte order mark and white space; or the
    /// length of these so far.
    json_offset: usize,
    trailers: Option<HeaderMap>,
}

/// How the reading of a body ended.
enum ReadOutcome<E> {
    Complete,
    /// The body is too large, or not a JSON object. Its rest was not read.
    NotEditable,
    Failed(E),
}

impl<B: Body> BufferingResponse<B> {
    fn new(request: DocumentRequest, response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            request,
            parts,
            size_hint: body.size_hint(),
            body: Box::pin(body),
            buffer: BytesMut::new(),
            json_offset: 0,
            trailers: None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<ReadOutcome<B::Error>> {
        while let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.buffer.put(data),
                Ok(Err(frame)) => self.trailers = frame.into_trailers().ok(),
                Err(error) => return Poll::Ready(ReadOutcome::Failed(error)),
            }
            let may_be_object = self.first_json_byte().map_or(true, |byte| byte == b'{');
            if !may_be_object || self.buffer.len() > self.request.config.limit {
                return Poll::Ready(ReadOutcome::NotEditable);
            }
        }
        Poll::Ready(ReadOutcome::Complete)
    }

    /// The first byte of the JSON value. `None` if it has not been read yet.
    fn first_json_byte(&mut self) -> Option<u8> {
        let mark = BYTE_ORDER_MARK.as_bytes();
        if self.json_offset == 0 {
            if self.buffer.len() < mark.len() && mark.starts_with(&self.buffer) {
                return None;
            }
            if self.buffer.starts_with(mark) {
                self.json_offset = mark.len();
            }
        }
        let json = self.buffer[self.json_offset..].trim_ascii_start();
        self.json_offset = self.buffer.len() - json.len();
        json.first().copied()
    }

    fn finish(self, outcome: ReadOutcome<B::Error>) -> Response<OpenApiBody<B>> {
        let Self {
            request,
            mut parts,
            body,
            size_hint,
            buffer,
            mut trailers,
            ..
        } = self;
        let (rest, error) = match outcome {
            ReadOutcome::Complete => {
                if let Some(document) = request.edit(&buffer).map(Bytes::from) {
                    update_headers(&mut parts.headers, document.len(), trailers.as_mut());
                    let body = if request.is_head {
                        OpenApiBody::head(body::edited_size_hint(&document, trailers.as_ref()))
                    } else {
                        OpenApiBody::edited(document, trailers)
                    };
                    return Response::from_parts(parts, body);
                }
                (None, None)
            }
            ReadOutcome::NotEditable => (Some(body), None),
            ReadOutcome::Failed(error) => (Some(body), Some(error)),
        };
        if request.is_head {
            // Some handlers send the headers of a document without the document, although the
            // request is GET here. Whether they would hold after an edit is unknown.
            if buffer.is_empty() {
                remove_validators(&mut parts.headers);
                parts.headers.remove(CONTENT_LENGTH);
                return head_response(parts, SizeHint::default());
            }
            return head_response(parts, size_hint);
        }
        let body = BufferedBody {
            size_hint,
            data: buffer.freeze(),
            trailers,
            error,
            rest,
        };
        Response::from_parts(parts, OpenApiBody::buffered(body))
    }
}

/// The response to HEAD where the response to GET is not edited; `size_hint` is that of its body.
fn head_response<B: Body>(
    mut parts: response::Parts,
    size_hint: SizeHint,
) -> Response<OpenApiBody<B>> {
    // An empty body may belong to a response without a length, such as 304.
    if let Some(len) = size_hint.exact().filter(|len| *len > 0) {
        let len = HeaderValue::from(len);
        parts.headers.entry(CONTENT_LENGTH).or_insert(len);
    }
    Response::from_parts(parts, OpenApiBody::head(size_hint))
}

/// Changes the headers and trailers to those of the edited document, which has `len` bytes.
fn update_headers(headers: &mut HeaderMap, len: usize, trailers: Option<&mut HeaderMap>) {
    remove_validators(headers);
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    if let Some(trailers) = trailers {
        remove_validators(trailers);
        // HTTP/1.1 has trailers with the chunked coding only (RFC 9112, section 7.1.2).
        headers.remove(CONTENT_LENGTH);
    }
}

fn remove_validators(headers: &mut HeaderMap) {
    for name in VALIDATORS {
        headers.remove(name);
    }
}
