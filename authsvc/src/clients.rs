//! Clients that act for users: those of the configuration, those that registered, and those that a document describes.
//!
//! Where configuration and database have an id, the configuration counts. A client of the configuration is kept nowhere
//! else: it is not forgotten while nobody uses it, nobody but the operator changes it, and what it was granted ends
//! when authsvc starts without it.

use attache_protocol::jwk::KeySet;

use crate::{
    audit,
    cimd::id::is_url,
    config::{Config, Proof, StaticClient},
    state::App,
    store::{
        self, Store,
        audit::Action,
        clients::{AuthMethod, Client},
    },
};

/// Those of the configuration, in its order.
#[must_use]
pub fn configured(config: &Config) -> &[StaticClient] {
    &config.authorization.clients.configured
}

/// The one of the configuration with this id.
#[must_use]
pub fn with_id<'a>(config: &'a Config, id: &str) -> Option<&'a StaticClient> {
    configured(config).iter().find(|client| client.id == id)
}

/// The client of this id.
///
/// # Errors
/// When the database fails.
pub async fn find(
    config: &Config,
    store: &Store,
    id: &str,
) -> Result<Option<Client>, store::Error> {
    match with_id(config, id) {
        Some(client) => Ok(Some(client.into())),
        None => store.client(id).await,
    }
}

/// The keys of one of the configuration that signs assertions.
#[must_use]
pub fn keys<'a>(config: &'a Config, id: &str) -> Option<&'a KeySet> {
    match &with_id(config, id)?.proof {
        Some(Proof::Keys(keys)) => Some(keys),
        Some(Proof::Secret(_)) | None => None,
    }
}

/// Whether one of the configuration signs assertions.
#[must_use]
pub fn signs(config: &Config) -> bool {
    configured(config).iter().any(|client| matches!(client.proof, Some(Proof::Keys(_))))
}

/// What a client is called, given what the database calls it.
#[must_use]
pub fn name(config: &Config, id: &str, kept: Option<String>) -> Option<String> {
    with_id(config, id).map(|client| client.name.clone()).or(kept)
}

/// Ends what was granted to clients that are not in the configuration any more; how many grants that were.
///
/// # Errors
/// When the database fails.
pub async fn end_removed(app: &App) -> Result<u64, store::Error> {
    let mut all = 0;
    for id in app.store.unknown_clients(app.clock.now_unix()).await? {
        // What a document describes is asked for again when it is needed.
        if is_url(&id) || with_id(&app.config, &id).is_some() {
            continue;
        }
        let entry = audit::authsvc(app).does(Action::RemoveClient, id.clone());
        let grants = app.store.end_client(&id, entry).await?;
        tracing::info!(
            client_id = id,
            grants,
            "a client is gone, and what it was granted has ended"
        );
        all += grants;
    }
    Ok(all)
}

impl StaticClient {
    /// How it shows who it is. One with a secret may send it either way.
    #[must_use]
    pub const fn auth_method(&self) -> AuthMethod {
        match &self.proof {
            None => AuthMethod::None,
            Some(Proof::Secret(_)) => AuthMethod::Basic,
            Some(Proof::Keys(_)) => AuthMethod::Assertion,
        }
    }
}

impl From<&StaticClient> for Client {
    /// As one that registered would be kept, without the means to change anything.
    fn from(client: &StaticClient) -> Self {
        let secret = match &client.proof {
            Some(Proof::Secret(secret)) => Some(store::digest(secret.reveal())),
            Some(Proof::Keys(_)) | None => None,
        };
        Self {
            id: client.id.clone(),
            name: Some(client.name.clone()),
            redirect_uris: client.redirect_uris.clone(),
            auth_method: client.auth_method(),
            secret,
            management: None,
            created_at: 0,
        }
    }
}
