//! What is wrong with a configuration: where, what, and what is allowed instead.

use std::fmt;

use super::document::{Content, Node, Path};

/// Longest value that a message shows, characters.
const SHOWN: usize = 80;

/// One mistake, or one warning.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// Where in the file; the root for the file itself.
    pub path: Path,
    /// Line, from 1.
    pub line: Option<usize>,
    /// The bad value as the file has it; never that of a secret, never one out of the environment.
    pub value: Option<String>,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

impl Mistake {
    /// A mistake of the file as a whole.
    pub(super) fn of_file(reason: String) -> Self {
        Self { path: Path::default(), line: None, value: None, reason }
    }

    /// Finds line and value in the file.
    pub(super) fn located(mut self, root: &Node, shown: Shown) -> Self {
        self.line = (!self.path.is_root()).then(|| root.line_of(&self.path));
        self.value = match (shown, root.at(&self.path)) {
            (Shown::Value, Some(Node { content: Content::Text { source, .. }, .. }))
                if !may_hold_a_key(source) =>
            {
                Some(source.clone())
            }
            _ => None,
        };
        self
    }
}

/// Whether a message may show the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shown {
    Value,
    Nothing,
}

/// Users, passwords and queries of URLs: people put keys there.
fn may_hold_a_key(text: &str) -> bool {
    text.contains("://") && text.contains(['@', '?'])
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_root() {
            write!(formatter, "{}", self.path)?;
            if let Some(value) = &self.value {
                let mut shown: String = value.chars().take(SHOWN).collect();
                if shown.len() < value.len() {
                    shown.push('…');
                }
                write!(formatter, " is {shown:?}")?;
            }
            formatter.write_str(": ")?;
        }
        formatter.write_str(&self.reason)
    }
}

impl Mistakes {
    /// None yet, in the file of this name.
    pub(super) fn of(file: String) -> Self {
        Self { file, list: Vec::new() }
    }

    /// One, of the file as a whole.
    pub(super) fn one(file: String, reason: String) -> Self {
        Self { file, list: vec![Mistake::of_file(reason)] }
    }

    pub(super) fn add(&mut self, mistake: Mistake) {
        if !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    /// Whether the node at `path` is already known to be wrong.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.list.iter().any(|mistake| mistake.path == *path)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.list.iter()
    }

    /// In the order of the file.
    pub(super) fn sorted(mut self) -> Self {
        self.list.sort_by_key(|mistake| mistake.line.unwrap_or_default());
        self
    }

    /// Of the file of this name.
    pub(super) fn in_file(self, name: &str) -> Self {
        Self { file: name.to_owned(), ..self }.sorted()
    }
}

/// One per line, `file:line: path is "value": reason`.
impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.list.iter().enumerate() {
            if at > 0 {
                writeln!(formatter)?;
            }
            match mistake.line {
                Some(line) => write!(formatter, "{}:{line}: {mistake}", self.file)?,
                None => write!(formatter, "{}: {mistake}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
