//! The way of one request.

#[cfg(feature = "axum")]
use crate::axum::{is_routed, mounted_segments, original_path, Mount};
use crate::{
    forwarded::Forwarded,
    layer::{Config, Strip},
    rewrite::{looks_like_a_host, Authority, Base, Rewrite},
    root_path::Told,
    uri, RootPath, RootPathLayer,
};
use http::{header::VARY, HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use std::{
    borrow::Cow,
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

    define_inner_service_accessors!();
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
    /// What this layer or one further out was told to rewrite.
    rewrite: Option<Arc<Rewrite>>,
    /// What is left to a layer further out, which cannot see from there what is an echo of the path.
    echoes: Option<Arc<Rewrite>>,
    base: Base,
}

/// The way in: decides the root path, strips it, and puts the whole one in the extensions.
fn enter<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<Pending> {
    if config.is_idle() && !path_looks_like_a_host(config, request) {
        return None;
    }
    let outer = request.extensions().get::<RootPath>().cloned();
    let told = outer.as_ref().map(|outer| outer.told().rewrite.clone());
    let (rewrite, left_to_outer) = match &config.rewrite {
        Some(own) => (Some(Arc::clone(own)), told),
        None => (told.flatten(), None),
    };
    let mut base = Part::of(config, request).add_to(request, outer, rewrite.as_ref());
    base.path_looks_like_a_host = path_looks_like_a_host(config, request);

    let echoes = left_to_outer.filter(|_| base.path_looks_like_a_host);
    let echoes = echoes.map(|outer| outer.unwrap_or_else(|| Arc::clone(&config.default_rewrite)));
    let is_concerned = base.is_somewhere() || base.path_looks_like_a_host;
    let rewrites = is_concerned && !rewrite.as_ref().is_some_and(|rewrite| rewrite.is_none());
    if !rewrites && echoes.is_none() && config.vary().is_none() {
        return None;
    }
    if rewrites && base.is_somewhere() {
        base.authority = Authority::of(request);
    }
    Some(Pending {
        config: Arc::clone(config),
        rewrite,
        echoes,
        base,
    })
}

/// Whether the path, as the app sees it, begins with `//` or `/\`. A sub-app may see the path as the
/// outermost router got it as well.
#[cfg_attr(not(feature = "axum"), allow(unused_variables))]
fn path_looks_like_a_host<B>(config: &Config, request: &Request<B>) -> bool {
    #[cfg(feature = "axum")]
    if config.nested && original_path(request.extensions()).is_some_and(looks_like_a_host) {
        return true;
    }
    looks_like_a_host(request.uri().path())
}

/// What one layer adds to the root path.
struct Part<'a> {
    root_path: Cow<'a, RootPath>,
    strip: bool,
    shown: Option<Shown>,
    /// Whether layers further in have to know something even if this part is empty: what is to be
    /// rewritten, or that a mount was taken off that cannot be written as a root path.
    tells_more: bool,
}

/// The end of the root path that a reference may carry alone, because the routers show it to the app
/// (axum's `OriginalUri`).
struct Shown {
    written: RootPath,
    /// The same as it is in the request, if it had to be written otherwise.
    raw: Option<Box<str>>,
}

impl<'a> Part<'a> {
    fn of<B>(config: &'a Config, request: &Request<B>) -> Self {
        #[cfg(feature = "axum")]
        if config.nested {
            return Self::mounted(config, request);
        }
        let part = |root_path, stripped_already: bool| Self {
            root_path,
            strip: config.strip == Strip::IfPresent && !stripped_already,
            shown: None,
            tells_more: config.rewrite.is_some(),
        };
        if let Some(forwarded) = &config.forwarded {
            let found = forwarded.read_or_reuse(request, &config.root_path);
            config.warn_once.forwarded(forwarded.header(), &found);
            if let Forwarded::Used(root_path) = found {
                return part(Cow::Owned(root_path), forwarded.implies_stripped());
            }
        }
        part(Cow::Borrowed(&config.root_path), false)
    }

    #[cfg(feature = "axum")]
    fn mounted<B>(config: &Config, request: &Request<B>) -> Self {
        let mount = Mount::of(request);
        let own = mount
            .as_ref()
            .map(|mount| RootPath::from_request_path(mount.own));
        let left_out = matches!(own, Some(Err(_)));
        let shown = |mount: Mount<'_>| {
            let written = RootPath::from_request_path(mount.whole).ok()?;
            let raw = (written != mount.whole).then(|| mount.whole.into());
            Some(Shown { written, raw })
        };
        Self {
            root_path: Cow::Owned(own.and_then(Result::ok).unwrap_or_default()),
            strip: false,
            shown: mount.and_then(shown),
            tells_more: left_out || config.rewrite.is_some(),
        }
    }

    /// Strips this part from the request path, and tells the app the whole root path. Gives where
    /// the app is then; nowhere if this part adds nothing to what is told already, since what a
    /// layer further out adds, it adds itself.
    fn add_to<B>(
        self,
        request: &mut Request<B>,
        outer: Option<RootPath>,
        rewrite: Option<&Arc<Rewrite>>,
    ) -> Base {
        if self.root_path.is_empty() && !self.tells_more {
            return Base::nowhere();
        }
        let told_already = outer.is_some();
        let outer_len = outer.as_ref().map_or(0, |outer| outer.as_str().len());
        let root_path = match outer {
            None => self.root_path.into_owned(),
            // If they are too long together, this part counts as none.
            Some(outer) => outer.concat(&self.root_path).unwrap_or(outer),
        };
        let part = &root_path.as_str()[outer_len..];
        let adds_nothing = part.is_empty();

        let may_strip = self.strip && !adds_nothing;
        #[cfg(feature = "axum")]
        let may_strip = may_strip && !is_routed(request.extensions());
        if may_strip {
            uri::strip_from(request.uri_mut(), part);
        }
        let told = root_path.clone().telling(Told {
            #[cfg(feature = "axum")]
            mounts: mounted_segments(request.extensions()),
            rewrite: rewrite.cloned(),
        });
        let extensions = request.extensions_mut();
        if !told_already {
            extensions.insert(told);
        } else if let Some(there) = extensions.get_mut() {
            *there = told;
        }
        if adds_nothing {
            return Base::nowhere();
        }

        let mut base = Base {
            own_at: outer_len,
            mount_at: outer_len,
            root_path,
            ..Base::nowhere()
        };
        if let Some(shown) = self.shown {
            let in_front = base.root_path.as_str().strip_suffix(shown.written.as_str());
            if let Some(in_front) = in_front {
                base.mount_at = in_front.len();
                base.raw_mount = shown.raw;
            }
        }
        base
    }
}

impl Pending {
    /// The way out.
    fn leave<B>(&self, response: &mut Response<B>) {
        if let Some(vary) = self.config.vary() {
            add_vary(response.headers_mut(), vary);
        }
        let headers = response.headers_mut();
        if headers.is_empty() {
            return;
        }
        if let Some(outer) = &self.echoes {
            outer.apply(headers, &Base::of_an_echo());
        }
        let rewrite = self
            .rewrite
            .as_ref()
            .unwrap_or(&self.config.default_rewrite);
        rewrite.apply(headers, &self.base);
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
