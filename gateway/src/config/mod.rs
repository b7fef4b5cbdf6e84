//! The plugin configuration, compiled into a type that cannot be wrong.
//!
//! [`attache_protocol::plugin::Plugin`] is the strict mirror of the JSON; here it is checked once, and what every
//! request needs is computed once.

mod check;
pub mod foreign;
pub mod origin;

use std::{collections::BTreeMap, rc::Rc};

use attache_protocol::{
    bearer::{Challenge, Parameters},
    mcp::tools::Injected,
    plugin::{self, Argument, Authentication, CallerToken, Capture, Plugin},
};
use thiserror::Error;

use self::foreign::Foreign;
pub use self::origin::Origins;

/// A configuration that the filter cannot work with.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not JSON, a key that nobody knows, a value of the wrong type.
    #[error("the plugin configuration cannot be read: {0}; render it with `authsvc render envoy`")]
    Unreadable(#[from] serde_json::Error),
    /// A value that makes no sense.
    #[error("{path}: {value} {wish}")]
    Value {
        /// Where, as in `endpoints[2].path`.
        path: String,
        /// What is there.
        value: String,
        /// What should be.
        wish: &'static str,
    },
}

/// Everything that a request needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Issuer of the tokens.
    pub issuer: String,
    /// What its tokens are like.
    pub tokens: plugin::Tokens,
    /// Where the keys are, and how long they stay good.
    pub jwks: plugin::Jwks,
    /// Whom to ask about opaque tokens.
    pub introspection: Option<plugin::Introspection>,
    /// Where events go.
    pub events: plugin::Events,
    /// Bounds on what is held.
    pub limits: plugin::Limits,
    endpoints: BTreeMap<String, Rc<Endpoint>>,
}

/// One MCP endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Exact path.
    pub path: String,
    /// Configured name of the server.
    pub server: String,
    /// What `aud` must contain.
    pub resource: String,
    /// Who may come in.
    pub authentication: Authentication,
    /// Scopes that every request needs.
    pub scopes: Vec<String>,
    /// What happens to the caller's `Authorization`.
    pub caller_token: CallerToken,
    /// What passes to a server that checks callers itself.
    pub foreign: Option<Foreign>,
    /// Origins that browsers may call from.
    pub origins: Origins,
    /// How much is captured.
    pub capture: Capture,
    /// Arguments that are captured.
    pub arguments: Vec<Argument>,
    /// The same, as they are added to schemas.
    pub injected: Vec<Injected>,
    /// Tools that are left alone.
    pub exempt: Vec<String>,
    /// `WWW-Authenticate` for a request without a token.
    pub challenge: String,
    /// `WWW-Authenticate` for a token without the scopes.
    pub scope_challenge: String,
    resource_metadata: String,
    scope: String,
}

impl Gateway {
    /// Reads and compiles the plugin configuration.
    ///
    /// # Errors
    /// Says where the mistake is, what is there, and what should be.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        Self::compile(serde_json::from_slice(json)?)
    }

    /// Compiles a configuration that has been read.
    ///
    /// # Errors
    /// Says where the mistake is, what is there, and what should be.
    pub fn compile(plugin: Plugin) -> Result<Self, ConfigError> {
        check::plugin(&plugin)?;
        let Plugin { public_url, issuer, tokens, jwks, introspection, events, limits, endpoints } =
            plugin;
        let mut compiled = BTreeMap::new();
        for (at, endpoint) in endpoints.into_iter().enumerate() {
            check::endpoint(at, &endpoint)?;
            let endpoint = Endpoint::compile(endpoint, &public_url);
            let path = endpoint.path.clone();
            if let Some(twice) = compiled.insert(path, Rc::new(endpoint)) {
                return Err(check::error(
                    format!("endpoints[{at}].path"),
                    &twice.path,
                    "is the path of another endpoint; give each its own",
                ));
            }
        }
        Ok(Self { issuer, tokens, jwks, introspection, events, limits, endpoints: compiled })
    }

    /// The endpoint that a `:path` belongs to: exact, without the query string.
    #[must_use]
    pub fn endpoint(&self, path: &[u8]) -> Option<&Rc<Endpoint>> {
        let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
        let path = std::str::from_utf8(path.get(..end)?).ok()?;
        self.endpoints.get(path)
    }
}

impl Endpoint {
    fn compile(endpoint: plugin::Endpoint, public_url: &str) -> Self {
        let scope = endpoint.scopes.join(" ");
        let challenge = Challenge {
            resource_metadata: &endpoint.resource_metadata,
            scope: &scope,
            error: None,
            description: None,
        };
        let scope_challenge = Challenge {
            error: Some("insufficient_scope"),
            description: Some("the token lacks a scope that this endpoint needs"),
            ..challenge
        };
        Self {
            challenge: challenge.header(),
            scope_challenge: scope_challenge.header(),
            path: endpoint.path,
            server: endpoint.server,
            resource: endpoint.resource,
            authentication: endpoint.authentication,
            scopes: endpoint.scopes,
            caller_token: endpoint.caller_token,
            foreign: endpoint.foreign.map(Foreign::compile),
            origins: Origins::compile(endpoint.origins, public_url),
            capture: endpoint.analytics.capture,
            injected: endpoint.analytics.arguments.iter().copied().map(injected).collect(),
            arguments: endpoint.analytics.arguments,
            exempt: endpoint.analytics.exempt,
            resource_metadata: endpoint.resource_metadata,
            scope,
        }
    }

    /// `WWW-Authenticate` for a token that is not valid; `description` names the kind of flaw.
    #[must_use]
    pub fn token_challenge(&self, description: &str) -> String {
        let challenge = Challenge {
            resource_metadata: &self.resource_metadata,
            scope: &self.scope,
            error: Some("invalid_token"),
            description: Some(description),
        };
        challenge.header()
    }

    /// What a server that gets our tokens says of one, with our metadata instead of its own.
    #[must_use]
    pub fn server_challenge(&self, read: &Parameters) -> String {
        let challenge = Challenge {
            resource_metadata: &self.resource_metadata,
            scope: read.get("scope").unwrap_or(&self.scope),
            error: read.get("error"),
            description: read.get("error_description"),
        };
        challenge.header()
    }

    /// Whether a tool keeps its own arguments and schema.
    #[must_use]
    pub fn exempts(&self, tool: &str) -> bool {
        self.exempt.iter().any(|exempt| exempt == tool)
    }

    /// Whether an argument is asked for, and may be captured.
    #[must_use]
    pub fn captures(&self, argument: Argument) -> bool {
        self.capture >= Capture::Intent && self.arguments.contains(&argument)
    }
}

fn injected(argument: Argument) -> Injected {
    let description = serde_json::Value::from(argument.description());
    Injected {
        name: argument.property(),
        schema: format!(r#"{{"type":"string","description":{description}}}"#),
    }
}

#[cfg(test)]
mod tests;
