//! Which proxies are trusted.

use ipnet::{IpNet, Ipv4Net};
use std::{error, fmt, net::IpAddr, str::FromStr};

/// The addresses of the proxies that are trusted to set a forwarded header.
///
/// It is parsed from a list of addresses, CIDR blocks and the names `loopback` and `private`,
/// separated by commas: `"private, 192.0.2.1, 2001:db8::/32"`. An empty list trusts no peer. You can
/// also collect it from an iterator of [`IpAddr`]s.
///
/// An IPv4-mapped IPv6 address (`::ffff:10.1.2.3`, as dual-stack sockets give it) counts as IPv4, as
/// a peer and in the list. The look-up is a binary search.
///
/// With the feature `serde`, it is deserialized from such a string.
///
/// # Example
///
/// ```
/// use tower_root_path::TrustedProxies;
///
/// let trusted: TrustedProxies = "private, 192.0.2.1, ::1".parse()?;
/// assert!(trusted.contains("10.1.2.3".parse()?));
/// assert!(trusted.contains("::ffff:10.1.2.3".parse()?));
/// assert!(trusted.contains("192.0.2.1".parse()?));
/// assert!(!trusted.contains("192.0.2.2".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    all: bool,
    /// Sorted and disjoint, IPv4 before IPv6, without host bits: of all blocks that begin at or
    /// before an address, only the last one can contain it.
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Trusts this machine: `127.0.0.0/8` and `::1`.
    ///
    /// In a list, its name is `loopback`.
    #[must_use]
    pub fn loopback() -> Self {
        Self::well_known(&["127.0.0.0/8", "::1"])
    }

    /// Trusts the private networks, without [`loopback`](Self::loopback).
    ///
    /// These are `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` ([RFC 1918]) and `fc00::/7`
    /// ([RFC 4193]). In a list, their name is `private`.
    ///
    /// [RFC 1918]: https://www.rfc-editor.org/rfc/rfc1918
    /// [RFC 4193]: https://www.rfc-editor.org/rfc/rfc4193
    #[must_use]
    pub fn private() -> Self {
        Self::well_known(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])
    }

    /// Trusts every peer, also one without an address (a Unix socket) or with an unknown one.
    ///
    /// This is safe only if nothing but the proxy can reach the app, and the proxy overwrites the
    /// header. So it has no name in a list.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::TrustedProxies;
    ///
    /// assert!(TrustedProxies::all().contains([192, 0, 2, 1].into()));
    /// ```
    #[must_use]
    pub fn all() -> Self {
        Self {
            all: true,
            networks: Vec::new(),
        }
    }

    /// Trusts these proxies and the `others`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::TrustedProxies;
    ///
    /// let trusted = TrustedProxies::private().and(TrustedProxies::loopback());
    /// assert!(trusted.contains([10, 1, 2, 3].into()));
    /// assert!(trusted.contains([127, 0, 0, 1].into()));
    /// assert_eq!(trusted, "private, loopback".parse()?);
    /// # Ok::<(), tower_root_path::InvalidTrustedProxies>(())
    /// ```
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        let networks = self.networks.into_iter().chain(others.networks);
        Self {
            all: self.all || others.all,
            ..Self::from_networks(networks.collect())
        }
    }

    /// Returns `true` if `peer` is one of these proxies.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let after = self
            .networks
            .partition_point(|network| network.addr() <= peer);
        let last = after.checked_sub(1).map(|last| self.networks[last]);
        self.all || last.is_some_and(|network| network.contains(&peer))
    }

    /// Whether every peer is trusted, whatever its address.
    pub(crate) fn is_all(&self) -> bool {
        self.all
    }

    fn from_networks(mut networks: Vec<IpNet>) -> Self {
        // Not `IpNet::aggregate`: in ipnet 2.9 it merges 255.255.255.254 into a /31. Two blocks are
        // either disjoint or one contains the other, so leaving out the contained ones is enough.
        for network in &mut networks {
            *network = network.trunc();
        }
        networks.sort_unstable();
        networks.dedup_by(|network, previous| previous.contains(&*network));
        Self {
            all: false,
            networks,
        }
    }

    fn well_known(networks: &[&str]) -> Self {
        let networks = networks.iter().map(|network| parse_network(network));
        let networks = networks.collect::<Option<_>>();
        Self::from_networks(networks.expect("well-known networks are valid"))
    }
}

try_from_strings!(TrustedProxies, InvalidTrustedProxies);

impl FromStr for TrustedProxies {
    type Err = InvalidTrustedProxies;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut networks = Vec::new();
        let members = list.split(',').map(str::trim);
        for member in members.filter(|member| !member.is_empty()) {
            match member {
                "loopback" => networks.extend(Self::loopback().networks),
                "private" => networks.extend(Self::private().networks),
                network => match parse_network(network) {
                    Some(network) => networks.push(network),
                    None => return Err(InvalidTrustedProxies(network.into())),
                },
            }
        }
        Ok(Self::from_networks(networks))
    }
}

impl FromIterator<IpAddr> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addrs: I) -> Self {
        let addrs = addrs.into_iter().map(|addr| addr.to_canonical());
        Self::from_networks(addrs.map(IpNet::from).collect())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for TrustedProxies {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        list.parse().map_err(serde::de::Error::custom)
    }
}

fn parse_network(network: &str) -> Option<IpNet> {
    let net = match network.split_once('/') {
        // The address by the standard library, which refuses `010.0.0.0`.
        None => IpNet::from(network.parse::<IpAddr>().ok()?),
        Some((addr, len)) if len.bytes().all(|digit| digit.is_ascii_digit()) => {
            IpNet::new(addr.parse().ok()?, len.parse().ok()?).ok()?
        }
        Some(_) => return None,
    };
    match net {
        // A block of IPv4-mapped addresses (RFC 4291, section 2.5.5.2) is a block of IPv4. A larger
        // one has other addresses too, which its author hardly meant.
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            Some(v4) => {
                let len = v6.prefix_len().checked_sub(96)?;
                Some(IpNet::V4(Ipv4Net::new(v4, len).ok()?))
            }
            None => Some(net),
        },
        IpNet::V4(_) => Some(net),
    }
}

/// Error returned when a list of [`TrustedProxies`] has a member that is not valid.
///
/// The message quotes the member and names the valid forms.
///
/// # Example
///
/// ```
/// use tower_root_path::TrustedProxies;
///
/// let error = "10.0.0.0/8, proxy.local".parse::<TrustedProxies>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid trusted proxy "proxy.local": must be an address (192.0.2.1, ::1), a CIDR block (10.0.0.0/8, fc00::/7), "loopback" or "private""#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTrustedProxies(Box<str>);

impl fmt::Display for InvalidTrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid trusted proxy {:?}: must be an address (192.0.2.1, ::1), a CIDR block \
             (10.0.0.0/8, fc00::/7), \"loopback\" or \"private\"",
            self.0
        )
    }
}

impl error::Error for InvalidTrustedProxies {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_sorted_and_disjoint() {
        for (list, expected) in [
            ("", ""),
            ("::1, 10.0.0.1", "10.0.0.1/32, ::1/128"),
            (
                "10.0.1.7/24, 10.0.1.0, 10.0.0.0/24, 9.0.0.1, 10.0.1.255",
                "9.0.0.1/32, 10.0.0.0/24, 10.0.1.0/24",
            ),
            ("10.0.0.0/24, 10.0.0.0/8, 10.9.0.0/16", "10.0.0.0/8"),
            ("10.0.0.1, 10.0.0.1", "10.0.0.1/32"),
            ("::/0, 0.0.0.0/0, 1.2.3.4, fe80::1", "0.0.0.0/0, ::/0"),
            ("loopback", "127.0.0.0/8, ::1/128"),
            (
                "private",
                "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7",
            ),
        ] {
            let trusted = list.parse::<TrustedProxies>().unwrap();
            let networks = trusted.networks.iter().map(IpNet::to_string);
            assert_eq!(networks.collect::<Vec<_>>().join(", "), expected, "{list}");
        }
    }

    #[test]
    fn a_binary_search_finds_what_a_linear_one_finds() {
        let networks = (0..=255u8).step_by(3).flat_map(|i| {
            let len = 20 + i % 13;
            [
                format!("10.{i}.{}.0/{len}", i / 2),
                format!("fc00:{i:x}::/{}", 96 + len),
            ]
        });
        let networks = networks
            .chain(["0.0.0.0/9", "255.255.255.254", "255.0.0.0/9", "ffff::/16"].map(str::to_owned))
            .collect::<Vec<_>>();
        let trusted = networks.join(",").parse::<TrustedProxies>().unwrap();
        let networks = networks.iter().map(|network| parse_network(network));
        let networks = networks.collect::<Option<Vec<_>>>().unwrap();

        let v4 = (0..=255u8).flat_map(|i| {
            [0, 1, 127, 254, 255].map(|last| IpAddr::from([10, i, i / 2 + (last & 1), last]))
        });
        let v6 = (0..=255u16).map(|i| IpAddr::from([0xfc00, i, 0, 0, 0, 0, 0, i * 16]));
        let edges = [
            "0.0.0.0",
            "0.128.0.0",
            "255.255.255.253",
            "255.255.255.254",
            "255.255.255.255",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ];
        let edges = edges.map(|addr| addr.parse().unwrap());
        let mut found = 0;
        for addr in v4.chain(v6).chain(edges) {
            let expected = networks.iter().any(|network| network.contains(&addr));
            assert_eq!(trusted.contains(addr), expected, "{addr}");
            found += usize::from(expected);
        }
        assert!(found > 100, "{found}");
    }
}
