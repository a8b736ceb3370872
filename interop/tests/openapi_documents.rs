//! `OpenApiLayer` with documents of several generators, validated by the schemas of OpenAPI.

mod support;

use axum::{
    body::{self, Body},
    extract::Request,
    http::header::CONTENT_TYPE,
    routing::get,
    Router,
};
use jsonschema::Validator;
use poem_openapi::{payload::Json, OpenApi, OpenApiService};
use serde_json::{json, Value};
use std::{fs, path::Path};
use support::process::{get_with, Example};
use tower::ServiceExt;
use tower_root_path::{OpenApiLayer, RootPathLayer};

/// The size that every large document exceeds.
const LARGE: usize = 5_000_000;

struct Api;

#[OpenApi]
impl Api {
    /// Say hello
    #[oai(path = "/app", method = "get")]
    async fn hello(&self) -> Json<String> {
        Json("Hello World".to_owned())
    }
}

fn poem_document(description: &str) -> String {
    OpenApiService::new(Api, "poem", "1.0")
        .description(description)
        .server("/")
        .server("https://prod.example.com")
        .spec()
}

fn utoipa_document(paths: usize) -> String {
    use utoipa::openapi::{
        path::OperationBuilder, HttpMethod, InfoBuilder, OpenApiBuilder, PathItem, PathsBuilder,
        ResponseBuilder, Server,
    };
    let paths = (0..paths).fold(PathsBuilder::new(), |paths, n| {
        let response = ResponseBuilder::new().description("Hello");
        let operation = OperationBuilder::new()
            .response("200", response)
            .servers(Some([Server::new("/files")]));
        paths.path(
            format!("/app/{n}"),
            PathItem::new(HttpMethod::Get, operation),
        )
    });
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("utoipa").version("1.0"))
        .paths(paths)
        .build()
        .to_json()
        .unwrap()
}

fn aide_document(paths: usize) -> String {
    use aide::openapi::{Info, OpenApi, Operation, PathItem, Paths, ReferenceOr, Server};
    let path_item = |n| {
        let path_item = PathItem {
            get: Some(Operation::default()),
            servers: vec![Server {
                url: "/files".to_owned(),
                ..Server::default()
            }],
            ..PathItem::default()
        };
        (format!("/app/{n}"), ReferenceOr::Item(path_item))
    };
    let api = OpenApi {
        info: Info {
            title: "aide".to_owned(),
            version: "1.0".to_owned(),
            ..Info::default()
        },
        paths: Some(Paths {
            paths: (0..paths).map(path_item).collect(),
            ..Paths::default()
        }),
        ..OpenApi::default()
    };
    serde_json::to_string(&api).unwrap()
}

/// A document without a generator, in the style of that version.
fn swagger_2(description: &str) -> String {
    swagger_2_at("", description)
}

/// `host` is the whole member and a comma, or empty.
fn swagger_2_at(host: &str, description: &str) -> String {
    format!(
        r#"{{
    "swagger": "2.0",
    "info": {{ "title": "by hand", "version": "1.0", "description": "{description}" }},
    {host}"basePath": "/v2",
    "schemes": [ "https" ],
    "paths": {{
        "/app": {{ "get": {{ "responses": {{ "200": {{ "description": "Hello" }} }} }} }}
    }}
}}
"#
    )
}

/// A document with fields that only this version has.
fn openapi_3_2() -> String {
    let operation = r#"{ "responses": { "200": { "description": "Hello" } }, "servers": [ { "url": "/files" } ] }"#;
    format!(
        r#"{{
    "openapi": "3.2.0",
    "info": {{ "title": "by hand", "version": "1.0" }},
    "servers": [ {{ "url": "/", "name": "own" }} ],
    "paths": {{
        "/app": {{ "query": {operation}, "additionalOperations": {{ "COPY": {operation} }} }}
    }}
}}
"#
    )
}

/// The document that a client receives, with the root path `/api/v1`.
async fn served(document: String) -> String {
    let app = Router::new()
        .route(
            "/openapi.json",
            get(|| async { ([(CONTENT_TYPE, "application/json")], document) }),
        )
        .layer(OpenApiLayer::new("/openapi.json"))
        .layer(RootPathLayer::new("/api/v1"));
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let body = app.oneshot(request).await.unwrap().into_body();
    let bytes = body::to_bytes(body, 2 * LARGE).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The schema of a version, from the Python package `openapi-spec-validator`.
fn schema(version: &str) -> Validator {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/lib");
    let python = fs::read_dir(&packages)
        .unwrap_or_else(|error| panic!("{packages:?}: {error}; run interop/install-tools.sh"))
        .next()
        .unwrap()
        .unwrap();
    let schemas = "site-packages/openapi_spec_validator/resources/schemas";
    let schema = python
        .path()
        .join(schemas)
        .join(version)
        .join("schema.json");
    let text = fs::read_to_string(&schema)
        .unwrap_or_else(|error| panic!("{schema:?}: {error}; run interop/install-tools.sh"));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[tokio::test]
#[ignore = "needs openapi-spec-validator"]
async fn edited_documents_are_valid() {
    let long = "x".repeat(LARGE);
    let root_path_alone = json!([{ "url": "/api/v1" }]);
    let own = json!([{ "url": "/api/v1", "name": "own" }]);
    let poem_servers = json!([{ "url": "/api/v1" }, { "url": "https://prod.example.com" }]);
    for (name, version, document, key, expected) in [
        (
            "utoipa",
            "v3.1",
            utoipa_document(1),
            "servers",
            &root_path_alone,
        ),
        (
            "large utoipa",
            "v3.1",
            utoipa_document(60_000),
            "servers",
            &root_path_alone,
        ),
        (
            "aide",
            "v3.1",
            aide_document(1),
            "servers",
            &root_path_alone,
        ),
        (
            "large aide",
            "v3.1",
            aide_document(120_000),
            "servers",
            &root_path_alone,
        ),
        ("poem", "v3.0", poem_document("x"), "servers", &poem_servers),
        (
            "large poem",
            "v3.0",
            poem_document(&long),
            "servers",
            &poem_servers,
        ),
        ("3.2", "v3.2", openapi_3_2(), "servers", &own),
        (
            "by hand",
            "v2.0",
            swagger_2("x"),
            "basePath",
            &json!("/api/v1/v2"),
        ),
        (
            "large by hand",
            "v2.0",
            swagger_2(&long),
            "basePath",
            &json!("/api/v1/v2"),
        ),
        (
            "by hand, with a host",
            "v2.0",
            swagger_2_at(r#""host": "api.example.com", "#, "x"),
            "basePath",
            &json!("/v2"),
        ),
    ] {
        let is_large = name.starts_with("large");
        assert_eq!(
            document.len() > LARGE,
            is_large,
            "{name}: {}",
            document.len()
        );
        let schema = schema(version);
        let served = served(document.clone()).await;
        for document in [&document, &served] {
            let document = serde_json::from_str(document).unwrap();
            if let Err(error) = schema.validate(&document) {
                panic!("{name}: {error}");
            }
        }
        let served: Value = serde_json::from_str(&served).unwrap();
        assert_eq!(&served[key], expected, "{name}");
        let files = served.to_string().matches(r#""/api/v1/files""#).count();
        let paths = served["paths"].as_object().unwrap().len();
        let files_per_path = match name.trim_start_matches("large ") {
            "utoipa" | "aide" => 1,
            "3.2" => 2,
            _ => 0,
        };
        assert_eq!(files, files_per_path * paths, "{name}");
    }
}

#[test]
#[ignore = "needs openapi-spec-validator"]
fn the_documents_of_the_examples_are_valid() {
    for (name, prefix) in [
        ("aide", "/a"),
        ("utoipa", "/a"),
        ("utoipa", ""),
        ("whoami", ""),
    ] {
        let app = Example::start(name, &[]);
        let line = format!("x-forwarded-prefix: {prefix}");
        let response = get_with(&app.url("/openapi.json"), &[&line]);
        let document: Value = serde_json::from_str(response.body()).unwrap();
        if let Err(error) = schema("v3.1").validate(&document) {
            panic!("{name}: {error}");
        }
        let described = &document["paths"]["/app"]["get"]["responses"]["200"]["description"];
        assert!(
            described.as_str().is_some_and(|text| !text.is_empty()),
            "{name}: {document}"
        );
    }
}

#[tokio::test]
#[ignore = "needs openapi-spec-validator"]
async fn the_schemas_reject_invalid_documents() {
    for (version, invalid) in [
        ("v2.0", json!({ "swagger": "2.0", "info": {}, "paths": {} })),
        (
            "v3.0",
            json!({ "openapi": "3.0.0", "paths": {}, "info": { "title": "", "version": "" }, "servers": [{}] }),
        ),
        (
            "v3.1",
            json!({ "openapi": "3.1.0", "paths": {}, "info": { "title": "", "version": "" }, "servers": [{}] }),
        ),
    ] {
        assert!(!schema(version).is_valid(&invalid), "{version}");
    }
}

#[tokio::test]
async fn other_content_of_five_bytes_stays() {
    for document in [
        "{}   ",
        "[{}]\n",
        "\"abc\"",
        "12345",
        "{\"a\":",
        "\u{feff}{}",
    ] {
        assert_eq!(document.len(), 5);
        assert_eq!(served(document.to_owned()).await, document);
    }
}
