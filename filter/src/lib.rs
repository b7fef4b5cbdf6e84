//! The proxy-wasm filter: Envoy's callbacks in, Envoy's host calls out. Nothing is decided here; that is
//! `attache-gateway`.
//!
//! - `root`: the root context of a worker: configuration, keys, events on their way out
//! - `http`: one stream
//! - `worker`: what they share
//! - `host`: the only file that calls Envoy
//! - `random`: random bits from the host
//!
//! A filter must not trap: a trap takes down every stream of its worker. Every callback is wrapped in
//! `catch_unwind`, which works in Envoy's V8 when the module is built like this:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C panic=unwind" cargo build --release -p attache-filter \
//!     --target wasm32-unknown-unknown -Zbuild-std=std,panic_unwind
//! ```
//!
//! Envoy must be told `allow_on_headers_stop_iteration: true`: headers wait for the body.

mod host;
mod http;
mod random;
mod root;
mod worker;

use proxy_wasm::{traits::RootContext, types::LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| -> Box<dyn RootContext> { Box::new(root::Root::new(id)) });
}}
