//! How much one network, or one site of many, may make us keep, here and at a provider: clients, and requests for
//! authorization. Generous, since some vendors register from a few addresses at every connection of every user, and
//! since a company may have one address.
//!
//! For all networks together nothing is refused, or a few of them could keep everyone else out: of clients that are
//! never used, and of requests that wait, the store keeps so many, and the oldest go.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use attache_protocol::network::{network, site};
use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::clock::Clock;

/// Registrations: one per second and network, 60 at once; of a site (the /48 of an IPv6 network) four times as many.
const REGISTERING: Quotas = Quotas::new(1, 60);
/// Requests for authorization that wait for a person, and their ways to a provider: five per second and network, 100 at
/// once; of a site likewise.
const WAITING: Quotas = Quotas::new(5, 100);
/// How much more a site may: it has 65,536 networks, of one customer or of many.
const SITE: u32 = 4;
/// Addresses remembered before those are forgotten that would start afresh anyway.
const MAX_ADDRESSES: usize = 10_000;

type Middleware = NoOpMiddleware<Duration>;
type Limiter = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Ticks, Middleware>;

/// What one network may, and what one site.
#[derive(Clone, Copy, Debug)]
struct Quotas {
    network: Quota,
    site: Quota,
}

/// What each network did so far. In memory: a restart forgets it.
#[derive(Debug)]
pub struct PerNetwork {
    networks: Limiter,
    sites: Limiter,
    ticks: Ticks,
}

/// Our clock, as the limiter sees it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl PerNetwork {
    /// Of registrations; none yet.
    #[must_use]
    pub fn registrations(clock: Clock) -> Self {
        Self::new(REGISTERING, clock)
    }

    /// Of requests for authorization that are kept until somebody answers them; none yet.
    #[must_use]
    pub fn authorizations(clock: Clock) -> Self {
        Self::new(WAITING, clock)
    }

    fn new(quotas: Quotas, clock: Clock) -> Self {
        let ticks = Ticks(clock);
        let limiter = |quota| RateLimiter::new(quota, DashMapStateStore::default(), ticks.clone());
        Self { networks: limiter(quotas.network), sites: limiter(quotas.site), ticks }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// The seconds after which it would be accepted.
    pub fn admit(&self, address: IpAddr) -> Result<(), u64> {
        self.check(&self.networks, network(address))?;
        // Not what its networks were refused: one of them must not use up what the others have.
        site(address).map_or(Ok(()), |site| self.check(&self.sites, site))
    }

    fn check(&self, limiter: &Limiter, key: IpAddr) -> Result<(), u64> {
        if limiter.len() > MAX_ADDRESSES {
            limiter.retain_recent();
        }
        let checked = limiter.check_key(&key);
        checked.map_err(|not_until| whole_seconds(not_until.wait_time_from(self.ticks.now())))
    }
}

impl Quotas {
    const fn new(rate: u32, burst: u32) -> Self {
        Self { network: per_second(rate, burst), site: per_second(rate * SITE, burst * SITE) }
    }
}

/// Rounded up: who comes then is let in.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

const fn per_second(rate: u32, burst: u32) -> Quota {
    Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst))
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::PerNetwork;
    use crate::clock::Clock;

    fn address(last: u32) -> IpAddr {
        IpAddr::from((0xc000_0200 + last).to_be_bytes())
    }

    #[test]
    fn rule_12_an_address_has_a_burst_and_then_one_per_second() {
        let clock = Clock::stopped(0);
        let registrations = PerNetwork::registrations(clock.clone());
        for _ in 0..60 {
            assert_eq!(registrations.admit(address(1)), Ok(()));
        }
        assert!(registrations.admit(address(1)).is_err());
        assert_eq!(registrations.admit(address(2)), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(registrations.admit(address(1)), Ok(()));
        assert!(registrations.admit(address(1)).is_err());
    }

    #[test]
    fn rule_12_many_addresses_together_do_not_keep_another_out() {
        let registrations = PerNetwork::registrations(Clock::stopped(0));
        let admitted =
            (0..1000).filter(|attempt| registrations.admit(address(attempt % 11)).is_ok()).count();
        assert_eq!(admitted, 11 * 60);
        assert_eq!(registrations.admit(address(99)), Ok(()));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let registrations = PerNetwork::registrations(Clock::stopped(0));
        for n in 0..60_u128 {
            assert_eq!(
                registrations.admit(IpAddr::V6((0x2001_0db8_u128 << 96 | n).into())),
                Ok(())
            );
        }
        assert!(registrations.admit("2001:db8::ffff".parse().unwrap()).is_err());
    }

    #[test]
    fn rule_12_many_networks_of_one_site_are_no_way_round_the_limit() {
        let registrations = PerNetwork::registrations(Clock::stopped(0));
        let of_site = |n: u128| IpAddr::V6((0x2001_0db8_0001_u128 << 80 | n << 64).into());
        // What one network is refused takes nothing from the others.
        let of_one = (0..1000).filter(|_| registrations.admit(of_site(0)).is_ok()).count();
        let of_others = (1..1000).filter(|n| registrations.admit(of_site(*n)).is_ok()).count();
        assert_eq!((of_one, of_others), (60, 180));
        assert_eq!(registrations.admit("2001:db8:2::1".parse().unwrap()), Ok(()));
    }
}
