//! What the exchanges of a worker share.

use std::rc::Rc;

use crate::{config::Gateway, event_id::EventIds, request::token::Trust, response::lists::Lists};

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
}

impl Shared {
    /// What a worker begins with.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>, seed: u64) -> Self {
        let trust = Trust::new(gateway.issuer.clone(), gateway.jwks.clone());
        Self { gateway, trust, lists: Lists::default(), ids: EventIds::new(seed) }
    }
}
