//! For clients: prepend a prefix to every request path.

use crate::{uri, RootPath};
use http::{
    uri::{InvalidUri, PathAndQuery},
    Request, Uri,
};
use pin_project_lite::pin_project;
use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tower::{BoxError, Service};
use tower_layer::Layer;

/// Layer for a client that prepends a prefix to every request path.
///
/// Use it for an app that a gateway publishes under a prefix, for example with
/// [`StripPrefixLayer`](crate::StripPrefixLayer). The client keeps using the app's own paths.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::AddPrefixLayer;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), tower::BoxError> {
/// // Sends the request to the gateway.
/// async fn connection(request: Request<()>) -> Result<Response<String>, Infallible> {
///     Ok(Response::new(request.uri().to_string()))
/// }
///
/// let mut client = ServiceBuilder::new()
///     .layer(AddPrefixLayer::new("/api/v1"))
///     .service_fn(connection);
///
/// for (uri, sent) in [
///     ("/app?x=1", "/api/v1/app?x=1"),
///     ("http://gateway.example", "http://gateway.example/api/v1/"),
///     ("/api/v1/app", "/api/v1/api/v1/app"),
/// ] {
///     let request = Request::builder().uri(uri).body(())?;
///     let response = client.ready().await?.call(request).await?;
///     assert_eq!(response.body(), sent);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Clients
///
/// **tonic** [ignores the path of an `Endpoint`'s URI][1314]. Put the layer around the channel. This
/// client calls `/grpc/grpc.health.v1.Health/Check`:
///
/// ```no_run
/// use tonic::transport::Endpoint;
/// use tonic_health::pb::health_client::HealthClient;
/// use tower_root_path::AddPrefix;
///
/// # async fn connect() -> Result<(), tonic::transport::Error> {
/// let channel = Endpoint::from_static("http://gateway.example").connect().await?;
/// let client = HealthClient::new(AddPrefix::new(channel, "/grpc"));
/// # Ok(())
/// # }
/// ```
///
/// **hyper-util**'s client is a tower service:
///
/// ```no_run
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::{Service, ServiceExt};
/// use tower_root_path::AddPrefix;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
/// let mut client = AddPrefix::new(client, "/api/v1");
///
/// let request = Request::get("http://gateway.example/app").body(Empty::new())?;
/// let response = client.ready().await?.call(request).await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is changed
///
/// Only the path of the request URI, in origin-form, absolute-form (for a proxy) and in HTTP/2. The
/// path and the query follow the prefix byte for byte.
///
/// - The prefix is always prepended, even if the path begins with it: the app may have a path
///   `/grpc/x` of its own.
/// - `*` and the authority-form of CONNECT have no path, and stay. The CONNECT of a WebSocket over
///   HTTP/2 ([RFC 8441]) has a path, which gets the prefix. So does the `GET` of a WebSocket over
///   HTTP/1.1. (A plain CONNECT to `http://host:port` gets the prefix too, but hyper sends only the
///   authority.)
/// - The scheme, the authority and all headers, including `Host`, stay.
/// - Responses stay. If the app behind the gateway has a [`RootPathLayer`](crate::RootPathLayer), a
///   `Location` has the prefix already. So a layer that follows redirects must be inside this one.
///
/// A path that becomes too long is [an error](AddPrefix#errors).
///
/// [1314]: https://github.com/grpc/grpc-rust/issues/1314
/// [RFC 8441]: https://www.rfc-editor.org/rfc/rfc8441#section-4
#[derive(Clone, Debug)]
pub struct AddPrefixLayer {
    prefix: RootPath,
}

impl AddPrefixLayer {
    /// Prepends `prefix`: `""` or `/seg…`, by the [grammar](RootPath#grammar) of a root path.
    ///
    /// An empty prefix (`""`, `"/"`) changes nothing.
    ///
    /// # Panics
    ///
    /// If `prefix` does not follow the grammar.
    #[must_use]
    #[track_caller]
    pub fn new<P>(prefix: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        match prefix.try_into() {
            Ok(prefix) => Self::from(prefix),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same as [`new`](Self::new), but returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If `prefix` does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::AddPrefixLayer;
    ///
    /// let error = AddPrefixLayer::try_new("http://gateway.example/grpc").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"invalid root path "http://gateway.example/grpc": must start with '/'"#
    /// );
    /// ```
    pub fn try_new<P>(prefix: P) -> Result<Self, P::Error>
    where
        P: TryInto<RootPath>,
    {
        prefix.try_into().map(Self::from)
    }
}

impl From<RootPath> for AddPrefixLayer {
    fn from(prefix: RootPath) -> Self {
        Self { prefix }
    }
}

impl<S> Layer<S> for AddPrefixLayer {
    type Service = AddPrefix<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AddPrefix {
            inner,
            prefix: self.prefix.clone(),
        }
    }
}

/// Middleware for a client that prepends a prefix to every request path.
///
/// See [`AddPrefixLayer`] for an example and for what is changed.
///
/// # Errors
///
/// The `http` crate accepts at most 65,534 bytes of path and query. If the prefix makes them longer
/// than that, the error is an [`InvalidPrefixedPath`], and the inner service is not called. What
/// `poll_ready` has reserved in the inner service, such as a permit, is kept for the next request of
/// this clone.
///
/// The error type is [`BoxError`], as in tower's own middleware, since the error type of the inner
/// service cannot hold another error:
///
/// ```
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use tower::{service_fn, ServiceExt};
/// use tower_root_path::{AddPrefix, InvalidPrefixedPath};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let connection = service_fn(|_| async { Ok::<_, Infallible>(Response::new(())) });
/// let client = AddPrefix::new(connection, "/grpc");
///
/// let request = Request::get(format!("/?{}", "x".repeat(65_530))).body(())?;
/// let error = client.oneshot(request).await.unwrap_err();
/// assert!(error.is::<InvalidPrefixedPath>());
/// assert!(error.to_string().starts_with(r#"cannot put "/grpc" in front of "/?xxx"#));
/// assert!(error.to_string().ends_with(r#"xxx…" (65532 bytes): uri too long"#));
/// # Ok(())
/// # }
/// ```
///
/// [`BoxError`]: https://docs.rs/tower/0.5/tower/type.BoxError.html
#[derive(Clone, Debug)]
pub struct AddPrefix<S> {
    inner: S,
    prefix: RootPath,
}

impl<S> AddPrefix<S> {
    /// The same as [`AddPrefixLayer::new`], around `inner`.
    ///
    /// # Panics
    ///
    /// If `prefix` does not follow the [grammar](RootPath#grammar) of a root path.
    #[track_caller]
    pub fn new<P>(inner: S, prefix: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        AddPrefixLayer::new(prefix).layer(inner)
    }

    /// The same as [`AddPrefixLayer::try_new`], around `inner`.
    ///
    /// # Errors
    ///
    /// If `prefix` does not follow the [grammar](RootPath#grammar) of a root path.
    pub fn try_new<P>(inner: S, prefix: P) -> Result<Self, P::Error>
    where
        P: TryInto<RootPath>,
    {
        Ok(AddPrefixLayer::try_new(prefix)?.layer(inner))
    }

    define_inner_service_accessors!();
}

impl<S, B> Service<Request<B>> for AddPrefix<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = AddPrefixFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let state = match uri::add_to(request.uri_mut(), self.prefix.as_str()) {
            Ok(()) => State::Called {
                future: self.inner.call(request),
            },
            Err(reason) => {
                let refused = InvalidPrefixedPath::new(&self.prefix, request.uri(), reason);
                State::Refused {
                    error: Some(refused.into()),
                }
            }
        };
        AddPrefixFuture { state }
    }
}

pin_project! {
    /// Response future of [`AddPrefix`].
    #[derive(Debug)]
    pub struct AddPrefixFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Called {
            #[pin]
            future: F,
        },
        Refused {
            error: Option<BoxError>,
        },
    }
}

impl<F, T, E> Future for AddPrefixFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Called { future } => future.poll(cx).map_err(Into::into),
            StateProj::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after it was ready")))
            }
        }
    }
}

/// Error returned when the path and query of a request are too long with the prefix.
///
/// The message quotes the prefix and the beginning of the path, and names the length and the reason.
/// See [`AddPrefix`](AddPrefix#errors) for an example.
#[derive(Debug)]
pub struct InvalidPrefixedPath {
    prefix: RootPath,
    /// The beginning of the path and query. The whole would fill a log.
    excerpt: Box<str>,
    /// The length of the whole path and query, in bytes.
    len: usize,
    reason: InvalidUri,
}

impl InvalidPrefixedPath {
    /// The number of characters of the path in the message.
    const EXCERPT_CHARS: usize = 64;

    fn new(prefix: &RootPath, uri: &Uri, reason: InvalidUri) -> Self {
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let mut excerpt = path.chars().take(Self::EXCERPT_CHARS).collect::<String>();
        if excerpt.len() < path.len() {
            excerpt.push('…');
        }
        Self {
            prefix: prefix.clone(),
            excerpt: excerpt.into(),
            len: path.len(),
            reason,
        }
    }
}

impl fmt::Display for InvalidPrefixedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prefix,
            excerpt,
            len,
            reason,
        } = self;
        write!(
            f,
            "cannot put {prefix:?} in front of {excerpt:?} ({len} bytes): {reason}"
        )
    }
}

impl error::Error for InvalidPrefixedPath {}
