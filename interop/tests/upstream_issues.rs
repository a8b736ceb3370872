//! What users of other crates asked for, under the names of their issues. Those of crates that the
//! root package tests with are in `tests/upstream_issues.rs` there.

use axum::{
    body::Body, extract::Request, http::header::LOCATION, response::Response, routing::get, Router,
};
use axum_embed::ServeEmbed;
use axum_login::{
    login_required,
    tower_sessions::{MemoryStore, SessionManagerLayer},
    AuthManagerLayerBuilder, AuthUser, AuthnBackend,
};
use rust_embed::RustEmbed;
use std::convert::Infallible;
use tower::{Layer, ServiceExt};
use tower_root_path::RootPathLayer;

async fn location(app: Router, uri: &str) -> String {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response: Response = app.oneshot(request).await.unwrap();
    let location = response.headers().get(LOCATION);
    let location = location.unwrap_or_else(|| panic!("{uri}: {response:?}"));
    location.to_str().unwrap().to_owned()
}

#[derive(Clone, RustEmbed)]
#[folder = "../examples/files"]
struct Files;

/// [axum-embed#4](https://github.com/informationsea/axum-embed/issues/4): the redirect to a directory
/// is relative to the files, and does not have the path at which they are nested.
#[tokio::test]
async fn axum_embed_4_a_directory_redirects_to_where_it_is() {
    let files = ServeEmbed::<Files>::new();
    let app = Router::new().nest_service("/FOO", files.clone());
    assert_eq!(location(app, "/FOO/dir").await, "/dir/");

    let app = Router::new().nest_service("/FOO", RootPathLayer::nested().layer(files));
    assert_eq!(location(app.clone(), "/FOO/dir").await, "/FOO/dir/");
    let app = app.layer(RootPathLayer::new("/api/v1"));
    assert_eq!(location(app, "/FOO/dir").await, "/api/v1/FOO/dir/");
}

#[derive(Clone, Debug)]
struct Alice;

impl AuthUser for Alice {
    type Id = String;

    fn id(&self) -> String {
        "alice".to_owned()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash"
    }
}

#[derive(Clone)]
struct Users;

impl AuthnBackend for Users {
    type User = Alice;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Alice>, Infallible> {
        Ok(Some(Alice))
    }

    async fn get_user(&self, _: &String) -> Result<Option<Alice>, Infallible> {
        Ok(Some(Alice))
    }
}

/// [axum-login#153](https://github.com/maxcountryman/axum-login/pull/153): the address to return to
/// after the login had lost the prefix of a nested route. With axum's `OriginalUri` it has that
/// prefix, but not the proxy's, and the redirect to the login page has none.
#[tokio::test]
async fn axum_login_153_the_login_page_is_under_the_prefix() {
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let user = Router::new()
        .route("/profile", get(|| async {}))
        .route_layer(login_required!(Users, login_url = "/login"));
    let app = Router::new()
        .nest("/user", user)
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build());
    let login = "/login?next=%2Fuser%2Fprofile";
    assert_eq!(location(app.clone(), "/user/profile").await, login);
    // The login handler redirects to `next`, which gets the prefix on its way out.
    let app = app.layer(RootPathLayer::new("/api/v1"));
    let expected = format!("/api/v1{login}");
    assert_eq!(location(app, "/user/profile").await, expected);
}
