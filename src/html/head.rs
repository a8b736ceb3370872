//! Where in a page the `<base>` element belongs.
//!
//! This is as much of the [HTML standard] as the head of a page needs; the states have its names.
//! It works on bytes, since all encodings that are compatible with ASCII have the same markup.
//!
//! [HTML standard]: https://html.spec.whatwg.org/multipage/parsing.html#tokenization

use std::ops::Range;

/// What to change in a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edit {
    /// Insert a `<base>` element at this offset.
    InsertElement(usize),
    /// Replace the value of the `href` of the `<base>` element that is there.
    ReplaceHref(Range<usize>),
}

const UTF8_BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Elements whose content is text up to the end tag (section 13.2.6); `noscript` with scripts
/// enabled.
const TEXT_ELEMENTS: [&str; 9] = [
    "iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp",
];

/// Elements at which the scan ends. `<body` and `<frameset` begin after the head. In the others, a
/// parser may drop or move a `<base>`, or may see text or an element where this scan does not.
const LAST: [&str; 16] = [
    "body",
    "caption",
    "col",
    "colgroup",
    "frameset",
    "math",
    "plaintext",
    "select",
    "svg",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
];

/// Scans a page until the place of the `<base>` element is known.
///
/// It looks at each byte once, however the page is divided into frames.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    /// The number of bytes that were scanned.
    scanned: usize,
    state: State,
    tag: Tag,
    /// Where the content of the open comment or text element begins.
    content: usize,
    /// The open element of [`TEXT_ELEMENTS`].
    text_element: &'static str,
    escape: Escape,
    /// The offset after the `<head>` tag.
    head: Option<usize>,
    /// The number of open `<template>` elements, whose content is not part of the page.
    templates: usize,
    outcome: Outcome,
}

#[derive(Debug, Default, PartialEq)]
enum Outcome {
    #[default]
    Unknown,
    Unchanged,
    Edit(Edit),
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    BeforeAttributeName,
    AttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    QuotedAttributeValue {
        quote: u8,
    },
    UnquotedAttributeValue,
    MarkupDeclarationOpen,
    /// A doctype, a processing instruction, and all else that ends at the next `>`.
    BogusComment,
    Comment,
    /// In an element of [`TEXT_ELEMENTS`].
    Text,
}

/// In a script, `<!--` begins a part where `<script` hides the next `</script>`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Escape {
    #[default]
    None,
    Escaped,
    DoubleEscaped,
}

#[derive(Debug, Default)]
struct Tag {
    is_end_tag: bool,
    name: Range<usize>,
    /// Where the name of the current attribute begins.
    attribute: usize,
    /// Where its value begins.
    value: usize,
    /// Whether that attribute is the first `href`; a parser ignores the others.
    is_href: bool,
    /// The value of the first `href`, without its quotes.
    href: Option<Range<usize>>,
}

impl HeadScanner {
    /// Scans what `page` has more than in the calls before. Returns whether it is known what to do.
    pub(super) fn scan(&mut self, page: &[u8]) -> bool {
        if self.scanned == 0 {
            if UTF8_BYTE_ORDER_MARK.starts_with(page) {
                return false;
            }
            if page.starts_with(UTF8_BYTE_ORDER_MARK) {
                self.scanned = UTF8_BYTE_ORDER_MARK.len();
            }
        }
        while self.outcome == Outcome::Unknown {
            self.scanned += self.skipped_len(&page[self.scanned..]);
            if self.scanned == page.len() {
                break;
            }
            self.state = self.next_state(page, self.scanned);
            self.scanned += 1;
        }
        self.outcome != Outcome::Unknown
    }

    /// What to do if no more of the page is scanned.
    pub(super) fn finish(self) -> Option<Edit> {
        match self.outcome {
            Outcome::Unknown => self.head.map(Edit::InsertElement),
            Outcome::Unchanged => None,
            Outcome::Edit(edit) => Some(edit),
        }
    }

    /// The number of bytes at the beginning of `rest` that have no meaning in this state.
    fn skipped_len(&self, rest: &[u8]) -> usize {
        let until = |ends: fn(u8) -> bool| rest.iter().position(|byte| ends(*byte));
        let next = match self.state {
            State::Data if self.head.is_some() => until(|byte| byte == b'<'),
            State::TagName => until(ends_name),
            State::AttributeName => until(|byte| ends_name(byte) || byte == b'='),
            State::QuotedAttributeValue { quote: b'"' } => until(|byte| byte == b'"'),
            State::QuotedAttributeValue { .. } => until(|byte| byte == b'\''),
            State::UnquotedAttributeValue => until(|byte| byte == b'>' || is_space(byte)),
            State::Comment | State::BogusComment => until(|byte| byte == b'>'),
            State::Text => until(|byte| ends_name(byte) || byte == b'-'),
            _ => Some(0),
        };
        next.unwrap_or(rest.len())
    }

    /// The state after the byte at `at`, which is none of the skipped ones.
    fn next_state(&mut self, page: &[u8], at: usize) -> State {
        let byte = page[at];
        match self.state {
            State::Data => match byte {
                b'<' => State::TagOpen,
                _ => self.text(byte),
            },
            State::TagOpen => match byte {
                b'!' => State::MarkupDeclarationOpen,
                b'/' => State::EndTagOpen,
                b'?' => State::BogusComment,
                _ if byte.is_ascii_alphabetic() => self.tag_name(at, false),
                _ => {
                    self.text(b'<');
                    self.state = State::Data;
                    self.next_state(page, at)
                }
            },
            State::EndTagOpen => match byte {
                b'>' => State::Data,
                _ if byte.is_ascii_alphabetic() => self.tag_name(at, true),
                _ => State::BogusComment,
            },
            State::TagName => {
                self.tag.name.end = at;
                self.on_tag_name(page);
                self.before_attribute_name(page, at)
            }
            State::BeforeAttributeName => self.before_attribute_name(page, at),
            State::AttributeName => {
                let name = &page[self.tag.attribute..at];
                self.tag.is_href = self.tag.href.is_none() && name.eq_ignore_ascii_case(b"href");
                self.on_attribute_value(at..at);
                self.after_attribute_name(page, at)
            }
            State::AfterAttributeName => self.after_attribute_name(page, at),
            State::BeforeAttributeValue => match byte {
                _ if is_space(byte) => State::BeforeAttributeValue,
                b'"' | b'\'' => {
                    self.tag.value = at + 1;
                    State::QuotedAttributeValue { quote: byte }
                }
                b'>' => self.before_attribute_name(page, at),
                _ => {
                    self.tag.value = at;
                    State::UnquotedAttributeValue
                }
            },
            State::QuotedAttributeValue { .. } => {
                self.on_attribute_value(self.tag.value..at);
                State::BeforeAttributeName
            }
            State::UnquotedAttributeValue => {
                self.on_attribute_value(self.tag.value..at);
                self.before_attribute_name(page, at)
            }
            State::MarkupDeclarationOpen => match byte {
                b'>' => State::Data,
                b'-' if page[..at].ends_with(b"<!") => State::MarkupDeclarationOpen,
                b'-' => {
                    self.content = at + 1;
                    State::Comment
                }
                _ => State::BogusComment,
            },
            State::BogusComment => State::Data,
            State::Comment => match &page[self.content..at] {
                b"" | b"-" | [.., b'-', b'-'] | [.., b'-', b'-', b'!'] => State::Data,
                _ => State::Comment,
            },
            State::Text => self.in_text_element(page, at),
        }
    }

    /// A byte between tags.
    fn text(&mut self, byte: u8) -> State {
        if self.head.is_none() && !is_space(byte) {
            self.outcome = Outcome::Unchanged;
        }
        State::Data
    }

    fn tag_name(&mut self, at: usize, is_end_tag: bool) -> State {
        self.tag = Tag {
            is_end_tag,
            name: at..at,
            ..Tag::default()
        };
        State::TagName
    }

    fn before_attribute_name(&mut self, page: &[u8], at: usize) -> State {
        match page[at] {
            b'>' => self.on_tag(page, at + 1),
            b'/' => State::BeforeAttributeName,
            byte if is_space(byte) => State::BeforeAttributeName,
            _ => {
                self.tag.attribute = at;
                State::AttributeName
            }
        }
    }

    fn after_attribute_name(&mut self, page: &[u8], at: usize) -> State {
        match page[at] {
            b'=' => State::BeforeAttributeValue,
            byte if is_space(byte) => State::AfterAttributeName,
            _ => self.before_attribute_name(page, at),
        }
    }

    fn on_attribute_value(&mut self, value: Range<usize>) {
        if self.tag.is_href {
            self.tag.href = Some(value);
        }
    }

    /// The name of a tag may already show that the scan ends, or that there is no head.
    fn on_tag_name(&mut self, page: &[u8]) {
        let is_last = match self.tag.is_end_tag {
            true => self.templates == 0 && self.tag.is_one_of(&["head"], page),
            false => self.tag.is_one_of(&LAST, page),
        };
        let is_before_head = !self.tag.is_end_tag && self.tag.is_one_of(&["head", "html"], page);
        match self.head {
            Some(head) if is_last => self.outcome = Outcome::Edit(Edit::InsertElement(head)),
            None if !is_before_head => self.outcome = Outcome::Unchanged,
            _ => {}
        }
    }

    /// A tag that ends before `end`.
    fn on_tag(&mut self, page: &[u8], end: usize) -> State {
        if self.tag.is_one_of(&["template"], page) {
            self.templates = match self.tag.is_end_tag {
                true => self.templates.saturating_sub(1),
                false => self.templates + 1,
            };
        }
        if self.tag.is_end_tag {
            return State::Data;
        }
        if self.head.is_none() && self.tag.is_one_of(&["head"], page) {
            self.head = Some(end);
        }
        if self.templates == 0 && self.tag.is_one_of(&["base"], page) {
            if let Some(href) = self.tag.href.take() {
                self.outcome = match is_replaceable(&page[href.clone()]) {
                    true => Outcome::Edit(Edit::ReplaceHref(href)),
                    false => Outcome::Unchanged,
                };
            }
        }
        let text_element = |name: &&str| self.tag.is_one_of(&[name], page);
        match TEXT_ELEMENTS.into_iter().find(text_element) {
            None => State::Data,
            Some(element) => {
                self.text_element = element;
                self.content = end;
                self.escape = Escape::None;
                State::Text
            }
        }
    }

    fn in_text_element(&mut self, page: &[u8], at: usize) -> State {
        let (text, byte) = (&page[self.content..at], page[at]);
        let ends_with_tag = |open: &str| {
            let before_name = ends_name(byte)
                .then(|| strip_suffix(text, self.text_element))
                .flatten();
            before_name.is_some_and(|text| text.ends_with(open.as_bytes()))
        };
        if self.text_element == "script" {
            self.escape = match self.escape {
                Escape::None if byte == b'-' && text.ends_with(b"<!-") => Escape::Escaped,
                Escape::Escaped if ends_with_tag("<") => Escape::DoubleEscaped,
                Escape::DoubleEscaped if ends_with_tag("</") => {
                    self.escape = Escape::Escaped;
                    return State::Text;
                }
                Escape::Escaped | Escape::DoubleEscaped
                    if byte == b'>' && text.ends_with(b"--") =>
                {
                    Escape::None
                }
                escape => escape,
            };
        }
        if !ends_with_tag("</") {
            return State::Text;
        }
        // Its name has no further meaning.
        self.tag_name(at, true);
        self.before_attribute_name(page, at)
    }
}

impl Tag {
    fn is_one_of(&self, names: &[&str], page: &[u8]) -> bool {
        let tag = &page[self.name.clone()];
        names
            .iter()
            .any(|name| tag.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Whether the value is `/` or `./`. Template engines may escape the slash.
fn is_replaceable(href: &[u8]) -> bool {
    const SLASHES: [&[u8]; 3] = [b"/", b"&#x2f;", b"&#47;"];
    let slash = href.strip_prefix(b".").unwrap_or(href);
    SLASHES
        .iter()
        .any(|escaped| slash.eq_ignore_ascii_case(escaped))
}

/// `text` without `suffix` in any case.
fn strip_suffix<'a>(text: &'a [u8], suffix: &str) -> Option<&'a [u8]> {
    let at = text.len().checked_sub(suffix.len())?;
    let (text, end) = text.split_at(at);
    end.eq_ignore_ascii_case(suffix.as_bytes()).then_some(text)
}

/// Whether `byte` ends the name of a tag.
fn ends_name(byte: u8) -> bool {
    byte == b'>' || byte == b'/' || is_space(byte)
}

/// ASCII white space as in HTML.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c')
}
