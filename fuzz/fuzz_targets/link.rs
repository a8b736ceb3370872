//! `Link`: a list without quotes, compared with a model that splits it, and then the same list after
//! a quoted string with arbitrary text.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, public_reference, rewritten};
use http::{header::LINK, HeaderValue};
use std::collections::HashSet;
use tower_root_path::{Rewrite, RootPath, RootPathLayer};

fuzz::target!(check);

fn check([root_path, text, links]: [&[u8]; 3]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let layer = RootPathLayer::from(root_path.clone()).rewrite(Rewrite::none().link());
    let rewrite = |value: &HeaderValue| rewritten(&layer, get(b"/").unwrap(), LINK, value);
    let root_path = root_path.as_str();

    let value = HeaderValue::from_bytes(links).ok()?;
    let once = rewrite(&value);
    assert_eq!(rewrite(&once), once, "a second pass changes nothing");
    assert!(is_prefixed(root_path, links, once.as_bytes()));

    let Some(expected) = model(root_path, links) else {
        return Some(());
    };
    assert_eq!(once, HeaderValue::from_bytes(&expected).unwrap());

    let quoted = |links: &[u8], target: &[u8]| {
        let escaped: Vec<_> = text
            .iter()
            .flat_map(|byte| match byte {
                b'"' | b'\\' => vec![b'\\', *byte],
                _ => vec![*byte],
            })
            .collect();
        HeaderValue::from_bytes(
            &[
                b"<",
                target,
                b">; title=\"",
                &escaped,
                b"\"; anchor=\"",
                target,
                b"\", ",
                links,
            ]
            .concat(),
        )
    };
    let both = rewrite(&quoted(links, b"/x").ok()?);
    let target = public_reference(root_path, b"/x");
    assert_eq!(both, quoted(&expected, &target).unwrap());
    Some(())
}

/// Whether `after` is `before` with the root path before some of its slashes, once before each.
fn is_prefixed(root_path: &str, before: &[u8], after: &[u8]) -> bool {
    if root_path.is_empty() {
        return before == after;
    }
    // How often the root path may have been inserted so far.
    let mut counts = HashSet::from([0]);
    for (at, byte) in before.iter().enumerate() {
        let begins_with = |count: usize, expected: &[u8]| {
            let rest = after.get(at + count * root_path.len()..);
            rest.is_some_and(|rest| rest.starts_with(expected))
        };
        let mut more = counts.clone();
        more.retain(|count| *byte == b'/' && begins_with(*count, root_path.as_bytes()));
        counts.extend(more.iter().map(|count| count + 1));
        counts.retain(|count| begins_with(*count, &[*byte]));
    }
    let len = |count: &usize| before.len() + count * root_path.len();
    counts.iter().any(|count| len(count) == after.len())
}

/// The rewritten list, if it has neither quotes nor syntax errors.
fn model(root_path: &str, links: &[u8]) -> Option<Vec<u8>> {
    let mut rewritten = Vec::new();
    let mut rest = links;
    while let Some(start) = rest.iter().position(|byte| !b" \t,".contains(byte)) {
        let end = start + rest[start..].iter().position(|byte| *byte == b'>')?;
        let target = rest[start..end].strip_prefix(b"<")?;
        rewritten.extend([&rest[..=start], &public_reference(root_path, target)].concat());
        let next = rest[end..].iter().position(|byte| *byte == b',');
        let parameters;
        (parameters, rest) = rest[end..].split_at(next.unwrap_or(rest.len() - end));
        let mut parts = parameters.split(|byte| *byte == b';');
        rewritten.extend(parts.next().filter(|part| part.trim_ascii_end() == b">")?);
        for part in parts {
            let name = part.split(|byte| *byte == b'=').next()?.trim_ascii();
            if part.contains(&b'"') || name.iter().any(u8::is_ascii_whitespace) {
                return None;
            }
            let value = part
                .iter()
                .position(|byte| *byte == b'=')
                .map(|equals| &part[equals + 1..]);
            let is_anchor = name.eq_ignore_ascii_case(b"anchor") && !part.contains(&b'\\');
            let value = value
                .filter(|_| is_anchor)
                .unwrap_or_default()
                .trim_ascii_start();
            rewritten.push(b';');
            rewritten.extend(&part[..part.len() - value.len()]);
            rewritten.extend(public_reference(root_path, value.trim_ascii_end()));
            rewritten.extend(&value[value.trim_ascii_end().len()..]);
        }
    }
    rewritten.extend(rest);
    Some(rewritten)
}
