//! The sections `authorization.external` and `authorization.dex`: a provider logs people in and issues the access
//! tokens; authsvc is the authorization server that clients see.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use attache_protocol::{
    plugin::{self, ClaimNames, IdTokens},
    secret::Secret,
};

use super::{Client, HostPort, Issuer, Targets};

/// A provider, and what is known of it.
#[derive(Clone, Debug)]
pub struct Brokered {
    /// Who it is.
    pub issuer: Issuer,
    /// How authsvc becomes a client of it.
    pub registrar: Registrar,
    /// What it is asked for.
    pub request: Request,
    /// What its access tokens are like.
    pub tokens: ForeignTokens,
    /// Where it may be.
    pub targets: Targets,
}

/// How authsvc becomes a client of the provider.
#[derive(Clone, Debug)]
pub enum Registrar {
    /// It is one, whichever client it acts for.
    Static(Client),
    /// By the provider's own registration endpoint (RFC 7591), one for each client of ours.
    Registration(Registration),
    /// By the gRPC API of Dex, one for each login.
    Dex(Dex),
}

/// The provider's registration endpoint.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What opens it, if it is not open (RFC 7591 section 3).
    pub initial_access_token: Option<Secret>,
}

/// The gRPC API of Dex.
#[derive(Clone, Debug)]
pub struct Dex {
    /// Where it is.
    pub address: HostPort,
    /// How it is spoken to; in clear without.
    pub tls: Option<DexTls>,
}

/// TLS to the gRPC API of Dex. Files in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DexTls {
    /// Whose certificates are believed; without it those of the system.
    pub ca: Option<PathBuf>,
    /// With which authsvc shows who it is.
    pub identity: Option<DexIdentity>,
}

/// A certificate of authsvc's own, and its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DexIdentity {
    /// Certificate, and those that lead from it to the authority.
    pub certificate: PathBuf,
    /// Private key.
    pub private_key: PathBuf,
}

/// What the provider is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Scopes that are always asked for.
    pub scopes: Vec<String>,
    /// What the provider calls a scope of the servers, where it calls it otherwise.
    pub scope_map: BTreeMap<String, String>,
    /// How it is told which resource a token is for.
    pub resource: ResourceParameter,
}

/// How a provider is told which resource a token is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResourceParameter {
    /// `resource` (RFC 8707).
    Resource,
    /// `audience`: Auth0 and its kin.
    Audience,
    /// Not at all: the scopes say it (Entra), or the client at the provider does.
    Omitted,
}

impl ResourceParameter {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Resource, Self::Audience, Self::Omitted];

    /// What the file calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Audience => "audience",
            Self::Omitted => "none",
        }
    }
}

/// What the provider's access tokens are like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForeignTokens {
    /// What `aud` must contain; without it the resource of the endpoint.
    pub audience: Option<String>,
    /// Where they say what.
    pub claims: ClaimNames,
    /// `alg` of RSA keys that do not say theirs; of others their type says it.
    pub algorithm: Option<&'static str>,
    /// Whether there are tokens that say nothing themselves.
    pub opaque: OpaqueTokens,
}

/// Access tokens that the provider has to be asked about (RFC 7662).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OpaqueTokens {
    /// None is accepted.
    Refused,
    /// The provider is asked.
    Introspected {
        /// How long its answer is taken for good.
        cache: Duration,
        /// What is asked of an answer without `aud`.
        without_audience: WithoutAudience,
        /// Who asks; without it the static client does.
        client: Option<Box<Introspector>>,
    },
}

/// A client of the provider that may ask about tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Introspector {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: Secret,
}

/// What becomes of a token of which the provider does not say whom it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WithoutAudience {
    /// It opens nothing.
    Refused,
    /// It is good if it was issued to authsvc itself, by the `client_id` of the answer.
    IssuedToUs,
}

impl Brokered {
    /// What people call it: its host.
    #[must_use]
    pub fn label(&self) -> String {
        let url = self.issuer.url();
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// What the filter, too, knows of its access tokens.
    #[must_use]
    pub fn foreign_tokens(&self) -> plugin::ForeignTokens {
        plugin::ForeignTokens {
            audiences: self.tokens.audience.iter().cloned().collect(),
            claims: self.tokens.claims.clone(),
            scope_map: self.request.scope_map.clone(),
            id_tokens: match self.registrar {
                Registrar::Static(_) | Registrar::Registration(_) => IdTokens::Refused,
                // Its access tokens have all that its ID tokens have.
                Registrar::Dex(_) => IdTokens::Alike,
            },
        }
    }
}

#[cfg(test)]
mod tests;
