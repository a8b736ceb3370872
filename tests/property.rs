//! Properties. A rewritten reference leads where the original one led without the proxy, as the `url`
//! crate resolves it. A gateway strips what a client prepends.

mod support;

use http::{header::HOST, uri::PathAndQuery, HeaderValue, Request, Uri};
use proptest::{prelude::*, sample::select};
use support::{location, seen};
use tower_root_path::{
    AddPrefixLayer, ForwardedPrefix, Rewrite, RootPathLayer, StripPrefixLayer, TrustedProxies,
};
use url::Url;

const HOSTS: [&str; 2] = ["pub.example", "pub.example:8080"];
const INTERNAL: &str = "http://internal.example:3000";

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None, // The message has the case.
        ..ProptestConfig::with_cases(cases)
    }
}

/// What `Location: reference` becomes, behind a proxy that strips `root_path`.
fn rewritten(host: &'static str, root_path: &str, path: &str, reference: &str) -> String {
    let mut request = Request::get(path).body(()).unwrap();
    let host = HeaderValue::from_static(host);
    request.headers_mut().insert(HOST, host);
    let layer = RootPathLayer::new(root_path).rewrite(Rewrite::redirects().own_origin(INTERNAL));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .unwrap()
        .block_on(location(layer, request, reference))
}

fn segment() -> impl Strategy<Value = String> {
    // Without dot segments, which may leave the root path.
    prop_oneof![
        3 => select(&["a", "b", "api", "v1"][..]).prop_map(str::to_owned),
        1 => "[a-z0-9~!$&()*+=:@_-]{1,3}",
        1 => select(&["%C3%A9", "v1.2", "..a", "%20"][..]).prop_map(str::to_owned),
    ]
}

fn root_path() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(segment(), 1..4);
    path.prop_map(|segments| format!("/{}", segments.join("/")))
}

/// A path with perhaps a query and a fragment, in which whatever looks like a URL is none.
fn path_and_more() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(prop_oneof![4 => segment(), 1 => "[é,;'|\\[\\]]"], 0..4);
    let query = prop::option::of(select(
        &["", "x=1", "next=//evil.example", "/a?b", "\\"][..],
    ));
    let fragment = prop::option::of(select(&["", "top", "//evil.example", "?x"][..]));
    (path, query, fragment).prop_map(|(path, query, fragment)| {
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let fragment = fragment.map_or(String::new(), |fragment| format!("#{fragment}"));
        format!("/{}{query}{fragment}", path.join("/"))
    })
}

/// A reference to a path of the app: what is before the path, or relative to the request.
#[derive(Clone, Debug)]
enum Form {
    InFrontOfPath(&'static str),
    Relative(&'static str),
}

fn form() -> impl Strategy<Value = Form> {
    let front = select(&["", INTERNAL][..]);
    let relative = select(&["", "x", "./x", "x/y?z#f", "?q", "#f", "?next=/a", "./a:b"][..]);
    prop_oneof![
        front.prop_map(Form::InFrontOfPath),
        relative.prop_map(Form::Relative)
    ]
}

fn is_under(path: &str, root_path: &str) -> bool {
    let rest = path.strip_prefix(root_path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn a_reference_leads_to_the_same_place_under_the_root_path(
        host in select(&HOSTS[..]),
        root_path in root_path(),
        request_path in prop::collection::vec(segment(), 0..4),
        form in form(),
        target in path_and_more(),
        is_there in any::<bool>(),
    ) {
        let request_path = format!("/{}", request_path.join("/"));
        let internal = Url::parse(&format!("http://{host}{request_path}")).unwrap();
        let public = Url::parse(&format!("http://{host}{root_path}{request_path}")).unwrap();

        let target = if is_there { format!("{root_path}{target}") } else { target };
        let (reference, is_there) = match form {
            Form::Relative(reference) => (reference.to_owned(), false),
            Form::InFrontOfPath(front) => {
                (front.to_owned() + &target, is_under(&target, &root_path))
            }
        };
        let mut expected = internal.join(&reference).unwrap();
        if !is_there {
            expected.set_path(&format!("{root_path}{}", expected.path()));
        }
        if reference.starts_with(INTERNAL) {
            // For the public, that origin is the one it called.
            expected = public.join(&expected[url::Position::BeforePath..]).unwrap();
        }
        let emitted = rewritten(host, &root_path, &request_path, &reference);
        let landed = public.join(&emitted).unwrap();
        prop_assert_eq!(landed, expected, "{:?} became {:?}", reference, emitted);
    }

    #[test]
    fn what_leads_elsewhere_stays(
        root_path in root_path(),
        elsewhere in select(&[
            "http://other.example", "https://other.example", "//other.example",
            "http://pub.example", "https://pub.example", "//pub.example", "HTTP://PUB.EXAMPLE",
            "http://pub.example:81", "http://pub.example.", "http://user@pub.example",
            "http://pub.example@other.example", "ftp://pub.example", "ws://pub.example",
        ][..]),
        target in path_and_more(),
    ) {
        let reference = format!("{elsewhere}{target}");
        prop_assert_eq!(rewritten("pub.example", &root_path, "/x", &reference), reference);
    }
}

/// Everything that has ever been mistaken for something else.
fn anything() -> impl Strategy<Value = String> {
    let parts = [
        "/",
        "/",
        "/",
        "a",
        "api",
        "/api/v1",
        "//",
        "?",
        "#",
        ".",
        "..",
        "%2F",
        "%5C",
        "\\",
        "\t",
        " ",
        "é",
        ":",
        "@",
        "http:",
        "https:",
        "javascript:",
        "pub.example",
        "//pub.example",
        "http://pub.example",
        "https://pub.example",
        "HTTP://PUB.EXAMPLE",
        INTERNAL,
        ":80",
        ":443",
        "other.example",
        "//other.example",
        "\\\\other.example",
        "https:other.example",
        "[::1]",
    ];
    prop::collection::vec(select(parts.to_vec()), 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(config(20_000))]

    /// Where a reference led to this host it goes on to; where it led to another it goes there, or
    /// is harmless.
    #[test]
    fn no_rewriting_leads_to_another_origin(
        root_path in prop_oneof![Just(String::new()), root_path()],
        request_path in select(&["/", "/x", "//other.example/x", "/\\other.example"][..]),
        reference in anything(),
        scheme in select(&["http", "https"][..]),
    ) {
        let public = format!("{scheme}://pub.example{root_path}/x");
        let public = Url::parse(&public).unwrap();
        let emitted = rewritten("pub.example", &root_path, request_path, &reference);
        match (public.join(&reference), public.join(&emitted)) {
            _ if emitted == reference => {}
            (Ok(original), Ok(landed)) => prop_assert!(
                landed.origin() == original.origin() || landed.origin() == public.origin(),
                "{reference:?} became {emitted:?}"
            ),
            (Err(_), Ok(landed)) => prop_assert_eq!(landed.origin(), public.origin()),
            (_, Err(error)) => prop_assert!(false, "{reference:?} became {emitted:?}: {error}"),
        }
    }

    /// The app reflects a path that begins with `//` or `/\`.
    #[test]
    fn a_reflected_path_never_leads_away(
        root_path in prop_oneof![Just(String::new()), root_path()],
        slashes in "/[/\\\\][/\\\\]{0,3}",
        rest in "[a-z.@:?#/\\\\]{0,12}",
    ) {
        let reflected = format!("{slashes}{rest}");
        let path = reflected.split(['?', '#']).next().unwrap();
        prop_assume!(Request::get(path).body(()).is_ok());
        let public = Url::parse(&format!("https://pub.example{root_path}/x")).unwrap();
        let landed = public.join(&rewritten("pub.example", &root_path, path, &reflected)).unwrap();
        prop_assert_eq!(landed.origin(), public.origin());
    }
}

/// A layer of a stack, from the outside to the inside.
fn layer() -> impl Strategy<Value = RootPathLayer> {
    let root_path = prop_oneof![Just(String::new()), root_path()];
    let rewrite = prop::option::of(select(
        &[
            Rewrite::none as fn() -> Rewrite,
            Rewrite::redirects,
            Rewrite::all,
            || Rewrite::redirects().own_origin(INTERNAL),
        ][..],
    ));
    let forwarded = || {
        let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all());
        RootPathLayer::new("").with_forwarded(forwarded)
    };
    (root_path, any::<(bool, bool)>(), rewrite).prop_map(
        move |(root_path, (is_forwarded, strips), rewrite)| {
            let mut layer = if is_forwarded {
                forwarded()
            } else {
                RootPathLayer::new(root_path)
            };
            if strips {
                layer = layer.strip_if_present();
            }
            match rewrite {
                Some(rewrite) => layer.rewrite(rewrite()),
                None => layer,
            }
        },
    )
}

proptest! {
    #![proptest_config(config(20_000))]

    /// The same for stacked layers, with every form of a request URI.
    #[test]
    fn no_stack_of_layers_leads_to_another_origin(
        (outer, middle, inner) in (layer(), layer(), layer()),
        path in select(&[
            "/", "/x", "/api/v1/x", "//other.example/x", "/\\other.example", "/%2Fother.example",
            "/%09/other.example", "/a//other.example",
        ][..]),
        authority in select(&["", "https://pub.example"][..]),
        forwarded in prop::option::of(select(&["/fwd", "", "/"][..])),
        reference in anything(),
    ) {
        let mut request = Request::get(format!("{authority}{path}")).body(()).unwrap();
        if let Some(forwarded) = forwarded {
            let forwarded = HeaderValue::from_static(forwarded);
            request.headers_mut().insert("x-forwarded-prefix", forwarded);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let layers = (outer, middle, inner);
        let emitted = runtime.block_on(location(layers, request, &reference));
        let public = Url::parse("https://pub.example/x").unwrap();
        if emitted == reference {
            // The origin of `a:b` is equal to none, not even itself.
            return Ok(());
        }
        if let (Ok(original), Ok(landed)) = (public.join(&reference), public.join(&emitted)) {
            let is_own = landed.origin() == original.origin() || landed.origin() == public.origin();
            prop_assert!(is_own, "{reference:?} became {emitted:?}");
        }
    }
}

/// Whatever `http` takes: a query alone and raw non-ASCII among it.
fn path_and_query() -> impl Strategy<Value = PathAndQuery> {
    let path = r#"(/[!"$-;=@-_a-~é€🍕]{0,9}){0,5}"#;
    let query = r"(\?[!$-;=?-~é€🍕]{0,9})?";
    let whole = (path, query).prop_map(|(path, query)| path + &query);
    whole.prop_filter_map("`http` takes it", |whole| {
        PathAndQuery::try_from(whole).ok()
    })
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn a_gateway_takes_off_what_a_client_puts_in_front(
        prefix in prop_oneof![
            1 => Just(String::new()),
            8 => root_path(),
            1 => prop::collection::vec(segment(), 100).prop_map(|all| format!("/{}", all.join("/"))),
        ],
        host in prop::option::of(select(
            &["http://pub.example", "https://user@pub.example:8080", "ws://[::1]"][..],
        )),
        path_and_query in path_and_query(),
        is_there in any::<bool>(),
    ) {
        let path_and_query = if is_there {
            PathAndQuery::try_from(format!("{prefix}{path_and_query}")).unwrap()
        } else {
            path_and_query
        };
        let mut parts = host.unwrap_or("/").parse::<Uri>().unwrap().into_parts();
        parts.path_and_query = Some(path_and_query);
        let original = Uri::from_parts(parts).unwrap();
        let request = || Request::get(original.clone()).body(()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        let client = AddPrefixLayer::new(&prefix);
        let sent = runtime.block_on(seen(&client, request())).into_parts().0.uri;
        prop_assert_eq!(sent.path(), format!("{prefix}{}", original.path()));

        let gateway = StripPrefixLayer::new(&prefix);
        let received = runtime.block_on(seen((client, gateway), request())).into_parts().0.uri;
        for uri in [&sent, &received] {
            prop_assert_eq!(uri.query(), original.query());
            prop_assert_eq!(uri.scheme(), original.scheme());
            prop_assert_eq!(uri.authority(), original.authority());
        }
        prop_assert_eq!(received.path(), original.path());
        // `http` shows a query alone as if it had a path, so that is what it is given.
        prop_assert_eq!(received.to_string(), original.to_string());
    }
}
