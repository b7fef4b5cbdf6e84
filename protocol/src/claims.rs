//! What an access token says (RFC 9068 section 2.2): authsvc signs it, the filter checks it.

use serde::{Deserialize, Serialize};

/// Media type of the `typ` header of our access tokens (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// Claims that we read and write. Unknown ones of a foreign issuer are ignored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Claims {
    /// Issuer, byte for byte that of the metadata.
    pub iss: String,
    /// Subject.
    pub sub: String,
    /// Resources that the token is for (RFC 8707).
    pub aud: Audience,
    /// OAuth client that it was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Granted scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Identity of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// In tokens of our own: the grant that it was issued from, by which it can be revoked and looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    /// E-mail address of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Groups of the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// `aud` (RFC 7519 section 4.1.3): one string or several.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single audience.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Of these resources; a single one is written as a string.
    #[must_use]
    pub fn of(mut resources: Vec<String>) -> Self {
        match (resources.pop(), resources.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => {
                resources.extend(last);
                Self::Many(resources)
            }
        }
    }

    /// Whether `resource` is among them, byte for byte.
    #[must_use]
    pub fn contains(&self, resource: &str) -> bool {
        match self {
            Self::One(one) => one == resource,
            Self::Many(many) => many.iter().any(|one| one == resource),
        }
    }
}
