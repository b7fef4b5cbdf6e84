//! What is different where the provider is Dex: authsvc is another client of it for each login ([`crate::dex`] says
//! why), made over gRPC, and some of its errors mean something else than elsewhere.

use std::sync::Arc;

use super::{
    Broker,
    registrar::{Login, NOBODY, NoClient},
};
use crate::{
    callback,
    clock::Clock,
    config::{Client, Config, Registrar},
    dex::{
        self, Dex, Setting, audience,
        clients::{Applicant, Needless},
    },
    random::Random,
    state::App,
    store::{self, Store},
    upstream::{Error, exchange::Tokens},
};

/// What is not had when its gRPC API is of no use.
const WHAT: &str = "gRPC API";

impl Broker {
    /// With clients at Dex, if that is what the configuration names.
    #[must_use]
    pub fn at_dex(
        mut self,
        config: &Config,
        store: &Store,
        clock: &Clock,
        random: &Random,
    ) -> Self {
        if let Registrar::Dex(dex) = &self.settings.registrar {
            let setting = Setting {
                dex,
                secret: config.key_encryption_secret(),
                callback: callback::url(&config.public_url, self.name()),
                unfinished: self.unfinished.clone(),
            };
            let dex = Dex::new(setting, store.clone(), clock.clone(), random.clone());
            self.dex = Some(Arc::new(dex));
        }
        self
    }

    /// Makes the client for a login.
    pub(super) async fn admit(&self, app: &App, login: Login<'_>) -> Result<Client, NoClient> {
        let dex = self.dex.as_ref().ok_or(NoClient::Sealed)?;
        let ours = app.client(login.client_id).await?;
        let applicant = Applicant {
            login: login.name,
            client_id: login.client_id,
            name: match login.client_id {
                NOBODY => Some("Attaché"),
                _ => ours.as_ref().and_then(|ours| ours.name.as_deref()),
            },
            resources: login.resources,
        };
        Ok(dex.admit(applicant).await?)
    }

    /// The scopes that have Dex issue tokens for these resources.
    pub(super) fn audiences(&self, resources: &[String]) -> Vec<String> {
        match &self.dex {
            Some(_) => resources.iter().map(|resource| audience::scope(resource)).collect(),
            None => Vec::new(),
        }
    }

    /// Notes that this grant came of the login for which we were this client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn granted(&self, client: &str, grant_id: &str) -> Result<(), store::Error> {
        match &self.dex {
            Some(dex) => dex.granted(client, grant_id).await,
            None => Ok(()),
        }
    }

    /// What came of a refresh, in the words of other providers. A client that Dex does not know any more is made
    /// again, once: its storage may have been lost, or our secret changed.
    pub(super) async fn understood(
        &self,
        client: &Client,
        outcome: Result<Tokens, Error>,
        again: impl AsyncFnOnce(&Client) -> Result<Tokens, Error>,
    ) -> Result<Tokens, Error> {
        let Some(dex) = &self.dex else { return outcome };
        let outcome = match outcome {
            Err(Error::Client(code)) => {
                tracing::warn!(code, "Dex does not know a client any more that we were");
                match dex.renew(&client.id).await {
                    Ok(client) => again(&client).await,
                    Err(dex::Trouble::Unknown) => Err(Error::Client(code)),
                    Err(trouble) => Err(unavailable(&trouble)),
                }
            }
            other => other,
        };
        match outcome {
            // Of a refresh token that is over, used or unknown.
            Err(Error::Refused(code)) if code == "invalid_request" => Err(Error::Grant(code)),
            other => other,
        }
    }
}

/// Removes clients that nobody needs; those that cannot be removed now are left for the next time. Returns how many
/// went.
pub(super) async fn sweep(dex: &Arc<Dex>, which: Needless) -> Result<u64, store::Error> {
    match dex.sweep(which).await {
        Ok(removed) => Ok(removed),
        Err(dex::Trouble::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "clients at Dex that nobody needs are not removed yet");
            Ok(0)
        }
    }
}

fn unavailable(trouble: &dex::Trouble) -> Error {
    let reason = trouble.to_string();
    let passing = match trouble {
        dex::Trouble::Dex(error) => error.is_passing(),
        dex::Trouble::Busy | dex::Trouble::Store(_) => true,
        dex::Trouble::Unknown | dex::Trouble::Broken => false,
    };
    if passing {
        Error::Unreachable { what: WHAT, reason }
    } else {
        Error::Unusable { what: WHAT, reason }
    }
}

impl From<dex::Trouble> for NoClient {
    fn from(trouble: dex::Trouble) -> Self {
        match trouble {
            dex::Trouble::Store(error) => Self::Store(error),
            dex::Trouble::Dex(_)
            | dex::Trouble::Busy
            | dex::Trouble::Unknown
            | dex::Trouble::Broken => Self::Provider(unavailable(&trouble)),
        }
    }
}
