//! Services, futures and bodies are `Send`, `Sync` and `Unpin` as their parts are, and values always.
//! The snapshot of the public API, `interop/public-api.txt`, has these impls of every type.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    cell::Cell,
    error::Error,
    fmt::Debug,
    marker::{PhantomData, PhantomPinned},
    pin::Pin,
    sync::MutexGuard,
    task::{Context, Poll},
};
use tower_root_path::*;

/// A part that is `Send`, `Sync` and `Unpin` as `T` is: a service, its future, or a body whose error
/// is one of `E`.
#[allow(dead_code)]
struct Part<T, E = ()>(PhantomData<(T, E)>);

type NotSend = MutexGuard<'static, ()>;
type NotSync = Cell<()>;
type NotUnpin = PhantomPinned;

#[allow(dead_code)]
struct Failure<E>(PhantomData<E>);

impl<T, E> Body for Part<T, E> {
    type Data = Bytes;
    type Error = Failure<E>;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure<E>>>> {
        Poll::Ready(None)
    }
}

/// The type that is examined. Its own constants, which it has only if it implements the trait,
/// precede those of `Otherwise`.
#[allow(dead_code)]
struct Examined<T>(PhantomData<T>);

trait Otherwise {
    const IS_SEND: bool = false;
    const IS_SYNC: bool = false;
    const IS_UNPIN: bool = false;
}

impl<T> Otherwise for Examined<T> {}

impl<T: Send> Examined<T> {
    const IS_SEND: bool = true;
}

impl<T: Sync> Examined<T> {
    const IS_SYNC: bool = true;
}

impl<T: Unpin> Examined<T> {
    const IS_UNPIN: bool = true;
}

/// The names of the auto traits of a type.
macro_rules! auto_traits {
    ($Type:ty) => {
        [
            ("Send", <Examined<$Type>>::IS_SEND),
            ("Sync", <Examined<$Type>>::IS_SYNC),
            ("Unpin", <Examined<$Type>>::IS_UNPIN),
        ]
        .into_iter()
        .filter_map(|(name, implements)| implements.then_some(name))
        .collect::<Vec<_>>()
        .join(", ")
    };
}

#[test]
fn a_type_of_one_part_is_what_the_part_is() {
    macro_rules! check {
        ($($Type:ident),*) => {$(
            assert_eq!(auto_traits!($Type<Part<()>>), "Send, Sync, Unpin", stringify!($Type));
            assert_eq!(auto_traits!($Type<Part<NotSend>>), "Sync, Unpin", stringify!($Type));
            assert_eq!(auto_traits!($Type<Part<NotSync>>), "Send, Unpin", stringify!($Type));
            assert_eq!(auto_traits!($Type<Part<NotUnpin>>), "Send, Sync", stringify!($Type));
        )*};
    }

    check!(
        AddPrefix,
        BaseHrefService,
        OpenApiService,
        RootPathService,
        StripPrefix
    );
    check!(AddPrefixFuture, RootPathFuture);
    check!(BaseHrefBody, OpenApiBody);
}

/// If the inner body fails while the layer reads it, the body that the layer returns has the error.
#[test]
fn a_body_is_not_what_its_error_is_not() {
    macro_rules! check {
        ($($Type:ident),*) => {$(
            assert_eq!(auto_traits!($Type<Part<(), NotSend>>), "Sync, Unpin", stringify!($Type));
            assert_eq!(auto_traits!($Type<Part<(), NotSync>>), "Send, Unpin", stringify!($Type));
        )*};
    }

    check!(BaseHrefBody, OpenApiBody);
}

#[test]
fn a_future_is_what_the_inner_future_and_the_body_are() {
    macro_rules! check {
        ($($Type:ident),*) => {$(
            for (traits, of_future, of_body) in [
                (
                    "Send, Sync, Unpin",
                    auto_traits!($Type<Part<()>, Part<()>>),
                    auto_traits!($Type<Part<()>, Part<()>>),
                ),
                (
                    "Sync, Unpin",
                    auto_traits!($Type<Part<NotSend>, Part<()>>),
                    auto_traits!($Type<Part<()>, Part<NotSend>>),
                ),
                (
                    "Send, Unpin",
                    auto_traits!($Type<Part<NotSync>, Part<()>>),
                    auto_traits!($Type<Part<()>, Part<NotSync>>),
                ),
            ] {
                assert_eq!(of_future, traits, stringify!($Type));
                assert_eq!(of_body, traits, stringify!($Type));
            }
            // The body that the future reads is in a box.
            assert_eq!(auto_traits!($Type<Part<NotUnpin>, Part<()>>), "Send, Sync");
            assert_eq!(auto_traits!($Type<Part<()>, Part<NotUnpin>>), "Send, Sync, Unpin");
        )*};
    }

    check!(BaseHrefFuture, OpenApiFuture);
}

#[test]
fn layers_and_values_can_be_sent_and_shared() {
    macro_rules! check {
        ($of:ident: $($Type:ty),* $(,)?) => {$(
            $of::<$Type>();
            assert_eq!(auto_traits!($Type), "Send, Sync, Unpin", stringify!($Type));
        )*};
    }
    fn value<T: Clone + Debug + 'static>() {}
    fn error<T: Error + 'static>() {}

    check!(
        value: AddPrefixLayer,
        BaseHrefLayer,
        NestedRootPathLayer,
        OpenApiLayer,
        RootPathLayer,
        StripPrefixLayer,
    );
    check!(
        value: AllowedHosts,
        ForwardedOrigin,
        ForwardedPrefix,
        PeerAddr,
        Rewrite,
        TrustedProxies
    );
    check!(
        value: BaseUrl,
        Forwarded,
        Origin,
        PublicUri,
        RootPath,
        Server,
        ServerVariable,
        Servers
    );
    check!(
        error: InvalidAllowedHosts,
        InvalidBaseUrl,
        InvalidForwarded,
        InvalidOrigin,
        InvalidPrefixedPath,
        InvalidRootPath,
        InvalidRootPathVar,
        InvalidServer,
        InvalidTrustedProxies,
        MissingBaseUrl,
        RefusedOrigin,
        UnsupportedHeader,
    );
}
