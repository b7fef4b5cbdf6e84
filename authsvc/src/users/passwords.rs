//! The gate to hashes of passwords, which are expensive on purpose.

use std::time::Duration;

use argon2::{Argon2, PasswordVerifier as _};
use attache_protocol::secret::Secret;
use thiserror::Error;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task, time,
};

use crate::{password, random::Random, server::MAX_CONNECTIONS};

/// Longest password that is looked at, bytes: hashing reads all of it.
pub const MAX_PASSWORD: usize = 1024;
/// Passwords hashed at the same time: each takes tens of MiB and a core for tens of milliseconds.
const CONCURRENT: usize = 2;
/// Attempts under way, with those that pause or wait for their turn: each keeps one of the few connections busy, and
/// together they must leave most of them to others.
const UNDER_WAY: usize = MAX_CONNECTIONS / 4;
/// How long an attempt waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The gate.
#[derive(Debug)]
pub struct Passwords {
    places: Semaphore,
    turns: Semaphore,
}

/// A place among the attempts that are under way.
#[derive(Debug)]
pub struct Place<'a>(#[expect(dead_code, reason = "it is held")] SemaphorePermit<'a>);

/// Too many passwords are being checked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many logins at the same time, try again in a few seconds")]
pub struct Overloaded;

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Semaphore::new(UNDER_WAY), turns: Semaphore::new(CONCURRENT) }
    }
}

impl Passwords {
    /// Begins an attempt.
    ///
    /// # Errors
    /// [`Overloaded`] when there are too many.
    pub fn begin(&self) -> Result<Place<'_>, Overloaded> {
        self.places.try_acquire().map(Place).map_err(|_full| Overloaded)
    }

    /// Whether `hash` is of this password.
    ///
    /// # Errors
    /// [`Overloaded`] when its turn does not come.
    pub async fn check(
        &self,
        _place: &Place<'_>,
        hash: Secret,
        password: Secret,
    ) -> Result<bool, Overloaded> {
        let _turn = self.turn().await?;
        Ok(task::spawn_blocking(move || verify(&password, &hash)).await.unwrap_or(false))
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// [`Overloaded`] when its turn does not come; inside, when it is no password that may be hashed.
    pub async fn hash(
        &self,
        _place: &Place<'_>,
        password: Secret,
        random: Random,
    ) -> Result<Result<Secret, password::Error>, Overloaded> {
        let _turn = self.turn().await?;
        let hashing = task::spawn_blocking(move || password::hash(&password, &random));
        Ok(hashing.await.unwrap_or_else(|error| Err(password::Error::Hash(error.to_string()))))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Overloaded> {
        match time::timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Overloaded),
        }
    }
}

/// The parameters come from the hash itself.
fn verify(password: &Secret, hash: &Secret) -> bool {
    password.reveal().len() <= MAX_PASSWORD
        && Argon2::default()
            .verify_password(password.reveal().as_bytes(), hash.reveal().as_str())
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Passwords, UNDER_WAY};

    #[test]
    fn s46_attempts_that_wait_do_not_take_every_connection() {
        let passwords = Passwords::default();
        let mut places: Vec<_> = (0..UNDER_WAY).map(|_| passwords.begin().unwrap()).collect();
        assert!(passwords.begin().is_err());
        drop(places.pop());
        assert!(passwords.begin().is_ok());
    }
}
