//! Changes of a text, byte by byte; what is not named stays.

use std::ops::Range;

use thiserror::Error;

use super::value::{Kind, Member, Value};

/// Two changes of the same bytes.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
#[error("two changes overlap at byte {at}")]
pub struct Overlap {
    /// Where the second begins.
    pub at: usize,
}

/// Changes of one text, collected in any order and applied together.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    edits: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Whether nothing is to be changed: then the text need not be copied.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts `text` in place of the bytes of `span`.
    pub fn replace(&mut self, span: Range<usize>, text: impl Into<String>) {
        self.edits.push((span, text.into()));
    }

    /// Cuts the members that `which` names out of an object, each with one comma.
    pub fn remove_members<'a>(
        &mut self,
        object: &Value<'a>,
        mut which: impl FnMut(&Member<'a>) -> bool,
    ) {
        let mut before: Option<usize> = None;
        let mut run: Option<usize> = None;
        let mut run_end = 0;
        for member in object.members() {
            if which(&member) {
                run.get_or_insert(member.key.span().start);
                run_end = member.value.span().end;
                continue;
            }
            if let Some(start) = run.take() {
                match before {
                    Some(kept) => self.replace(kept..run_end, String::new()),
                    None => self.replace(start..member.key.span().start, String::new()),
                }
            }
            before = Some(member.value.span().end);
        }
        if let Some(start) = run {
            self.replace(before.unwrap_or(start)..run_end, String::new());
        }
    }

    /// Adds members at the end of an object; `members` is their JSON without the braces.
    pub fn append_members(&mut self, object: &Value<'_>, members: &str) {
        if object.kind() != Kind::Object || members.is_empty() {
            return;
        }
        match object.members().last() {
            Some(last) => {
                let end = last.value.span().end;
                self.replace(end..end, format!(",{members}"));
            }
            None => self.replace(object.inside()..object.inside(), members),
        }
    }

    /// The text with all changes.
    ///
    /// # Errors
    /// When two changes touch the same bytes, or one is outside of the text.
    pub fn apply(mut self, text: &[u8]) -> Result<Vec<u8>, Overlap> {
        self.edits.sort_by_key(|(span, _)| span.start);
        let added: usize = self.edits.iter().map(|(_, new)| new.len()).sum();
        let mut out = Vec::with_capacity(text.len() + added);
        let mut copied = 0;
        for (span, new) in self.edits {
            let kept = text.get(copied..span.start).ok_or(Overlap { at: span.start })?;
            out.extend_from_slice(kept);
            out.extend_from_slice(new.as_bytes());
            copied = span.end.max(span.start);
        }
        out.extend_from_slice(text.get(copied..).ok_or(Overlap { at: copied })?);
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
