//! `OpenApiExt` for the document types of utoipa and aide.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Value};
use std::convert::Infallible;
use tower::{service_fn, Layer, ServiceExt};
use tower_root_path::{
    OpenApiExt, OpenApiLayer, RootPath, RootPathLayer, Server, ServerVariable, Servers,
};

type Utoipa = utoipa::openapi::OpenApi;
type Aide = aide::openapi::OpenApi;

/// `document` after a round trip through the type `D`.
fn round_trip<D: DeserializeOwned + Serialize>(document: &Value) -> Value {
    json!(parsed::<D>(document))
}

fn parsed<D: DeserializeOwned>(document: &Value) -> D {
    // Some fields borrow strings, which `serde_json::from_value` does not support.
    serde_json::from_str(&document.to_string()).unwrap()
}

fn under_root_path<D: DeserializeOwned + Serialize + OpenApiExt>(
    document: &Value,
    root_path: &str,
) -> Value {
    json!(parsed::<D>(document).under_root_path(&root_path.parse().unwrap()))
}

/// `document` as `OpenApiLayer` edits it.
async fn edited(document: &Value, root_path: &str) -> Value {
    let document = document.to_string();
    let app = service_fn(move |_: Request<()>| {
        let body = Full::<Bytes>::from(document.clone());
        let response = Response::builder().header("content-type", "application/json");
        async move { Ok::<_, Infallible>(response.body(body).unwrap()) }
    });
    let layers = (
        RootPathLayer::new(root_path),
        OpenApiLayer::new("/openapi.json"),
    );
    let request = Request::get("/openapi.json").body(()).unwrap();
    let response = layers.layer(app).oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn typed_documents_get_the_same_edits_as_their_text() {
    let with_servers = |servers: Value| {
        json!({
            "openapi": "3.1.0",
            "info": { "title": "t", "version": "1" },
            "servers": servers,
            "paths": {},
        })
    };
    let mut everywhere = with_servers(json!([{ "url": "/v2", "x-a": 1 }]));
    let operation = json!({ "responses": {}, "servers": [{ "url": "/" }, { "url": "x" }] });
    let methods = [
        "get", "put", "post", "delete", "options", "head", "patch", "trace",
    ];
    for method in methods {
        everywhere["paths"]["/a"][method] = operation.clone();
    }
    everywhere["paths"]["/a"]["servers"] = json!([{ "url": "/files" }]);
    everywhere["components"]["pathItems"]["b"] = everywhere["paths"]["/a"].clone();

    for document in [
        with_servers(json!([])),
        with_servers(json!([{ "url": "https://a.example", "description": "A" }])),
        with_servers(json!([{ "url": "/" }, { "url": "/api/v1", "description": "Mine" }])),
        with_servers(json!([{ "url": "/api/v1/" }, { "url": "//b.example" }])),
        everywhere,
    ] {
        for root_path in ["", "/api/v1", "/x%27"] {
            let edited = edited(&document, root_path).await;
            let case = format!("{root_path:?} {document}");
            let utoipa = under_root_path::<Utoipa>(&document, root_path);
            assert_eq!(utoipa, round_trip::<Utoipa>(&edited), "{case}");
            let aide = under_root_path::<Aide>(&document, root_path);
            assert_eq!(aide, round_trip::<Aide>(&edited), "{case}");
        }
    }
}

#[tokio::test]
async fn utoipas_query_and_additional_operations_are_prefixed() {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "t", "version": "1" },
        "paths": {},
    });
    let operation = json!({ "responses": {}, "servers": [{ "url": "/v2" }] });
    document["paths"]["/a"]["additionalOperations"]["COPY"] = operation.clone();
    document["paths"]["/a"]["query"] = operation;
    let edited = edited(&document, "/api/v1").await;
    assert_eq!(edited.to_string().matches(r#""/api/v1/v2""#).count(), 2);
    let utoipa = under_root_path::<Utoipa>(&document, "/api/v1");
    assert_eq!(utoipa, round_trip::<Utoipa>(&edited));
}

#[test]
fn conversions_keep_every_field() {
    let servers = Servers::new([Server::new("https://{region}.example")
        .name("prod")
        .description("Production")
        .variable(
            "region",
            ServerVariable::new("eu")
                .allowed(["eu", "us"])
                .description("Where"),
        )
        .variable("open", ServerVariable::new("x").description("Any"))
        .extension("x-internal", true)]);
    let list = servers.list(&RootPath::from_static("/api/v1"));
    let expected = json!(list);

    let utoipa = Utoipa::default().with_servers(list.clone());
    assert_eq!(json!(utoipa)["servers"], expected);
    let aide = Aide::default().with_servers(list);
    assert_eq!(json!(aide)["servers"], expected);
}

#[test]
fn an_empty_list_removes_the_key() {
    let server = || [Server::new("/")];
    let utoipa = Utoipa::default().with_servers(server()).with_servers([]);
    assert_eq!(json!(utoipa).get("servers"), None);
    let aide = Aide::default().with_servers(server()).with_servers([]);
    assert_eq!(json!(aide).get("servers"), None);
}
