//! One run of the suite through the gateway, held against the direct one.

use std::fmt;

use crate::{
    compare::{Difference, compare},
    report::Report,
};

/// Revisions of MCP that the suite has requirements for: one of the legacy era, one of the modern.
pub const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Which run it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// What stands behind the gateway.
    pub upstream: &'static str,
    /// Revision of MCP.
    pub revision: &'static str,
    /// How the gateway is set up.
    pub setup: &'static str,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.upstream, self.revision, self.setup)
    }
}

/// A run and what is different in it.
#[derive(Debug)]
pub struct Compared {
    pub run: Run,
    pub through: Report,
    pub differences: Vec<Difference>,
}

/// All runs of one upstream in one revision.
#[derive(Debug)]
pub struct Group {
    pub upstream: &'static str,
    pub revision: &'static str,
    pub direct: Report,
    pub through: Vec<Compared>,
}

impl Group {
    pub fn new(upstream: &'static str, revision: &'static str, direct: Report) -> Self {
        Self { upstream, revision, direct, through: Vec::new() }
    }

    /// Adds a run through the gateway.
    pub fn add(&mut self, setup: &'static str, through: Report) {
        let differences = compare(&self.direct, &through);
        let run = Run { upstream: self.upstream, revision: self.revision, setup };
        self.through.push(Compared { run, through, differences });
    }
}
