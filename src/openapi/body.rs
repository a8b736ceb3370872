//! The body of a response that may have been a document.

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// Response body of [`OpenApiService`](crate::OpenApiService): the inner one, or a document
    /// that has been read.
    pub struct DocumentBody<B>
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
        Read {
            data: Bytes,
            trailers: Option<HeaderMap>,
            error: Option<B::Error>,
            rest: Option<Pin<Box<B>>>,
        },
        Head { hint: SizeHint },
    }
}

impl<B: Body> DocumentBody<B> {
    pub(super) fn passing(body: B) -> Self {
        Self {
            state: State::Passing { body },
        }
    }

    /// No body, for a request that asked for the head alone; a server tells its length.
    pub(super) fn head(hint: SizeHint) -> Self {
        Self {
            state: State::Head { hint },
        }
    }

    /// `data`, and then what else came or is to come.
    pub(super) fn read(
        data: Bytes,
        trailers: Option<HeaderMap>,
        error: Option<B::Error>,
        rest: Option<Pin<Box<B>>>,
    ) -> Self {
        Self {
            state: State::Read {
                data,
                trailers,
                error,
                rest,
            },
        }
    }
}

impl<B: Body> fmt::Debug for DocumentBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentBody").finish_non_exhaustive()
    }
}

impl<B: Body> Body for DocumentBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let rest = match self.project().state.project() {
            StateProj::Passing { body } => body,
            StateProj::Head { .. } => return Poll::Ready(None),
            StateProj::Read {
                data,
                trailers,
                error,
                rest,
            } => {
                if !data.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(data)))));
                }
                if let Some(trailers) = trailers.take() {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                if let Some(error) = error.take() {
                    return Poll::Ready(Some(Err(error)));
                }
                match rest {
                    Some(rest) => rest.as_mut(),
                    None => return Poll::Ready(None),
                }
            }
        };
        let in_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
        rest.poll_frame(cx).map_ok(|frame| frame.map_data(in_bytes))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passing { body } => body.is_end_stream(),
            State::Head { .. } => true,
            State::Read {
                data,
                trailers,
                error,
                rest,
            } => {
                let rest_is_over = rest.as_ref().map_or(true, |rest| rest.is_end_stream());
                data.is_empty() && trailers.is_none() && error.is_none() && rest_is_over
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passing { body } => body.size_hint(),
            State::Head { hint } => *hint,
            State::Read {
                data,
                trailers,
                error,
                rest,
            } => {
                let read = data.len() as u64;
                let rest = rest
                    .as_ref()
                    .map_or_else(|| SizeHint::with_exact(0), |rest| rest.size_hint());
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(read));
                // By an exact length a server would stop before the trailers or the error.
                let is_all = trailers.is_none() && error.is_none();
                if let Some(upper) = rest.upper().filter(|_| is_all) {
                    hint.set_upper(upper.saturating_add(read));
                }
                hint
            }
        }
    }
}
