//! What the promises in `tests/` are kept with, and what `make run` is made of.
//!
//! - [`stack`]: real Envoy with the real filter and real authsvc on free ports, as child processes
//! - [`stack::replicas`], [`stack::postgres`]: several authsvc on one database
//! - [`upstream`]: a scripted HTTP server that records what reaches it: MCP servers, webhook receivers
//! - [`servers`]: real MCP servers of other people
//! - [`dex`]: real Dex; [`certificates`] for its gRPC API, and for others
//! - [`context_forge`]: real ContextForge
//! - [`provider`]: a real OpenID provider of other people
//! - [`documents`]: the web site of a client that describes itself
//! - [`oauth`]: a client that knows only the URL of an MCP server; [`person`] logs in and consents for it
//! - [`script`]: a client that is a program of its own: the SDKs, a browser
//! - [`whole_way`]: what such a client has to do, from the URL to a refreshed token
//! - [`mcp`]: MCP over plain HTTP, every byte in the test's hand
//! - [`http`]: the HTTP client under all of them
//! - [`supervisor`]: `make run`
//! - [`differential`]: exchanges as odd as the specifications allow, and what must become of them
//! - [`events`]: events without a filter
//! - [`load`]: the load generator of `make bench` and `make bench-auth`

pub mod certificates;
pub mod context_forge;
pub mod dex;
pub mod differential;
pub mod documents;
pub mod events;
pub mod http;
pub mod load;
pub mod mcp;
pub mod oauth;
pub mod person;
pub mod provider;
pub mod script;
pub mod servers;
pub mod stack;
pub mod supervisor;
pub mod upstream;
pub mod whole_way;
