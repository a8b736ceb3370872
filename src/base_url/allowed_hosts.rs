//! Which hosts are the app's own.

use super::origin::{Authority, Origin};
use std::{error, fmt, str::FromStr};

/// The hosts that a request may name as the public host of the app.
///
/// Most proxies pass the `Host` of the client on, so a trusted proxy does not make a trusted host.
/// Without this list, a client could send `Host: evil.example`, and the app would write
/// `https://evil.example/reset?token=…` into an e-mail.
///
/// It is parsed from a list, separated by commas:
///
/// - A host is a DNS name, an IPv4 address or an IPv6 address in brackets.
/// - With a port, the host is allowed on this port only. Without one, it is allowed on any port.
/// - `*.example.com` allows every host with at least one label before `.example.com`. It does not
///   allow `example.com` itself.
/// - Case is ignored.
/// - An empty list allows no host.
///
/// With the feature `serde`, it is deserialized from such a string.
///
/// # Example
///
/// ```
/// use tower_root_path::{AllowedHosts, Origin};
///
/// let hosts: AllowedHosts = "app.example, *.example.com, [::1]:8443".parse()?;
/// for (origin, expected) in [
///     ("https://app.example:8443", true),
///     ("https://eu.example.com", true),
///     ("https://example.com", false),
///     ("https://[::1]:8443", true),
///     ("https://[::1]", false),
/// ] {
///     assert_eq!(hosts.contains(&origin.parse::<Origin>()?), expected, "{origin}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    any: bool,
    hosts: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Whether at least one label must stand before `host`, which then begins with a dot.
    is_wildcard: bool,
    /// In lower case.
    host: Box<str>,
    port: Option<u16>,
}

impl AllowedHosts {
    /// Allows every host.
    ///
    /// This is safe only if the proxy answers no host but the app's own.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{AllowedHosts, Origin};
    ///
    /// let origin: Origin = "https://app.example".parse()?;
    /// assert!(AllowedHosts::any().contains(&origin));
    /// # Ok::<(), tower_root_path::InvalidOrigin>(())
    /// ```
    #[must_use]
    pub fn any() -> Self {
        Self {
            any: true,
            hosts: Vec::new(),
        }
    }

    /// Returns `true` if the host and the port of `origin` are allowed.
    #[must_use]
    pub fn contains(&self, origin: &Origin) -> bool {
        self.any || self.hosts.iter().any(|pattern| pattern.matches(origin))
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Option<Self> {
        let (is_wildcard, host) = match pattern.strip_prefix('*') {
            Some(host) => (true, host),
            None => (false, pattern),
        };
        let is_complete = !is_wildcard || host.starts_with('.') && host.len() > 1;
        let authority = Authority::parse(host.as_bytes()).filter(|_| is_complete)?;
        Some(Self {
            is_wildcard,
            host: authority.canonical_host(),
            port: authority.port,
        })
    }

    fn matches(&self, origin: &Origin) -> bool {
        let is_host = if self.is_wildcard {
            let labels = origin.host().strip_suffix(&*self.host);
            labels.is_some_and(|labels| !labels.split('.').any(str::is_empty))
        } else {
            origin.host() == &*self.host
        };
        is_host && self.port.unwrap_or(origin.port()) == origin.port()
    }
}

impl FromStr for AllowedHosts {
    type Err = InvalidAllowedHosts;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let members = list.split(',').map(str::trim);
        let hosts = members.filter(|member| !member.is_empty()).map(|member| {
            let pattern = Pattern::parse(member);
            pattern.ok_or_else(|| InvalidAllowedHosts(member.into()))
        });
        Ok(Self {
            any: false,
            hosts: hosts.collect::<Result<_, _>>()?,
        })
    }
}

try_from_strings!(AllowedHosts, InvalidAllowedHosts);

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for AllowedHosts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        list.parse().map_err(serde::de::Error::custom)
    }
}

/// Error returned when a list of [`AllowedHosts`] has a member that is not valid.
///
/// The message quotes the member and names the valid form.
///
/// # Example
///
/// ```
/// use tower_root_path::AllowedHosts;
///
/// let error = "app.example, https://example.com".parse::<AllowedHosts>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid host "https://example.com": must be a host or `*.` and a host, with an optional port"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAllowedHosts(Box<str>);

impl fmt::Display for InvalidAllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid host {:?}: must be a host or `*.` and a host, with an optional port",
            self.0
        )
    }
}

impl error::Error for InvalidAllowedHosts {}
