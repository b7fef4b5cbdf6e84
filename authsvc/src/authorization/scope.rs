//! What a client gets of the scopes that it asks for.

use crate::config::Server;

/// A refresh token is wanted (OpenID Connect Core section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The granted scopes, in a fixed order and each once.
///
/// Unknown ones are dropped rather than refused: clients ask for whatever they have seen in some metadata, and
/// the answer says what was granted (RFC 6749 section 3.3). Without a scope of the servers there would be a
/// token that opens nothing, so these get the default set; `offline_access` comes only when asked for.
#[must_use]
pub fn narrow(servers: &[&Server], asked: Option<&str>) -> Vec<String> {
    let asked: Vec<&str> =
        asked.unwrap_or_default().split(' ').filter(|one| !one.is_empty()).collect();
    let known = union(servers);
    let mut granted: Vec<String> =
        known.iter().filter(|scope| asked.contains(&scope.as_str())).cloned().collect();
    if granted.is_empty() {
        granted = known;
    }
    if asked.contains(&OFFLINE_ACCESS) && !granted.iter().any(|scope| scope == OFFLINE_ACCESS) {
        granted.push(OFFLINE_ACCESS.to_owned());
    }
    granted
}

/// A scope that none of the servers has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// As it was asked for.
    pub unknown: String,
    /// What there is.
    pub known: String,
}

/// The scopes asked for, in a fixed order and each once; none: all of the servers'. For those who can be told.
///
/// # Errors
/// [`Unknown`] when there is no such scope.
pub fn exactly(servers: &[&Server], asked: &[String]) -> Result<Vec<String>, Unknown> {
    let known = union(servers);
    match asked.iter().find(|scope| !known.contains(scope)) {
        Some(unknown) => Err(Unknown { unknown: unknown.clone(), known: known.join(", ") }),
        None if asked.is_empty() => Ok(known),
        None => Ok(known.into_iter().filter(|scope| asked.contains(scope)).collect()),
    }
}

fn union(servers: &[&Server]) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in servers.iter().flat_map(|server| &server.scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}
