//! The way out: which responses are held, and what becomes of their headers.

use super::{
    body::{self, ReadBody},
    document::{self, BYTE_ORDER_MARK},
    service::Asked,
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

/// What is said of the bytes of a document, and does not hold once they are others.
const VALIDATORS: [HeaderName; 10] = [
    HeaderName::from_static("content-md5"),
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
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
        Calling { #[pin] inner: F, asked: Option<Asked> },
        Reading { reading: Option<Reading<B>> },
    }
}

impl<F, B> OpenApiFuture<F, B>
where
    B: Body,
{
    pub(super) fn new(inner: F, asked: Option<Asked>) -> Self {
        let state = State::Calling { inner, asked };
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
                StateProj::Calling { inner, asked } => {
                    let response = ready!(inner.poll(cx))?;
                    match asked.take() {
                        Some(asked) if asked.may_edit(&response) => {
                            let reading = Some(Reading::new(asked, response));
                            // Drops the inner future, and with it what was only for the call,
                            // such as a permit.
                            state.set(State::Reading { reading });
                        }
                        Some(Asked { is_head: true, .. }) => {
                            let (parts, body) = response.into_parts();
                            return Poll::Ready(Ok(head(parts, body.size_hint())));
                        }
                        _ => return Poll::Ready(Ok(response.map(OpenApiBody::passing))),
                    }
                }
                StateProj::Reading { reading: slot } => {
                    let mut reading = slot.take().expect("polled after completion");
                    return match reading.poll_end(cx) {
                        Poll::Ready(end) => Poll::Ready(Ok(reading.answer(end))),
                        Poll::Pending => {
                            *slot = Some(reading);
                            Poll::Pending
                        }
                    };
                }
            }
        }
    }
}

impl Asked {
    /// Whether `response` may be a document that can be edited.
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

/// `application/json`, `application/vnd.oai.openapi+json` and their like, with parameters.
fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    essence.ends_with(b"/json") || essence.ends_with(b"+json")
}

/// A response whose body is read.
struct Reading<B: Body> {
    asked: Asked,
    parts: response::Parts,
    body: Pin<Box<B>>,
    /// What the body said of its length.
    hint: SizeHint,
    read: BytesMut,
    /// How many bytes of `read` come before the JSON value: a byte order mark and white space.
    before_json: usize,
    trailers: Option<HeaderMap>,
}

/// Why a body is read no further.
enum End<E> {
    Complete,
    /// It is too large, or no object.
    NotOurs,
    Failed(E),
}

impl<B: Body> Reading<B> {
    fn new(asked: Asked, response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            asked,
            parts,
            hint: body.size_hint(),
            body: Box::pin(body),
            read: BytesMut::new(),
            before_json: 0,
            trailers: None,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End<B::Error>> {
        while let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.read.put(data),
                Ok(Err(frame)) => self.trailers = frame.into_trailers().ok(),
                Err(error) => return Poll::Ready(End::Failed(error)),
            }
            let is_other = self.json_start().is_some_and(|byte| byte != b'{');
            if is_other || self.read.len() > self.asked.config.limit {
                return Poll::Ready(End::NotOurs);
            }
        }
        Poll::Ready(End::Complete)
    }

    /// The first byte of the JSON value, once it has been read.
    fn json_start(&mut self) -> Option<u8> {
        let mark = BYTE_ORDER_MARK.as_bytes();
        if self.before_json == 0 {
            if self.read.len() < mark.len() && mark.starts_with(&self.read) {
                return None;
            }
            if self.read.starts_with(mark) {
                self.before_json = mark.len();
            }
        }
        let json = self.read[self.before_json..].trim_ascii_start();
        self.before_json = self.read.len() - json.len();
        json.first().copied()
    }

    fn answer(self, end: End<B::Error>) -> Response<OpenApiBody<B>> {
        let Self {
            asked,
            mut parts,
            body,
            hint,
            read,
            mut trailers,
            ..
        } = self;
        let (rest, error) = match end {
            End::Complete => {
                if let Some(edited) = asked.edit(&read).map(Bytes::from) {
                    describe(&mut parts.headers, edited.len(), trailers.as_mut());
                    let body = if asked.is_head {
                        OpenApiBody::head(body::edited_hint(&edited, trailers.as_ref()))
                    } else {
                        OpenApiBody::edited(edited, trailers)
                    };
                    return Response::from_parts(parts, body);
                }
                (None, None)
            }
            End::NotOurs => (Some(body), None),
            End::Failed(error) => (Some(body), Some(error)),
        };
        if asked.is_head {
            // A handler of HEAD that has the head alone: what it says of the document does not hold,
            // and there is no telling what does.
            if read.is_empty() {
                remove_validators(&mut parts.headers);
                parts.headers.remove(CONTENT_LENGTH);
                return head(parts, SizeHint::default());
            }
            return head(parts, hint);
        }
        let body = ReadBody {
            hint,
            data: read.freeze(),
            trailers,
            error,
            rest,
        };
        Response::from_parts(parts, OpenApiBody::read(body))
    }
}

/// The head alone of a response whose body passes as it is, with the length of what GET has.
fn head<B: Body>(mut parts: response::Parts, hint: SizeHint) -> Response<OpenApiBody<B>> {
    // Of an empty body there may be nothing to say, such as that of a 304.
    if let Some(len) = hint.exact().filter(|len| *len > 0) {
        let len = HeaderValue::from(len);
        parts.headers.entry(CONTENT_LENGTH).or_insert(len);
    }
    Response::from_parts(parts, OpenApiBody::head(hint))
}

/// Says of the edited document what holds for it, and nothing that does not.
fn describe(headers: &mut HeaderMap, len: usize, trailers: Option<&mut HeaderMap>) {
    remove_validators(headers);
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    if let Some(trailers) = trailers {
        remove_validators(trailers);
        // Over HTTP/1.1 trailers need chunks.
        headers.remove(CONTENT_LENGTH);
    }
}

fn remove_validators(headers: &mut HeaderMap) {
    for validator in VALIDATORS {
        headers.remove(validator);
    }
}
