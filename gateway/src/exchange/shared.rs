//! What the exchanges of a worker share.

use std::rc::Rc;

use crate::{
    budget::Budget,
    config::Gateway,
    event_id::EventIds,
    request::token::{MarkKey, Trust},
    response::lists::Lists,
};

/// Random bits that a worker draws once.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Keeps the events of workers apart.
    pub event_ids: u64,
    /// Keeps the memory of tokens from being guessed at.
    pub mark_key: MarkKey,
}

/// What the exchanges of a worker share.
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub gateway: Rc<Gateway>,
    /// Whom we believe.
    pub trust: Trust,
    /// Lists that were rewritten.
    pub lists: Lists,
    /// Identities of events.
    pub ids: EventIds,
    /// What they may hold.
    pub budget: Budget,
}

impl Shared {
    /// What a worker begins with.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>, seed: Seed) -> Self {
        let trust = Trust::new(&gateway, seed.mark_key);
        let ids = EventIds::new(seed.event_ids);
        Self { gateway, trust, lists: Lists::default(), ids, budget: Budget::default() }
    }
}
