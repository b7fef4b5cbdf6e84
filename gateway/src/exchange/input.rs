//! What Envoy says to an exchange.

use crate::request::headers::Headers;

/// What Envoy says. Times are Unix microseconds.
#[derive(Debug)]
pub enum Input<'a> {
    /// A request begins.
    RequestHeaders {
        /// All of its headers.
        headers: Headers,
        /// Whether a body follows.
        end: bool,
        /// When.
        now_us: u64,
    },
    /// A part of the body came and is held by Envoy.
    RequestBodyGrows {
        /// Bytes that are held by now.
        held: usize,
    },
    /// The body is complete.
    RequestBody {
        /// All of it.
        body: &'a [u8],
        /// When.
        now_us: u64,
    },
    /// More is known of whom to believe: the issuer's keys came, or an answer about a token.
    TrustChanged {
        /// When.
        now_us: u64,
    },
    /// The request has waited for that long enough.
    WaitExpired {
        /// When.
        now_us: u64,
    },
    /// A response begins: the server's, or Envoy's own.
    ResponseHeaders {
        /// All of its headers.
        headers: Headers,
        /// Whether this is all.
        end: bool,
    },
    /// A part of the response body.
    ResponseBody {
        /// Its length.
        size: usize,
        /// The bytes, if [`super::Exchange::reads_response`]; else nothing.
        bytes: &'a [u8],
        /// Whether it is the last.
        end: bool,
    },
    /// Trailers end the response body.
    ResponseTrailers,
    /// The stream is over.
    Done {
        /// How, if its end was not seen.
        broken_by_server: bool,
        /// When.
        now_us: u64,
    },
}
