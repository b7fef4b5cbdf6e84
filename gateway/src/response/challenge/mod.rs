//! Where a server may send callers: what becomes of its challenges.
//!
//! A client goes wherever the challenge of an endpoint sends it, with its user, to log in, and some take along the
//! refresh token that they have for this endpoint. So where tokens are ours a challenge says the same as our own; for a
//! server with an authorization server of its own it is written anew from what can be trusted of it. Nothing of it is
//! remembered: each answer is judged by itself.

use attache_protocol::{
    bearer::{self, Challenge},
    plugin::{Authentication, CallerToken},
};

use crate::{
    config::{Endpoint, Origins, foreign::Challenges},
    request::headers::Headers,
};

/// The longest URL that is passed on, bytes.
const LONGEST_URL: usize = 2048;
/// Names that mean something else on each network, or nothing at all (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
const LOCAL: [&str; 14] = [
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

/// What is done to `WWW-Authenticate` of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rewritten {
    /// Nothing.
    Kept,
    /// It goes.
    Removed,
    /// This stands in its place.
    Replaced(String),
}

/// Decides on the challenges in an answer of the server.
#[must_use]
pub fn rewrite(endpoint: &Endpoint, status: u16, headers: &Headers) -> Rewritten {
    let Some(foreign) = &endpoint.foreign else {
        return match endpoint.authentication {
            // Nobody has a token of ours for it, and clients know that it is not for us to vouch for.
            Authentication::None => Rewritten::Kept,
            Authentication::Required | Authentication::Optional => {
                behind_us(endpoint, status, headers)
            }
        };
    };
    match (status, &foreign.challenges) {
        (401, Challenges::Ours) => Rewritten::Replaced(endpoint.challenge.clone()),
        (401 | 403, Challenges::Theirs(origins)) => {
            let challenge =
                headers.all("www-authenticate").find_map(|value| theirs(value, origins));
            match (challenge, status) {
                (Some(challenge), _) => Rewritten::Replaced(challenge),
                // A 401 has one (RFC 9110 section 15.5.2), if only to say that there is nothing to say.
                (None, 401) => Rewritten::Replaced("Bearer".to_owned()),
                (None, _) => Rewritten::Removed,
            }
        }
        (403, Challenges::Ours) => Rewritten::Removed,
        _ => Rewritten::Kept,
    }
}

/// A server whose callers we have checked sends nobody elsewhere. One that gets their tokens may say what is wrong with
/// them, and which scopes it wants.
fn behind_us(endpoint: &Endpoint, status: u16, headers: &Headers) -> Rewritten {
    let mut challenges = headers.all("www-authenticate").peekable();
    if !matches!(status, 401 | 403) || challenges.peek().is_none() {
        return Rewritten::Kept;
    }
    let heard = endpoint.caller_token == CallerToken::Forwarded;
    let read = challenges.filter(|_| heard).find_map(bearer::read_challenge);
    match (read, status) {
        (Some(read), _) => Rewritten::Replaced(endpoint.server_challenge(&read)),
        (None, 401) => Rewritten::Replaced(endpoint.challenge.clone()),
        (None, _) => Rewritten::Removed,
    }
}

/// A challenge of the server, written anew; none where it cannot be read or leads where nobody should go.
fn theirs(value: &[u8], origins: &Origins) -> Option<String> {
    let read = bearer::read_challenge(value)?;
    let challenge = Challenge {
        resource_metadata: read.get("resource_metadata").filter(|url| leads_out(url, origins))?,
        scope: read.get("scope").unwrap_or_default(),
        error: read.get("error"),
        description: read.get("error_description"),
    };
    Some(challenge.header())
}

/// Whether a client may be sent to this URL.
fn leads_out(url: &str, origins: &Origins) -> bool {
    let Some((origin, host)) = split(url) else {
        return false;
    };
    match origins {
        Origins::Any => url.starts_with("https://") && is_public(host),
        Origins::Listed(_) | Origins::ListedAndLoopback(_) => origins.allow(origin.as_bytes()),
    }
}

/// Origin and host of a URL that every reader of URLs reads alike: nothing in it that some of them forgive.
fn split(url: &str) -> Option<(&str, &str)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?&=%+,;@!$'()*".contains(&byte);
    if url.len() > LONGEST_URL || !url.bytes().all(plain) {
        return None;
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme))?;
    let rest = url.strip_prefix(scheme)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        });
    let is_port = port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_host && is_port).then_some((url.get(..scheme.len() + end)?, host))
}

/// A name in the public DNS. Never an address: who means one can list its origin.
fn is_public(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let fits = |label: &&str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A last label with a digit in front makes the name a number to some (`1.2.3.4`, `0x7f.1`).
    let last = labels.last().copied().unwrap_or_default();
    let named = last.len() >= 2 && last.starts_with(|letter: char| letter.is_ascii_lowercase());
    labels.len() >= 2
        && host.len() <= 253
        && labels.iter().all(fits)
        && named
        && !LOCAL.contains(&last)
}

#[cfg(test)]
mod tests;
