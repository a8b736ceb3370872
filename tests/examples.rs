//! Runs the examples as a user does.

mod support;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use serde_json::{json, Value};
use std::{process::Command, thread};
use support::process::{example, get_raw, get_with, Example, Program};

fn get(url: &str) -> Response<String> {
    get_with(url, &[])
}

#[track_caller]
fn json(response: &Response<String>) -> Value {
    let body = response.body();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[track_caller]
fn get_json(url: &str) -> Value {
    json(&get(url))
}

#[test]
fn behind_a_proxy_is_fastapis_page() {
    let mut command = Command::new(example("behind_a_proxy"));
    command.args(["--app", "127.0.0.1:0", "--proxy", "127.0.0.1:0"]);
    let (_example, lines) = Program::start_and_read::<17>(&mut command);

    let urls = lines.iter().filter_map(|line| {
        let url = &line[line.find("http://")?..];
        url.split_whitespace().next()
    });
    let urls = urls.collect::<Vec<_>>();
    let (urls, curls) = urls.split_at(7);
    assert_eq!(urls, curls, "{lines:#?}");
    let [docs, app, home, document, outside, own_docs, own_app] = urls[..] else {
        panic!("{lines:#?}");
    };
    for url in [app, own_app] {
        let hello = json!({ "message": "Hello World", "root_path": "/api/v1" });
        assert_eq!(get_json(url), hello, "{url}");
    }
    assert_eq!(
        get_json(document)["servers"][0],
        json!({ "url": "/api/v1" })
    );
    assert_eq!(get_json(document)["servers"].as_array().unwrap().len(), 3);
    assert_eq!(get(home).headers()["location"], "/api/v1/docs");
    assert_eq!(get(outside).status(), 404);
    for docs in [docs, own_docs] {
        assert!(get(docs).body().contains("docs/swagger-ui-bundle.js"));
        assert_eq!(get(&format!("{docs}/swagger-ui-bundle.js")).status(), 200);
    }
}

#[test]
fn whoami_emits_what_it_is_asked_to() {
    let whoami = Example::whoami(&["--root-path", "/api/v1"]);
    for (path, status, location) in [
        ("/redirect?to=/login", 302, "/api/v1/login"),
        (
            "/redirect?to=%2Flogin%3Fa%3Db%26c&status=307",
            307,
            "/api/v1/login?a=b&c",
        ),
        (
            "/redirect?status=201&to=https://other.example",
            201,
            "https://other.example",
        ),
        ("/redirect?to=", 302, ""),
        ("/emit?location=/a", 200, "/api/v1/a"),
        ("/files/dir", 307, "/api/v1/files/dir/"),
        ("/docs/", 308, "/api/v1/docs"),
        ("/sub/docs/", 308, "/api/v1/sub/docs"),
        ("/sub/redirect?to=/app", 302, "/api/v1/sub/app"),
        ("/t/acme/redirect?to=/app", 302, "/api/v1/t/acme/app"),
        ("/some/where?echo", 308, "/api/v1/some/where"),
        ("/some/where?a=b&echo=", 308, "/api/v1/some/where"),
    ] {
        let response = get(&whoami.url(path));
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["location"], location, "{path}");
    }
    let raw = get_raw(whoami.addr(), "//evil.example/?echo").unwrap();
    assert!(raw.contains("location: /api/v1/evil.example/\r\n"), "{raw}");

    let emitted = get(&whoami.url("/emit?x-a=1&x-b=%c3%a9&x-a=a+b"));
    let lines = emitted.headers().get_all("x-a").iter().collect::<Vec<_>>();
    assert_eq!(lines, ["1", "a b"]);
    assert_eq!(emitted.headers()["x-b"].as_bytes(), "é".as_bytes());
    assert_eq!(get(&whoami.url("/redirect?to=%0a")).status(), 400);
    assert_eq!(get(&whoami.url("/redirect?to=/&status=9")).status(), 400);
    assert_eq!(get(&whoami.url("/emit?a%20b=c")).status(), 400);
}

#[test]
fn a_browser_gets_a_page_at_directories_of_whoami() {
    let whoami = Example::whoami(&["--root-path", "/api/v1"]);
    let navigation = "Accept: text/html,*/*;q=0.8";
    for (path, line, content_type) in [
        ("/", navigation, "text/html; charset=utf-8"),
        ("/api/v1", navigation, "text/html; charset=utf-8"),
        ("/sub/", navigation, "text/html; charset=utf-8"),
        ("/", "Accept: */*", "application/json"),
        ("/x", navigation, "application/json"),
    ] {
        let response = get_with(&whoami.url(path), &[line]);
        assert_eq!(response.headers()["content-type"], content_type, "{path}");
    }
    // What a client sends stays text in the page.
    let lines = [navigation, "X: </script><script>alert(1)"];
    let page = get_with(&whoami.url("/"), &lines).into_body();
    assert!(
        page.contains(r"\u003c/script>\u003cscript>alert(1)"),
        "{page}"
    );
}

#[test]
fn the_pages_of_whoami_work_at_any_depth_and_root_path() {
    for (flags, mounts) in [
        ("", &["", "/sub", "/t/acme"][..]),
        ("--root-path /api/v1 --strip if-present", &["", "/sub"]),
        (
            "--root-path /api/v1 --strip if-present",
            &["/api/v1", "/api/v1/t/a%20b"],
        ),
    ] {
        let flags: Vec<_> = flags.split_whitespace().collect();
        let whoami = Example::whoami(&flags);
        for mount in mounts {
            let public = match flags.is_empty() || mount.starts_with("/api") {
                true => (*mount).to_owned(),
                false => format!("/api/v1{mount}"),
            };
            for page in ["/page", "/page/deep/er"] {
                let response = get(&whoami.url(&format!("{mount}{page}")));
                let base = format!("<head><base href=\"{public}/\">");
                assert!(response.body().contains(&base), "{response:?}");
            }
            for (asset, content_type) in [("app.css", "text/css"), ("app.js", "text/javascript")] {
                let response = get(&whoami.url(&format!("{mount}/{asset}")));
                assert_eq!(response.headers()["content-type"], content_type);
            }
        }
    }
}

#[test]
fn whoami_shows_what_arrived() {
    let whoami = Example::whoami(&["--root-path", "/api/v1", "--strip", "if-present"]);
    let hello = |root_path| json!({ "message": "Hello World", "root_path": root_path });
    for (path, root_path) in [
        ("/app", "/api/v1"),
        ("/api/v1/app", "/api/v1"),
        ("/sub/app", "/api/v1/sub"),
        ("/t/acme/app", "/api/v1/t/acme"),
    ] {
        assert_eq!(get_json(&whoami.url(path)), hello(root_path), "{path}");
        let document = get_json(&whoami.url(&path.replace("/app", "/openapi.json")));
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"], json!([{ "url": root_path }]), "{path}");
        let asset = get(&whoami.url(&path.replace("/app", "/docs/swagger-ui.css")));
        assert_eq!(asset.status(), 200, "{path}");
    }
    let shown = get_json(&whoami.url("/api/v1/any/thing?x=1"));
    for (key, expected) in [
        ("root_path", json!("/api/v1")),
        ("path", json!("/any/thing")),
        ("query", json!("x=1")),
        ("uri", json!("/api/v1/any/thing?x=1")),
        ("method", json!("GET")),
        ("version", json!("HTTP/1.1")),
        ("forwarded", json!("off")),
    ] {
        assert_eq!(shown[key], expected, "{key}");
    }
    let host = json!(["host", whoami.addr().to_string()]);
    assert!(shown["headers"].as_array().unwrap().contains(&host));
}

#[test]
fn whoami_follows_its_flags() {
    let whoami = |flags: &str| {
        let flags = flags.split_whitespace().collect::<Vec<_>>();
        Example::whoami(&flags)
    };
    let location = |whoami: &Example, to: &str| {
        let response = get(&whoami.url(&format!("/redirect?to={to}")));
        response.headers()["location"].to_str().unwrap().to_owned()
    };
    let off = whoami("--root-path /api/v1 --rewrite none --strip never");
    assert_eq!(location(&off, "/login"), "/login");
    assert_eq!(get_json(&off.url("/api/v1/x"))["path"], "/api/v1/x");

    let origin = whoami("--root-path /api/v1 --rewrite all --origin http://127.0.0.1:3000");
    assert_eq!(
        location(&origin, "http://127.0.0.1:3000/login"),
        "/api/v1/login"
    );

    let servers = whoami("--root-path /a --server https://x.example --no-root-path-in-servers");
    let document = get_json(&servers.url("/openapi.json"));
    assert_eq!(document["servers"], json!([{ "url": "https://x.example" }]));
    let none = whoami("--root-path /a --no-root-path-in-servers");
    assert_eq!(get_json(&none.url("/openapi.json")).get("servers"), None);

    let forwarded = |whoami: &Example, line: &str| {
        let response = get_with(&whoami.url("/users"), &[line]);
        let varies = response.headers().contains_key("vary");
        let shown = json(&response);
        let [root_path, forwarded] = ["root_path", "forwarded"].map(|key| shown[key].clone());
        (root_path, forwarded, varies)
    };
    let script = whoami("--trust all --prefix-header x-script-name --hops 2 --no-vary");
    let expected = (json!("/a/b"), json!("used"), false);
    assert_eq!(forwarded(&script, "x-script-name: /x, /a, /b"), expected);
    let envoy = whoami("--trust 127.0.0.1 --original-path-header x-envoy-original-path");
    let expected = (json!("/api"), json!("used"), true);
    let line = "x-envoy-original-path: /api/users";
    assert_eq!(forwarded(&envoy, line), expected);
    let expected = (json!(""), json!("absent"), true);
    assert_eq!(forwarded(&envoy, "x-forwarded-prefix: /api"), expected);
}

/// FastAPI kept the root path of the first request for all later ones, up to version 0.132.0.
#[test]
fn concurrent_requests_each_get_the_servers_of_their_own_root_path() {
    const ROWS: [(&str, &str, &[&str]); 5] = [
        ("/a", "", &["/a", "/a/v2", "/a/b/"]),
        ("/b", "", &["/b/v2", "/b/"]),
        ("/a/b", "", &["/a/b", "/a/b/v2", "/a/b/b/"]),
        ("/", "", &["/v2", "/b/"]),
        ("/b", "/sub", &["/b/sub", "/b/sub/v2", "/b/sub/b/"]),
    ];
    let flags = ["--trust", "127.0.0.1", "--server", "/v2", "--server", "/b/"];
    let whoami = &Example::whoami(&flags);
    thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for (prefix, mount, urls) in ROWS.iter().cycle().skip(thread).take(500) {
                    let url = whoami.url(&format!("{mount}/openapi.json"));
                    let prefix = format!("x-forwarded-prefix: {prefix}");
                    let servers = &json(&get_with(&url, &[&prefix]))["servers"];
                    let expected = urls.iter().map(|url| json!({ "url": url }));
                    assert_eq!(*servers, expected.collect::<Value>(), "{prefix}: {mount}");
                }
            });
        }
    });
}

#[test]
fn a_bad_flag_is_an_error_of_one_line() {
    let taken = Example::whoami(&[]);
    let taken = taken.addr().to_string();
    for (name, flags, status, reason) in [
        ("whoami", "--root-path api", 2, "--root-path"),
        ("whoami", "--trust x", 2, "--trust"),
        ("whoami", "--prefix-header a(b", 2, "--prefix-header"),
        (
            "whoami",
            "--original-path-header a(b",
            2,
            "--original-path-header",
        ),
        ("whoami", "--hops 0", 2, "--hops"),
        ("whoami", "--hops x", 2, "--hops"),
        ("whoami", "--hops -1", 2, "--hops"),
        ("whoami", "--root-path -x", 2, "--root-path"),
        ("whoami", "--root-path \n\nx", 2, "--root-path"),
        ("whoami", "--strip maybe", 2, "--strip"),
        ("whoami", "--rewrite some", 2, "--rewrite"),
        ("whoami", "--own-origin example.com", 2, "--own-origin"),
        ("whoami", "--origin example.com", 2, "--own-origin"),
        ("whoami", "--server //example.com", 2, "--server"),
        ("whoami", "--listen x", 2, "--listen"),
        ("whoami", "--nonsense", 2, "--nonsense"),
        ("whoami", &format!("--listen {taken}"), 1, "--listen"),
        ("gateway", "--route /api", 2, "--route"),
        ("gateway", "--route api=http://h", 2, "--route"),
        ("gateway", "--route /api=http://h:99999", 2, "--route"),
        ("gateway", "--route /api=http://u:p@h", 2, "--route"),
        (
            "gateway",
            "--listen 127.0.0.1:0 --route /a=http://h --route /a/=http://i",
            2,
            "--route",
        ),
        ("gateway", "--route /api=ftp://h", 2, "--route"),
        ("oauth", "--provider x", 2, "--provider"),
        (
            "oauth",
            "--public-origin localhost:9999",
            2,
            "--public-origin",
        ),
        ("behind_a_proxy", "--app x", 2, "--app"),
        ("behind_a_proxy", &format!("--app {taken}"), 1, "--app"),
        (
            "behind_a_proxy",
            &format!("--app 127.0.0.1:0 --proxy {taken}"),
            1,
            "--proxy",
        ),
    ] {
        let output = Command::new(example(name))
            .args(flags.split(' '))
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{name} {flags}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(reason), "{error}");
        assert!(output.stdout.is_empty(), "{name} {flags}");
    }
}

#[test]
fn tonic_calls_itself_without_the_prefix_that_a_proxy_strips_and_sends() {
    for flag in ["--prefix-header", "--original-path-header"] {
        let mut command = Command::new(example("tonic"));
        command.args(["--listen", "127.0.0.1:0", flag, "x-name"]);
        let (_example, [_, answer, curl]) = Program::start_and_read::<3>(&mut command);
        let expected = "/grpc.health.v1.Health/Check: HealthCheckResponse { status: Serving }";
        assert_eq!(answer, expected);
        assert!(!curl.contains("/grpc/"), "{curl}");
    }
}

#[test]
fn spa_serves_its_page_for_routes_and_not_for_assets() {
    let app = Example::start("spa", &["--trust", "127.0.0.1"]);
    let prefix = "x-forwarded-prefix: /app";
    let html = "accept: text/html,*/*;q=0.8";
    for (path, base) in [
        ("/", "/app/"),
        ("/notes/1", "/app/"),
        ("/login", "/app/"),
        ("/tools/app/", "/app/tools/app/"),
        ("/tools/app/notes/1", "/app/tools/app/"),
    ] {
        let page = get_with(&app.url(path), &[prefix, html]);
        let base = format!("<base href=\"{base}\">");
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.body().matches("<base ").count(), 1, "{path}");
        assert!(page.body().contains(&base), "{path}: {}", page.body());
    }
    for (path, accept) in [
        ("/assets/missing.js", "accept: */*"),
        ("/assets/missing.css", "accept: text/css,*/*;q=0.1"),
        ("/notes/1", "accept: application/json"),
        ("/api/missing", html),
    ] {
        let missing = get_with(&app.url(path), &[prefix, accept]);
        assert_eq!(missing.status(), 404, "{path} {accept}");
        assert_eq!(missing.body(), "", "{path} {accept}");
    }
    for (path, location) in [
        ("/account", "/app/login"),
        ("/tools/app/account", "/app/tools/app/login"),
    ] {
        let redirect = get_with(&app.url(path), &[prefix, html]);
        assert_eq!(redirect.headers()["location"], location, "{path}");
    }
}

#[tokio::test]
async fn tonic_calls_itself_under_the_prefix() {
    let mut command = Command::new(example("tonic"));
    command.args(["--listen", "127.0.0.1:0"]);
    let (_example, [_, answer, curls @ ..]) = Program::start_and_read::<4>(&mut command);
    assert_eq!(
        answer,
        "/grpc/grpc.health.v1.Health/Check: HealthCheckResponse { status: Serving }"
    );
    // The printed commands send an empty message to both paths.
    for (curl, prefix) in curls.iter().zip(["/grpc", ""]) {
        let url = curl.split(' ').find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("{curl}"));
        assert!(
            url.ends_with(&format!("{prefix}/grpc.health.v1.Health/Check")),
            "{curl}"
        );
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let request = Request::post(url)
            .header("content-type", "application/grpc")
            .body(Full::<Bytes>::from(vec![0; 5]));
        let response = client.request(request.unwrap()).await.unwrap();
        let answer = response.into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0", "{curl}");
        assert!(answer.to_bytes().ends_with(&[8, 1]), "{curl}");
    }
}
