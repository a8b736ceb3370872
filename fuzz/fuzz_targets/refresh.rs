//! `Refresh`, compared with the [steps of the HTML standard][html].
//!
//! [html]: https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, public_reference, rewritten};
use http::{header::REFRESH, HeaderValue};
use tower_root_path::{RootPath, RootPathLayer};

fuzz::target!(check);

fn check([root_path, refresh]: [&[u8]; 2]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let value = HeaderValue::from_bytes(refresh).ok()?;
    let layer = RootPathLayer::from(root_path.clone());
    let rewrite = |value: &HeaderValue| rewritten(&layer, get(b"/").unwrap(), REFRESH, value);
    let once = rewrite(&value);
    assert_eq!(rewrite(&once), once, "a second pass changes nothing");

    let expected = match url(refresh) {
        None => refresh.to_owned(),
        Some((before, reference, after)) => {
            let public = public_reference(root_path.as_str(), reference);
            [before, &public, after].concat()
        }
    };
    assert_eq!(once, HeaderValue::from_bytes(&expected).unwrap());
    Some(())
}

/// What is before the URL, the URL, and what is after it.
fn url(input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // Skip ASCII white space, collect digits, collect digits and dots.
    let rest = input.trim_ascii_start();
    let is_of_time = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let (time, mut rest) = rest.split_at(rest.iter().take_while(is_of_time).count());
    if time.is_empty() {
        return None;
    }
    match rest.first()? {
        b';' | b',' => {}
        byte if byte.is_ascii_whitespace() => rest = rest.trim_ascii_start(),
        _ => return None,
    }
    if let [b';' | b',', after @ ..] = rest {
        rest = after.trim_ascii_start();
    }
    // `url`, then white space and `=`, or it is the beginning of the URL.
    if rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"url") {
        if let [b'=', after @ ..] = rest[3..].trim_ascii_start() {
            rest = after.trim_ascii_start();
        }
    }
    // Skip quotes.
    if let [quote @ (b'"' | b'\''), after @ ..] = rest {
        rest = after.split(|byte| byte == quote).next()?;
    }
    // The URL parser removes white space around.
    let start = rest.trim_ascii_start().as_ptr() as usize - input.as_ptr() as usize;
    let (before, from) = input.split_at(start);
    let (url, after) = from.split_at(rest.trim_ascii().len());
    Some((before, url, after))
}
