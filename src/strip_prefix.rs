//! For gateways: strip a prefix and send it to the app.

use crate::{forwarded::X_FORWARDED_PREFIX, uri, RootPath};
use http::{
    header::{CONNECTION, TRAILER},
    HeaderMap, HeaderName, HeaderValue, Request,
};
use std::{
    fmt,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// Layer for a gateway that strips a prefix from the request path, and sends it to the app in
/// `X-Forwarded-Prefix`.
///
/// It does the same as Traefik's StripPrefix, but only at segment boundaries. A request outside the
/// prefix passes with its path unchanged. The gateway's routes decide how to answer it.
///
/// # Headers that the client sends
///
/// The client's own `X-Forwarded-Prefix` is removed from every request, inside and outside the
/// prefix. If another gateway runs before this one, see
/// [`trust_previous_hop`](Self::trust_previous_hop).
///
/// Names that some servers treat as the same header are removed too: `X_Forwarded_Prefix`,
/// `X!Forwarded!Prefix` and all others that differ only in bytes that are not alphanumeric.
///
/// All these names are removed from `Connection` and `Trailer`, so that the client cannot make the
/// next server drop or replace the gateway's value.
///
/// # Upgrades
///
/// The service that sends the request to the app may pass an upgrade to `websocket`. It must not
/// pass an upgrade to `h2c`: requests on the upgraded connection bypass this layer.
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
/// // Sends the request to the app.
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
    /// Strips `prefix`: `""` or `/seg…`, by the [grammar](RootPath#grammar) of a root path.
    ///
    /// With an empty prefix (`""`, `"/"`) no path is changed and no header is added. The client's
    /// own headers are still removed.
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
    /// use tower_root_path::StripPrefixLayer;
    ///
    /// let error = StripPrefixLayer::try_new("api/v1").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"invalid root path "api/v1": must start with '/'"#
    /// );
    /// ```
    pub fn try_new<P>(prefix: P) -> Result<Self, P::Error>
    where
        P: TryInto<RootPath>,
    {
        prefix.try_into().map(Self::from)
    }

    /// Keeps the `X-Forwarded-Prefix` of the request, and appends this prefix.
    ///
    /// The prefix is a further line of the header, as Traefik sends it. Use this only if no one but
    /// another gateway can reach this one. The app reads both prefixes with
    /// [`ForwardedPrefix::hops(2)`](crate::ForwardedPrefix::hops).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::StripPrefixLayer;
    ///
    /// let layer = StripPrefixLayer::new("/api/v1").trust_previous_hop();
    /// ```
    #[must_use]
    pub fn trust_previous_hop(mut self) -> Self {
        self.trusts_previous_hop = true;
        self
    }
}

impl From<RootPath> for StripPrefixLayer {
    fn from(prefix: RootPath) -> Self {
        Self {
            value: HeaderValue::from_str(prefix.as_str()).expect("a root path is a header value"),
            prefix,
            trusts_previous_hop: false,
        }
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

/// Middleware for a gateway that strips a prefix from the request path, and sends it to the app in
/// `X-Forwarded-Prefix`.
///
/// See [`StripPrefixLayer`] for the details and an example.
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
    ///
    /// # Example
    ///
    /// ```
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    /// use tower::{service_fn, ServiceExt};
    /// use tower_root_path::StripPrefix;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Sends the request to the app.
    /// let upstream = service_fn(|request: Request<()>| async move {
    ///     Ok::<_, Infallible>(Response::new(request.uri().to_string()))
    /// });
    /// let gateway = StripPrefix::new(upstream, "/api/v1");
    ///
    /// let request = Request::get("/api/v1/app").body(())?;
    /// let response = gateway.oneshot(request).await?;
    /// assert_eq!(response.body(), "/app");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn new<P>(inner: S, prefix: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        StripPrefixLayer::new(prefix).layer(inner)
    }

    /// The same as [`StripPrefixLayer::try_new`], around `inner`.
    ///
    /// # Errors
    ///
    /// If `prefix` does not follow the [grammar](RootPath#grammar) of a root path.
    pub fn try_new<P>(inner: S, prefix: P) -> Result<Self, P::Error>
    where
        P: TryInto<RootPath>,
    {
        Ok(StripPrefixLayer::try_new(prefix)?.layer(inner))
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
        remove_other_spellings(headers);
        // A proxy drops the headers that `Connection` names (RFC 9110, section 7.6.1), and some
        // servers merge the trailers that `Trailer` names into the headers (section 6.5.1).
        remove_from_list(headers, &CONNECTION);
        remove_from_list(headers, &TRAILER);
        if uri::strip_from(request.uri_mut(), prefix.as_str()) {
            // Fails only if the map is full (2^15 headers), which is more than any server accepts.
            let _ = request
                .headers_mut()
                .try_append(X_FORWARDED_PREFIX, value.clone());
        }
        self.inner.call(request)
    }
}

/// Whether a server may treat `name` as `X-Forwarded-Prefix`: other bytes may stand for its hyphens.
/// CGI, WSGI and PHP turn `-`, `_` and `.` into `_`. lighttpd's CGI does so with every byte that is
/// not alphanumeric. No proxy sends such a name.
fn is_spelling_of_prefix_header(name: &[u8]) -> bool {
    let expected = X_FORWARDED_PREFIX;
    let mut pairs = name.iter().zip(expected.as_str().as_bytes());
    name.len() == expected.as_str().len()
        && pairs.all(|(byte, expected)| match expected {
            b'-' => !byte.is_ascii_alphanumeric(),
            _ => byte.eq_ignore_ascii_case(expected),
        })
}

fn remove_other_spellings(headers: &mut HeaderMap) {
    let spellings = headers
        .keys()
        .filter(|name| is_spelling_of_prefix_header(name.as_str().as_bytes()))
        .filter(|name| *name != X_FORWARDED_PREFIX)
        .cloned()
        .collect::<Vec<_>>();
    for spelling in spellings {
        headers.remove(spelling);
    }
}

/// Removes `X-Forwarded-Prefix`, in any spelling, from the members of the header `list`.
fn remove_from_list(headers: &mut HeaderMap, list: &HeaderName) {
    let lines = headers.get_all(list).into_iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let (removed, kept): (Vec<_>, Vec<_>) = members
        .map(<[u8]>::trim_ascii)
        .partition(|member| is_spelling_of_prefix_header(member));
    if removed.is_empty() {
        return;
    }
    match HeaderValue::from_bytes(&kept.join(&b", "[..])) {
        Ok(kept) if !kept.is_empty() => drop(headers.insert(list, kept)),
        _ => drop(headers.remove(list)),
    }
}
