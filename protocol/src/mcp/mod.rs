//! The part of MCP that must be understood, and nothing more.

pub mod call;
pub mod era;
pub mod headers;
pub mod method;
pub mod tools;
