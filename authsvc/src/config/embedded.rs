//! The section `authorization.embedded`: authsvc as the authorization server, and who may use it.

use std::{sync::Arc, time::Duration};

use attache_protocol::{jwk::KeySet, secret::Secret};

use super::Federated;

/// The embedded authorization server.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// People who may log in with a password.
    pub users: Vec<User>,
    /// Life of an access token.
    pub access_token_ttl: Duration,
    /// Signature algorithm of access tokens.
    pub signing: Signing,
    /// How long a key signs before the next one does.
    pub key_rotation: Duration,
    /// Programs that get tokens for themselves.
    pub machine_clients: Vec<MachineClient>,
    /// Whether there are personal access tokens.
    pub personal_tokens: PersonalTokens,
    /// Providers whose users may log in; names and issuers are unique.
    pub federation: Vec<Federated>,
}

/// A program that acts for itself, not for a user: it gets tokens by client credentials (RFC 6749 section 4.4).
#[derive(Clone, Debug)]
pub struct MachineClient {
    /// `client_id`, and the subject of its tokens.
    pub id: String,
    /// How it shows who it is.
    pub proof: Proof,
    /// Names of the servers that it may call.
    pub servers: Vec<String>,
    /// Most that it gets; empty: every scope of its servers.
    pub scopes: Vec<String>,
    /// `groups` of its tokens.
    pub groups: Vec<String>,
}

/// How a program shows who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// `client_secret_basic` or `client_secret_post`.
    Secret(Secret),
    /// `private_key_jwt`, with one of these keys (RFC 7523 section 2.2).
    Keys(Arc<KeySet>),
}

/// Personal access tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PersonalTokens {
    /// None is made, and none is accepted.
    Off,
    /// The operator makes them.
    On {
        /// How long the filter goes on with what it was told of one.
        cache: Duration,
    },
}

/// Signature algorithm of access tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signing {
    /// Ed25519 (RFC 8037): the default.
    EdDsa,
    /// P-256 (RFC 7518 section 3.4).
    Es256,
}

impl Signing {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::EdDsa, Self::Es256];

    /// `alg`: what the file, the database and the tokens call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The one that is called so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signing| signing.as_str() == text)
    }
}

/// Somebody who may log in with a password.
#[derive(Clone, Debug)]
pub struct User {
    /// What they type; compared without regard to ASCII case.
    pub email: String,
    /// Argon2id, PHC string format.
    pub password_hash: Secret,
    /// `groups` of their tokens.
    pub groups: Vec<String>,
}

impl User {
    /// Longest e-mail address, bytes (RFC 5321 section 4.5.3.1).
    pub const MAX_EMAIL: usize = 254;
}
