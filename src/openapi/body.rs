//! The response body of `OpenApiService`.

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
    /// Response body of [`OpenApiService`](crate::OpenApiService).
    ///
    /// It is the edited document, or the body of the inner service.
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
        Inner { #[pin] body: B },
        Buffered { body: BufferedBody<B> },
        Edited { document: Bytes, trailers: Option<HeaderMap> },
        Head { size_hint: SizeHint },
    }
}

/// A body of the inner service that was read in part or as a whole, and is sent unchanged.
///
/// It keeps the size hint of the inner body. An exact length taken from the buffer would be wrong:
/// where the length was unknown, the body may still fail, and the server would send a truncated
/// response as a complete one.
pub(super) struct BufferedBody<B: Body> {
    pub(super) size_hint: SizeHint,
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<B::Error>,
    /// The part that was not read. `None` if the body has ended.
    pub(super) rest: Option<Pin<Box<B>>>,
}

impl<B: Body> OpenApiBody<B> {
    pub(super) fn inner(body: B) -> Self {
        Self::from(State::Inner { body })
    }

    pub(super) fn buffered(body: BufferedBody<B>) -> Self {
        Self::from(State::Buffered { body })
    }

    pub(super) fn edited(document: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::from(State::Edited { document, trailers })
    }

    /// An empty body for a HEAD request, with the size hint of the body that GET has.
    pub(super) fn head(size_hint: SizeHint) -> Self {
        Self::from(State::Head { size_hint })
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
            StateProj::Inner { body } => body.poll_frame(cx).map_ok(copy_to_bytes),
            StateProj::Buffered { body } => body.poll_frame(cx),
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
            State::Inner { body } => body.is_end_stream(),
            State::Buffered { .. } => false,
            State::Edited { document, trailers } => document.is_empty() && trailers.is_none(),
            State::Head { .. } => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Inner { body } => body.size_hint(),
            State::Buffered { body } => body.size_hint,
            State::Edited { document, trailers } => edited_size_hint(document, trailers.as_ref()),
            State::Head { size_hint } => *size_hint,
        }
    }
}

impl<B: Body> BufferedBody<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = if !self.data.is_empty() {
            Frame::data(mem::take(&mut self.data))
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
        let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
        let lower = self.size_hint.lower().saturating_sub(sent);
        let upper = self.size_hint.upper();
        self.size_hint = SizeHint::new();
        self.size_hint.set_lower(lower);
        if let Some(upper) = upper {
            self.size_hint.set_upper(upper.saturating_sub(sent));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

/// The size hint of an edited document.
///
/// It is not exact if there are trailers: a server stops at an exact length, before the trailers.
pub(super) fn edited_size_hint(document: &Bytes, trailers: Option<&HeaderMap>) -> SizeHint {
    let len = document.len() as u64;
    if trailers.is_none() {
        return SizeHint::with_exact(len);
    }
    let mut size_hint = SizeHint::new();
    size_hint.set_lower(len);
    size_hint
}

fn copy_to_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
