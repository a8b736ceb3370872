//! What the layers that edit response bodies share: a response is read as far as necessary, edited,
//! and sent on.

mod body;
mod future;
mod headers;

pub(crate) use self::{
    body::EditedBody,
    future::{EditFuture, Editor, ReadEnd},
    headers::{content_coding, request_identity},
};

/// The public body and the public future of a layer whose responses an [`Editor`] edits.
macro_rules! define_body_and_future {
    (
        $(#[$body_attribute:meta])* body $Body:ident;
        $(#[$future_attribute:meta])* future $Future:ident of $Editor:ty;
    ) => {
        pin_project_lite::pin_project! {
            $(#[$body_attribute])*
            pub struct $Body<B>
            where
                B: http_body::Body,
            {
                #[pin]
                body: $crate::edit::EditedBody<B>,
            }
        }

        impl<B> std::fmt::Debug for $Body<B>
        where
            B: http_body::Body,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Body)).finish_non_exhaustive()
            }
        }

        impl<B> http_body::Body for $Body<B>
        where
            B: http_body::Body,
        {
            type Data = bytes::Bytes;
            type Error = B::Error;

            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
                self.project().body.poll_frame(cx)
            }

            fn is_end_stream(&self) -> bool {
                self.body.is_end_stream()
            }

            fn size_hint(&self) -> http_body::SizeHint {
                self.body.size_hint()
            }
        }

        pin_project_lite::pin_project! {
            $(#[$future_attribute])*
            pub struct $Future<F, B>
            where
                B: http_body::Body,
            {
                #[pin]
                future: $crate::edit::EditFuture<F, B, $Editor>,
            }
        }

        impl<F, B> $Future<F, B>
        where
            B: http_body::Body,
        {
            pub(super) fn new(inner: F, editor: Option<$Editor>) -> Self {
                let future = $crate::edit::EditFuture::new(inner, editor);
                Self { future }
            }
        }

        impl<F, B> std::fmt::Debug for $Future<F, B>
        where
            B: http_body::Body,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Future)).finish_non_exhaustive()
            }
        }

        impl<F, B, E> std::future::Future for $Future<F, B>
        where
            F: std::future::Future<Output = Result<http::Response<B>, E>>,
            B: http_body::Body,
        {
            type Output = Result<http::Response<$Body<B>>, E>;

            fn poll(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                let wrap = |body| $Body { body };
                let response = self.project().future.poll(cx);
                response.map_ok(|response| response.map(wrap))
            }
        }
    };
}
pub(crate) use define_body_and_future;
