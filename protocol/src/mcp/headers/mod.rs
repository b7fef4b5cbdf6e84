//! Headers that mirror the body (2026-07-28, Streamable HTTP, "Standard Request Headers").

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

use crate::mcp::method::Method;

/// Revision of the message.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// Session (legacy eras).
pub const SESSION_ID: &str = "mcp-session-id";
/// Mirrors `method`.
pub const METHOD: &str = "mcp-method";
/// Mirrors `params.name` or `params.uri`.
pub const NAME: &str = "mcp-name";

/// -32020: a header does not say what the body says.
pub const HEADER_MISMATCH: i64 = -32020;

/// A header that contradicts its body.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum Mismatch {
    /// Required, and absent.
    #[error("the header `{0}` is required")]
    Missing(&'static str),
    /// Present, and another value.
    #[error("the header `{0}` does not match the body")]
    Differs(&'static str),
    /// Not ASCII, or a base64 sentinel around something else.
    #[error("the header `{0}` is not well-formed")]
    Malformed(&'static str),
}

/// What the headers of a modern request say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mirrored<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a [u8]>,
    /// `Mcp-Method`.
    pub method: Option<&'a [u8]>,
    /// `Mcp-Name`.
    pub name: Option<&'a [u8]>,
}

/// What the body of a modern request says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// `method`.
    pub method: &'a str,
    /// What the method names, when it names something.
    pub name: Option<&'a str>,
}

impl Mirrored<'_> {
    /// Compares the revision that header and body name: before it is known, nothing else is.
    ///
    /// # Errors
    /// When the header is missing, malformed or different.
    pub fn agree_on_version(&self, version: &str) -> Result<(), Mismatch> {
        same(PROTOCOL_VERSION, self.version, version)
    }

    /// Compares the other headers and the body; required is the method, and the name where there is one.
    ///
    /// # Errors
    /// The first header that is missing, malformed or different.
    pub fn agree(&self, said: &Said<'_>) -> Result<(), Mismatch> {
        same(METHOD, self.method, said.method)?;
        let mirrored = Method::of(said.method).is_mirrored();
        match (self.name, said.name.filter(|_| mirrored)) {
            (header, Some(name)) => same(NAME, header, name),
            (Some(_), None) if mirrored => Err(Mismatch::Differs(NAME)),
            // An extension may mirror a name that only its server knows where to find.
            (_, None) => Ok(()),
        }
    }
}

fn same(header: &'static str, value: Option<&[u8]>, said: &str) -> Result<(), Mismatch> {
    let value = value.ok_or(Mismatch::Missing(header))?;
    let value = if header == NAME { decode(value) } else { plain(value) };
    let value = value.ok_or(Mismatch::Malformed(header))?;
    if value == said { Ok(()) } else { Err(Mismatch::Differs(header)) }
}

fn plain(value: &[u8]) -> Option<Cow<'_, str>> {
    let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
    Some(Cow::Borrowed(value.trim_matches([' ', '\t'])))
}

/// A header value, out of its `=?base64?…?=` sentinel if it is in one (SEP-2243); the markers are
/// case-sensitive, and a value with only one of them is literal.
#[must_use]
pub fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let value = plain(value)?;
    let inner = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(inner) = inner else {
        return Some(value);
    };
    let bytes = STANDARD.decode(inner).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
