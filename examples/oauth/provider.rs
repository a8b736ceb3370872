//! A toy identity provider at `/auth`. Everybody who asks is alice, and nothing expires.

use super::{challenge, random, CLIENT_ID};
use axum::{
    extract::{Query, State},
    http::{header::AUTHORIZATION, HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
    Form, Json, Router,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tower_root_path::RootPathLayer;
use url::Url;

struct Provider {
    /// The one that is registered for the client.
    redirect_uri: String,
    /// The code challenges by the code that was issued for each.
    codes: Mutex<HashMap<String, String>>,
    tokens: Mutex<HashSet<String>>,
}

/// The provider, with one client that is registered with `redirect_uri`.
pub(crate) fn router(redirect_uri: String) -> Router {
    let provider = Provider {
        redirect_uri,
        codes: Mutex::default(),
        tokens: Mutex::default(),
    };
    let router = Router::new()
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/user", get(user))
        .with_state(Arc::new(provider));
    Router::new().nest("/auth", router.layer(RootPathLayer::nested()))
}

#[derive(Deserialize)]
struct Authorize {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
}

/// RFC 6749, section 4.1.1. A real provider shows a page here.
async fn authorize(
    State(provider): State<Arc<Provider>>,
    Query(query): Query<Authorize>,
) -> Response {
    let refuse = |reason: String| (StatusCode::BAD_REQUEST, reason).into_response();
    // A redirect to any other URL would hand it the code (RFC 6749, section 3.1.2.4).
    if query.client_id != CLIENT_ID || query.redirect_uri != provider.redirect_uri {
        let (refused, registered) = (query.redirect_uri, &provider.redirect_uri);
        return refuse(format!(
            "redirect_uri is {refused}, but {registered} is registered\n"
        ));
    }
    if query.response_type != "code" || query.code_challenge_method != "S256" {
        return refuse("only response_type=code with code_challenge_method=S256\n".to_owned());
    }
    let code = random();
    let parameters = [("code", &code), ("state", &query.state)];
    let to = Url::parse_with_params(&provider.redirect_uri, parameters);
    let mut codes = provider.codes.lock().expect("no handler panics");
    codes.insert(code, query.code_challenge);
    // The host of the request, but another app: the layer leaves it as it is.
    Redirect::to(to.expect("the registered URL is valid").as_str()).into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: String,
    code_verifier: String,
}

/// RFC 6749, section 4.1.3, and RFC 7636, section 4.6.
async fn token(
    State(provider): State<Arc<Provider>>,
    Form(form): Form<TokenRequest>,
) -> (StatusCode, Json<Value>) {
    // A code can be used once.
    let mut codes = provider.codes.lock().expect("no handler panics");
    let issued_for = codes.remove(&form.code);
    let is_valid = form.grant_type == "authorization_code"
        && form.client_id == CLIENT_ID
        && form.redirect_uri == provider.redirect_uri
        && issued_for == Some(challenge(&form.code_verifier));
    if !is_valid {
        let error = json!({ "error": "invalid_grant" });
        return (StatusCode::BAD_REQUEST, Json(error));
    }
    let token = random();
    let answer = json!({ "access_token": token, "token_type": "Bearer" });
    let mut tokens = provider.tokens.lock().expect("no handler panics");
    tokens.insert(token);
    (StatusCode::OK, Json(answer))
}

/// Who the bearer of the token is.
async fn user(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let authorization = headers.get(AUTHORIZATION);
    let token = authorization.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let tokens = provider.tokens.lock().expect("no handler panics");
    if !token.is_some_and(|token| tokens.contains(token)) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(json!({ "sub": "alice" })))
}
