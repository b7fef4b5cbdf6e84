//! Every way to say no: HTTP status, JSON-RPC code, challenge, and what the event says of it. One table.

use attache_protocol::{
    event::{Fault, Outcome},
    jsonrpc::{self, Flaw, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR},
    mcp::{
        era::{MODERN_REVISIONS, UNSUPPORTED_VERSION},
        headers::{HEADER_MISMATCH, Mismatch},
    },
};
use serde_json::json;
use thiserror::Error;

use crate::config::Endpoint;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum Refusal {
    /// No bearer token was sent.
    #[error("a bearer token is required")]
    MissingToken,
    /// The token is not valid here.
    #[error("{0}")]
    InvalidToken(TokenFlaw),
    /// The token is valid, but for less.
    #[error("the token lacks a scope that this endpoint needs")]
    InsufficientScope,
    /// A browser page of an origin that is not allowed.
    #[error("the origin of this page may not call this endpoint")]
    ForeignOrigin,
    /// Neither POST, GET nor DELETE.
    #[error("use POST, GET or DELETE")]
    Method,
    /// The body is larger than what is held.
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// The headers that are kept until the body comes are larger than what is held.
    #[error("the headers of this message are larger than {0} bytes")]
    HeadersTooLarge(usize),
    /// There is a body where a method has none.
    #[error("send GET and DELETE without a body")]
    StrayBody,
    /// The body is compressed.
    #[error("send the body without content encoding")]
    ContentEncoding,
    /// The body is not declared as JSON.
    #[error("send the body as application/json")]
    ContentType,
    /// The body is no message.
    #[error("{0}")]
    Message(Flaw),
    /// A member of the parameters occurs twice.
    #[error("the member `{0}` occurs twice")]
    Duplicate(&'static str),
    /// A member of the parameters is a string that is no text.
    #[error("the member `{0}` has half of a surrogate pair; send whole characters")]
    NoText(&'static str),
    /// An array where the revision has none.
    #[error(
        "batches exist in MCP 2025-03-26 only: send one message, or the header MCP-Protocol-Version: 2025-03-26"
    )]
    Batch,
    /// An array without messages, or with too many.
    #[error("a batch has 1 to {0} messages")]
    BatchSize(usize),
    /// A header contradicts the body (2026-07-28).
    #[error("{0}")]
    Headers(Mismatch),
    /// A modern request that does not say its revision in its body (2026-07-28, "Request metadata").
    #[error("`params._meta[\"io.modelcontextprotocol/protocolVersion\"]` is required")]
    NoVersion,
    /// A revision that we cannot read: what it calls a tool, and where, nobody knows.
    #[error("this revision of MCP is not supported")]
    UnknownVersion,
    /// The issuer's keys are not known yet.
    #[error("the keys of the token issuer are not available yet")]
    NoKeys,
    /// Nobody can say at the moment what an opaque token is worth.
    #[error("the token cannot be checked at the moment, try again in a few seconds")]
    NoAnswer,
    /// Everything that a worker may hold is held already.
    #[error("too many requests are under way at this gateway, try again in a few seconds")]
    Busy,
    /// We failed.
    #[error("the gateway failed on this request")]
    Failure,
}

/// Why a token is not valid; says the kind of flaw and nothing of the token.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum TokenFlaw {
    /// `Authorization: Bearer` without one well-formed token.
    #[error("the bearer token is malformed")]
    Malformed,
    /// A personal access token that was mistyped or cut off.
    #[error("the checksum of the token is wrong: it was mistyped or cut off")]
    Checksum,
    /// An opaque token that stands for nothing here.
    #[error("the token is unknown, for another resource, has expired or was revoked")]
    Unknown,
    /// Longer than any token needs to be.
    #[error("the token is too long")]
    TooLong,
    /// The algorithm is not the key's; `none` and symmetric ones never are.
    #[error("the algorithm of the token is not that of its key")]
    Algorithm,
    /// `crit` names extensions, and none are understood (RFC 7515 section 4.1.11).
    #[error("the token has critical extensions that are not understood")]
    Critical,
    /// No `kid`, and several keys.
    #[error("the token does not say which key signed it")]
    MissingKeyId,
    /// The issuer has no such key.
    #[error("the token is signed with a key that its issuer does not have")]
    UnknownKey,
    /// The signature is not of that key over these bytes.
    #[error("the signature of the token is not valid")]
    Signature,
    /// An ID token, or any other JWT that is no access token (RFC 9068 section 4).
    #[error("the token is not an access token")]
    Type,
    /// Claims are missing, or of the wrong type.
    #[error("the claims of the token cannot be read")]
    Claims,
    /// Another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// Issued for another resource (RFC 8707).
    #[error("the token is for another resource")]
    Audience,
    /// It would be valid for ever.
    #[error("the token does not say when it expires")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` are to come.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// The answer to a refused request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers, besides those that Envoy adds.
    pub headers: Vec<(&'static str, String)>,
    /// A JSON-RPC error.
    pub body: String,
}

/// One line of the table.
struct Row {
    status: u16,
    code: i64,
    outcome: Outcome,
    fault: Fault,
}

impl Refusal {
    const fn row(self) -> Row {
        use Outcome::{Denied, Invalid, Unauthenticated};
        let (status, code, outcome, fault) = match self {
            Self::MissingToken | Self::InvalidToken(_) => {
                (401, 401, Unauthenticated, Fault::Client)
            }
            Self::InsufficientScope | Self::ForeignOrigin => (403, 403, Denied, Fault::Client),
            Self::Method => (405, 405, Invalid, Fault::Client),
            Self::BodyTooLarge(_) => (413, 413, Invalid, Fault::Client),
            Self::HeadersTooLarge(_) => (431, 431, Invalid, Fault::Client),
            Self::ContentEncoding | Self::ContentType => (415, 415, Invalid, Fault::Client),
            Self::Message(Flaw::Json(_)) => (400, PARSE_ERROR, Invalid, Fault::Client),
            Self::StrayBody
            | Self::Message(_)
            | Self::Duplicate(_)
            | Self::Batch
            | Self::BatchSize(_) => (400, INVALID_REQUEST, Invalid, Fault::Client),
            Self::Headers(_) => (400, HEADER_MISMATCH, Invalid, Fault::Client),
            Self::NoVersion | Self::NoText(_) => (400, INVALID_PARAMS, Invalid, Fault::Client),
            Self::UnknownVersion => (400, UNSUPPORTED_VERSION, Invalid, Fault::Client),
            Self::NoKeys | Self::NoAnswer => (503, 503, Unauthenticated, Fault::Gateway),
            Self::Busy => (503, 503, Invalid, Fault::Gateway),
            Self::Failure => (500, 500, Invalid, Fault::Gateway),
        };
        Row { status, code, outcome, fault }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// JSON-RPC error code: those of the specification, else the HTTP status, which lies outside of what JSON-RPC
    /// and MCP reserve.
    #[must_use]
    pub const fn code(self) -> i64 {
        self.row().code
    }

    /// How the event says that it ended.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        self.row().outcome
    }

    /// Whose fault it was.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.row().fault
    }

    /// The answer; `id` is the request's, as it was written, when it is known.
    #[must_use]
    pub fn reply(self, endpoint: &Endpoint, id: Option<&str>) -> Reply {
        let mut reply = self.plain_reply(id);
        let headers = &mut reply.headers;
        match self {
            Self::MissingToken => headers.push(("www-authenticate", endpoint.challenge.clone())),
            Self::InvalidToken(flaw) => {
                headers.push(("www-authenticate", endpoint.token_challenge(&flaw.to_string())));
            }
            Self::InsufficientScope => {
                headers.push(("www-authenticate", endpoint.scope_challenge.clone()));
            }
            Self::Method => headers.push(("allow", "POST, GET, DELETE".to_owned())),
            Self::NoKeys | Self::NoAnswer | Self::Busy => {
                headers.push(("retry-after", "1".to_owned()))
            }
            Self::ForeignOrigin
            | Self::BodyTooLarge(_)
            | Self::HeadersTooLarge(_)
            | Self::StrayBody
            | Self::ContentEncoding
            | Self::ContentType
            | Self::Message(_)
            | Self::Duplicate(_)
            | Self::NoText(_)
            | Self::Batch
            | Self::BatchSize(_)
            | Self::Headers(_)
            | Self::NoVersion
            | Self::UnknownVersion
            | Self::Failure => {}
        }
        reply
    }

    /// The answer to a request of a revision that we cannot read: it names those that it could have been of
    /// (2026-07-28, "Protocol Version Header").
    #[must_use]
    pub fn version_reply(requested: &str, id: Option<&str>) -> Reply {
        let data = json!({ "supported": MODERN_REVISIONS, "requested": requested }).to_string();
        let refusal = Self::UnknownVersion;
        let mut reply = refusal.plain_reply(None);
        reply.body = jsonrpc::error_body(id, refusal.code(), &refusal.to_string(), Some(&data));
        reply
    }

    /// The answer where no endpoint is at hand: without its challenge.
    #[must_use]
    pub fn plain_reply(self, id: Option<&str>) -> Reply {
        let Row { status, code, .. } = self.row();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ];
        Reply { status, headers, body: jsonrpc::error_body(id, code, &self.to_string(), None) }
    }
}

#[cfg(test)]
mod tests;
