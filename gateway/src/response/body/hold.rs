//! A text that is held until it is complete, or more than is held.

use std::mem;

use attache_protocol::json;

use super::Rules;

/// Most that is set aside on the word of a `Content-Length` alone, bytes.
const SET_ASIDE: usize = 256 << 10;
/// How often a held text of unknown length is tried before its end.
const TRIES: u8 = 8;

/// A text so far.
#[derive(Debug)]
pub(super) struct Hold {
    text: Vec<u8>,
    declared: Option<u64>,
    tries: u8,
}

/// What becomes of a piece.
pub(super) enum Held {
    /// Nothing leaves yet.
    Back,
    /// This is more than is held: it leaves, and so does what follows.
    Unchanged(Vec<u8>),
    /// This is all.
    Complete(Vec<u8>),
}

impl Hold {
    /// Nothing yet of a text with this `Content-Length`.
    pub(super) const fn new(declared: Option<u64>) -> Self {
        Self { text: Vec::new(), declared, tries: 0 }
    }

    /// Whether there is nothing yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Bytes of memory for what is held.
    pub(super) const fn held(&self) -> usize {
        self.text.capacity()
    }

    /// What is held.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, bytes: &[u8], end: bool, rules: Rules<'_>) -> Held {
        if self.text.is_empty() {
            let declared = self.declared.and_then(|declared| usize::try_from(declared).ok());
            self.text.reserve_exact(declared.unwrap_or_default().min(SET_ASIDE));
        }
        self.text.extend_from_slice(bytes);
        if self.text.len() > rules.limits.max_list {
            return Held::Unchanged(mem::take(&mut self.text));
        }
        if !end && !self.is_complete(rules.limits.max_depth) {
            return Held::Back;
        }
        Held::Complete(mem::take(&mut self.text))
    }

    /// Whether the text is all there, although its end was not announced yet. It matters where trailers follow:
    /// nothing can leave after the last chunk.
    fn is_complete(&mut self, depth: usize) -> bool {
        if let Some(declared) = self.declared {
            return self.text.len() as u64 >= declared;
        }
        if self.tries >= TRIES || !self.text.trim_ascii_end().ends_with(b"}") {
            return false;
        }
        self.tries += 1;
        json::parse(&self.text, depth).is_ok()
    }
}
