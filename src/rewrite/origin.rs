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
pub struct Origin(Authority);

impl Origin {
    /// Whether a reference of `scheme` (`None`: scheme-relative) to `authority` is to this origin.
    pub(super) fn is(&self, scheme: Option<Scheme>, authority: &[u8]) -> bool {
        (scheme.is_none() || scheme == self.0.scheme) && self.0.is(scheme, authority)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.0.scheme {
            Some(Scheme::Https) => "https",
            _ => "http",
        };
        match &self.0.source {
            Source::Uri(authority) => write!(f, "{scheme}://{authority}"),
            Source::Host(_) => unreachable!("an origin is parsed from a string"),
        }
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(origin: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (scheme, rest) = Scheme::split_from(origin.as_bytes())?;
            let rest = rest.strip_prefix(b"//")?;
            let authority = rest.strip_suffix(b"/").unwrap_or(rest);
            HostAndPort::of(authority)?;
            Some(Self(Authority {
                scheme: Some(scheme),
                source: Source::Uri(uri::Authority::try_from(authority).ok()?),
            }))
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

    fn default_port(self) -> &'static [u8] {
        match self {
            Self::Http => b"80",
            Self::Https => b"443",
        }
    }
}

/// The authority a request was sent to, and by which scheme, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    scheme: Option<Scheme>,
    source: Source,
}

/// As the request has it, since a clone of either is a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        match (HostAndPort::of(own), HostAndPort::of(authority)) {
            (Some(own), Some(other)) => {
                // Of two ports, which one is the default one is known by the scheme alone.
                let comparable =
                    self.scheme.is_some() || own.port.is_none() || other.port.is_none();
                own.host.eq_ignore_ascii_case(other.host)
                    && (own.port == other.port
                        || comparable
                            && own.has_default_port(self.scheme)
                            && other.has_default_port(scheme.or(self.scheme)))
            }
            _ => false,
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

/// An authority without userinfo, of such bytes that no reader sees another host in them: no
/// backslash, no white space, nothing that ends an authority.
struct HostAndPort<'a> {
    host: &'a [u8],
    port: Option<&'a [u8]>,
}

impl<'a> HostAndPort<'a> {
    fn of(authority: &'a [u8]) -> Option<Self> {
        // Behind the colons of an IPv6 address in brackets.
        let brackets = authority.iter().rposition(|byte| *byte == b']');
        let name = brackets.map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[name..].iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let (host, port) = authority.split_at(name + colon);
                (host, Some(&port[1..]))
            }
            None => (authority, None),
        };
        let is_host = !host.is_empty()
            && host.iter().all(|byte| {
                let in_brackets = brackets.is_some() && matches!(byte, b'[' | b':' | b']');
                in_brackets || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(byte)
            });
        let is_port = |port: &[u8]| !port.is_empty() && port.iter().all(u8::is_ascii_digit);
        (is_host && port.map_or(true, is_port)).then_some(Self { host, port })
    }

    /// Whether the port goes without saying by `scheme`; if that is not known, by either one.
    fn has_default_port(&self, scheme: Option<Scheme>) -> bool {
        self.port.map_or(true, |port| match scheme {
            Some(scheme) => port == scheme.default_port(),
            None => [Scheme::Http, Scheme::Https]
                .iter()
                .any(|scheme| port == scheme.default_port()),
        })
    }
}
