//! A provider of identities (OpenID Connect Core 1.0): a browser is sent there and comes back with somebody.
//!
//! In the order of the flow: [`discovery`] finds what the provider offers, and [`cached`] keeps it → [`trip`] makes the
//! secrets of one way there and back → [`request`] the URL that the browser is sent to → [`callback`] reads what it
//! comes back with → [`exchange`] turns a code, or later a refresh token, into tokens → [`id_token`] checks who it is,
//! by the [`issuer`] and the [`keys`] → [`identity`] says what is known of them.
//!
//! Beside it, [`registration`] makes a client of us there, and [`introspection`] asks what a token is worth.
//!
//! Who sends somebody, as which client of the provider, and what becomes of the tokens is not known here.

pub mod cached;
pub mod callback;
pub mod discovery;
pub mod exchange;
pub mod id_token;
pub mod identity;
pub mod introspection;
pub mod issuer;
pub mod keys;
pub mod registration;
pub mod request;
#[cfg(test)]
mod tests;
pub mod trip;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use self::{
    cached::Cached,
    discovery::Metadata,
    exchange::Tokens,
    id_token::{Expected, Verified},
    identity::Identity,
    issuer::Issuers,
    keys::Keys,
    request::{Prompt, Request},
};
use crate::{
    clock::Clock,
    config::{Client, IdentityClaims, Issuer, Targets, Tenants},
    outgoing::guarded::{Bounds, Guarded, NotJson, Reply, Unanswered},
};
use attache_protocol::secret::Secret;
use thiserror::Error;
use url::Url;

/// How long all that is asked of a provider for one request of a browser or a client may take.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// What one answer of a provider may cost.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 256 * 1024 };

/// Longest code of an error that is repeated, characters.
const MAX_ERROR: usize = 64;

/// A provider, and what is known of it so far. Nothing is asked before it is needed.
#[derive(Debug)]
pub struct Provider {
    issuers: Issuers,
    http: Guarded,
    clock: Clock,
    metadata: Cached<Metadata>,
    keys: Cached<Keys>,
    /// Whether it has refused to let people choose an account, which it need not say that it does.
    offers_no_choice: AtomicBool,
}

/// Why a provider is of no use just now.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// It does not answer, or says that it cannot; later it may be otherwise.
    #[error("its {what} cannot be had: {reason}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// Why it was not to be had.
        reason: String,
    },
    /// What it answers is not what it should be.
    #[error("its {what} cannot be used: {reason}")]
    Unusable {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not know us, or not as we show who we are.
    #[error("it does not accept the configured client ({0}): look at client_id and client_secret")]
    Client(String),
    /// The code or the refresh token is worth nothing there (any more).
    #[error("it does not accept the code or refresh token ({0})")]
    Grant(String),
    /// It refuses for another reason.
    #[error("it refuses: {0}")]
    Refused(String),
    /// The ID token is not good.
    #[error("its ID token is refused: {0}")]
    IdToken(#[from] id_token::Refused),
}

/// What tokens are looked at for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who we are at the provider.
    pub client_id: &'a str,
    /// What the ID token must repeat.
    pub nonce: &'a str,
    /// Google: the organization that it must name.
    pub hosted_domain: Option<&'a str>,
    /// Where the provider says what.
    pub claims: &'a IdentityClaims,
}

impl Provider {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(
        issuer: &Issuer,
        tenants: &Tenants,
        targets: Targets,
        clock: Clock,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            issuers: Issuers::new(issuer, tenants),
            http: Guarded::new(targets, BOUNDS)?,
            metadata: Cached::new(clock.clone()),
            keys: Cached::new(clock.clone()),
            offers_no_choice: AtomicBool::new(false),
            clock,
        })
    }

    /// Who it is.
    #[must_use]
    pub const fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// What it offers: as it was found a while ago, or as it is.
    ///
    /// # Errors
    /// When it is not to be had.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        self.metadata.get(|| discovery::find(&self.http, &self.issuers)).await
    }

    /// Its keys: as they were a while ago, or as they are.
    ///
    /// # Errors
    /// When they are not to be had.
    pub async fn keys(&self) -> Result<Arc<Keys>, Error> {
        self.keys.get(|| self.fetch_keys()).await
    }

    /// Its keys, for somebody who found that those they have are not enough: fetched, unless that was just done.
    ///
    /// # Errors
    /// When they are not to be had.
    pub async fn newer_keys(&self) -> Result<Arc<Keys>, Error> {
        self.keys.renew(|| self.fetch_keys()).await
    }

    async fn fetch_keys(&self) -> Result<(Keys, Duration), Error> {
        keys::fetch(&self.http, &self.metadata().await?.jwks_uri).await
    }

    /// Checks an ID token. Of a key that is not known, the keys are fetched again.
    ///
    /// # Errors
    /// When it is not good, or the keys are not to be had.
    pub async fn verify(&self, token: &Secret, expected: Expected<'_>) -> Result<Verified, Error> {
        let keys = self.keys().await?;
        let now = self.clock.now_unix();
        match id_token::verify(token, &keys.set, &self.issuers, expected, now) {
            Err(id_token::Refused::UnknownKey) => {
                let keys = self.newer_keys().await?;
                Ok(id_token::verify(token, &keys.set, &self.issuers, expected, now)?)
            }
            verified => Ok(verified?),
        }
    }

    /// Who it is that tokens were issued for. What the ID token leaves out is asked of the UserInfo endpoint, if
    /// there is one.
    ///
    /// # Errors
    /// When the ID token is not good, or the provider does not answer.
    pub async fn identify(&self, tokens: &Tokens, wanted: Wanted<'_>) -> Result<Identity, Error> {
        let token = tokens.id.as_ref().ok_or(id_token::Refused::Missing)?;
        let Wanted { client_id, nonce, hosted_domain, claims } = wanted;
        let access_token = Some(&tokens.access);
        let expected = Expected { client_id, nonce, hosted_domain, access_token };
        let verified = self.verify(token, expected).await?;
        let more = match &self.metadata().await?.userinfo_endpoint {
            Some(endpoint) if identity::has_gaps(&verified, claims) => {
                identity::ask(&self.http, endpoint, &tokens.access, &verified.subject).await?
            }
            _ => serde_json::Map::new(),
        };
        Ok(identity::read(verified, &more, claims))
    }

    /// The URL that a browser is sent to.
    #[must_use]
    pub fn authorization_url(&self, metadata: &Metadata, request: Request<'_>) -> Url {
        let chooses = request.prompt == Prompt::SelectAccount;
        if chooses && self.offers_no_choice.load(Ordering::Relaxed) {
            return request::url(metadata, Request { prompt: Prompt::Login, ..request });
        }
        request::url(metadata, request)
    }

    /// Tokens for a code.
    ///
    /// # Errors
    /// When the provider gives none.
    pub async fn redeem(
        &self,
        client: &Client,
        code: exchange::Code<'_>,
        more: &[(&str, &str)],
    ) -> Result<Tokens, Error> {
        let metadata = self.metadata().await?;
        exchange::ask(&self.http, &metadata, client, &[&code.form()[..], more].concat()).await
    }

    /// Tokens for a refresh token.
    ///
    /// # Errors
    /// When the provider gives none.
    pub async fn refresh(
        &self,
        client: &Client,
        token: &Secret,
        more: &[(&str, &str)],
    ) -> Result<Tokens, Error> {
        let metadata = self.metadata().await?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.reveal().as_str())];
        exchange::ask(&self.http, &metadata, client, &[&form[..], more].concat()).await
    }
}

impl Error {
    /// Nobody waits any longer.
    #[must_use]
    pub fn late(what: &'static str) -> Self {
        Self::Unreachable { what, reason: "it takes too long".to_owned() }
    }

    fn unusable(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Unusable { what, reason: reason.into() }
    }

    fn unanswered(what: &'static str, unanswered: &Unanswered) -> Self {
        let reason = unanswered.to_string();
        match unanswered {
            Unanswered::Silent(_) => Self::Unreachable { what, reason },
            Unanswered::Target(_) | Unanswered::TooLong(_) => Self::Unusable { what, reason },
        }
    }
}

/// The code of an error, fit to be logged and shown: letters, digits, `_`, `.` and `-`.
fn plain(code: &str) -> String {
    let plain = |one: &char| one.is_ascii_alphanumeric() || matches!(one, '_' | '.' | '-');
    code.chars().filter(plain).take(MAX_ERROR).collect()
}

/// An answer that must be 200 and JSON.
fn expect_json(reply: Reply, what: &'static str) -> Result<Reply, Error> {
    reply.json().map_err(|not| match not {
        NotJson::Passing(reason) => Error::Unreachable { what, reason },
        NotJson::Wrong(reason) => Error::Unusable { what, reason },
    })
}
