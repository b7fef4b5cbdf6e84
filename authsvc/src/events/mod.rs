//! From the filter to wherever events are wanted.
//!
//! In the order of the flow: [`ingest`] stores a batch and its deliveries in one transaction and answers when
//! that is durable; [`arrivals`] wakes those who wait; [`listing`] reads events back in their order; [`delivery`]
//! claims what is due and sends it to the [`webhook`], which checks where it goes and makes the [`signature`];
//! [`schedule`] says when the next attempt is and [`circuit`] how many there may be; [`retention`] forgets.

pub mod arrivals;
pub mod circuit;
pub mod delivery;
pub mod ingest;
pub mod listing;
pub mod retention;
pub mod schedule;
pub mod signature;
pub mod webhook;

#[cfg(test)]
mod tests;
