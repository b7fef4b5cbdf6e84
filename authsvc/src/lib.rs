//! Attaché's companion service: authorization server, configuration renderer, event store.

pub mod address;
pub mod authorization;
mod body;
pub mod check;
pub mod cimd;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod correlation;
pub mod csrf;
pub mod discovery;
pub mod events;
pub mod init;
pub mod introspection;
pub mod keys;
pub mod limits;
pub mod operator;
pub mod pages;
pub mod password;
pub mod private_file;
pub mod random;
pub mod redirect;
pub mod refusal;
pub mod registration;
pub mod render;
pub mod routes;
pub mod server;
pub mod sessions;
pub mod state;
pub mod store;
pub mod sweep;
#[cfg(test)]
pub(crate) mod testing;
pub mod throttle;
pub mod token;
pub mod users;
