//! The file as a tree: every scalar as text, every node with its line.
//!
//! Scalars keep their text because YAML would make a number of the password `0123`; what a text means is said
//! by the place where it stands.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of the parser's many events mean something here"
)]

use std::fmt;

use granit_parser::{BorrowedInput, Event, Parser, ScalarStyle};

use super::{
    mistake::{Mistake, Mistakes},
    substitution::{Lookup, Marked},
};

/// Nodes in a file at most, and levels.
const MAX_NODES: usize = 100_000;
const MAX_DEPTH: usize = 32;

/// A node of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Line, from 1.
    pub(super) line: usize,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing: the key stands alone.
    Nothing,
    Text {
        value: String,
        /// As the file has it: what messages show.
        source: String,
    },
    List(Vec<Node>),
    Section(Vec<(String, Node)>),
}

/// Where in the file: `servers[1].url`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Into a section.
    Key(String),
    /// Into a list, from 0.
    Item(usize),
}

impl Node {
    /// Reads YAML and fills in the environment. Variables without a value are mistakes, all of them.
    pub(super) fn read(source: &str, lookup: Lookup<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let marked = match Marked::new(source) {
            Ok(marked) => marked,
            Err(error) => {
                mistakes.add(Mistake::of_file(error.to_string()));
                return None;
            }
        };
        let events = Parser::new_from_str(&marked.text);
        let mut reader = Reader { events, marked: &marked, lookup, mistakes, nodes: 0 };
        match reader.document() {
            Ok(node) => Some(node),
            Err(fault) => {
                let reason = marked.source(&fault.reason);
                mistakes.add(Mistake { line: Some(fault.line), ..Mistake::of_file(reason) });
                None
            }
        }
    }

    /// The node at `path`.
    pub(super) fn at(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |node, step| node.child(step))
    }

    /// Line of the node at `path`, or of the nearest node above it.
    pub(super) fn line_of(&self, path: &Path) -> usize {
        let mut node = self;
        for step in &path.0 {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.line
    }

    /// Makes the node at `path` nothing, so that the rest can be read without it.
    pub(super) fn blank(&mut self, path: &Path) {
        let node = path.0.iter().try_fold(self, |node, step| node.child_mut(step));
        if let Some(node) = node {
            node.content = Content::Nothing;
        }
    }

    /// Removes a key from the section at `path`.
    pub(super) fn remove(&mut self, path: &Path, key: &str) {
        let node = path.0.iter().try_fold(self, |node, step| node.child_mut(step));
        if let Some(Self { content: Content::Section(entries), .. }) = node {
            entries.retain(|(name, _)| name != key);
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.content, step) {
            (Content::Section(entries), Step::Key(key)) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (Content::List(items), Step::Item(at)) => items.get(*at),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (&mut self.content, step) {
            (Content::Section(entries), Step::Key(key)) => {
                entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (Content::List(items), Step::Item(at)) => items.get_mut(*at),
            _ => None,
        }
    }
}

impl Path {
    /// This path and a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// This path and an item.
    #[must_use]
    pub fn item(&self, at: usize) -> Self {
        self.step(Step::Item(at))
    }

    /// Whether it is the file itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path, below `step`.
    pub(super) fn below(mut self, step: Step) -> Self {
        self.0.insert(0, step);
        self
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => formatter.write_str(key)?,
                Step::Key(key) => write!(formatter, ".{key}")?,
                Step::Item(item) => write!(formatter, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// What makes the rest of the file unreadable.
struct Fault {
    line: usize,
    reason: String,
}

struct Reader<'a, 'm, T: BorrowedInput<'a>> {
    events: Parser<'a, T>,
    marked: &'m Marked,
    lookup: Lookup<'m>,
    mistakes: &'m mut Mistakes,
    nodes: usize,
}

impl<'a, T: BorrowedInput<'a>> Reader<'a, '_, T> {
    fn document(&mut self) -> Result<Node, Fault> {
        let mut root = None;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)
                    if root.is_some() =>
                {
                    return Err(Fault {
                        line,
                        reason: "only one document is read, remove this one".to_owned(),
                    });
                }
                Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::MappingStart(..)
                | Event::Alias(_) => root = Some(self.node(event, line, &Path::default())?),
                _ => {}
            }
        }
        Ok(root.unwrap_or(Node { line: 1, content: Content::Nothing }))
    }

    fn node(&mut self, event: Event<'a>, line: usize, path: &Path) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || path.0.len() > MAX_DEPTH {
            let reason = format!("more than {MAX_NODES} entries or {MAX_DEPTH} levels");
            return Err(Fault { line, reason });
        }
        if event.tag().is_some() || event.anchor_id().is_some() || event.is_alias() {
            let reason = "tags (!), anchors (&) and aliases (*) are not read; put a value that begins so in quotes";
            return Err(Fault { line, reason: reason.to_owned() });
        }
        let content = match event {
            Event::Scalar(text, style, ..) => self.scalar(&text, style, line, path),
            Event::SequenceStart(..) => self.list(path)?,
            Event::MappingStart(..) => self.section(path)?,
            _ => return Err(Fault { line, reason: "a value is expected here".to_owned() }),
        };
        Ok(Node { line, content })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize, path: &Path) -> Content {
        let plain = matches!(style, ScalarStyle::Plain);
        if plain && matches!(text, "" | "~" | "null") {
            return Content::Nothing;
        }
        match self.marked.fill(text, self.lookup) {
            Ok(value) => Content::Text { value, source: self.marked.source(text) },
            Err(error) => {
                let reason = error.to_string();
                self.mistakes.add(Mistake {
                    path: path.clone(),
                    line: Some(line),
                    value: None,
                    reason,
                });
                Content::Nothing
            }
        }
    }

    fn list(&mut self, path: &Path) -> Result<Content, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Content::List(items));
            }
            let node = self.node(event, line, &path.item(items.len()))?;
            items.push(node);
        }
    }

    fn section(&mut self, path: &Path) -> Result<Content, Fault> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Content::Section(entries)),
                Event::Scalar(text, ..) if !Marked::is_marked(&text) => text.into_owned(),
                _ => return Err(Fault { line, reason: "a key must be plain text".to_owned() }),
            };
            let (event, value_line) = self.next()?;
            let below = path.key(&key);
            // A section that is empty or nested begins on a later line; the key is what people look for.
            let node = Node { line, ..self.node(event, value_line, &below)? };
            if let Some((_, first)) = entries.iter().find(|(name, _)| *name == key) {
                let reason = format!("given twice, first on line {}", first.line);
                self.mistakes.add(Mistake { path: below, line: Some(line), value: None, reason });
            } else {
                entries.push((key, node));
            }
        }
    }

    /// The next event and its line.
    fn next(&mut self) -> Result<(Event<'a>, usize), Fault> {
        match self.events.find(|event| !matches!(event, Ok((Event::Comment(..), _)))) {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(Fault {
                line: error.marker().line(),
                reason: format!("not YAML: {} (column {})", error.info(), error.marker().col() + 1),
            }),
            None => Ok((Event::StreamEnd, 0)),
        }
    }
}
