//! Where the app is, in the JSON text of an OpenAPI document: what is to be changed, and nothing
//! else.

use super::servers::{is_root_path, public_url};
use crate::{
    json::{string, Edits, Object},
    RootPath,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// The operations of a path item ([OpenAPI 3.2][oas]).
///
/// [oas]: https://spec.openapis.org/oas/v3.2.0#path-item-object
const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];

/// The byte order mark, which some editors write at the beginning of a UTF-8 file.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The document for a request under `root_path`; `None` if `document` is not JSON or not an
/// OpenAPI document, or stays as it is.
pub(super) fn edit(
    document: &[u8],
    root_path: &RootPath,
    root_path_in_servers: bool,
) -> Option<String> {
    if root_path.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(document).ok()?;
    let mut editor = Editor {
        document: text,
        root_path,
        edits: Edits::new(text),
    };
    editor.document_object(root_path_in_servers)?;
    editor.edits.apply()
}

/// The members of what may be a JSON object.
fn members(json: Option<&RawValue>) -> impl Iterator<Item = (Cow<'_, str>, &RawValue)> {
    let object = json.and_then(|json| Object::parse(json.get()));
    object.into_iter().flatten()
}

struct Editor<'a> {
    document: &'a str,
    root_path: &'a RootPath,
    edits: Edits<'a>,
}

impl<'a> Editor<'a> {
    /// `None` if it is no OpenAPI document.
    fn document_object(&mut self, root_path_in_servers: bool) -> Option<()> {
        // Parsers may ignore it (RFC 8259, section 8.1).
        let json = self.document.strip_prefix(BYTE_ORDER_MARK);
        let document = Object::parse(json.unwrap_or(self.document))?;
        let version = |key| {
            document
                .get(key)
                .and_then(|json| Some((json, string(json)?)))
        };
        if let Some((_, version)) = version("openapi") {
            if !version.starts_with("3.") {
                return None;
            }
        } else {
            let (json, version) = version("swagger")?;
            if version != "2.0" {
                return None;
            }
            self.base_path(&document, json);
            return Some(());
        }
        let (openapi, _) = version("openapi")?;
        let servers = document.get("servers");
        let list = servers.and_then(|servers| serde_json::from_str(servers.get()).ok());
        let list: Option<Vec<&RawValue>> = list;
        let urls = self.servers(list.as_deref().unwrap_or_default());
        if root_path_in_servers && !urls.iter().any(|url| is_root_path(url, self.root_path)) {
            let own = format!("{{\"url\":\"{}\"}}", self.root_path);
            match (servers, list.as_deref()) {
                (Some(_), Some([first, ..])) => self.insert_before(first, format!("{own},")),
                (Some(servers), Some([])) => self.replace(servers, format!("[{own}]")),
                (Some(servers), None) if servers.get() == "null" => {
                    self.replace(servers, format!("[{own}]"));
                }
                // Wrong by itself.
                (Some(_), None) => {}
                (None, _) => self.insert_behind(openapi, format!(",\"servers\":[{own}]")),
            }
        }
        let paths = document.get("paths");
        for (path, path_item) in members(paths) {
            // What is no path is an extension.
            if path.starts_with('/') {
                self.path_item(path_item);
            }
        }
        let components = document.get("components");
        let components = components.and_then(|components| Object::parse(components.get()));
        let reusable = components.and_then(|components| components.get("pathItems"));
        for (_, path_item) in members(reusable) {
            self.path_item(path_item);
        }
        Some(())
    }

    /// The `basePath` of [Swagger 2.0], which is `/` if it is not there. With a `host` of its own
    /// the document describes a server at that host, where this root path does not apply.
    ///
    /// [Swagger 2.0]: https://swagger.io/specification/v2/#swagger-object
    fn base_path(&mut self, document: &Object<'a>, swagger: &RawValue) {
        let host = document.get("host").and_then(string);
        if host.is_some_and(|host| !host.is_empty()) {
            return;
        }
        match document.get("basePath") {
            Some(json) if matches!(json.get(), "null" | "\"\"") => {
                self.replace(json, format!("\"{}\"", self.root_path));
            }
            Some(json) => drop(self.url(json)),
            None => self.insert_behind(swagger, format!(",\"basePath\":\"{}\"", self.root_path)),
        }
    }

    /// A path item and its operations may have lists of their own, in place of the one of the
    /// document.
    fn path_item(&mut self, path_item: &'a RawValue) {
        let Some(path_item) = Object::parse(path_item.get()) else {
            return;
        };
        self.list(path_item.get("servers"));
        let named = METHODS.iter().filter_map(|method| path_item.get(method));
        let more = members(path_item.get("additionalOperations"));
        for operation in named.chain(more.map(|(_, operation)| operation)) {
            let operation = Object::parse(operation.get());
            self.list(operation.and_then(|operation| operation.get("servers")));
        }
    }

    fn list(&mut self, servers: Option<&RawValue>) {
        let list = servers.and_then(|servers| serde_json::from_str(servers.get()).ok());
        let list: Vec<&RawValue> = list.unwrap_or_default();
        self.servers(&list);
    }

    /// Brings each URL under the root path, and gives what becomes of them.
    fn servers(&mut self, list: &[&RawValue]) -> Vec<String> {
        let urls = list.iter().filter_map(|server| {
            let url = Object::parse(server.get())?.get("url")?;
            self.url(url)
        });
        urls.collect()
    }

    fn url(&mut self, json: &RawValue) -> Option<String> {
        let url = string(json)?;
        let public = public_url(&url, self.root_path);
        if public != url {
            self.replace(json, serde_json::to_string(&public).ok()?);
        }
        Some(public)
    }

    fn replace(&mut self, json: &RawValue, with: String) {
        let range = self.edits.range_of(json);
        self.edits.replace(range, with);
    }

    fn insert_before(&mut self, json: &RawValue, text: String) {
        let Range { start, .. } = self.edits.range_of(json);
        self.edits.replace(start..start, text);
    }

    fn insert_behind(&mut self, json: &RawValue, text: String) {
        let Range { end, .. } = self.edits.range_of(json);
        self.edits.replace(end..end, text);
    }
}
