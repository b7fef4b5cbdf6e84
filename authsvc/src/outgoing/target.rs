//! Where we may go: over TLS to globally routable addresses, unless the operator says otherwise.
//!
//! A name is resolved once for each connection, every address of the answer is looked at, and the connection
//! goes to those very addresses: a name that changes its answer between check and use gains nothing.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use crate::config::Targets;

/// Why a target is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// Not `https`, nor `http` where that is allowed.
    #[error("the scheme `{0}` is not allowed: use https (or http with allow_private: true)")]
    Scheme(String),
    /// No host, so nobody to speak to.
    #[error("the URL has no host")]
    Host,
    /// At least one of its addresses is not globally routable.
    #[error(
        "the host has the address {0}, which is not globally routable: set allow_private: true if it is meant"
    )]
    Address(IpAddr),
}

/// Whether a URL may be a target, as far as can be told without resolving its name.
///
/// # Errors
/// When its scheme or its literal address is not allowed.
pub fn check(url: &Url, targets: Targets) -> Result<(), TargetError> {
    match (url.scheme(), targets) {
        ("https", _) | ("http", Targets::Any) => {}
        (other, _) => return Err(TargetError::Scheme(other.to_owned())),
    }
    match url.host() {
        None => Err(TargetError::Host),
        Some(Host::Domain(_)) => Ok(()),
        Some(Host::Ipv4(address)) => admit(targets, IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => admit(targets, IpAddr::V6(address)),
    }
}

/// Asks the system for the addresses of a name.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// Resolves names for the HTTP client, and refuses an answer of which any address is not allowed.
#[derive(Clone, Copy, Debug)]
pub struct GuardedResolver<N = System> {
    names: N,
    targets: Targets,
}

impl GuardedResolver {
    /// A resolver for targets of this kind.
    #[must_use]
    pub const fn new(targets: Targets) -> Self {
        Self::asking(System, targets)
    }
}

impl<N> GuardedResolver<N> {
    /// The same, that asks somebody else than the system.
    #[must_use]
    pub const fn asking(names: N, targets: Targets) -> Self {
        Self { names, targets }
    }
}

impl<N: Resolve> Resolve for GuardedResolver<N> {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, targets) = (self.names.resolve(name), self.targets);
        Box::pin(async move {
            let found: Addrs = Box::new(admit_all(found.await?, targets)?.into_iter());
            Ok(found)
        })
    }
}

/// The addresses of a name, all of which are allowed.
///
/// # Errors
/// When it cannot be resolved, or to an address that is not allowed.
pub async fn resolve(
    name: &str,
    targets: Targets,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    Ok(admit_all(lookup_host((name, 0)).await?, targets)?)
}

fn admit_all(
    found: impl Iterator<Item = SocketAddr>,
    targets: Targets,
) -> Result<Vec<SocketAddr>, TargetError> {
    found.map(|address| admit(targets, address.ip()).map(|()| address)).collect()
}

fn admit(targets: Targets, address: IpAddr) -> Result<(), TargetError> {
    let routable = match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    };
    match targets {
        Targets::Any => Ok(()),
        Targets::Public if routable => Ok(()),
        Targets::Public => Err(TargetError::Address(address)),
    }
}

/// Blocks that are not globally reachable (RFC 6890, IANA special-purpose registry), multicast, the retired 6to4
/// relays, and the one address under which Azure answers only to its own machines: first address and prefix length.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_global_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4
        .iter()
        .any(|(block, length)| (address.to_bits() ^ block.to_bits()) >> (32 - length) == 0)
}

/// The global unicast space, the only one that is routed.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// NAT64 (RFC 6052): routable when the IPv4 address in its last 32 bits is.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// Protocol assignments with Teredo, documentation twice, 6to4: blocks of the global unicast space that are not.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_global_v6(address: Ipv6Addr) -> bool {
    let within = |(block, length): &(Ipv6Addr, u32)| {
        (address.to_bits() ^ block.to_bits()) >> (128 - length) == 0
    };
    if within(&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(&GLOBAL_V6) && !SPECIAL_V6.iter().any(within)
}

#[cfg(test)]
mod tests {
    use reqwest::dns::Resolve as _;

    use super::{GuardedResolver, TargetError, check};
    use crate::{config::Targets, testing::strangers::NOT_GLOBAL};

    fn allowed(url: &str, targets: Targets) -> Result<(), TargetError> {
        check(&url.parse().unwrap(), targets)
    }

    #[test]
    fn public_addresses_and_names_are_allowed_over_https() {
        for url in [
            "https://hooks.example.com/x",
            "https://hooks.example.com:8443/x",
            "https://1.1.1.1/",
            "https://172.32.0.1/",
            "https://100.128.0.1/",
            "https://[2606:4700:4700::1111]/",
            "https://[64:ff9b::101:101]/",
        ] {
            assert_eq!(allowed(url, Targets::Public), Ok(()), "{url}");
        }
    }

    #[test]
    fn s55_ssrf_addresses_that_are_not_globally_routable_are_refused_in_every_spelling() {
        for host in NOT_GLOBAL {
            let url = format!("https://{host}/hook");
            assert!(
                matches!(allowed(&url, Targets::Public), Err(TargetError::Address(_))),
                "{url}"
            );
            assert_eq!(allowed(&url, Targets::Any), Ok(()), "{url}");
        }
    }

    #[test]
    fn plain_http_needs_the_operators_word_and_other_schemes_are_never_allowed() {
        assert_eq!(
            allowed("http://hooks.example.com/", Targets::Public),
            Err(TargetError::Scheme("http".into()))
        );
        assert_eq!(allowed("http://hooks.example.com/", Targets::Any), Ok(()));
        for url in ["file:///etc/passwd", "ftp://example.com/", "unix:/run/x"] {
            assert!(allowed(url, Targets::Any).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn s56_a_name_that_resolves_to_a_private_address_is_refused() {
        let public = GuardedResolver::new(Targets::Public);
        let Err(refused) = public.resolve("localhost".parse().unwrap()).await else {
            panic!("localhost is not globally routable");
        };
        assert!(refused.to_string().contains("not globally routable"), "{refused}");

        let any = GuardedResolver::new(Targets::Any);
        assert!(any.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
