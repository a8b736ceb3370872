//! The document on its way out: which responses are held, and what becomes of their headers.

use super::{
    body::{self, ReadBody},
    document, OpenApiBody,
};
use crate::RootPath;
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    header::{
        self, HeaderName, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
        TRANSFER_ENCODING,
    },
    response, HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{ready, Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// How large a document is held, unless [`OpenApiLayer::limit`] says otherwise.
const LIMIT: usize = 16 << 20;

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

/// What is said of the bytes of a document, and does not hold once they are others.
const VALIDATORS: [HeaderName; 7] = [
    HeaderName::from_static("content-md5"),
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

/// Layer that applies [`OpenApiService`]: brings an OpenAPI document under the root path of each
/// request, whatever has made it.
///
/// Place it inside of [`RootPathLayer`](crate::RootPathLayer), and where a sub-app has a document of
/// its own, another one inside of its `RootPathLayer::nested()`. At the paths it is told, and only
/// for a response of status 200 whose content is JSON (`application/json`, `…+json`) and an OpenAPI
/// document, it edits
///
/// | version | what | with the root path `/api/v1` |
/// |---|---|---|
/// | 3.x | `servers` | gets `{"url":"/api/v1"}` as the first entry, unless one is there already |
/// | 3.x | URLs in `servers` of the document, of path items and of operations that begin with a slash | `/` becomes `/api/v1`, `/v2` becomes `/api/v1/v2` |
/// | 2.0 | `basePath` | the same |
///
/// Every other byte stays, and the order of keys. Not edited are the servers of callbacks, webhooks
/// and links, which may be anybody's, the `host` of 2.0, and other URLs, such as `tokenUrl`: write
/// them relative. Without a root path nothing is edited, and nothing below holds.
///
/// `Content-Length` is that of the edited document; validators, such as `ETag`, are dropped. HEAD
/// reaches the app as GET, since the length is known only then. Conditions and ranges in the request
/// are not passed on, and no coding is accepted, since only the whole document in plain bytes can be
/// edited. What is larger than the [`limit`](Self::limit), compressed all the same, or no such
/// document passes as it is.
///
/// The document is parsed for each request, in a time that grows with its size: milliseconds for each
/// megabyte.
///
/// Where the root path is forwarded, the `Vary` of [`RootPathLayer`](crate::RootPathLayer) keeps
/// caches from mixing the documents up; whoever turns that off has to tell them otherwise.
///
/// # Example
///
/// ```
/// use axum::{body::Body, routing::get, Json, Router};
/// use http::Request;
/// use serde_json::json;
/// use tower::ServiceExt;
/// use tower_root_path::{OpenApiLayer, RootPathLayer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new()
///     .route("/openapi.json", get(|| async {
///         Json(json!({ "openapi": "3.1.0", "paths": {} }))
///     }))
///     .layer(OpenApiLayer::new("/openapi.json"))
///     .layer(RootPathLayer::new("/api/v1"));
///
/// let request = Request::builder().uri("/openapi.json").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// let body = axum::body::to_bytes(response.into_body(), 1000).await?;
/// assert_eq!(body, r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1"}],"paths":{}}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenApiLayer {
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
struct Config {
    paths: Vec<Box<str>>,
    root_path_in_servers: bool,
    limit: usize,
}

impl OpenApiLayer {
    /// Edits the document at `path`: the path of the app's own route, without the root path and
    /// without a query, such as `/openapi.json`.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or has a query or a template's braces.
    #[track_caller]
    pub fn new(path: impl Into<String>) -> Self {
        let config = Config {
            paths: vec![absolute(path.into())],
            root_path_in_servers: true,
            limit: LIMIT,
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// Edits the document at `path` as well.
    ///
    /// # Panics
    ///
    /// If `path` does not begin with a slash, or has a query or a template's braces.
    #[must_use]
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = absolute(path.into());
        self.with(|config| config.paths.push(path))
    }

    /// Whether the root path has an entry of its own in the `servers` of the document, as in
    /// FastAPI; it has unless told otherwise.
    #[must_use]
    pub fn root_path_in_servers(self, root_path_in_servers: bool) -> Self {
        self.with(|config| config.root_path_in_servers = root_path_in_servers)
    }

    /// How many bytes of a document are held at most; 16 MiB unless told otherwise. A larger one
    /// passes as it is.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.with(|config| config.limit = limit)
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

#[track_caller]
fn absolute(path: String) -> Box<str> {
    let problem = if !path.starts_with('/') {
        "must start with '/'"
    } else if path.contains(['?', '#']) {
        "must be a path, without a query"
    } else if path.contains(['{', '}']) {
        "must be the path of one document, not a template"
    } else {
        return path.into();
    };
    panic!("invalid path of a document {path:?}: {problem}");
}

impl<S> Layer<S> for OpenApiLayer {
    type Service = OpenApiService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenApiService {
            inner,
            config: Arc::clone(&self.config),
        }
    }
}

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
        OpenApiFuture {
            inner: self.inner.call(request),
            asked,
            reading: None,
        }
    }
}

/// A request for a document that is to be edited.
#[derive(Debug)]
struct Asked {
    config: Arc<Config>,
    root_path: RootPath,
    is_head: bool,
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

pin_project! {
    /// Response future of [`OpenApiService`].
    pub struct OpenApiFuture<F, B>
    where
        B: Body,
    {
        #[pin]
        inner: F,
        asked: Option<Asked>,
        reading: Option<Reading<B>>,
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
        let this = self.project();
        let mut reading = match this.reading.take() {
            Some(reading) => reading,
            None => {
                let response = ready!(this.inner.poll(cx))?;
                match this.asked.take() {
                    Some(asked) if asked.may_edit(&response) => Reading::new(asked, response),
                    Some(Asked { is_head: true, .. }) => {
                        let (parts, body) = response.into_parts();
                        return Poll::Ready(Ok(head(parts, body.size_hint())));
                    }
                    _ => return Poll::Ready(Ok(response.map(OpenApiBody::passing))),
                }
            }
        };
        match reading.poll_end(cx) {
            Poll::Ready(end) => Poll::Ready(Ok(reading.answer(end))),
            Poll::Pending => {
                *this.reading = Some(reading);
                Poll::Pending
            }
        }
    }
}

/// A response whose body is read.
struct Reading<B: Body> {
    asked: Asked,
    parts: response::Parts,
    body: Pin<Box<B>>,
    /// What the body said of its length.
    hint: SizeHint,
    read: BytesMut,
    /// Whether there is an object in `read`, or the white space in front of one.
    has_begun: bool,
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
            has_begun: false,
            trailers: None,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End<B::Error>> {
        while let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) {
            let already = self.read.len();
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.read.put(data),
                Ok(Err(frame)) => self.trailers = frame.into_trailers().ok(),
                Err(error) => return Poll::Ready(End::Failed(error)),
            }
            if !self.has_begun {
                match self.read[already..].trim_ascii_start().first() {
                    None => {}
                    Some(b'{') => self.has_begun = true,
                    Some(_) => return Poll::Ready(End::NotOurs),
                }
            }
            if self.read.len() > self.asked.config.limit {
                return Poll::Ready(End::NotOurs);
            }
        }
        Poll::Ready(End::Complete)
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
