//! Step 1: what the headers of a request say, before anything is held.

use std::fmt;

use attache_protocol::{
    mcp::headers::{METHOD, NAME, PROTOCOL_VERSION},
    plugin::Limits,
};
use thiserror::Error;

use crate::{config::Endpoint, refusal::Refusal};

/// Headers that matter when the body is there.
const WITH_BODY: [&str; 6] =
    [PROTOCOL_VERSION, METHOD, NAME, "content-type", "content-length", "accept-encoding"];
/// Bytes of them: a caller may open thousands of streams whose bodies never come.
pub const MOST_WAITING: usize = 8 << 10;

/// Headers as Envoy gives them: names in lower case, values any bytes.
///
/// The serialized map stays as it came, one allocation for all of it; what is known of it is where each header is.
#[derive(Clone, Default)]
pub struct Headers {
    map: Vec<u8>,
    places: Vec<Place>,
}

/// Where a header is in the map: its name, one zero byte, its value.
#[derive(Clone, Copy)]
struct Place {
    name: usize,
    value: usize,
    end: usize,
}

/// A serialized map is none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the headers that Envoy gave cannot be read")]
pub struct Unreadable;

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
    /// Reads a map as Proxy-Wasm ABI 0.2.1 serializes it: how many pairs; of each, how long its name and its value
    /// are; of each, its name and its value, with a zero byte after either. Numbers are 32 bits, little-endian.
    ///
    /// # Errors
    /// When the lengths do not fit the bytes, or a name is not ASCII.
    pub fn read(map: Vec<u8>) -> Result<Self, Unreadable> {
        if map.is_empty() {
            return Ok(Self::default());
        }
        let (count, rest) = map.split_first_chunk().ok_or(Unreadable)?;
        let count = length(*count)?;
        let sizes = count.checked_mul(8).and_then(|size| rest.get(..size)).ok_or(Unreadable)?;
        let mut places = Vec::with_capacity(count);
        let mut name = 4 + sizes.len();
        for size in sizes.chunks_exact(8) {
            let (of_name, of_value) = size.split_first_chunk().ok_or(Unreadable)?;
            let of_value = of_value.first_chunk().ok_or(Unreadable)?;
            let after = |start: usize, length| start.checked_add(length).ok_or(Unreadable);
            let value = after(after(name, length(*of_name)?)?, 1)?;
            let end = after(value, length(*of_value)?)?;
            if !map.get(name..value).is_some_and(<[u8]>::is_ascii) || end >= map.len() {
                return Err(Unreadable);
            }
            places.push(Place { name, value, end });
            name = after(end, 1)?;
        }
        Ok(Self { map, places })
    }

    fn name(&self, place: &Place) -> Option<&[u8]> {
        self.map.get(place.name..place.value)?.split_last().map(|(_zero, name)| name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| std::str::from_utf8(self.name(place)?).ok())
    }

    /// A header that ought to occur once.
    #[must_use]
    pub fn field<'a>(&'a self, name: &str) -> Field<'a> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Field::Absent,
            (Some(value), None) => Field::Once(value),
            (Some(_), Some(_)) => Field::Several,
        }
    }

    /// The first value of a header, for what nothing depends on.
    #[must_use]
    pub fn first<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Every value of a header.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.places
            .iter()
            .filter(move |place| self.name(place) == Some(name.as_bytes()))
            .filter_map(|place| self.map.get(place.value..place.end))
    }

    /// Names with an underscore: some servers take it for a hyphen, and then a caller could bring a header that is
    /// ours to set. `Mcp-Param-*` mirrors names of arguments, which have underscores (2026-07-28).
    pub fn confusable(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| is_confusable(name))
    }

    /// Those alone that matter when the body is there.
    #[must_use]
    pub fn with_body(&self) -> Self {
        let mut kept = Self::default();
        for place in &self.places {
            let name = self.name(place).and_then(|name| std::str::from_utf8(name).ok());
            let Some(name) = name else { continue };
            if !WITH_BODY.contains(&name) && !is_confusable(name) {
                continue;
            }
            let at = kept.map.len();
            kept.map.extend_from_slice(self.map.get(place.name..=place.end).unwrap_or_default());
            kept.places.push(Place {
                name: at,
                value: at + (place.value - place.name),
                end: at + (place.end - place.name),
            });
        }
        kept.map.shrink_to_fit();
        kept.places.shrink_to_fit();
        kept
    }

    /// Bytes that they take.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.map.len() + self.places.len() * size_of::<Place>()
    }

    /// `:status` of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.first(":status")?).ok()?.parse().ok()
    }
}

fn is_confusable(name: &str) -> bool {
    name.contains('_') && !name.starts_with("mcp-param-")
}

fn length(bytes: [u8; 4]) -> Result<usize, Unreadable> {
    usize::try_from(u32::from_le_bytes(bytes)).ok().ok_or(Unreadable)
}

impl fmt::Debug for Headers {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.names()).finish()
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

/// Whether a `Content-Type` names another charset than UTF-8, the only one of JSON (RFC 8259 section 8.1). A server
/// that believed it, as some believe UTF-7, would read another message than we did. Quotes are not looked at: what
/// any reader could take for the parameter counts.
#[must_use]
pub fn names_foreign_charset(media_type: &[u8]) -> bool {
    media_type.split(|byte| *byte == b';').skip(1).any(|parameter| {
        let mut halves = parameter.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let value = halves.next().unwrap_or_default().trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        // `charset*` as well (RFC 8187).
        name.starts_with(b"charset")
            && ![&b"utf-8"[..], b"utf8"].iter().any(|utf8| value.eq_ignore_ascii_case(utf8))
    })
}

/// A `Content-Length`.
#[must_use]
pub fn read_length(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
