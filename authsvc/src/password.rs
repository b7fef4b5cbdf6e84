//! Passwords: made up, and hashed.

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use attache_protocol::secret::Secret;
use thiserror::Error;

use crate::random::Random;

/// Memory of a hash, KiB; passes; lanes. OWASP's first choice for Argon2id.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Shortest password that is hashed, characters (NIST SP 800-63B section 3.1.1.2).
pub const SHORTEST: usize = 8;
/// Longest, bytes: as long as the login page takes.
const LONGEST: usize = 1024;
/// 32 letters and digits that nobody confuses: 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A password that cannot be hashed.
#[derive(Debug, Error)]
pub enum Error {
    /// Too short.
    #[error("a password has at least {SHORTEST} characters, this has {0}")]
    Short(usize),
    /// Too long.
    #[error("a password has at most {LONGEST} bytes, this has {0}")]
    Long(usize),
    /// The algorithm failed, for want of memory say.
    #[error("cannot hash: {0}")]
    Hash(String),
}

/// A new password of 80 random bits, in groups of four.
#[must_use]
pub fn generate(random: &Random) -> Secret {
    let letters = random.bytes::<16>().map(|byte| ALPHABET.get(usize::from(byte % 32)).copied());
    let mut password = String::new();
    for (at, letter) in letters.into_iter().flatten().enumerate() {
        if at > 0 && at % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(letter));
    }
    Secret::new(password)
}

/// Whether a password may be hashed.
///
/// # Errors
/// When it is too short or too long.
pub fn fits(password: &Secret) -> Result<(), Error> {
    let text = password.reveal();
    let characters = text.chars().count();
    if characters < SHORTEST {
        return Err(Error::Short(characters));
    }
    if text.len() > LONGEST {
        return Err(Error::Long(text.len()));
    }
    Ok(())
}

/// Argon2id, PHC string format.
///
/// # Errors
/// When the password is too short or too long.
pub fn hash(password: &Secret, random: &Random) -> Result<Secret, Error> {
    fits(password)?;
    let text = password.reveal();
    let (memory, passes, lanes) = COST;
    let parameters =
        Params::new(memory, passes, lanes, None).map_err(|error| Error::Hash(error.to_string()))?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let hash = hasher
        .hash_password_with_salt(text.as_bytes(), &random.bytes::<16>())
        .map_err(|error| Error::Hash(error.to_string()))?;
    Ok(Secret::new(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use argon2::{Argon2, PasswordVerifier as _};
    use attache_protocol::secret::Secret;

    use super::{Error, generate, hash};
    use crate::random::Random;

    #[test]
    fn a_hash_is_of_its_password_only() {
        let random = Random::seeded(1);
        let hashed = hash(&Secret::new("correct horse".to_owned()), &random).unwrap();
        assert!(
            hashed.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hashed.reveal()
        );
        let verify = |password: &str| {
            Argon2::default().verify_password(password.as_bytes(), hashed.reveal().as_str())
        };
        assert!(verify("correct horse").is_ok());
        assert!(verify("correct house").is_err());
    }

    #[test]
    fn a_generated_password_has_four_groups_and_is_another_each_time() {
        let random = Random::seeded(1);
        let password = generate(&random);
        assert_eq!(password.reveal().len(), 19);
        assert_eq!(password.reveal().split('-').count(), 4);
        assert_ne!(password, generate(&random));
    }

    #[test]
    fn a_password_is_neither_short_nor_endless() {
        let random = Random::seeded(1);
        let of = |length: usize| hash(&Secret::new("ü".repeat(length)), &random);
        assert!(matches!(of(7), Err(Error::Short(7))));
        assert!(of(8).is_ok());
        assert!(matches!(of(513), Err(Error::Long(1026))));
    }
}
