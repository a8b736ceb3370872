//! The way in: whether a request is for a document, and what it may ask of it.

use super::{layer::Config, OpenApiBody, OpenApiFuture, OpenApiLayer};
use crate::RootPath;
use http::{
    header::{self, HeaderName, ACCEPT_ENCODING},
    HeaderValue, Method, Request, Response,
};
use http_body::Body;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// By these a request may get another answer than the whole document. The validators that they
/// name are of the document before it is edited, or of another root path.
const CONDITIONS: [HeaderName; 6] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Middleware that brings an OpenAPI document under the root path of each request.
///
/// See [`OpenApiLayer`] for an example and for what it does.
#[derive(Clone, Debug)]
pub struct OpenApiService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> OpenApiService<S> {
    /// The same as [`OpenApiLayer::new`], around `inner`.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or has a query or a template's braces.
    #[track_caller]
    pub fn new(inner: S, path: impl Into<String>) -> Self {
        OpenApiLayer::new(path).layer(inner)
    }

    pub(super) fn configured(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }

    define_inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for OpenApiService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<OpenApiBody<ResBody>>;
    type Error = S::Error;
    type Future = OpenApiFuture<S::Future, ResBody>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let asked = Asked::by(&self.config, &mut request);
        OpenApiFuture::new(self.inner.call(request), asked)
    }
}

/// A request for a document that is to be edited.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) config: Arc<Config>,
    pub(super) root_path: RootPath,
    pub(super) is_head: bool,
}

impl Asked {
    /// Takes out of `request` what would give another answer than the whole document.
    fn by<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<Self> {
        let is_head = request.method() == Method::HEAD;
        let is_document = (is_head || request.method() == Method::GET)
            && config
                .paths
                .iter()
                .any(|path| **path == *request.uri().path());
        let root_path = request.extensions().get::<RootPath>();
        let root_path = root_path.filter(|root_path| is_document && !root_path.is_empty())?;
        let root_path = root_path.clone();

        // The length of the document is known only once it is there.
        *request.method_mut() = Method::GET;
        let headers = request.headers_mut();
        for condition in CONDITIONS {
            headers.remove(condition);
        }
        // Without the header any coding would do.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Some(Self {
            config: Arc::clone(config),
            root_path,
            is_head,
        })
    }
}
