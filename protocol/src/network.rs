//! What counts as one, where something is counted by the address that it comes from.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 from which an IPv6 subscriber draws addresses.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => prefix(v6, 64),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// What has so many networks that a limit of each alone is none: the /48 that a site is given (RFC 6177). It may also
/// be many subscribers, so it is allowed more than one of them. IPv4 has nothing like it.
#[must_use]
pub fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(v6) => Some(prefix(v6, 48)),
        IpAddr::V4(_) => None,
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> IpAddr {
    let host = u128::MAX.checked_shr(bits).unwrap_or_default();
    IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{network, site};

    #[test]
    fn a_network_is_a_64_in_a_48() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let address = parse("2001:db8:1:2:3:4:5:6");
        assert_eq!(network(address), parse("2001:db8:1:2::"));
        assert_eq!(site(address), Some(parse("2001:db8:1::")));
        for v4 in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!((network(parse(v4)), site(parse(v4))), (parse("192.0.2.1"), None));
        }
    }
}
