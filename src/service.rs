//! Handles one request: [`on_request`], the app, [`OnResponse::apply`].

use crate::{
    base_url::{MissingBaseUrl, Origin, Public, PublicOrigin},
    forwarded::{Forwarded, ForwardedPrefix},
    layer::Config,
    nest::{self, Accounted, Mount},
    rewrite::{Base, Rewrite, Unusual},
    uri,
    vary::add_vary,
    warn_once::WarnOnce,
    RootPath, RootPathLayer,
};
use http::{Extensions, HeaderMap, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use tower_layer::Layer;

/// Middleware that gives an app its root path, the public path prefix, and prepends it to redirects.
///
/// For each request, it
///
/// 1. determines the root path;
/// 2. strips it from the request path, if [configured](RootPathLayer::strip_if_present);
/// 3. puts a [`RootPath`] in the request extensions;
/// 4. rewrites the headers of the response.
///
/// It never answers a request itself, and never reads or changes a body.
///
/// See [`RootPathLayer`] for an example and for the configuration.
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
    ///
    /// # Example
    ///
    /// ```
    /// use tower_http::services::ServeDir;
    /// use tower_root_path::RootPathService;
    ///
    /// let service = RootPathService::new(ServeDir::new("public"), "/files");
    /// ```
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
    type Future = RootPathFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if self.config.derived.is_noop && !uri::reflects_as_network_path(request.uri()) {
            return RootPathFuture {
                inner: self.inner.call(request),
                on_response: None,
            };
        }
        let on_response = on_request(&self.config, &mut request);
        RootPathFuture {
            inner: self.inner.call(request),
            on_response,
        }
    }
}

pin_project! {
    /// Response future of [`RootPathService`].
    #[derive(Debug)]
    pub struct RootPathFuture<F> {
        #[pin]
        inner: F,
        on_response: Option<OnResponse>,
    }
}

impl<F, B, E> Future for RootPathFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut poll = this.inner.poll(cx);
        // In place: moving a response costs more than most of what a layer does.
        if let (Poll::Ready(Ok(response)), Some(on_response)) = (&mut poll, this.on_response) {
            on_response.apply(response.status(), response.headers_mut());
        }
        poll
    }
}

/// Determines the root path, strips it from the request path and puts it in the extensions.
#[inline]
fn on_request<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<OnResponse> {
    let configured = Configured::new(config, request);
    let is_alone = !config.derived.hands_on
        && insert_if_alone(request.extensions_mut(), &configured.root_path);
    if !is_alone {
        return on_stacked_request(config, request, configured);
    }
    let Configured { root_path, strips } = configured;
    let has_stripped = strips && uri::strip_from(request.uri_mut(), root_path.as_str());
    let is_unstripped = !has_stripped && is_unstripped(config, request, root_path.as_str());
    let unusual = match uri::is_usual(request.uri()) {
        true => None,
        false => Unusual::new(request.uri(), None, has_stripped, None),
    };
    OnResponse::new(
        config,
        None,
        Base::new(root_path, 0, unusual),
        is_unstripped,
    )
}

/// Inserts `root_path` if no layers and no routers are around. Returns whether there were none.
fn insert_if_alone(extensions: &mut Extensions, root_path: &RootPath) -> bool {
    if nest::is_mounted(extensions) {
        return false;
    }
    if root_path.is_empty() {
        return extensions.get::<RootPath>().is_none();
    }
    let mut was_alone = false;
    extensions.get_or_insert_with(|| {
        was_alone = true;
        root_path.clone()
    });
    was_alone
}

/// The same as [`on_request`] for a layer with layers or routers around it, or that hands something
/// on to inner layers. Not inlined, so that [`on_request`] is small.
#[inline(never)]
fn on_stacked_request<B>(
    config: &Arc<Config>,
    request: &mut Request<B>,
    configured: Configured,
) -> Option<OnResponse> {
    let outer: Option<RootPath> = request.extensions().get().cloned();
    // It is inserted only together with a `RootPath`, so a look-up is saved.
    let inherited = outer.as_ref().and_then(|_| request.extensions().get());
    let inherited: Inherited = inherited.cloned().unwrap_or_default();
    let is_mounted = nest::is_mounted(request.extensions());

    let has_outer = outer.is_some();
    let added = if config.nested {
        let mount = nest::mount(request.uri(), request.extensions(), inherited.accounted);
        AddedRootPath::mounted(mount, outer.as_ref()).unwrap_or_default()
    } else {
        AddedRootPath::configured(configured.root_path)
    };
    let (outer_len, root_path) = match outer {
        None => (0, added.root_path),
        Some(outer) => {
            let root_path = outer.concat(&added.root_path);
            // If both together are too long, the layer adds nothing.
            (outer.as_str().len(), root_path.unwrap_or(outer))
        }
    };
    let own = &root_path.as_str()[outer_len..];
    let adds = !own.is_empty();
    let mount = if adds {
        added.mount
    } else {
        inherited.mount.if_it_fits(&root_path)
    };

    let public = config.origin.as_ref().map(|origin| {
        // A layer that adds nothing in a mount leaves the mount to the nested layers inside.
        let mount = nest::mount(request.uri(), request.extensions(), inherited.accounted);
        let mount = mount.filter(|_| !adds).map_or("", |mount| mount.own);
        Public {
            origin: read_origin(config, origin, request),
            uri: request.uri().clone(),
            prefix: [root_path.as_str(), mount].concat(),
        }
    });
    let has_stripped = configured.strips && uri::strip_from(request.uri_mut(), own);
    let is_unstripped = !has_stripped && is_unstripped(config, request, own);
    if let Some(mut public) = public {
        if has_stripped {
            public.prefix.truncate(outer_len);
        }
        public.insert_into(request.extensions_mut());
    }
    let mount_as_received = mount.as_received.as_deref();
    let unusual = match !is_mounted && uri::is_usual(request.uri()) {
        true => None,
        false => {
            let original = nest::original_uri(request.extensions()).filter(|_| is_mounted);
            Unusual::new(request.uri(), original, has_stripped, mount_as_received)
        }
    };

    let accounts = has_stripped && config.wraps_router || is_mounted && (config.nested || adds);
    let inserts_inherited = accounts || config.rewrite.is_some() || adds && has_outer;
    let rewrite = config.rewrite.clone().or(inherited.rewrite);
    if adds || inserts_inherited {
        put(request.extensions_mut(), root_path.clone(), has_outer);
    }
    let mount_at = root_path.as_str().len() - mount.len;
    if inserts_inherited {
        let (uri, extensions) = (request.uri(), request.extensions());
        let inherited = Inherited {
            rewrite: rewrite.clone(),
            accounted: match accounts {
                true => inherited.accounted.extend(uri, extensions, config.nested),
                false => inherited.accounted,
            },
            mount,
        };
        put(request.extensions_mut(), inherited, has_outer);
    }

    // A layer that adds no root path and has no `Rewrite` leaves references to the outer layers.
    let base = match adds || config.rewrite.is_some() {
        true => Base::new(root_path, mount_at, unusual),
        false => Base::new(RootPath::EMPTY, 0, unusual),
    };
    OnResponse::new(config, rewrite, base, is_unstripped)
}

/// The forwarded or the configured root path; empty for a nested layer.
struct Configured {
    root_path: RootPath,
    /// Whether to strip it from the request path.
    strips: bool,
}

impl Configured {
    #[inline]
    fn new<B>(config: &Config, request: &Request<B>) -> Self {
        // After routing, a path that begins with the root path is a route of the app's own.
        let is_early = || config.wraps_router || !nest::is_routed(request.extensions());
        let strips = config.strips && is_early();
        if let Some(forwarded) = &config.forwarded {
            if let Some(root_path) = read_forwarded(config, forwarded, request) {
                let strips = strips && !forwarded.implies_stripped();
                return Self { root_path, strips };
            }
        }
        let root_path = config.root_path.clone();
        Self { root_path, strips }
    }
}

/// Not inlined, so that layers that read no header are small.
#[inline(never)]
fn read_forwarded<B>(
    config: &Config,
    forwarded: &ForwardedPrefix,
    request: &Request<B>,
) -> Option<RootPath> {
    let (uri, headers, extensions) = (request.uri(), request.headers(), request.extensions());
    let found = forwarded.read_or_reuse(uri, headers, extensions, &config.root_path);
    config.warn_once.forwarded(forwarded.header(), &found);
    match found {
        Forwarded::Used(root_path) => Some(root_path),
        _ => None,
    }
}

fn read_origin<B>(
    config: &Config,
    origin: &PublicOrigin,
    request: &Request<B>,
) -> Result<Origin, MissingBaseUrl> {
    match origin {
        PublicOrigin::Configured(origin) => Ok(origin.clone()),
        PublicOrigin::Forwarded(forwarded) => {
            let read = forwarded.read(request);
            config.warn_once.origin(forwarded, request, &read);
            read.map_err(|refused| MissingBaseUrl::from(&refused))
        }
    }
}

/// Whether to warn, if the response is 404, that the layer has not stripped its root path.
#[inline]
fn is_unstripped<B>(config: &Config, request: &Request<B>, own: &str) -> bool {
    WarnOnce::ENABLED && !(config.nested || own.is_empty()) && uri::begins_with(request.uri(), own)
}

/// What a layer adds to the root path.
#[derive(Default)]
struct AddedRootPath {
    root_path: RootPath,
    mount: CarriedMount,
}

/// The end of the root path that references may carry alone: the mount, or what a layer adds.
#[derive(Clone, Debug, Default)]
struct CarriedMount {
    len: usize,
    /// As the client wrote it, if the root path has it percent-encoded.
    as_received: Option<Box<str>>,
}

impl CarriedMount {
    /// The same, unless middleware has replaced the root path by one that it does not fit: there it
    /// would not begin with a segment.
    fn if_it_fits(self, root_path: &RootPath) -> Self {
        let root_path = root_path.as_str().as_bytes();
        let at = root_path.len().checked_sub(self.len);
        match at.and_then(|at| root_path.get(at)) {
            Some(b'/') => self,
            _ => Self::default(),
        }
    }
}

impl AddedRootPath {
    fn configured(root_path: RootPath) -> Self {
        let mount = CarriedMount {
            len: root_path.as_str().len(),
            as_received: None,
        };
        Self { root_path, mount }
    }

    fn mounted(mount: Option<Mount<'_>>, outer: Option<&RootPath>) -> Option<Self> {
        let Mount { own, whole } = mount?;
        let root_path = RootPath::from_mount(own)?;
        let is_at_end = |mount: &RootPath| {
            let before = mount.as_str().strip_suffix(root_path.as_str());
            before.is_some_and(|before| outer.map_or("", RootPath::as_str).ends_with(before))
        };
        let (len, as_received) = match RootPath::from_mount(whole).filter(is_at_end) {
            Some(mount) => (mount.as_str().len(), (mount != whole).then_some(whole)),
            None => (root_path.as_str().len(), (root_path != own).then_some(own)),
        };
        Some(Self {
            root_path,
            mount: CarriedMount {
                len,
                as_received: as_received.map(Into::into),
            },
        })
    }
}

/// What a layer hands to inner layers besides the root path.
#[derive(Clone, Debug, Default)]
struct Inherited {
    /// The setting of the nearest outer layer that has one.
    rewrite: Option<Arc<Rewrite>>,
    accounted: Accounted,
    mount: CarriedMount,
}

/// Inserts `value`, or overwrites the one that `may_be_there`, which is cheaper.
#[inline]
fn put<T>(extensions: &mut Extensions, value: T, may_be_there: bool)
where
    T: Clone + Send + Sync + 'static,
{
    if may_be_there {
        if let Some(place) = extensions.get_mut() {
            *place = value;
            return;
        }
    }
    extensions.insert(value);
}

/// What to do when the response comes.
#[derive(Debug)]
struct OnResponse {
    /// For `Vary` and warnings, if there may be any.
    config: Option<Arc<Config>>,
    /// Of this layer or inherited; `None`: the default.
    rewrite: Option<Arc<Rewrite>>,
    base: Base,
    /// Whether the request path begins with the root path, which the layer did not strip.
    is_unstripped: bool,
}

impl OnResponse {
    /// `None` if there is nothing to do.
    #[inline(always)]
    fn new(
        config: &Arc<Config>,
        rewrite: Option<Arc<Rewrite>>,
        base: Base,
        is_unstripped: bool,
    ) -> Option<Self> {
        let needs_config = is_unstripped || config.derived.varies;
        let rewrites = match &rewrite {
            Some(rewrite) => !rewrite.is_noop(&base),
            None => base.has_root_path(),
        };
        if !needs_config && !rewrites && !base.reflects_as_network_path() {
            return None;
        }
        Some(Self {
            config: if needs_config {
                Some(Arc::clone(config))
            } else {
                None
            },
            rewrite,
            base,
            is_unstripped,
        })
    }

    #[inline]
    fn apply(&self, status: StatusCode, headers: &mut HeaderMap) {
        if let Some(config) = &self.config {
            self.warn_and_vary(config, status, headers);
        }
        if !headers.is_empty() {
            self.rewrite(headers);
        }
    }

    fn warn_and_vary(&self, config: &Config, status: StatusCode, headers: &mut HeaderMap) {
        if self.is_unstripped && status == StatusCode::NOT_FOUND {
            let reads_prefix = config.forwarded.is_some();
            config
                .warn_once
                .prefix_not_stripped(self.base.own(), reads_prefix);
        }
        if config.derived.varies {
            for name in config.vary() {
                add_vary(headers, name);
            }
        }
    }

    fn rewrite(&self, headers: &mut HeaderMap) {
        let default = Rewrite::shared_default();
        if self.base.reflects_as_network_path() {
            // Redirects are made harmless whatever is rewritten.
            default.apply(headers, &Base::reflected());
        }
        let rewrite = self.rewrite.as_deref().unwrap_or(default);
        rewrite.apply(headers, &self.base);
    }
}
