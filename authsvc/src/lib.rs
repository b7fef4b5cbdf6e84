//! Attaché's companion service: authorization server, configuration renderer, event store.

pub mod address;
pub mod authorization;
pub mod check;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod correlation;
pub mod csrf;
pub mod events;
pub mod init;
pub mod keys;
pub mod limits;
pub mod pages;
pub mod password;
pub mod private_file;
pub mod random;
pub mod redirect;
pub mod render;
pub mod routes;
pub mod server;
pub mod sessions;
pub mod state;
pub mod store;
pub mod throttle;
pub mod users;
#[cfg(test)]
pub(crate) mod testing;
