//! Private: prefixes of paths and of [`http::Uri`]s, on bytes, at segment boundaries.

use http::{
    uri::{InvalidUri, PathAndQuery},
    Uri,
};
use std::{iter, mem};

/// What follows `prefix` in `path`, if `path` begins with `prefix` up to a segment boundary. `path`
/// may have a query and a fragment. The result is `""` or begins with `/`, `?` or `#`.
pub(crate) fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    is_under(path.as_bytes(), prefix.as_bytes()).then(|| &path[prefix.len()..])
}

/// Whether `path` (which may have a query and a fragment) is `prefix` or is under it.
pub(crate) fn is_under(path: &[u8], prefix: &[u8]) -> bool {
    path.starts_with(prefix) && matches!(path.get(prefix.len()), None | Some(b'/' | b'?' | b'#'))
}

/// What is missing in front of the reference `/` + `rest`, which the app emits: `root_path`, or
/// nothing if the reference begins with it.
pub(crate) fn missing_prefix<'a>(root_path: &'a str, rest: &[u8]) -> &'a str {
    match root_path.as_bytes() {
        [b'/', prefix @ ..] if !is_under(rest, prefix) => root_path,
        _ => "",
    }
}

/// `prefix` followed by `path`, a path of the app's own, whether that begins with `prefix` or not.
pub(crate) fn prepend(prefix: &str, path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    [prefix, slash, path].concat()
}

/// Whether the path of `uri` is `prefix` or is under it.
pub(crate) fn begins_with(uri: &Uri, prefix: &str) -> bool {
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    is_under(path.as_bytes(), prefix.as_bytes())
}

/// Removes `prefix` from the path of `uri`, if the path begins with it up to a segment boundary.
/// Returns whether it did. The scheme, the authority and the query stay.
pub(crate) fn strip_from(uri: &mut Uri, prefix: &str) -> bool {
    if prefix.is_empty() {
        return false;
    }
    // Neither an authority-form (CONNECT) nor `*` has a path that could begin with a prefix.
    let rest = uri
        .path_and_query()
        .and_then(|path_and_query| strip_prefix(path_and_query.as_str(), prefix));
    let stripped = match rest.map(str::as_bytes) {
        None => return false,
        Some([] | [b'/']) => Ok(PathAndQuery::from_static("/")),
        Some(rest @ [b'/', ..]) => PathAndQuery::try_from(rest),
        // For a query alone, `PathAndQuery::path` returns `/`, but `as_str` does not.
        Some(query) => PathAndQuery::try_from([b"/", query].concat()),
    };
    // The rest of a path and query is one, if it begins with a slash.
    stripped.is_ok_and(|stripped| {
        set_path_and_query(uri, stripped);
        true
    })
}

/// `prefix`, a root path, and the path and query of `uri` byte for byte; empty for `*` and the
/// authority-form, which have no path.
pub(crate) fn public_target(uri: &Uri, prefix: &str) -> String {
    match uri.path_and_query().map(PathAndQuery::as_str) {
        None | Some("*") => String::new(),
        Some(path) => prepend(prefix, path),
    }
}

/// Prepends `prefix`, a root path, to the path of `uri`. The scheme, the authority and the query
/// stay.
///
/// Fails, and leaves `uri` as it is, if the path becomes too long for `http`.
pub(crate) fn add_to(uri: &mut Uri, prefix: &str) -> Result<(), InvalidUri> {
    // Neither an authority-form (CONNECT) nor `*` has a path.
    let path = match uri.path_and_query().map(PathAndQuery::as_str) {
        None | Some("*") => return Ok(()),
        Some(path) => path,
    };
    if prefix.is_empty() {
        return Ok(());
    }
    // Not a `PathAndQuery`: that has no limit before http 1.5, and miscounts beyond it.
    let prefixed = Uri::try_from(prepend(prefix, path))?;
    if let Some(prefixed) = prefixed.into_parts().path_and_query {
        set_path_and_query(uri, prefixed);
    }
    Ok(())
}

#[inline(always)]
fn set_path_and_query(uri: &mut Uri, path_and_query: PathAndQuery) {
    // A `Uri` with an authority and a path has a scheme.
    if uri.scheme().is_none() {
        *uri = Uri::from(path_and_query);
    } else {
        set_in_absolute_form(uri, path_and_query);
    }
}

/// `Uri::from(PathAndQuery)` would lose the authority of HTTP/2 and of the absolute-form.
fn set_in_absolute_form(uri: &mut Uri, path_and_query: PathAndQuery) {
    let mut parts = mem::take(uri).into_parts();
    parts.path_and_query = Some(path_and_query);
    *uri = Uri::from_parts(parts).expect("a scheme, an authority and a path are a URI");
}

/// The prefix that was removed from the path `original` to make `path`, cut at a segment boundary.
///
/// Whoever strips a prefix makes an empty rest `/`, and may add or trim a trailing slash.
pub(crate) fn removed_prefix<'a>(original: &'a str, path: &str) -> Option<&'a str> {
    let whole = original.strip_suffix('/').unwrap_or(original);
    let end = path.strip_suffix('/').unwrap_or(path);
    let removed = whole.strip_suffix(end)?;
    (removed.is_empty() || path.starts_with('/')).then_some(removed)
}

/// Whether browsers read a network-path reference ([RFC 3986, section 4.2]) in `reference`: `//`,
/// `/\`, or either with tabs or newlines between, which they drop ([URL Standard]).
///
/// [RFC 3986, section 4.2]: https://www.rfc-editor.org/rfc/rfc3986#section-4.2
/// [URL Standard]: https://url.spec.whatwg.org/#concept-basic-url-parser
pub(crate) fn is_network_path(reference: &[u8]) -> bool {
    begins_network_path(reference.iter().copied())
}

fn begins_network_path(mut reference: impl Iterator<Item = u8>) -> bool {
    reference.next() == Some(b'/')
        && matches!(
            reference.find(|byte| !is_dropped_by_browsers(*byte)),
            Some(b'/' | b'\\')
        )
}

/// The number of slashes, backslashes, tabs and newlines at the beginning of `reference`.
pub(crate) fn leading_slashes(reference: &[u8]) -> usize {
    let is_slash = |byte: &&u8| matches!(byte, b'/' | b'\\') || is_dropped_by_browsers(**byte);
    reference.iter().take_while(is_slash).count()
}

fn is_dropped_by_browsers(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Whether `uri` is in origin-form, and its path is not a network-path reference if the app reflects
/// it: almost every request over HTTP/1.1.
#[inline]
pub(crate) fn is_usual(uri: &Uri) -> bool {
    uri.scheme().is_none() && !reflects_as_network_path(uri)
}

/// Whether the path of a request, as it is or percent-decoded, would be a network-path reference if
/// the app reflected it.
#[inline(always)]
pub(crate) fn reflects_as_network_path(uri: &Uri) -> bool {
    // Not `Uri::path`, which looks for the query first.
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    match path.as_bytes() {
        [b'/', b'/' | b'\\', ..] => true,
        [b'/', b'%', ..] => begins_network_path_decoded(path),
        _ => false,
    }
}

#[cold]
fn begins_network_path_decoded(path: &str) -> bool {
    begins_network_path(percent_decoded(path))
}

fn percent_decoded(path: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = path.as_bytes();
    iter::from_fn(move || {
        let (byte, next) = rest.split_first()?;
        let triplet = decode_triplet(next).filter(|_| *byte == b'%');
        rest = if triplet.is_some() { &next[2..] } else { next };
        Some(triplet.unwrap_or(*byte))
    })
}

/// The byte that the two digits after a `%` stand for.
pub(crate) const fn decode_triplet(digits: &[u8]) -> Option<u8> {
    const fn hex(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            b'A'..=b'F' => Some(digit - b'A' + 10),
            _ => None,
        }
    }
    match digits {
        [high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some(high * 16 + low),
            _ => None,
        },
        _ => None,
    }
}

/// `A-Z a-z 0-9 - . _ ~` (RFC 3986, section 2.3).
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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
            ("/x", "", "/x"),
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
    fn a_request_path_may_be_a_network_path_as_it_is_or_decoded() {
        for (uri, expected) in [
            ("//x", true),
            ("/\\x", true),
            ("///", true),
            ("/%2Fx", true),
            ("/%2f%2fx", true),
            ("/%5Cx", true),
            ("/%09/x", true),
            ("/%0a%0D\\x", true),
            ("/%09%5cx", true),
            ("http://app.example//x", true),
            ("/", false),
            ("/x//", false),
            ("/?//", false),
            ("/%2", false),
            ("/%zz/", false),
            ("/%252Fx", false),
            ("/%20/x", false),
            ("/%09", false),
            ("/%09x", false),
            ("/x%2F/", false),
            ("*", false),
            ("app.example:443", false),
            ("http://app.example/x", false),
        ] {
            let parsed = uri.parse().unwrap();
            assert_eq!(reflects_as_network_path(&parsed), expected, "{uri}");
        }
    }

    #[test]
    fn a_reference_may_be_a_network_path_with_tabs_between() {
        for (reference, expected) in [
            ("//x", true),
            ("/\\x", true),
            ("/\t/x", true),
            ("/\t\t\\x", true),
            ("/x", false),
            ("/\tx", false),
            ("/", false),
            ("\\/x", false),
            ("", false),
        ] {
            assert_eq!(
                is_network_path(reference.as_bytes()),
                expected,
                "{reference}"
            );
        }
    }

    #[test]
    fn finds_the_prefix_that_was_removed() {
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
            assert_eq!(
                removed_prefix(original, path),
                expected,
                "{original} {path}"
            );
        }
    }
}
