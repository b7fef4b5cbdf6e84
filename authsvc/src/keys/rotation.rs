//! When a key begins to sign, when it stops, and when it is forgotten: decided here, carried out by the keeper.
//!
//! ```text
//! next ──published for PUBLISHED, the current one signed for a period──▶ current ──▶ retired ──▶ forgotten
//! ```

use super::Settings;
use crate::{
    discovery::JWKS_MAX_AGE,
    store::keys::{SigningKey, State},
};

/// How long a key is published before it signs, seconds: whoever verifies keeps the key set for one `max-age`,
/// and may have had it from a cache that kept it as long.
pub const PUBLISHED: i64 = 2 * JWKS_MAX_AGE;
/// How much later than we somebody else may think that a token expires, seconds.
const SKEW: i64 = 60;
/// How long a key of an algorithm that is no longer configured goes on, seconds: another process may not know yet.
const GIVEN_UP: i64 = 24 * 3600;

/// What decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    /// The algorithm that signs.
    pub algorithm: &'static str,
    /// How long a key signs, seconds.
    pub period: i64,
    /// Life of an access token, seconds.
    pub token_life: i64,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Make a key for this state, which is vacant.
    Introduce(State),
    /// The next key signs, since nothing does.
    Promote(String),
    /// The next key signs instead of the current one.
    Succeed { from: String, to: String },
    /// A key of another algorithm does not sign any more.
    Retire(String),
    /// A key is of no use any more.
    Forget(String, State),
    /// Tokens live longer than the key knows.
    Lengthen(String),
}

impl Step {
    /// What became of the key.
    pub(super) const fn words(&self) -> &'static str {
        match self {
            Self::Introduce(State::Next) => "a signing key was made, which signs later",
            Self::Introduce(State::Current | State::Retired) => "a signing key was made, and signs",
            Self::Promote(_) => "a signing key signs from now on, since none did",
            Self::Succeed { .. } => {
                "a signing key signs from now on, and the one before it stays published until its last token is dead"
            }
            Self::Retire(_) => {
                "a signing key of an algorithm that is not configured does not sign any more"
            }
            Self::Forget(..) => "a signing key is not needed any more and was forgotten",
            Self::Lengthen(_) => {
                "a signing key stays published for longer, since tokens live longer"
            }
        }
    }

    /// The key, if it is there already.
    pub(super) fn kid(&self) -> &str {
        match self {
            Self::Introduce(_) => "",
            Self::Succeed { to: kid, .. }
            | Self::Promote(kid)
            | Self::Retire(kid)
            | Self::Forget(kid, _)
            | Self::Lengthen(kid) => kid,
        }
    }
}

/// What is due at `now`, Unix seconds.
pub(super) fn due(keys: &[SigningKey], policy: &Policy, now: i64) -> Vec<Step> {
    let ours = |state: State| {
        keys.iter().find(move |key| key.algorithm == policy.algorithm && key.state == state)
    };
    let (current, next) = (ours(State::Current), ours(State::Next));
    let mut steps = Vec::new();
    match (current, next) {
        (None, Some(next)) => steps.push(Step::Promote(next.kid.clone())),
        (None, None) => {
            steps.push(Step::Introduce(State::Current));
            steps.push(Step::Introduce(State::Next));
        }
        (Some(_), None) => steps.push(Step::Introduce(State::Next)),
        (Some(current), Some(next)) => {
            let signed = now.saturating_sub(current.since);
            if signed >= policy.period && is_known(next, now) {
                steps.push(Step::Succeed { from: current.kid.clone(), to: next.kid.clone() });
            }
        }
    }
    let settled = current.is_some_and(|key| now.saturating_sub(key.since) >= GIVEN_UP);
    steps.extend(keys.iter().filter_map(|key| of_key(key, policy, settled, now)));
    steps
}

/// Whether everybody who verifies must have seen this key.
pub(super) fn is_known(next: &SigningKey, now: i64) -> bool {
    now >= known_from(next)
}

/// When the state of a key ends, or may, Unix seconds; nothing of one whose algorithm was given up.
#[must_use]
pub fn timeline(key: &SigningKey, settings: &Settings) -> Option<i64> {
    let policy = &settings.policy;
    match key.state {
        State::Retired => Some(forgotten_at(key)),
        _ if key.algorithm != policy.algorithm => None,
        State::Current => Some(key.since.saturating_add(policy.period)),
        State::Next => Some(known_from(key)),
    }
}

/// From when on, Unix seconds.
pub(super) const fn known_from(next: &SigningKey) -> i64 {
    next.since.saturating_add(PUBLISHED)
}

/// When nobody needs a retired key any more, Unix seconds.
pub(super) const fn forgotten_at(retired: &SigningKey) -> i64 {
    retired.since.saturating_add(retired.token_life).saturating_add(SKEW)
}

fn of_key(key: &SigningKey, policy: &Policy, settled: bool, now: i64) -> Option<Step> {
    let foreign = key.algorithm != policy.algorithm;
    match key.state {
        State::Retired if now > forgotten_at(key) => Some(Step::Forget(key.kid.clone(), key.state)),
        State::Retired => None,
        State::Next if foreign && settled => Some(Step::Forget(key.kid.clone(), key.state)),
        State::Current if foreign && settled => Some(Step::Retire(key.kid.clone())),
        State::Next | State::Current if !foreign && key.token_life < policy.token_life => {
            Some(Step::Lengthen(key.kid.clone()))
        }
        State::Next | State::Current => None,
    }
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::{PUBLISHED, Policy, Step, due};
    use crate::store::keys::{SigningKey, State};

    const DAY: i64 = 24 * 3600;
    const POLICY: Policy = Policy { algorithm: "EdDSA", period: 90 * DAY, token_life: 3600 };

    fn key(kid: &str, state: State, since: i64) -> SigningKey {
        SigningKey {
            kid: kid.to_owned(),
            algorithm: "EdDSA".to_owned(),
            private_key: Secret::new(Vec::new()),
            sealed_by: None,
            state,
            since,
            token_life: 3600,
        }
    }

    #[test]
    fn s31_the_first_start_makes_a_key_that_signs_and_one_that_will() {
        let steps = vec![Step::Introduce(State::Current), Step::Introduce(State::Next)];
        assert_eq!(due(&[], &POLICY, 0), steps);
        let current = key("a", State::Current, 0);
        assert_eq!(due(&[current], &POLICY, 0), [Step::Introduce(State::Next)]);
    }

    #[test]
    fn s31_a_key_signs_for_a_period() {
        let keys = [key("a", State::Current, 0), key("b", State::Next, 0)];
        assert_eq!(due(&keys, &POLICY, 90 * DAY - 1), []);
        let succeed = Step::Succeed { from: "a".to_owned(), to: "b".to_owned() };
        assert_eq!(due(&keys, &POLICY, 90 * DAY), [succeed]);
    }

    #[test]
    fn s31_a_key_is_published_long_enough_before_it_signs() {
        let keys = [key("a", State::Current, 0), key("b", State::Next, 100 * DAY)];
        assert_eq!(due(&keys, &POLICY, 100 * DAY + PUBLISHED - 1), []);
        assert_eq!(due(&keys, &POLICY, 100 * DAY + PUBLISHED).len(), 1);
    }

    #[test]
    fn s31_a_retired_key_is_published_until_its_last_token_is_dead() {
        let mut retired = key("a", State::Retired, 1000);
        retired.token_life = 7200;
        let keys = [key("b", State::Current, 1000), key("c", State::Next, 1000), retired];
        assert_eq!(due(&keys, &POLICY, 1000 + 7200 + 60), []);
        let forget = Step::Forget("a".to_owned(), State::Retired);
        assert_eq!(due(&keys, &POLICY, 1000 + 7200 + 61), [forget]);
    }

    #[test]
    fn s31_a_longer_life_of_tokens_is_noted_before_any_is_signed() {
        let keys = [key("a", State::Current, 0), key("b", State::Next, 0)];
        let policy = Policy { token_life: 3601, ..POLICY };
        let both = ["a", "b"].map(|kid| Step::Lengthen(kid.to_owned()));
        assert_eq!(due(&keys, &policy, 0), both);
        assert_eq!(due(&keys, &Policy { token_life: 60, ..POLICY }, 0), []);
    }

    #[test]
    fn s31_keys_of_an_algorithm_that_was_given_up_go_a_day_later() {
        let keys = [
            key("a", State::Current, 0),
            key("b", State::Next, 0),
            SigningKey { algorithm: "ES256".to_owned(), ..key("c", State::Current, 0) },
            SigningKey { algorithm: "ES256".to_owned(), ..key("d", State::Next, 0) },
        ];
        assert_eq!(due(&keys, &POLICY, DAY - 1), []);
        let steps = [Step::Retire("c".to_owned()), Step::Forget("d".to_owned(), State::Next)];
        assert_eq!(due(&keys, &POLICY, DAY), steps);
    }

    #[test]
    fn s31_when_nothing_signs_the_next_key_does() {
        let keys = [key("b", State::Next, 0)];
        assert_eq!(due(&keys, &POLICY, 0), [Step::Promote("b".to_owned())]);
    }
}
