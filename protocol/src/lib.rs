//! What is said on the wires between MCP clients, MCP servers, the filter and authsvc.
//!
//! Bytes and values only: no I/O, no clock, no randomness.

pub mod claims;
pub mod event;
pub mod metadata;
pub mod plugin;
pub mod secret;
