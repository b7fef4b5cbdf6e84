//! How much one network may make us keep: clients, and requests for authorization. Generous, since some vendors
//! register from a few addresses at every connection of every user, and since a company may have one address.
//!
//! For all networks together nothing is refused, or a few of them could keep everyone else out: of clients that are
//! never used, and of requests that wait, the store keeps so many, and the oldest go.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::clock::Clock;

/// One per second and address, 60 at once.
const PER_ADDRESS: Quota = per_second(1, 60);
/// Requests for authorization that wait for a person: five per second and address, 100 at once.
const WAITING: Quota = per_second(5, 100);
/// Addresses remembered before those are forgotten that would start afresh anyway.
const MAX_ADDRESSES: usize = 10_000;

type Middleware = NoOpMiddleware<Duration>;

/// Registrations so far. In memory: a restart forgets them.
#[derive(Debug)]
pub struct Registrations {
    per_address: PerAddress,
    ticks: Ticks,
}

/// Requests for authorization so far that were kept until somebody answers them. In memory as well.
#[derive(Debug)]
pub struct Authorizations {
    per_address: PerAddress,
    ticks: Ticks,
}

#[derive(Debug)]
struct PerAddress(RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Ticks, Middleware>);

/// Our clock, as the limiter sees it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Registrations {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let ticks = Ticks(clock);
        Self { per_address: PerAddress::new(PER_ADDRESS, &ticks), ticks }
    }

    /// Counts a registration.
    ///
    /// # Errors
    /// The seconds after which it would be accepted.
    pub fn admit(&self, address: IpAddr) -> Result<(), u64> {
        let checked = self.per_address.check(address);
        checked.map_err(|not_until| whole_seconds(not_until.wait_time_from(self.ticks.now())))
    }
}

impl Authorizations {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let ticks = Ticks(clock);
        Self { per_address: PerAddress::new(WAITING, &ticks), ticks }
    }

    /// Counts one that is to be kept.
    ///
    /// # Errors
    /// The seconds after which it would be accepted.
    pub fn admit(&self, address: IpAddr) -> Result<(), u64> {
        let checked = self.per_address.check(address);
        checked.map_err(|not_until| whole_seconds(not_until.wait_time_from(self.ticks.now())))
    }
}

impl PerAddress {
    fn new(quota: Quota, ticks: &Ticks) -> Self {
        Self(RateLimiter::new(quota, DashMapStateStore::default(), ticks.clone()))
    }

    fn check(&self, address: IpAddr) -> Result<(), NotUntil<Duration>> {
        if self.0.len() > MAX_ADDRESSES {
            self.0.retain_recent();
        }
        self.0.check_key(&network(address))
    }
}

/// Rounded up: who comes then is let in.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// An IPv6 subscriber has a /64 to draw addresses from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
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

    use super::Registrations;
    use crate::clock::Clock;

    fn address(last: u32) -> IpAddr {
        IpAddr::from((0xc000_0200 + last).to_be_bytes())
    }

    #[test]
    fn rule_12_an_address_has_a_burst_and_then_one_per_second() {
        let clock = Clock::stopped(0);
        let registrations = Registrations::new(clock.clone());
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
        let registrations = Registrations::new(Clock::stopped(0));
        let admitted =
            (0..1000).filter(|attempt| registrations.admit(address(attempt % 11)).is_ok()).count();
        assert_eq!(admitted, 11 * 60);
        assert_eq!(registrations.admit(address(99)), Ok(()));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let registrations = Registrations::new(Clock::stopped(0));
        for n in 0..60_u128 {
            assert_eq!(
                registrations.admit(IpAddr::V6((0x2001_0db8_u128 << 96 | n).into())),
                Ok(())
            );
        }
        assert!(registrations.admit("2001:db8::ffff".parse().unwrap()).is_err());
    }
}
