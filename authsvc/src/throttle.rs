//! Limits on guessing passwords: per account and network, per network, per site (the /48 of an IPv6 network), per
//! account, and for all together, with growing delays.
//!
//! An attempt counts as failed when it begins, so that attempts made at the same time count as well; a success
//! takes it back. Accounts are keyed by what was typed, whether or not it exists. A network has to wait when it
//! has failed too often, at one account or at many. What others fail at an account or anywhere only slows down, by
//! two seconds at most: a limit that refuses there would let anyone who knows an e-mail address lock its owner
//! out. Who guesses from many networks is held by the few attempts of each, and by how many passwords are checked
//! at a time.
//! State is in memory: a restart forgets it, and what is at stake then is a handful of guesses.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use attache_protocol::network::{network, site};

/// Entries remembered, per table.
const MAX_ENTRIES: usize = 10_000;

/// One account from one network: refuses.
const PAIR: Limits = Limits { free: 5, first_ms: 1_000, longest_ms: 300_000, forgiven_ms: 180_000 };
/// All accounts from one network: refuses.
const NETWORK: Limits =
    Limits { free: 20, first_ms: 1_000, longest_ms: 60_000, forgiven_ms: 15_000 };
/// All accounts from one site, whichever of its 65,536 networks: refuses.
const SITE: Limits = Limits { free: 80, first_ms: 1_000, longest_ms: 60_000, forgiven_ms: 4_000 };
/// One account from everywhere: slows down.
const ACCOUNT: Limits = Limits { free: 10, first_ms: 50, longest_ms: 2_000, forgiven_ms: 10_000 };
/// Everything: slows down.
const TOTAL: Limits = Limits { free: 100, first_ms: 50, longest_ms: 2_000, forgiven_ms: 1_000 };

/// How often one may fail, and what it costs then. Times in milliseconds.
struct Limits {
    free: u32,
    /// The first delay; each further failure doubles it.
    first_ms: i64,
    longest_ms: i64,
    /// One failure is forgiven per this time.
    forgiven_ms: i64,
}

/// Failed and running attempts.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Tables>);

/// The attempt is refused: too many have failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany {
    /// When the next one will be looked at.
    pub retry_after: Duration,
    /// Whether it is the first that is refused since one was looked at.
    pub is_first: bool,
}

#[derive(Debug, Default)]
struct Tables {
    pairs: HashMap<(String, IpAddr), Failures>,
    networks: HashMap<IpAddr, Failures>,
    sites: HashMap<IpAddr, Failures>,
    accounts: HashMap<String, Failures>,
    total: Failures,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last_ms: i64,
    /// Whether anything was refused since.
    has_refused: bool,
}

impl Throttle {
    /// Begins an attempt. The caller waits for the returned time before the answer, so that a flood of failures
    /// at an account slows guessing there, and a flood anywhere slows guessing everywhere.
    ///
    /// # Errors
    /// [`TooMany`] while this network or its site has to wait, at this account or at all.
    pub fn begin(&self, account: &str, address: IpAddr, now_ms: i64) -> Result<Duration, TooMany> {
        let (account, network, site) = (key(account), network(address), site(address));
        let pair = (account.clone(), network);
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = [
            refusal(tables.pairs.get_mut(&pair), &PAIR, now_ms),
            refusal(tables.networks.get_mut(&network), &NETWORK, now_ms),
            refusal(site.and_then(|site| tables.sites.get_mut(&site)), &SITE, now_ms),
        ];
        if let Some(many) = refused.into_iter().flatten().max_by_key(|many| many.retry_after) {
            return Err(many);
        }
        let of_account =
            tables.accounts.get(&account).map_or(0, |failures| failures.delay(&ACCOUNT, now_ms));
        let pause = of_account.max(tables.total.delay(&TOTAL, now_ms));
        record(&mut tables.pairs, pair, &PAIR, now_ms);
        record(&mut tables.networks, network, &NETWORK, now_ms);
        if let Some(site) = site {
            record(&mut tables.sites, site, &SITE, now_ms);
        }
        record(&mut tables.accounts, account, &ACCOUNT, now_ms);
        tables.total.add(&TOTAL, now_ms);
        Ok(millis(pause))
    }

    /// Takes back what [`Throttle::begin`] counted, and forgets the failures of the account from this network.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        let (account, network) = (key(account), network(address));
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        take_back(tables.networks.get_mut(&network));
        take_back(site(address).and_then(|site| tables.sites.get_mut(&site)));
        take_back(tables.accounts.get_mut(&account));
        tables.pairs.remove(&(account, network));
        take_back(Some(&mut tables.total));
    }
}

/// Why an attempt is not looked at, if so.
fn refusal(failures: Option<&mut Failures>, limits: &Limits, now_ms: i64) -> Option<TooMany> {
    let failures = failures?;
    let wait = failures.wait(limits, now_ms);
    (wait > 0).then(|| {
        let is_first = !mem::replace(&mut failures.has_refused, true);
        TooMany { retry_after: millis(wait), is_first }
    })
}

fn take_back(failures: Option<&mut Failures>) {
    if let Some(failures) = failures {
        failures.count = failures.count.saturating_sub(1);
    }
}

impl Failures {
    fn remaining(&self, limits: &Limits, now_ms: i64) -> u32 {
        let forgiven = now_ms.saturating_sub(self.last_ms).max(0) / limits.forgiven_ms;
        self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    fn delay(&self, limits: &Limits, now_ms: i64) -> i64 {
        let Some(beyond) = self.remaining(limits, now_ms).checked_sub(limits.free) else {
            return 0;
        };
        limits
            .first_ms
            .saturating_mul(1_i64.checked_shl(beyond.min(30)).unwrap_or(i64::MAX))
            .min(limits.longest_ms)
    }

    fn wait(&self, limits: &Limits, now_ms: i64) -> i64 {
        self.last_ms.saturating_add(self.delay(limits, now_ms)).saturating_sub(now_ms).max(0)
    }

    fn add(&mut self, limits: &Limits, now_ms: i64) {
        let count = self.remaining(limits, now_ms).saturating_add(1);
        *self = Self { count, last_ms: now_ms, has_refused: false };
    }
}

fn record<K: Clone + Eq + Hash>(
    table: &mut HashMap<K, Failures>,
    key: K,
    limits: &Limits,
    now_ms: i64,
) {
    if table.len() >= MAX_ENTRIES && !table.contains_key(&key) {
        table.retain(|_, failures| failures.remaining(limits, now_ms) > 0);
        if table.len() >= MAX_ENTRIES {
            let oldest = table
                .iter()
                .min_by_key(|(_, failures)| failures.last_ms)
                .map(|(key, _)| key.clone());
            oldest.map(|oldest| table.remove(&oldest));
        }
    }
    table.entry(key).or_default().add(limits, now_ms);
}

fn key(account: &str) -> String {
    account.trim().to_ascii_lowercase()
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::{MAX_ENTRIES, Throttle};

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn wait(throttle: &Throttle, account: &str, from: u8, now_ms: i64) -> Option<u64> {
        throttle.begin(account, address(from), now_ms).err().map(|many| many.retry_after.as_secs())
    }

    #[test]
    fn s46_a_network_waits_longer_with_each_failure_beyond_the_fifth_at_an_account() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            assert_eq!(wait(&throttle, "a@example.com", 1, 0), None);
        }
        assert_eq!(wait(&throttle, "A@example.com ", 1, 0), Some(1));
        assert_eq!(wait(&throttle, "a@example.com", 1, 1_000), None);
        assert_eq!(wait(&throttle, "a@example.com", 1, 1_000), Some(2));
        assert_eq!(wait(&throttle, "b@example.com", 1, 1_000), None);
    }

    #[test]
    fn s46_strangers_slow_an_account_down_and_do_not_lock_its_owner_out() {
        let throttle = Throttle::default();
        let mut longest = Duration::ZERO;
        for from in 1..=200 {
            for _ in 0..5 {
                longest = longest.max(throttle.begin("a@example.com", address(from), 0).unwrap());
            }
            assert!(throttle.begin("a@example.com", address(from), 0).is_err());
        }
        assert_eq!(longest, Duration::from_secs(2));
        let owner = IpAddr::from([198, 51, 100, 1]);
        assert_eq!(throttle.begin("a@example.com", owner, 0), Ok(Duration::from_secs(2)));
    }

    #[test]
    fn s46_an_account_under_attack_is_slower_than_others() {
        let throttle = Throttle::default();
        for from in 1..=11 {
            assert!(throttle.begin("a@example.com", address(from), 0).is_ok());
        }
        let pause = |account| throttle.begin(account, address(99), 0);
        assert_eq!(pause("a@example.com"), Ok(Duration::from_millis(100)));
        assert_eq!(pause("b@example.com"), Ok(Duration::ZERO));
    }

    #[test]
    fn s46_an_address_waits_whatever_account_it_tries() {
        let throttle = Throttle::default();
        for n in 0..20 {
            assert_eq!(wait(&throttle, &format!("user{n}@example.com"), 1, 0), None);
        }
        assert_eq!(wait(&throttle, "another@example.com", 1, 0), Some(1));
        assert_eq!(wait(&throttle, "another@example.com", 2, 0), None);
    }

    #[test]
    fn s46_a_flood_from_everywhere_slows_everyone_down_and_locks_no_one_out() {
        let throttle = Throttle::default();
        for n in 0..=255 {
            assert!(throttle.begin(&format!("user{n}"), address(n), 0).is_ok());
        }
        let pause = throttle.begin("honest@example.com", IpAddr::from([198, 51, 100, 1]), 0);
        assert_eq!(pause, Ok(Duration::from_secs(2)));
    }

    #[test]
    fn a_success_forgets_the_failures_of_the_account_from_that_network() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            assert_eq!(wait(&throttle, "a", 1, 0), None);
        }
        throttle.succeeded("a", address(1));
        assert_eq!(wait(&throttle, "a", 1, 0), None);
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let throttle = Throttle::default();
        for _ in 0..8 {
            wait(&throttle, "a", 1, 0);
        }
        for _ in 0..5 {
            assert_eq!(wait(&throttle, "a", 1, 3_600_000), None);
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let throttle = Throttle::default();
        for n in 0..20_u128 {
            let address = IpAddr::V6((0x2001_0db8_u128 << 96 | n).into());
            assert!(throttle.begin(&format!("{n}"), address, 0).is_ok());
        }
        assert!(throttle.begin("x", IpAddr::V6((0x2001_0db8_u128 << 96 | 99).into()), 0).is_err());
    }

    #[test]
    fn s46_many_networks_of_one_site_are_no_way_round_the_limit() {
        let throttle = Throttle::default();
        let of_site = |n: u128| IpAddr::V6((0x2001_0db8_0001_u128 << 80 | n << 64).into());
        for n in 0..80 {
            assert!(throttle.begin(&format!("{n}"), of_site(n), 0).is_ok(), "{n}");
        }
        let refused = throttle.begin("x", of_site(81), 0).unwrap_err();
        assert!(refused.is_first && !throttle.begin("x", of_site(82), 0).unwrap_err().is_first);
        let of_another = "2001:db8:2::1".parse().unwrap();
        assert!(throttle.begin("x", of_another, 0).is_ok());
        assert!(throttle.begin("x", of_site(83), 4_000).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..u32::try_from(MAX_ENTRIES).unwrap() + 50 {
            let begun = throttle.begin(&n.to_string(), IpAddr::from(n.to_be_bytes()), 0);
            assert!(begun.is_ok());
        }
        let tables = throttle.0.lock().unwrap();
        let sizes = [tables.pairs.len(), tables.networks.len(), tables.accounts.len()];
        assert!(sizes.iter().all(|size| *size <= MAX_ENTRIES), "{sizes:?}");
    }
}
