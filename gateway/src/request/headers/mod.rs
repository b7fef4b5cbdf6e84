//! Step 1: what the headers of a request say, before anything is held.

use std::fmt;

use attache_protocol::plugin::Limits;

use crate::{config::Endpoint, refusal::Refusal};

/// Headers as Envoy gives them: names in lower case, values any bytes.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// A header that ought to occur once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field<'a> {
    /// Not there.
    Absent,
    /// There.
    Once(&'a [u8]),
    /// There several times: two readers could take different ones.
    Several,
}

/// HTTP methods of an MCP endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// One message, or a batch.
    Post,
    /// The stream of a session (legacy eras).
    Get,
    /// The end of a session (legacy eras).
    Delete,
}

impl Headers {
    /// Takes the pairs as they are.
    #[must_use]
    pub const fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    /// A header that ought to occur once.
    #[must_use]
    pub fn field(&self, name: &str) -> Field<'_> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (None, _) => Field::Absent,
            (Some((_, value)), None) => Field::Once(value),
            (Some(_), Some(_)) => Field::Several,
        }
    }

    /// The first value of a header, for what nothing depends on.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Names with an underscore: some servers take it for a hyphen, and then a caller could bring a header that is
    /// ours to set. `Mcp-Param-*` mirrors names of arguments, which have underscores (2026-07-28).
    pub fn confusable(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        names.filter(|name| name.contains('_') && !name.starts_with("mcp-param-"))
    }

    /// `:status` of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.first(":status")?).ok()?.parse().ok()
    }
}

impl fmt::Debug for Headers {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<'a> Field<'a> {
    /// The value, when there is exactly one.
    #[must_use]
    pub const fn once(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Several => None,
        }
    }
}

impl Verb {
    /// As HTTP writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a method; names are case-sensitive (RFC 9110 section 9.1).
    ///
    /// # Errors
    /// Every other method.
    pub fn read(headers: &Headers) -> Result<Self, Refusal> {
        match headers.field(":method") {
            Field::Once(b"POST") => Ok(Self::Post),
            Field::Once(b"GET") => Ok(Self::Get),
            Field::Once(b"DELETE") => Ok(Self::Delete),
            Field::Once(_) | Field::Absent | Field::Several => Err(Refusal::Method),
        }
    }
}

/// Checks whether the page that asks may.
///
/// # Errors
/// An origin that is not allowed.
pub fn check_origin(endpoint: &Endpoint, headers: &Headers) -> Result<(), Refusal> {
    match headers.field("origin") {
        Field::Absent => Ok(()),
        Field::Once(origin) if endpoint.origins.allow(origin) => Ok(()),
        Field::Once(_) | Field::Several => Err(Refusal::ForeignOrigin),
    }
}

/// Checks what the headers say of a message's body. After the token: a client that has none yet is told where
/// to get one, whatever it sends.
///
/// # Errors
/// The first header that stands in the way.
pub fn check_body(headers: &Headers, limits: &Limits) -> Result<(), Refusal> {
    match headers.field("content-encoding") {
        Field::Absent => {}
        Field::Once(encoding) if is_identity(encoding) => {}
        Field::Once(_) | Field::Several => return Err(Refusal::ContentEncoding),
    }
    let Field::Once(media_type) = headers.field("content-type") else {
        return Err(Refusal::ContentType);
    };
    if !is_media_type(media_type, "application/json") {
        return Err(Refusal::ContentType);
    }
    let declared = headers.field("content-length").once().and_then(read_length);
    if declared.is_some_and(|declared| declared > limits.max_body as u64) {
        return Err(Refusal::BodyTooLarge(limits.max_body));
    }
    Ok(())
}

/// Whether a `Content-Encoding` means that there is none.
#[must_use]
pub fn is_identity(encoding: &[u8]) -> bool {
    let encoding = encoding.trim_ascii();
    encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
}

/// Whether a `Content-Type` is of this type, with any parameters (RFC 9110 section 8.3).
#[must_use]
pub fn is_media_type(value: &[u8], wanted: &str) -> bool {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let essence = value.get(..end).unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(wanted.as_bytes())
}

/// A `Content-Length`.
#[must_use]
pub fn read_length(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
