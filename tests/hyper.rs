//! The example `hyper`: hyper-util's server, and no framework.

mod support;

use bytes::Bytes;
use http::{header::LOCATION, Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::process::Command;
use support::process::{example, get_raw, Example, Program};

/// The response over HTTP/1.1 or HTTP/2.
async fn get(version: Version, url: &str, prefix: Option<&str>) -> Response<Bytes> {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build_http::<Empty<Bytes>>();
    let mut request = Request::get(url).version(version);
    if let Some(prefix) = prefix {
        request = request.header("x-forwarded-prefix", prefix);
    }
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    let (parts, body) = response.unwrap().into_parts();
    assert_eq!(parts.version, version, "{url}");
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn both_versions_of_http_are_served_under_the_prefix() {
    let example = Example::start("hyper", &[]);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (path, forwarded, body, location) in [
            ("/app", None, "Hello World at \"/api/v1\"\n", None),
            ("/api/v1/app", None, "Hello World at \"/api/v1\"\n", None),
            ("/app", Some("/v2"), "Hello World at \"/v2\"\n", None),
            ("/v2/app", Some("/v2"), "Hello World at \"/v2\"\n", None),
            ("/app", Some("//evil"), "Hello World at \"/api/v1\"\n", None),
            ("/", None, "", Some("/api/v1/app")),
            ("/api/v1", None, "", Some("/api/v1/app")),
            ("/", Some("/v2"), "", Some("/v2/app")),
            ("/api/v10", None, "/api/v10 not found\n", None),
        ] {
            let case = format!("{version:?} {path} {forwarded:?}");
            let response = get(version, &example.url(path), forwarded).await;
            assert_eq!(response.body(), body, "{case}");
            let got = response.headers().get(LOCATION);
            let got = got.map(|value| value.to_str().unwrap());
            assert_eq!(got, location, "{case}");
            assert_eq!(response.headers()["vary"], "x-forwarded-prefix", "{case}");
        }
    }
}

#[tokio::test]
async fn the_printed_commands_work() {
    let mut command = Command::new(example("hyper"));
    command.args(["--listen", "127.0.0.1:0"]);
    let (_example, [_, curls @ ..]) = Program::start_and_read::<5>(&mut command);
    let mut answers = Vec::new();
    for curl in &curls {
        let url = curl.split(' ').next_back().unwrap();
        let over_http_2 = curl.contains(" --http2-prior-knowledge ");
        let version = if over_http_2 {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        let forwarded = curl.split("'x-forwarded-prefix: ").nth(1);
        let forwarded = forwarded.and_then(|rest| rest.split('\'').next());
        assert!(curl.starts_with("curl -i "), "{curl}");
        let response = get(version, url, forwarded).await;
        let location = response.headers().get(LOCATION);
        answers.push(location.map_or_else(
            || String::from_utf8_lossy(response.body()).into_owned(),
            |location| location.to_str().unwrap().to_owned(),
        ));
    }
    let hello = "Hello World at \"/api/v1\"\n";
    assert_eq!(answers, [hello, hello, "/api/v1/app", "/api/v2/app"]);
}

#[test]
fn unusual_request_targets_pass() {
    let example = Example::start("hyper", &[]);
    for (target, body) in [
        ("*".to_owned(), "* not found\n"),
        (example.url("/api/v1/app"), "Hello World at \"/api/v1\"\n"),
        ("/api/v1/../x".to_owned(), "/../x not found\n"),
        ("/api/v1//x".to_owned(), "//x not found\n"),
    ] {
        let response = get_raw(example.addr(), &target).unwrap();
        assert!(response.ends_with(body), "{target}: {response}");
    }
}
