//! What is remembered of tokens, so that it need not be found out again; not the tokens.

use std::{collections::BTreeMap, hash::Hasher as _, mem};

use attache_protocol::secret::Secret;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// Tokens that a worker remembers: at least this many, at most twice as many.
const REMEMBERED: usize = 1024;

/// What makes a worker's marks its own: 128 random bits that never leave it.
#[derive(Clone, Debug)]
pub struct MarkKey(Secret<[u8; 16]>);

/// Stands for a token: SipHash-2-4 with 128 bits, a fifth of the work of SHA-256. Who does not know the key cannot
/// make a token with the mark of another, so a keyed function is enough, and no token need be kept.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mark(u128);

/// In two generations: when the younger is full, the older is forgotten.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    young: BTreeMap<Mark, T>,
    old: BTreeMap<Mark, T>,
}

impl MarkKey {
    /// These bits must be random.
    #[must_use]
    pub const fn new(bits: [u8; 16]) -> Self {
        Self(Secret::new(bits))
    }

    /// The mark of these texts, in this order; none of them has a byte that UTF-8 never has.
    pub(crate) fn mark(&self, texts: &[&str]) -> Mark {
        let mut hasher = SipHasher24::new_with_key(self.0.reveal());
        for text in texts {
            hasher.write(text.as_bytes());
            hasher.write(&[0xff]);
        }
        Mark(hasher.finish128().as_u128())
    }
}

impl<T: Clone> Memory<T> {
    pub(crate) const fn new() -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new() }
    }

    pub(crate) fn recall(&mut self, mark: Mark) -> Option<T> {
        if let Some(known) = self.young.get(&mark) {
            return Some(known.clone());
        }
        let known = self.old.remove(&mark)?;
        self.remember(mark, known.clone());
        Some(known)
    }

    pub(crate) fn remember(&mut self, mark: Mark, known: T) {
        if self.young.len() >= REMEMBERED {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(mark, known);
    }

    /// Everything is found out again.
    pub(crate) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// This one is.
    pub(crate) fn forget_one(&mut self, mark: Mark) {
        self.young.remove(&mark);
        self.old.remove(&mark);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{MarkKey, Memory, REMEMBERED};

    fn key() -> MarkKey {
        MarkKey::new([7; 16])
    }

    #[test]
    fn the_memory_of_tokens_is_bounded_and_keeps_the_newest() {
        let (key, mut memory) = (key(), Memory::new());
        let mark = |number: usize| key.mark(&[&number.to_string()]);
        for number in 0..REMEMBERED * 3 {
            memory.remember(mark(number), number);
            assert_eq!(memory.recall(mark(number)), Some(number));
            assert!(memory.young.len() + memory.old.len() <= 2 * REMEMBERED);
        }
        assert!(memory.recall(mark(REMEMBERED * 2)).is_some());
        assert!(memory.recall(mark(0)).is_none());
    }

    #[test]
    fn a_token_in_use_outlives_those_that_are_not() {
        let (key, mut memory) = (key(), Memory::new());
        let used = key.mark(&["used"]);
        memory.remember(used, 0);
        for number in 0..REMEMBERED * 4 {
            memory.remember(key.mark(&[&number.to_string()]), number);
            assert!(memory.recall(used).is_some(), "{number}");
        }
        memory.forget_one(used);
        assert!(memory.recall(used).is_none());
    }

    #[test]
    fn a_mark_needs_the_whole_token_and_the_key() {
        let key = key();
        let mark = |texts: &[&str]| key.mark(texts);
        assert_eq!(mark(&["a.b.c"]), mark(&["a.b.c"]));
        assert_ne!(mark(&["a.b.c"]), mark(&["a.b.d"]));
        assert_ne!(mark(&["a.b.c"]), mark(&["a.b.c\0"]));
        assert_ne!(mark(&["a", "bc"]), mark(&["ab", "c"]));
        assert_ne!(mark(&["a.b.c"]), MarkKey::new([8; 16]).mark(&["a.b.c"]));
        assert_eq!(format!("{key:?}"), "MarkKey([redacted])");
    }
}
