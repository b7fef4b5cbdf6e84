//! Lists that were rewritten before: a server answers the same list again and again, and only its `id` differs.
//!
//! Scanning a list of 100 KB takes hundreds of microseconds, comparing it a few.

use std::{collections::VecDeque, ops::Range, rc::Rc};

use attache_protocol::{
    json::{self, Kind},
    mcp::tools::{self, Listed},
    plugin::Limits,
};

use super::analytics::{self, LISTED, LISTED_BYTES, NAME};
use crate::config::Endpoint;

/// Lists that a worker remembers.
const MOST_LISTS: usize = 16;
/// Bytes that a worker remembers of lists, before and after.
const MOST_BYTES: usize = 8 << 20;
/// A longer `id` is not looked for, bytes.
const LONGEST_ID: usize = 256;

/// The memory of a worker.
#[derive(Debug, Default)]
pub struct Lists {
    kept: VecDeque<Kept>,
    bytes: usize,
}

/// A list, as it came and as it left.
#[derive(Debug)]
struct Kept {
    path: String,
    before: WithId,
    /// `None` when it left as it came.
    after: Option<WithId>,
    names: Rc<[String]>,
    owners: Rc<[String]>,
}

/// A response, and where its `id` is.
#[derive(Debug)]
struct WithId {
    text: Vec<u8>,
    id: Range<usize>,
}

/// What becomes of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewritten {
    /// The list with our arguments; `None` when it stays as it is.
    pub text: Option<Vec<u8>>,
    /// Names of the first tools, in order, as events tell them: bounded, and without what could break a log.
    pub names: Rc<[String]>,
    /// The same of tools that own a property of a reserved name.
    pub owners: Rc<[String]>,
}

impl Lists {
    /// Adds the arguments of the endpoint to a list; a text that is none stays as it is.
    pub fn rewrite(&mut self, text: &[u8], endpoint: &Endpoint, limits: &Limits) -> Rewritten {
        let mut known = self.kept.iter().filter(|kept| kept.path == endpoint.path);
        if let Some(rewritten) = known.find_map(|kept| kept.rewrite(text)) {
            return rewritten;
        }
        let Listed { text: new, names, owners } =
            tools::inject(text, limits.max_depth, &endpoint.injected, &endpoint.exempt);
        let rewritten = Rewritten { text: new, names: told(&names), owners: told(&owners) };
        if let Some(kept) = Kept::new(endpoint, limits, text, &rewritten) {
            self.keep(kept);
        }
        rewritten
    }

    fn keep(&mut self, kept: Kept) {
        let size = kept.size();
        if size > MOST_BYTES / 2 {
            return;
        }
        while self.kept.len() >= MOST_LISTS || self.bytes + size > MOST_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.size());
        }
        self.bytes += size;
        self.kept.push_back(kept);
    }
}

/// Names as the server wrote them, fit to be kept and to be shown: a stream may stay open for long with them.
fn told(names: &[String]) -> Rc<[String]> {
    let mut left = LISTED_BYTES;
    let names = names.iter().take(LISTED).map(|name| analytics::text(name, NAME));
    let fits = |name: &String| left.checked_sub(name.len()).map(|rest| left = rest).is_some();
    names.take_while(fits).collect()
}

impl Kept {
    /// Something to keep: only a list, and only where its `id` can be found again.
    fn new(
        endpoint: &Endpoint,
        limits: &Limits,
        text: &[u8],
        rewritten: &Rewritten,
    ) -> Option<Self> {
        if rewritten.names.is_empty() {
            return None;
        }
        let document = json::parse(text, limits.max_depth).ok()?;
        let id = document.unique("id").ok()??.span();
        let result = document.unique("result").ok()??.span();
        let after = match &rewritten.text {
            None => None,
            Some(new) => {
                // Everything that was changed is inside of the result.
                let grown = new.len().checked_sub(text.len())?;
                let shift = if id.start < result.start { 0 } else { grown };
                let moved = id.start + shift..id.end + shift;
                let same = new.get(moved.clone())? == text.get(id.clone())?;
                same.then_some(())?;
                Some(WithId { text: new.clone(), id: moved })
            }
        };
        Some(Self {
            path: endpoint.path.clone(),
            before: WithId { text: text.to_vec(), id },
            after,
            names: Rc::clone(&rewritten.names),
            owners: Rc::clone(&rewritten.owners),
        })
    }

    /// What becomes of a text that is this list, but for its `id`.
    fn rewrite(&self, text: &[u8]) -> Option<Rewritten> {
        let id = self.before.other_id(text)?;
        Some(Rewritten {
            text: self.after.as_ref().map(|after| after.with(id)),
            names: Rc::clone(&self.names),
            owners: Rc::clone(&self.owners),
        })
    }

    fn size(&self) -> usize {
        self.before.text.len() + self.after.as_ref().map_or(0, |after| after.text.len())
    }
}

impl WithId {
    /// The `id` of a text that is otherwise the same.
    fn other_id<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let rest = text.strip_prefix(self.text.get(..self.id.start)?)?;
        let behind = self.text.get(self.id.end..)?;
        let length = rest.len().checked_sub(behind.len()).filter(|length| *length <= LONGEST_ID)?;
        let (id, rest) = rest.split_at_checked(length)?;
        if !is_same(rest, behind) {
            return None;
        }
        // One scalar in the place of another: the text is JSON as before, and of the same structure.
        let scalar = matches!(json::parse(id, 1).ok()?.kind(), Kind::String | Kind::Number);
        scalar.then_some(id)
    }

    fn with(&self, id: &[u8]) -> Vec<u8> {
        let before = self.text.get(..self.id.start).unwrap_or_default();
        let behind = self.text.get(self.id.end..).unwrap_or_default();
        [before, id, behind].concat()
    }
}

/// Whether two texts of the same length are the same. On wasm32 the comparison of slices goes byte by byte, and
/// would take longer than all the rest.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (ones, one_rest) = one.as_chunks::<32>();
    let (others, other_rest) = other.as_chunks::<32>();
    one.len() == other.len()
        && ones.iter().zip(others).all(|(one, other)| {
            let (ones, _) = one.as_chunks::<8>();
            let (others, _) = other.as_chunks::<8>();
            let differ = |differ, (one, other): (&[u8; 8], &[u8; 8])| {
                differ | (u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other))
            };
            ones.iter().zip(others).fold(0, differ) == 0
        })
        && one_rest == other_rest
}

#[cfg(test)]
mod tests;
