//! The root path in a header with the original path.

use super::InvalidForwarded;
use crate::{
    uri::{self, decode_triplet, is_unreserved},
    RootPath,
};
use std::borrow::Cow;

/// The part of `original`, a path with or without a query, before `path`, the path that arrived.
///
/// Both are compared with the triplets of unreserved characters decoded, since the client chooses
/// the spelling, and a proxy may pass on another one than it puts in the header. URIs that differ
/// only in this are equivalent ([RFC 3986, section 6.2.2.2]).
///
/// [RFC 3986, section 6.2.2.2]: https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2
pub(super) fn root_path(original: &[u8], path: &str) -> Result<RootPath, InvalidForwarded> {
    let mismatch = || InvalidForwarded::PathMismatch {
        original: String::from_utf8_lossy(original).into(),
        path: path.into(),
    };
    let query = original.iter().position(|byte| *byte == b'?');
    // The query may be in another encoding than UTF-8.
    let original = std::str::from_utf8(&original[..query.unwrap_or(original.len())]);
    let original = decode_unreserved(original.map_err(|_| mismatch())?);
    let prefix = uri::removed_prefix(&original, &decode_unreserved(path)).ok_or_else(mismatch)?;
    Ok(RootPath::try_from(prefix)?)
}

/// `path` with the triplets of unreserved characters decoded, once. A path with a malformed
/// triplet stays as it is: its `%` could become the start of a triplet.
fn decode_unreserved(path: &str) -> Cow<'_, str> {
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default();
    if first.len() == path.len() {
        return Cow::Borrowed(path);
    }
    let mut decoded = String::with_capacity(path.len());
    decoded.push_str(first);
    for part in parts {
        match decode_triplet(part.as_bytes()) {
            Some(byte) if is_unreserved(byte) => {
                decoded.push(byte.into());
                decoded.push_str(&part[2..]);
            }
            Some(_) => {
                decoded.push('%');
                decoded.push_str(part);
            }
            None => return Cow::Borrowed(path),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreserved_characters_are_decoded_once() {
        for (path, expected) in [
            ("/api", "/api"),
            ("", ""),
            ("/%61%50i", "/aPi"),
            ("/%30%2D%2e%5f%7E", "/0-._~"),
            ("/%2F%3a%40%20%7b%C3%A9", "/%2F%3a%40%20%7b%C3%A9"),
            ("/\u{e9}%61", "/\u{e9}a"),
            ("/%2561", "/%2561"),
            // Decoding a part of these would yield `%2B` and `%61`.
            ("/%%32B", "/%%32B"),
            ("/%6%31", "/%6%31"),
            ("/%61%", "/%61%"),
            ("/%61%zz", "/%61%zz"),
            ("/%+1", "/%+1"),
            ("/%\u{e9}", "/%\u{e9}"),
        ] {
            assert_eq!(decode_unreserved(path), expected, "{path}");
        }
        assert!(matches!(decode_unreserved("/api"), Cow::Borrowed(_)));
    }
}
