//! How much is fetched at the same time: each network has few turns, so that one that names places which never answer
//! leaves turns to the others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use attache_protocol::network::{network, site};

/// For one network.
const OF_ONE: usize = 4;
/// For the networks of one site, the /48 of an IPv6 network.
const OF_SITE: usize = 16;
/// For all of them: what they may cost us is bounded.
const OF_ALL: usize = 128;

/// What is being fetched, by the network for which it is.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<IpAddr, usize>>);

/// Somebody's turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    network: IpAddr,
}

impl Turns {
    /// A turn for whoever asks from this address, unless too much is being fetched for its network, or at all.
    #[must_use]
    pub(super) fn take(&self, address: IpAddr) -> Option<Turn<'_>> {
        let (network, site) = (network(address), site(address));
        let mut under_way = self.under_way();
        let its = under_way.get(&network).copied().unwrap_or_default();
        let beside = |other: &IpAddr| site.is_some() && self::site(*other) == site;
        let of_site: usize =
            under_way.iter().filter(|(other, _)| beside(other)).map(|(_, its)| its).sum();
        if its >= OF_ONE || of_site >= OF_SITE || under_way.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        under_way.insert(network, its + 1);
        Some(Turn { turns: self, network })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.turns.under_way();
        match under_way.get_mut(&self.network) {
            Some(its) if *its > 1 => *its -= 1,
            _ => drop(under_way.remove(&self.network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::{OF_ALL, OF_ONE, OF_SITE, Turns};

    fn somebody(network: u16, address: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, address).into()
    }

    #[test]
    fn s55_one_network_leaves_turns_to_the_others() {
        let turns = Turns::default();
        let mut its: Vec<_> = (0..8).filter_map(|n| turns.take(somebody(1, n))).collect();
        assert_eq!(its.len(), OF_ONE);
        assert!(turns.take(somebody(2, 1)).is_some());
        its.pop();
        assert!(turns.take(somebody(1, 9)).is_some());
        drop(its);
        assert!(turns.under_way().is_empty());
    }

    #[test]
    fn s55_all_networks_together_have_so_many() {
        let turns = Turns::default();
        let v4 = |n: u32| IpAddr::V4((0xc000_0200 + n).into());
        let all: Vec<_> = (0..200).filter_map(|n| turns.take(v4(n))).collect();
        assert_eq!(all.len(), OF_ALL);
    }

    #[test]
    fn s55_many_networks_of_one_site_leave_turns_to_the_others() {
        let turns = Turns::default();
        let its: Vec<_> = (0..200).filter_map(|n| turns.take(somebody(n, 1))).collect();
        assert_eq!(its.len(), OF_SITE);
        assert!(turns.take("2001:db8:1::1".parse().unwrap()).is_some());
    }
}
