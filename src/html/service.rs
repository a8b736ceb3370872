//! `BaseHrefService`: how requests for pages reach the app.

use super::{BaseHrefBody, BaseHrefFuture, BaseHrefLayer};
use crate::{edit::request_identity, warn_once::WarnOnce, RootPath};
use http::{
    header::{self, HeaderName, ACCEPT},
    HeaderMap, Method, Request, Response,
};
use http_body::Body;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// Headers that request less than the whole page.
///
/// Their validators are those of the page before the edit, or of one with another root path.
/// `If-Match` and `If-Unmodified-Since` are not for reading (RFC 9110, section 13.1).
const CONDITIONAL_HEADERS: [HeaderName; 4] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// Middleware that inserts `<base href>` into HTML pages, so that relative URLs work under any root
/// path.
///
/// See [`BaseHrefLayer`] for the details and an example.
#[derive(Clone, Debug)]
pub struct BaseHrefService<S> {
    inner: S,
    warn_once: Arc<WarnOnce>,
}

impl<S> BaseHrefService<S> {
    /// The same as [`BaseHrefLayer::new`], around `inner`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_http::services::ServeDir;
    /// use tower_root_path::{BaseHrefService, RootPathService};
    ///
    /// let pages = BaseHrefService::new(ServeDir::new("dist"));
    /// let service = RootPathService::new(pages, "/api/v1");
    /// ```
    pub fn new(inner: S) -> Self {
        BaseHrefLayer::new().layer(inner)
    }

    pub(super) fn with_warn_once(inner: S, warn_once: Arc<WarnOnce>) -> Self {
        Self { inner, warn_once }
    }

    define_inner_service_accessors!();
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BaseHrefService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<BaseHrefBody<ResBody>>;
    type Error = S::Error;
    type Future = BaseHrefFuture<S::Future, ResBody>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let page_request = PageRequest::prepare(&self.warn_once, &mut request);
        BaseHrefFuture::new(self.inner.call(request), Some(page_request))
    }
}

/// A request whose response may be a page.
#[derive(Debug)]
pub(super) struct PageRequest {
    pub(super) root_path: RootPath,
    pub(super) is_head: bool,
    pub(super) warn_once: Arc<WarnOnce>,
}

impl PageRequest {
    /// Makes `request` one for the whole page without a content coding, if a browser opens a page.
    fn prepare<B>(warn_once: &Arc<WarnOnce>, request: &mut Request<B>) -> Self {
        let is_head = request.method() == Method::HEAD;
        let reads = is_head || request.method() == Method::GET;
        if reads && accepts_html(request.headers()) {
            request_identity(request.headers_mut(), &CONDITIONAL_HEADERS);
        }
        Self {
            root_path: RootPath::from_extensions(request.extensions()),
            is_head,
            warn_once: Arc::clone(warn_once),
        }
    }
}

/// Whether `Accept` names `text/html`, as that of browsers does when they open a page.
fn accepts_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter();
    let mut ranges = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    ranges.any(|range| {
        let media_type = range.split(|byte| *byte == b';').next();
        let media_type = media_type.unwrap_or_default().trim_ascii();
        media_type.eq_ignore_ascii_case(b"text/html")
    })
}
