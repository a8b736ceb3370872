//! The way of one request: [`on_request`], the app, [`OnResponse::apply`].

use crate::{
    forwarded::Forwarded,
    layer::Config,
    nest::{self, Accounted, Mount},
    rewrite::{Base, RequestUrl, Rewrite, Unusual},
    uri,
    warn_once::WarnOnce,
    RootPath, RootPathLayer,
};
use http::{header::VARY, Extensions, HeaderMap, HeaderValue, Request, Response, StatusCode};
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

/// Middleware that gives an app its root path, the public path prefix, and rewrites redirects to
/// it.
///
/// For each request it determines the root path, strips it from the request path if
/// [configured](RootPathLayer::strip_if_present), puts a [`RootPath`] in the request extensions,
/// and rewrites the headers of the response. It never answers a request itself and never touches a
/// body.
///
/// See [`RootPathLayer`] for an example and for the configuration.
#[derive(Clone, Debug)]
pub struct RootPathService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> RootPathService<S> {
    /// Wraps `inner` in the middleware that [`RootPathLayer::new`] configures.
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
    type Future = RootPathFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(on_response) = this.on_response {
            on_response.apply(&mut response);
        }
        Poll::Ready(Ok(response))
    }
}

/// Determines the root path, strips it from the request path and puts it in the extensions.
fn on_request<B>(config: &Arc<Config>, request: &mut Request<B>) -> Option<OnResponse> {
    if config.is_noop() {
        let reflects = uri::reflects_as_network_path(request.uri().path());
        return reflects.then(|| OnResponse {
            config: Arc::clone(config),
            rewrite: None,
            is_unstripped: false,
            base: Base::reflected(),
        });
    }
    let outer: Option<RootPath> = request.extensions().get().cloned();
    // Never there without a root path, so that an app with one layer pays for one look-up.
    let inherited = outer.as_ref().and_then(|_| request.extensions().get());
    let mut inherited: Inherited = inherited.cloned().unwrap_or_default();

    let part = Part::new(config, request, inherited.accounted);
    let outer_len = outer.as_ref().map_or(0, |outer| outer.as_str().len());
    let root_path = match outer {
        None => part.root_path,
        // If both together are too long, the part counts as none.
        Some(outer) => outer.concat(&part.root_path).unwrap_or(outer),
    };
    let own = &root_path.as_str()[outer_len..];

    let received = request.uri().scheme().map(|_| request.uri().clone());
    let has_stripped = part.strips && !own.is_empty() && uri::strip_from(request.uri_mut(), own);

    let hands_on = inherited.update(config, request, !own.is_empty(), has_stripped);
    if hands_on || !own.is_empty() {
        put(request.extensions_mut(), root_path.clone());
    }
    if hands_on {
        put(request.extensions_mut(), inherited.clone());
    }

    let mount_at = root_path.as_str().strip_suffix(part.mount.as_str());
    let mount_at = mount_at.filter(|_| !part.mount.is_empty()).map(str::len);
    let unusual = Unusual {
        reflects_as_network_path: reflects_as_network_path(request),
        mount_as_received: part.mount_as_received.filter(|_| mount_at.is_some()),
        request_url: received.map(|received| {
            let original = nest::original_uri(request.extensions());
            RequestUrl::new(received, request.uri(), original)
        }),
    };
    let is_unstripped = WarnOnce::ENABLED
        && !(own.is_empty() || has_stripped || config.nested)
        && uri::is_under(request.uri().path().as_bytes(), own.as_bytes());
    let on_response = OnResponse {
        config: Arc::clone(config),
        rewrite: inherited.rewrite,
        is_unstripped,
        base: Base {
            // What a layer does not add, the outer layers do.
            root_path: if own.is_empty() && config.rewrite.is_none() {
                RootPath::EMPTY
            } else {
                root_path
            },
            mount_at: mount_at.unwrap_or(outer_len),
            unusual: unusual.boxed(),
        },
    };
    (!on_response.is_noop()).then_some(on_response)
}

/// Whether the app may reflect a network-path reference: from the path that it sees, or in a mount
/// from the original one.
fn reflects_as_network_path<B>(request: &Request<B>) -> bool {
    let original = || nest::original_uri(request.extensions());
    uri::reflects_as_network_path(request.uri().path())
        || nest::is_mounted(request.extensions())
            && original().is_some_and(|uri| uri::reflects_as_network_path(uri.path()))
}

/// What one layer adds to the root path.
#[derive(Default)]
struct Part {
    root_path: RootPath,
    /// Whether to strip it from the request path.
    strips: bool,
    /// In a nested layer, the mount that references may carry, and as the client wrote it if the
    /// root path has it percent-encoded.
    mount: RootPath,
    mount_as_received: Option<Box<str>>,
}

impl Part {
    fn new<B>(config: &Config, request: &Request<B>, accounted: Accounted) -> Self {
        if config.nested {
            return Self::mounted(request, accounted).unwrap_or_default();
        }
        let part = |root_path, strips| Self {
            root_path,
            strips,
            ..Self::default()
        };
        // After routing, a path that begins with the root path is a route of the app's own.
        let strips =
            config.strips && (config.wraps_router || !nest::is_routed(request.extensions()));
        if let Some(forwarded) = &config.forwarded {
            let found = forwarded.read_or_reuse(request, &config.root_path);
            config.warn_once.forwarded(forwarded.header(), &found);
            if let Forwarded::Used(root_path) = found {
                return part(root_path, strips && !forwarded.implies_stripped());
            }
        }
        part(config.root_path.clone(), strips)
    }

    fn mounted<B>(request: &Request<B>, accounted: Accounted) -> Option<Self> {
        let Mount { own, whole } = nest::mount(request, accounted)?;
        let root_path = RootPath::from_mount(own)?;
        let mount = match own.len() == whole.len() {
            true => root_path.clone(),
            false => RootPath::from_mount(whole).unwrap_or_default(),
        };
        Some(Self {
            root_path,
            strips: false,
            mount_as_received: (mount != whole).then(|| whole.into()),
            mount,
        })
    }
}

/// What a layer hands to inner layers besides the root path.
#[derive(Clone, Debug, Default)]
struct Inherited {
    /// The setting of the nearest outer layer that has one.
    rewrite: Option<Arc<Rewrite>>,
    accounted: Accounted,
}

impl Inherited {
    /// Adds what inner layers have to know of this one; returns whether there is anything.
    fn update<B>(
        &mut self,
        config: &Config,
        request: &Request<B>,
        adds_root_path: bool,
        has_stripped: bool,
    ) -> bool {
        let is_mounted = nest::is_mounted(request.extensions());
        let accounts =
            is_mounted && (config.nested || adds_root_path) || has_stripped && config.wraps_router;
        if accounts {
            self.accounted = nest::accounted_for(request, self.accounted);
            if !config.nested {
                // The root path of this layer replaces the mount.
                self.accounted = self.accounted.without_mount();
            }
        }
        if config.rewrite.is_some() {
            self.rewrite.clone_from(&config.rewrite);
        }
        accounts || config.rewrite.is_some()
    }
}

/// Overwriting is cheaper than inserting.
fn put<T: Clone + Send + Sync + 'static>(extensions: &mut Extensions, value: T) {
    match extensions.get_mut() {
        Some(place) => *place = value,
        None => drop(extensions.insert(value)),
    }
}

/// What to do when the response comes.
#[derive(Debug)]
struct OnResponse {
    config: Arc<Config>,
    /// Of this layer or inherited; `None`: the default.
    rewrite: Option<Arc<Rewrite>>,
    base: Base,
    /// Whether the request path begins with the root path, which the layer did not strip.
    is_unstripped: bool,
}

impl OnResponse {
    fn apply<B>(&self, response: &mut Response<B>) {
        if self.is_unstripped && response.status() == StatusCode::NOT_FOUND {
            self.config
                .warn_once
                .prefix_not_stripped(&self.base.root_path);
        }
        let headers = response.headers_mut();
        if let Some(vary) = self.config.vary() {
            add_vary(headers, vary);
        }
        if headers.is_empty() {
            return;
        }
        if self.base.reflects_as_network_path() {
            Rewrite::shared_default().apply(headers, &Base::reflected());
        }
        self.rewrite().apply(headers, &self.base);
    }

    fn rewrite(&self) -> &Rewrite {
        self.rewrite.as_deref().unwrap_or(Rewrite::shared_default())
    }

    fn is_noop(&self) -> bool {
        self.rewrite().is_noop(&self.base)
            && !self.base.reflects_as_network_path()
            && !self.is_unstripped
            && self.config.vary().is_none()
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
