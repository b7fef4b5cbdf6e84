//! The way in, in this order:
//!
//! 1. [`headers`]: method, `Origin`, content headers
//! 2. [`token`]: the bearer becomes a [`token::Caller`], which nothing else makes
//! 3. [`message`]: the body is scanned once; header and body must agree
//! 4. [`rewrite`]: our arguments are cut out of calls
//!
//! Between 2 and 3 the body is held, up to a limit; `exchange` sees to that.

pub mod headers;
pub mod message;
pub mod rewrite;
pub mod token;
