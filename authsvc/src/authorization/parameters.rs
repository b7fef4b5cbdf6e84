//! The parameters of a query or a form, decoded to bytes, so that what must be echoed can be echoed exactly.

use thiserror::Error;

/// Bytes of a query or form that are read at all.
pub const MAX_LENGTH: usize = 32 * 1024;

/// What is wrong with a parameter (RFC 6749 section 3.1).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BadParameter {
    /// It was not sent, or without a value.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It was sent more than once.
    #[error("{0} was sent more than once")]
    Repeated(&'static str),
    /// It is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotUtf8(&'static str),
    /// It is longer than it may be.
    #[error("{name} is {length} bytes, limit is {limit}")]
    TooLong {
        /// Which one.
        name: &'static str,
        /// Its length in bytes.
        length: usize,
        /// What is accepted.
        limit: usize,
    },
}

/// Decoded `application/x-www-form-urlencoded` pairs, in their order.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(Vec<u8>, Vec<u8>)>);

impl Parameters {
    /// Decodes; a broken percent sequence stands for itself, as in the URL standard.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let pairs = raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            (decode(halves.next().unwrap_or_default()), decode(halves.next().unwrap_or_default()))
        });
        Self(pairs.collect())
    }

    /// Every value of a parameter that may be repeated, the empty ones left out.
    ///
    /// # Errors
    /// When one is not UTF-8 or longer than `limit` bytes.
    pub fn texts(&self, name: &'static str, limit: usize) -> Result<Vec<String>, BadParameter> {
        self.values(name)
            .filter(|value| !value.is_empty())
            .map(|value| text(name, within(name, value, limit)?).map(str::to_owned))
            .collect()
    }

    /// The value of a parameter that may come once; sent without a value, it counts as omitted.
    ///
    /// # Errors
    /// When it is repeated, not UTF-8 or longer than `limit` bytes.
    pub fn text(&self, name: &'static str, limit: usize) -> Result<Option<&str>, BadParameter> {
        self.bytes(name, limit)?.map(|value| text(name, value)).transpose()
    }

    /// As [`Parameters::text`], of one that must come.
    ///
    /// # Errors
    /// When it is missing, repeated, not UTF-8 or longer than `limit` bytes.
    pub fn required(&self, name: &'static str, limit: usize) -> Result<&str, BadParameter> {
        self.text(name, limit)?.ok_or(BadParameter::Missing(name))
    }

    /// As [`Parameters::text`], of any bytes.
    ///
    /// # Errors
    /// When it is repeated or longer than `limit` bytes.
    pub fn bytes(&self, name: &'static str, limit: usize) -> Result<Option<&[u8]>, BadParameter> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(BadParameter::Repeated(name));
        }
        value.filter(|value| !value.is_empty()).map(|value| within(name, value, limit)).transpose()
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }
}

fn within<'a>(name: &'static str, value: &'a [u8], limit: usize) -> Result<&'a [u8], BadParameter> {
    if value.len() > limit {
        return Err(BadParameter::TooLong { name, length: value.len(), limit });
    }
    Ok(value)
}

fn text<'a>(name: &'static str, value: &'a [u8]) -> Result<&'a str, BadParameter> {
    let Ok(text) = str::from_utf8(value) else { return Err(BadParameter::NotUtf8(name)) };
    Ok(text)
}

fn decode(raw: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}
