//! MCP over plain HTTP: what a client library does, with every byte in the test's hand.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::http;

/// Protocol version of the handshake.
pub const VERSION: &str = "2025-11-25";

/// One session with one MCP server, or the attempt at it.
#[derive(Clone, Debug)]
pub struct Mcp {
    http: Client,
    url: String,
    token: Option<String>,
    session: Option<String>,
}

impl Mcp {
    /// Speaks to `url` with a token, without a handshake so far.
    #[must_use]
    pub fn new(url: &str, token: Option<&str>) -> Self {
        Self {
            http: http::client(),
            url: url.to_owned(),
            token: token.map(str::to_owned),
            session: None,
        }
    }

    /// The token that it speaks with.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Speaks to `url` after the handshake.
    ///
    /// # Errors
    /// When the handshake is refused.
    pub async fn initialized(url: &str, token: &str) -> Result<Self> {
        let mut mcp = Self::new(url, Some(token));
        let initialize = json!({
            "jsonrpc": "2.0", "id": "initialize", "method": "initialize",
            "params": {
                "protocolVersion": VERSION, "capabilities": {},
                "clientInfo": {"name": "plain-http", "version": "1.0"},
            },
        });
        let answer = mcp.post(initialize.to_string()).await?;
        let session = answer.headers().get("mcp-session-id");
        mcp.session = session.map(|id| id.to_str().map(str::to_owned)).transpose()?;
        let answer = message(answer, &json!("initialize")).await?;
        ensure!(answer["result"].is_object(), "initialize: {answer}");
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = mcp.post(initialized.to_string()).await?;
        ensure!(answer.status() == 202, "notifications/initialized: {}", answer.status());
        Ok(mcp)
    }

    /// Posts these bytes.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Result<Response> {
        self.post_as("application/json", body).await
    }

    /// Posts these bytes as this media type.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post_as(
        &self,
        media_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Result<Response> {
        let mut request = self
            .http
            .post(&self.url)
            .header("content-type", media_type)
            .header("accept", "application/json, text/event-stream")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
            request = request.header("mcp-protocol-version", VERSION);
        }
        request.send().await.with_context(|| format!("POST {}", self.url))
    }

    /// Sends a request; the whole response message, result or error.
    ///
    /// # Errors
    /// When no message with the request's id comes back.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value> {
        let id = json!(method);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        message(self.post(request.to_string()).await?, &id).await
    }

    /// Calls a tool; the whole response message.
    ///
    /// # Errors
    /// When no response comes back.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value> {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The server's tools.
    ///
    /// # Errors
    /// When the response holds none.
    pub async fn tools(&self) -> Result<Vec<Value>> {
        let answer = self.request("tools/list", json!({})).await?;
        let tools = answer.pointer("/result/tools").and_then(Value::as_array);
        tools.cloned().with_context(|| format!("no tools in {answer}"))
    }
}

/// The message with this id, from a JSON answer or from an event stream.
///
/// # Errors
/// When there is none.
pub async fn message(answer: Response, id: &Value) -> Result<Value> {
    let status = answer.status();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap_or_default());
    let streamed = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    if streamed {
        return streamed_message(answer, id).await;
    }
    let text = answer.text().await?;
    serde_json::from_str(&text).with_context(|| format!("{status} and not a message: {text}"))
}

async fn streamed_message(mut answer: Response, id: &Value) -> Result<Value> {
    let mut text = Vec::new();
    loop {
        for message in messages(&String::from_utf8_lossy(&text)) {
            if message["id"] == *id && message.get("method").is_none() {
                return Ok(message);
            }
        }
        let chunk = answer.chunk().await?;
        text.extend_from_slice(&chunk.with_context(|| {
            format!("the stream ended without {id}: {}", String::from_utf8_lossy(&text))
        })?);
    }
}

/// The messages of the complete events of a stream.
#[must_use]
pub fn messages(stream: &str) -> Vec<Value> {
    let stream = stream.replace("\r\n", "\n");
    let (complete, _) = stream.rsplit_once("\n\n").unwrap_or_default();
    let events = complete.split("\n\n").map(|event| {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    events.filter_map(|data| serde_json::from_str(&data).ok()).collect()
}
