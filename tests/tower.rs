//! tower's own middleware, outside of each layer and inside of it.

mod support;

use bytes::Bytes;
use futures_util::{task::noop_waker_ref, FutureExt};
use http::{Request, Response};
use http_body::Body;
use std::{
    future::{ready, Ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use support::layers::{answer, each_layer, App, Behaviour, Case, Failure, Fault};
use tower::{
    buffer::BufferLayer,
    layer::layer_fn,
    limit::ConcurrencyLimitLayer,
    load_shed::{error::Overloaded, LoadShedLayer},
    retry::{Policy, RetryLayer},
    timeout::{error::Elapsed, TimeoutLayer},
    util::{BoxCloneService, BoxCloneSyncService},
    BoxError, Layer, Service, ServiceExt,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Evaluates an expression with a middleware outside of each layer, and inside of it.
macro_rules! on_either_side {
    ($middleware:expr, $app:expr, |$service:ident, $case:ident, $way:ident| $check:expr) => {
        each_layer!(|layer, $case| {
            {
                let $way = concat!(stringify!($middleware), " outside of");
                let mut $service = ($middleware, &layer).layer($app);
                $check;
            }
            {
                let $way = concat!(stringify!($middleware), " inside of");
                let mut $service = (layer, $middleware).layer($app);
                $check;
            }
        })
    };
}

fn usual() -> Behaviour {
    Behaviour::default()
}

fn with_fault(fault: Fault) -> Behaviour {
    Behaviour {
        fault: Some(fault),
        ..usual()
    }
}

/// Two clones answer, each its own request.
async fn clones_answer<S, B>(service: &mut S, case: &Case, way: &str)
where
    S: Service<Request<()>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut clone = service.clone();
    for (service, root_path) in [(service, "/a"), (&mut clone, "/b")] {
        let answer = answer(service, case.request(root_path, usual())).await;
        let answer = answer.unwrap_or_else(|error| panic!("{way} {}: {error}", case.layer));
        assert_eq!(answer, case.answer(root_path), "{way} {}", case.layer);
    }
}

#[tokio::test]
async fn requests_pass_through_every_middleware() {
    macro_rules! check {
        ($($middleware:expr),* $(,)?) => {$(
            on_either_side!($middleware, App::READY, |service, case, way| {
                clones_answer(&mut service, case, way).await;
            });
        )*};
    }

    check!(
        BufferLayer::new(1),
        ConcurrencyLimitLayer::new(1),
        LoadShedLayer::new(),
        RetryLayer::new(WithoutFault),
        TimeoutLayer::new(MINUTE),
        layer_fn(BoxCloneService::new),
        layer_fn(BoxCloneSyncService::new),
    );
}

#[tokio::test]
async fn all_of_them_together_pass_requests() {
    on_either_side!(
        (
            LoadShedLayer::new(),
            BufferLayer::new(1),
            RetryLayer::new(WithoutFault),
            ConcurrencyLimitLayer::new(1),
            TimeoutLayer::new(MINUTE),
        ),
        BoxCloneService::new(App::READY),
        |service, case, way| clones_answer(&mut service, case, way).await
    );
}

#[tokio::test]
async fn a_limit_is_kept_and_its_permits_come_back() {
    let mut cx = Context::from_waker(noop_waker_ref());
    on_either_side!(
        ConcurrencyLimitLayer::new(1),
        App::READY,
        |service, case, way| {
            let request = || case.request("/a", with_fault(Fault::HangsInFuture));
            service.ready().await.unwrap();
            let mut call = service.call(request());
            assert!((&mut call).now_or_never().is_none());
            let next = service.poll_ready(&mut cx);
            assert!(next.is_pending(), "{way} {}", case.layer);
            drop(call);
            let next = service.poll_ready(&mut cx);
            assert!(next.is_ready(), "{way} {}", case.layer);
        }
    );
}

#[tokio::test]
async fn load_is_shed_while_the_app_is_not_ready() {
    let app = App {
        ready: Some(Poll::Pending),
    };
    on_either_side!(LoadShedLayer::new(), app.clone(), |service, case, way| {
        let error = answer(&mut service, case.request("/a", usual())).await;
        let error = error.unwrap_err();
        assert!(error.is::<Overloaded>(), "{way} {}: {error}", case.layer);
    });
}

/// Sends a request that has failed again, without its fault.
#[derive(Clone, Debug)]
struct WithoutFault;

impl<B, E> Policy<Request<()>, Response<B>, E> for WithoutFault {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<()>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Ready<()>> {
        request.extensions_mut().insert(usual());
        result.is_err().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retried_request_is_changed_once() {
    on_either_side!(
        RetryLayer::new(WithoutFault),
        App::READY,
        |service, case, way| {
            let request = case.request("/a", with_fault(Fault::FailsInFuture));
            let answer = answer(&mut service, request).await.unwrap();
            assert_eq!(answer, case.answer("/a"), "{way} {}", case.layer);
        }
    );
}

/// A body cannot be sent again. What the layer has read of it is sent, and then the error.
#[tokio::test]
async fn a_body_that_fails_is_not_retried() {
    on_either_side!(
        RetryLayer::new(WithoutFault),
        App::READY,
        |service, case, way| {
            let request = case.request("/a", with_fault(Fault::FailsInBody));
            let error = answer(&mut service, request).await.unwrap_err();
            assert!(error.is::<Failure>(), "{way} {}", case.layer);
        }
    );
}

#[tokio::test]
async fn a_timeout_ends_a_request_and_drops_it() {
    on_either_side!(
        TimeoutLayer::new(Duration::ZERO),
        App::READY,
        |service, case, way| {
            let token = Arc::new(());
            let behaviour = Behaviour {
                token: Arc::clone(&token),
                ..with_fault(Fault::HangsInFuture)
            };
            let error = answer(&mut service, case.request("/a", behaviour)).await;
            let error = error.unwrap_err();
            assert!(error.is::<Elapsed>(), "{way} {}: {error}", case.layer);
            assert_eq!(Arc::strong_count(&token), 1, "{way} {}", case.layer);
        }
    );
}

/// `OpenApiLayer` and `BaseHrefLayer` read a body before they return the response.
#[tokio::test]
async fn a_timeout_outside_of_a_layer_that_reads_a_body_ends_the_reading() {
    let mut ended = 0;
    on_either_side!(
        TimeoutLayer::new(Duration::ZERO),
        App::READY,
        |service, case, way| {
            let reads = ["OpenApiLayer", "BaseHrefLayer"].contains(&case.layer);
            if reads && way.ends_with("outside of") {
                let request = case.request("/a", with_fault(Fault::HangsInBody));
                let error = answer(&mut service, request).await.unwrap_err();
                assert!(error.is::<Elapsed>(), "{way} {}: {error}", case.layer);
                ended += 1;
            }
        }
    );
    assert_eq!(ended, 2);
}
