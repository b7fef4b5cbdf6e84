//! How much may be asked about tokens that nobody knows: by one network, by one site of many, and by all together. Who
//! makes up tokens uses up what their own network has, and that of others only from many of them.

use std::{collections::BTreeMap, net::IpAddr};

use attache_protocol::network::{network, site};

use crate::bucket::{Bucket, Rate};

/// One network: twenty a second, a hundred at once.
const NETWORK: Rate = Rate { cost_ms: 50, burst: 100 };
/// One site, the /48 of an IPv6 network: four times as many.
const SITE: Rate = Rate { cost_ms: 12, burst: 400 };
/// All together, which is what many networks can make authsvc look up: two hundred a second.
const ALL: Rate = Rate { cost_ms: 5, burst: 1000 };
/// Networks and sites that are remembered; the one that has been silent for longest goes, and would begin afresh.
const MOST: usize = 256;

/// What they have left.
#[derive(Debug)]
pub(super) struct Strangers {
    networks: BTreeMap<Option<IpAddr>, Bucket>,
    sites: BTreeMap<IpAddr, Bucket>,
    all: Bucket,
}

impl Strangers {
    /// Nobody has asked yet.
    pub(super) const fn new() -> Self {
        Self { networks: BTreeMap::new(), sites: BTreeMap::new(), all: Bucket::full(ALL) }
    }

    /// Pays for one question; of those of whom nobody knows where they are, all are one network.
    pub(super) fn pay(&mut self, from: Option<IpAddr>, now_ms: u64) -> bool {
        // The narrowest first: what one is refused takes nothing from the others.
        bucket(&mut self.networks, from.map(network), NETWORK).pays(now_ms)
            && from
                .and_then(site)
                .is_none_or(|site| bucket(&mut self.sites, site, SITE).pays(now_ms))
            && self.all.pays(now_ms)
    }
}

fn bucket<K: Copy + Ord>(buckets: &mut BTreeMap<K, Bucket>, key: K, rate: Rate) -> &mut Bucket {
    if buckets.len() >= MOST && !buckets.contains_key(&key) {
        let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.seen_ms()).map(|(key, _)| *key);
        oldest.map(|oldest| buckets.remove(&oldest));
    }
    buckets.entry(key).or_insert_with(|| Bucket::full(rate))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{ALL, MOST, NETWORK, SITE, Strangers};

    const NOW_MS: u64 = 1_000_000;

    fn v4(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    /// The first address of this network of a /48.
    fn v6(number: u128) -> Option<IpAddr> {
        Some(IpAddr::V6((0x2001_0db8_0001_u128 << 80 | number << 64).into()))
    }

    fn paid(strangers: &mut Strangers, from: Option<IpAddr>, times: usize) -> usize {
        (0..times).filter(|_| strangers.pay(from, NOW_MS)).count()
    }

    #[test]
    fn a_network_has_a_burst_and_then_its_rate_and_leaves_the_others_theirs() {
        let mut strangers = Strangers::new();
        assert_eq!(paid(&mut strangers, v4(1), 10_000), 100);
        assert!(!strangers.pay(v4(1), NOW_MS + NETWORK.cost_ms - 1));
        assert!(strangers.pay(v4(1), NOW_MS + NETWORK.cost_ms));
        assert_eq!(paid(&mut strangers, v4(2), 10), 10);
        assert_eq!(paid(&mut strangers, None, 10_000), 100);
    }

    #[test]
    fn a_site_has_four_networks_worth_and_no_more() {
        let mut strangers = Strangers::new();
        let all = (0..1000).filter(|number| strangers.pay(v6(*number), NOW_MS)).count();
        assert_eq!(all as u64, SITE.burst);
        let of_another = "2001:db8:2::1".parse().ok();
        assert!(strangers.pay(of_another, NOW_MS));
    }

    #[test]
    fn all_networks_together_are_bounded_and_so_is_what_is_remembered_of_them() {
        let mut strangers = Strangers::new();
        let all = (0..5000).filter(|number| strangers.pay(v4(*number), NOW_MS)).count();
        assert_eq!(all as u64, ALL.burst);
        assert!(strangers.networks.len() <= MOST);
        assert!(strangers.pay(v4(9999), NOW_MS + ALL.cost_ms));
    }
}
