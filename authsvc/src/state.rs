//! What handlers share.

use std::sync::Arc;

use crate::{
    clock::Clock, config::Config, events::arrivals::Arrivals, random::Random, store::Store,
};

/// Everything a handler works with; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The dice.
    pub random: Random,
    /// Wakes those who wait for events.
    pub arrivals: Arrivals,
}

impl App {
    /// Puts together what `config` asks for.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(config: Config, clock: Clock, random: Random) -> anyhow::Result<Self> {
        let store = Store::open(&config.database).await?;
        let arrivals = Arrivals::default();
        Ok(Self { config: Arc::new(config), store, clock, random, arrivals })
    }
}
