//! The response future: reads a body as far as necessary, and changes the headers after an edit.

use super::{
    body::{replace_in_size_hint, ReadBody},
    headers::remove_validators,
    EditedBody,
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    response, HeaderMap, HeaderValue, Response,
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{ready, Context, Poll},
};

/// How one layer edits the response to one request.
pub(crate) trait Editor {
    /// What is known of a body from the part that was read.
    type Progress: Default;

    /// Whether the inner service gets HEAD as GET, since it has to make the body.
    const SENDS_HEAD_AS_GET: bool;

    /// The maximum number of bytes to read.
    fn limit(&self) -> usize;

    /// Whether the request is HEAD.
    fn is_head(&self) -> bool;

    /// Changes what has to be changed even without an edit. Returns whether the head of `response`
    /// is that of a body that can be edited.
    fn on_response<B: Body>(&self, response: &mut Response<B>) -> bool;

    /// Whether the bytes `read` so far are enough for [`edit`](Self::edit).
    fn is_enough(&self, progress: &mut Self::Progress, read: &[u8]) -> bool;

    /// What to send in place of the bytes `read`. `None` if they stay.
    fn edit(&self, progress: Self::Progress, read: &[u8], end: ReadEnd) -> Option<Bytes>;
}

/// Where the reading of a body ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReadEnd {
    /// At the end of the body.
    Complete,
    /// Where it was enough, or at the limit.
    Stopped,
    /// At an error.
    Failed,
}

pin_project! {
    #[project = EditFutureProj]
    /// Calls the inner service, and reads and edits its response.
    pub(crate) enum EditFuture<F, B, E>
    where
        B: Body,
        E: Editor,
    {
        Calling { #[pin] inner: F, editor: Option<E> },
        // `None` after completion.
        Reading { response: Option<Box<ReadResponse<B, E>>> },
    }
}

impl<F, B, E> EditFuture<F, B, E>
where
    B: Body,
    E: Editor,
{
    /// Without an `editor`, the response passes unchanged.
    pub(crate) fn new(inner: F, editor: Option<E>) -> Self {
        Self::Calling { inner, editor }
    }
}

impl<F, B, E, Error> Future for EditFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, Error>>,
    B: Body,
    E: Editor,
{
    type Output = Result<Response<EditedBody<B>>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                EditFutureProj::Calling { inner, editor } => {
                    let mut response = ready!(inner.poll(cx))?;
                    match editor.take() {
                        Some(editor) if editor.on_response(&mut response) => {
                            let response = Some(Box::new(ReadResponse::new(editor, response)));
                            // Drops the inner future, and with it what only the call needs, such
                            // as the permit of a concurrency limit.
                            self.set(Self::Reading { response });
                        }
                        Some(editor) if E::SENDS_HEAD_AS_GET && editor.is_head() => {
                            let (parts, body) = response.into_parts();
                            return Poll::Ready(Ok(head_response(parts, body.size_hint())));
                        }
                        _ => return Poll::Ready(Ok(response.map(EditedBody::inner))),
                    }
                }
                EditFutureProj::Reading { response: slot } => {
                    let mut response = slot.take().expect("polled after completion");
                    return match response.poll_read(cx) {
                        Poll::Ready((end, error)) => Poll::Ready(Ok(response.finish(end, error))),
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

/// A response whose body is read into a buffer.
pub(crate) struct ReadResponse<B: Body, E: Editor> {
    editor: E,
    progress: E::Progress,
    parts: response::Parts,
    body: Pin<Box<B>>,
    /// The size hint of the body before it was read.
    size_hint: SizeHint,
    buffer: BytesMut,
    /// The rest of a frame that reaches beyond the limit.
    beyond_limit: Bytes,
    trailers: Option<HeaderMap>,
}

impl<B: Body, E: Editor> ReadResponse<B, E> {
    fn new(editor: E, response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            editor,
            progress: E::Progress::default(),
            parts,
            size_hint: body.size_hint(),
            body: Box::pin(body),
            buffer: BytesMut::new(),
            beyond_limit: Bytes::new(),
            trailers: None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<(ReadEnd, Option<B::Error>)> {
        while let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.put(data),
                Ok(Err(frame)) => self.trailers = frame.into_trailers().ok(),
                Err(error) => return Poll::Ready((ReadEnd::Failed, Some(error))),
            }
            let is_enough = self.editor.is_enough(&mut self.progress, &self.buffer);
            if is_enough || !self.beyond_limit.is_empty() {
                return Poll::Ready((ReadEnd::Stopped, None));
            }
        }
        Poll::Ready((ReadEnd::Complete, None))
    }

    fn put(&mut self, mut data: impl Buf) {
        let len = self.editor.limit() - self.buffer.len();
        self.buffer.put((&mut data).take(len));
        self.beyond_limit = data.copy_to_bytes(data.remaining());
    }

    fn finish(self, end: ReadEnd, error: Option<B::Error>) -> Response<EditedBody<B>> {
        let Self {
            editor,
            progress,
            mut parts,
            body,
            size_hint,
            buffer,
            beyond_limit,
            trailers,
        } = self;
        let edited = editor.edit(progress, &buffer, end);
        let is_edited = edited.is_some();
        let size_hint = match &edited {
            Some(edited) => {
                let (old, new) = (buffer.len() as u64, edited.len() as u64);
                let declared = content_length(&parts.headers).or(size_hint.exact());
                let len = match declared.and_then(|len| len.checked_sub(old)) {
                    // If the inner body ends too early, the server notices it as without the edit.
                    Some(rest) => Some(rest.saturating_add(new)),
                    None => (end == ReadEnd::Complete).then_some(new),
                };
                // HTTP/1.1 has trailers with the chunked coding only (RFC 9112, section 7.1.2), and
                // a server stops at an exact length, before the trailers.
                update_headers(&mut parts.headers, len.filter(|_| trailers.is_none()));
                match len {
                    _ if trailers.is_some() => at_least(new),
                    Some(len) if declared.is_none() => SizeHint::with_exact(len),
                    _ => replace_in_size_hint(size_hint, old, new),
                }
            }
            None => size_hint,
        };
        if editor.is_head() {
            // Some handlers send the headers of a body without the body. Whether they would hold
            // after an edit is unknown.
            if buffer.is_empty() && beyond_limit.is_empty() {
                remove_validators(&mut parts.headers);
                parts.headers.remove(CONTENT_LENGTH);
                return head_response(parts, SizeHint::default());
            }
            return head_response(parts, size_hint);
        }
        let body = ReadBody {
            size_hint,
            data: edited.unwrap_or_else(|| buffer.freeze()),
            beyond_limit,
            trailers,
            error,
            is_end_stream: body.is_end_stream(),
            rest: (end != ReadEnd::Complete).then_some(body),
            is_edited,
        };
        Response::from_parts(parts, EditedBody::read(body))
    }
}

/// The response to HEAD; `size_hint` is that of the body that GET has.
fn head_response<B: Body>(
    mut parts: response::Parts,
    size_hint: SizeHint,
) -> Response<EditedBody<B>> {
    // An empty body may belong to a response without a length, such as 304.
    if let Some(len) = size_hint.exact().filter(|len| *len > 0) {
        let len = HeaderValue::from(len);
        parts.headers.entry(CONTENT_LENGTH).or_insert(len);
    }
    Response::from_parts(parts, EditedBody::head(size_hint))
}

fn at_least(len: u64) -> SizeHint {
    let mut size_hint = SizeHint::new();
    size_hint.set_lower(len);
    size_hint
}

/// The `Content-Length`, if there is one and it is valid.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let len = lines.next().filter(|_| lines.next().is_none())?;
    len.to_str().ok()?.parse().ok()
}

/// Changes the headers to those of the edited body.
fn update_headers(headers: &mut HeaderMap, content_length: Option<u64>) {
    remove_validators(headers);
    match content_length {
        Some(len) => {
            headers.remove(TRANSFER_ENCODING);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
        }
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}
