//! The rule for one URI reference, on bytes: the table in the documentation of
//! [`Rewrite`](super::Rewrite), row by row.

use crate::{uri, Origin, RootPath};
use http::Uri;

/// What the references of a response are relative to.
#[derive(Debug)]
pub(crate) struct Base {
    root_path: RootPath,
    /// Where in `root_path` the mount begins, which references may carry alone. At most its length.
    mount_at: usize,
    /// Behind a pointer, so that the future of an ordinary request stays small.
    unusual: Option<Box<Unusual>>,
}

/// What only requests in a mount, in absolute-form or with a path that may be reflected need.
#[derive(Debug, Default)]
pub(crate) struct Unusual {
    /// Whether the request path, if the app reflects it, is a network-path reference.
    reflects_as_network_path: bool,
    /// The mount as the client wrote it, if the root path has it percent-encoded.
    mount_as_received: Option<Box<str>>,
    /// With HTTP/2 and the absolute-form.
    request_url: Option<RequestUrl>,
}

/// The URL of a request that has scheme and authority in its URI. Redirects to itself carry them.
#[derive(Debug)]
pub(crate) struct RequestUrl {
    /// As the app saw it.
    uri: Uri,
    /// Whether the layer stripped its root path from it.
    has_stripped: bool,
    /// As the outermost router received it.
    original: Option<Uri>,
}

impl Unusual {
    /// `uri` is the one that the app sees, `original` the one that the outermost router received,
    /// if the app is mounted. `None` if nothing is unusual.
    #[inline(never)]
    pub(crate) fn new(
        uri: &Uri,
        original: Option<&Uri>,
        has_stripped: bool,
        mount_as_received: Option<&str>,
    ) -> Option<Box<Self>> {
        // A mounted app may reflect the original path too.
        let reflects = uri::reflects_as_network_path(uri)
            || original.is_some_and(uri::reflects_as_network_path);
        let is_absolute = uri.scheme().is_some();
        let is_unusual = reflects || is_absolute || mount_as_received.is_some();
        is_unusual.then(|| {
            Box::new(Self {
                reflects_as_network_path: reflects,
                mount_as_received: mount_as_received.map(Into::into),
                request_url: is_absolute.then(|| RequestUrl {
                    uri: uri.clone(),
                    has_stripped,
                    original: original.cloned(),
                }),
            })
        })
    }
}

impl Base {
    /// From `mount_at` on, `root_path` is the mount, or what the layer itself adds.
    #[inline]
    pub(crate) fn new(root_path: RootPath, mount_at: usize, unusual: Option<Box<Unusual>>) -> Self {
        Self {
            root_path,
            mount_at,
            unusual,
        }
    }

    /// For a response that only reflects the request path.
    pub(crate) fn reflected() -> Self {
        let unusual = Unusual {
            reflects_as_network_path: true,
            ..Unusual::default()
        };
        Self::new(RootPath::EMPTY, 0, Some(Box::new(unusual)))
    }

    #[inline]
    pub(crate) fn has_root_path(&self) -> bool {
        !self.root_path.is_empty()
    }

    /// The mount, or what the layer itself adds.
    pub(crate) fn own(&self) -> &str {
        &self.root_path.as_str()[self.mount_at..]
    }

    #[inline]
    pub(crate) fn reflects_as_network_path(&self) -> bool {
        let unusual = self.unusual.as_ref();
        unusual.is_some_and(|unusual| unusual.reflects_as_network_path)
    }

    /// What is missing in front of the path `/` + `rest`, which the app emits.
    #[inline]
    pub(super) fn missing_prefix(&self, rest: &[u8]) -> &str {
        let missing = uri::missing_prefix(self.root_path.as_str(), rest);
        let may_carry_mount = self.mount_at > 0 || self.unusual.is_some();
        if missing.is_empty() || !may_carry_mount {
            return missing;
        }
        self.missing_before_mount(rest).unwrap_or(missing)
    }

    /// What is missing if the path carries the mount alone.
    #[inline(never)]
    fn missing_before_mount(&self, rest: &[u8]) -> Option<&str> {
        let (outer, mount) = self.root_path.as_str().split_at(self.mount_at);
        let carries =
            |prefix: &str| !prefix.is_empty() && uri::missing_prefix(prefix, rest).is_empty();
        if carries(mount) {
            return Some(outer);
        }
        let mount = self.unusual.as_ref()?.mount_as_received.as_deref()?;
        if carries(mount) {
            Some(outer)
        } else {
            carries(&[outer, mount].concat()).then_some("")
        }
    }
}

/// Rewrites a header value that is one reference; `None` if it stays.
pub(super) fn rewrite_value(value: &[u8], base: &Base, own_origins: &[Origin]) -> Option<Vec<u8>> {
    rewrite(value.trim_ascii(), base, own_origins)
}

/// Rewrites `reference` to a path-absolute one under the root path; `None` if it stays.
pub(super) fn rewrite(reference: &[u8], base: &Base, own_origins: &[Origin]) -> Option<Vec<u8>> {
    let path = path_in_app(reference, base, own_origins)?;
    let rest = path.strip_prefix(b"/").unwrap_or(path);
    let missing = base.missing_prefix(rest);
    if missing.is_empty() && reference.strip_prefix(b"/") == Some(rest) {
        return None;
    }
    let mut rewritten = Vec::with_capacity(missing.len() + 1 + rest.len());
    rewritten.extend_from_slice(missing.as_bytes());
    rewritten.push(b'/');
    rewritten.extend_from_slice(rest);
    Some(rewritten)
}

/// The path, query and fragment of a reference to this app; `None` for any other reference, and
/// for one that has no need of a root path.
fn path_in_app<'a>(reference: &'a [u8], base: &Base, own_origins: &[Origin]) -> Option<&'a [u8]> {
    let without_leading_slashes = |path: &'a [u8]| &path[uri::leading_slashes(path)..];
    let has_root_path = base.has_root_path();

    if base.reflects_as_network_path() && uri::is_network_path(reference) {
        return Some(without_leading_slashes(reference));
    }
    if reference.starts_with(b"/") && !reference.starts_with(b"//") {
        return has_root_path.then_some(reference);
    }
    if let Some(path) = own_origins.iter().find_map(|own| own.path_of(reference)) {
        // Alone, the path may be a network-path reference.
        let may_stay = has_root_path || !uri::is_network_path(path);
        return Some(if may_stay {
            path
        } else {
            without_leading_slashes(path)
        });
    }
    let request_url = base.unusual.as_ref()?.request_url.as_ref()?;
    let own = &base.root_path.as_str()[base.mount_at..];
    request_url
        .path_of(reference, own)
        .filter(|_| has_root_path)
}

impl RequestUrl {
    /// The path, query and fragment of a reference to this very URL, ignoring one trailing slash and
    /// the query. `own` is the root path of the layer.
    fn path_of<'a>(&self, reference: &'a [u8], own: &str) -> Option<&'a [u8]> {
        let rest = reference.strip_prefix(self.uri.scheme_str()?.as_bytes())?;
        let rest = rest.strip_prefix(b"://")?;
        let rest = rest.strip_prefix(self.uri.authority()?.as_str().as_bytes())?;
        let path = rest.split(|byte| matches!(byte, b'?' | b'#')).next()?;

        let is = |uri: &Uri, path| without_slash(path) == without_slash(uri.path().as_bytes());
        let unstripped = path
            .strip_prefix(own.as_bytes())
            .filter(|_| self.has_stripped);
        let is_self = is(&self.uri, path)
            || unstripped.is_some_and(|path| is(&self.uri, path))
            || self.original.as_ref().is_some_and(|uri| is(uri, path));
        is_self.then_some(rest)
    }
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}
