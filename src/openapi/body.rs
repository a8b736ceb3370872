//! The body of a response that may have been a document.

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt, mem,
    pin::Pin,
    task::{ready, Context, Poll},
};

pin_project! {
    /// Response body of [`OpenApiService`](crate::OpenApiService): the inner one, or the document
    /// in its place.
    pub struct OpenApiBody<B>
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
        Passing { #[pin] body: B },
        Read { body: ReadBody<B> },
        Edited { document: Bytes, trailers: Option<HeaderMap> },
        Head { hint: SizeHint },
    }
}

/// A body of which a part, or all, was read before it passes.
///
/// It says no more of its length than it did at first: where that was not known, it may end too early
/// or fail, and a server that was told what has come so far would take it for complete.
pub(super) struct ReadBody<B: Body> {
    pub(super) hint: SizeHint,
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<B::Error>,
    /// `None` if it has ended.
    pub(super) rest: Option<Pin<Box<B>>>,
}

impl<B: Body> OpenApiBody<B> {
    pub(super) fn passing(body: B) -> Self {
        Self::from(State::Passing { body })
    }

    /// `body` as it was.
    pub(super) fn read(body: ReadBody<B>) -> Self {
        Self::from(State::Read { body })
    }

    pub(super) fn edited(document: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::from(State::Edited { document, trailers })
    }

    /// No body, for a request that asked for the head alone; `hint` is of the one that GET has.
    pub(super) fn head(hint: SizeHint) -> Self {
        Self::from(State::Head { hint })
    }
}

impl<B: Body> From<State<B>> for OpenApiBody<B> {
    fn from(state: State<B>) -> Self {
        Self { state }
    }
}

impl<B: Body> fmt::Debug for OpenApiBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenApiBody").finish_non_exhaustive()
    }
}

impl<B: Body> Body for OpenApiBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().state.project() {
            StateProj::Passing { body } => body.poll_frame(cx).map_ok(in_bytes),
            StateProj::Read { body } => body.poll_frame(cx),
            StateProj::Edited { document, trailers } => {
                let document = mem::take(document);
                let data = Some(document).filter(|document| !document.is_empty());
                let frame = data.map(Frame::data);
                let frame = frame.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            StateProj::Head { .. } => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passing { body } => body.is_end_stream(),
            State::Read { .. } => false,
            State::Edited { document, trailers } => document.is_empty() && trailers.is_none(),
            State::Head { .. } => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passing { body } => body.size_hint(),
            State::Read { body } => body.hint,
            State::Edited { document, trailers } => edited_hint(document, trailers.as_ref()),
            State::Head { hint } => *hint,
        }
    }
}

impl<B: Body> ReadBody<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = if !self.data.is_empty() {
            Frame::data(mem::take(&mut self.data))
        } else if let Some(trailers) = self.trailers.take() {
            Frame::trailers(trailers)
        } else if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        } else if let Some(rest) = &mut self.rest {
            match ready!(rest.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => in_bytes(frame),
                end => return Poll::Ready(end.map(|frame| frame.map(in_bytes))),
            }
        } else {
            return Poll::Ready(None);
        };
        let passed = frame.data_ref().map_or(0, |data| data.len() as u64);
        let lower = self.hint.lower().saturating_sub(passed);
        let upper = self.hint.upper().map(|upper| upper.saturating_sub(passed));
        self.hint = SizeHint::new();
        self.hint.set_lower(lower);
        if let Some(upper) = upper {
            self.hint.set_upper(upper);
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

/// By an exact length a server would stop before the trailers.
pub(super) fn edited_hint(document: &Bytes, trailers: Option<&HeaderMap>) -> SizeHint {
    let len = document.len() as u64;
    if trailers.is_none() {
        return SizeHint::with_exact(len);
    }
    let mut hint = SizeHint::new();
    hint.set_lower(len);
    hint
}

fn in_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
