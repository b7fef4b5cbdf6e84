//! The filter's own configuration.

use attache_protocol::plugin::{
    Authentication, Endpoint, Events, Introspection, Jwks, Limits, Opaque, Origins, Plugin, Target,
    Tokens,
};

use super::clusters;
use crate::{
    config::{Config, Mode, OpaqueTokens, PersonalTokens, Server},
    discovery::JWKS_MAX_AGE,
};

/// Depth of JSON that no tool needs.
const MAX_DEPTH: usize = 128;

/// What the filter is told.
#[must_use]
pub fn plugin(config: &Config) -> Plugin {
    Plugin {
        public_url: config.public_url.as_str().to_owned(),
        issuer: issuer(config).to_owned(),
        tokens: match config.authorization.brokered() {
            Some(brokered) => Tokens::Foreign(brokered.foreign_tokens()),
            None => Tokens::Own,
        },
        jwks: Jwks {
            target: Target {
                cluster: clusters::AUTHSVC.to_owned(),
                authority: config.public_url.authority().to_owned(),
                path: "/oauth/jwks.json".to_owned(),
                timeout_ms: 2_000,
            },
            refresh_seconds: JWKS_MAX_AGE.unsigned_abs(),
            stale_seconds: 24 * 3600,
            unknown_kid_seconds: 10,
            wait_ms: 3_000,
        },
        introspection: introspection(config),
        events: Events {
            target: Target {
                cluster: clusters::INTERNAL.to_owned(),
                authority: config.service.internal_address.to_string(),
                path: "/internal/events".to_owned(),
                timeout_ms: 5_000,
            },
            secret: config.service.secret.clone(),
            max_events: 10_000,
            max_bytes: 16 * 1024 * 1024,
            batch: 200,
            flush_ms: 500,
        },
        limits: Limits {
            max_body: config.envoy.max_body,
            max_list: config.envoy.max_list,
            max_depth: MAX_DEPTH,
        },
        endpoints: config.servers.iter().map(|server| endpoint(config, server)).collect(),
    }
}

/// A token that is not known is asked about again soon: it may be made in the next moment.
fn introspection(config: &Config) -> Option<Introspection> {
    const UNKNOWN_SECONDS: u64 = 5;
    let (tokens, cache) = match &config.authorization.mode {
        Mode::Embedded(embedded) => match embedded.personal_tokens {
            PersonalTokens::On { cache } => (Opaque::Personal, cache),
            PersonalTokens::Off => return None,
        },
        Mode::Brokered(brokered) => match brokered.tokens.opaque {
            OpaqueTokens::Introspected { cache, .. } => (Opaque::Any, cache),
            OpaqueTokens::Refused => return None,
        },
    };
    Some(Introspection {
        target: Target {
            cluster: clusters::INTERNAL.to_owned(),
            authority: config.service.internal_address.to_string(),
            path: "/internal/introspect".to_owned(),
            timeout_ms: 2_000,
        },
        secret: config.service.secret.clone(),
        tokens,
        good_seconds: cache.as_secs().max(1),
        bad_seconds: UNKNOWN_SECONDS,
    })
}

/// `iss` of the access tokens.
fn issuer(config: &Config) -> &str {
    match &config.authorization.mode {
        Mode::Embedded(_) => config.public_url.as_str(),
        Mode::Brokered(brokered) => brokered.issuer.as_str(),
    }
}

fn endpoint(config: &Config, server: &Server) -> Endpoint {
    Endpoint {
        path: server.path.clone(),
        server: server.name.clone(),
        resource: config.public_url.url(&server.path),
        resource_metadata: config
            .public_url
            .url(&format!("/.well-known/oauth-protected-resource{}", server.path)),
        authentication: server.authentication,
        scopes: server.scopes.clone(),
        caller_token: server.caller_token,
        foreign: server.foreign.clone(),
        origins: origins(config, server),
        analytics: server.analytics.clone(),
    }
}

/// A token is no ambient authority; without one, the browser's origin is all that protects a local server from
/// any page.
fn origins(config: &Config, server: &Server) -> Origins {
    let ambient =
        server.foreign.iter().flat_map(|foreign| &foreign.schemes).any(|scheme| is_ambient(scheme));
    if server.authentication == Authentication::Required && !ambient {
        return Origins::Any;
    }
    let mut listed = vec![config.public_url.as_str().to_owned()];
    listed.extend(server.allowed_origins.iter().cloned());
    listed.dedup();
    if config.listen.ip().is_loopback() {
        Origins::ListedAndLoopback(listed)
    } else {
        Origins::Listed(listed)
    }
}

/// Whether browsers send credentials of this scheme by themselves, whichever page asks.
fn is_ambient(scheme: &str) -> bool {
    const AMBIENT: [&str; 6] = ["basic", "digest", "hoba", "mutual", "negotiate", "ntlm"];
    AMBIENT.contains(&scheme.to_ascii_lowercase().as_str())
}
