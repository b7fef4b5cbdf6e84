//! Credentials that are not ours to check.

use attache_protocol::{bearer, plugin};

use super::Origins;

/// What passes to a server that checks callers itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreign {
    /// Schemes of `Authorization`, lower case.
    schemes: Vec<String>,
    /// What becomes of the server's own challenges.
    pub challenges: Challenges,
}

/// What becomes of the challenges of such a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Challenges {
    /// Ours stands in their place.
    Ours,
    /// They pass, if they lead to one of these origins; [`Origins::Any`]: to any https one in public.
    Theirs(Origins),
}

impl Foreign {
    pub(super) fn compile(foreign: plugin::Foreign) -> Self {
        let challenges = match foreign.challenges {
            plugin::Challenges::Ours => Challenges::Ours,
            plugin::Challenges::Public => Challenges::Theirs(Origins::Any),
            plugin::Challenges::Listed(origins) => Challenges::Theirs(Origins::Listed(origins)),
        };
        let schemes = foreign.schemes.iter().map(|scheme| scheme.to_ascii_lowercase()).collect();
        Self { schemes, challenges }
    }

    /// Whether a value of `Authorization` is of one of the schemes.
    #[must_use]
    pub fn lists(&self, authorization: &[u8]) -> bool {
        let scheme = bearer::scheme(authorization);
        self.schemes.iter().any(|listed| scheme.eq_ignore_ascii_case(listed.as_bytes()))
    }
}
