//! The gate to hashes of passwords, which are expensive on purpose.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordVerifier as _};
use attache_protocol::secret::Secret;
use thiserror::Error;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::{self, JoinError},
    time,
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
    turns: Arc<Semaphore>,
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
        Self { places: Semaphore::new(UNDER_WAY), turns: Arc::new(Semaphore::new(CONCURRENT)) }
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
        let verified = self.in_turn(move || verify(&password, &hash)).await?;
        Ok(verified.unwrap_or(false))
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
        let hashed = self.in_turn(move || password::hash(&password, &random)).await?;
        Ok(hashed.unwrap_or_else(|error| Err(password::Error::Hash(error.to_string()))))
    }

    /// Computes when its turn comes. The turn ends with the work and not with who waits for it: nothing stops a
    /// thread, and clients that go away would have any number of hashes computed at the same time.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, Overloaded> {
        let turn = time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Overloaded) };
        let working = task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(working.await)
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
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::{CONCURRENT, Passwords, UNDER_WAY};

    #[test]
    fn s46_attempts_that_wait_do_not_take_every_connection() {
        let passwords = Passwords::default();
        let mut places: Vec<_> = (0..UNDER_WAY).map(|_| passwords.begin().unwrap()).collect();
        assert!(passwords.begin().is_err());
        drop(places.pop());
        assert!(passwords.begin().is_ok());
    }

    #[tokio::test]
    async fn s46_a_hash_that_nobody_waits_for_any_more_keeps_its_turn() {
        let passwords = Passwords::default();
        let mut ends = Vec::new();
        for _ in 0..CONCURRENT {
            let (begin, begun) = oneshot::channel();
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            let work = move || (begin.send(()), ended.recv());
            tokio::select! {
                _ = passwords.in_turn(work) => panic!("it has not ended"),
                begun = begun => begun.unwrap(),
            }
        }
        assert_eq!(
            passwords.turns.available_permits(),
            0,
            "who asked is gone, and the work is not"
        );
        drop(ends);
        passwords.in_turn(|| ()).await.unwrap().unwrap();
    }
}
