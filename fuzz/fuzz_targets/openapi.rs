//! OpenAPI documents, compared with a model that edits the parsed JSON.
#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use fuzz::{get, without_strings};
use serde_json::{json, Value};
use tower_root_path::{OpenApiLayer, RootPath, RootPathLayer};

const METHODS: &str = " get put post delete options head patch trace query ";

fuzz::target!(check);

fn check([root_path, frame_len, document]: [&[u8]; 3]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let frame_len = std::str::from_utf8(frame_len)
        .ok()?
        .parse()
        .ok()
        .filter(|len| *len > 0)?;

    let edited = edit(&root_path, document, document.len() + 1);
    assert_eq!(
        edit(&root_path, document, frame_len),
        edited,
        "the frames have no meaning"
    );
    assert_eq!(
        edit(&root_path, &edited, frame_len),
        edited,
        "a second pass changes nothing"
    );
    if edited != document {
        assert!(std::str::from_utf8(&edited).is_ok(), "text stays text");
    }
    let parse = |document: &[u8]| -> Option<Value> {
        serde_json::from_slice(document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)).ok()
    };
    let Some(mut expected) = parse(document) else {
        return Some(());
    };
    model(&mut expected, root_path.as_str());
    assert_eq!(parse(&edited), Some(expected));

    // What is between the strings stays, in its order, except for a `null` that becomes a list.
    let edited = without_strings(&edited);
    let mut rest = edited.iter();
    let mut kept = without_strings(document);
    kept.retain(|byte| !b"null".contains(byte));
    assert!(kept.iter().all(|byte| rest.any(|other| other == byte)));
    Some(())
}

fn edit(root_path: &RootPath, document: &[u8], frame_len: usize) -> Bytes {
    let layers = (
        RootPathLayer::from(root_path.clone()),
        OpenApiLayer::new("/openapi.json"),
    );
    let request = get(b"/openapi.json").unwrap();
    fuzz::edited(layers, request, "application/json", document, frame_len)
}

fn model(document: &mut Value, root_path: &str) {
    let version = |key| document.get(key).and_then(Value::as_str).map(str::to_owned);
    match (version("openapi"), version("swagger")) {
        _ if root_path.is_empty() => {}
        (Some(version), _) if version.starts_with("3.") => model_3(document, root_path),
        (None, Some(version)) if version == "2.0" => {
            let host = document.get("host").and_then(Value::as_str);
            let base_path = document.get("basePath").unwrap_or(&Value::Null);
            if host.is_none_or(str::is_empty) {
                document["basePath"] = match base_path {
                    Value::Null => root_path.into(),
                    Value::String(path) if path.is_empty() => root_path.into(),
                    Value::String(path) => public_url(root_path, path).into(),
                    other => other.clone(),
                };
            }
        }
        _ => {}
    }
}

fn model_3(document: &mut Value, root_path: &str) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (_, item) in paths
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.starts_with('/'))
    {
        prefix_path_item(item, root_path);
    }
    let items = document
        .pointer_mut("/components/pathItems")
        .and_then(Value::as_object_mut);
    for (_, item) in items.into_iter().flatten() {
        prefix_path_item(item, root_path);
    }
    prefix_servers(document, root_path);
    let entry = json!({ "url": root_path });
    match &mut document["servers"] {
        servers @ Value::Null => *servers = json!([entry]),
        Value::Array(servers) => {
            let url = |server: &Value| server.as_object()?.get("url")?.as_str().map(str::to_owned);
            let mut urls = servers.iter().filter_map(url);
            if !urls.any(|url| url.strip_suffix('/').unwrap_or(&url) == root_path) {
                servers.insert(0, entry);
            }
        }
        _ => {}
    }
}

fn prefix_path_item(item: &mut Value, root_path: &str) {
    prefix_servers(item, root_path);
    for (key, operation) in item.as_object_mut().into_iter().flatten() {
        match &**key {
            "additionalOperations" => {
                for (_, operation) in operation.as_object_mut().into_iter().flatten() {
                    prefix_servers(operation, root_path);
                }
            }
            method if METHODS.contains(&format!(" {method} ")) => {
                prefix_servers(operation, root_path);
            }
            _ => {}
        }
    }
}

fn prefix_servers(parent: &mut Value, root_path: &str) {
    let servers = parent.get_mut("servers").and_then(Value::as_array_mut);
    for server in servers.into_iter().flatten() {
        if let Some(Value::String(url)) = server.get_mut("url") {
            *url = public_url(root_path, url);
        }
    }
}

fn public_url(root_path: &str, url: &str) -> String {
    match url {
        "/" => root_path.to_owned(),
        _ => String::from_utf8(fuzz::public_reference(root_path, url.as_bytes())).unwrap(),
    }
}
