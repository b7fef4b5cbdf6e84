//! What the filter decides: facts in, effects out. No I/O, no clock, no randomness, no host.
//!
//! One HTTP exchange flows through, in this order:
//!
//! 1. [`config`]: the plugin configuration, compiled once; finds the endpoint of a path
//! 2. [`exchange`]: the conductor; the only file that knows the order of the steps
//! 3. [`request`]: headers, token, message, rewrite; each step takes the proof of the step before
//! 4. [`response`]: what becomes of the answer's bytes, and what is learned from them
//! 5. [`refusal`]: every way to say no, in one table
//!
//! Beside it: [`keys`] (the issuer's signing keys, and when to ask again), [`introspection`] (the same of tokens that say
//! nothing themselves), [`outbox`] (events on their way out),
//! [`event_id`] (their identities), [`budget`] (how much the exchanges hold in memory together).

mod bucket;
pub mod budget;
pub mod config;
pub mod event_id;
pub mod exchange;
pub mod introspection;
pub mod keys;
pub mod outbox;
pub mod refusal;
pub mod request;
pub mod response;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;

/// Tests draw nothing either; the signature crates want the symbol.
#[cfg(all(test, target_arch = "wasm32"))]
mod random {
    const fn none(_: &mut [u8]) -> Result<(), getrandom::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }

    getrandom::register_custom_getrandom!(none);
}
