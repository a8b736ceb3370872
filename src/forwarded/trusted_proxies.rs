//! Whose word counts.

use ipnet::{IpNet, Ipv4Net};
use std::{
    error, fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The addresses of the proxies whose word about the root path counts.
///
/// Parsed from addresses and CIDR blocks between commas: `"10.0.0.0/8, ::1"`. An empty string
/// trusts nobody. An IPv4 address that is mapped into IPv6 (`::ffff:10.1.2.3`, as dual-stack
/// sockets show it) counts as IPv4, in peers as in blocks. Looking an address up is a binary
/// search.
///
/// # Example
///
/// ```
/// use tower_root_path::TrustedProxies;
///
/// let trusted: TrustedProxies = "10.0.0.0/8, ::1".parse()?;
/// assert!(trusted.contains("10.1.2.3".parse()?));
/// assert!(trusted.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!trusted.contains("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    everybody: bool,
    v4: Vec<(Ipv4Addr, Ipv4Addr)>,
    v6: Vec<(Ipv6Addr, Ipv6Addr)>,
}

impl TrustedProxies {
    /// This machine: `127.0.0.0/8` and `::1`.
    #[must_use]
    pub fn loopback() -> Self {
        Self::well_known("127.0.0.0/8, ::1")
    }

    /// The private networks: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` ([RFC 1918]) and
    /// `fc00::/7` ([RFC 4193]). Not [`loopback`](Self::loopback).
    ///
    /// [RFC 1918]: https://www.rfc-editor.org/rfc/rfc1918
    /// [RFC 4193]: https://www.rfc-editor.org/rfc/rfc4193
    #[must_use]
    pub fn private() -> Self {
        Self::well_known("10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7")
    }

    /// Everybody, also where the peer has no address (a Unix socket) or nobody knows it. Right
    /// only if nothing but the proxy can reach the app, and the proxy overwrites the header.
    #[must_use]
    pub fn all() -> Self {
        Self {
            everybody: true,
            ..Self::default()
        }
    }

    /// These proxies and the `others`.
    ///
    /// ```
    /// # use tower_root_path::TrustedProxies;
    /// let trusted = TrustedProxies::private().and(TrustedProxies::loopback());
    /// assert!(trusted.contains([127, 0, 0, 1].into()));
    /// ```
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.everybody |= others.everybody;
        self.v4.extend(others.v4);
        self.v6.extend(others.v6);
        merge(&mut self.v4, |addr| {
            addr.to_bits().checked_add(1).map(Ipv4Addr::from_bits)
        });
        merge(&mut self.v6, |addr| {
            addr.to_bits().checked_add(1).map(Ipv6Addr::from_bits)
        });
        self
    }

    /// Whether `peer` is one of them.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        self.everybody
            || match peer.to_canonical() {
                IpAddr::V4(peer) => is_within(&self.v4, peer),
                IpAddr::V6(peer) => is_within(&self.v6, peer),
            }
    }

    /// Whether the peer's address does not matter.
    pub(crate) fn is_everybody(&self) -> bool {
        self.everybody
    }

    fn well_known(networks: &str) -> Self {
        networks.parse().expect("well-known networks are valid")
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidTrustedProxies;

    fn from_str(networks: &str) -> Result<Self, Self::Err> {
        let mut trusted = Self::default();
        for network in networks.split(',').map(str::trim) {
            if network.is_empty() {
                continue;
            }
            match parse_network(network) {
                Some(IpNet::V4(net)) => trusted.v4.push((net.network(), net.broadcast())),
                Some(IpNet::V6(net)) => trusted.v6.push((net.network(), net.broadcast())),
                None => return Err(InvalidTrustedProxies(network.into())),
            }
        }
        Ok(trusted.and(Self::default()))
    }
}

impl FromIterator<IpAddr> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addrs: I) -> Self {
        let mut trusted = Self::default();
        for addr in addrs {
            match addr.to_canonical() {
                IpAddr::V4(addr) => trusted.v4.push((addr, addr)),
                IpAddr::V6(addr) => trusted.v6.push((addr, addr)),
            }
        }
        trusted.and(Self::default())
    }
}

fn parse_network(network: &str) -> Option<IpNet> {
    // The address by the standard library, which does not take `010.0.0.0` for 10.0.0.0.
    let (addr, len) = network.split_once('/').unwrap_or((network, ""));
    let addr = addr.parse::<IpAddr>().ok()?;
    let net = if network.contains('/') {
        if !len.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        IpNet::new(addr, len.parse().ok()?).ok()?
    } else {
        IpNet::from(addr)
    };
    match net {
        // A block of IPv4-mapped addresses (RFC 4291, section 2.5.5.2) is one of IPv4. A larger
        // one would be of something else than it seems.
        IpNet::V6(mapped) if mapped.addr().to_ipv4_mapped().is_some() => {
            let len = mapped.prefix_len().checked_sub(96)?;
            Some(IpNet::V4(
                Ipv4Net::new(mapped.addr().to_ipv4_mapped()?, len).ok()?,
            ))
        }
        net => Some(net),
    }
}

/// Sorted and disjoint, so that the last range that starts at or before an address decides.
fn merge<A: Copy + Ord>(ranges: &mut Vec<(A, A)>, next: impl Fn(A) -> Option<A>) {
    ranges.sort_unstable();
    ranges.dedup_by(|(start, end), (_, last)| {
        let touches = next(*last).map_or(true, |next| *start <= next);
        if touches {
            *last = (*last).max(*end);
        }
        touches
    });
}

fn is_within<A: Copy + Ord>(ranges: &[(A, A)], addr: A) -> bool {
    let behind = ranges.partition_point(|(start, _)| *start <= addr);
    behind > 0 && addr <= ranges[behind - 1].1
}

/// Something in a list of trusted proxies is neither an address nor a CIDR block.
///
/// ```
/// # use tower_root_path::TrustedProxies;
/// let error = "10.0.0.0/8, proxy.local".parse::<TrustedProxies>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid trusted proxy "proxy.local": must be an address or a CIDR block, such as 10.0.0.0/8 or ::1"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTrustedProxies(Box<str>);

impl fmt::Display for InvalidTrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid trusted proxy {:?}: must be an address or a CIDR block, such as 10.0.0.0/8 \
             or ::1",
            self.0
        )
    }
}

impl error::Error for InvalidTrustedProxies {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_sorted_and_merged() {
        let trusted: TrustedProxies = "10.0.1.0/24, 10.0.0.0/24, 10.0.0.7, 9.0.0.1, ::2, ::1/128"
            .parse()
            .unwrap();
        let v4 = |addr: &str| addr.parse::<Ipv4Addr>().unwrap();
        assert_eq!(
            trusted.v4,
            [
                (v4("9.0.0.1"), v4("9.0.0.1")),
                (v4("10.0.0.0"), v4("10.0.1.255"))
            ]
        );
        assert_eq!(trusted.v6.len(), 1);
    }

    #[test]
    fn decides_like_a_search_through_every_network() {
        let networks = (0..=255u8)
            .step_by(3)
            .map(|i| format!("10.{i}.{}.0/24", i / 2));
        let networks = networks.collect::<Vec<_>>();
        let trusted = networks.join(",").parse::<TrustedProxies>().unwrap();
        for (i, last) in (0..=255u8).flat_map(|i| [0, 1, 127, 255].map(|last| (i, last))) {
            for third in [i / 2, i / 2 + 1] {
                let addr = Ipv4Addr::new(10, i, third, last);
                let expected = networks
                    .iter()
                    .any(|net| net.parse::<Ipv4Net>().unwrap().contains(&addr));
                assert_eq!(trusted.contains(addr.into()), expected, "{addr}");
            }
        }
    }
}
