//! authsvc.
pub mod config;
