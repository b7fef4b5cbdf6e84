//! What the provider gave for a grant, as it is kept: sealed, and bound to what it was given for.

use attache_protocol::secret::Secret;
use serde::{Deserialize, Serialize};

use super::Broker;
use crate::{
    random::Random,
    store::{
        self,
        grants::{AccessToken, FromProvider},
    },
    upstream::exchange::Tokens,
};

/// Tokens of the provider.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Held {
    /// Whom they were issued to: our id at the provider.
    pub client: String,
    /// Access token.
    pub access: Secret,
    /// Refresh token.
    pub refresh: Option<Secret>,
    /// When the access token is over, Unix seconds, where that is known.
    pub expires_at: Option<i64>,
    /// Scopes of the access token, as the provider calls them.
    pub scope: Option<String>,
    /// When they were issued, Unix milliseconds.
    pub issued_ms: i64,
}

/// What tokens belong to.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// A code of ours, by its digest.
    Code(&'a [u8]),
    /// A grant.
    Grant(&'a str),
}

impl Held {
    /// As they were just given to this client of ours there.
    #[must_use]
    pub fn new(client: &str, tokens: Tokens, now_ms: i64) -> Self {
        let Tokens { access, refresh, expires_in, scope, .. } = tokens;
        let life = expires_in.and_then(|seconds| i64::try_from(seconds).ok());
        Self {
            client: client.to_owned(),
            access,
            refresh,
            expires_at: life.map(|life| now_ms.div_euclid(1000).saturating_add(life)),
            scope,
            issued_ms: now_ms,
        }
    }

    /// With what is not given again each time: a provider that does not rotate its refresh tokens says nothing of them.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self {
            refresh: self.refresh.or(earlier.refresh),
            scope: self.scope.or(earlier.scope),
            ..self
        }
    }

    fn access_token(&self) -> AccessToken {
        AccessToken { digest: store::digest(self.access.reveal()), expires_at: self.expires_at }
    }
}

impl Owner<'_> {
    fn label(&self) -> Vec<u8> {
        match self {
            Self::Code(digest) => [b"provider tokens of code ", *digest].concat(),
            Self::Grant(id) => [b"provider tokens of grant ", id.as_bytes()].concat(),
        }
    }
}

impl Broker {
    /// Seals tokens; nothing when the library refuses, which it has no reason to.
    #[must_use]
    pub fn seal(&self, held: &Held, owner: Owner<'_>, random: &Random) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(held).ok()?;
        self.vault.enclose(&owner.label(), &json, random.bytes())
    }

    /// Seals tokens for a grant, as they are kept with it.
    #[must_use]
    pub fn keepable(&self, held: &Held, grant_id: &str, random: &Random) -> Option<FromProvider> {
        let tokens = self.seal(held, Owner::Grant(grant_id), random)?;
        Some(FromProvider { tokens, access: held.access_token() })
    }

    /// Opens them; nothing if they were sealed with another secret, or for something else.
    #[must_use]
    pub fn open(&self, sealed: &[u8], owner: Owner<'_>) -> Option<Held> {
        let json = self.vault.disclose(&owner.label(), sealed)?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::{Held, Owner};
    use crate::{
        broker::Broker,
        clock::Clock,
        config::{Client, Mode, Targets},
        random::Random,
        testing::{NOW_MS, brokered, config},
        upstream::exchange::Tokens,
    };

    fn held() -> Held {
        let tokens = Tokens {
            access: Secret::new("access".to_owned()),
            refresh: Some(Secret::new("refresh".to_owned())),
            id: None,
            expires_in: Some(60),
            scope: Some("mcp".to_owned()),
        };
        Held::new("there", tokens, NOW_MS)
    }

    #[test]
    fn s31_tokens_of_the_provider_are_sealed_for_one_grant() {
        let client = Client { id: "attache".to_owned(), secret: None };
        let mut config = config();
        let settings = brokered("https://idp.example.com", Targets::Public, client);
        config.authorization.mode = Mode::Brokered(Box::new(settings.clone()));
        let broker = Broker::new(&settings, &config, &Clock::stopped(NOW_MS)).unwrap();
        let sealed = broker.seal(&held(), Owner::Grant("one"), &Random::seeded(1)).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"access"));
        let open = |owner| broker.open(&sealed, owner).map(|held| held.access.reveal().clone());
        assert_eq!(open(Owner::Grant("one")).as_deref(), Some("access"));
        assert_eq!(open(Owner::Grant("two")), None);
        assert_eq!(open(Owner::Code(b"one")), None);
        assert!(!format!("{:?}", held()).contains("refresh\""));
    }

    #[test]
    fn a_refresh_token_that_is_not_given_again_stays() {
        let next = Held { refresh: None, scope: None, ..held() }.after(held());
        assert_eq!(next.refresh.unwrap().reveal(), "refresh");
        assert_eq!(next.scope.as_deref(), Some("mcp"));
        assert_eq!(next.expires_at, Some(NOW_MS / 1000 + 60));
    }
}
