//! JSON text that is edited in place: the values of an object, and edits by byte range.
//!
//! Unlike a round trip through a value, this keeps every other byte: white space, the order of
//! keys, numbers and escapes as they are written.

use serde::{
    de::{MapAccess, Visitor},
    Deserialize, Deserializer,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

/// The members of a JSON object, in their order, with values that are not parsed yet.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Parses `json`. `None` if it is not valid JSON or not an object.
    pub(crate) fn parse(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The value of the last member with this key: the one that counts for most parsers, such as
    /// `JSON.parse`.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter().rev();
        Some(members.find(|(name, _)| name == key)?.1)
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, &'a RawValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A string, borrowed if it has no escapes; `Cow` alone is always deserialized as owned.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The unescaped text of a JSON string. `None` if `json` is another value.
pub(crate) fn string(json: &RawValue) -> Option<Cow<'_, str>> {
    let Text(string) = serde_json::from_str(json.get()).ok()?;
    Some(string)
}

/// Edits of a JSON text.
pub(crate) struct Edits<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let edits = Vec::new();
        Self { text, edits }
    }

    /// The byte range of `value`, which was parsed from the text.
    pub(crate) fn range_of(&self, value: &RawValue) -> Range<usize> {
        let start = value.get().as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + value.get().len()
    }

    /// Replaces the bytes in `range`; ranges must not overlap.
    pub(crate) fn replace(&mut self, range: Range<usize>, replacement: String) {
        self.edits.push((range, replacement));
    }

    /// The edited text. `None` if there are no edits.
    pub(crate) fn apply(mut self) -> Option<String> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let added: usize = self.edits.iter().map(|(_, added)| added.len()).sum();
        let mut edited = String::with_capacity(self.text.len() + added);
        let mut copied = 0;
        for (Range { start, end }, replacement) in self.edits {
            edited.push_str(&self.text[copied..start]);
            edited.push_str(&replacement);
            copied = end;
        }
        edited.push_str(&self.text[copied..]);
        Some(edited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_byte_outside_the_edits() {
        let text = r#" { "a" : 1.0e2, "b":["x" ], "\u0061": null } "#;
        let object = Object::parse(text).unwrap();
        let mut edits = Edits::new(text);
        // Out of order, and the last of two equal keys.
        for key in ["a", "b"] {
            let range = edits.range_of(object.get(key).unwrap());
            edits.replace(range.start..range.start, "!".to_owned());
            edits.replace(range, format!("\"{key}\""));
        }
        let expected = r#" { "a" : 1.0e2, "b":!"b", "\u0061": !"a" } "#;
        assert_eq!(edits.apply().as_deref(), Some(expected));
        assert_eq!(Edits::new(text).apply(), None);
    }

    #[test]
    fn parses_objects_only() {
        for (json, is_object) in [
            ("{}", true),
            (r#"{"a":{"b":[]}}"#, true),
            ("[]", false),
            ("null", false),
            ("{", false),
            ("{} x", false),
            (r#"{"a":}"#, false),
            (r#"{a:1}"#, false),
        ] {
            assert_eq!(Object::parse(json).is_some(), is_object, "{json}");
        }
    }

    #[test]
    fn unescapes_strings() {
        for (json, expected) in [
            (r#""/a""#, Some("/a")),
            (r#""\/caf\u00e9""#, Some("/café")),
            (r#""\ud83d\ude00""#, Some("😀")),
            (r#""\ud83d""#, None),
            ("null", None),
            ("1", None),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(string(value).as_deref(), expected, "{json}");
        }
    }
}
