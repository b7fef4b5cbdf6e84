//! One analytics event: the filter makes it, authsvc stores and delivers it.
//!
//! One per final outcome of a message and one per refusal. Webhooks, the page and every other
//! format are renderings of this row. Members that a reader does not know are ignored: the filter and the service
//! are updated one after the other, and whichever is older must understand the other.

use serde::{Deserialize, Serialize};

/// What happened to one message, or to one request that never became a message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// UUID version 7 (RFC 9562 section 5.7), made once; delivery and storage are idempotent by it.
    pub id: String,
    /// When the request began, Unix time in milliseconds.
    pub started_at_ms: u64,
    /// From the first byte of the request to the last of the response, microseconds.
    pub duration_us: u64,
    /// The part of it spent waiting for the server's response, microseconds; absent when it was never asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_us: Option<u64>,
    /// Path of the endpoint as clients know it.
    pub endpoint: String,
    /// Configured name of the MCP server.
    pub server: String,
    /// JSON-RPC method; for a request without one, what HTTP said (`GET`, `DELETE`, `POST`).
    pub method: String,
    /// Tool, prompt or resource that the method names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whose fault it was; absent when nothing went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// HTTP status that the client saw; absent when it saw none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// JSON-RPC error code, ours or the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// One sentence on what was refused; never contains a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes of the request body as received.
    pub request_bytes: u64,
    /// Bytes of the response body as the server sent it.
    pub response_bytes: u64,
    /// Who, as the token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Their e-mail address, as the token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// OAuth client that the token was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `clientInfo` as the client says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientInfo>,
    /// `User-Agent` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `Mcp-Session-Id` (legacy era).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// MCP revision of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// Why the tool was called, in the model's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The prompt, verbatim (opt-in).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The conversation before it (opt-in).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Names in a list that the server answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<String>,
    /// The task that the message began or is about (2025-11-25, tasks extension of 2026-07-28): what became of a
    /// call that was answered with a task is told by the later events of that task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `traceparent` of HTTP or of `params._meta` (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// `x-request-id` of the HTTP request, as Envoy made it or took it over: what its answer carries, and Envoy's access
    /// log. The messages of a batch share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A result.
    Ok,
    /// A tool result with `isError: true`.
    ToolError,
    /// A JSON-RPC error of the server.
    RpcError,
    /// The caller may not do that.
    Denied,
    /// No token, or not a valid one.
    Unauthenticated,
    /// Not a message that we let through.
    Invalid,
    /// The server could not be reached or answered with an HTTP error.
    UpstreamError,
    /// Nobody answered in time.
    Timeout,
    /// The client went away first.
    Cancelled,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::RpcError => "rpc_error",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Invalid => "invalid",
            Self::UpstreamError => "upstream_error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The one who asked.
    Client,
    /// Us.
    Gateway,
    /// The MCP server.
    Server,
}

/// `clientInfo` of `initialize` or of `_meta` (unverified).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClientInfo {
    /// `clientInfo.name`.
    pub name: String,
    /// `clientInfo.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Why a tool was called.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Intent {
    /// The text, cut to the configured length.
    pub text: String,
    /// Where it came from.
    pub source: IntentSource,
}

/// Where an intent came from; the client's own word outranks the argument.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentSource {
    /// `_meta["io.modelcontextprotocol/aiInvocation"].userIntent`.
    ClientMetadata,
    /// The injected argument.
    Argument,
}

/// Body of `POST /internal/events`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Batch {
    /// Events lost in the sender since its last accepted batch, because its outbox was full.
    #[serde(default)]
    pub dropped: u64,
    /// The same, because requests without a token caused too many of them.
    #[serde(default)]
    pub throttled: u64,
    /// In the order they were made.
    pub events: Vec<Event>,
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::Outcome;

    #[test]
    fn an_outcome_is_called_the_same_wherever_it_is_written() {
        // Who reads one that does not exist is told of all that do, each between backticks.
        let error = serde_json::from_str::<Outcome>("\"?\"").unwrap_err().to_string();
        let names: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
        let (unknown, known) = names.split_first().unwrap();
        assert_eq!(*unknown, "?", "{error}");
        assert!(known.contains(&"ok"), "{error}");
        for name in known {
            let outcome: Outcome = serde_json::from_value((*name).into()).unwrap();
            assert_eq!(outcome.as_str(), *name);
        }
    }
}
