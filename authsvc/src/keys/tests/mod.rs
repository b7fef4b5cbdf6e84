//! Keys in a database: what they sign, and how they come and go.

use std::sync::Arc;

use attache_protocol::claims::{Audience, Claims};
use tempfile::TempDir;

use super::{Keeper, KeyError, Keys, Ring, Settings, Validity};
use crate::{
    config::{Config, Database, Embedded, Signing},
    random::Random,
    store::{
        Store,
        audit::{Author, Kind},
        keys::{SigningKey, State},
    },
    testing::{RESOURCE, config, embedded},
};

mod rotating;
mod sealing;
mod signing;

const VALIDITY: Validity = Validity { issued_at: 4_000_000_000, expires_at: 4_000_003_600 };

/// The operator, at a time in Unix seconds.
fn by(at: i64) -> Author {
    Author::new(Kind::Operator, at)
}

/// A database, and what processes that share it are started with.
struct Installation {
    folder: TempDir,
    config: Config,
}

impl Installation {
    fn new() -> Self {
        Self::with(|_embedded| ())
    }

    fn with(change: impl FnOnce(&mut Embedded)) -> Self {
        let mut installation = Self { folder: tempfile::tempdir().unwrap(), config: config() };
        installation.change(change);
        installation
    }

    fn change(&mut self, change: impl FnOnce(&mut Embedded)) {
        let embedded = embedded(&mut self.config);
        change(embedded);
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("attache.db")
    }

    /// Another process, with connections and dice of its own.
    async fn keeper(&self, seed: u64) -> Keeper {
        let store = Store::open(&Database::Sqlite(self.path())).await.unwrap();
        Keeper::new(store, Settings::of(&self.config).unwrap(), Random::seeded(seed))
    }

    async fn start(&self, seed: u64, now: i64) -> Result<Keys, KeyError> {
        Keys::open(self.keeper(seed).await, now).await
    }

    async fn ring(&self, seed: u64, now: i64) -> Arc<Ring> {
        self.start(seed, now).await.unwrap().ring().await.unwrap()
    }
}

fn claims() -> Claims {
    Claims {
        iss: "http://localhost:8080".to_owned(),
        sub: "someone".to_owned(),
        aud: Audience::One(RESOURCE.to_owned()),
        client_id: Some("client".to_owned()),
        scope: Some("mcp".to_owned()),
        jti: Some("id".to_owned()),
        grant_id: None,
        email: None,
        groups: Vec::new(),
    }
}

/// A token that these keys sign now.
fn token(ring: &Ring) -> String {
    ring.sign(&claims(), VALIDITY).unwrap().reveal().clone()
}

/// The one key in this state.
fn the(state: State, keys: &[SigningKey]) -> String {
    let found: Vec<_> = keys.iter().filter(|key| key.state == state).collect();
    let [only] = found.as_slice() else { panic!("{state:?}: {keys:?}") };
    only.kid.clone()
}
