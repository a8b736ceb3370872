//! The grammar of the `Forwarded` header ([RFC 7239, section 4]).
//!
//! ```text
//! Forwarded         = 1#forwarded-element
//! forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
//! forwarded-pair    = token "=" ( token / quoted-string )
//! ```
//!
//! White space is allowed around the commas of the list only. One syntax error anywhere makes the
//! whole header malformed. A parser that splits before it unquotes, or skips an error, can disagree
//! with the proxy about where an element begins (CVE-2026-32762 in Rack).
//!
//! Empty members count, as in a list of prefixes, although RFC 9110, section 5.6.1.2, ignores them.
//! An empty `forwarded-element` is valid, and a trusted proxy may append one:
//! `host=evil.example,` with one hop has no host. If empty members were ignored, the element that
//! the client sent would be selected. Counting them selects either an element further right or an
//! empty one.
//!
//! [RFC 7239, section 4]: https://www.rfc-editor.org/rfc/rfc7239#section-4

use std::{
    borrow::Cow,
    collections::{HashSet, VecDeque},
    num::NonZeroUsize,
};

/// Rack's limit. Empty parameters, as in `;;`, and empty members count too.
const MAX_PARAMETERS: usize = 1024;

/// The parameters of one proxy that make up an origin, unquoted and otherwise not validated.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Element<'a> {
    pub(super) proto: Option<Cow<'a, [u8]>>,
    pub(super) host: Option<Cow<'a, [u8]>>,
}

/// Error returned when a header does not match the grammar, repeats a parameter within an element
/// or has more than 1,024 parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Malformed;

/// Parses `lines`, which are one list, and returns the `hops`-th element from the right, or the
/// leftmost if there are fewer. `None` if the header has no parameter at all.
pub(super) fn element<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    hops: NonZeroUsize,
) -> Result<Option<Element<'a>>, Malformed> {
    let mut parser = Parser::default();
    let mut rightmost = VecDeque::new();
    for line in lines {
        parser.rest = line;
        loop {
            parser.take_while(is_white_space);
            rightmost.push_back(parser.element()?);
            if rightmost.len() > hops.get() {
                rightmost.pop_front();
            }
            parser.take_while(is_white_space);
            if !parser.take(b',') {
                break;
            }
        }
        // A quoted-string ends on the line where it begins: it cannot hide the next line.
        if !parser.rest.is_empty() {
            return Err(Malformed);
        }
    }
    Ok(rightmost.pop_front().filter(|_| parser.has_parameter))
}

#[derive(Default)]
struct Parser<'a> {
    rest: &'a [u8],
    parameters: usize,
    has_parameter: bool,
}

impl<'a> Parser<'a> {
    fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let mut element = Element::default();
        let mut names = HashSet::new();
        loop {
            self.parameters += 1;
            if self.parameters > MAX_PARAMETERS {
                return Err(Malformed);
            }
            let name = self.take_while(is_tchar).to_ascii_lowercase();
            if !name.is_empty() {
                let value = self.value()?;
                match &*name {
                    b"proto" => element.proto = Some(value),
                    b"host" => element.host = Some(value),
                    _ => {}
                }
                if !names.insert(name) {
                    return Err(Malformed);
                }
                self.has_parameter = true;
            }
            if !self.take(b';') {
                return Ok(element);
            }
        }
    }

    /// The `"=" ( token / quoted-string )` of a pair, decoded.
    fn value(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        if !self.take(b'=') {
            return Err(Malformed);
        }
        if self.take(b'"') {
            return self.rest_of_quoted_string();
        }
        match self.take_while(is_tchar) {
            [] => Err(Malformed),
            token => Ok(Cow::Borrowed(token)),
        }
    }

    fn rest_of_quoted_string(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let mut value = Cow::Borrowed(self.take_while(is_qdtext));
        while !self.take(b'"') {
            match self.rest {
                [b'\\', byte, rest @ ..] if is_qdtext(*byte) || matches!(byte, b'"' | b'\\') => {
                    value.to_mut().push(*byte);
                    self.rest = rest;
                }
                _ => return Err(Malformed),
            }
            value.to_mut().extend(self.take_while(is_qdtext));
        }
        Ok(value)
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, taken: fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|byte| taken(**byte)).count();
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A byte of a token ([RFC 9110, section 5.6.2]).
///
/// [RFC 9110, section 5.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A byte that stands for itself in a quoted-string ([RFC 9110, section 5.6.4]).
///
/// [RFC 9110, section 5.6.4]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
fn is_qdtext(byte: u8) -> bool {
    matches!(byte, b'\t' | b' ' | b'!' | b'#'..=b'[' | b']'..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::select};

    /// `proto` and `host`, or why there is no element.
    type Parsed = Result<Option<(Option<String>, Option<String>)>, Malformed>;

    fn parse(lines: &[impl AsRef<[u8]>], hops: usize) -> Parsed {
        let text = |value: Cow<'_, [u8]>| value.iter().copied().map(char::from).collect();
        let hops = NonZeroUsize::new(hops).unwrap();
        let element = element(lines.iter().map(AsRef::as_ref), hops)?;
        Ok(element.map(|element| (element.proto.map(text), element.host.map(text))))
    }

    fn origin(proto: &str, host: &str) -> Parsed {
        let value = |value: &str| (value != "-").then(|| value.to_owned());
        Ok(Some((value(proto), value(host))))
    }

    #[test]
    fn selects_the_element_that_the_hops_name() {
        for (lines, hops, proto, host) in [
            (&["proto=https;host=a"][..], 1, "https", "a"),
            (&["host=a;proto=https"], 1, "https", "a"),
            (&["for=192.0.2.60;by=203.0.113.43"], 1, "-", "-"),
            (&["host=a,host=b,host=c"], 1, "-", "c"),
            (&["host=a,host=b,host=c"], 2, "-", "b"),
            (&["host=a,host=b,host=c"], 3, "-", "a"),
            (&["host=a,host=b,host=c"], 4, "-", "a"),
            (&["host=a,host=b,host=c"], usize::MAX, "-", "a"),
            (&["host=a \t,\t proto=http"], 1, "http", "-"),
            (&[" host=a\t"], 1, "-", "a"),
            // Several lines are one list.
            (&["host=a", "host=b"], 1, "-", "b"),
            (&["host=a", "host=b, host=c"], 3, "-", "a"),
            // An element has its own parameters only.
            (&["proto=https,host=b"], 1, "-", "b"),
            (&["proto=https", "host=b"], 2, "https", "-"),
            // Empty members count.
            (&["host=evil,"], 1, "-", "-"),
            (&["host=evil", ""], 1, "-", "-"),
            (&["host=evil, ,host=b"], 2, "-", "-"),
            (&["host=evil, ,host=b"], 1, "-", "b"),
            (&["host=evil,;"], 1, "-", "-"),
            (&["", "host=a"], 1, "-", "a"),
            (&[",,host=a"], 1, "-", "a"),
            (&[",host=a"], 2, "-", "-"),
        ] {
            let expected = origin(proto, host);
            assert_eq!(parse(lines, hops), expected, "{lines:?} with {hops} hops");
        }
    }

    #[test]
    fn reads_tokens_and_quoted_strings() {
        for (line, proto, host) in [
            ("PROTO=https;Host=A", "https", "A"),
            ("host=\"a:80\"", "-", "a:80"),
            ("host=\"[2001:db8::1]:80\"", "-", "[2001:db8::1]:80"),
            ("host=\"\"", "-", ""),
            ("host=\" \ta\"", "-", " \ta"),
            (r#"host="\a\\\"\,b""#, "-", "a\\\",b"),
            (r#"host="a\b";proto="h\ttp""#, "http", "ab"),
            ("host=!#$%&'*+-.^_`|~09azAZ", "-", "!#$%&'*+-.^_`|~09azAZ"),
            // Separators in quotes are data.
            ("for=\"127.0.0.1;host=evil;proto=https\"", "-", "-"),
            ("for=\"a, host=evil\"", "-", "-"),
            ("for=\"a, host=evil\";host=b", "-", "b"),
            (r#"for="\", host=evil;x=\"";host=b"#, "-", "b"),
            ("host=a;for=\"x,\"", "-", "a"),
            // Empty parameters, and names that are not special here.
            (";;host=a;;proto=http;", "http", "a"),
            ("hostname=b;xhost=c;proto_=d", "-", "-"),
            ("for=a;for2=a", "-", "-"),
        ] {
            assert_eq!(parse(&[line], 1), origin(proto, host), "{line}");
        }
        let obs_text = [b"host=\"\xe9\\\xff\""];
        assert_eq!(parse(&obs_text, 1), origin("-", "\u{e9}\u{ff}"));
    }

    #[test]
    fn no_parameter_is_no_element() {
        for lines in [
            &[][..],
            &[""],
            &["", ""],
            &[" \t"],
            &[", ,"],
            &[";"],
            &[";;,;"],
        ] {
            assert_eq!(parse(lines, 1), Ok(None), "{lines:?}");
            assert_eq!(parse(lines, 9), Ok(None), "{lines:?}");
        }
    }

    #[test]
    fn one_syntax_error_makes_the_header_malformed() {
        for member in [
            // White space inside an element.
            "host =a",
            "host= a",
            "host=a; proto=http",
            "host=a ;proto=http",
            "; host=a",
            "host=a b",
            "host=\"a\" ;",
            "host=a\u{b}",
            "host=a\n",
            // No pair.
            "host",
            "host=",
            "host=;proto=http",
            "=a",
            "=",
            "host==a",
            "a;host=b",
            "\"host\"=a",
            "h\"os\"t=a",
            // Bytes that a token does not have.
            "host=a:80",
            "host=[::1]",
            "host=a/b",
            "host=a@b",
            "host='a b'",
            "host=caf\u{e9}",
            "h(st=a",
            // Quotes.
            "host=\"a",
            "host=\"",
            "host=\"a\\",
            "host=\"a\\\"",
            "host=a\"",
            "host=a\"b\"",
            "host=\"a\"b",
            "host=\"a\"\"b\"",
            "host=\"a\u{0}\"",
            "host=\"a\u{7f}\"",
            "host=\"a\\\u{7f}\"",
            // Repeated parameters.
            "host=a;host=b",
            "host=a;host=a",
            "host=a;HOST=b",
            "for=a;proto=http;For=b",
            "x=1;host=a;X=2",
        ] {
            for (lines, hops) in [
                (&[member][..], 1),
                (&[member, "host=a"], 1),
                (&["host=a", member], 2),
                (&[&format!("{member},host=a")], 1),
                (&[&format!("host=a, {member}")], 2),
            ] {
                assert_eq!(parse(lines, hops), Err(Malformed), "{lines:?}");
            }
        }
        // What a proxy appends to a quote that the client left open.
        let lines = ["host=evil;x=\", for=\"[2001:db8::1]\";host=a"];
        assert_eq!(parse(&lines, 1), Err(Malformed));
        // A quoted-string that would end on the next line.
        assert_eq!(parse(&["x=\"", "y=\";host=a"], 1), Err(Malformed));
    }

    #[test]
    fn a_parameter_may_occur_in_every_element() {
        assert_eq!(parse(&["host=a,host=a", "host=a"], 1), origin("-", "a"));
    }

    #[test]
    fn more_than_1024_parameters_are_malformed() {
        let pairs = |count| (0..count).map(|n| format!("p{n}=x")).collect::<Vec<_>>();
        assert_eq!(parse(&[pairs(1024).join(";")], 1), origin("-", "-"));
        assert_eq!(parse(&pairs(1024), 1), origin("-", "-"));
        assert_eq!(parse(&[",".repeat(1023)], usize::MAX), Ok(None));
        for lines in [
            vec![pairs(1025).join(";")],
            vec![pairs(1025).join(",")],
            pairs(1025),
            vec![pairs(10_000).join(";")],
            vec![",".repeat(1024)],
            vec![";".repeat(1024)],
            vec![String::new(); 1025],
        ] {
            assert_eq!(parse(&lines, 1), Err(Malformed), "{} lines", lines.len());
        }
    }

    /// The same grammar in another way: splits outside quotes, then checks each piece.
    fn split_and_check(lines: &[String], hops: usize) -> Parsed {
        let mut elements = Vec::new();
        for member in lines.iter().flat_map(|line| split(line, ',')) {
            let mut parameters = Vec::new();
            for pair in split(member.trim_matches([' ', '\t']), ';') {
                if pair.is_empty() {
                    continue;
                }
                let (name, value) = pair.split_once('=').ok_or(Malformed)?;
                if !is_token(name) || parameters.iter().any(|(other, _)| *other == name) {
                    return Err(Malformed);
                }
                parameters.push((name, unquote(value).ok_or(Malformed)?));
            }
            elements.push(parameters);
        }
        if elements.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let selected = &elements[elements.len().saturating_sub(hops)];
        let value = |name: &str| {
            let found = selected.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.clone())
        };
        Ok(Some((value("proto"), value("host"))))
    }

    fn split(text: &str, separator: char) -> Vec<&str> {
        let (mut quoted, mut escaped) = (false, false);
        text.split(|next| {
            let splits = next == separator && !quoted;
            quoted ^= next == '"' && !escaped;
            escaped = quoted && next == '\\' && !escaped;
            splits
        })
        .collect()
    }

    fn is_token(text: &str) -> bool {
        !text.is_empty() && text.chars().all(|next| !" \t,;=\"\\".contains(next))
    }

    fn unquote(value: &str) -> Option<String> {
        if is_token(value) {
            return Some(value.to_owned());
        }
        let mut inner = value.strip_prefix('"')?.strip_suffix('"')?.chars();
        let mut unquoted = String::new();
        while let Some(next) = inner.next() {
            match next {
                '"' => return None,
                '\\' => unquoted.push(inner.next()?),
                _ => unquoted.push(next),
            }
        }
        Some(unquoted)
    }

    fn quote(value: &str, escape_all: bool) -> String {
        let escaped = value.chars().flat_map(|next| {
            let escape = escape_all || matches!(next, '"' | '\\');
            escape.then_some('\\').into_iter().chain([next])
        });
        format!("\"{}\"", escaped.collect::<String>())
    }

    fn config(cases: u32) -> ProptestConfig {
        ProptestConfig {
            failure_persistence: None, // The message has the case.
            ..ProptestConfig::with_cases(cases)
        }
    }

    /// A value, and how it is written.
    fn value() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            "[a-z0-9.!~-]{1,6}".prop_map(|token| (token.clone(), token)),
            ("[ -~\t]{0,8}", any::<bool>()).prop_map(|(value, escape_all)| {
                let quoted = quote(&value, escape_all);
                (value, quoted)
            }),
        ]
    }

    /// The `proto` and `host` of an element, and how it is written.
    fn written_element() -> impl Strategy<Value = ((Option<String>, Option<String>), String)> {
        let parameters = (
            prop::option::of(value()),
            prop::option::of(value()),
            prop::option::of(value()),
            select(&["proto", "Proto", "PROTO"][..]),
            select(&["host", "Host", "hOST"][..]),
        );
        let order = Just([0, 1, 2]).prop_shuffle();
        let separator = select(&[";", ";;"][..]);
        (parameters, order, separator).prop_map(|((proto, host, node, p, h), order, separator)| {
            let named = [(p, &proto), (h, &host), ("for", &node)];
            let pairs = order.iter().filter_map(|&at| {
                let (name, value) = named[at];
                value.as_ref().map(|(_, text)| format!("{name}={text}"))
            });
            let text = pairs.collect::<Vec<_>>().join(separator);
            (
                (proto.map(|value| value.0), host.map(|value| value.0)),
                text,
            )
        })
    }

    proptest! {
        #![proptest_config(config(1000))]

        #[test]
        fn written_elements_read_back(
            elements in prop::collection::vec((written_element(), "[ \t]{0,2},[ \t]{0,2}|\n"), 1..6),
            hops in 1..7_usize,
        ) {
            let mut header = String::from("for=first");
            for ((_, text), separator) in &elements {
                header.push_str(separator);
                header.push_str(text);
            }
            let lines = header.split('\n').collect::<Vec<_>>();
            let mut expected = vec![(None, None)];
            expected.extend(elements.into_iter().map(|((origin, _), _)| origin));
            let selected = expected.len().saturating_sub(hops);
            prop_assert_eq!(parse(&lines, hops), Ok(Some(expected.swap_remove(selected))));
        }

        #[test]
        fn agrees_with_splitting_outside_quotes(
            pieces in prop::collection::vec(
                select(&["host", "host=a", "proto=b", "x=\"", "=", "\"", "\\", ";", ",", " ", "\n"][..]),
                0..10,
            ),
            hops in 1..4_usize,
        ) {
            let lines = pieces.concat().split('\n').map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(parse(&lines, hops), split_and_check(&lines, hops));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(line: Vec<u8>, hops in 1..4_usize) {
            let _ = parse(&[line], hops);
        }
    }
}
