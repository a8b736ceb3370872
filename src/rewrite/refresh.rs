//! `Refresh: 5; url=/next`, by the [shared declarative refresh steps][html] of the HTML standard.
//! `url=` and the quotes are optional.
//!
//! [html]: https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps

use super::{location, splice, Base};
use crate::Origin;
use std::ops::Range;

/// The rewritten value, or `None` if it stays as it is. Every byte outside the reference is kept.
pub(super) fn rewrite(value: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    splice(value, find_reference(value), |reference| {
        location::rewrite(reference, base, origins)
    })
}

/// The range of the reference that a browser follows, without surrounding white space.
fn find_reference(value: &[u8]) -> Option<Range<usize>> {
    let skip = |mut at: usize, skipped: fn(&u8) -> bool| {
        while value.get(at).is_some_and(skipped) {
            at += 1;
        }
        at
    };
    let white_space = |at| skip(at, u8::is_ascii_whitespace);

    let time = white_space(0);
    let time_end = skip(time, |byte| byte.is_ascii_digit() || *byte == b'.');
    if time_end == time {
        return None;
    }
    let separator = white_space(time_end);
    let start = match value.get(separator)? {
        b';' | b',' => white_space(separator + 1),
        _ if separator > time_end => separator,
        _ => return None,
    };
    let start = url_equals(&value[start..]).map_or(start, |len| white_space(start + len));
    let (start, end) = match value.get(start) {
        Some(quote @ (b'"' | b'\'')) => {
            let quoted = &value[start + 1..];
            let len = quoted.iter().position(|byte| byte == quote);
            (start + 1, start + 1 + len.unwrap_or(quoted.len()))
        }
        _ => (start, value.len()),
    };
    // The URL parser removes white space at both ends, inside quotes as well.
    let reference = &value[start..end];
    let start = end - reference.trim_ascii_start().len();
    Some(start..start + reference.trim_ascii().len())
}

/// The length of `url=` at the beginning of `value`, including white space before the `=`.
fn url_equals(value: &[u8]) -> Option<usize> {
    let (url, rest) = value.split_at_checked(3)?;
    let white_space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
    let equals = white_space.count();
    (url.eq_ignore_ascii_case(b"url") && rest.get(equals) == Some(&b'=')).then_some(4 + equals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_reference_that_a_browser_follows() {
        for (value, expected) in [
            ("5; url=/next", Some("/next")),
            ("0;URL=/next", Some("/next")),
            ("0, url = /next?a=1;b=2 ", Some("/next?a=1;b=2")),
            ("5;url=\"/next\"", Some("/next")),
            ("5;url='/next' rest", Some("/next")),
            ("5;url='/next", Some("/next")),
            ("5;url=\" /next\t\"", Some("/next")),
            ("5;url='\t/next", Some("/next")),
            ("5;url=\" \"", Some("")),
            ("5; '/next'", Some("/next")),
            ("5; /next", Some("/next")),
            ("5 /next", Some("/next")),
            (".5; url=/next", Some("/next")),
            ("5;url", Some("url")),
            ("5;url/x", Some("url/x")),
            ("5;", Some("")),
            ("5", None),
            ("5x; url=/next", None),
            ("url=/next", None),
            ("", None),
        ] {
            let found = find_reference(value.as_bytes()).map(|range| &value[range]);
            assert_eq!(found, expected, "{value}");
        }
    }
}
