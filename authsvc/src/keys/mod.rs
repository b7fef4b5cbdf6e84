//! Keys: the only folder that signs, and the only one that knows the library which does.
//!
//! They live in the database, their private parts encrypted (`vault`), and go from next to current to retired
//! (`rotation`). A `kid` is an RFC 7638 thumbprint, so it is unique. What is published (RFC 7517) is every key
//! that has signed a token which may still live, and the next one to sign. The database is asked whenever a key is
//! needed: what one process changes, or the operator at the command line, holds for all at once.

mod jwk;
mod keeper;
mod ring;
mod rotation;
mod signer;
mod vault;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use thiserror::Error;
use tokio::time;
use tokio_util::sync::CancellationToken;

pub use self::{
    jwk::{JwkSet, PublicKey},
    keeper::{Haste, Keeper, Rotated, Settings},
    ring::{Ring, current},
    rotation::{PUBLISHED, timeline},
    signer::{Validity, Verified},
    vault::Vault,
};
use crate::{
    state::App,
    store::{self, keys::SigningKey},
};

/// How often somebody looks whether a key is due.
const EVERY: Duration = Duration::from_secs(60);

/// Keys are not there or not usable.
#[derive(Debug, Error)]
pub enum KeyError {
    /// They cannot be read or kept.
    #[error("signing keys cannot be loaded")]
    Store(#[from] store::Error),
    /// A stored one is broken.
    #[error(
        "signing key {0} in the database is not a valid key of its algorithm: `authsvc key revoke {0}` replaces it"
    )]
    Broken(String),
    /// A stored one was encrypted with another secret.
    #[error(
        "signing key {0} in the database was encrypted with another secret than the configured one: give the earlier `service.secret` in `authorization.embedded.key_encryption_secret`, or replace the key with `authsvc key revoke {0}`, which ends the tokens that it signed"
    )]
    OtherSecret(String),
    /// There is none although one was made.
    #[error("no signing key for {0}")]
    Missing(&'static str),
    /// A library refused to make one.
    #[error("a signing key cannot be made")]
    Made,
    /// The library refused to sign.
    #[error("a token cannot be signed: {0}")]
    Sign(#[from] jwt_compact::CreationError),
}

/// Whether every stored key can be opened with the secrets of the configuration.
///
/// # Errors
/// The first that cannot, and what to do.
pub fn can_open(stored: &[SigningKey], settings: &Settings) -> Result<(), KeyError> {
    stored.iter().try_for_each(|key| ring::private(key, settings).map(drop))
}

/// The keys of a running service.
#[derive(Debug)]
pub struct Keys {
    keeper: Keeper,
    ring: Mutex<Arc<Ring>>,
    rotations: Counter,
}

impl Keys {
    /// Opens the keys; makes those that are missing, and encrypts those that an older version kept in clear. `now`
    /// in Unix seconds.
    ///
    /// # Errors
    /// When the database fails, or holds a key that is broken or was encrypted with another secret.
    pub async fn open(keeper: Keeper, now: i64) -> Result<Self, KeyError> {
        keeper.tick(now).await?;
        let stored = keeper.keys().await?;
        let ring = Ring::new(&stored, keeper.settings(), None)?;
        for key in &stored {
            keeper.reseal(key, &ring::private(key, keeper.settings())?).await?;
        }
        let rotations = Counter::default();
        Ok(Self { keeper, ring: Mutex::new(Arc::new(ring)), rotations })
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub async fn ring(&self) -> Result<Arc<Ring>, KeyError> {
        let stored = self.keeper.keys().await?;
        let held = self.held(None);
        if held.is(&stored) {
            return Ok(held);
        }
        let ring = Ring::new(&stored, self.keeper.settings(), Some(&held))?;
        Ok(self.held(Some(Arc::new(ring))))
    }

    /// How long a token lives that is signed now, seconds.
    #[must_use]
    pub const fn token_life(&self) -> i64 {
        self.keeper.settings().policy.token_life
    }

    /// How often another key began to sign while this process looked.
    #[must_use]
    pub fn rotations(&self) -> Counter {
        self.rotations.clone()
    }

    /// Every key, as it is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored(&self) -> Result<Vec<SigningKey>, KeyError> {
        self.keeper.keys().await
    }

    /// Does what is due at `now`, Unix seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self, now: i64) -> Result<(), KeyError> {
        self.keeper.tick(now).await
    }

    /// What is held in memory, after it was replaced.
    fn held(&self, by: Option<Arc<Ring>>) -> Arc<Ring> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(by) = by {
            if by.signs() != ring.signs() {
                self.rotations.inc();
            }
            *ring = by;
        }
        Arc::clone(&ring)
    }
}

/// Sees to the keys until `stop`, where there are any.
pub async fn run(app: App, stop: CancellationToken) {
    let Some(keys) = app.keys() else { return };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(EVERY) => {}
        }
        if let Err(error) = keys.tick(app.clock.now_unix()).await {
            tracing::warn!(%error, "keys were not looked after, next try in a minute");
        }
    }
}

#[cfg(test)]
mod tests;
