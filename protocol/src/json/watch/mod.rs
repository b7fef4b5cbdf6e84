//! Looks at a JSON-RPC response that flows by in pieces, holding none of it.
//!
//! For what is only observed: whatever the text is, watching it cannot fail. What it says of a text that
//! is not JSON is worth nothing, and harms nothing.

/// The longest name or scalar that is kept, bytes.
const KEPT: usize = 64;

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
}

/// An incremental reader of one JSON-RPC response.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    lex: Lex,
    depth: u32,
    /// Member of the message that is being read.
    top: Key,
    /// Member of `result` or `error` that is being read.
    inner: Key,
    kept: String,
    seen: Ended,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Lex {
    /// Before a member's name.
    #[default]
    Name,
    /// In a member's name.
    InName,
    /// Behind a name or a value.
    Between,
    /// In a string value.
    InString,
    /// Behind a backslash of a string value.
    Escape,
    /// Behind a backslash of a name.
    NameEscape,
    /// In a number or literal.
    Scalar,
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
}

impl Watch {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.byte(byte);
        }
    }

    /// What the response said, after its last piece.
    #[must_use]
    pub fn end(mut self) -> Ended {
        if self.lex == Lex::Scalar {
            self.scalar_ends();
        }
        self.seen
    }

    fn byte(&mut self, byte: u8) {
        match self.lex {
            Lex::InName => match byte {
                b'"' => self.name_ends(),
                b'\\' => self.lex = Lex::NameEscape,
                _ => self.keep(byte),
            },
            Lex::NameEscape => {
                // No name that we look for needs an escape.
                self.kept.push('\\');
                self.lex = Lex::InName;
            }
            Lex::InString => match byte {
                b'"' => self.string_ends(),
                b'\\' => self.lex = Lex::Escape,
                _ => self.keep(byte),
            },
            Lex::Escape => self.lex = Lex::InString,
            Lex::Scalar => match byte {
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' => {
                    self.scalar_ends();
                    self.structure(byte);
                }
                _ => self.keep(byte),
            },
            Lex::Name | Lex::Between => self.structure(byte),
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.opens();
                self.depth = self.depth.saturating_add(1);
                // Names matter in the message and in its result or error; an array there has none.
                self.lex = if byte == b'{' { Lex::Name } else { Lex::Between };
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.lex = Lex::Between;
            }
            b',' => {
                // Only objects on the way to what we look for have names; see `name_ends`.
                self.lex = if self.names() { Lex::Name } else { Lex::Between };
            }
            b'"' => {
                self.kept.clear();
                self.lex = if self.lex == Lex::Name { Lex::InName } else { Lex::InString };
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => {
                self.kept.clear();
                self.keep(byte);
                self.lex = Lex::Scalar;
            }
        }
    }

    /// Whether a string behind a comma is a name: in the message, and in its result or error.
    const fn names(&self) -> bool {
        self.depth == 1 || (self.depth == 2 && matches!(self.top, Key::Result | Key::Error))
    }

    fn opens(&mut self) {
        if self.depth == 1 {
            match self.top {
                Key::Error => self.seen.error = Some(None),
                Key::Result => self.seen.result = Some(Outcome::default()),
                Key::Other | Key::Id | Key::Code | Key::IsError | Key::ResultType => {}
            }
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.kept.len() <= KEPT {
            self.kept.push(char::from(byte));
        }
    }

    fn name_ends(&mut self) {
        self.lex = Lex::Between;
        let name = self.kept.as_str();
        if self.depth == 1 {
            self.top = match name {
                "id" => Key::Id,
                "error" => Key::Error,
                "result" => Key::Result,
                _ => Key::Other,
            };
        } else if self.depth == 2 {
            self.inner = match (self.top, name) {
                (Key::Error, "code") => Key::Code,
                (Key::Result, "isError") => Key::IsError,
                (Key::Result, "resultType") => Key::ResultType,
                _ => Key::Other,
            };
        }
    }

    fn string_ends(&mut self) {
        self.lex = Lex::Between;
        let short = self.kept.len() <= KEPT && self.kept.is_ascii();
        if self.depth == 1 && self.top == Key::Result {
            self.seen.result = Some(Outcome::default());
        }
        if self.depth == 1 && self.top == Key::Id && short {
            self.seen.id = Some(format!("\"{}\"", self.kept));
        }
        if self.depth == 2 && self.inner == Key::ResultType && short {
            let kept = std::mem::take(&mut self.kept);
            if let Some(result) = &mut self.seen.result {
                result.result_type = Some(kept);
            }
        }
    }

    fn scalar_ends(&mut self) {
        self.lex = Lex::Between;
        if self.depth == 1 && self.top == Key::Id && self.kept.len() <= KEPT {
            self.seen.id = Some(std::mem::take(&mut self.kept));
        } else if self.depth == 1 && self.top == Key::Result {
            // A result that is no object is still a result.
            self.seen.result = Some(Outcome::default());
        } else if self.depth == 2 && self.inner == Key::Code {
            self.seen.error = Some(self.kept.parse().ok());
        } else if self.depth == 2
            && self.inner == Key::IsError
            && self.kept == "true"
            && let Some(result) = &mut self.seen.result
        {
            result.is_error = true;
        }
    }
}

#[cfg(test)]
mod tests;
