//! How hard a destination may be tried: a dead one gets one probe at a time, and costs the others nothing.

use std::time::Duration;

use super::schedule::later;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// Longest time between two probes.
const LONGEST: Duration = Duration::from_mins(5);

/// State of one destination, as this process sees it; every time is Unix milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Circuit {
    /// It answers.
    Closed {
        /// Failures since its last success.
        failures: u32,
    },
    /// It does not, or it asked for time.
    Open {
        /// When it is probed.
        probe_at_ms: i64,
        /// Failures since its last success.
        failures: u32,
    },
    /// It said that it is gone for good.
    Disabled,
}

/// How many attempts may run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allowance {
    /// So many at once.
    Attempts(usize),
    /// None before this time.
    NotBefore(i64),
    /// None any more.
    Never,
}

impl Circuit {
    /// How many attempts may run now, of at most `most`.
    #[must_use]
    pub const fn allowance(self, most: usize, now_ms: i64) -> Allowance {
        match self {
            Self::Closed { .. } => Allowance::Attempts(most),
            Self::Open { probe_at_ms, .. } if probe_at_ms <= now_ms => Allowance::Attempts(1),
            Self::Open { probe_at_ms, .. } => Allowance::NotBefore(probe_at_ms),
            Self::Disabled => Allowance::Never,
        }
    }

    /// After an attempt that the receiver accepted.
    #[must_use]
    pub const fn succeeded(self) -> Self {
        match self {
            Self::Disabled => Self::Disabled,
            Self::Closed { .. } | Self::Open { .. } => Self::Closed { failures: 0 },
        }
    }

    /// After an attempt that failed; a receiver that asked to `wait` is not tried before.
    #[must_use]
    pub fn failed(self, wait: Option<Duration>, now_ms: i64) -> Self {
        let (failures, not_before_ms) = match self {
            Self::Disabled => return self,
            Self::Closed { failures } if failures + 1 < FAILURES && wait.is_none() => {
                return Self::Closed { failures: failures + 1 };
            }
            Self::Closed { failures } => (failures.saturating_add(1), now_ms),
            Self::Open { failures, probe_at_ms } => (failures.saturating_add(1), probe_at_ms),
        };
        let pause = pause_after(failures).max(wait.unwrap_or_default());
        Self::Open { probe_at_ms: later(now_ms, pause).max(not_before_ms), failures }
    }
}

/// 5 s, 10 s, 20 s … 5 min.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FAILURES).min(6);
    Duration::from_secs(5 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Allowance, Circuit};

    const NEW: Circuit = Circuit::Closed { failures: 0 };

    fn after_failures(count: u32, now_ms: i64) -> Circuit {
        (0..count).fold(NEW, |circuit, _| circuit.failed(None, now_ms))
    }

    #[test]
    fn the_fifth_failure_in_a_row_leaves_one_probe_at_a_time() {
        assert_eq!(after_failures(4, 0).allowance(4, 0), Allowance::Attempts(4));
        let open = after_failures(5, 1000);
        assert_eq!(open.allowance(4, 1000), Allowance::NotBefore(6000));
        assert_eq!(open.allowance(4, 6000), Allowance::Attempts(1));
    }

    #[test]
    fn probes_become_rare_and_stay_below_five_minutes() {
        let pause = |failures| match after_failures(failures, 0).allowance(4, 0) {
            Allowance::NotBefore(at_ms) => at_ms / 1000,
            Allowance::Attempts(_) | Allowance::Never => 0,
        };
        assert_eq!([5, 6, 7, 11, 12, 1000].map(pause), [5, 10, 20, 300, 300, 300]);
    }

    #[test]
    fn one_success_closes_the_circuit() {
        assert_eq!(after_failures(9, 0).succeeded(), NEW);
    }

    #[test]
    fn a_receiver_that_asks_for_time_is_left_alone_that_long() {
        let throttled = NEW.failed(Some(Duration::from_secs(60)), 0);
        assert_eq!(throttled.allowance(4, 59_999), Allowance::NotBefore(60_000));
        assert_eq!(throttled.allowance(4, 60_000), Allowance::Attempts(1));
        let late_answer = throttled.failed(None, 10);
        assert_eq!(late_answer.allowance(4, 59_999), Allowance::NotBefore(60_000));
    }

    #[test]
    fn a_destination_that_is_gone_stays_gone() {
        for circuit in [Circuit::Disabled.succeeded(), Circuit::Disabled.failed(None, 0)] {
            assert_eq!(circuit.allowance(4, i64::MAX), Allowance::Never);
        }
    }
}
