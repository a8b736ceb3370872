//! Original paths, compared with a model that tries every prefix.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, received};
use http::{HeaderName, HeaderValue, Request};
use std::collections::HashSet;
use tower_root_path::{Forwarded, ForwardedPrefix, RootPath, RootPathLayer, TrustedProxies};

const HEADER: HeaderName = HeaderName::from_static("x-envoy-original-path");

fuzz::target!(check);

fn check([uri, original]: [&[u8]; 2]) -> Option<()> {
    let value = HeaderValue::from_bytes(original).ok()?;
    let original = original.trim_ascii();
    let mut request: Request<()> = get(uri)?;
    request.headers_mut().insert(HEADER, value);
    let forwarded = ForwardedPrefix::original_path_header(HEADER, TrustedProxies::all());
    let read = forwarded.read(&request);

    let before_query = original.split(|byte| *byte == b'?').next()?;
    let candidates = candidates(
        &decoded(before_query),
        &decoded(request.uri().path().as_bytes()),
    );
    assert!(candidates.len() <= 1, "{candidates:?}");
    let expected = match original {
        b"" => Some(RootPath::EMPTY),
        _ => candidates.into_iter().next(),
    };
    match read {
        Forwarded::Used(root_path) => assert_eq!(Some(root_path), expected),
        Forwarded::Invalid(_) => assert_eq!(expected, None),
        other => panic!("{other}"),
    }

    // The path is stripped already.
    let layer = RootPathLayer::new("/api")
        .with_forwarded(forwarded)
        .strip_if_present();
    let uri = request.uri().clone();
    let received = received(layer, request);
    match expected {
        Some(root_path) => {
            assert_eq!(RootPath::from_extensions(received.extensions()), root_path);
            assert_eq!(*received.uri(), uri);
        }
        None => assert_eq!(RootPath::from_extensions(received.extensions()), "/api"),
    }
    Some(())
}

/// The root paths that make `original` of `path`, with or without a slash at the end.
fn candidates(original: &[u8], path: &[u8]) -> HashSet<RootPath> {
    let trimmed = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_owned();
    let makes_original =
        |end: &usize| trimmed(&[&original[..*end], path].concat()) == trimmed(original);
    let has_length = |end: &usize| (end + path.len()).abs_diff(original.len()) <= 1;
    let begins_segment = |end: &usize| *end == 0 || path.starts_with(b"/");
    let ends = (0..=original.len()).filter(has_length);
    let ends = ends.filter(makes_original).filter(begins_segment);
    ends.filter_map(|end| RootPath::try_from(&original[..end]).ok())
        .collect()
}

/// `path` with the triplets of unreserved characters decoded, unless one is malformed.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let [byte, next @ ..] = rest {
        rest = next;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digits = next
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            return path.to_owned();
        };
        let byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        rest = &next[2..];
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => decoded.push(byte),
            false => decoded.extend([b"%", digits].concat()),
        }
    }
    decoded
}
