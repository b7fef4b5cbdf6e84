//! Legacy or modern: decided once per message, from its header and its body.

/// `_meta` key that names the revision of a modern request.
pub const VERSION_META: &str = "io.modelcontextprotocol/protocolVersion";

/// -32022: a revision that is not implemented.
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// Every revision whose messages we can read, newest first.
pub const REVISIONS: [&str; 5] =
    [FIRST_MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Those of them that a modern request can ask for; the others are agreed on in `initialize`.
pub const MODERN_REVISIONS: [&str; 1] = [FIRST_MODERN];

/// The first revision without sessions.
const FIRST_MODERN: &str = "2026-07-28";

/// Which rules a message follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Era {
    /// `initialize`, sessions, GET streams: up to 2025-11-25.
    Legacy,
    /// `_meta` on every request: from 2026-07-28.
    Modern,
}

impl Era {
    /// The era of a message with this `MCP-Protocol-Version` header and `_meta` version.
    ///
    /// A body that carries a version is modern whatever the header says: the header must then agree.
    /// `initialize` carries none and is legacy.
    #[must_use]
    pub fn of(header: Option<&str>, meta: Option<&str>) -> Self {
        if meta.is_some() || header.is_some_and(is_modern) { Self::Modern } else { Self::Legacy }
    }
}

/// Whether a version is a date on or after the first modern one.
fn is_modern(version: &str) -> bool {
    let date = version.len() == FIRST_MODERN.len()
        && version
            .bytes()
            .zip(FIRST_MODERN.bytes())
            .all(|(byte, model)| if model == b'-' { byte == b'-' } else { byte.is_ascii_digit() });
    date && version >= FIRST_MODERN
}

#[cfg(test)]
mod tests;
