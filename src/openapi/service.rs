//! `OpenApiService`: which requests are for a document, and how they reach the app.

use super::{layer::Config, OpenApiBody, OpenApiFuture, OpenApiLayer};
use crate::{edit::request_identity, RootPath};
use http::{
    header::{self, HeaderName},
    Method, Request, Response,
};
use http_body::Body;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// Headers that request less than the whole document.
///
/// Their validators are those of the document before the edit, or of one with another root path.
const CONDITIONAL_HEADERS: [HeaderName; 6] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Middleware that adds the root path of each request to the `servers` of an OpenAPI document.
///
/// See [`OpenApiLayer`] for the details and an example.
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
    /// If `path` does not begin with a slash, or contains a query, a fragment or braces.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_http::services::ServeDir;
    /// use tower_root_path::{OpenApiService, RootPathService};
    ///
    /// let docs = OpenApiService::new(ServeDir::new("docs"), "/openapi.json");
    /// let service = RootPathService::new(docs, "/api/v1");
    /// ```
    #[track_caller]
    pub fn new(inner: S, path: impl Into<String>) -> Self {
        OpenApiLayer::new(path).layer(inner)
    }

    pub(super) fn with_config(inner: S, config: Arc<Config>) -> Self {
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
        let document_request = DocumentRequest::prepare(&self.config, &mut request);
        OpenApiFuture::new(self.inner.call(request), document_request)
    }
}

/// A request for a document that may have to be edited.
#[derive(Debug)]
pub(super) struct DocumentRequest {
    pub(super) config: Arc<Config>,
    pub(super) root_path: RootPath,
    pub(super) is_head: bool,
}

impl DocumentRequest {
    /// Makes `request` a GET request for the whole document without a content coding.
    ///
    /// `None` if it is not for a document, or has no root path; then it stays as it is.
    fn prepare<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<Self> {
        let is_head = request.method() == Method::HEAD;
        let is_document = (is_head || request.method() == Method::GET)
            && config
                .paths
                .iter()
                .any(|path| **path == *request.uri().path());
        let root_path = request.extensions().get::<RootPath>();
        let root_path = root_path.filter(|root_path| is_document && !root_path.is_empty())?;
        let root_path = root_path.clone();

        // The length of the edited document is known only with the document.
        *request.method_mut() = Method::GET;
        request_identity(request.headers_mut(), &CONDITIONAL_HEADERS);
        Some(Self {
            config: Arc::clone(config),
            root_path,
            is_head,
        })
    }
}
