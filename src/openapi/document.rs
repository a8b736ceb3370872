//! Edits of the JSON text of an OpenAPI document.

use super::servers::{is_root_path, public_url};
use crate::{
    json::{string, Edits, Object},
    RootPath,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// The fields of a path item that are operations ([OpenAPI 3.2][oas]).
///
/// [oas]: https://spec.openapis.org/oas/v3.2.0#path-item-object
const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];

/// The byte order mark, which some editors write at the beginning of a UTF-8 file.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The document for a request with this root path.
///
/// `None` if `document` is not an OpenAPI document in JSON, or needs no edits.
pub(super) fn edit(
    document: &[u8],
    root_path: &RootPath,
    root_path_in_servers: bool,
) -> Option<String> {
    if root_path.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(document).ok()?;
    // Parsers may ignore it (RFC 8259, section 8.1).
    let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let document = Object::parse(json)?;
    let version = |key| {
        let value = document.get(key)?;
        Some((value, string(value)?))
    };
    let mut editor = Editor {
        root_path,
        edits: Edits::new(text),
    };
    match (version("openapi"), version("swagger")) {
        (Some((openapi, version)), _) if version.starts_with("3.") => {
            let servers = editor.prefix_servers(document.get("servers"));
            if root_path_in_servers && !servers.iter().any(|url| is_root_path(url, root_path)) {
                editor.insert_root_path(document.get("servers"), openapi);
            }
            editor.edit_path_items(&document);
        }
        (None, Some((swagger, version))) if version == "2.0" => {
            editor.edit_base_path(&document, swagger);
        }
        _ => {}
    }
    editor.edits.apply()
}

/// The members of `json`, if it is an object.
fn members(json: Option<&RawValue>) -> impl Iterator<Item = (Cow<'_, str>, &RawValue)> {
    let object = json.and_then(|json| Object::parse(json.get()));
    object.into_iter().flatten()
}

/// The elements of `json`, if it is an array.
fn elements(json: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json.get()).ok()
}

struct Editor<'a> {
    root_path: &'a RootPath,
    edits: Edits<'a>,
}

impl<'a> Editor<'a> {
    /// Inserts the root path as the first entry of `servers`, or adds this key after the value
    /// `openapi`.
    fn insert_root_path(&mut self, servers: Option<&RawValue>, openapi: &RawValue) {
        let server = format!("{{\"url\":\"{}\"}}", self.root_path);
        match servers.map(|servers| (servers, elements(servers))) {
            None => self.insert_after(openapi, format!(",\"servers\":[{server}]")),
            Some((servers, None)) if servers.get() == "null" => {
                self.replace(servers, format!("[{server}]"));
            }
            // The document is invalid.
            Some((_, None)) => {}
            Some((servers, Some(list))) => match list.first() {
                Some(first) => self.insert_before(first, format!("{server},")),
                None => self.replace(servers, format!("[{server}]")),
            },
        }
    }

    /// Prefixes the `servers` of path items and operations, which replace those of the document.
    fn edit_path_items(&mut self, document: &Object<'a>) {
        for (path, path_item) in members(document.get("paths")) {
            // Other keys are extensions.
            if path.starts_with('/') {
                self.edit_path_item(path_item);
            }
        }
        let components = document.get("components");
        let components = components.and_then(|components| Object::parse(components.get()));
        let reusable = components.and_then(|components| components.get("pathItems"));
        for (_, path_item) in members(reusable) {
            self.edit_path_item(path_item);
        }
    }

    fn edit_path_item(&mut self, path_item: &RawValue) {
        let Some(path_item) = Object::parse(path_item.get()) else {
            return;
        };
        self.prefix_servers(path_item.get("servers"));
        let operations = METHODS.iter().filter_map(|method| path_item.get(method));
        let additional = members(path_item.get("additionalOperations"));
        for operation in operations.chain(additional.map(|(_, operation)| operation)) {
            let operation = Object::parse(operation.get());
            self.prefix_servers(operation.and_then(|operation| operation.get("servers")));
        }
    }

    /// Sets the `basePath` of [Swagger 2.0], which defaults to `/`; without the key, adds it after
    /// the value `swagger`.
    ///
    /// A document with a `host` of its own describes a server at that host, where the root path of
    /// this request does not apply.
    ///
    /// [Swagger 2.0]: https://swagger.io/specification/v2/#swagger-object
    fn edit_base_path(&mut self, document: &Object<'a>, swagger: &RawValue) {
        let host = document.get("host").and_then(string);
        if host.is_some_and(|host| !host.is_empty()) {
            return;
        }
        match document.get("basePath") {
            None => self.insert_after(swagger, format!(",\"basePath\":\"{}\"", self.root_path)),
            Some(json) if matches!(json.get(), "null" | "\"\"") => {
                self.replace(json, format!("\"{}\"", self.root_path));
            }
            Some(json) => drop(self.prefix_url(json)),
        }
    }

    /// Prefixes the URL of each server, and returns the resulting URLs.
    fn prefix_servers(&mut self, servers: Option<&RawValue>) -> Vec<String> {
        let list = servers.and_then(elements).unwrap_or_default();
        let urls = list.into_iter().filter_map(|server| {
            let url = Object::parse(server.get())?.get("url")?;
            self.prefix_url(url)
        });
        urls.collect()
    }

    /// Prefixes the URL if it is path-absolute, and returns the resulting URL.
    fn prefix_url(&mut self, json: &RawValue) -> Option<String> {
        let url = string(json)?;
        let public = public_url(&url, self.root_path);
        if public != url {
            self.replace(json, serde_json::to_string(&public).ok()?);
        }
        Some(public)
    }

    fn replace(&mut self, json: &RawValue, text: String) {
        let range = self.edits.range_of(json);
        self.edits.replace(range, text);
    }

    fn insert_before(&mut self, json: &RawValue, text: String) {
        let Range { start, .. } = self.edits.range_of(json);
        self.edits.replace(start..start, text);
    }

    fn insert_after(&mut self, json: &RawValue, text: String) {
        let Range { end, .. } = self.edits.range_of(json);
        self.edits.replace(end..end, text);
    }
}
