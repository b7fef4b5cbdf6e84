//! Looks at a JSON-RPC response that flows by in pieces, holding none of it.
//!
//! For what is only observed: whatever the text is, watching it cannot fail. What it says of a text that
//! is not JSON is worth nothing, and harms nothing.

use std::borrow::Cow;

use crate::word;

/// The longest name or scalar that is kept, bytes as written.
const KEPT: usize = 256;

/// What a response said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// `id` as it is written, when it is short.
    pub id: Option<String>,
    /// Whether there is an `error`, and its `code` when that is an integer.
    pub error: Option<Option<i64>>,
    /// Whether there is a `result`.
    pub result: Option<Outcome>,
}

/// What a result said of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// `isError: true` of a tool result.
    pub is_error: bool,
    /// `resultType` (2026-07-28).
    pub result_type: Option<String>,
    /// `taskId`: the task that will have the result (tasks extension of 2026-07-28).
    pub task_id: Option<String>,
    /// `task.taskId`: the same in 2025-11-25.
    pub task: Option<String>,
}

/// An incremental reader of one JSON-RPC response.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    lex: Lex,
    depth: u32,
    /// Member of the message that is being read.
    top: Key,
    /// Member of `result` or `error`, or of `result.task`, that is being read.
    inner: Key,
    /// Whether that is in `result.task`.
    within: Within,
    /// The name or scalar that is being read, as it is written.
    kept: Vec<u8>,
    seen: Ended,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Lex {
    /// Behind a bracket, a comma, a name or a value.
    #[default]
    Between,
    /// Where a string is a name.
    Name,
    /// In a member's name.
    InName,
    /// Behind a backslash of a name.
    NameEscape,
    /// In a string value.
    InString,
    /// Behind a backslash of a string value.
    Escape,
    /// In a number or literal.
    Scalar,
    /// Behind the message, or in a text that is none.
    Over,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Key {
    #[default]
    Other,
    Id,
    Error,
    Result,
    Code,
    IsError,
    ResultType,
    Task,
    TaskId,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Within {
    #[default]
    Elsewhere,
    Task,
}

impl Watch {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut at = 0;
        while let Some((&byte, rest)) = piece.get(at..).and_then(<[u8]>::split_first) {
            self.byte(byte);
            at += 1;
            if matches!(self.lex, Lex::InName | Lex::InString) {
                let plain = word::before_stop(rest);
                self.keep(rest.get(..plain).unwrap_or_default());
                at += plain;
            } else if self.lex == Lex::Over {
                return;
            }
        }
    }

    /// What the response said, after its last piece.
    #[must_use]
    pub fn end(self) -> Ended {
        self.seen
    }

    fn byte(&mut self, byte: u8) {
        match self.lex {
            Lex::InName | Lex::InString => self.string(byte),
            Lex::NameEscape => {
                self.keep(&[byte]);
                self.lex = Lex::InName;
            }
            Lex::Escape => {
                self.keep(&[byte]);
                self.lex = Lex::InString;
            }
            Lex::Scalar => match byte {
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' => {
                    self.value_ends();
                    self.structure(byte);
                }
                _ => self.keep(&[byte]),
            },
            Lex::Name | Lex::Between => self.structure(byte),
            Lex::Over => {}
        }
    }

    fn string(&mut self, byte: u8) {
        self.keep(&[byte]);
        match (byte, self.lex) {
            (b'"', Lex::InName) => self.name_ends(),
            (b'"', _) => self.value_ends(),
            (b'\\', Lex::InName) => self.lex = Lex::NameEscape,
            (b'\\', _) => self.lex = Lex::Escape,
            _ => {}
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b'{' | b'[' => self.opens(byte),
            _ if self.depth == 0 => self.lex = Lex::Over,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 2 {
                    self.within = Within::Elsewhere;
                }
                self.lex = if self.depth == 0 { Lex::Over } else { Lex::Between };
            }
            b',' => self.lex = if self.has_names() { Lex::Name } else { Lex::Between },
            _ => {
                self.kept.clear();
                self.keep(&[byte]);
                self.lex = match (byte, self.lex) {
                    (b'"', Lex::Name) => Lex::InName,
                    (b'"', _) => Lex::InString,
                    _ => Lex::Scalar,
                };
            }
        }
    }

    /// Whether a string behind a comma is a name that matters: in the message, in its result or error, and in the
    /// task of a result.
    const fn has_names(&self) -> bool {
        match self.depth {
            1 => true,
            2 => matches!(self.top, Key::Result | Key::Error),
            3 => matches!(self.within, Within::Task),
            _ => false,
        }
    }

    fn opens(&mut self, bracket: u8) {
        if (self.depth, self.top, self.inner) == (2, Key::Result, Key::Task) {
            self.seen.result.get_or_insert_default().task = None;
            if bracket == b'{' {
                self.within = Within::Task;
            }
        }
        self.inner = Key::Other;
        if self.depth == 1 {
            self.has_value();
            if bracket == b'[' {
                self.top = Key::Other;
            }
        }
        self.lex = match (bracket, self.depth) {
            (b'{', _) => Lex::Name,
            // A batch, which says nothing as one.
            (_, 0) => Lex::Over,
            _ => Lex::Between,
        };
        self.depth = self.depth.saturating_add(1);
    }

    /// Notes that the message has a result or an error, whatever that is.
    fn has_value(&mut self) {
        match self.top {
            Key::Error => self.seen.error = Some(None),
            Key::Result => self.seen.result = Some(Outcome::default()),
            Key::Other
            | Key::Id
            | Key::Code
            | Key::IsError
            | Key::ResultType
            | Key::Task
            | Key::TaskId => {}
        }
    }

    /// Keeps what may matter, and one byte more than that, so that what is too long is known to be.
    fn keep(&mut self, bytes: &[u8]) {
        if self.depth <= 2 || self.has_names() {
            let room = (KEPT + 1).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    fn name_ends(&mut self) {
        self.lex = Lex::Between;
        let name = text(&self.kept);
        let name = name.as_deref();
        match (self.depth, self.top) {
            (1, _) => {
                self.top = match name {
                    Some("id") => Key::Id,
                    Some("error") => Key::Error,
                    Some("result") => Key::Result,
                    _ => Key::Other,
                };
            }
            (2, top) => {
                self.inner = match (top, name) {
                    (Key::Error, Some("code")) => Key::Code,
                    (Key::Result, Some("isError")) => Key::IsError,
                    (Key::Result, Some("resultType")) => Key::ResultType,
                    (Key::Result, Some("task")) => Key::Task,
                    (Key::Result, Some("taskId")) => Key::TaskId,
                    _ => Key::Other,
                };
            }
            (3, _) if self.within == Within::Task => {
                self.inner = if name == Some("taskId") { Key::TaskId } else { Key::Other };
            }
            _ => {}
        }
    }

    /// A string, number or literal ends.
    fn value_ends(&mut self) {
        self.lex = Lex::Between;
        let written = std::str::from_utf8(&self.kept).ok().filter(|text| text.len() <= KEPT);
        match (self.depth, self.top, self.inner) {
            (1, _, _) if written == Some("null") && self.top != Key::Result => {}
            (1, Key::Id, _) => self.seen.id = written.map(str::to_owned),
            (1, _, _) => self.has_value(),
            (2, Key::Error, Key::Code) => {
                self.seen.error = Some(written.and_then(|code| code.parse().ok()));
            }
            (2, Key::Result, inner) => {
                let result = self.seen.result.get_or_insert_default();
                match inner {
                    Key::IsError => result.is_error = written == Some("true"),
                    Key::ResultType => result.result_type = text(&self.kept).map(Cow::into_owned),
                    Key::TaskId => result.task_id = text(&self.kept).map(Cow::into_owned),
                    Key::Task => result.task = None,
                    Key::Other | Key::Id | Key::Error | Key::Result | Key::Code => {}
                }
            }
            (3, Key::Result, Key::TaskId) => {
                let task = text(&self.kept).map(Cow::into_owned);
                self.seen.result.get_or_insert_default().task = task;
            }
            _ => {}
        }
    }
}

/// The text of a string as it is written, if it is one and short.
fn text(written: &[u8]) -> Option<Cow<'_, str>> {
    if written.len() > KEPT {
        return None;
    }
    let inner = written.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(written).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

#[cfg(test)]
mod tests;
