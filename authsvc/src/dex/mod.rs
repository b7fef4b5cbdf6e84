//! Dex, of which authsvc is many clients: one for each login that a user agreed to, made over its gRPC API.
//!
//! `wire` is what is said → `api` says it → `clients` makes, renews and removes clients → `audience` makes
//! Dex name a resource in their tokens.
//!
//! One for each login, since Dex keeps one refresh token for a user and a client: with one for all, or for each MCP
//! client, whoever logs in on a second machine would be logged out on the first.

pub mod api;
pub mod audience;
pub mod clients;
mod secret;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::fmt;

use attache_protocol::secret::Secret;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

pub use self::wire::Version;
use self::{api::Api, secret::Deriver};
use crate::{
    clock::Clock,
    config,
    random::Random,
    store::{Store, StoreError},
};

/// Our clients at Dex.
pub struct Dex {
    api: Api,
    store: Store,
    clock: Clock,
    random: Random,
    secrets: Deriver,
    /// Where every one of them has browsers sent back to, and nowhere else.
    callback: String,
    /// Those of this process say one after the other who the peers of a resource are.
    turn: Mutex<()>,
    /// What goes on when nobody waits for it any more.
    unfinished: TaskTracker,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum Trouble {
    /// Dex.
    #[error(transparent)]
    Dex(#[from] api::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many are being made.
    #[error("too many clients are being made at Dex at the same time")]
    Busy,
    /// We did not make it, or removed it.
    #[error("this client at Dex is none of ours")]
    Unknown,
    /// Ours.
    #[error("what was begun at Dex broke off")]
    Broken,
}

/// What our clients at Dex are made with.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// Where Dex is.
    pub dex: &'a config::Dex,
    /// From which their secrets are derived.
    pub secret: &'a Secret,
    /// Their redirect URI.
    pub callback: String,
    /// Where it is waited for what goes on when nobody waits for it any more.
    pub unfinished: TaskTracker,
}

impl Dex {
    /// Prepares; speaks to nobody.
    #[must_use]
    pub fn new(setting: Setting<'_>, store: Store, clock: Clock, random: Random) -> Self {
        Self {
            api: Api::new(setting.dex.clone()),
            store,
            clock,
            random,
            secrets: Deriver::new(setting.secret),
            callback: setting.callback,
            turn: Mutex::default(),
            unfinished: setting.unfinished,
        }
    }
}

impl fmt::Debug for Dex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Dex").field("api", &self.api).finish_non_exhaustive()
    }
}
