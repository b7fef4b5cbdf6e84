//! The endpoints as a browser meets them.

mod authorize;
mod browser;
mod consent;
mod cookies;
mod login;
mod prompt;
mod refusals;
mod returning;
