//! How much one network may make us keep, here and at a provider: clients, and requests for authorization. Generous, since some vendors
//! register from a few addresses at every connection of every user, and since a company may have one address.
//!
//! For all networks together nothing is refused, or a few of them could keep everyone else out: of clients that are
//! never used, and of requests that wait, the store keeps so many, and the oldest go.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::{address::network, clock::Clock};

/// Registrations: one per second and address, 60 at once.
const REGISTERING: Quota = per_second(1, 60);
/// Requests for authorization that wait for a person, and their ways to a provider: five per second and address, 100 at
/// once.
const WAITING: Quota = per_second(5, 100);
/// Addresses remembered before those are forgotten that would start afresh anyway.
const MAX_ADDRESSES: usize = 10_000;

type Middleware = NoOpMiddleware<Duration>;

/// What each network did so far. In memory: a restart forgets it.
#[derive(Debug)]
pub struct PerNetwork {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Ticks, Middleware>,
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

    fn new(quota: Quota, clock: Clock) -> Self {
        let ticks = Ticks(clock);
        let store = DashMapStateStore::default();
        Self { limiter: RateLimiter::new(quota, store, ticks.clone()), ticks }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// The seconds after which it would be accepted.
    pub fn admit(&self, address: IpAddr) -> Result<(), u64> {
        if self.limiter.len() > MAX_ADDRESSES {
            self.limiter.retain_recent();
        }
        let checked = self.limiter.check_key(&network(address));
        checked.map_err(|not_until| whole_seconds(not_until.wait_time_from(self.ticks.now())))
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
}
