//! An access token of the provider, looked at as the filter will look at it: what it would refuse is not handed out, and
//! somebody is told why.

use attache_protocol::{
    claims::{Audience, Claims},
    foreign::{self, Raw},
    jwk::{Extensions, Found, Unverified},
    plugin::{ForeignTokens, IdTokens},
};
use jwt_compact::UntrustedToken;
use thiserror::Error;

use super::Broker;
use crate::{
    authorization::resource,
    config::{Config, OpaqueTokens, Registrar, WithoutAudience},
    state::App,
    store::{self, codes::Granted},
    upstream,
};

/// How far clocks may be apart, seconds.
const LEEWAY: i64 = 60;

/// What an access token says that opens what it is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// Its claims, in our words.
    pub claims: Claims,
    /// When it is over, Unix seconds.
    pub expires_at: i64,
    /// When it was issued, Unix seconds, if it says so.
    pub issued_at: Option<i64>,
}

/// Why the filter would refuse it. The texts are for the operator.
#[derive(Debug, Error)]
pub enum Unaccepted {
    /// It is opaque, and nobody is to be asked.
    #[error(
        "it is no JWT: have the provider issue JWTs (RFC 9068) for this resource, or set authorization.external.introspection"
    )]
    Opaque,
    /// The provider says that it is not active.
    #[error("the provider says of it that it is not active")]
    Inactive,
    /// It is another kind of JWT.
    #[error("its typ, or a claim that only ID tokens have, says that it is no access token")]
    Kind,
    /// It has critical extensions.
    #[error("it has critical extensions (crit)")]
    Critical,
    /// It is signed with a key that is not published.
    #[error("it is signed with a key that is not in the provider's key set")]
    Key,
    /// It is signed otherwise than its key says.
    #[error(
        "its alg is not that of its key, or none that is accepted: RS256, RS384, RS512, PS256, PS384, PS512, ES256 or EdDSA"
    )]
    Algorithm,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// There is no subject, issuer, audience or end.
    #[error("it lacks iss, sub, aud or exp")]
    Claims,
    /// Of another issuer.
    #[error(
        "its iss is {found:?}, and `issuer` is configured as {expected:?}; for Entra, let its API issue tokens of version 2 (requestedAccessTokenVersion)"
    )]
    Issuer {
        /// What it says.
        found: String,
        /// What is configured.
        expected: String,
    },
    /// For something else.
    #[error(
        "its aud is {found:?}, and {expected:?} is not in it: have the provider issue it for that, look at `resource_parameter`, or set `audience` to what it always says"
    )]
    Audience {
        /// What it says.
        found: Vec<String>,
        /// What should be there.
        expected: Vec<String>,
    },
    /// For more than the user agreed to.
    #[error(
        "it also opens the server {0}, which the user did not agree to: have the provider name one server in `aud`, or give the servers `scopes` of their own that it grants only where they were asked for"
    )]
    Wider(String),
    /// Nobody says what it is for.
    #[error(
        "the provider does not say whom it is for (aud): have it say so, or set introspection.without_audience"
    )]
    NoAudience,
    /// It is over, or not yet good.
    #[error("it is over, or not good yet: look at the clocks")]
    Time,
    /// What it is worth cannot be found out now.
    #[error(transparent)]
    Provider(#[from] upstream::Error),
    /// Our database fails.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Broker {
    /// What an access token says, if the filter would let it in at each of `resources`.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn examine(
        &self,
        app: &App,
        token: &str,
        resources: &[String],
    ) -> Result<Accepted, Unaccepted> {
        let now = app.clock.now_unix();
        let accepted = match UntrustedToken::<'_, Extensions>::try_from(token) {
            Ok(jwt) => self.signed(&jwt).await?,
            Err(_opaque) => return self.opaque(app, token, resources).await,
        };
        self.judge(&accepted, resources, now)?;
        Ok(accepted)
    }

    /// A JWT: by what it says itself.
    async fn signed(&self, token: &UntrustedToken<'_, Extensions>) -> Result<Accepted, Unaccepted> {
        let header = token.header();
        if header.other_fields.critical {
            return Err(Unaccepted::Critical);
        }
        if !foreign::is_access_type(header.token_type.as_deref()) {
            return Err(Unaccepted::Kind);
        }
        let kid = header.key_id.as_deref();
        let mut keys = self.provider.keys().await?;
        if !matches!(keys.set.find(kid), Found::Key(_)) {
            keys = self.provider.newer_keys().await?;
        }
        let Found::Key(key) = keys.set.find(kid) else { return Err(Unaccepted::Key) };
        let claims = key.verify::<Raw, _>(token).map_err(|unverified| match unverified {
            Unverified::Algorithm => Unaccepted::Algorithm,
            Unverified::Signature => Unaccepted::Signature,
            Unverified::Claims => Unaccepted::Claims,
        })?;
        let rules = self.settings.foreign_tokens();
        if rules.id_tokens == IdTokens::Refused && foreign::is_other_kind(&claims.custom) {
            return Err(Unaccepted::Kind);
        }
        let [expires_at, issued_at] =
            [claims.expiration, claims.issued_at].map(|time| time.map(|time| time.timestamp()));
        Ok(Accepted {
            claims: foreign::read(&claims.custom, &rules).ok_or(Unaccepted::Claims)?,
            expires_at: expires_at.ok_or(Unaccepted::Claims)?,
            issued_at,
        })
    }

    fn judge(&self, token: &Accepted, resources: &[String], now: i64) -> Result<(), Unaccepted> {
        self.is_of_issuer(&token.claims)?;
        if token.expires_at.saturating_add(LEEWAY) <= now {
            return Err(Unaccepted::Time);
        }
        self.is_for(&token.claims.aud, resources)
    }

    /// Whether a token opens no server but those that the user agreed to.
    pub(super) fn opens_nothing_else(
        &self,
        config: &Config,
        token: &Accepted,
        granted: &Granted,
    ) -> Result<(), Unaccepted> {
        let rules = self.settings.foreign_tokens();
        let agreed: Vec<&str> = granted.scope.split(' ').collect();
        for server in &config.servers {
            let uri = resource::uri(config, server);
            let is_for = match &self.settings.tokens.audience {
                // It is for all of them, and scopes tell them apart.
                Some(_) => server.scopes.iter().any(|scope| !agreed.contains(&scope.as_str())),
                None => token.claims.aud.contains(&uri),
            };
            if is_for
                && !granted.resources.contains(&uri)
                && lacks_scopes(&rules, &token.claims, &server.scopes).is_empty()
            {
                return Err(Unaccepted::Wider(server.name.clone()));
            }
        }
        Ok(())
    }

    fn is_of_issuer(&self, claims: &Claims) -> Result<(), Unaccepted> {
        let expected = self.settings.issuer.as_str();
        if claims.iss == expected {
            return Ok(());
        }
        Err(Unaccepted::Issuer { found: claims.iss.clone(), expected: expected.to_owned() })
    }

    fn is_for(&self, audience: &Audience, resources: &[String]) -> Result<(), Unaccepted> {
        let fixed = &self.settings.tokens.audience;
        let good = match fixed {
            Some(fixed) => audience.contains(fixed),
            None => resources.iter().all(|resource| audience.contains(resource)),
        };
        if good {
            return Ok(());
        }
        let found = match audience {
            Audience::One(one) => vec![one.clone()],
            Audience::Many(many) => many.clone(),
        };
        let expected =
            fixed.as_ref().map_or_else(|| resources.to_vec(), |fixed| vec![fixed.clone()]);
        Err(Unaccepted::Audience { found, expected })
    }

    /// An opaque one: by what the provider says of it.
    async fn opaque(
        &self,
        app: &App,
        token: &str,
        resources: &[String],
    ) -> Result<Accepted, Unaccepted> {
        let OpaqueTokens::Introspected { without_audience, .. } = &self.settings.tokens.opaque
        else {
            return Err(Unaccepted::Opaque);
        };
        let raw = self.ask(app, token).await?.ok_or(Unaccepted::Inactive)?;
        let said = self.complete(&raw, resources);
        if foreign::is_other_kind(&raw)
            || raw.get("token_type").is_some_and(|kind| kind == "refresh_token")
        {
            return Err(Unaccepted::Kind);
        }
        let rules = self.settings.foreign_tokens();
        let claims = foreign::read(&said, &rules).ok_or(Unaccepted::Claims)?;
        let expires_at = raw.get("exp").and_then(serde_json::Value::as_i64);
        let issued_at = raw.get("iat").and_then(serde_json::Value::as_i64);
        let accepted =
            Accepted { claims, expires_at: expires_at.ok_or(Unaccepted::Claims)?, issued_at };
        // Where it does not say whom it is for, that was completed, and is judged with the rest.
        self.judge(&accepted, resources, app.clock.now_unix())?;
        if !raw.contains_key("aud")
            && (*without_audience == WithoutAudience::Refused
                || !self.is_ours(app, &accepted.claims).await?)
        {
            return Err(Unaccepted::NoAudience);
        }
        Ok(accepted)
    }

    /// An answer about a token, with what the provider need not say: whose it is, since it was asked itself, and, for
    /// reading, whom it is for.
    fn complete(&self, raw: &Raw, resources: &[String]) -> Raw {
        let mut said = raw.clone();
        let issuer = self.settings.issuer.as_str();
        said.entry("iss").or_insert_with(|| issuer.into());
        let audience = match &self.settings.tokens.audience {
            Some(fixed) => vec![fixed.clone()],
            None => resources.to_vec(),
        };
        said.entry("aud").or_insert_with(|| audience.into());
        said
    }

    /// Whether a token was issued to authsvc itself.
    async fn is_ours(&self, app: &App, claims: &Claims) -> Result<bool, Unaccepted> {
        let Some(id) = &claims.client_id else { return Ok(false) };
        match &self.settings.registrar {
            Registrar::Static(client) => Ok(client.id == *id),
            Registrar::Registration(_) | Registrar::Dex(_) => {
                Ok(app.store.is_provider_client(self.settings.issuer.as_str(), id).await?)
            }
        }
    }
}

/// What the filter is told of the provider's tokens, and what it would refuse by it.
#[must_use]
pub fn lacks_scopes(rules: &ForeignTokens, claims: &Claims, needed: &[String]) -> Vec<String> {
    if rules.claims.scope.is_empty() {
        return Vec::new();
    }
    let granted: Vec<&str> = claims.scope.as_deref().unwrap_or_default().split(' ').collect();
    needed.iter().filter(|scope| !granted.contains(&scope.as_str())).cloned().collect()
}
