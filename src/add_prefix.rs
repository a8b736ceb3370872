//! The client's side: put a prefix in front of every request path.

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

/// Layer that applies [`AddPrefix`]: in a client, puts a prefix in front of every request path.
///
/// It is for the clients of an app that a gateway publishes under a prefix, by
/// [`StripPrefixLayer`](crate::StripPrefixLayer) for one: they go on using the app's own paths.
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
/// // What sends the request to the gateway.
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
/// # Which clients
///
/// Those of tonic: its `Endpoint` [ignores the path of its URI][1314]. With the layer around the
/// channel, what is called is `/grpc/grpc.health.v1.Health/Check`:
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
/// And those of hyper-util, which are services as they are:
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
/// The path of the request URI, in every form that has one: origin-form, absolute-form (for a
/// proxy) and that of HTTP/2. Path and query follow the prefix byte for byte.
///
/// - The prefix is always added, also to a path that begins with it: behind the gateway `/grpc/x`
///   is another path than `/x`.
/// - `*` and the authority-form of CONNECT have no path, and stay. The CONNECT of a WebSocket over
///   HTTP/2 ([RFC 8441]) has one, which gets the prefix as that of the `GET` over HTTP/1.1 does. (A
///   plain CONNECT that is given to hyper as `http://host:port` gets it as well; hyper then sends
///   the authority alone.)
/// - Scheme, authority and all headers, `Host` among them, stay.
/// - Responses stay. A `Location` is public, if the app behind the gateway knows its root path
///   ([`RootPathLayer`](crate::RootPathLayer)), so it has the prefix already: what follows redirects
///   goes inside of this layer.
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
    /// Puts `prefix` in front: `/seg…`, by the [grammar](RootPath#grammar) of a root path. An
    /// empty one (`""`, `"/"`) changes nothing.
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

    /// The same as [`new`](Self::new), for a value that comes from outside the program.
    ///
    /// # Errors
    ///
    /// If `prefix` does not follow the [grammar](RootPath#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// # use tower_root_path::AddPrefixLayer;
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

/// Middleware that puts a prefix in front of every request path.
///
/// See [`AddPrefixLayer`] for an example and for what is changed.
///
/// # Errors
///
/// `http` takes 65,534 bytes of path and query. A request that the prefix makes longer is dropped,
/// the inner service is not called, and the response is an [`InvalidPrefixedPath`]. (What `poll_ready`
/// had reserved there, such as a permit, is kept for the next request of this clone.) As in tower's own
/// middleware, the error is a [`BoxError`], since the inner service's has no room for another:
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

/// A request path, with the prefix in front, is none: it is too long. Says which path and which
/// prefix.
///
/// See [`AddPrefix`](AddPrefix#errors) for an example.
#[derive(Debug)]
pub struct InvalidPrefixedPath {
    prefix: RootPath,
    /// The beginning of the path (and query), which would fill a log.
    shown: Box<str>,
    len: usize,
    reason: InvalidUri,
}

impl InvalidPrefixedPath {
    /// How many characters of the path are shown.
    const SHOWN: usize = 64;

    fn new(prefix: &RootPath, uri: &Uri, reason: InvalidUri) -> Self {
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let mut shown = path.chars().take(Self::SHOWN).collect::<String>();
        if shown.len() < path.len() {
            shown.push('…');
        }
        Self {
            prefix: prefix.clone(),
            shown: shown.into(),
            len: path.len(),
            reason,
        }
    }
}

impl fmt::Display for InvalidPrefixedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prefix,
            shown,
            len,
            reason,
        } = self;
        write!(
            f,
            "cannot put {prefix:?} in front of {shown:?} ({len} bytes): {reason}"
        )
    }
}

impl error::Error for InvalidPrefixedPath {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.reason)
    }
}
