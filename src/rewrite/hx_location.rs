//! `HX-Location` of [htmx]: a URL, or JSON with URLs in it (`{"path":"/next","target":"#main"}`).
//!
//! [htmx]: https://htmx.org/headers/hx-location/

use super::{location, splice, Base, Origin};
use std::{fmt::Write, ops::Range};

/// Keys of the object whose values are URLs; `push` and `replace` may be `"false"` as well, which
/// stays, as every relative reference.
const URLS: [&[u8]; 3] = [b"path", b"push", b"replace"];

/// What the value becomes, or `None` if it stays. Everything around the URLs is kept.
pub(super) fn rewrite(value: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    if !value.trim_ascii_start().starts_with(b"{") {
        return location::rewrite_value(value, base, origins);
    }
    splice(value, find_urls(value).unwrap_or_default(), |string| {
        let url = unescape(std::str::from_utf8(string).ok()?)?;
        let rewritten = location::rewrite(url.as_bytes(), base, origins)?;
        Some(escape(std::str::from_utf8(&rewritten).ok()?))
    })
}

/// The insides of the strings of the outermost object that are URLs; `None` if it is no object.
fn find_urls(json: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut urls = Vec::new();
    let mut at = skip_white_space(json, 0);
    loop {
        // Behind `{` or `,`.
        at = skip_white_space(json, at + 1);
        if json.get(at) == Some(&b'}') {
            return Some(urls);
        }
        let key = string(json, at)?;
        at = skip_white_space(json, key.end + 1);
        (json.get(at) == Some(&b':')).then_some(())?;
        at = skip_white_space(json, at + 1);
        if let Some(value) = string(json, at) {
            at = value.end + 1;
            if URLS.contains(&&json[key]) {
                urls.push(value);
            }
        }
        at = end_of_member(json, at)?;
        if json[at] == b'}' {
            return Some(urls);
        }
    }
}

fn skip_white_space(json: &[u8], at: usize) -> usize {
    let rest = json.get(at..).unwrap_or_default();
    json.len() - rest.trim_ascii_start().len()
}

/// The inside of the string that begins at `at`.
fn string(json: &[u8], at: usize) -> Option<Range<usize>> {
    (json.get(at) == Some(&b'"')).then_some(())?;
    let mut end = at + 1;
    loop {
        match json.get(end)? {
            b'"' => return Some(at + 1..end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

/// Where the `,` or the `}` behind this member is.
fn end_of_member(json: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match json.get(at)? {
            b'"' => at = string(json, at)?.end,
            b'{' | b'[' => depth += 1,
            b',' | b'}' if depth == 0 => return Some(at),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
}

/// The text of a JSON string ([RFC 8259, section 7]).
///
/// [RFC 8259, section 7]: https://www.rfc-editor.org/rfc/rfc8259#section-7
fn unescape(string: &str) -> Option<String> {
    let mut units = Vec::with_capacity(string.len());
    let mut chars = string.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let digits = chars.as_str().get(..4)?;
                    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                        return None;
                    }
                    units.push(u16::from_str_radix(digits, 16).ok()?);
                    chars = chars.as_str()[4..].chars();
                    continue;
                }
                c @ ('"' | '\\' | '/') => c,
                _ => return None,
            },
            c => c,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).ok()
}

/// A text as a JSON string, in ASCII, since browsers read a header as ISO 8859-1.
fn escape(text: &str) -> Vec<u8> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            ' '..='~' => escaped.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_urls_of_the_outermost_object() {
        for (json, expected) in [
            (r#"{"path":"/a"}"#, Some(&["/a"][..])),
            (r#" { "path" : "/a" , "target" : "/b" } "#, Some(&["/a"])),
            (
                r##"{"target":"#x","path":"/a","push":"/b","replace":"false"}"##,
                Some(&["/a", "/b", "false"]),
            ),
            (
                r#"{"values":{"path":"/no","x":[{"path":"/no"},"}"]},"path":"/a"}"#,
                Some(&["/a"]),
            ),
            (r#"{"x":"\"path\":\"","path":"\/a\\"}"#, Some(&["\\/a\\\\"])),
            (r#"{"path":null,"push":false,"x":-1.5e3}"#, Some(&[])),
            ("{}", Some(&[])),
            ("{", None),
            (r#"{"path":"/a""#, None),
            (r#"{"path":"/a"#, None),
            (r#"{"path"}"#, None),
            (r#"{path:"/a"}"#, None),
            (r#"{"x":]}"#, None),
            ("{\"path\\", None),
        ] {
            let found = find_urls(json.as_bytes());
            let found = found.map(|urls| urls.into_iter().map(|range| &json[range]));
            let found = found.map(|urls| urls.collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn strings_are_unescaped_and_escaped() {
        for (string, text, escaped) in [
            ("/a", "/a", "/a"),
            ("\\/a", "/a", "/a"),
            ("/\\\"\\\\", "/\"\\", "/\\\"\\\\"),
            ("/caf\\u00e9", "/café", "/caf\\u00e9"),
            ("/café", "/café", "/caf\\u00e9"),
            ("\\ud83d\\ude00\\t", "😀\t", "\\ud83d\\ude00\\u0009"),
        ] {
            assert_eq!(unescape(string).as_deref(), Some(text));
            assert_eq!(escape(text), escaped.as_bytes());
        }
        for bad in [
            "\\", "\\x", "\\u12", "\\uzzzz", "\\ud83d", "\\u+123", "\\u00é9",
        ] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
