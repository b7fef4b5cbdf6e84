//! An answer to a question about a token (RFC 7662 section 2.2).

use attache_protocol::claims::{Audience, Claims};
use serde::Deserialize;

use crate::request::token::{Identity, Looked};

/// What is read of it; of a token that is not active nothing else need be said.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    active: bool,
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<i64>,
    client_id: Option<String>,
    scope: Option<String>,
    jti: Option<String>,
    /// The e-mail address.
    username: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Answer, serde_json::Error> {
    serde_json::from_slice(body)
}

impl Answer {
    /// Whom the token stands for; nobody, unless it is active, of our issuer, for this resource, and ends.
    pub(super) fn identity(self, issuer: &str, resource: &str) -> Option<Identity> {
        let iss = self.iss.filter(|iss| self.active && iss == issuer)?;
        let aud = self.aud.filter(|aud| aud.contains(resource))?;
        let claims = Claims {
            iss,
            sub: self.sub?,
            aud,
            client_id: self.client_id,
            scope: self.scope,
            jti: self.jti,
            grant_id: None,
            email: self.username,
            groups: self.groups,
        };
        // Who answered has judged the time, too: no leeway on top.
        Some(Identity::new(claims, self.exp?, Looked::Issuer))
    }
}
