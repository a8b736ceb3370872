//! What the response emits: which of its headers, and the rule for each reference in them.

#[cfg(feature = "htmx")]
mod hx_location;
mod link;
mod location;
mod origin;
mod refresh;
mod set_cookie;

pub use self::origin::{InvalidOrigin, Origin};
pub(crate) use self::{
    location::{looks_like_a_host, Base},
    origin::Authority,
};

use http::{header, HeaderMap, HeaderName, HeaderValue};
use std::{error, fmt, ops::Range};

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
/// internal host, and every proxy in its default configuration leaves them alone. With an empty root
/// path nothing changes but the last row.
///
/// Of stacked layers the outer one says which headers are rewritten, for the apps of the inner ones
/// as well, each from where that app is. A layer that is told a `Rewrite` of its own does that
/// instead; for what it leaves, its app is like any handler of the app around it. A value is never
/// prefixed twice.
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
    names: Vec<HeaderName>,
    origins: Vec<Origin>,
}

impl Rewrite {
    /// `Location`, `Content-Location` and the `url=` of `Refresh`, whatever the status.
    #[must_use]
    pub fn redirects() -> Self {
        Self::none().with([header::LOCATION, header::CONTENT_LOCATION, header::REFRESH])
    }

    /// Every header that this crate knows: [`redirects`](Self::redirects), [`link`](Self::link),
    /// [`set_cookie_path`](Self::set_cookie_path) and, with the feature `htmx`, the headers of htmx.
    #[must_use]
    pub fn all() -> Self {
        let all = Self::redirects().link().set_cookie_path();
        #[cfg(feature = "htmx")]
        let all = all.htmx();
        all
    }

    /// Nothing: the app sees its [`RootPath`](crate::RootPath), and what it emits stays, echoes of
    /// the path included, unless a layer further out rewrites it. Headers can be added to it.
    #[must_use]
    pub fn none() -> Self {
        Self {
            names: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// `Link` ([RFC 8288]) as well: the targets, and the `anchor`s.
    ///
    /// [RFC 8288]: https://www.rfc-editor.org/rfc/rfc8288
    #[must_use]
    pub fn link(self) -> Self {
        self.with([header::LINK])
    }

    /// The `Path` of `Set-Cookie` as well: `/` becomes `/api/v1`, so that apps on one host do not
    /// see each other's cookies.
    ///
    /// A cookie without a `Path`, or with one that does not begin with a slash, stays: browsers
    /// take the directory of the public URL. So does a `__Host-` cookie, which has to have the
    /// path `/` ([RFC 6265bis, section 4.1.3.2][host]).
    ///
    /// [host]: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2
    #[must_use]
    pub fn set_cookie_path(self) -> Self {
        self.with([header::SET_COOKIE])
    }

    /// The headers of [htmx] as well: `HX-Redirect`, `HX-Push-Url`, `HX-Replace-Url`, and
    /// `HX-Location` as a URL or as JSON with a `path` (and `push` and `replace`).
    ///
    /// [htmx]: https://htmx.org/reference/#response_headers
    #[cfg(feature = "htmx")]
    #[cfg_attr(docsrs, doc(cfg(feature = "htmx")))]
    #[must_use]
    pub fn htmx(self) -> Self {
        self.with([HX_REDIRECT, HX_LOCATION, HX_PUSH_URL, HX_REPLACE_URL])
    }

    /// The header `name` as well, whose value is one URI reference; or if it is one that this
    /// crate knows, by the grammar of that header.
    ///
    /// ```
    /// use tower_root_path::{Rewrite, RootPathLayer};
    ///
    /// let layer = RootPathLayer::new("/api/v1")
    ///     .rewrite(Rewrite::redirects().link().header("x-inertia-location"));
    /// ```
    ///
    /// # Panics
    ///
    /// If `name` is no header name, or one of those that [`try_header`](Self::try_header) refuses.
    #[must_use]
    #[track_caller]
    pub fn header<N>(self, name: N) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let name = name.try_into().unwrap_or_else(|error| panic!("{error}"));
        match self.try_header(name) {
            Ok(rewrite) => rewrite,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same as [`header`](Self::header), for a name that comes from outside the program.
    ///
    /// # Errors
    ///
    /// If the header tells the proxy, not the client, where something is: `X-Accel-Redirect`,
    /// `X-Sendfile`, `X-Lighttpd-Send-File`, `X-Reproxy-URL`. With a prefix the proxy would not
    /// find it.
    ///
    /// # Example
    ///
    /// ```
    /// # use http::HeaderName;
    /// # use tower_root_path::Rewrite;
    /// let name = HeaderName::from_static("x-accel-redirect");
    /// let error = Rewrite::redirects().try_header(name).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"header "x-accel-redirect" is for the proxy only and must not be rewritten"#
    /// );
    /// ```
    pub fn try_header(self, name: HeaderName) -> Result<Self, InternalHeader> {
        if INTERNAL.contains(&name.as_str()) {
            return Err(InternalHeader(name));
        }
        Ok(self.with([name]))
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

    fn with<const N: usize>(mut self, names: [HeaderName; N]) -> Self {
        for name in names {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        self
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_none(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether `headers` have one of these.
    fn concerns(&self, headers: &HeaderMap) -> bool {
        // Few look-ups cost less than a pass over the map, many cost more.
        self.names.len() > 2 || self.names.iter().any(|name| headers.contains_key(name))
    }

    /// Rewrites what is in `headers`. What is rewritten already stays, so a layer further out may
    /// do the same again from where it stands.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, base: &Base) {
        if !self.concerns(headers) {
            return;
        }
        for (name, value) in headers.iter_mut() {
            if !self.names.contains(name) {
                continue;
            }
            if let Some(rewritten) = grammar(name)(value.as_bytes(), base, &self.origins) {
                replace(value, rewritten);
            }
        }
    }
}

impl Default for Rewrite {
    /// [`Rewrite::redirects`].
    fn default() -> Self {
        Self::redirects()
    }
}

/// A header is not for the client: see [`Rewrite::try_header`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalHeader(HeaderName);

impl fmt::Display for InternalHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_str();
        write!(
            f,
            "header {name:?} is for the proxy only and must not be rewritten"
        )
    }
}

impl error::Error for InternalHeader {}

#[cfg(feature = "htmx")]
const HX_LOCATION: HeaderName = HeaderName::from_static("hx-location");
#[cfg(feature = "htmx")]
const HX_PUSH_URL: HeaderName = HeaderName::from_static("hx-push-url");
#[cfg(feature = "htmx")]
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");
#[cfg(feature = "htmx")]
const HX_REPLACE_URL: HeaderName = HeaderName::from_static("hx-replace-url");

/// What nginx, Apache and others, lighttpd and Perlbal take out of a response for themselves.
const INTERNAL: [&str; 4] = [
    "x-accel-redirect",
    "x-sendfile",
    "x-lighttpd-send-file",
    "x-reproxy-url",
];

/// How the references in a header are found: what becomes of its value, or `None` if it stays.
type Grammar = fn(&[u8], &Base, &[Origin]) -> Option<Vec<u8>>;

fn grammar(name: &HeaderName) -> Grammar {
    #[cfg(feature = "htmx")]
    if *name == HX_LOCATION {
        return hx_location::rewrite;
    }
    if *name == header::REFRESH {
        refresh::rewrite
    } else if *name == header::LINK {
        link::rewrite
    } else if *name == header::SET_COOKIE {
        set_cookie::rewrite
    } else {
        location::rewrite_value
    }
}

/// `value` with what becomes of these ranges of it, in their order; `None` if all of them stay.
fn splice(
    value: &[u8],
    ranges: impl IntoIterator<Item = Range<usize>>,
    rewrite: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut spliced = Vec::new();
    let mut kept = 0;
    for Range { start, end } in ranges {
        if let Some(rewritten) = rewrite(&value[start..end]) {
            spliced.extend_from_slice(&value[kept..start]);
            spliced.extend_from_slice(&rewritten);
            kept = end;
        }
    }
    if kept == 0 {
        return None;
    }
    spliced.extend_from_slice(&value[kept..]);
    Some(spliced)
}

fn replace(value: &mut HeaderValue, bytes: Vec<u8>) {
    // Bytes of a header value and of a root path are a header value.
    if let Ok(mut rewritten) = HeaderValue::try_from(bytes) {
        rewritten.set_sensitive(value.is_sensitive());
        *value = rewritten;
    }
}
