//! The rule for one reference, compared with a model, and where its result leads by the `url` crate.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{decoded, follow, get, is_under, public_path, public_reference, received, rewritten};
use http::{header::LOCATION, HeaderValue};
use tower_root_path::{Rewrite, RootPath, RootPathLayer};
use url::Url;

const OWN: &str = "http://app:3000";

fuzz::target!(check);

fn check([root_path, uri, reference]: [&[u8]; 3]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let value = HeaderValue::from_bytes(reference).ok()?;
    get(uri)?;
    let layer =
        RootPathLayer::from(root_path.clone()).rewrite(Rewrite::redirects().own_origin(OWN));
    for layer in [layer.clone(), layer.strip_if_present()] {
        let rewrite = |value: &HeaderValue| rewritten(&layer, get(uri).unwrap(), LOCATION, value);
        let once = rewrite(&value);
        assert_eq!(rewrite(&once), once, "a second pass changes nothing");
        let seen = received(&layer, get(uri)?).uri().clone();
        let reflected = [
            seen.path().as_bytes().to_owned(),
            decoded(seen.path().as_bytes()),
        ];
        if seen.scheme().is_none() {
            let expected = model(root_path.as_str(), &reflected, value.as_bytes());
            assert_eq!(once, HeaderValue::from_bytes(&expected).unwrap());
        }
        if once != value {
            assert_rewritten(root_path.as_str(), reference.trim_ascii(), once.as_bytes());
        }

        // No new origin, and none at all that comes from the request.
        let page = Url::parse("https://pub.example/x").unwrap();
        let leads_away =
            |path: &Vec<u8>| follow(&page, path).is_none_or(|url| url.origin() != page.origin());
        let is_reflected =
            reference.trim_ascii().starts_with(b"/") && reflected.iter().any(leads_away);
        match (follow(&page, reference), follow(&page, once.as_bytes())) {
            (_, Some(landed)) if landed.origin() == page.origin() => {}
            (Some(original), Some(landed)) if original == landed => assert!(!is_reflected),
            (None, None) if once == value => {}
            (original, landed) => panic!("{original:?} became {landed:?}"),
        }
    }
    Some(())
}

/// The prefix is there once, and the rest is as the app wrote it.
fn assert_rewritten(root_path: &str, reference: &[u8], once: &[u8]) {
    let rest = once
        .strip_prefix(root_path.as_bytes())
        .unwrap_or_else(|| panic!("{once:?}"));
    assert!(reference.ends_with(rest.strip_prefix(b"/").unwrap_or(rest)));
    let has_more = !root_path.is_empty() && is_under(rest, root_path);
    assert!(
        !has_more || reference.ends_with(&once[1..]),
        "the prefix is there twice"
    );
    assert!(once.len() <= root_path.len() + reference.len() + 1);
}

fn model(root_path: &str, request_paths: &[Vec<u8>], value: &[u8]) -> Vec<u8> {
    let reference = value.trim_ascii();
    let own = ["http://app:", "//app:"].into_iter().find_map(|own| {
        let (before_port, rest) = reference.split_at_checked(own.len())?;
        let zeros = rest.iter().take_while(|byte| **byte == b'0').count();
        let path = rest[zeros..].strip_prefix(b"3000")?;
        let is_own = before_port.eq_ignore_ascii_case(own.as_bytes());
        (is_own && matches!(path, [] | [b'/' | b'?' | b'#', ..])).then_some(path)
    });
    let reflects = request_paths.iter().any(|path| is_network_path(path));
    let path = match own {
        _ if reflects && is_network_path(reference) => without_slashes(reference),
        Some(path) if root_path.is_empty() && is_network_path(path) => without_slashes(path),
        Some(path) => path.strip_prefix(b"/").unwrap_or(path),
        None => match public_reference(root_path, reference) {
            unchanged if unchanged == reference => return value.to_owned(),
            changed => return changed,
        },
    };
    public_path(root_path, &[b"/", path].concat())
}

fn is_network_path(reference: &[u8]) -> bool {
    let mut significant = reference.iter().filter(|byte| !b"\t\r\n".contains(byte));
    reference.starts_with(b"/") && significant.nth(1).is_some_and(|byte| b"/\\".contains(byte))
}

fn without_slashes(reference: &[u8]) -> &[u8] {
    let start = reference
        .iter()
        .position(|byte| !b"/\\\t\r\n".contains(byte));
    &reference[start.unwrap_or(reference.len())..]
}
