//! The rule for one URI reference, on bytes: the table in the documentation of
//! [`Rewrite`](super::Rewrite), row by row.

use super::origin::{Authority, Origin, Scheme};
use crate::{uri, RootPath};
use std::borrow::Cow;

/// What a reference is relative to: the app's place, and what the request said of it.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The whole root path; if it is empty, only echoes of the path change.
    pub(crate) root_path: RootPath,
    /// Where in `root_path` begins what the innermost layer has added.
    pub(crate) own_at: usize,
    /// Where in `root_path` begins all that the routers have taken off the path.
    pub(crate) mount_at: usize,
    /// That mount as the request had it, if `root_path` has it otherwise.
    pub(crate) raw_mount: Option<Box<str>>,
    pub(crate) authority: Option<Authority>,
    /// Whether the path, as the app saw it, began with `//` or `/\`.
    pub(crate) path_looks_like_a_host: bool,
}

impl Base {
    /// Without a root path.
    pub(crate) fn nowhere() -> Self {
        Self {
            root_path: RootPath::EMPTY,
            own_at: 0,
            mount_at: 0,
            raw_mount: None,
            authority: None,
            path_looks_like_a_host: false,
        }
    }

    /// Without a root path, and where what looks like a host is an echo of the path.
    pub(crate) fn of_an_echo() -> Self {
        Self {
            path_looks_like_a_host: true,
            ..Self::nowhere()
        }
    }

    pub(crate) fn is_somewhere(&self) -> bool {
        !self.root_path.is_empty()
    }

    /// `rest` with the mount as the root path has it, if it carries it as the request had it.
    pub(super) fn with_written_mount<'a>(&self, rest: &'a [u8]) -> Cow<'a, [u8]> {
        if let Some(raw_mount) = &self.raw_mount {
            let (outer, mount) = self.root_path.as_str().split_at(self.mount_at);
            for front in [outer, ""] {
                let raw = [front, raw_mount].concat();
                if uri::missing_prefix(&raw, rest).is_empty() {
                    let written = [front, mount].concat();
                    let behind = &rest[raw.len() - 1..];
                    return Cow::Owned([&written.as_bytes()[1..], behind].concat());
                }
            }
        }
        Cow::Borrowed(rest)
    }

    /// What is missing in front of the path `/` + `rest`.
    pub(super) fn missing_prefix(&self, rest: &[u8]) -> &str {
        let root_path = self.root_path.as_str();
        let missing = uri::missing_prefix(root_path, rest);
        if missing.is_empty() {
            return missing;
        }
        // A reference may carry a mount without what is in front of it.
        for start in [self.mount_at, self.own_at] {
            let (outer, mount) = root_path.split_at(start);
            if !mount.is_empty() && uri::missing_prefix(mount, rest).is_empty() {
                return outer;
            }
        }
        missing
    }
}

/// What a value that is one reference becomes, or `None` if it stays.
pub(super) fn rewrite_value(value: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    rewrite(value.trim_ascii(), base, origins)
}

/// What `reference` becomes, or `None` if it stays.
pub(super) fn rewrite(reference: &[u8], base: &Base, origins: &[Origin]) -> Option<Vec<u8>> {
    if begins_like_a_host(reference) && base.path_looks_like_a_host {
        // Browsers drop tabs and newlines, so one in the run would hide a slash behind it.
        let run = reference
            .iter()
            .take_while(|byte| matches!(byte, b'/' | b'\\' | b'\t' | b'\n' | b'\r'));
        let rest = base.with_written_mount(&reference[run.count()..]);
        return Some([base.missing_prefix(&rest).as_bytes(), b"/", &rest].concat());
    }
    if base.root_path.is_empty() {
        return None;
    }
    let (kept, path) = split_own_authority(reference, base, origins)?;
    let rest = base.with_written_mount(path.strip_prefix(b"/").unwrap_or(path));
    let missing = base.missing_prefix(&rest);
    let is_whole = kept.len() + path.len() == reference.len() && matches!(rest, Cow::Borrowed(_));
    if missing.is_empty() && is_whole {
        return None;
    }
    Some([kept, missing.as_bytes(), b"/", &rest].concat())
}

/// Whether a browser would read a host at the beginning of a path-absolute reference.
pub(crate) fn looks_like_a_host(path: &str) -> bool {
    begins_like_a_host(path.as_bytes())
}

fn begins_like_a_host(reference: &[u8]) -> bool {
    matches!(reference, [b'/', b'/' | b'\\', ..])
}

/// What of a reference to this app stays in front of the root path (a scheme and an authority, or
/// nothing), and its path, query and fragment. `None` for any other reference.
fn split_own_authority<'a>(
    reference: &'a [u8],
    base: &Base,
    origins: &[Origin],
) -> Option<(&'a [u8], &'a [u8])> {
    if reference.starts_with(b"/") && !reference.starts_with(b"//") {
        return Some((b"", reference));
    }
    let (scheme, behind_scheme) = match Scheme::split_from(reference) {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, reference),
    };
    // Relative, or `https:x` and `https:/x`, which do not parse exactly.
    let behind_slashes = behind_scheme.strip_prefix(b"//")?;
    let authority = behind_slashes
        .split(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .next()
        .unwrap_or_default();
    let path = &behind_slashes[authority.len()..];

    if let Some(own) = &base.authority {
        if own.is(scheme, authority) {
            let upgrades = scheme == Some(Scheme::Https) && own.scheme() != Some(Scheme::Https);
            let kept = if upgrades {
                reference.len() - path.len()
            } else {
                0
            };
            return Some((&reference[..kept], path));
        }
    }
    origins
        .iter()
        .any(|origin| origin.is(scheme, authority))
        .then_some((b"", path))
}
