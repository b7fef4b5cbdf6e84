//! Tokens whose signature was good, so that it need not be checked again.

use std::{collections::BTreeMap, mem, rc::Rc};

use attache_protocol::secret::Secret;
use siphasher::sip128::SipHasher24;

use super::Identity;

/// Tokens that a worker remembers: at least this many, at most twice as many.
const REMEMBERED: usize = 1024;

/// What makes a worker's marks its own: 128 random bits that never leave it.
#[derive(Clone, Debug)]
pub struct MarkKey(Secret<[u8; 16]>);

/// Stands for a token: SipHash-2-4 with 128 bits, a fifth of the work of SHA-256. Who does not know the key cannot
/// make a token with the mark of another, so a keyed function is enough, and no token need be kept.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Mark(u128);

/// In two generations: when the younger is full, the older is forgotten.
#[derive(Debug)]
pub(super) struct Verified {
    key: MarkKey,
    young: BTreeMap<Mark, Rc<Identity>>,
    old: BTreeMap<Mark, Rc<Identity>>,
}

impl MarkKey {
    /// These bits must be random.
    #[must_use]
    pub const fn new(bits: [u8; 16]) -> Self {
        Self(Secret::new(bits))
    }
}

impl Verified {
    pub(super) const fn new(key: MarkKey) -> Self {
        Self { key, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    pub(super) fn mark(&self, token: &str) -> Mark {
        Mark(SipHasher24::new_with_key(self.key.0.reveal()).hash(token.as_bytes()).as_u128())
    }

    pub(super) fn recall(&mut self, mark: Mark) -> Option<Rc<Identity>> {
        if let Some(identity) = self.young.get(&mark) {
            return Some(Rc::clone(identity));
        }
        let identity = self.old.remove(&mark)?;
        self.remember(mark, Rc::clone(&identity));
        Some(identity)
    }

    pub(super) fn remember(&mut self, mark: Mark, identity: Rc<Identity>) {
        if self.young.len() >= REMEMBERED {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(mark, identity);
    }

    /// Every token is checked again.
    pub(super) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{Identity, MarkKey, REMEMBERED, Verified};
    use crate::testing::good_claims;

    fn identity() -> Rc<Identity> {
        let claims = serde_json::from_value(good_claims()).expect("they are claims");
        Rc::new(Identity { claims, expires: 0 })
    }

    #[test]
    fn the_memory_of_tokens_is_bounded_and_keeps_the_newest() {
        let mut verified = Verified::new(MarkKey::new([7; 16]));
        for number in 0..REMEMBERED * 3 {
            let mark = verified.mark(&number.to_string());
            verified.remember(mark, identity());
            assert!(verified.recall(mark).is_some());
            assert!(verified.young.len() + verified.old.len() <= 2 * REMEMBERED);
        }
        let last = verified.mark(&(REMEMBERED * 2).to_string());
        assert!(verified.recall(last).is_some());
        let first = verified.mark("0");
        assert!(verified.recall(first).is_none());
    }

    #[test]
    fn a_token_in_use_outlives_those_that_are_not() {
        let mut verified = Verified::new(MarkKey::new([7; 16]));
        let used = verified.mark("used");
        verified.remember(used, identity());
        for number in 0..REMEMBERED * 4 {
            let mark = verified.mark(&number.to_string());
            verified.remember(mark, identity());
            assert!(verified.recall(used).is_some(), "{number}");
        }
    }

    #[test]
    fn a_mark_needs_the_whole_token_and_the_key() {
        let verified = Verified::new(MarkKey::new([7; 16]));
        assert_eq!(verified.mark("a.b.c"), verified.mark("a.b.c"));
        assert_ne!(verified.mark("a.b.c"), verified.mark("a.b.d"));
        assert_ne!(verified.mark("a.b.c"), verified.mark("a.b.c\0"));
        assert_ne!(verified.mark("a.b.c"), Verified::new(MarkKey::new([8; 16])).mark("a.b.c"));
        assert_eq!(format!("{:?}", verified.key), "MarkKey([redacted])");
    }
}
