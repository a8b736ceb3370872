//! `Link: </style.css>; rel=preload`: the targets and the `anchor`s of [RFC 8288, section 3].
//!
//! [RFC 8288, section 3]: https://www.rfc-editor.org/rfc/rfc8288#section-3

use super::{location, splice, Base};
use crate::Origin;
use std::ops::Range;

/// Rewrites the references in `value`, and nothing around them; `None` if it stays.
pub(super) fn rewrite(value: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    splice(value, find_references(value), |reference| {
        location::rewrite(reference, base, origins)
    })
}

/// Finds every target and every `anchor`, up to the first syntax error.
fn find_references(value: &[u8]) -> Vec<Range<usize>> {
    let mut references = Vec::new();
    let mut scanner = Scanner { value, at: 0 };
    loop {
        scanner.skip(|byte| matches!(byte, b' ' | b'\t' | b','));
        if !scanner.take(b'<') {
            return references;
        }
        let Some(target) = scanner.until(|byte| byte == b'>') else {
            return references;
        };
        references.push(target);
        scanner.take(b'>');
        while scanner.take_after_white_space(b';') {
            scanner.skip(is_white_space);
            let name = scanner.skip(|byte| !matches!(byte, b'=' | b';' | b',' | b' ' | b'\t'));
            let is_anchor = value[name].eq_ignore_ascii_case(b"anchor");
            if !scanner.take_after_white_space(b'=') {
                continue;
            }
            scanner.skip(is_white_space);
            let argument = match scanner.quoted() {
                Some(quoted) => quoted,
                None => scanner.skip(|byte| !matches!(byte, b';' | b',')),
            };
            // A reference needs no backslash; one that is written with some stays.
            if is_anchor && !value[argument.clone()].contains(&b'\\') {
                let trimmed = value[argument.clone()].trim_ascii_end().len();
                references.push(argument.start..argument.start + trimmed);
            }
        }
        scanner.skip(is_white_space);
        if !scanner.take(b',') {
            return references;
        }
    }
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

struct Scanner<'a> {
    value: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn take_after_white_space(&mut self, byte: u8) -> bool {
        self.skip(is_white_space);
        self.take(byte)
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> Range<usize> {
        let start = self.at;
        while self.peek().is_some_and(&skipped) {
            self.at += 1;
        }
        start..self.at
    }

    /// Everything before the first such byte; `None` if there is none.
    fn until(&mut self, end: impl Fn(u8) -> bool) -> Option<Range<usize>> {
        let range = self.skip(|byte| !end(byte));
        self.peek().map(|_| range)
    }

    /// The content of a quoted-string ([RFC 9110, section 5.6.4]); without a closing quote, the
    /// rest.
    ///
    /// [RFC 9110, section 5.6.4]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
    fn quoted(&mut self) -> Option<Range<usize>> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at - 1);
                }
                b'\\' => self.at = self.value.len().min(self.at + 2),
                _ => self.at += 1,
            }
        }
        Some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_targets_and_anchors_and_nothing_else() {
        for (value, expected) in [
            ("</a>; rel=next", &["/a"][..]),
            ("</a>;rel=\"next\",</b>", &["/a", "/b"]),
            (", </a> , , </b>,", &["/a", "/b"]),
            ("</a,b>; title=\"x, </no>; y\", </c>", &["/a,b", "/c"]),
            ("</a>; title=\"\\\"</no>\\\\\", </b>", &["/a", "/b"]),
            ("</a>; rel=next; anchor=\"/b\"", &["/a", "/b"]),
            ("</a>; ANCHOR = '/b'; x", &["/a", "'/b'"]),
            ("</a>; anchor=/b; rel=up, <c>", &["/a", "/b", "c"]),
            ("</a>; anchor=\"/b\\\"\"", &["/a"]),
            ("</a>; anchor=\"x\\", &["/a"]),
            ("</a>,\t</b>", &["/a", "/b"]),
            ("</a>; anchor; rel=up, </b>", &["/a", "/b"]),
            ("</a>;;rel=up,</b>", &["/a", "/b"]),
            (
                "</a>; title=x y; rel=up, </b>; anchor=/c ,</d>",
                &["/a", "/b", "/c", "/d"],
            ),
            ("<>", &[""]),
            ("</a>; anchor=\"/b", &["/a", "/b"]),
            // Not a link.
            ("</a", &[]),
            ("/a", &[]),
            ("</a> x, </b>", &["/a"]),
            ("", &[]),
        ] {
            let found = find_references(value.as_bytes()).into_iter();
            let found = found.map(|range| &value[range]).collect::<Vec<_>>();
            assert_eq!(found, expected, "{value}");
        }
    }
}
