//! A small MCP server without sessions, as a script: what most tests want behind the gateway.

use serde_json::{Value, json};

use super::{Answer, Seen};

/// Answers as a server with one tool, `echo`, which answers with the arguments that reached it.
#[must_use]
pub fn echo(request: &Seen) -> Answer {
    with_tools(
        request,
        &json!([{
            "name": "echo",
            "description": "Says what it was told.",
            "inputSchema": {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
            },
        }]),
    )
}

/// The same with these tools.
#[must_use]
pub fn with_tools(request: &Seen, tools: &Value) -> Answer {
    if request.method != "POST" {
        return Answer::status(405);
    }
    let message = request.json();
    let id = &message["id"];
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => Answer::result(id, &initialized(&message)),
        "tools/list" => Answer::result(id, &json!({"tools": tools})),
        "tools/call" => Answer::result(id, &called(&message)),
        "ping" => Answer::result(id, &json!({})),
        _ if id.is_null() => Answer::status(202),
        other => {
            let error = json!({"code": -32601, "message": format!("no method {other}")});
            Answer::json(json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string())
        }
    }
}

fn initialized(message: &Value) -> Value {
    json!({
        "protocolVersion": message["params"]["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "scripted", "version": "1.0"},
    })
}

fn called(message: &Value) -> Value {
    let arguments = message["params"]["arguments"].to_string();
    json!({"content": [{"type": "text", "text": arguments}], "isError": false})
}
