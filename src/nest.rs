//! Mounts: the prefixes that axum's routers remove from a request path. Without the feature `axum`
//! there are none.

pub(crate) use self::routers::{is_mounted, is_routed, mount, original_uri, Accounted};

#[cfg(not(feature = "axum"))]
use self::no_routers as routers;

/// A prefix that routers removed from the path of a request, as the client wrote it.
#[derive(Debug)]
pub(crate) struct Mount<'a> {
    /// The part that no outer layer has accounted for.
    pub(crate) own: &'a str,
    /// All of it. References to the original path carry this.
    pub(crate) whole: &'a str,
}

#[cfg(feature = "axum")]
mod routers {
    use super::Mount;
    use crate::uri;
    use axum::extract::{NestedPath, OriginalUri};
    use http::{Extensions, Uri};

    /// How much of what was removed from the original path is in the root path already, so that each
    /// mount counts once.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Accounted {
        /// Where in the original path the mount begins.
        start: usize,
        /// Where in the original path the rest begins that is not accounted for.
        end: usize,
        /// The number of segments of the routers' templates that are accounted for.
        segments: usize,
    }

    impl Accounted {
        /// Accounts for all that is removed from the original path. References carry it as the mount
        /// if `is_mount`, and otherwise the layer's own root path replaces it.
        pub(crate) fn extend(self, uri: &Uri, extensions: &Extensions, is_mount: bool) -> Self {
            let removed = removed(uri, extensions);
            let end = removed.map_or(self.end, |removed| removed.trim_end_matches('/').len());
            Self {
                start: if is_mount { self.start } else { end },
                end,
                segments: template(extensions).map_or(0, count),
            }
        }
    }

    /// Finds the mount of the routers around a layer beyond what is accounted for; `None` if there
    /// is none, or if the values of its path parameters are not known.
    pub(crate) fn mount<'a>(
        uri: &Uri,
        extensions: &'a Extensions,
        accounted: Accounted,
    ) -> Option<Mount<'a>> {
        let template = template(extensions)?;
        let segments = count(template).checked_sub(accounted.segments)?;
        let template = last_segments(template, segments)?;
        let removed = removed(uri, extensions);
        let own = if template.contains('{') {
            with_values(removed?, accounted, template)?
        } else {
            template
        };
        let whole = removed.and_then(|removed| removed.get(accounted.start..));
        let whole = whole.map(|whole| whole.trim_end_matches('/'));
        Some(Mount {
            own,
            whole: whole.filter(|whole| whole.ends_with(own)).unwrap_or(own),
        })
    }

    /// The part of `removed` beyond what is accounted for, if it has the form of `template`.
    fn with_values<'a>(removed: &'a str, accounted: Accounted, template: &str) -> Option<&'a str> {
        // Of `/sub//x`, axum removes `/sub/`. So after a doubled slash, or an empty parameter, the
        // value of a parameter is not known.
        if removed.contains("//") {
            return None;
        }
        let segments = count(template);
        let mut own = removed.get(accounted.end..)?;
        if count(own) > segments {
            own = own.strip_suffix('/').unwrap_or(own);
        }
        // Other middleware may have stripped a prefix, before any mount.
        if accounted.end == 0 {
            own = last_segments(own, segments)?;
        }
        (count(own) == segments && matches(own, template)).then_some(own)
    }

    /// Whether routers have removed a mount.
    #[inline]
    pub(crate) fn is_mounted(extensions: &Extensions) -> bool {
        extensions.get::<NestedPath>().is_some()
    }

    /// Whether a router has received the request.
    #[inline]
    pub(crate) fn is_routed(extensions: &Extensions) -> bool {
        extensions.get::<OriginalUri>().is_some()
    }

    /// The URI as the outermost router received it.
    pub(crate) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
        let OriginalUri(uri) = extensions.get()?;
        Some(uri)
    }

    fn removed<'a>(uri: &Uri, extensions: &'a Extensions) -> Option<&'a str> {
        let original = original_uri(extensions)?;
        uri::removed_prefix(original.path(), uri.path())
    }

    /// The paths at which the routers are nested, with the names of path parameters in place of
    /// their values.
    fn template(extensions: &Extensions) -> Option<&str> {
        let nested_path: &NestedPath = extensions.get()?;
        Some(nested_path.as_str().trim_end_matches('/'))
    }

    /// The number of segments.
    fn count(path: &str) -> usize {
        path.matches('/').count()
    }

    /// The last `count` segments of `path`; `None` if there are none.
    fn last_segments(path: &str, count: usize) -> Option<&str> {
        let (start, _) = path.rmatch_indices('/').nth(count.checked_sub(1)?)?;
        Some(&path[start..])
    }

    /// Whether `path` has the form of `template`, which has as many segments.
    fn matches(path: &str, template: &str) -> bool {
        let mut segments = path.split('/').zip(template.split('/'));
        segments.all(|(segment, pattern)| segment == pattern || pattern.contains('{'))
    }
}

#[cfg(not(feature = "axum"))]
mod no_routers {
    use super::Mount;
    use http::{Extensions, Uri};

    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Accounted;

    impl Accounted {
        pub(crate) fn extend(self, _: &Uri, _: &Extensions, _: bool) -> Self {
            self
        }
    }

    pub(crate) fn mount<'a>(_: &Uri, _: &'a Extensions, _: Accounted) -> Option<Mount<'a>> {
        None
    }

    pub(crate) fn is_mounted(_: &Extensions) -> bool {
        false
    }

    pub(crate) fn is_routed(_: &Extensions) -> bool {
        false
    }

    pub(crate) fn original_uri(_: &Extensions) -> Option<&Uri> {
        None
    }
}
