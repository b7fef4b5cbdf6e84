//! What a configuration must fulfil beyond its types.

use attache_protocol::{
    json::MAX_DEPTH,
    plugin::{
        Authentication, ClaimNames, Endpoint, Events, ForeignTokens, Introspection, Jwks, Limits,
        Plugin, Target, Tokens,
    },
    secret::Secret,
};

use super::ConfigError;

type Checked = Result<(), ConfigError>;

pub(super) fn error(path: String, value: &str, wish: &'static str) -> ConfigError {
    ConfigError::Value { path, value: format!("`{value}`"), wish }
}

pub(super) fn plugin(plugin: &Plugin) -> Checked {
    url("public_url".to_owned(), &plugin.public_url)?;
    if plugin.public_url.ends_with('/') {
        return Err(error(
            "public_url".to_owned(),
            &plugin.public_url,
            "ends in a slash; write the origin alone",
        ));
    }
    url("issuer".to_owned(), &plugin.issuer)?;
    if let Tokens::Foreign(tokens) = &plugin.tokens {
        foreign_tokens(tokens)?;
    }
    jwks(&plugin.jwks)?;
    if let Some(asking) = &plugin.introspection {
        introspection(asking)?;
    }
    events(&plugin.events)?;
    limits(&plugin.limits)?;
    if plugin.endpoints.is_empty() {
        return Err(error("endpoints".to_owned(), "[]", "is empty; configure a server"));
    }
    Ok(())
}

fn foreign_tokens(tokens: &ForeignTokens) -> Checked {
    let wish = "must be one or more visible ASCII characters";
    let ClaimNames { groups, email, scope } = &tokens.claims;
    let names = scope.iter().chain([groups, email]).map(|name| ("tokens.foreign.claims", name));
    let audiences = tokens.audiences.iter().map(|one| ("tokens.foreign.audiences", one));
    match names.chain(audiences).find(|(_, name)| !is_visible(name)) {
        Some((path, name)) => Err(error(path.to_owned(), name, wish)),
        None => Ok(()),
    }
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn jwks(jwks: &Jwks) -> Checked {
    target("jwks.target", &jwks.target)?;
    positive("jwks.refresh_seconds", jwks.refresh_seconds)?;
    positive("jwks.unknown_kid_seconds", jwks.unknown_kid_seconds)?;
    if jwks.stale_seconds < jwks.refresh_seconds {
        return Err(error(
            "jwks.stale_seconds".to_owned(),
            &jwks.stale_seconds.to_string(),
            "is less than `jwks.refresh_seconds`; keys must outlive their refresh",
        ));
    }
    Ok(())
}

fn introspection(introspection: &Introspection) -> Checked {
    target("introspection.target", &introspection.target)?;
    secret("introspection.secret", &introspection.secret)?;
    positive("introspection.good_seconds", introspection.good_seconds)?;
    positive("introspection.bad_seconds", introspection.bad_seconds)
}

fn secret(path: &str, secret: &Secret) -> Checked {
    if !is_visible(secret.reveal()) {
        return Err(error(
            path.to_owned(),
            "[redacted]",
            "must be one or more visible ASCII characters",
        ));
    }
    Ok(())
}

fn events(events: &Events) -> Checked {
    target("events.target", &events.target)?;
    secret("events.secret", &events.secret)?;
    positive("events.max_events", events.max_events as u64)?;
    positive("events.max_bytes", events.max_bytes as u64)?;
    positive("events.batch", events.batch as u64)?;
    positive("events.flush_ms", events.flush_ms)
}

fn limits(limits: &Limits) -> Checked {
    positive("limits.max_body", limits.max_body as u64)?;
    positive("limits.max_list", limits.max_list as u64)?;
    positive("limits.max_depth", limits.max_depth as u64)?;
    if limits.max_depth > MAX_DEPTH {
        return Err(error(
            "limits.max_depth".to_owned(),
            &limits.max_depth.to_string(),
            "is deeper than any message needs; use 128 or less",
        ));
    }
    Ok(())
}

pub(super) fn endpoint(at: usize, endpoint: &Endpoint) -> Checked {
    let field = |name: &str| format!("endpoints[{at}].{name}");
    let path = &endpoint.path;
    let clean = path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !clean {
        return Err(error(
            field("path"),
            path,
            "must begin with `/` and have no query, fragment or space",
        ));
    }
    if endpoint.server.is_empty() {
        return Err(error(field("server"), "", "is empty; name the server"));
    }
    url(field("resource"), &endpoint.resource)?;
    url(field("resource_metadata"), &endpoint.resource_metadata)?;
    for (index, scope) in endpoint.scopes.iter().enumerate() {
        // RFC 6749 section 3.3, `scope-token`.
        let token = !scope.is_empty()
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
        if !token {
            return Err(error(
                field(&format!("scopes[{index}]")),
                scope,
                "must be visible ASCII without spaces, quotes or backslashes",
            ));
        }
    }
    foreign(&field("foreign.schemes"), endpoint)?;
    let arguments = &endpoint.analytics.arguments;
    for (index, argument) in arguments.iter().enumerate() {
        if arguments.iter().take(index).any(|before| before == argument) {
            return Err(error(
                field(&format!("analytics.arguments[{index}]")),
                argument.property(),
                "is listed twice; list it once",
            ));
        }
    }
    Ok(())
}

/// Where we check bearers, none of them is another's to check.
fn foreign(path: &str, endpoint: &Endpoint) -> Checked {
    let schemes = endpoint.foreign.iter().flat_map(|foreign| &foreign.schemes).enumerate();
    for (index, scheme) in schemes {
        let token = !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !token {
            let wish = "must be the name of an authentication scheme";
            return Err(error(format!("{path}[{index}]"), scheme, wish));
        }
        if scheme.eq_ignore_ascii_case("bearer") && endpoint.authentication != Authentication::None
        {
            let wish = "is checked here; list it only where `authentication` is `none`";
            return Err(error(format!("{path}[{index}]"), scheme, wish));
        }
    }
    Ok(())
}

fn target(path: &str, target: &Target) -> Checked {
    if target.cluster.is_empty() {
        return Err(error(format!("{path}.cluster"), "", "is empty; name an Envoy cluster"));
    }
    if target.authority.is_empty() {
        return Err(error(format!("{path}.authority"), "", "is empty; write host and port"));
    }
    if !target.path.starts_with('/') {
        return Err(error(format!("{path}.path"), &target.path, "must begin with `/`"));
    }
    positive(&format!("{path}.timeout_ms"), target.timeout_ms)
}

fn url(path: String, url: &str) -> Checked {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let clean = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    if clean {
        return Ok(());
    }
    Err(error(path, url, "must be an absolute http or https URL in ASCII"))
}

fn positive(path: &str, value: u64) -> Checked {
    if value > 0 {
        return Ok(());
    }
    Err(error(path.to_owned(), "0", "must be at least 1"))
}
