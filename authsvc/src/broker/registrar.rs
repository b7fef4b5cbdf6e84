//! Who authsvc is at the provider: one client for all, or one for each client of ours, made when a user has first let it
//! in, kept sealed, and ended when ours goes.

use std::time::Duration;

use attache_protocol::secret::Secret;
use serde::{Deserialize, Serialize};
use tokio::time::{self, Instant};
use url::Url;

use super::{Broker, at_dex, sign_in::OPENID};
use crate::{
    clients::with_id,
    clock::millis,
    config::{Client, Registrar, Registration},
    dex::clients::{self, Needless},
    pages::words,
    state::{App, Issuance},
    store::{self, brokered::ProviderClient, registering::Registering},
    upstream::{
        Error,
        registration::{Management, Order, Registered},
    },
};

/// How many are looked at together.
const BATCH: i64 = if cfg!(test) { 2 } else { 100 };
/// How long nobody tries any more to end one that cannot be ended, seconds.
const GIVEN_UP: i64 = 30 * 24 * 3600;
/// A secret that is over this soon is not used any more, seconds.
const NEARLY_OVER: i64 = 600;
/// How long whoever registers is left alone: longer than all that is asked of the provider takes.
const TURN: Duration = Duration::from_secs(60);
/// How often the others look.
const LOOK: Duration = Duration::from_millis(100);
/// How long they do; the request itself may take 15 s.
const WAIT: Duration = Duration::from_secs(11);
/// What they wait for.
const WHAT: &str = "answer to a registration";

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

/// Why a client is left at the provider.
#[derive(Debug, thiserror::Error)]
enum Unended {
    /// It has no way to end one.
    #[error("the provider gave no registration_client_uri to end it with (RFC 7592)")]
    Unmanaged,
    /// It was kept with another secret than the configured one.
    #[error("what is kept of it cannot be decrypted")]
    Sealed,
    /// It does not answer, or refuses.
    #[error(transparent)]
    Provider(#[from] Error),
}

/// Somebody who goes to the provider.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Name of the interaction.
    pub name: &'a str,
    /// The client of ours that sent them; empty where none did.
    pub client_id: &'a str,
    /// What it wants access to.
    pub resources: &'a [String],
}

/// Stands for authsvc itself where a client of ours is named.
pub(super) const NOBODY: &str = "";

/// What became of a client whose client here is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Orphan {
    /// Nothing is known of it any more.
    Ended,
    /// It is tried again.
    Left,
    /// The provider does not answer.
    Unanswered,
}

/// What is kept sealed of a client.
#[derive(Debug, Deserialize, Serialize)]
struct Secrets {
    secret: Option<Secret>,
    management: Option<(Url, Secret)>,
}

impl Broker {
    /// Who authsvc is at the provider for a request of a client of ours, made if there is none yet.
    ///
    /// # Errors
    /// When there is none and none can be made.
    pub async fn client_for(&self, app: &App, login: Login<'_>) -> Result<Client, NoClient> {
        let client_id = login.client_id;
        match &self.settings.registrar {
            Registrar::Static(client) => Ok(client.clone()),
            Registrar::Registration(_) => match self.kept(app, client_id).await? {
                Some(known) => Ok(known),
                None => self.register(app, client_id).await,
            },
            Registrar::Dex(_) => self.admit(app, login).await,
        }
    }

    /// Who it was when somebody went there who has come back.
    ///
    /// # Errors
    /// When there is none.
    pub async fn client_of(&self, app: &App, login: Login<'_>) -> Result<Client, NoClient> {
        match &self.dex {
            Some(dex) => Ok(dex.client(&clients::id_of(login.name))),
            None => self.client_for(app, login).await,
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
    pub async fn forget_client(
        &self,
        app: &App,
        client_id: &str,
        id: &str,
    ) -> Result<(), store::Error> {
        let issuer = self.settings.issuer.as_str();
        match app.store.provider_client(issuer, client_id).await? {
            // Another one may have been made meanwhile.
            Some(known) if known.id == id => app.store.forget_provider_client(&known).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Ends all whose client here is gone; what cannot be ended now is tried again. Returns how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_orphans(&self, app: &App) -> Result<u64, store::Error> {
        if let Some(dex) = &self.dex {
            return at_dex::sweep(dex, Needless::Ended).await;
        }
        app.store.forget_registering(app.clock.now_ms()).await?;
        let (mut ended, mut last) = (0, (i64::MIN, String::new()));
        loop {
            let after = (last.0, last.1.as_str());
            let issuer = self.settings.issuer.as_str();
            let orphans = app.store.orphaned_provider_clients(issuer, after, BATCH).await?;
            let Some(newest) = orphans.last() else { return Ok(ended) };
            last = (newest.created_at, newest.id.clone());
            for orphan in orphans {
                match self.end_orphan(app, &orphan).await? {
                    Orphan::Ended => ended += 1,
                    Orphan::Left => {}
                    // Nor would it answer of the others.
                    Orphan::Unanswered => return Ok(ended),
                }
            }
        }
    }

    async fn end_orphan(&self, app: &App, orphan: &ProviderClient) -> Result<Orphan, store::Error> {
        // It is not in the database, and here all the same.
        if with_id(&app.config, &orphan.client_id).is_some() {
            return Ok(Orphan::Left);
        }
        if let Err(error) = self.end(orphan).await {
            let old = app.clock.now_unix() >= orphan.created_at.saturating_add(GIVEN_UP);
            let again = !old && matches!(error, Unended::Provider(_));
            left(orphan, &error, if again { "and tried again" } else { "for good" });
            match error {
                Unended::Provider(Error::Unreachable { .. }) if again => {
                    return Ok(Orphan::Unanswered);
                }
                _ if again => return Ok(Orphan::Left),
                Unended::Unmanaged | Unended::Sealed | Unended::Provider(_) => {}
            }
        }
        app.store.forget_provider_client(orphan).await?;
        Ok(Orphan::Ended)
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

    async fn end(&self, known: &ProviderClient) -> Result<(), Unended> {
        let Secrets { management, .. } = self.secrets(known).ok_or(Unended::Sealed)?;
        let (uri, token) = management.ok_or(Unended::Unmanaged)?;
        Ok(self.provider.unregister(&Management { uri, token }).await?)
    }

    /// Who it is for a client of ours, unless that is over by now.
    async fn kept(&self, app: &App, client_id: &str) -> Result<Option<Client>, NoClient> {
        let issuer = self.settings.issuer.as_str();
        let known = app.store.provider_client(issuer, client_id).await?;
        let Some(known) = known.filter(|known| !is_over(app, known)) else { return Ok(None) };
        let Secrets { secret, .. } = self.secrets(&known).ok_or(NoClient::Sealed)?;
        Ok(Some(Client { id: known.id, secret }))
    }

    /// Becomes a client there, in turn. It goes on when nobody waits any more: what is made there and kept nowhere would
    /// stay there for good.
    async fn register(&self, app: &App, client_id: &str) -> Result<Client, NoClient> {
        let (app, client_id) = (app.clone(), client_id.to_owned());
        let registering = self.unfinished.spawn(async move {
            let Issuance::Brokered(broker) = &app.issuance else { return Err(NoClient::Sealed) };
            broker.register_in_turn(&app, &client_id).await
        });
        let broken = |_error| Error::Unusable { what: WHAT, reason: "it broke off".to_owned() };
        registering.await.map_err(broken)?
    }

    async fn register_in_turn(&self, app: &App, client_id: &str) -> Result<Client, NoClient> {
        let place = self.registering.place(client_id);
        let turn = time::timeout(WAIT, place.turn.lock()).await;
        let _turn = turn.map_err(|_late| Error::late(WHAT))?;
        let what = Registering { issuer: self.settings.issuer.as_str(), client_id };
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(known) = self.kept(app, client_id).await? {
                return Ok(known);
            }
            let now_ms = app.clock.now_ms();
            let until_ms = now_ms.saturating_add(millis(TURN));
            if app.store.take_registering(what, now_ms, until_ms).await? {
                let registered = self.register_alone(app, client_id).await;
                app.store.end_registering(what, until_ms).await?;
                return registered;
            }
            if Instant::now() >= deadline {
                return Err(Error::late(WHAT).into());
            }
            time::sleep(LOOK).await;
        }
    }

    async fn register_alone(&self, app: &App, client_id: &str) -> Result<Client, NoClient> {
        let Registrar::Registration(registration) = &self.settings.registrar else {
            return Err(NoClient::Sealed);
        };
        // Read anew: somebody else's turn may have ended in between.
        if let Some(known) = self.kept(app, client_id).await? {
            return Ok(known);
        }
        self.end_earlier(app, client_id).await?;
        self.register_now(app, client_id, registration).await
    }

    /// Ends the one whose time is over.
    async fn end_earlier(&self, app: &App, client_id: &str) -> Result<(), store::Error> {
        let issuer = self.settings.issuer.as_str();
        let Some(known) = app.store.provider_client(issuer, client_id).await? else {
            return Ok(());
        };
        if let Err(error) = self.end(&known).await {
            left(&known, &error, "for good: its time is over");
        }
        app.store.forget_provider_client(&known).await
    }

    async fn register_now(
        &self,
        app: &App,
        client_id: &str,
        registration: &Registration,
    ) -> Result<Client, NoClient> {
        let ours = app.client(client_id).await?;
        let name = match client_id {
            NOBODY => "Attaché".to_owned(),
            _ => words::claimed_name(ours.as_ref().and_then(|ours| ours.name.as_deref())),
        };
        let mut scopes = self.every_scope(app);
        if !scopes.iter().any(|scope| scope == OPENID) {
            // For /account.
            scopes.push(OPENID.to_owned());
        }
        let order = Order {
            name: &format!("{name} ({})", app.config.public_url.authority()),
            redirect_uri: &self.callback(app),
            scope: &scopes.join(" "),
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

fn is_over(app: &App, known: &ProviderClient) -> bool {
    let soon = app.clock.now_unix().saturating_add(NEARLY_OVER);
    known.expires_at.is_some_and(|at| at <= soon)
}

fn left(client: &ProviderClient, error: &Unended, how: &str) {
    let (issuer, id) = (&client.issuer, &client.id);
    tracing::warn!(%error, issuer, id, "a client at the provider is left there {how}");
}

fn label(id: &str) -> Vec<u8> {
    [b"client at the provider ", id.as_bytes()].concat()
}
