//! The way of one request.

use crate::{
    forwarded::{trim_ows, Forwarded},
    layer::{Config, Strip},
    rewrite::{self, Authority, Base},
    uri, RootPath, RootPathLayer,
};
use http::{header::VARY, HeaderMap, HeaderValue, Request, Response};
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

/// Middleware that tells an app the path prefix it lives under, and brings what it emits under
/// that prefix.
///
/// For each request it decides the root path, takes it off the request path if it is still there,
/// puts a [`RootPath`] in the request extensions, and rewrites the headers of the response. It
/// never answers by itself and never touches a body.
///
/// See [`RootPathLayer`] for an example and for everything that can be configured.
#[derive(Clone, Debug)]
pub struct RootPathService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> RootPathService<S> {
    /// The same as [`RootPathLayer::new`], around `inner`.
    ///
    /// # Panics
    ///
    /// If `root_path` does not follow the [grammar](RootPath#grammar).
    #[track_caller]
    pub fn new<P>(inner: S, root_path: P) -> Self
    where
        P: TryInto<RootPath>,
        P::Error: fmt::Display,
    {
        RootPathLayer::new(root_path).layer(inner)
    }

    pub(crate) fn with_config(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside, without the middleware.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RootPathService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let pending = enter(&self.config, &mut request);
        ResponseFuture {
            inner: self.inner.call(request),
            pending,
        }
    }
}

pin_project! {
    /// Response future of [`RootPathService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        pending: Option<Pending>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(pending) = this.pending.take() {
            pending.leave(&mut response);
        }
        Poll::Ready(Ok(response))
    }
}

/// What is to be done when the response comes.
#[derive(Debug)]
struct Pending {
    config: Arc<Config>,
    base: Base,
    /// Whether a layer further out will see the response as well, and must know.
    inside_another: bool,
}

/// In the extensions of a response: its references are rewritten already.
#[derive(Clone, Copy, Debug)]
struct Rewritten;

/// The way in: decides the root path, strips it, and puts the whole one in the extensions.
fn enter<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<Pending> {
    let mut own = Part::of(config, request);
    let outer = request.extensions().get::<RootPath>();
    let inside_another = outer.is_some_and(|outer| !outer.is_empty());
    let whole = match outer.map(|outer| outer.concat(&own.root_path)) {
        None => own.root_path.clone(),
        Some(Ok(whole)) => whole,
        // Too long together: what the inner one adds counts as none.
        Some(Err(_)) => {
            own = Part::default();
            RootPath::EMPTY
        }
    };
    let has_part = !own.root_path.is_empty();

    if own.strip && has_part {
        uri::strip_from(request.uri_mut(), own.root_path.as_str());
    }
    if has_part || own.left_out {
        let told = whole.clone().passing_on(request.uri().path());
        match request.extensions_mut().get_mut::<RootPath>() {
            Some(there) => *there = told,
            None => drop(request.extensions_mut().insert(told)),
        }
    }

    let rewrites = !config.rewrite.is_none();
    let path_looks_like_a_host = rewrite::looks_like_a_host(request.uri().path().as_bytes());
    let varies = config.vary && config.forwarded.is_some();
    if !(varies || rewrites && (has_part || path_looks_like_a_host)) {
        return None;
    }
    let base = if has_part {
        Base {
            mounts: own.carried_in(&whole),
            root_path: whole,
            authority: if rewrites {
                Authority::of(request)
            } else {
                None
            },
            path_looks_like_a_host,
        }
    } else {
        // Whatever a layer further out adds, it adds itself.
        Base {
            mounts: [0; 2],
            root_path: RootPath::EMPTY,
            authority: None,
            path_looks_like_a_host,
        }
    };
    Some(Pending {
        config: Arc::clone(config),
        base,
        inside_another: inside_another && has_part,
    })
}

/// What one layer adds to the root path.
#[derive(Default)]
struct Part {
    root_path: RootPath,
    strip: bool,
    /// How much of the end of the root path a reference may carry alone, because the routers show
    /// it to the app (axum's `OriginalUri`).
    shown: usize,
    /// Whether something was taken off the path that cannot be written as a root path.
    left_out: bool,
}

impl Part {
    fn of<B>(config: &Config, request: &Request<B>) -> Self {
        #[cfg(feature = "axum")]
        if config.nested {
            return Self::mounted(request);
        }
        let strip = config.strip == Strip::IfPresent;
        if let Some(forwarded) = &config.forwarded {
            let found = forwarded.read_or_reuse(request, &config.root_path);
            config.told.tell(forwarded, &found);
            if let Forwarded::Used(root_path) = found {
                return Self {
                    root_path,
                    strip: strip && !forwarded.tells_stripped(),
                    ..Self::default()
                };
            }
        }
        Self {
            root_path: config.root_path.clone(),
            strip,
            ..Self::default()
        }
    }

    #[cfg(feature = "axum")]
    fn mounted<B>(request: &Request<B>) -> Self {
        let Some(mount) = crate::axum::mount(request) else {
            return Self::default();
        };
        match RootPath::from_request_path(mount.own) {
            Ok(root_path) => Self {
                root_path,
                strip: false,
                shown: mount.shown.len(),
                left_out: false,
            },
            Err(_) => Self {
                left_out: true,
                ..Self::default()
            },
        }
    }

    /// Where in the `whole` root path the parts begin that a reference may carry alone.
    fn carried_in(&self, whole: &RootPath) -> [usize; 2] {
        let before = |len| whole.as_str().len().saturating_sub(len);
        [before(self.shown), before(self.root_path.as_str().len())]
    }
}

impl Pending {
    /// The way out.
    fn leave<B>(self, response: &mut Response<B>) {
        let Self {
            config,
            base,
            inside_another,
        } = self;
        if let (true, Some(forwarded)) = (config.vary, &config.forwarded) {
            add_vary(response.headers_mut(), forwarded.vary());
        }
        if response.headers().is_empty() || response.extensions().get::<Rewritten>().is_some() {
            return;
        }
        let seen = config.rewrite.apply(response.headers_mut(), &base);
        // The first extension costs three allocations.
        if seen && inside_another {
            response.extensions_mut().insert(Rewritten);
        }
    }
}

/// Adds `name` as a member of `Vary` ([RFC 9110, section 12.5.5]) unless it is one.
///
/// [RFC 9110, section 12.5.5]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5
fn add_vary(headers: &mut HeaderMap, name: &HeaderValue) {
    let is_there = headers.get_all(VARY).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|member| {
            let member = trim_ows(member);
            member == b"*" || member.eq_ignore_ascii_case(name.as_bytes())
        })
    });
    if !is_there {
        // A map that is full to the last entry stays as it is.
        let _ = headers.try_append(VARY, name.clone());
    }
}
