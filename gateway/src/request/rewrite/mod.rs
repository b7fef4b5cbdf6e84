//! Step 4: our arguments are cut out of calls; every other byte stays.

use attache_protocol::{
    json::Edits,
    mcp::{
        call::{Cut, strip},
        method::Method,
    },
    plugin::Argument,
};

use crate::{
    config::Endpoint,
    request::message::{Item, Spoken},
};

/// All our arguments are cut out, whatever is configured: they are reserved.
const NAMES: [&str; 3] =
    [Argument::Intent.property(), Argument::Prompt.property(), Argument::History.property()];

/// A body as the server gets it.
#[derive(Debug)]
pub struct Rewritten<'a> {
    /// The new body; `None` when it stays as it is.
    pub body: Option<Vec<u8>>,
    /// What was cut out of each message, in their order.
    pub cuts: Vec<Vec<Cut<'a>>>,
}

/// Cuts our arguments out of the calls of a body.
#[must_use]
pub fn rewrite<'a>(endpoint: &Endpoint, spoken: &Spoken<'a>, body: &[u8]) -> Rewritten<'a> {
    let mut edits = Edits::default();
    let cuts = spoken.items().iter().map(|item| cut(endpoint, item, &mut edits)).collect();
    if edits.is_empty() {
        return Rewritten { body: None, cuts };
    }
    // The edits are of different members of one text that has been checked: they cannot overlap.
    Rewritten { body: edits.apply(body).ok(), cuts }
}

fn cut<'a>(endpoint: &Endpoint, item: &Item<'a>, edits: &mut Edits) -> Vec<Cut<'a>> {
    if item.method != Method::ToolsCall {
        return Vec::new();
    }
    let exempt = item.params.target.as_deref().is_some_and(|tool| endpoint.exempts(tool));
    match &item.params.arguments {
        Some(arguments) if !exempt => strip(arguments, &NAMES, edits),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
