//! What handlers share.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    cimd::fetch::Fetcher,
    clients,
    clock::Clock,
    config::Config,
    events::arrivals::Arrivals,
    federation::Federation,
    keys::{Keeper, Keys, Settings},
    limits::PerNetwork,
    metrics::Metrics,
    random::Random,
    store::{self, Store, clients::Client},
    throttle::Throttle,
    users::{self, Directory, passwords::Passwords},
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
    /// Who issues access tokens.
    pub issuance: Issuance,
    /// Limits of registration.
    pub registrations: Arc<PerNetwork>,
    /// Limits of requests for authorization.
    pub authorizations: Arc<PerNetwork>,
    /// Fetches the documents of clients.
    pub documents: Arc<Fetcher>,
    /// Providers whose users may log in.
    pub federation: Arc<Federation>,
    /// Limits on guessing passwords.
    pub throttle: Arc<Throttle>,
    /// Checks passwords, a few at a time.
    pub passwords: Arc<Passwords>,
    /// Wakes those who wait for events.
    pub arrivals: Arrivals,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// When the process began, Unix seconds.
    pub started_at: i64,
    /// Cancelled when the process was asked to end.
    pub draining: CancellationToken,
    /// Cancelled when it begins to: see [`crate::config::Service::drain_delay`].
    pub stopping: CancellationToken,
    /// Cancelled when all but the internal listener has ended.
    pub closing: CancellationToken,
}

/// Who issues access tokens.
#[derive(Clone, Debug)]
pub enum Issuance {
    /// authsvc, with these keys.
    Own(Arc<Keys>),
    /// A provider, before which authsvc stands.
    Brokered(Arc<Broker>),
}

impl Issuance {
    async fn open(
        config: &Config,
        store: &Store,
        clock: &Clock,
        random: &Random,
    ) -> anyhow::Result<Self> {
        if let Some(brokered) = config.authorization.brokered() {
            let broker = Broker::new(brokered, config, clock)?;
            return Ok(Self::Brokered(Arc::new(broker.at_dex(config, store, clock, random))));
        }
        let settings = Settings::of(config)?;
        let keeper = Keeper::new(store.clone(), settings, random.clone());
        Ok(Self::Own(Arc::new(Keys::open(keeper, clock.now_unix()).await?)))
    }

    fn rotations(&self) -> Counter {
        match self {
            Self::Own(keys) => keys.rotations(),
            Self::Brokered(_) => Counter::default(),
        }
    }
}

impl App {
    /// Keys that sign tokens; none where a provider issues them.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        match &self.issuance {
            Issuance::Own(keys) => Some(keys),
            Issuance::Brokered(_) => None,
        }
    }

    /// Who may log in.
    #[must_use]
    pub fn users(&self) -> Directory<'_> {
        Directory::new(&self.config, &self.store)
    }

    /// The client of this id, wherever it is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, id: &str) -> Result<Option<Client>, store::Error> {
        clients::find(&self.config, &self.store, id).await
    }

    /// The provider before which authsvc stands, if there is one.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        match &self.issuance {
            Issuance::Own(_) => None,
            Issuance::Brokered(broker) => Some(broker),
        }
    }

    /// Some grant has ended: a provider may want to know.
    pub fn note_ending(&self) {
        if let Some(broker) = self.broker() {
            broker.note_ending();
        }
    }

    /// Puts together what `config` asks for.
    ///
    /// # Errors
    /// When the database cannot be opened or holds a broken key.
    pub async fn open(config: Config, clock: Clock, random: Random) -> anyhow::Result<Self> {
        let store = Store::open(&config.database).await?;
        let issuance = Issuance::open(&config, &store, &clock, &random).await?;
        let started_at = clock.now_unix();
        Ok(Self {
            metrics: Arc::new(Metrics::new(issuance.rotations(), started_at)),
            started_at,
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            closing: CancellationToken::new(),
            issuance,
            registrations: Arc::new(PerNetwork::registrations(clock.clone())),
            authorizations: Arc::new(PerNetwork::authorizations(clock.clone())),
            documents: Arc::new(Fetcher::new(
                config.authorization.clients.metadata_documents.clone(),
            )?),
            federation: Arc::new(Federation::new(users::providers(&config), &clock)?),
            throttle: Arc::default(),
            passwords: Arc::default(),
            arrivals: Arrivals::default(),
            config: Arc::new(config),
            store,
            clock,
            random,
        })
    }
}
