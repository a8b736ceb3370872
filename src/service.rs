//! The way of one request.

#[cfg(feature = "axum")]
use crate::axum::{mounted_segments, Mount};
use crate::{
    forwarded::Forwarded,
    layer::{Config, Strip},
    rewrite::{self, Authority, Base, Emitted},
    uri, RootPath, RootPathLayer,
};
use http::{header::VARY, HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use std::{
    borrow::Cow,
    fmt,
    future::Future,
    mem,
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
        if let Some(pending) = this.pending {
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
}

/// The way in: decides the root path, strips it, and puts the whole one in the extensions.
fn enter<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<Pending> {
    let mut base = if config.is_idle() {
        Base::nowhere()
    } else {
        Part::of(config, request).add_to(request)
    };
    base.path_looks_like_a_host = rewrite::looks_like_a_host(request.uri().path().as_bytes());

    let is_concerned = base.is_somewhere() || base.path_looks_like_a_host;
    let rewrites = is_concerned && !config.rewrite.is_none();
    if !rewrites && config.vary().is_none() {
        return None;
    }
    if rewrites && base.is_somewhere() {
        base.authority = Authority::of(request);
    }
    Some(Pending {
        config: Arc::clone(config),
        base,
    })
}

/// What one layer adds to the root path.
struct Part<'a> {
    root_path: Cow<'a, RootPath>,
    strip: bool,
    /// The end of the root path that a reference may carry alone, because the routers show it to
    /// the app (axum's `OriginalUri`).
    shown: RootPath,
    /// The same as it is in the request, if it had to be written otherwise.
    shown_raw: Option<Box<str>>,
    /// Whether something was taken off the path that cannot be written as a root path.
    left_out: bool,
}

impl<'a> Part<'a> {
    fn of<B>(config: &'a Config, request: &Request<B>) -> Self {
        #[cfg(feature = "axum")]
        if config.nested {
            return Self::mounted(request);
        }
        let strip = config.strip == Strip::IfPresent;
        if let Some(forwarded) = &config.forwarded {
            let found = forwarded.read_or_reuse(request, &config.root_path);
            config.told.tell(forwarded, &found);
            if let Forwarded::Used(root_path) = found {
                let strip = strip && !forwarded.tells_stripped();
                return Self::new(Cow::Owned(root_path), strip);
            }
        }
        Self::new(Cow::Borrowed(&config.root_path), strip)
    }

    fn new(root_path: Cow<'a, RootPath>, strip: bool) -> Self {
        Self {
            root_path,
            strip,
            shown: RootPath::EMPTY,
            shown_raw: None,
            left_out: false,
        }
    }

    #[cfg(feature = "axum")]
    fn mounted<B>(request: &Request<B>) -> Self {
        let Some(mount) = Mount::of(request) else {
            return Self::new(Cow::Owned(RootPath::EMPTY), false);
        };
        let root_path = RootPath::from_request_path(mount.own);
        let shown = RootPath::from_request_path(mount.whole).unwrap_or_default();
        Self {
            left_out: root_path.is_err(),
            root_path: Cow::Owned(root_path.unwrap_or_default()),
            strip: false,
            shown_raw: (shown != mount.whole).then(|| mount.whole.into()),
            shown,
        }
    }

    /// Strips this part from the request path, and tells the app the whole root path. Gives where
    /// the app is then; nowhere if this part adds nothing to what is told already, since what a
    /// layer further out adds, it adds itself.
    fn add_to<B>(self, request: &mut Request<B>) -> Base {
        if self.root_path.is_empty() && !self.left_out {
            return Base::nowhere();
        }
        let outer = request.extensions().get::<RootPath>();
        let told_already = outer.is_some();
        let outer_len = outer.map_or(0, |outer| outer.as_str().len());
        let root_path = match outer {
            None => self.root_path.into_owned(),
            // If they are too long together, this part counts as none.
            Some(outer) => match outer.concat(&self.root_path) {
                Ok(whole) => whole,
                Err(_) => outer.clone(),
            },
        };
        let part = &root_path.as_str()[outer_len..];
        let adds_nothing = part.is_empty();

        if self.strip && !adds_nothing {
            uri::strip_from(request.uri_mut(), part);
        }
        let told = root_path.clone();
        #[cfg(feature = "axum")]
        let told = told.with_mounts(mounted_segments(request.extensions()));
        let extensions = request.extensions_mut();
        if !told_already {
            extensions.insert(told);
        } else if let Some(there) = extensions.get_mut() {
            *there = told;
        }
        if adds_nothing {
            return Base::nowhere();
        }

        let in_front_of_shown = root_path.as_str().strip_suffix(self.shown.as_str());
        let in_front_of_shown = in_front_of_shown.map(str::len);
        Base {
            mounts: [in_front_of_shown.unwrap_or(outer_len), outer_len],
            raw_mount: in_front_of_shown.and(self.shown_raw),
            root_path,
            ..Base::nowhere()
        }
    }
}

impl Pending {
    /// The way out.
    fn leave<B>(&mut self, response: &mut Response<B>) {
        let Self { config, base } = self;
        if let Some(vary) = config.vary() {
            add_vary(response.headers_mut(), vary);
        }
        if response.headers().is_empty() || config.rewrite.is_none() {
            return;
        }
        let emitted = response.extensions_mut().remove::<Emitted>();
        let mut emitted = emitted.unwrap_or_default();
        if !(base.is_inside_another() && config.leaves_rewriting) {
            config.rewrite.apply(response.headers_mut(), base, &emitted);
        }
        if base.is_inside_another() {
            emitted.add(mem::replace(base, Base::nowhere()), response.headers());
        } else if base.is_somewhere() {
            // Nobody further out needs to know.
            return;
        }
        if !emitted.is_empty() {
            response.extensions_mut().insert(emitted);
        }
    }
}

/// Adds `name` as a member of `Vary` ([RFC 9110, section 12.5.5]) unless it is one.
///
/// [RFC 9110, section 12.5.5]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5
fn add_vary(headers: &mut HeaderMap, name: &HeaderValue) {
    let is_there = headers.get_all(VARY).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|member| {
            let member = member.trim_ascii();
            member == b"*" || member.eq_ignore_ascii_case(name.as_bytes())
        })
    });
    if !is_there {
        // A map that is full to the last entry stays as it is.
        let _ = headers.try_append(VARY, name.clone());
    }
}
