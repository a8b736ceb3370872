//! Compares the `servers` of the example `whoami` with those of FastAPI.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test fastapi -- --ignored
//! ```

mod support;

use reqwest::{
    blocking::{Client, RequestBuilder},
    IntoUrl,
};
use serde_json::{json, Value};
use std::{net::SocketAddr, process::Command, sync::LazyLock};
use support::{
    process::{example, root, Example},
    server::{free_addr, Files, Server},
};

const PREFIX: &str = "x-forwarded-prefix";

/// URLs from which all lists of one are made, and all of two for one root path.
const OWN: &str = "/ /v2 /api/v1 /api/v1/ /api/v10 /a /sub ./ x {scheme}://x/api \
     https://stag.example.com https://public.example/api/v1";

/// URLs for lists of one.
const ALONE: &str = "?q ../x /../x /v2/ /api/v1/x /api/v1?x /API/v1 /%61pi/v1 /{tenant} /caf\u{e9}";

/// Further lists. The first is empty, and the second contains the empty URL.
const LISTS: [&str; 6] = [
    "",
    " ",
    "https://stag.example.com https://prod.example.com /api/v1",
    "/a/ https://stag.example.com https://prod.example.com",
    "https://stag.example.com / https://prod.example.com /",
    OWN,
];

/// Lists in which `ROOT` stands for the root path.
const AROUND: [&str; 12] = [
    "ROOT",
    "ROOT/",
    "ROOT/sub",
    "ROOT/sub/",
    "ROOTx",
    "/xROOT",
    "ROOT ROOT/",
    "ROOT/ ROOT/",
    "https://stag.example.com ROOT",
    "https://stag.example.com ROOT/",
    "ROOT/ https://stag.example.com",
    "https://exampleROOT/ ROOT/v2 ROOT /v2",
];

#[test]
#[ignore = "needs FastAPI"]
fn every_list_is_fastapis_apart_from_the_intended_differences() {
    let long = "/segment".repeat(127); // 1020 bytes with the mount; the limit is 1024.
    let root_paths = ["", "/", "/a", "/api/v1", "/api/v1/", "/a-b_c.d~e"];
    let fastapis = root_paths.into_iter().chain(["/caf%C3%A9%20", &long]);
    let fastapis: Vec<_> = fastapis.map(FastApi::start).collect();

    // The root path is forwarded, and the request is stripped.
    let compare_forwarded = |urls: &str, fastapis: &[FastApi]| {
        for own in Own::both(urls) {
            let app = own.whoami(&["--trust", "127.0.0.1"]);
            for fastapi in fastapis {
                own.compare(fastapi, |path| {
                    get(app.url(path)).header(PREFIX, &fastapi.root_path)
                });
            }
        }
    };
    let one = [OWN, ALONE].into_iter().flat_map(|urls| urls.split(' '));
    for urls in LISTS.into_iter().chain(one) {
        compare_forwarded(urls, &fastapis);
    }
    let api_v1 = [FastApi::start("/api/v1")];
    for first in OWN.split(' ') {
        for second in OWN.split(' ') {
            compare_forwarded(&format!("{first} {second}"), &api_v1);
        }
    }

    // The root path is configured, and the request is not stripped.
    for fastapi in &fastapis {
        let root_path = fastapi.root_path.trim_end_matches('/');
        let lists = AROUND.map(|urls| urls.replace("ROOT", root_path));
        for own in lists.iter().flat_map(|urls| Own::both(urls)) {
            let strip = ["--strip", "if-present"];
            let app = own.whoami(&[&["--root-path", &*fastapi.root_path][..], &strip].concat());
            own.compare(fastapi, |path| get(app.url(root_path) + path));
        }
    }
}

#[test]
#[ignore = "needs FastAPI"]
fn a_server_on_another_host_without_a_scheme_is_refused() {
    let fastapi = FastApi::start("/api/v1");
    for url in ["//x.example", "/\\x.example", "/\t/x.example"] {
        let [own, _] = Own::both(url);
        let theirs = fastapi.servers(&own, "/openapi.json");
        assert_eq!(theirs, Some(json!([{ "url": "/api/v1" }, { "url": url }])));

        // The address is in use, so that whoami ends in any case.
        let mut whoami = Command::new(example("whoami"));
        whoami.args(["--listen", &fastapi.addr.to_string(), "--server", url]);
        let output = whoami.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{url:?}: {error}");
        assert!(error.contains("--server"), "{url:?}: {error}");
    }
}

/// The developer's own servers, the same for both.
#[derive(Debug)]
struct Own {
    urls: Vec<String>,
    root_path_in_servers: bool,
}

impl Own {
    fn both(urls: &str) -> [Self; 2] {
        [true, false].map(|root_path_in_servers| Self {
            urls: urls.split_terminator(' ').map(str::to_owned).collect(),
            root_path_in_servers,
        })
    }

    fn whoami(&self, flags: &[&str]) -> Example {
        let mut flags = flags.to_vec();
        flags.extend(self.urls.iter().flat_map(|url| ["--server", url]));
        flags.extend((!self.root_path_in_servers).then_some("--no-root-path-in-servers"));
        Example::whoami(&flags)
    }

    fn compare(&self, fastapi: &FastApi, ours: impl Fn(&str) -> RequestBuilder) {
        for mount in ["", "/sub"] {
            let path = format!("{mount}/openapi.json");
            let theirs = fastapi.servers(self, &path);
            let root_path = fastapi.root_path.trim_end_matches('/').to_owned() + mount;
            let ours = servers(ours(&path));
            let expected = self.expected(theirs.clone(), &root_path);
            assert_eq!(ours, expected, "{root_path:?}, {self:?}: not {theirs:?}");
        }
    }

    /// `theirs` with the intended differences: the root path has no trailing slash (FastAPI keeps
    /// it before a mount, and `//sub` is a network-path reference); the developer's paths are
    /// prefixed with the root path; the root path is left out if it then equals one of them, apart
    /// from a trailing slash.
    fn expected(&self, theirs: Option<Value>, root_path: &str) -> Option<Value> {
        let mut list = theirs?.as_array().unwrap().clone();
        let own = list.len() - self.urls.len();
        for server in &mut list[..own] {
            server["url"] = url(server).replace("//", "/").into();
        }
        for server in &mut list[own..] {
            server["url"] = prefixed(url(server), root_path).into();
        }
        let is_root = |server| url(server).strip_suffix('/').unwrap_or(url(server)) == root_path;
        if list[own..].iter().any(is_root) {
            list.drain(..own);
        }
        Some(list.into())
    }
}

fn prefixed(url: &str, root_path: &str) -> String {
    let rest = url.strip_prefix(root_path);
    match rest.map(|rest| rest.chars().next()) {
        _ if url == "/" && !root_path.is_empty() => root_path.to_owned(),
        None if url.starts_with('/') => format!("{root_path}{url}"),
        Some(Some(next)) if !"/?#".contains(next) => format!("{root_path}{url}"),
        _ => url.to_owned(),
    }
}

fn url(server: &Value) -> &str {
    server["url"].as_str().unwrap()
}

/// The `servers` of a document; `None` if it has no such key.
fn servers(request: RequestBuilder) -> Option<Value> {
    let response = request.send().unwrap();
    assert_eq!(response.status(), 200, "{}", response.url());
    let document: Value = response.json().unwrap();
    document.get("servers").cloned()
}

fn get(url: impl IntoUrl) -> RequestBuilder {
    // No connection is kept, because another `whoami` may listen on the same port later.
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
        client.build().unwrap()
    });
    CLIENT.get(url)
}

/// A running `fastapi/servers.py` with a root path.
struct FastApi {
    root_path: String,
    addr: SocketAddr,
    _server: Server,
    _files: Files,
}

impl FastApi {
    fn start(root_path: &str) -> Self {
        let addr = free_addr();
        let mut command = Command::new(root().join("target/tools/bin/python"));
        // `-B`: write no bytecode files next to the tests.
        command.args(["-B", "-m", "uvicorn", "--app-dir", "tests/fastapi"]);
        command.args(["--lifespan", "off", "--root-path", root_path]);
        command.args(["--port", &addr.port().to_string(), "servers:app"]);
        let files = Files::new(&[]);
        Self {
            root_path: root_path.to_owned(),
            addr,
            _server: Server::start(addr, &mut command, files.path().join("log")),
            _files: files,
        }
    }

    fn servers(&self, own: &Own, path: &str) -> Option<Value> {
        let urls = own.urls.iter().map(|url| json!({ "url": url }));
        let arguments = json!({
            "servers": urls.collect::<Value>(),
            "root_path_in_servers": own.root_path_in_servers,
        });
        let request = get(format!("http://{}{path}", self.addr));
        servers(request.header("fastapi", arguments.to_string().into_bytes()))
    }
}
