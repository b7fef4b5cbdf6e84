//! An ordered tree that becomes YAML: keys stay where they are put, and the serializer quotes what needs it.

use serde::{Serialize, Serializer, ser::Error as _};

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Flag(bool),
    Number(u64),
    Fraction(f64),
    Text(String),
    List(Vec<Self>),
    Section(Vec<(String, Self)>),
}

/// `section! { "key" => value, ... }`
macro_rules! section {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::render::tree::Tree::Section(vec![
            $((::std::string::String::from($key), $crate::render::tree::Tree::from($value))),*
        ])
    };
}

/// `list![value, ...]`
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::render::tree::Tree::List(vec![$($crate::render::tree::Tree::from($value)),*])
    };
}

pub(super) use {list, section};

impl Tree {
    /// A typed extension configuration: `@type` and what belongs to it.
    pub(super) fn typed(name: &str, content: Self) -> Self {
        let mut entries =
            vec![("@type".to_owned(), Self::Text(format!("type.googleapis.com/{name}")))];
        if let Self::Section(rest) = content {
            entries.extend(rest);
        }
        Self::Section(entries)
    }

    /// This section and one more key.
    pub(super) fn and(mut self, key: &str, value: impl Into<Self>) -> Self {
        if let Self::Section(entries) = &mut self {
            entries.push((key.to_owned(), value.into()));
        }
        self
    }
}

impl From<bool> for Tree {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u32> for Tree {
    fn from(number: u32) -> Self {
        Self::Number(u64::from(number))
    }
}

impl From<u64> for Tree {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Tree {
    fn from(number: f64) -> Self {
        Self::Fraction(number)
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Self>> for Tree {
    fn from(list: Vec<Self>) -> Self {
        Self::List(list)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Fraction(number) => serializer.serialize_f64(*number),
            // Envoy's YAML reader and others disagree on what ends a line.
            Self::Text(text) if text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\0']) => {
                Err(S::Error::custom("a text has a control character that cannot be rendered"))
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Section(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}
