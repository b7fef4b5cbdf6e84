//! The dice, the only file that throws them.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// A source of random bytes.
#[derive(Clone, Debug)]
pub enum Random {
    /// Seeded by the operating system, cryptographically secure.
    System,
    /// The same numbers for the same seed: for tests.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// The same numbers for the same seed: for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::System => rand::rng().fill_bytes(&mut bytes),
            Self::Seeded(source) => {
                source.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// A secret of 256 bits as 43 characters of base64url: codes, tokens, cookies.
    #[must_use]
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A name of 128 bits as 22 characters of base64url: client ids, `jti`.
    #[must_use]
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<16>())
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn s20_secrets_have_256_bits_and_do_not_repeat() {
        let (one, other) = (Random::System.token(), Random::System.token());
        assert_eq!((one.len(), Random::System.id().len()), (43, 22));
        assert_ne!(one, other);
    }

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        assert_eq!(Random::seeded(7).token(), Random::seeded(7).token());
        assert_ne!(Random::seeded(7).token(), Random::seeded(8).token());
    }
}
