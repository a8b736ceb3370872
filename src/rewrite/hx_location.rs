//! `HX-Location` of [htmx]: a URL, or a JSON object with URLs in it
//! (`{"path":"/next","target":"#main"}`).
//!
//! [htmx]: https://htmx.org/headers/hx-location/

use super::{location, Base};
use crate::json::{string, Edits, Object};
use crate::Origin;
use http::HeaderName;
use std::{borrow::Cow, fmt::Write, str};

pub(super) const NAME: HeaderName = HeaderName::from_static("hx-location");

/// The members of the object that are URLs. `push` and `replace` may be `"true"` or `"false"` too,
/// which stay like every relative reference.
const URL_KEYS: [&str; 3] = ["path", "push", "replace"];

/// The rewritten value, or `None` if it stays as it is. Every byte outside the URLs is kept.
pub(super) fn rewrite(value: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    if !value.trim_ascii_start().starts_with(b"{") {
        return location::rewrite_value(value, base, origins);
    }
    let rewrite_url = |url: &str| {
        let rewritten = location::rewrite(url.as_bytes(), base, origins)?;
        String::from_utf8(rewritten).ok()
    };
    match str::from_utf8(value) {
        Ok(json) => Some(rewrite_urls(json, rewrite_url)?.into_bytes()),
        // Browsers read a header as ISO 8859-1.
        Err(_) => {
            let json: String = value.iter().copied().map(char::from).collect();
            let rewritten = rewrite_urls(&json, rewrite_url)?;
            rewritten.chars().map(|c| u8::try_from(c).ok()).collect()
        }
    }
}

/// `json` with its URLs replaced by what `rewrite_url` returns for them.
fn rewrite_urls(json: &str, rewrite_url: impl Fn(&str) -> Option<String>) -> Option<String> {
    let object = Object::parse(json)?;
    let mut edits = Edits::new(json);
    for value in URL_KEYS.into_iter().filter_map(|key| object.get(key)) {
        let url: Option<Cow<'_, str>> = string(value);
        if let Some(rewritten) = url.and_then(|url| rewrite_url(&url)) {
            edits.replace(edits.range_of(value), ascii_json_string(&rewritten)?);
        }
    }
    edits.apply()
}

/// `text` as a JSON string in ASCII, which does not depend on the encoding of the header.
fn ascii_json_string(text: &str) -> Option<String> {
    let json = serde_json::to_string(text).ok()?;
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").ok()?;
            }
        }
    }
    Some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks the URLs that are found.
    fn mark(url: &str) -> Option<String> {
        Some(format!("<{url}>"))
    }

    #[test]
    fn finds_the_urls_of_the_outermost_object() {
        for (json, expected) in [
            (r#"{"path":"/a"}"#, Some(r#"{"path":"</a>"}"#)),
            (
                r#" { "path" : "/a" , "target" : "/b" } "#,
                Some(r#" { "path" : "</a>" , "target" : "/b" } "#),
            ),
            (
                r##"{"target":"#x","replace":"false","push":"/b","path":"/a"}"##,
                Some(r##"{"target":"#x","replace":"<false>","push":"</b>","path":"</a>"}"##),
            ),
            (
                r#"{"values":{"path":"/no","x":[{"path":"/no"},"}"]},"path":"/a"}"#,
                Some(r#"{"values":{"path":"/no","x":[{"path":"/no"},"}"]},"path":"</a>"}"#),
            ),
            (
                r#"{"x":"\"path\":\"","p\u0061th":"\/a\\"}"#,
                Some(r#"{"x":"\"path\":\"","p\u0061th":"</a\\>"}"#),
            ),
            // Of equal keys the last one counts.
            (
                r#"{"path":"/a","path":"/b"}"#,
                Some(r#"{"path":"/a","path":"</b>"}"#),
            ),
            (r#"{"path":"/a","path":null}"#, None),
            (r#"{"path":null,"push":false,"replace":-1.5e3}"#, None),
            (r#"{"path":"\ud83d"}"#, None),
            ("{}", None),
            ("{", None),
            (r#"{"path":"/a""#, None),
            (r#"{"path":"/a"} x"#, None),
            (r#"{"path"}"#, None),
            (r#"{path:"/a"}"#, None),
            (r#"{"x":],"path":"/a"}"#, None),
        ] {
            assert_eq!(rewrite_urls(json, mark).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn replaced_urls_are_ascii() {
        for (text, expected) in [
            ("/a", r#""/a""#),
            (r#"/"\"#, r#""/\"\\""#),
            ("/café", r#""/caf\u00e9""#),
            ("😀\u{7f}", r#""\ud83d\ude00\u007f""#),
        ] {
            assert_eq!(ascii_json_string(text).as_deref(), Some(expected));
        }
    }
}
