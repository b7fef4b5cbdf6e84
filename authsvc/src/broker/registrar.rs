//! Who authsvc is at the provider: one client for all, or one for each client of ours, made when a user has first let it
//! in, kept sealed, and ended when ours goes.

use attache_protocol::secret::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Broker, at_dex};
use crate::{
    authorization::request::Asked,
    config::{Client, Registrar, Registration},
    dex::clients::{self, Needless},
    pages::words,
    state::App,
    store::{self, brokered::ProviderClient},
    upstream::{
        Error,
        registration::{Management, Order, Registered},
    },
};

/// How many are ended at once.
const BATCH: i64 = 100;
/// How long nobody tries any more to end one that cannot be ended, seconds.
const GIVEN_UP: i64 = 30 * 24 * 3600;
/// A secret that is over this soon is not used any more, seconds.
const NEARLY_OVER: i64 = 600;

/// Why authsvc is nobody there.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The provider does not make it a client.
    #[error(transparent)]
    Provider(#[from] Error),
    /// It cannot be kept, or read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It was kept with another secret than the configured one.
    #[error("what is kept of it cannot be decrypted")]
    Sealed,
}

/// What is kept sealed of a client.
#[derive(Debug, Deserialize, Serialize)]
struct Secrets {
    secret: Option<Secret>,
    management: Option<(Url, Secret)>,
}

impl Broker {
    /// Who authsvc is at the provider for a request of a client of ours, made if there is none yet; `login` is the name
    /// of its interaction.
    ///
    /// # Errors
    /// When there is none and none can be made.
    pub async fn client_for(
        &self,
        app: &App,
        asked: &Asked,
        login: &str,
    ) -> Result<Client, NoClient> {
        let client_id = &asked.client_id;
        match &self.settings.registrar {
            Registrar::Static(client) => Ok(client.clone()),
            Registrar::Registration(registration) => {
                if let Some(known) = self.kept(app, client_id).await? {
                    return Ok(known);
                }
                self.register(app, client_id, registration).await
            }
            Registrar::Dex(_) => self.admit(app, asked, login).await,
        }
    }

    /// Who it was when somebody went there who has come back.
    ///
    /// # Errors
    /// When there is none.
    pub async fn client_of(
        &self,
        app: &App,
        asked: &Asked,
        login: &str,
    ) -> Result<Client, NoClient> {
        match &self.dex {
            Some(dex) => Ok(dex.client(&clients::id_of(login))),
            None => self.client_for(app, asked, login).await,
        }
    }

    /// Who authsvc is at the provider by this id, which it had for a client of ours: to redeem and refresh with.
    ///
    /// # Errors
    /// When the database fails, or what is there cannot be read.
    pub async fn client_known(
        &self,
        app: &App,
        client_id: &str,
        id: &str,
    ) -> Result<Option<Client>, NoClient> {
        let known = match &self.settings.registrar {
            Registrar::Static(client) => Some(client.clone()),
            Registrar::Registration(_) => self.kept(app, client_id).await?,
            Registrar::Dex(_) => self.dex.as_ref().map(|dex| dex.client(id)),
        };
        Ok(known.filter(|client| client.id == id))
    }

    /// Forgets who authsvc was for a client of ours: the provider does not know it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_client(&self, app: &App, client_id: &str) -> Result<(), store::Error> {
        let issuer = self.settings.issuer.as_str();
        match app.store.provider_client(issuer, client_id).await? {
            Some(known) => app.store.forget_provider_client(&known).await,
            None => Ok(()),
        }
    }

    /// Ends those whose client here is gone; what cannot be ended now is tried again. Returns how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_orphans(&self, app: &App) -> Result<u64, store::Error> {
        if let Some(dex) = &self.dex {
            return at_dex::sweep(dex, Needless::Ended).await;
        }
        let issuer = self.settings.issuer.as_str();
        let mut ended = 0;
        for orphan in app.store.orphaned_provider_clients(issuer, BATCH).await? {
            let old = app.clock.now_unix() >= orphan.created_at.saturating_add(GIVEN_UP);
            if let Err(error) = self.end(&orphan).await {
                left(&orphan, &error, if old { "for good" } else { "and tried again" });
                if !old {
                    continue;
                }
            }
            app.store.forget_provider_client(&orphan).await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Ends those of logins that nobody finished, where each login is a client. Returns how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_abandoned(&self) -> Result<u64, store::Error> {
        match &self.dex {
            Some(dex) => at_dex::sweep(dex, Needless::Abandoned).await,
            None => Ok(0),
        }
    }

    async fn end(&self, known: &ProviderClient) -> Result<(), Error> {
        let Some(secrets) = self.secrets(known) else { return Ok(()) };
        match secrets.management {
            Some((uri, token)) => self.provider.unregister(&Management { uri, token }).await,
            None => Ok(()),
        }
    }

    async fn kept(&self, app: &App, client_id: &str) -> Result<Option<Client>, NoClient> {
        let issuer = self.settings.issuer.as_str();
        let Some(known) = app.store.provider_client(issuer, client_id).await? else {
            return Ok(None);
        };
        let soon = app.clock.now_unix().saturating_add(NEARLY_OVER);
        if known.expires_at.is_some_and(|at| at <= soon) {
            app.store.forget_provider_client(&known).await?;
            return Ok(None);
        }
        let Secrets { secret, .. } = self.secrets(&known).ok_or(NoClient::Sealed)?;
        Ok(Some(Client { id: known.id, secret }))
    }

    async fn register(
        &self,
        app: &App,
        client_id: &str,
        registration: &Registration,
    ) -> Result<Client, NoClient> {
        let ours = app.store.client(client_id).await?;
        let name = words::claimed_name(ours.as_ref().and_then(|ours| ours.name.as_deref()));
        let order = Order {
            name: &format!("{name} ({})", app.config.public_url.authority()),
            redirect_uri: &self.callback(app),
            scope: &self.every_scope(app).join(" "),
            initial_access_token: registration.initial_access_token.as_ref(),
        };
        let Registered { client, expires_at, management } = self.provider.register(order).await?;
        let secrets = Secrets {
            secret: client.secret.clone(),
            management: management.map(|it| (it.uri, it.token)),
        };
        let sealed = self.conceal(&client.id, &secrets, app).ok_or(NoClient::Sealed)?;
        let new = ProviderClient {
            issuer: self.settings.issuer.as_str().to_owned(),
            client_id: client_id.to_owned(),
            id: client.id.clone(),
            secrets: sealed,
            created_at: app.clock.now_unix(),
            expires_at,
        };
        if app.store.add_provider_client(&new).await? {
            registered(client_id, &client);
            return Ok(client);
        }
        // Somebody else was faster, and theirs is used.
        if let Err(error) = self.end(&new).await {
            left(&new, &error, "for good: it is a second one");
        }
        self.kept(app, client_id).await?.ok_or(NoClient::Sealed)
    }

    fn conceal(&self, id: &str, secrets: &Secrets, app: &App) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(secrets).ok()?;
        self.vault.enclose(&label(id), &json, app.random.bytes())
    }

    fn secrets(&self, known: &ProviderClient) -> Option<Secrets> {
        let json = self.vault.disclose(&label(&known.id), &known.secrets)?;
        serde_json::from_slice(&json).ok()
    }
}

fn registered(client_id: &str, client: &Client) {
    tracing::info!(client_id, id = client.id, "authsvc is a client of the provider for it");
}

fn left(client: &ProviderClient, error: &Error, how: &str) {
    tracing::warn!(%error, id = client.id, "a client at the provider is left there {how}");
}

fn label(id: &str) -> Vec<u8> {
    [b"client at the provider ", id.as_bytes()].concat()
}
