//! The clock, the only file that reads it: everything else takes `now` as an argument or asks [`Clock`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use time::OffsetDateTime;

/// What time it is.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock; limits count from the given instant, which does not jump.
    System(Instant),
    /// Stands still until it is advanced; Unix milliseconds.
    Stopped(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    #[must_use]
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// A clock that stands at `now_ms`, Unix milliseconds.
    #[must_use]
    pub fn stopped(now_ms: i64) -> Self {
        Self::Stopped(Arc::new(AtomicI64::new(now_ms)))
    }

    /// The time, UTC.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let nanoseconds = i128::from(self.now_ms()).saturating_mul(1_000_000);
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System(_) => system_ms(),
            Self::Stopped(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }

    /// Unix seconds.
    #[must_use]
    pub fn now_unix(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// Time since some fixed instant; never runs backwards: for limits and durations.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::System(start) => start.elapsed(),
            Self::Stopped(now_ms) => {
                Duration::from_millis(u64::try_from(now_ms.load(Ordering::Relaxed)).unwrap_or(0))
            }
        }
    }

    /// Moves a stopped clock; the machine's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Self::Stopped(now_ms) = self {
            now_ms.fetch_add(millis(by), Ordering::Relaxed);
        }
    }
}

/// Whole seconds, as times and the database count them.
#[must_use]
pub fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The same in milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Clock;

    #[test]
    fn s32_a_stopped_clock_moves_only_when_it_is_advanced() {
        let clock = Clock::stopped(1_000);
        assert_eq!((clock.now_ms(), clock.now_unix()), (1_000, 1));
        clock.advance(Duration::from_millis(1_500));
        assert_eq!((clock.now_ms(), clock.now_unix()), (2_500, 2));
        assert_eq!(clock.now().unix_timestamp(), 2);
        assert_eq!(clock.elapsed(), Duration::from_millis(2_500));
    }
}
