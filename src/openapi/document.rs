//! Where the app is, in the JSON text of an OpenAPI document: what is to be changed, and nothing
//! else.

use super::servers::{is_root_path, public_url};
use crate::RootPath;
use serde::{
    de::{MapAccess, Visitor},
    Deserialize, Deserializer,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

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
    let mut edits = Edits {
        document: text,
        root_path,
        edits: Vec::new(),
    };
    edits.document_object(root_path_in_servers)?;
    edits.apply()
}

/// The members of a JSON object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        // Of several the last one counts, as for most readers.
        let mut members = self.0.iter().rev();
        Some(members.find(|(name, _)| name == key)?.1)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The members of what may be a JSON object.
fn members(json: Option<&RawValue>) -> impl Iterator<Item = (Cow<'_, str>, &RawValue)> {
    let object = json.and_then(|json| Members::of(json.get()));
    object.into_iter().flat_map(|object| object.0)
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn string(json: &RawValue) -> Option<Cow<'_, str>> {
    let Key(string) = serde_json::from_str(json.get()).ok()?;
    Some(string)
}

struct Edits<'a> {
    document: &'a str,
    root_path: &'a RootPath,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    /// `None` if it is no OpenAPI document.
    fn document_object(&mut self, root_path_in_servers: bool) -> Option<()> {
        // Parsers may ignore it (RFC 8259, section 8.1).
        let json = self.document.strip_prefix(BYTE_ORDER_MARK);
        let document = Members::of(json.unwrap_or(self.document))?;
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
        let components = components.and_then(|components| Members::of(components.get()));
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
    fn base_path(&mut self, document: &Members<'a>, swagger: &RawValue) {
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
        let Some(path_item) = Members::of(path_item.get()) else {
            return;
        };
        self.list(path_item.get("servers"));
        let named = METHODS.iter().filter_map(|method| path_item.get(method));
        let more = members(path_item.get("additionalOperations"));
        for operation in named.chain(more.map(|(_, operation)| operation)) {
            let operation = Members::of(operation.get());
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
            let url = Members::of(server.get())?.get("url")?;
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

    fn range_of(&self, json: &RawValue) -> Range<usize> {
        let start = json.get().as_ptr() as usize - self.document.as_ptr() as usize;
        start..start + json.get().len()
    }

    fn replace(&mut self, json: &RawValue, with: String) {
        self.edits.push((self.range_of(json), with));
    }

    fn insert_before(&mut self, json: &RawValue, text: String) {
        let Range { start, .. } = self.range_of(json);
        self.edits.push((start..start, text));
    }

    fn insert_behind(&mut self, json: &RawValue, text: String) {
        let Range { end, .. } = self.range_of(json);
        self.edits.push((end..end, text));
    }

    fn apply(mut self) -> Option<String> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut edited = String::with_capacity(self.document.len() + 64);
        let mut kept = 0;
        for (Range { start, end }, text) in self.edits {
            edited.push_str(&self.document[kept..start]);
            edited.push_str(&text);
            kept = end;
        }
        edited.push_str(&self.document[kept..]);
        Some(edited)
    }
}
