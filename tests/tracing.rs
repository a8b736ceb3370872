//! What is logged. In a process of its own, since tracing caches per process what is enabled.

mod support;

use http::{Request, Response};
use support::{get, get_with};
use tower_root_path::{ForwardedPrefix, PeerAddr, RootPathLayer, TrustedProxies};

const PREFIX: &str = "x-forwarded-prefix";

/// One event for each reason, not for each request.
#[tokio::test]
async fn each_reason_is_logged_once() {
    use std::sync::{Arc, Mutex};
    use tracing::{field::Visit, span, subscriber::Interest, Event, Metadata, Subscriber};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Log {
        fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
            Interest::always()
        }
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            struct Text(String);
            impl Visit for Text {
                fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                    self.0 += &format!("{value:?} ");
                }
            }
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    let log = Log::default();
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let _guard = tracing::subscriber::set_default(log.clone());
    let layer = RootPathLayer::new("/api").with_forwarded(forwarded);
    let unknown = || Request::builder().header(PREFIX, "/x").body(()).unwrap();
    let untrusted = || {
        let mut request = unknown();
        request
            .extensions_mut()
            .insert(PeerAddr(([192, 0, 2, 1], 1).into()));
        request
    };
    for _ in 0..3 {
        for request in [
            unknown(),
            untrusted(),
            get_with("/", &[(PREFIX, "//evil")]),
            get_with("/", &[(PREFIX, "//other")]),
            get_with("/", &[(PREFIX, "evil")]),
            get_with("/", &[(PREFIX, "/fine")]),
            get("/"),
        ] {
            support::send(&layer, request, |_| Response::new(())).await;
        }
    }
    let log = log.0.lock().unwrap();
    assert_eq!(log.len(), 4, "{log:#?}");
    assert!(
        log[0].contains("into_make_service_with_connect_info"),
        "{}",
        log[0]
    );
    assert!(log[1].contains("untrusted peer 192.0.2.1"), "{}", log[1]);
    assert!(
        log[2].contains("\"//evil\": empty segment at byte 1"),
        "{}",
        log[2]
    );
    assert!(
        log[3].contains("\"evil\": must start with '/'"),
        "{}",
        log[3]
    );
}
