//! Faults of the app and of the client, for each layer: nothing leaks, nothing hangs, and no request
//! sees the root path of another one.

mod support;

use futures_util::{future::join_all, task::noop_waker_ref, FutureExt};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};
use support::layers::{
    answer, collect, each_layer, App, Behaviour, Failure, Fault, FAULTS, ROOT_PATH,
};
use tower::{BoxError, Layer, Service};
use tower_root_path::{ForwardedPrefix, RootPathLayer, TrustedProxies};

fn usual() -> Behaviour {
    Behaviour::default()
}

/// How a request ends.
#[derive(Debug, PartialEq)]
enum End {
    Answer(String),
    Failure(Option<Fault>),
    Panic,
    /// It is pending, and will not be woken.
    Hang,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls only when woken, as an executor does.
fn end(answer: impl Future<Output = Result<String, BoxError>>) -> End {
    let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        return match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => continue,
            Poll::Pending => End::Hang,
            Poll::Ready(Err(_)) => End::Panic,
            Poll::Ready(Ok(Ok(answer))) => End::Answer(answer),
            Poll::Ready(Ok(Err(error))) => {
                let failure = error.downcast::<Failure>();
                End::Failure(failure.expect("the error is that of the app").fault)
            }
        };
    }
}

fn expected(fault: Option<Fault>, answer: String) -> End {
    match fault {
        None => End::Answer(answer),
        Some(fault) if fault.panics() => End::Panic,
        Some(fault) if fault.hangs() => End::Hang,
        Some(fault) => End::Failure(Some(fault)),
    }
}

#[test]
fn a_fault_ends_its_own_request_and_nothing_of_it_is_left() {
    each_layer!(|layer, case| {
        let mut service = layer.layer(App::READY);
        for (fault, pending) in FAULTS.iter().flat_map(|fault| [(*fault, 0), (*fault, 2)]) {
            let way = format!("{}: {fault:?}, pending {pending} times", case.layer);
            let token = Arc::new(());
            let behaviour = Behaviour {
                fault: Some(fault),
                pending,
                token: Arc::clone(&token),
            };
            let ended = end(answer(&mut service, case.request("/a", behaviour)));
            assert_eq!(ended, expected(Some(fault), String::new()), "{way}");
            assert_eq!(Arc::strong_count(&token), 1, "{way}");

            let ended = end(answer(&mut service, case.request("/b", usual())));
            assert_eq!(ended, End::Answer(case.answer("/b")), "{way}");
        }
    });
}

/// A client that goes away drops the future, or the body.
#[test]
fn a_request_can_be_dropped_wherever_it_is_pending() {
    each_layer!(|layer, case| {
        let mut service = layer.layer(App::READY);
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut polls = 0;
        loop {
            let token = Arc::new(());
            let behaviour = Behaviour {
                pending: 1,
                token: Arc::clone(&token),
                ..usual()
            };
            let request = case.request("/a", behaviour);
            let is_complete = {
                let mut answer = pin!(answer(&mut service, request));
                (0..polls).any(|_| answer.as_mut().poll(&mut cx).is_ready())
            };
            let way = format!("{}: dropped after {polls} polls", case.layer);
            assert_eq!(Arc::strong_count(&token), 1, "{way}");

            let ended = end(answer(&mut service, case.request("/b", usual())));
            assert_eq!(ended, End::Answer(case.answer("/b")), "{way}");
            if is_complete {
                break;
            }
            polls += 1;
        }
        // The future and each of three or four frames and the end are pending once.
        assert!((6..=7).contains(&polls), "{}: {polls}", case.layer);
    });
}

#[test]
fn readiness_is_that_of_the_app() {
    each_layer!(|layer, case| {
        let mut service = layer.layer(App { ready: None });
        let mut cx = Context::from_waker(noop_waker_ref());
        let ended = end(answer(&mut service, case.request("/a", usual())));
        assert_eq!(ended, End::Failure(None), "{}", case.layer);

        service.get_mut().ready = Some(Poll::Pending);
        for _ in 0..3 {
            assert!(service.poll_ready(&mut cx).is_pending(), "{}", case.layer);
        }
        let ended = end(answer(&mut service, case.request("/a", usual())));
        assert_eq!(ended, End::Hang, "{}", case.layer);

        *service.get_mut() = App::READY;
        let ended = end(answer(&mut service, case.request("/b", usual())));
        assert_eq!(ended, End::Answer(case.answer("/b")), "{}", case.layer);
    });
}

/// Some requests fail, panic or hang while the others are answered.
#[test]
fn concurrent_requests_have_their_own_root_paths_whatever_becomes_of_the_others() {
    each_layer!(|layer, case| {
        let token = Arc::new(());
        let service = layer.layer(App::READY);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (mut service, token) = (service.clone(), &token);
                scope.spawn(move || {
                    for number in 0..100 {
                        let root_path = format!("/tenant-{thread}-{number}");
                        let behaviour = Behaviour {
                            fault: FAULTS.get(number % (2 * FAULTS.len())).copied(),
                            pending: number % 3,
                            token: Arc::clone(token),
                        };
                        let expected = expected(behaviour.fault, case.answer(&root_path));
                        let request = case.request(&root_path, behaviour);
                        let ended = end(answer(&mut service, request));
                        assert_eq!(ended, expected, "{}", case.layer);
                    }
                });
            }
        });
        assert_eq!(Arc::strong_count(&token), 1, "{}", case.layer);
    });
}

#[test]
fn requests_that_are_pending_together_do_not_mix() {
    each_layer!(|layer, case| {
        let mut service = layer.layer(App::READY);
        let root_paths: Vec<_> = (0..50).map(|number| format!("/tenant-{number}")).collect();
        let calls = root_paths.iter().enumerate().map(|(number, root_path)| {
            let behaviour = Behaviour {
                // The last one is the first to be answered.
                pending: 50 - number,
                ..usual()
            };
            collect(service.call(case.request(root_path, behaviour)))
        });
        let calls: Vec<_> = calls.collect();
        let answers = join_all(calls).map(|answers| {
            for (root_path, answer) in root_paths.iter().zip(answers) {
                assert_eq!(answer.unwrap(), case.answer(root_path), "{}", case.layer);
            }
            Ok(String::new())
        });
        assert_eq!(end(answers), End::Answer(String::new()), "{}", case.layer);
    });
}

/// Services and requests share the configuration of a layer.
#[test]
fn a_layer_is_dropped_with_the_last_of_its_requests() {
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let forwarded = forwarded.peer_addr(move |_| {
        let _ = &held;
        Some([127, 0, 0, 1].into())
    });
    let layer = RootPathLayer::new("").with_forwarded(forwarded);
    let mut service = layer.layer(App::READY);
    let call = collect(service.call(ROOT_PATH.request("/a", usual())));
    drop((layer, service));
    assert_eq!(Arc::strong_count(&token), 2);
    assert_eq!(end(call), End::Answer(ROOT_PATH.answer("/a")));
    assert_eq!(Arc::strong_count(&token), 1);
}
