//! Signing keys: fresh, stale or missing, and when to ask the issuer again.
//!
//! The workers of one Envoy share what one of them fetched; [`shared`] is the form in which they do.
//!
//! ```text
//! missing ──fetched──▶ fresh ──refresh_seconds──▶ due (still good) ──stale_seconds──▶ missing
//!                        ▲  └──unknown kid, throttled──▶ due ──fetched──┐
//!                        └─────────────────────────────────────────────-┘
//! ```

pub mod shared;

use attache_protocol::{
    jwk::{KeySet, Rejected},
    plugin,
};
use thiserror::Error;

/// Waiting time after the first failure, milliseconds; it doubles with each further one.
const FIRST_BACKOFF_MS: u64 = 500;
/// The longest waiting time after failures, milliseconds.
const LONGEST_BACKOFF_MS: u64 = 30_000;

/// Why an answer of the issuer is of no use.
#[derive(Debug, Error)]
pub enum JwksError {
    /// No answer, or another status than 200.
    #[error("the issuer answered the request for its keys with status {0}")]
    Status(u16),
    /// No answer that could be read.
    #[error("the issuer did not answer the request for its keys")]
    Silent,
    /// Not a key set, or one without a key that can be used.
    #[error("the issuer's key set is of no use: {0}")]
    Unusable(#[from] Rejected),
}

/// What is known of the issuer's keys. Times are Unix milliseconds.
#[derive(Debug)]
pub struct Keys {
    policy: plugin::Jwks,
    held: Option<Held>,
    asking: Asking,
    wanted: Wanted,
    failures: u32,
}

#[derive(Debug)]
struct Held {
    set: KeySet,
    fetched_ms: u64,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asking {
    /// Nobody asks.
    Idle,
    /// Somebody asked, here or in another worker; given up at this time.
    Underway { until_ms: u64 },
    /// The last attempts failed; not again before this time.
    Failed { again_ms: u64 },
}

/// Whether a token with an unknown `kid` wants the keys fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    No,
    Yes,
}

/// What a key set changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Adopted {
    /// The same keys, fresh again.
    Same,
    /// Other keys: what was verified with the old ones is to be verified again.
    Other,
}

/// Whether a token with an unknown `kid` may hope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hope {
    /// The keys are being fetched, or will be at once.
    Soon,
    /// They were fetched a moment ago: the `kid` is wrong.
    None,
}

impl Keys {
    /// No keys yet.
    #[must_use]
    pub const fn new(policy: plugin::Jwks) -> Self {
        Self { policy, held: None, asking: Asking::Idle, wanted: Wanted::No, failures: 0 }
    }

    /// The keys, while they are good.
    #[must_use]
    pub fn usable(&self, now_ms: u64) -> Option<&KeySet> {
        let held = self.held.as_ref()?;
        let age = now_ms.saturating_sub(held.fetched_ms);
        (age <= self.policy.stale_seconds.saturating_mul(1000)).then_some(&held.set)
    }

    /// When the keys in hand were fetched.
    #[must_use]
    pub fn fetched_ms(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.fetched_ms)
    }

    /// Whether it is time to ask the issuer.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        if self.is_busy(now_ms) {
            return false;
        }
        self.wanted == Wanted::Yes
            || self.held.as_ref().is_none_or(|held| {
                let age = now_ms.saturating_sub(held.fetched_ms);
                age >= self.policy.refresh_seconds.saturating_mul(1000)
            })
    }

    /// Whether keys may come at any moment: it is worth looking often.
    #[must_use]
    pub fn is_eager(&self, now_ms: u64) -> bool {
        self.is_due(now_ms) || matches!(self.asking, Asking::Underway { .. })
    }

    /// Somebody asks the issuer now; nobody else needs to until `until_ms`.
    pub const fn asked(&mut self, until_ms: u64) {
        self.asking = Asking::Underway { until_ms };
    }

    /// A token names a key that is not there.
    pub fn unknown_kid(&mut self, now_ms: u64) -> Hope {
        match self.asking {
            Asking::Underway { until_ms } if now_ms < until_ms => return Hope::Soon,
            Asking::Failed { again_ms } if now_ms < again_ms => return Hope::None,
            Asking::Idle | Asking::Underway { .. } | Asking::Failed { .. } => {}
        }
        let rest = self.policy.unknown_kid_seconds.saturating_mul(1000);
        let recent = self.fetched_ms().is_some_and(|fetched| now_ms.saturating_sub(fetched) < rest);
        if recent {
            return Hope::None;
        }
        self.wanted = Wanted::Yes;
        Hope::Soon
    }

    /// Takes the body of the issuer's answer, fetched here or by another worker.
    ///
    /// # Errors
    /// When it is no key set, or has no key that can be used; the keys in hand stay.
    pub fn adopt(&mut self, text: &[u8], fetched_ms: u64) -> Result<Adopted, JwksError> {
        let adopted = match self.held.as_mut().filter(|held| held.text == text) {
            Some(held) => {
                held.fetched_ms = fetched_ms;
                Adopted::Same
            }
            None => {
                let set = KeySet::parse(text)?;
                self.held = Some(Held { set, fetched_ms, text: text.to_vec() });
                Adopted::Other
            }
        };
        self.asking = Asking::Idle;
        self.wanted = Wanted::No;
        self.failures = 0;
        Ok(adopted)
    }

    /// An attempt failed: the next one waits, longer each time, until the time that comes back.
    pub fn failed(&mut self, now_ms: u64) -> u64 {
        self.failures = self.failures.saturating_add(1);
        self.wanted = Wanted::No;
        let again_ms = now_ms.saturating_add(backoff(self.failures));
        self.asking = Asking::Failed { again_ms };
        again_ms
    }

    const fn is_busy(&self, now_ms: u64) -> bool {
        match self.asking {
            Asking::Idle => false,
            Asking::Underway { until_ms: until } | Asking::Failed { again_ms: until } => {
                now_ms < until
            }
        }
    }
}

/// How long to wait after `times` failures in a row, milliseconds.
fn backoff(times: u32) -> u64 {
    let doubled = FIRST_BACKOFF_MS.saturating_mul(1 << times.saturating_sub(1).min(10));
    doubled.min(LONGEST_BACKOFF_MS)
}

#[cfg(test)]
mod tests;
