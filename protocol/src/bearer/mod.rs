//! `Authorization` and `WWW-Authenticate` (RFC 9110 section 11, RFC 6750).

mod received;

pub use received::{Parameters, read_challenge};

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD},
    },
};
use serde::Deserialize;

/// As servers read it: with its padding, or without.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an `Authorization` header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authorization<'a> {
    /// A bearer token of the right form; nothing else is known of it.
    Bearer(&'a str),
    /// Another scheme.
    Foreign,
    /// The bearer scheme without one well-formed token.
    Malformed,
}

/// Every `iss` of a JWT in an `Authorization` header of any scheme, as it is written, wherever it stands in the value:
/// nothing is verified.
#[must_use]
pub fn unverified_issuers(value: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let issuer = |part: &[u8]| {
        let part = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Issued>(&part).ok().map(|issued| issued.iss)
    };
    laid_open(value).split(|byte| !letter(*byte)).filter_map(issuer).collect()
}

/// What a credential carries: itself and, of `Basic` (RFC 7617), user and password as well.
#[must_use]
pub fn laid_open(value: &[u8]) -> Cow<'_, [u8]> {
    let scheme = scheme(value);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Cow::Borrowed(value);
    }
    let coded = value.trim_ascii().get(scheme.len()..).unwrap_or_default().trim_ascii();
    match BASIC.decode(coded) {
        Ok(plain) => Cow::Owned([value, b" ", &plain].concat()),
        Err(_) => Cow::Borrowed(value),
    }
}

/// The scheme of an `Authorization` header.
#[must_use]
pub fn scheme(value: &[u8]) -> &[u8] {
    value.trim_ascii().split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Reads the value of an `Authorization` header; the scheme is case-insensitive (RFC 9110 section 11.1).
#[must_use]
pub fn parse(value: &[u8]) -> Authorization<'_> {
    let value = value.trim_ascii();
    let space = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, token) = value.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Authorization::Foreign;
    }
    match std::str::from_utf8(token.trim_ascii()) {
        Ok(token) if is_b64token(token) => Authorization::Bearer(token),
        _ => Authorization::Malformed,
    }
}

/// `b64token` of RFC 6750 section 2.1.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

/// A challenge of the bearer scheme (RFC 6750 section 3, RFC 9728 section 5.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Challenge<'a> {
    /// URL of the Protected Resource Metadata.
    pub resource_metadata: &'a str,
    /// Scopes that the operation needs, separated by spaces; empty is left out.
    pub scope: &'a str,
    /// `invalid_token` or `insufficient_scope`; none when no token was sent (RFC 6750 section 3.1).
    pub error: Option<&'a str>,
    /// For people.
    pub description: Option<&'a str>,
}

impl Challenge<'_> {
    /// The value of the `WWW-Authenticate` header.
    #[must_use]
    pub fn header(&self) -> String {
        let mut out = String::from("Bearer resource_metadata=");
        quote(&mut out, self.resource_metadata);
        if !self.scope.is_empty() {
            parameter(&mut out, "scope", self.scope);
        }
        if let Some(error) = self.error {
            parameter(&mut out, "error", error);
        }
        if let Some(description) = self.description {
            parameter(&mut out, "error_description", description);
        }
        out
    }
}

fn parameter(out: &mut String, name: &str, value: &str) {
    out.push_str(", ");
    out.push_str(name);
    out.push('=');
    quote(out, value);
}

/// A quoted-string (RFC 9110 section 5.6.4); what may not stand in one becomes a space.
fn quote(out: &mut String, value: &str) {
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            ' '..='~' => out.push(letter),
            _ => out.push(' '),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
