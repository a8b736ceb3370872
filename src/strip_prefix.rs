//! The gateway's side: strip a prefix, and tell the app behind.

use crate::{forwarded::X_FORWARDED_PREFIX, uri, RootPath};
use http::{header::CONNECTION, HeaderMap, HeaderName, HeaderValue, Request};
use std::{
    fmt,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// Layer that applies [`StripPrefix`]: in a gateway, takes a prefix off the request path, and
/// tells the app behind it in `X-Forwarded-Prefix`.
///
/// This is what Traefik's StripPrefix does, but at segment boundaries only. A request outside the
/// prefix passes, and so does its path; the routing of the gateway decides what becomes of it.
///
/// A value of the header that the client sent never reaches the app, whether the request is under
/// the prefix or not, nor do spellings that some servers take for the same name
/// (`X_Forwarded_Prefix`). Nor can a client have the gateway's own value dropped, by naming the header
/// in `Connection`. Where the gateway has a gateway in front of it, see
/// [`trust_previous_hop`](Self::trust_previous_hop).
///
/// What sends the request on may pass an upgrade to `websocket`, but must not pass one to `h2c`: the
/// requests behind that come past this layer.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use std::convert::Infallible;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::StripPrefixLayer;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // What sends the request on to the app.
/// async fn upstream(request: Request<()>) -> Result<Response<String>, Infallible> {
///     let prefix = request.headers()["x-forwarded-prefix"].to_str().unwrap();
///     Ok(Response::new(format!("{} under {prefix}", request.uri())))
/// }
///
/// let mut gateway = ServiceBuilder::new()
///     .layer(StripPrefixLayer::new("/api/v1"))
///     .service_fn(upstream);
///
/// let request = Request::builder()
///     .uri("/api/v1/app?x=1")
///     .header("x-forwarded-prefix", "/spoofed")
///     .body(())?;
/// let response = gateway.ready().await?.call(request).await?;
/// assert_eq!(response.body(), "/app?x=1 under /api/v1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StripPrefixLayer {
    prefix: RootPath,
    value: HeaderValue,
    trusts_previous_hop: bool,
}

impl StripPrefixLayer {
    /// Strips `prefix`: `/seg…`, by the [grammar](RootPath#grammar) of a root path. With an empty
    /// one (`""`, `"/"`) nothing is stripped or told, and a client's own header is still dropped.
    ///
    /// # Panics
    ///
    /// If `prefix` does not follow the grammar. A [`RootPath`] that is parsed beforehand gives an
    /// error instead.
    #[must_use]
    #[track_caller]
    pub fn new<P>(prefix: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        let prefix = match prefix.try_into() {
            Ok(prefix) => prefix,
            Err(error) => panic!("{error}"),
        };
        Self {
            value: HeaderValue::from_str(prefix.as_str()).expect("a root path is a header value"),
            prefix,
            trusts_previous_hop: false,
        }
    }

    /// Only another gateway can reach this one: what it says in `X-Forwarded-Prefix` stays, and
    /// this prefix is appended as a further line, as Traefik does it. The app takes both with
    /// [`ForwardedPrefix::hops(2)`](crate::ForwardedPrefix::hops).
    #[must_use]
    pub fn trust_previous_hop(mut self) -> Self {
        self.trusts_previous_hop = true;
        self
    }
}

impl<S> Layer<S> for StripPrefixLayer {
    type Service = StripPrefix<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripPrefix {
            inner,
            layer: self.clone(),
        }
    }
}

/// Middleware that takes a prefix off the request path and tells the app behind it.
///
/// See [`StripPrefixLayer`] for an example.
#[derive(Clone, Debug)]
pub struct StripPrefix<S> {
    inner: S,
    layer: StripPrefixLayer,
}

impl<S> StripPrefix<S> {
    /// The same as [`StripPrefixLayer::new`], around `inner`.
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
        StripPrefixLayer::new(prefix).layer(inner)
    }

    define_inner_service_accessors!();
}

impl<S, B> Service<Request<B>> for StripPrefix<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let StripPrefixLayer {
            prefix,
            value,
            trusts_previous_hop,
        } = &self.layer;

        let headers = request.headers_mut();
        if !trusts_previous_hop {
            headers.remove(X_FORWARDED_PREFIX);
        }
        remove_other_spellings(headers, &X_FORWARDED_PREFIX);
        remove_connection_option(headers, &X_FORWARDED_PREFIX);
        if !prefix.is_empty() && uri::strip_from(request.uri_mut(), prefix.as_str()) {
            // Fails only in a map of 2^15 headers, more than any server takes.
            let _ = request
                .headers_mut()
                .try_append(X_FORWARDED_PREFIX, value.clone());
        }
        self.inner.call(request)
    }
}

/// Servers that hand headers on as variables take `_` (CGI, WSGI) and `.` (PHP) for `-`. No gateway
/// spells it so.
fn remove_other_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    let folded = |byte| {
        if matches!(byte, b'_' | b'.') {
            b'-'
        } else {
            byte
        }
    };
    let spellings = headers
        .keys()
        .filter(|key| key.as_str().bytes().map(folded).eq(name.as_str().bytes()))
        .filter(|key| *key != name)
        .cloned()
        .collect::<Vec<_>>();
    for spelling in spellings {
        headers.remove(spelling);
    }
}

/// A header that `Connection` names is for one connection only, so whatever sends the request on
/// drops it (RFC 9110, section 7.6.1).
fn remove_connection_option(headers: &mut HeaderMap, name: &HeaderName) {
    let lines = headers.get_all(CONNECTION).into_iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let (named, others): (Vec<_>, Vec<_>) = options
        .map(<[u8]>::trim_ascii)
        .partition(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()));
    if named.is_empty() {
        return;
    }
    match HeaderValue::from_bytes(&others.join(&b", "[..])) {
        Ok(others) if !others.is_empty() => drop(headers.insert(CONNECTION, others)),
        _ => drop(headers.remove(CONNECTION)),
    }
}
