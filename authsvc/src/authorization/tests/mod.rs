//! The endpoints as a browser meets them.

mod authorize;
pub(crate) mod browser;
mod consent;
pub(crate) mod cookies;
mod login;
mod prompt;
mod refusals;
mod returning;
