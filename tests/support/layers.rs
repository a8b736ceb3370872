//! Each of the five layers around an app whose behaviour the request determines.

use super::get;
use bytes::Bytes;
use http::{
    header::{CONTENT_TYPE, LOCATION},
    HeaderValue, Request, Response,
};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    collections::VecDeque,
    error, fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{BoxError, Service, ServiceExt};
use tower_root_path::RootPath;

/// Evaluates an expression with each layer and its [`Case`].
macro_rules! each_layer {
    (|$layer:ident, $case:ident| $check:expr) => {
        each_layer! {
            |$layer, $case| $check;
            ROOT_PATH: tower_root_path::RootPathLayer::new("").with_forwarded(
                tower_root_path::ForwardedPrefix::x_forwarded_prefix(
                    tower_root_path::TrustedProxies::all(),
                ),
            ),
            STRIP_PREFIX: tower_root_path::StripPrefixLayer::new("/api/v1"),
            ADD_PREFIX: tower_root_path::AddPrefixLayer::new("/api/v1"),
            OPEN_API: tower_root_path::OpenApiLayer::new("/openapi.json"),
            BASE_HREF: tower_root_path::BaseHrefLayer::new(),
        }
    };
    (|$layer:ident, $case:ident| $check:expr; $($CASE:ident: $value:expr,)+) => {$({
        let ($layer, $case) = ($value, &$crate::support::layers::$CASE);
        $check;
    })+};
}
pub(crate) use each_layer;

/// A request that one of the layers changes, and what comes of it.
#[derive(Debug)]
pub struct Case {
    pub layer: &'static str,
    uri: &'static str,
    /// Of the request that the layer receives.
    x_forwarded_prefix: &'static str,
    /// Of an outer layer.
    root_path: &'static str,
    answer: &'static str,
}

pub const ROOT_PATH: Case = Case {
    layer: "RootPathLayer",
    uri: "/app",
    x_forwarded_prefix: "{root}",
    root_path: "",
    answer: "/app {root} {root}; {root}/login; <html><head></head></html>",
};

pub const STRIP_PREFIX: Case = Case {
    layer: "StripPrefixLayer",
    uri: "/api/v1{root}/app",
    x_forwarded_prefix: "/spoofed",
    root_path: "",
    answer: "{root}/app /api/v1 ; /login; <html><head></head></html>",
};

pub const ADD_PREFIX: Case = Case {
    layer: "AddPrefixLayer",
    uri: "{root}/app",
    x_forwarded_prefix: "",
    root_path: "",
    answer: "/api/v1{root}/app  ; /login; <html><head></head></html>",
};

pub const OPEN_API: Case = Case {
    layer: "OpenApiLayer",
    uri: "/openapi.json",
    x_forwarded_prefix: "",
    root_path: "{root}",
    answer: r#"/openapi.json  {root}; /login; {"openapi":"3.1.0","servers":[{"url":"{root}"}]}"#,
};

pub const BASE_HREF: Case = Case {
    layer: "BaseHrefLayer",
    uri: "/app",
    x_forwarded_prefix: "",
    root_path: "{root}",
    answer: r#"/app  {root}; /login; <html><head><base href="{root}/"></head></html>"#,
};

impl Case {
    pub fn request(&self, root_path: &str, behaviour: Behaviour) -> Request<()> {
        let with = |template: &str| template.replace("{root}", root_path);
        let mut request = get(&with(self.uri));
        let prefix = HeaderValue::try_from(with(self.x_forwarded_prefix)).unwrap();
        request.headers_mut().insert("x-forwarded-prefix", prefix);
        if !self.root_path.is_empty() {
            let root_path: RootPath = with(self.root_path).parse().unwrap();
            request.extensions_mut().insert(root_path);
        }
        request.extensions_mut().insert(behaviour);
        request
    }

    /// What [`answer`] returns if nothing fails: the path, the prefix and the root path that the app
    /// sees; `Location`; the body.
    pub fn answer(&self, root_path: &str) -> String {
        self.answer.replace("{root}", root_path)
    }
}

/// What the app does with a request.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub fault: Option<Fault>,
    /// How often the future, and the body before each frame, are pending.
    pub pending: usize,
    /// Counts what is left of the request, its response and its error.
    pub token: Arc<()>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    PanicsInCall,
    PanicsInFuture,
    PanicsInBody,
    FailsInFuture,
    FailsInBody,
    HangsInFuture,
    HangsInBody,
}

pub const FAULTS: [Fault; 7] = [
    Fault::PanicsInCall,
    Fault::PanicsInFuture,
    Fault::PanicsInBody,
    Fault::FailsInFuture,
    Fault::FailsInBody,
    Fault::HangsInFuture,
    Fault::HangsInBody,
];

impl Fault {
    pub fn panics(self) -> bool {
        matches!(
            self,
            Self::PanicsInCall | Self::PanicsInFuture | Self::PanicsInBody
        )
    }

    pub fn hangs(self) -> bool {
        matches!(self, Self::HangsInFuture | Self::HangsInBody)
    }
}

/// The error of the app: which fault it is.
#[derive(Debug)]
pub struct Failure {
    pub fault: Option<Fault>,
    token: Arc<()>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fault, f)
    }
}

impl error::Error for Failure {}

/// Sends a JSON document or a page, in small frames.
#[derive(Clone, Debug)]
pub struct App {
    /// What `poll_ready` returns: `None` is an error.
    pub ready: Option<Poll<()>>,
}

impl App {
    pub const READY: Self = Self {
        ready: Some(Poll::Ready(())),
    };
}

impl Service<Request<()>> for App {
    type Response = Response<Frames>;
    type Error = Failure;
    type Future = Call;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let (fault, token) = (None, Arc::default());
        match self.ready {
            Some(ready) => ready.map(Ok),
            None => Poll::Ready(Err(Failure { fault, token })),
        }
    }

    fn call(&mut self, request: Request<()>) -> Call {
        let behaviour = request.extensions().get::<Behaviour>().unwrap().clone();
        if behaviour.fault == Some(Fault::PanicsInCall) {
            panic!("{:?}", behaviour.fault);
        }
        Call {
            pending: behaviour.pending,
            behaviour,
            request,
        }
    }
}

/// Returns unless the caller is to be pending, `pending` times.
fn poll_pending(pending: &mut usize, cx: &Context<'_>) -> Poll<()> {
    if *pending == 0 {
        return Poll::Ready(());
    }
    *pending -= 1;
    cx.waker().wake_by_ref();
    Poll::Pending
}

#[derive(Debug)]
pub struct Call {
    behaviour: Behaviour,
    pending: usize,
    request: Request<()>,
}

impl Future for Call {
    type Output = Result<Response<Frames>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(poll_pending(&mut self.pending, cx));
        let behaviour = self.behaviour.clone();
        match behaviour.fault {
            Some(Fault::HangsInFuture) => return Poll::Pending,
            Some(Fault::PanicsInFuture) => panic!("{:?}", behaviour.fault),
            Some(Fault::FailsInFuture) => return Poll::Ready(Err(behaviour.failure())),
            _ => {}
        }
        let path = self.request.uri().path();
        let (content_type, text) = if path.ends_with(".json") {
            ("application/json", r#"{"openapi":"3.1.0"}"#)
        } else {
            ("text/html", "<html><head></head></html>")
        };
        let prefix = self.request.headers().get("x-forwarded-prefix");
        let prefix = prefix.map_or("", |prefix| prefix.to_str().unwrap());
        let root_path = RootPath::from_extensions(self.request.extensions());
        let response = Response::builder()
            .header(CONTENT_TYPE, content_type)
            .header(LOCATION, "/login")
            .header("x-seen", format!("{path} {prefix} {root_path}"))
            .extension(behaviour.clone());
        let frames = text.as_bytes().chunks(8).map(Bytes::from_static);
        Poll::Ready(Ok(response.body(Frames::new(behaviour, frames)).unwrap()))
    }
}

impl Behaviour {
    fn failure(&self) -> Failure {
        Failure {
            fault: self.fault,
            token: Arc::clone(&self.token),
        }
    }
}

/// A body that may fail, panic or hang after its first frame.
#[derive(Debug)]
pub struct Frames {
    behaviour: Behaviour,
    pending: usize,
    sent: usize,
    frames: VecDeque<Bytes>,
}

impl Frames {
    fn new(behaviour: Behaviour, frames: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            pending: behaviour.pending,
            behaviour,
            sent: 0,
            frames: frames.into_iter().collect(),
        }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        std::task::ready!(poll_pending(&mut self.pending, cx));
        self.pending = self.behaviour.pending;
        self.sent += 1;
        match self.behaviour.fault.filter(|_| self.sent == 2) {
            Some(Fault::HangsInBody) => {
                self.sent = 1;
                Poll::Pending
            }
            Some(Fault::PanicsInBody) => panic!("{:?}", self.behaviour.fault),
            Some(Fault::FailsInBody) => Poll::Ready(Some(Err(self.behaviour.failure()))),
            _ => Poll::Ready(self.frames.pop_front().map(|data| Ok(Frame::data(data)))),
        }
    }
}

/// Calls `service` as a server does, to the end of the body.
pub async fn answer<S, B>(service: &mut S, request: Request<()>) -> Result<String, BoxError>
where
    S: Service<Request<()>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let service = service.ready().await.map_err(Into::into)?;
    collect(service.call(request)).await
}

/// The answer of a service that has been called.
pub async fn collect<F, B, E>(call: F) -> Result<String, BoxError>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    let (parts, body) = call.await.map_err(Into::into)?.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    let [seen, location] = ["x-seen", "location"].map(|name| parts.headers[name].to_str().unwrap());
    Ok(format!(
        "{seen}; {location}; {}",
        String::from_utf8_lossy(&body)
    ))
}
