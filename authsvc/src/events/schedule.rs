//! When a delivery is attempted, and when it is given up (Standard Webhooks 1.0.0, section "Retries").
//!
//! ```text
//!            claim                 2xx
//!  due ───────────────▶ leased ─────────▶ delivered
//!   ▲                    │  │
//!   └────────────────────┘  └───────────▶ dead
//!     failed, or the lease     failed for
//!     ended with no answer     the last time
//! ```

use std::time::Duration;

use crate::clock::millis;

/// State of one delivery; every time is Unix milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Waits for its time.
    Due {
        /// When it is attempted.
        at_ms: i64,
    },
    /// Being attempted; due again when the lease ends without an answer, as after a crash.
    Leased {
        /// When the lease ends.
        until_ms: i64,
    },
    /// The receiver has it.
    Delivered {
        /// Since when.
        at_ms: i64,
    },
    /// Given up, and kept.
    Dead {
        /// Since when.
        at_ms: i64,
    },
}

impl State {
    /// What a delivery is after its `attempt`th attempt (from 1) failed; the receiver may have asked to `wait`.
    #[must_use]
    pub fn after_failure(
        attempt: u32,
        wait: Option<Duration>,
        now_ms: i64,
        jitter: Jitter,
    ) -> Self {
        match delay_after(attempt) {
            None => Self::Dead { at_ms: now_ms },
            Some(delay) => {
                let delay = jitter.stretch(delay).max(wait.unwrap_or_default());
                Self::Due { at_ms: later(now_ms, delay) }
            }
        }
    }
}

/// How much longer than scheduled to wait, so that many deliveries that failed together do not come back together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Jitter(u8);

impl Jitter {
    /// From a uniformly random byte: 0 to just under 10 %.
    #[must_use]
    pub const fn from_random(byte: u8) -> Self {
        Self(byte)
    }

    fn stretch(self, delay: Duration) -> Duration {
        delay + delay * u32::from(self.0) / 2560
    }
}

/// A time so much after another, both Unix milliseconds.
#[must_use]
pub fn later(now_ms: i64, delay: Duration) -> i64 {
    now_ms.saturating_add(millis(delay))
}

/// A time so much before another, both Unix milliseconds.
#[must_use]
pub fn earlier(now_ms: i64, delay: Duration) -> i64 {
    now_ms.saturating_sub(millis(delay))
}

/// Delays between the ten attempts, the first of which is immediate: 75 h 35 min in all.
const DELAYS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

fn delay_after(attempt: u32) -> Option<Duration> {
    let index = usize::try_from(attempt.saturating_sub(1)).ok()?;
    DELAYS.get(index).copied()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Jitter, State};

    const NONE: Jitter = Jitter::from_random(0);
    const MOST: Jitter = Jitter::from_random(u8::MAX);

    #[test]
    fn ten_attempts_are_spread_over_75_hours_and_35_minutes_and_then_the_delivery_is_dead() {
        let mut at = 0;
        for attempt in 1..=9 {
            let State::Due { at_ms } = State::after_failure(attempt, None, at, NONE) else {
                panic!("attempt {attempt} is followed by another");
            };
            at = at_ms;
        }
        assert_eq!(at, ((75 * 60 + 35) * 60 + 5) * 1000);
        for attempt in [10, 11, u32::MAX] {
            assert_eq!(State::after_failure(attempt, None, at, NONE), State::Dead { at_ms: at });
        }
    }

    #[test]
    fn jitter_only_delays_and_by_less_than_a_tenth() {
        assert_eq!(State::after_failure(1, None, 0, MOST), State::Due { at_ms: 5498 });
        assert_eq!(State::after_failure(9, None, 0, MOST), State::Due { at_ms: 95_006_250 });
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_less() {
        let wait = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(State::after_failure(1, wait(60), 0, NONE), State::Due { at_ms: 60_000 });
        assert_eq!(State::after_failure(2, wait(60), 0, NONE), State::Due { at_ms: 300_000 });
        assert_eq!(State::after_failure(10, wait(60), 7, NONE), State::Dead { at_ms: 7 });
    }
}
