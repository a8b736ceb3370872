//! `Link`: a list without quotes beside a model that splits it; then the same list around a quoted
//! string, which may contain anything.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, public_reference, rewritten};
use http::{header::LINK, HeaderValue};
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
    assert_only_prefixed(root_path, links, once.as_bytes());

    let expected = model(root_path, links)?;
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

/// Nothing but the root path is inserted, before slashes only.
fn assert_only_prefixed(root_path: &str, before: &[u8], mut after: &[u8]) {
    for (at, byte) in before.iter().enumerate() {
        let end = before[at..]
            .iter()
            .position(|byte| b">\"; \t,".contains(byte));
        let reference = &before[at..end.map_or(before.len(), |end| at + end)];
        if *byte == b'/' && public_reference(root_path, reference) != reference {
            after = after.strip_prefix(root_path.as_bytes()).unwrap_or(after);
        }
        after = after
            .strip_prefix(&[*byte])
            .expect("every other byte is identical");
    }
    assert!(after.is_empty());
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
