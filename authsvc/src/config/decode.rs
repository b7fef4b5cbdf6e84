//! From the tree to the mirror of the file: what does not fit is reported and left out, and reading goes on, so
//! that one look at a file finds all that is wrong with it.

use std::fmt;

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    document::{Content, Node, Path, Step},
    mistake::{Mistake, Mistakes, Shown},
};

/// Distance up to which a known key is what was meant.
const NEAR: usize = 3;

/// Reads the mirror; every node that does not fit becomes a mistake and is left out.
pub(super) fn decode<T: DeserializeOwned>(root: &mut Node, mistakes: &mut Mistakes) -> Option<T> {
    let mut blanked = Vec::new();
    loop {
        let misfit = match T::deserialize(&*root) {
            Ok(file) => return Some(file),
            Err(misfit) => misfit,
        };
        let (path, reason) = match &misfit.kind {
            Kind::Unknown { key, known } => (misfit.path.key(key), unknown(key, known)),
            Kind::Shape(reason) => (misfit.path.clone(), reason.clone()),
        };
        mistakes.add(Mistake { path, ..Mistake::of_file(reason) }.located(root, Shown::Nothing));
        match misfit.kind {
            Kind::Unknown { key, .. } => root.remove(&misfit.path, &key),
            // The root itself, or a node that does not even fit when it is empty.
            Kind::Shape(_) if misfit.path.is_root() || blanked.contains(&misfit.path) => {
                return None;
            }
            Kind::Shape(_) => {
                root.blank(&misfit.path);
                blanked.push(misfit.path);
            }
        }
    }
}

/// Names the nearest key, or all of them.
fn unknown(key: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .filter(|(distance, name)| *distance <= NEAR.min(name.len() / 2))
        .min();
    let known = known.join(", ");
    match nearest {
        Some((_, name)) => format!("unknown key, did you mean `{name}`? (known here: {known})"),
        None if key.contains('=') => {
            format!(
                "unknown key; a value with commas inside {{...}} must be in quotes (known here: {known})"
            )
        }
        None => format!("unknown key (known here: {known})"),
    }
}

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    path: Path,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unknown { key: String, known: &'static [&'static str] },
    Shape(String),
}

impl Misfit {
    fn shape(node: &Node, expected: &str) -> Self {
        let found = match node.content {
            Content::Nothing => "nothing",
            Content::Text { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Section(_) => "a section of keys",
        };
        let reason = format!("{expected} is expected here, this is {found}");
        Self { path: Path::default(), kind: Kind::Shape(reason) }
    }

    fn below(mut self, step: Step) -> Self {
        self.path = self.path.below(step);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unknown { key, .. } => write!(formatter, "{}: unknown key {key}", self.path),
            Kind::Shape(reason) => write!(formatter, "{}: {reason}", self.path),
        }
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: Path::default(), kind: Kind::Shape(message.to_string()) }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            path: Path::default(),
            kind: Kind::Unknown { key: field.to_owned(), known: expected },
        }
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.content {
            Content::Nothing => visitor.visit_unit(),
            Content::Text { value, .. } => visitor.visit_str(value),
            Content::List(_) => self.deserialize_seq(visitor),
            Content::Section(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.content {
            Content::Nothing => visitor.visit_none(),
            Content::Text { .. } | Content::List(_) | Content::Section(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.content {
            Content::Text { value, .. } => visitor.visit_str(value),
            Content::Nothing | Content::List(_) | Content::Section(_) => {
                Err(Misfit::shape(self, "a single value"))
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Content::List(items) = &self.content else {
            return Err(Misfit::shape(self, "a list"));
        };
        visitor.visit_seq(Items { items: items.iter().enumerate() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Content::Section(entries) = &self.content else {
            return Err(Misfit::shape(self, "a section of keys"));
        };
        visitor.visit_map(Entries { entries: entries.iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((at, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|misfit| misfit.below(Step::Item(at)))
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (String, Node)>,
    value: Option<&'de (String, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        let key: StrDeserializer<'_, Misfit> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some((key, node)) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(node).map_err(|misfit| misfit.below(Step::Key(key.clone())))
    }
}
