//! The body of a response that was read as far as necessary.

use super::headers::remove_validators;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    mem,
    pin::Pin,
    task::{ready, Context, Poll},
};

pin_project! {
    pub(crate) struct EditedBody<B>
    where
        B: Body,
    {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B>
    where
        B: Body,
    {
        Inner { #[pin] body: B },
        Read { body: Box<ReadBody<B>> },
        Head { size_hint: SizeHint },
    }
}

/// A body of the inner service that was read in part or as a whole.
pub(super) struct ReadBody<B: Body> {
    /// Without an edit, that of the inner body. An exact length taken from what was read would be
    /// wrong: a body of unknown length may still fail. The server would then send a truncated
    /// response as a complete one.
    pub(super) size_hint: SizeHint,
    /// What was read up to the limit, edited or not.
    pub(super) data: Bytes,
    /// The rest of a frame that reaches beyond the limit.
    pub(super) beyond_limit: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<B::Error>,
    /// The part that was not read. `None` if the body has ended.
    pub(super) rest: Option<Pin<Box<B>>>,
    /// Whether the inner body said that it had ended, if it has.
    pub(super) is_end_stream: bool,
    pub(super) is_edited: bool,
}

impl<B: Body> EditedBody<B> {
    pub(super) fn inner(body: B) -> Self {
        Self::from(State::Inner { body })
    }

    pub(super) fn read(body: ReadBody<B>) -> Self {
        let body = Box::new(body);
        Self::from(State::Read { body })
    }

    /// An empty body for a HEAD request, with the size hint of the body that GET has.
    pub(super) fn head(size_hint: SizeHint) -> Self {
        Self::from(State::Head { size_hint })
    }
}

impl<B: Body> From<State<B>> for EditedBody<B> {
    fn from(state: State<B>) -> Self {
        Self { state }
    }
}

impl<B: Body> Body for EditedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().state.project() {
            StateProj::Inner { body } => body.poll_frame(cx).map_ok(copy_to_bytes),
            StateProj::Read { body } => body.poll_frame(cx),
            StateProj::Head { .. } => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Inner { body } => body.is_end_stream(),
            State::Read { body } => body.is_end_stream(),
            State::Head { .. } => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Inner { body } => body.size_hint(),
            State::Read { body } => body.size_hint,
            State::Head { size_hint } => *size_hint,
        }
    }
}

impl<B: Body> ReadBody<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut frame = if !self.data.is_empty() {
            Frame::data(mem::take(&mut self.data))
        } else if !self.beyond_limit.is_empty() {
            Frame::data(mem::take(&mut self.beyond_limit))
        } else if let Some(trailers) = self.trailers.take() {
            Frame::trailers(trailers)
        } else if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        } else if let Some(rest) = &mut self.rest {
            match ready!(rest.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => copy_to_bytes(frame),
                end => return Poll::Ready(end.map(|frame| frame.map(copy_to_bytes))),
            }
        } else {
            return Poll::Ready(None);
        };
        if let Some(trailers) = frame.trailers_mut().filter(|_| self.is_edited) {
            remove_validators(trailers);
        }
        let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.size_hint = replace_in_size_hint(self.size_hint, sent, 0);
        Poll::Ready(Some(Ok(frame)))
    }

    /// What the inner body says, so that the server notices a body that has ended too early.
    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
            && self.beyond_limit.is_empty()
            && self.trailers.is_none()
            && self.error.is_none()
            && match &self.rest {
                Some(rest) => rest.is_end_stream(),
                None => self.is_end_stream,
            }
    }
}

/// The size hint of a body of which `old` bytes become `new` bytes.
pub(super) fn replace_in_size_hint(size_hint: SizeHint, old: u64, new: u64) -> SizeHint {
    let replace = |len: u64| len.saturating_sub(old).saturating_add(new);
    let mut replaced = SizeHint::new();
    replaced.set_lower(replace(size_hint.lower()));
    if let Some(upper) = size_hint.upper() {
        replaced.set_upper(replace(upper));
    }
    replaced
}

fn copy_to_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
