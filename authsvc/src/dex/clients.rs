//! Our clients at Dex: made when a user has agreed, removed when what they agreed to is over.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{Dex, Trouble, wire};
use crate::{
    config::Client,
    store::{StoreError, dex::NewDexClient},
};

/// Begins the ids of all of them.
pub const PREFIX: &str = "attache-";
/// How long a login may take of which no grant has come yet, seconds: a request waits ten minutes, and its code one.
const ABANDONED: i64 = 15 * 60;
/// How many there may be of which none has come yet: anybody can begin one, and Dex is told of all of them.
const MAX_UNFINISHED: i64 = if cfg!(test) { 16 } else { 1_000 };
/// How many are removed before their resources are told.
const BATCH: i64 = if cfg!(test) { 2 } else { 500 };
/// Longest name, characters: Dex shows it on its own page, and checks nothing.
const MAX_NAME: usize = 100;

/// Who wants to log somebody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Applicant<'a> {
    /// The login: whoever begins the same one again is the same client.
    pub login: &'a str,
    /// Our client.
    pub client_id: &'a str,
    /// What it calls itself.
    pub name: Option<&'a str>,
    /// What it is to have tokens for.
    pub resources: &'a [String],
}

/// Clients that are not needed any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needless {
    /// Nobody finished their login. They are looked for often, since anybody can make them.
    Abandoned,
    /// Those, and those whose grant is over.
    Ended,
}

/// The id of the client of a login: 128 bits that say nothing of it.
#[must_use]
pub fn id_of(login: &str) -> String {
    let digest = Sha256::digest(format!("attache client at dex 2\n{login}"));
    let (id, _) = digest.split_at(16);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(id))
}

impl Dex {
    /// Makes a client for one login. Of those of logins that nobody has finished, the oldest go when there are too many.
    ///
    /// # Errors
    /// When Dex does not answer or refuses, or the database fails.
    pub async fn admit(self: &Arc<Self>, applicant: Applicant<'_>) -> Result<Client, Trouble> {
        let Applicant { login, client_id, name, resources } = applicant;
        let id = id_of(login);
        let new = NewDexClient { id: &id, client_id, resources };
        // First here: what is made there is removed again, whatever happens to us in between.
        self.store.add_dex_client(new, self.clock.now_unix()).await?;
        for oldest in self.store.surplus_dex_clients(&id, MAX_UNFINISHED).await? {
            self.remove(&oldest).await?;
        }
        let client = self.client(&id);
        self.make(&client, name.unwrap_or(client_id)).await?;
        self.publish(resources).await?;
        Ok(client)
    }

    /// A client of ours, as it is at Dex.
    #[must_use]
    pub fn client(&self, id: &str) -> Client {
        Client { id: id.to_owned(), secret: Some(self.secrets.of(id)) }
    }

    /// Makes a client again that Dex does not know any more, or not with this secret: it lost its storage, or ours
    /// was changed.
    ///
    /// # Errors
    /// When Dex does not answer or refuses, the database fails, or it is none of ours.
    pub async fn renew(self: &Arc<Self>, id: &str) -> Result<Client, Trouble> {
        let resources = self.store.dex_client_resources(id).await?.ok_or(Trouble::Unknown)?;
        self.api.delete(id).await?;
        let client = self.client(id);
        self.make(&client, "Attaché").await?;
        self.publish(&resources).await?;
        Ok(client)
    }

    /// Removes a client, there and here; what its resources had of it goes with the next change of their peers.
    ///
    /// # Errors
    /// When Dex does not answer or refuses, or the database fails.
    pub async fn remove(&self, id: &str) -> Result<(), Trouble> {
        self.api.delete(id).await?;
        Ok(self.store.forget_dex_client(id).await?)
    }

    /// Notes that this grant came of the login for which a client was made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn granted(&self, id: &str, grant_id: &str) -> Result<(), StoreError> {
        self.store.bind_dex_client(id, grant_id).await
    }

    /// Removes all that are not needed any more; returns how many.
    ///
    /// # Errors
    /// When Dex does not answer or refuses, or the database fails; then the rest is left for the next time.
    pub async fn sweep(self: &Arc<Self>, which: Needless) -> Result<u64, Trouble> {
        let mut removed = 0;
        loop {
            let needless = self.needless(which).await?;
            if needless.is_empty() {
                return Ok(removed);
            }
            let mut resources = BTreeSet::new();
            for id in needless {
                resources.extend(self.store.dex_client_resources(&id).await?.unwrap_or_default());
                self.remove(&id).await?;
                removed += 1;
            }
            let resources: Vec<String> = resources.into_iter().collect();
            self.publish(&resources).await?;
        }
    }

    async fn needless(&self, which: Needless) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now_unix();
        let before = now.saturating_sub(ABANDONED);
        match which {
            Needless::Abandoned => self.store.abandoned_dex_clients(before, BATCH).await,
            Needless::Ended => self.store.needless_dex_clients(before, now, BATCH).await,
        }
    }

    /// That there is one already is as good: the id is ours, and of 128 random bits.
    async fn make(&self, client: &Client, name: &str) -> Result<(), Trouble> {
        let secret = client.secret.as_ref().map(|secret| secret.reveal().to_string());
        let client = wire::Client {
            id: client.id.clone(),
            secret: secret.unwrap_or_default(),
            redirect_uris: vec![self.callback.clone()],
            trusted_peers: Vec::new(),
            public: false,
            name: name.chars().filter(|one| !one.is_control()).take(MAX_NAME).collect(),
        };
        self.api.create(client).await?;
        Ok(())
    }
}
