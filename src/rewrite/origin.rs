//! Which references mean this app although they name a host.

use http::{header::HOST, uri, HeaderMap, HeaderValue, Request, Uri};
use std::{error, fmt, str::FromStr};

/// A scheme and an authority that mean this app, such as `http://127.0.0.1:3000`.
///
/// See [`Rewrite::origin`](crate::Rewrite::origin).
///
/// ```
/// use tower_root_path::Origin;
///
/// let origin: Origin = "http://127.0.0.1:3000".parse()?;
///
/// let error = "127.0.0.1:3000".parse::<Origin>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid origin "127.0.0.1:3000": must be http:// or https:// and a host, with a port if need be"#
/// );
/// # Ok::<(), tower_root_path::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: uri::Authority,
}

impl Origin {
    pub(super) fn is(&self, scheme: Option<Scheme>, authority: &[u8]) -> bool {
        scheme.map_or(true, |scheme| scheme == self.scheme)
            && same_authority(self.scheme, self.authority.as_str().as_bytes(), authority)
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(origin: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (scheme, rest) = Scheme::split_from(origin.as_bytes())?;
            let rest = rest.strip_prefix(b"//")?;
            let authority = rest.strip_suffix(b"/").unwrap_or(rest);
            let authority = uri::Authority::try_from(authority).ok()?;
            let has_host = !authority.host().is_empty();
            let has_port = authority.port_u16().is_some() || authority.as_str() == authority.host();
            (has_host && has_port && is_authority(authority.as_str().as_bytes()))
                .then_some(Self { scheme, authority })
        };
        parse().ok_or_else(|| InvalidOrigin(origin.into()))
    }
}

impl TryFrom<&str> for Origin {
    type Error = InvalidOrigin;

    fn try_from(origin: &str) -> Result<Self, Self::Error> {
        origin.parse()
    }
}

/// A string is no [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(Box<str>);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid origin {:?}: must be http:// or https:// and a host, with a port if need be",
            self.0
        )
    }
}

impl error::Error for InvalidOrigin {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        if *scheme == uri::Scheme::HTTP {
            Some(Self::Http)
        } else if *scheme == uri::Scheme::HTTPS {
            Some(Self::Https)
        } else {
            None
        }
    }

    /// The scheme in front of `reference`, and what is behind its colon.
    pub(super) fn split_from(reference: &[u8]) -> Option<(Self, &[u8])> {
        let colon = reference.iter().take(6).position(|byte| *byte == b':')?;
        let (scheme, rest) = reference.split_at(colon);
        if scheme.eq_ignore_ascii_case(b"http") {
            Some((Self::Http, &rest[1..]))
        } else if scheme.eq_ignore_ascii_case(b"https") {
            Some((Self::Https, &rest[1..]))
        } else {
            None
        }
    }

    fn without_default_port(self, authority: &[u8]) -> &[u8] {
        let default_port: &[u8] = match self {
            Self::Http => b":80",
            Self::Https => b":443",
        };
        authority.strip_suffix(default_port).unwrap_or(authority)
    }
}

/// The authority a request was sent to, and by which scheme, if that is known.
#[derive(Debug)]
pub(crate) struct Authority {
    scheme: Option<Scheme>,
    source: Source,
}

/// As the request has it, since a clone of either is a reference count.
#[derive(Debug)]
enum Source {
    Uri(uri::Authority),
    Host(HeaderValue),
}

impl Authority {
    /// Of the absolute-form and HTTP/2's `:authority`, or else of `Host` ([RFC 9112, section
    /// 3.2.2], [RFC 9113, section 8.3.1]).
    ///
    /// [RFC 9112, section 3.2.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    /// [RFC 9113, section 8.3.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let source = match request.uri().authority() {
            Some(authority) => Source::Uri(authority.clone()),
            None => Source::Host(host(request.headers())?.clone()),
        };
        Some(Self {
            scheme: Scheme::of(request.uri()),
            source,
        })
    }

    pub(super) fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// Whether `authority` in a reference of `scheme` (`None`: scheme-relative) is this one.
    pub(super) fn is(&self, scheme: Option<Scheme>, authority: &[u8]) -> bool {
        let own = match &self.source {
            Source::Uri(own) => own.as_str().as_bytes(),
            Source::Host(own) => own.as_bytes(),
        };
        if !is_authority(own) {
            return false;
        }
        match (self.scheme, scheme) {
            // Either port may be the default one; with the other scheme nobody uses it.
            (None, None) => [Scheme::Http, Scheme::Https]
                .iter()
                .any(|scheme| same_authority(*scheme, own, authority)),
            (None, Some(scheme)) | (Some(scheme), None) => same_authority(scheme, own, authority),
            (Some(own_scheme), Some(scheme)) => own_scheme
                .without_default_port(own)
                .eq_ignore_ascii_case(scheme.without_default_port(authority)),
        }
    }
}

/// User agents ought to send it first ([RFC 9110, section 7.2]), and a look there is cheaper than
/// a hash.
///
/// [RFC 9110, section 7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
fn host(headers: &HeaderMap) -> Option<&HeaderValue> {
    match headers.iter().next() {
        Some((name, host)) if name == HOST => Some(host),
        _ => headers.get(HOST),
    }
}

fn same_authority(scheme: Scheme, a: &[u8], b: &[u8]) -> bool {
    scheme
        .without_default_port(a)
        .eq_ignore_ascii_case(scheme.without_default_port(b))
}

/// A host and perhaps a port, of such bytes that no reader sees another host in them: no
/// userinfo, no backslash, no white space, nothing that ends an authority.
fn is_authority(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte))
}
