//! What the response emits: which of its headers, and the rule for each reference in them.

mod location;
mod origin;
mod refresh;

pub use self::origin::{InvalidOrigin, Origin};
pub(crate) use self::{
    location::{looks_like_a_host, Base},
    origin::Authority,
};

use http::{header, HeaderMap, HeaderValue};
use std::fmt;

/// Which response headers [`RootPathLayer`](crate::RootPathLayer) brings under the root path.
///
/// [`redirects`](Self::redirects), unless told otherwise. Every URI reference in these headers
/// follows one rule. With the root path `/api/v1`,
///
/// | the app emits | the client gets |
/// |---|---|
/// | `/login?next=/x#f` | `/api/v1/login?next=/x#f` |
/// | `/api/v1`, `/api/v1/x` | the same: it is there already |
/// | `/api/v10/x`, `/API/v1/x` | `/api/v1/api/v10/x`, `/api/v1/API/v1/x` |
/// | `login`, `../x`, `?q`, `#f`, `mailto:…` and nothing at all | the same: browsers resolve them against the public URL |
/// | `//other.example/x`, `https://other.example/x` | the same |
/// | the authority of the request, as in `http://app.example/login` | `/api/v1/login` |
/// | the same with `https:`, where the request is not known to be HTTPS | `https://app.example/api/v1/login` |
/// | `//evil.example/`, where the path the app saw began with `//` or `/\` as well | `/api/v1/evil.example/`: an echo of the path, not a host |
///
/// Path-absolute references are what comes out, since they can carry neither a wrong scheme nor an
/// internal host, and every proxy in its default configuration leaves them alone. A value that an
/// inner layer has rewritten stays as it is. With an empty root path nothing changes but the last
/// row.
///
/// Let one party rewrite: if the proxy does it (nginx `proxy_redirect / /api/v1/;`, lighttpd
/// `map-urlpath`), use [`none`](Self::none).
///
/// # Example
///
/// ```
/// use tower_root_path::{Rewrite, RootPathLayer};
///
/// // The app builds absolute URLs from its own address.
/// let layer = RootPathLayer::new("/api/v1")
///     .rewrite(Rewrite::redirects().origin("http://127.0.0.1:3000"));
/// ```
#[derive(Clone, Debug)]
pub struct Rewrite {
    redirects: bool,
    origins: Vec<Origin>,
}

impl Rewrite {
    /// `Location`, `Content-Location` and the `url=` of `Refresh`, whatever the status.
    #[must_use]
    pub fn redirects() -> Self {
        Self {
            redirects: true,
            origins: Vec::new(),
        }
    }

    /// Nothing: the app sees its [`RootPath`](crate::RootPath), and what it emits stays.
    #[must_use]
    pub fn none() -> Self {
        Self {
            redirects: false,
            origins: Vec::new(),
        }
    }

    /// Takes references to `origin` for references to this app as well, besides those to the
    /// authority of the request: `http://127.0.0.1:3000/login` becomes `/api/v1/login`. May be
    /// called several times.
    ///
    /// # Panics
    ///
    /// If `origin` is not `http://` or `https://` and an authority. An [`Origin`] that is parsed
    /// beforehand gives an error instead.
    #[must_use]
    #[track_caller]
    pub fn origin<O>(mut self, origin: O) -> Self
    where
        O: TryInto<Origin>,
        O::Error: fmt::Display,
    {
        match origin.try_into() {
            Ok(origin) => self.origins.push(origin),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_none(&self) -> bool {
        !self.redirects
    }

    /// Rewrites what is in `headers`, and tells whether there was a header to look at.
    ///
    /// One pass, because looking three names up costs as much for the headers that a response
    /// usually has, and because a name may have several lines.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, base: &Base) -> bool {
        let mut seen = false;
        for (name, value) in headers.iter_mut() {
            let rewritten = if name == header::LOCATION || name == header::CONTENT_LOCATION {
                location::rewrite(value.as_bytes(), base, &self.origins)
            } else if name == header::REFRESH {
                refresh::rewrite(value.as_bytes(), base, &self.origins)
            } else {
                continue;
            };
            seen = true;
            if let Some(rewritten) = rewritten {
                replace(value, rewritten);
            }
        }
        seen
    }
}

impl Default for Rewrite {
    /// [`Rewrite::redirects`].
    fn default() -> Self {
        Self::redirects()
    }
}

fn replace(value: &mut HeaderValue, bytes: Vec<u8>) {
    // Bytes of a header value and of a root path are a header value.
    if let Ok(mut rewritten) = HeaderValue::try_from(bytes) {
        rewritten.set_sensitive(value.is_sensitive());
        *value = rewritten;
    }
}
