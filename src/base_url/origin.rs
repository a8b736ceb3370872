//! The scheme, host and port of a URL.

use std::{error, fmt, net::Ipv6Addr, str::FromStr};

/// The scheme, host and port of a URL ([RFC 6454]), such as `http://127.0.0.1:3000`.
///
/// The scheme is `http` or `https`. The host is a DNS name, an IPv4 address or an IPv6 address in
/// brackets. An origin is printed in lower case and without the scheme's default port.
///
/// With the feature `serde`, it is serialized as a string, and deserialized from one.
///
/// # Example
///
/// ```
/// use tower_root_path::Origin;
///
/// let origin: Origin = "HTTPS://Example.com:443/".parse()?;
/// assert_eq!(origin.to_string(), "https://example.com");
/// assert_eq!(origin.scheme(), "https");
/// assert_eq!(origin.host(), "example.com");
/// assert_eq!(origin.port(), 443);
/// # Ok::<(), tower_root_path::InvalidOrigin>(())
/// ```
///
/// [RFC 6454]: https://www.rfc-editor.org/rfc/rfc6454#section-4
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    /// In lower case.
    host: Box<str>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Origin {
    pub(super) fn new(scheme: Scheme, authority: Authority<'_>) -> Self {
        Self {
            scheme,
            host: authority.canonical_host(),
            port: authority.port.unwrap_or(scheme.default_port()),
        }
    }

    /// Returns the scheme: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// Returns the host in lower case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, the scheme's default port if the URL has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, query and fragment of `reference`, if it is an absolute URL or a network-path
    /// reference to this origin.
    pub(crate) fn path_of<'a>(&self, reference: &'a [u8]) -> Option<&'a [u8]> {
        let (scheme, after_scheme) = match Scheme::split_from(reference) {
            Some((scheme, rest)) => (scheme, rest),
            None => (self.scheme, reference),
        };
        let rest = after_scheme.strip_prefix(b"//")?;
        let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
        let end = rest.iter().position(is_end).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let Authority { host, port } = Authority::parse(authority)?;
        let is_own = scheme == self.scheme
            && host.eq_ignore_ascii_case(&self.host)
            && port.unwrap_or(scheme.default_port()) == self.port;
        is_own.then_some(path)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{}://{host}", scheme.as_str())?;
        if *port == scheme.default_port() {
            return Ok(());
        }
        write!(f, ":{port}")
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(origin: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (scheme, rest) = Scheme::split_from(origin.as_bytes())?;
            let rest = rest.strip_prefix(b"//")?;
            let authority = Authority::parse(rest.strip_suffix(b"/").unwrap_or(rest))?;
            Some(Self::new(scheme, authority))
        };
        parse().ok_or_else(|| InvalidOrigin(origin.into()))
    }
}

try_from_strings!(Origin, InvalidOrigin);

#[cfg(feature = "serde")]
impl serde::Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let origin = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        origin.parse().map_err(serde::de::Error::custom)
    }
}

/// Error returned when a string is not a valid [`Origin`].
///
/// The message quotes the string and names the valid form.
///
/// # Example
///
/// ```
/// use tower_root_path::Origin;
///
/// let error = "127.0.0.1:3000".parse::<Origin>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid origin "127.0.0.1:3000": must be http:// or https://, a host and an optional port"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(Box<str>);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid origin {:?}: must be http:// or https://, a host and an optional port",
            self.0
        )
    }
}

impl error::Error for InvalidOrigin {}

impl Scheme {
    /// The scheme at the beginning of `reference`, and what follows its colon.
    fn split_from(reference: &[u8]) -> Option<(Self, &[u8])> {
        let colon = reference.iter().take(6).position(|byte| *byte == b':')?;
        let (scheme, rest) = reference.split_at(colon);
        Some((Self::parse(scheme)?, &rest[1..]))
    }

    pub(super) fn parse(scheme: &[u8]) -> Option<Self> {
        if scheme.eq_ignore_ascii_case(b"http") {
            Some(Self::Http)
        } else if scheme.eq_ignore_ascii_case(b"https") {
            Some(Self::Https)
        } else {
            None
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host and the port of a URL without userinfo (RFC 3986, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    /// Not zero.
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// In lower case, an IPv6 address in its shortest form (RFC 5952).
    pub(super) fn canonical_host(self) -> Box<str> {
        let address = self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
            Some(address) => format!("[{address}]").into(),
            None => self.host.to_ascii_lowercase().into(),
        }
    }

    /// `None` for whatever else it may be, so that no other reader sees another host in it.
    pub(super) fn parse(authority: &'a [u8]) -> Option<Self> {
        let authority = std::str::from_utf8(authority).ok()?;
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (address, _) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            authority.split_at(address.len() + 2)
        } else {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (!host.is_empty() && host.bytes().all(is_of_name)).then_some((host, port))?
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(parse_port(port.as_bytes())?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }
}

/// A number from 1 to 65535.
pub(super) fn parse_port(port: &[u8]) -> Option<u16> {
    if !port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    (port > 0).then_some(port)
}
