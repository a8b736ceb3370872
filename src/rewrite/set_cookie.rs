//! `Set-Cookie: id=7; Path=/admin`: the path, as [RFC 6265, section 5.2] finds it.
//!
//! [RFC 6265, section 5.2]: https://www.rfc-editor.org/rfc/rfc6265#section-5.2

use super::{splice, Base};
use std::ops::Range;

/// Rewrites the path in `value`, and nothing around it; `None` if it stays.
pub(super) fn rewrite(value: &[u8], base: &Base) -> Option<Vec<u8>> {
    splice(value, find_path(value), |path| {
        let rest = path.strip_prefix(b"/")?;
        let missing = base.missing_prefix(rest).as_bytes();
        if missing.is_empty() {
            None
        } else if rest.is_empty() {
            // `/api/v1/` would not match `/api/v1`.
            Some(missing.to_vec())
        } else {
            Some([missing, path].concat())
        }
    })
}

/// Finds the value of the last `Path`, which overrides earlier ones.
fn find_path(value: &[u8]) -> Option<Range<usize>> {
    let mut parts = value.split(|byte| *byte == b';');
    let pair = parts.next()?;
    // Browsers refuse such a cookie unless its path is `/`.
    let name = pair.trim_ascii_start();
    if name
        .get(..7)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"__host-"))
    {
        return None;
    }
    let mut path = None;
    let mut at = pair.len() + 1;
    for attribute in parts {
        if let Some(equals) = attribute.iter().position(|byte| *byte == b'=') {
            let (name, argument) = (&attribute[..equals], &attribute[equals + 1..]);
            if name.trim_ascii().eq_ignore_ascii_case(b"path") {
                let start = at + attribute.len() - argument.trim_ascii_start().len();
                path = Some(start..start + argument.trim_ascii().len());
            }
        } else if attribute.trim_ascii().eq_ignore_ascii_case(b"path") {
            // Without a value it overrides earlier ones too.
            path = None;
        }
        at += attribute.len() + 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_path_that_counts() {
        for (value, expected) in [
            ("a=1; Path=/", Some("/")),
            ("a=1;path=/x;HttpOnly", Some("/x")),
            ("a=1; HttpOnly; PATH = /x y ; Secure", Some("/x y")),
            ("a=1; Path=/x; Path=/y", Some("/y")),
            ("a=1; Path=/x; Path", None),
            ("a=1; Path=", Some("")),
            ("a=\"Path=/no\"; Max-Age=1", None),
            ("Path=/no", None),
            ("a; Path=/x=y", Some("/x=y")),
            ("a=1; XPath=/no", None),
            ("__Host-a=1; Path=/", None),
            (" __host-a=1; Path=/", None),
            ("__Secure-a=1; Path=/", Some("/")),
            ("__Host=1; Path=/", Some("/")),
            ("", None),
        ] {
            let found = find_path(value.as_bytes()).map(|range| &value[range]);
            assert_eq!(found, expected, "{value}");
        }
    }
}
