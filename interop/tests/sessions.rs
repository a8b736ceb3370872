//! Sessions of tower-sessions, as a browser keeps them: each by the `Path` of its cookie.

use axum::{
    body::{self, Body},
    extract::Request,
    http::header::{COOKIE, SET_COOKIE},
    response::Response,
    routing::get,
    Extension, Router,
};
use cookie_store::CookieStore;
use std::{cmp::Reverse, convert::Infallible};
use tower::{util::BoxCloneSyncService, Layer, Service, ServiceBuilder, ServiceExt};
use tower_root_path::{
    ForwardedPrefix, PeerAddr, Rewrite, RootPathLayer, StripPrefixLayer, TrustedProxies,
};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};
use url::Url;

type App = BoxCloneSyncService<Request, Response, Infallible>;

/// `/count` counts within a session, `/leave` ends it.
fn app() -> Router {
    let count = |session: Session| async move {
        let count = session.get::<u32>("count").await.unwrap().unwrap_or(0) + 1;
        session.insert("count", count).await.unwrap();
        count.to_string()
    };
    let leave = |session: Session| async move { session.flush().await.unwrap() };
    let app = Router::new().route("/count", get(count));
    app.route("/leave", get(leave))
}

/// Sessions of their own.
fn sessions() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default())
}

fn forwarded_by_the_proxy(rewrite: &Rewrite) -> RootPathLayer {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("").with_forwarded(forwarded);
    layer.rewrite(rewrite.clone())
}

/// `app` behind a gateway on the same machine that strips `prefix`.
fn published<S>(prefix: &str, app: S) -> App
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    let peer = Extension(PeerAddr(([127, 0, 0, 1], 4711).into()));
    BoxCloneSyncService::new((StripPrefixLayer::new(prefix), peer).layer(app))
}

/// A browser on `https://app.example`.
#[derive(Default)]
struct Browser(CookieStore);

impl Browser {
    /// What is shown at `path`, with the cookies that are set there.
    async fn visit(&mut self, app: &App, path: &str) -> (String, Vec<String>) {
        let url = Url::parse(&format!("https://app.example{path}")).unwrap();
        let mut cookies = self.0.matches(&url);
        // RFC 6265, section 5.4: longer paths first.
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let cookies = cookies.iter().map(|cookie| cookie.stripped().to_string());
        let request = Request::get(path).header(COOKIE, cookies.collect::<Vec<_>>().join("; "));
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
        let (head, body) = response.await.unwrap().into_parts();

        let set = head.headers.get_all(SET_COOKIE).iter();
        let set: Vec<_> = set.map(|line| line.to_str().unwrap().to_owned()).collect();
        for line in &set {
            self.0.parse(line, &url).unwrap();
        }
        let body = body::to_bytes(body, 100).await.unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), set)
    }

    async fn visit_all<const N: usize>(&mut self, pages: [(&App, &str); N]) -> [String; N] {
        let mut shown = pages.map(|_| String::new());
        for (shown, (app, path)) in shown.iter_mut().zip(pages) {
            (*shown, _) = self.visit(app, path).await;
        }
        shown
    }
}

/// The layer of the sessions sets the cookie. Outside `RootPathLayer`, the cookie is not rewritten.
#[tokio::test]
async fn a_session_cookie_has_the_root_path_if_sessions_are_inside_the_layer() {
    let root_path = || RootPathLayer::new("/api/v1").rewrite(Rewrite::all());
    let forwarded = || forwarded_by_the_proxy(&Rewrite::redirects().set_cookie_path());
    let inside = |layer: RootPathLayer| {
        let builder = ServiceBuilder::new().layer(layer).layer(sessions());
        builder.service(app())
    };
    let outside = |layer: RootPathLayer| {
        let builder = ServiceBuilder::new().layer(sessions()).layer(layer);
        builder.service(app())
    };
    let unstripped = || root_path().strip_if_present();
    let routed_inside = app().layer(sessions()).layer(forwarded());
    let routed_outside = app().layer(forwarded()).layer(sessions());
    for (app, expected) in [
        (
            BoxCloneSyncService::new(inside(unstripped())),
            "; Path=/api/v1",
        ),
        (published("/api/v1", inside(root_path())), "; Path=/api/v1"),
        (published("/api/v1", routed_inside), "; Path=/api/v1"),
        (BoxCloneSyncService::new(outside(unstripped())), "; Path=/"),
        (published("/api/v1", outside(root_path())), "; Path=/"),
        (published("/api/v1", routed_outside), "; Path=/"),
    ] {
        let mut browser = Browser::default();
        // What ends a session has to name the path that it was begun with.
        for (page, expected_body) in [
            ("count", "1"),
            ("count", "2"),
            ("leave", ""),
            ("count", "1"),
        ] {
            let (body, set) = browser.visit(&app, &format!("/api/v1/{page}")).await;
            assert_eq!(body, expected_body, "{expected}: {page}");
            let set = format!("{};", set.join(""));
            assert!(set.contains(&format!("{expected};")), "{expected}: {set}");
            let left = browser.0.iter_unexpired().count();
            assert_eq!(left, usize::from(page == "count"), "{expected}: {page}");
        }
    }
}

/// [tower-sessions#63](https://github.com/maxcountryman/tower-sessions/issues/63): a session in a
/// nested router. With a cookie for its mount, it does not last behind a proxy that adds a prefix.
#[tokio::test]
async fn tower_sessions_63_the_session_of_a_nested_router_lasts_behind_a_proxy() {
    for (layer, second) in [
        (RootPathLayer::new(""), "1"),
        (RootPathLayer::new("/api").rewrite(Rewrite::all()), "2"),
    ] {
        let nested = app().layer(sessions().with_path("/nested"));
        let app = published("/api", Router::new().nest("/nested", nested).layer(layer));
        let mut browser = Browser::default();
        for expected in ["1", second] {
            let (count, set) = browser.visit(&app, "/api/nested/count").await;
            assert_eq!(count, expected, "{set:?}");
        }
    }
}

/// `Path=/` is one cookie for all that is on the host.
#[tokio::test]
async fn sessions_at_two_prefixes_are_two_if_the_path_is_rewritten() {
    let rewritten = Rewrite::redirects().set_cookie_path();
    for (rewrite, is_one_app, expected) in [
        (&rewritten, true, ["1", "2", "1", "2", "3"]),
        (&rewritten, false, ["1", "2", "1", "2", "3"]),
        (&Rewrite::redirects(), true, ["1", "2", "3", "4", "5"]),
        // Each app forgets the session that the other one has never heard of.
        (&Rewrite::redirects(), false, ["1", "2", "1", "2", "1"]),
    ] {
        let with = |sessions| app().layer(sessions).layer(forwarded_by_the_proxy(rewrite));
        let (of_a, of_another) = (sessions(), sessions());
        let of_b = if is_one_app { of_a.clone() } else { of_another };
        let a = &published("/a", with(of_a));
        let b = &published("/b", with(of_b));
        let [at_a, at_b] = [(a, "/a/count"), (b, "/b/count")];
        let mut browser = Browser::default();
        let counted = browser.visit_all([at_a, at_a, at_b, at_b, at_a]).await;
        assert_eq!(counted, expected, "{rewrite:?} {is_one_app}");
    }
}

/// A browser matches the `Path` of a cookie byte for byte (RFC 6265, section 5.1.4). The mount of a
/// tenant is kept as the client wrote it, so the sessions of tenants come back and stay apart.
#[tokio::test]
async fn each_tenant_has_a_session_that_comes_back() {
    let tenants = ["alice%40example.com", "alice@example.com"];
    let tenants = tenants.into_iter().chain(["c%23", "ac%2Fme", "50%25"]);
    let tenant = app().layer(sessions()).layer(RootPathLayer::nested());
    let app = Router::new().nest("/t/{tenant}", tenant);
    let app = published(
        "/api/v1",
        app.layer(forwarded_by_the_proxy(&Rewrite::all())),
    );
    let mut browser = Browser::default();
    for expected in ["1", "2"] {
        for tenant in tenants.clone() {
            let mount = format!("/api/v1/t/{tenant}");
            let (count, set) = browser.visit(&app, &format!("{mount}/count")).await;
            assert_eq!(count, expected, "{tenant}: {set:?}");
            let path = format!("; Path={mount};");
            assert!(format!("{};", set.concat()).contains(&path), "{set:?}");
        }
    }
}

/// Of cookies with one name a browser sends all whose paths match, and tower-sessions uses the one
/// with the shortest path.
#[tokio::test]
async fn a_sub_app_shares_the_sessions_around_it_or_has_some_with_a_name_of_their_own() {
    let own = |name| app().layer(sessions().with_name(name));
    for (shop, expected) in [
        (app(), ["1", "2", "3", "4", "5"]),
        (own("shop.id"), ["1", "2", "1", "2", "3"]),
        // The one that it takes is not its own, so that it forgets each of them.
        (own("id"), ["1", "2", "1", "1", "3"]),
    ] {
        let shop = shop.layer(RootPathLayer::nested());
        let app = app().nest("/shop", shop).layer(sessions());
        let app = &published(
            "/api/v1",
            app.layer(forwarded_by_the_proxy(&Rewrite::all())),
        );
        let [page, in_shop] = [(app, "/api/v1/count"), (app, "/api/v1/shop/count")];
        let mut browser = Browser::default();
        let pages = [page, page, in_shop, in_shop, page];
        assert_eq!(browser.visit_all(pages).await, expected);
        let mut cookies = browser.0.iter_unexpired();
        let in_shop = cookies.any(|cookie| &*cookie.path == "/api/v1/shop");
        assert_eq!(in_shop, expected[2] == "1", "{expected:?}");
    }
}
