//! What is said on the wires between MCP clients, MCP servers, the filter and authsvc.
//!
//! Bytes and values only: no I/O, no clock, no randomness.
//!
//! - [`json`]: texts that are checked once, read in place and changed by splices
//! - [`jsonrpc`]: messages, borrowed from their body
//! - [`mcp`]: eras, mirrored headers, calls and lists
//! - [`sse`]: event streams, in any split
//! - [`bearer`]: credentials and challenges
//! - [`claims`], [`metadata`]: access tokens and the documents that lead to them
//! - [`foreign`]: the claims of providers who do not say them as we do
//! - [`jwk`]: keys with which signatures are checked
//! - [`personal_token`]: the form of a token that says nothing
//! - [`network`]: whose address it is, where something is counted
//! - [`event`]: what is recorded of a message
//! - [`plugin`]: the filter's configuration, as authsvc renders it
//! - [`secret`]: values that no log shows
//!
//! Not here: what any of it decides. That is `attache-gateway`'s and `attache-authsvc`'s.

pub mod bearer;
pub mod claims;
pub mod event;
pub mod foreign;
pub mod json;
pub mod jsonrpc;
pub mod jwk;
pub mod mcp;
pub mod metadata;
pub mod network;
pub mod personal_token;
pub mod plugin;
pub mod secret;
pub mod sse;

mod word;

/// Tests draw no randomness either; the signature crates want the symbol.
#[cfg(all(test, target_arch = "wasm32"))]
mod random {
    const fn none(_: &mut [u8]) -> Result<(), getrandom::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }

    getrandom::register_custom_getrandom!(none);
}
