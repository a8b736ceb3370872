//! Private: prefixes of paths and of [`http::Uri`]s, on bytes, at segment boundaries.

use http::{
    uri::{InvalidUri, PathAndQuery},
    Uri,
};
use std::mem;

/// What follows `prefix` in `path` (which may have a query and a fragment), if `prefix` is there
/// and ends at a segment boundary: `""` or something that begins with `/`, `?` or `#`.
pub(crate) fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    is_under(path.as_bytes(), prefix.as_bytes()).then(|| &path[prefix.len()..])
}

/// Whether `path` (which may have a query and a fragment) is `prefix` or is under it.
pub(crate) fn is_under(path: &[u8], prefix: &[u8]) -> bool {
    path.starts_with(prefix) && matches!(path.get(prefix.len()), None | Some(b'/' | b'?' | b'#'))
}

/// What has to be put in front of the reference `/` + `rest` to bring it under `root_path`:
/// nothing, if it is there already.
///
/// This is the one place that prefixes: a `Location`, [`RootPath::join`](crate::RootPath::join)
/// and the OpenAPI list all ask here.
pub(crate) fn missing_prefix<'a>(root_path: &'a str, rest: &[u8]) -> &'a str {
    match root_path.as_bytes() {
        [b'/', prefix @ ..] if !is_under(rest, prefix) => root_path,
        _ => "",
    }
}

/// Takes `prefix` off the path of `uri`, if it is there and ends at a segment boundary, and tells
/// whether it was; the scheme, the authority and the query stay.
pub(crate) fn strip_from(uri: &mut Uri, prefix: &str) -> bool {
    // Neither an authority-form (CONNECT) nor `*` has a path that could begin with a prefix.
    let rest = uri
        .path_and_query()
        .and_then(|path_and_query| strip_prefix(path_and_query.as_str(), prefix));
    let stripped = match rest.map(str::as_bytes) {
        None => return false,
        Some([] | [b'/']) => Ok(PathAndQuery::from_static("/")),
        Some(rest @ [b'/', ..]) => PathAndQuery::try_from(rest),
        // Of a query alone, `PathAndQuery` would show the path as `/` but for `as_str`.
        Some(query) => PathAndQuery::try_from([b"/", query].concat()),
    };
    // What is left of a path and query is one, if only the slash is there.
    stripped.is_ok_and(|stripped| set_path_and_query(uri, stripped))
}

/// Puts `prefix`, a root path, in front of the path of `uri`; the scheme, the authority and the query
/// stay. Fails, and leaves `uri` as it is, if `http` does not take the longer path.
pub(crate) fn add_to(uri: &mut Uri, prefix: &str) -> Result<(), InvalidUri> {
    // Neither an authority-form (CONNECT) nor `*` has a path.
    let path = match uri.path_and_query().map(PathAndQuery::as_str) {
        None | Some("*") => return Ok(()),
        Some(path) => path,
    };
    if prefix.is_empty() {
        return Ok(());
    }
    // Of a query alone, `PathAndQuery` shows the path as `/` but for `as_str`.
    let slash = if path.starts_with('/') { "" } else { "/" };
    // Not a `PathAndQuery`: that knows no limit before http 1.5, and miscounts beyond it.
    let prefixed = Uri::try_from([prefix, slash, path].concat())?;
    if let Some(prefixed) = prefixed.into_parts().path_and_query {
        set_path_and_query(uri, prefixed);
    }
    Ok(())
}

/// `Uri::from(PathAndQuery)` alone would lose the authority of HTTP/2 and of the absolute-form.
fn set_path_and_query(uri: &mut Uri, path_and_query: PathAndQuery) -> bool {
    match (uri.scheme(), uri.authority()) {
        (None, None) => *uri = Uri::from(path_and_query),
        (Some(_), Some(_)) => {
            let mut parts = mem::take(uri).into_parts();
            parts.path_and_query = Some(path_and_query);
            *uri = Uri::from_parts(parts).expect("a scheme, an authority and a path are a URI");
        }
        // An authority with a path but no scheme: no server makes one, and `Uri` takes none.
        _ => return false,
    }
    true
}

/// What was taken off the front of the path `original` so that `path` was left, cut at a segment
/// boundary. What strips a prefix makes an empty remainder `/`, and may add or trim a trailing
/// slash.
pub(crate) fn taken_off<'a>(original: &'a str, path: &str) -> Option<&'a str> {
    let whole = original.strip_suffix('/').unwrap_or(original);
    let end = path.strip_suffix('/').unwrap_or(path);
    let taken = whole.strip_suffix(end)?;
    (taken.is_empty() || path.starts_with('/')).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_at_a_segment_boundary_only_and_keeps_the_rest() {
        for (uri, prefix, expected) in [
            ("/api/v1/x", "/api/v1", "/x"),
            ("/api/v1", "/api/v1", "/"),
            ("/api/v1/", "/api/v1", "/"),
            ("/api/v1?a=1", "/api/v1", "/?a=1"),
            ("/api/v1/?a=1", "/api/v1", "/?a=1"),
            ("/api/v1/x?a=/api/v1", "/api/v1", "/x?a=/api/v1"),
            ("/api/v1//x/../%2e", "/api/v1", "//x/../%2e"),
            ("/api/v1/caf\u{e9}", "/api/v1", "/caf\u{e9}"),
            ("/api/v10", "/api/v1", "/api/v10"),
            ("/api/v1..", "/api/v1", "/api/v1.."),
            ("/API/v1/x", "/api/v1", "/API/v1/x"),
            ("/%61pi/v1/x", "/api/v1", "/%61pi/v1/x"),
            ("//api/v1/x", "/api/v1", "//api/v1/x"),
            ("*", "/api/v1", "*"),
            ("example.com:443", "/api/v1", "example.com:443"),
            ("http://h:80/api/v1/x?y", "/api/v1", "http://h:80/x?y"),
            ("https://h/api/v1", "/api/v1", "https://h/"),
            ("http://h?y", "/api/v1", "http://h/?y"),
        ] {
            let mut stripped = uri.parse::<Uri>().unwrap();
            let was_there = strip_from(&mut stripped, prefix);
            assert_eq!(stripped.to_string(), expected, "{uri}");
            assert_eq!(was_there, uri != expected && uri != "http://h?y", "{uri}");
            if was_there {
                let stripped = stripped.path_and_query().unwrap();
                assert!(stripped.as_str().starts_with('/'), "{uri}");
            }
        }
    }

    #[test]
    fn finds_what_was_taken_off_a_path() {
        for (original, path, expected) in [
            ("/sub/app", "/app", Some("/sub")),
            ("/sub", "/", Some("/sub")),
            ("/sub/", "/", Some("/sub")),
            ("/sub//", "//", Some("/sub")),
            ("/sub//evil", "//evil", Some("/sub")),
            ("/sub/app/", "/app", Some("/sub")),
            ("/app", "/app", Some("")),
            ("/", "/", Some("")),
            ("/a/b/app", "/app", Some("/a/b")),
            ("/app/app", "/app", Some("/app")),
            ("/subapp", "/app", None),
            ("/subapp", "app", None),
            ("/app", "/other", None),
            ("/sub/app//", "/app", None),
            ("/sub/app", "/app//", None),
            ("/app", "/sub/app", None),
        ] {
            assert_eq!(taken_off(original, path), expected, "{original} {path}");
        }
    }
}
