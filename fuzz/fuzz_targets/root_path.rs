//! The grammar of root paths, compared with a model that checks whole segments.
#![cfg_attr(fuzzing, no_main)]

use fuzz::is_under;
use http::{HeaderValue, Uri};
use tower_root_path::RootPath;
use url::Url;

fuzz::target!(check);

fn check([value, path]: [&[u8]; 2]) -> Option<()> {
    let parsed = RootPath::try_from(value);
    assert_eq!(
        parsed
            .as_ref()
            .ok()
            .map(|root_path| root_path.as_str().as_bytes()),
        model(value)
    );

    let root_path = match parsed {
        Ok(root_path) => root_path,
        Err(error) => {
            // The error shows a percent-encoding only if it is valid.
            let text = error.to_string();
            if let Some((_, shown)) = text.rsplit_once("; percent-encoded it is ") {
                let shown: String = serde_json::from_str(shown).unwrap();
                assert!(shown.parse::<RootPath>().is_ok(), "{text}");
            }
            return Some(());
        }
    };
    let text = root_path.as_str();
    assert_eq!(text.parse().as_ref(), Ok(&root_path));
    assert!(HeaderValue::from_str(text).is_ok());
    assert!(text.is_empty() || text.parse::<Uri>().is_ok_and(|uri| uri.path() == text));
    assert!(!text.contains(['"', '\'', '<', '>', '\\', '{', '}', '`', ' ']));

    let path = std::str::from_utf8(path).ok()?;
    let joined = root_path.join(path);
    assert!(
        joined.starts_with(text) && joined[text.len()..].starts_with('/'),
        "{joined}"
    );
    assert!(path.ends_with(&joined[text.len() + 1..]), "{joined}");
    let page = Url::parse("https://pub.example/").unwrap();
    assert_eq!(
        page.join(&joined).unwrap().origin(),
        page.origin(),
        "{joined}"
    );
    assert_eq!(
        root_path.strip(&joined).as_deref(),
        Some(&joined[text.len()..])
    );

    let rest = root_path.strip(path);
    assert_eq!(rest.is_some(), is_under(path.as_bytes(), text));
    assert!(rest.is_none_or(|rest| rest.starts_with('/') && path.ends_with(&rest[1..])));

    if let Ok(inner) = path.parse::<RootPath>() {
        let both = root_path.concat(&inner).ok().map(String::from);
        let whole = [text, inner.as_str()].concat();
        assert_eq!(
            both,
            Some(whole).filter(|whole| whole.len() <= RootPath::MAX_LEN)
        );
    }
    Some(())
}

/// `value` without trailing slashes, if it is valid.
fn model(value: &[u8]) -> Option<&[u8]> {
    let end = value
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let trimmed = &value[..end];
    if trimmed.is_empty() {
        return (value.len() <= 1).then_some(trimmed);
    }
    let segments = trimmed.strip_prefix(b"/")?.split(|byte| *byte == b'/');
    let is_valid = trimmed.len() <= 1024 && segments.into_iter().all(is_segment);
    is_valid.then_some(trimmed)
}

fn is_segment(segment: &[u8]) -> bool {
    let mut parts = segment.split(|byte| *byte == b'%');
    let is_plain = |part: &[u8]| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&()*+=:@".contains(byte);
        part.iter().all(is_plain)
    };
    let is_triplet_and_plain = |part: &[u8]| {
        let Some((digits, plain)) = part.split_at_checked(2) else {
            return false;
        };
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| !digits.contains('+'));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| {
            matches!(byte, 0x80.. | b' ' | b'!' | b'"' | b'$' | b'&'..=b','
            | b':' | b'<'..=b'>' | b'@' | b'[' | b']' | b'^' | b'`' | b'{'..=b'}')
        }) && is_plain(plain)
    };
    !matches!(segment, b"" | b"." | b"..")
        && parts.next().is_some_and(is_plain)
        && parts.all(is_triplet_and_plain)
}
