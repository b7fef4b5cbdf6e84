//! Attaché's companion service: authorization server, configuration renderer, event store.

pub mod address;
pub mod clock;
pub mod config;
pub mod correlation;
pub mod events;
pub mod keys;
pub mod limits;
pub mod redirect;
pub mod random;
pub mod render;
pub mod routes;
pub mod server;
pub mod state;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
