//! The way out, in this order:
//!
//! 1. [`body`]: what becomes of the answer's bytes: held, rewritten as they flow, watched, or untouched
//! 2. [`analytics`]: what happened, as events
//!
//! Before the bytes, [`challenge`]: where a server that checks callers itself may send them.
//! [`lists`] remembers what became of lists, so that the same list is not scanned again.

pub mod analytics;
pub mod body;
pub mod challenge;
pub mod lists;
