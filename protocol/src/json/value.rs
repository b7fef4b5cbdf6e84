//! A view of one value in a text that has been checked.

use std::{borrow::Cow, ops::Range};

use thiserror::Error;

use super::scan;

/// One value: where it is in the text, and the text.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number of any size.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

/// A member that two parsers could read differently: it occurs twice, or in other letter case.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
#[error(
    "the member `{name}` occurs twice or in other letter case; send it once, as it is spelled here"
)]
pub struct Duplicate {
    /// Its name.
    pub name: &'static str,
}

impl<'a> Value<'a> {
    pub(super) const fn new(text: &'a str, span: Range<usize>) -> Self {
        Self { text, start: span.start, end: span.end }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.text.as_bytes().get(self.start) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Its bytes, as they are.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Where it is in the whole text, bytes.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text of a string, unescaped; `None` for anything else, and for a string with a lone surrogate.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let inner = self.text.get(self.start + 1..self.end.saturating_sub(1))?;
        if inner.contains('\\') {
            return serde_json::from_str::<String>(self.raw()).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// An integer that fits; `None` for anything else.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// `true` or `false`; `None` for anything else.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The members of an object, in order; none for anything else.
    #[must_use]
    pub fn members(&self) -> Members<'a> {
        let at = if self.kind() == Kind::Object { self.start + 1 } else { self.end };
        Members { text: self.text, at }
    }

    /// The elements of an array, in order; none for anything else.
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        let at = if self.kind() == Kind::Array { self.start + 1 } else { self.end };
        Elements { text: self.text, at }
    }

    /// The first member called `name`, for reading what nothing depends on.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<Self> {
        self.members().find(|member| member.is(name)).map(|member| member.value)
    }

    /// The one member called `name`, for reading what a decision depends on.
    ///
    /// # Errors
    /// When there are two: another parser might take the other.
    pub fn unique(&self, name: &'static str) -> Result<Option<Self>, Duplicate> {
        let mut found = None;
        for member in self.members().filter(|member| member.is(name)) {
            if found.is_some() {
                return Err(Duplicate { name });
            }
            found = Some(member.value);
        }
        Ok(found)
    }

    /// Offset behind the opening bracket of an object or array.
    pub(super) const fn inside(&self) -> usize {
        self.start + 1
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name, a string value.
    pub key: Value<'a>,
    /// Its value.
    pub value: Value<'a>,
}

impl Member<'_> {
    /// Whether it is called `name`, however that is escaped.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let raw = self.key.raw();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        if inner.contains('\\') {
            return self.key.as_str().is_some_and(|key| key == name);
        }
        inner == name
    }
}

/// Whether a parser that ignores case would take `key` for `name`, although it is spelled otherwise.
///
/// Go's `encoding/json` folds letters, the long s and the Kelvin sign among them.
pub(crate) fn is_lookalike(key: &str, name: &str) -> bool {
    let fold = |letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => char::to_ascii_lowercase(&letter),
    };
    key != name && key.chars().map(fold).eq(name.chars().map(fold))
}

/// The members of an object, in order.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let key = next_item(bytes, self.at)?;
        if bytes.get(key) != Some(&b'"') {
            return None;
        }
        let key_end = scan::skip_string(bytes, key);
        let colon = scan::white_space(bytes, key_end);
        let value = scan::white_space(bytes, colon + 1);
        let end = scan::skip_value(bytes, value);
        self.at = end;
        Some(Member {
            key: Value::new(self.text, key..key_end),
            value: Value::new(self.text, value..end),
        })
    }
}

/// The elements of an array, in order.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let bytes = self.text.as_bytes();
        let start = next_item(bytes, self.at)?;
        if matches!(bytes.get(start), None | Some(b']' | b'}')) {
            return None;
        }
        let end = scan::skip_value(bytes, start);
        self.at = end;
        Some(Value::new(self.text, start..end))
    }
}

/// Where the next item of a container begins: behind white space and at most one comma.
fn next_item(bytes: &[u8], at: usize) -> Option<usize> {
    let at = scan::white_space(bytes, at);
    let at = if bytes.get(at) == Some(&b',') { scan::white_space(bytes, at + 1) } else { at };
    (at < bytes.len()).then_some(at)
}
