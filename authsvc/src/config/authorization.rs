//! The section `authorization`: who logs people in, who issues access tokens, and what holds of clients whoever does.

use std::time::Duration;

use attache_protocol::secret::Secret;

use super::{Brokered, Embedded, Proof, Registrar, Targets};

/// How clients become authorized.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Which clients there may be.
    pub clients: ClientPolicy,
    /// How long what was granted lasts.
    pub refresh: RefreshPolicy,
    /// Encrypts in the database what is needed itself; without it `service.secret` does.
    pub key_encryption_secret: Option<Secret>,
    /// Who logs people in and issues access tokens.
    pub mode: Mode,
}

/// Which clients there may be.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// Redirect URIs with a private-use scheme that clients may register, exactly.
    pub private_redirect_uris: Vec<String>,
    /// What a client must show to register (RFC 7591 section 3); without it, anybody may.
    pub initial_access_token: Option<Secret>,
    /// Which clients may be described by a document at their URL.
    pub metadata_documents: MetadataDocuments,
    /// Those that need neither; ids are unique.
    pub configured: Vec<StaticClient>,
}

/// A client that the operator wrote down: it acts for users as one that registered does.
#[derive(Clone, Debug)]
pub struct StaticClient {
    /// `client_id`.
    pub id: String,
    /// What users are told.
    pub name: String,
    /// Where codes may go, one at least.
    pub redirect_uris: Vec<String>,
    /// How it shows who it is; a public client does not.
    pub proof: Option<Proof>,
}

/// Which Client ID Metadata Documents are fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataDocuments {
    /// Hosts that are trusted with it; without any there are no such clients.
    pub hosts: Vec<HostPattern>,
    /// Where those may be.
    pub targets: Targets,
}

/// Which hosts are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostPattern {
    /// `*`.
    Any,
    /// This one.
    Exactly(String),
    /// `*.` and this: every name below it.
    Below(String),
}

/// How long refresh tokens of ours are good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefreshPolicy {
    /// How long an unused one stays good.
    pub idle: Duration,
    /// How long a family of them lives, however often it is used.
    pub absolute: Duration,
    /// Time in which one that was already used still gets live tokens (lost responses).
    pub grace: Duration,
}

/// Who logs people in and issues access tokens.
#[derive(Clone, Debug)]
pub enum Mode {
    /// authsvc does.
    Embedded(Box<Embedded>),
    /// A provider does, and authsvc stands before it.
    Brokered(Box<Brokered>),
}

impl Authorization {
    /// What is only where authsvc issues the tokens.
    #[must_use]
    pub fn embedded(&self) -> Option<&Embedded> {
        match &self.mode {
            Mode::Embedded(embedded) => Some(embedded),
            Mode::Brokered(_) => None,
        }
    }

    /// What is only where a provider does.
    #[must_use]
    pub fn brokered(&self) -> Option<&Brokered> {
        match &self.mode {
            Mode::Embedded(_) => None,
            Mode::Brokered(brokered) => Some(brokered),
        }
    }

    /// As [`Self::embedded`], for a command that means nothing otherwise.
    ///
    /// # Errors
    /// [`Elsewhere`] where a provider issues the tokens.
    pub fn own(&self) -> Result<&Embedded, Elsewhere> {
        match &self.mode {
            Mode::Embedded(embedded) => Ok(embedded),
            Mode::Brokered(brokered) => Err(Elsewhere {
                mode: self.mode.as_str(),
                issuer: brokered.issuer.as_str().to_owned(),
            }),
        }
    }
}

impl Mode {
    /// The key of its section.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Brokered(brokered) => match brokered.registrar {
                Registrar::Static(_) | Registrar::Registration(_) => "external",
                Registrar::Dex(_) => "dex",
            },
        }
    }
}

/// There is no such thing here: a provider logs people in and issues the tokens.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "with authorization.{mode}, {issuer} logs people in and issues the tokens: manage users, keys and tokens there; this command is for authorization.embedded"
)]
pub struct Elsewhere {
    mode: &'static str,
    issuer: String,
}
