//! `Servers`, which lists what FastAPI lists, and `Server`.

mod support;

use serde_json::{json, Value};
use support::vectors;
use tower_root_path::{RootPath, Server, ServerVariable, Servers};

fn server(server: &Value) -> Server {
    let url = server["url"].as_str().unwrap();
    match server["description"].as_str() {
        Some(description) => Server::new(url).description(description),
        None => Server::new(url),
    }
}

#[test]
fn every_vector_holds() {
    for case in vectors("openapi_servers") {
        let id = &case["id"];
        let servers = case["own_servers"].as_array().unwrap().iter().map(server);
        let servers = match case["root_path_in_servers"].as_bool() {
            Some(true) => Servers::new(servers),
            Some(false) => Servers::new(servers).without_root_path(),
            None => panic!("{id}"),
        };
        let root_path: RootPath = case["configured"].as_str().unwrap().parse().unwrap();
        assert_eq!(json!(servers.list(&root_path)), case["servers"], "{id}");
        // Checks the vectors: whether FastAPI lists the same.
        assert_eq!(
            case["same_as_fastapi"],
            case["servers"] == case["fastapi_servers"],
            "{id}"
        );
    }
}

#[test]
fn own_paths_are_prefixed_like_a_location() {
    for (own, expected) in [
        ("/", &["/api/v1"][..]),
        ("/v2", &["/api/v1", "/api/v1/v2"]),
        ("/v2/", &["/api/v1", "/api/v1/v2/"]),
        ("/{tenant}", &["/api/v1", "/api/v1/{tenant}"]),
        ("/api/v1", &["/api/v1"]),
        ("/api/v1/", &["/api/v1/"]),
        ("/api/v1//", &["/api/v1", "/api/v1//"]),
        ("/api/v1/x", &["/api/v1", "/api/v1/x"]),
        ("/api/v10", &["/api/v1", "/api/v1/api/v10"]),
        (".", &["/api/v1", "."]),
        ("{scheme}://x/api/v1", &["/api/v1", "{scheme}://x/api/v1"]),
    ] {
        let list = Servers::new([Server::new(own)]).list(&RootPath::from_static("/api/v1"));
        let urls = list.iter().map(Server::url).collect::<Vec<_>>();
        assert_eq!(urls, expected, "{own}");
        let list = Servers::new([Server::new(own)]).list(&RootPath::EMPTY);
        assert_eq!(list[0].url(), own, "without a root path: {own}");
    }
}

#[test]
fn a_list_does_not_depend_on_earlier_root_paths() {
    let servers: Servers = ["/v2"].map(Server::new).into_iter().collect();
    for root_path in ["/a", "/b", "", "/a"] {
        let root_path: RootPath = root_path.parse().unwrap();
        let list = servers.list(&root_path);
        let last = list.last().unwrap();
        assert_eq!(last.url(), format!("{root_path}/v2"));
        assert_eq!(list.len(), if root_path.is_empty() { 1 } else { 2 });
    }
}

#[test]
fn network_path_references_are_refused() {
    for url in [
        "//x.example",
        "/\\x.example",
        "\\\\x",
        " //x",
        "/\t/x",
        "\n/\r/x",
    ] {
        let error = url.parse::<Server>().unwrap_err();
        assert!(error.to_string().contains(&format!("{url:?}")), "{error}");
    }
}

#[test]
fn serialises_as_a_server_object() {
    let server = Server::new("https://{region}.example.com")
        .name("production")
        .description("All of it")
        .variable(
            "region",
            ServerVariable::new("eu")
                .allowed(["eu", "us"])
                .description("Where"),
        )
        .variable("zone", ServerVariable::new("old"))
        .variable("zone", ServerVariable::new("a"))
        .extension("x-internal", json!({ "since": 1 }));
    assert_eq!(
        serde_json::to_string(&server).unwrap(),
        r#"{"url":"https://{region}.example.com","name":"production","description":"All of it","variables":{"region":{"enum":["eu","us"],"default":"eu","description":"Where"},"zone":{"default":"a"}},"x-internal":{"since":1}}"#
    );
}

#[test]
#[should_panic = "invalid extension field \"internal\": must begin with \"x-\""]
fn an_extension_without_the_x_prefix_panics() {
    drop(Server::new("/").extension("internal", true));
}
