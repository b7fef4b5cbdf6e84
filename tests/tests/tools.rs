//! Tool lists gain an argument, calls lose it, and nothing else changes: whatever the server's shape of answer.

use anyhow::Result;
use attache_tests::{
    mcp::{Mcp, message},
    oauth,
    stack::{Setup, Stack},
    upstream::{Answer, Seen, Upstream, mcp},
};
use serde_json::{Value, json};

/// A tool list that no tidy serializer would write: order, numbers, escapes and unknown members must survive.
const LIST: &str = r#"{"jsonrpc":"2.0","id":"tools/list","result":{"tools":[
  {"name":"plain","inputSchema":{"type":"object","properties":{"z":{"const":1.0e2},"a":{"type":"string"}},"required":["z"],"additionalProperties":false,"$defs":{"d":{}}},"x-unknown":{"big":12345678901234567890}},
  {"name":"no-properties","inputSchema":{"type":"object"}},
  {"name":"no-schema"},
  {"name":"caf\u00e9","inputSchema":{"type":"object","properties":{}}}
],"nextCursor":"caf\u00e9","_meta":{"n":-9007199254740993}}}"#;

/// Starts a gateway before a server that answers `tools/list` so, and everything else as usual.
async fn listing<L>(list: L) -> Result<(Upstream, Stack, Mcp)>
where
    L: Fn(&Seen) -> Answer + Send + Sync + 'static,
{
    let server = Upstream::start(move |request| match request.json()["method"].as_str() {
        Some("tools/list") => list(request),
        _ => mcp::echo(request),
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    Ok((server, stack, session))
}

/// That a list is the server's, but for the injected argument in every tool.
fn injected_and_nothing_else(text: &str) {
    let mut answer: Value = serde_json::from_str(text).expect("JSON");
    let tools = answer["result"]["tools"].as_array_mut().expect("tools");
    for tool in tools.iter_mut() {
        let schema =
            tool["inputSchema"].as_object_mut().expect("a schema, made where there was none");
        let properties = schema["properties"].as_object_mut().expect("properties");
        assert!(properties.remove("attache_intent").is_some(), "not injected");
    }
    assert_eq!(answer["result"]["tools"][0], original()["result"]["tools"][0]);
    for kept in
        [r#""big":12345678901234567890"#, "1.0e2", r#""caf\u00e9""#, r#""n":-9007199254740993"#]
    {
        assert!(text.contains(kept), "{kept} was rewritten: {text}");
    }
    let mut properties = text.split(r#""properties":{"#).skip(1);
    assert!(properties.all(|rest| rest.contains("attache_intent")));
    assert!(!text.contains(r#""required":["z","attache"#), "it may never be required");
}

fn original() -> Value {
    serde_json::from_str(LIST).expect("JSON")
}

async fn listed(session: &Mcp) -> Result<String> {
    let request = r#"{"jsonrpc":"2.0","id":"tools/list","method":"tools/list"}"#;
    let answer = session.post(request).await?;
    assert_eq!(answer.status(), 200);
    Ok(answer.text().await?)
}

#[tokio::test]
async fn a_list_as_json_with_content_length_is_injected() -> Result<()> {
    let (_server, _stack, session) = listing(|_| Answer::json(LIST)).await?;
    injected_and_nothing_else(&listed(&session).await?);
    Ok(())
}

#[tokio::test]
async fn a_list_as_json_in_chunks_with_any_charset_is_injected() -> Result<()> {
    let (_server, _stack, session) = listing(|_| {
        let chunks = LIST.as_bytes().chunks(7);
        Answer::chunked_json(chunks).header("content-type", "Application/JSON ; Charset=\"utf-8\"")
    })
    .await?;
    injected_and_nothing_else(&listed(&session).await?);
    Ok(())
}

#[tokio::test]
async fn a_list_in_an_event_stream_is_injected_among_comments_and_whatever_the_cuts() -> Result<()>
{
    let one_line = LIST.replace('\n', "");
    let stream = format!(
        ": a comment\r\n\r\nretry: 3000\n\nid: 1\ndata:\n\n: keep-alive\n\nevent: message\nid: 2\ndata: {one_line}\n\n: the end\n\n"
    );
    let (_server, _stack, session) = listing(move |_| {
        Answer::sse(stream.as_bytes().chunks(11))
            .header("content-type", "text/event-stream;charset=UTF-8")
    })
    .await?;
    let text = listed(&session).await?;
    for kept in [
        ": a comment\r\n",
        "retry: 3000\n",
        "id: 1\ndata:\n",
        ": keep-alive\n",
        "id: 2\n",
        ": the end\n",
    ] {
        assert!(text.contains(kept), "{kept:?} is gone from {text}");
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data: {"));
    injected_and_nothing_else(&format!("{{{}", data.expect("the message")));
    Ok(())
}

#[tokio::test]
async fn an_event_of_more_than_64_kib_passes_and_is_injected() -> Result<()> {
    let long = "x".repeat(300_000);
    let list = json!({"jsonrpc": "2.0", "id": "tools/list", "result": {"tools": [
        {"name": "long", "description": long, "inputSchema": {"type": "object", "properties": {}}}
    ]}});
    let stream = format!("data: {list}\n\n");
    let (_server, _stack, session) =
        listing(move |_| Answer::sse(stream.as_bytes().chunks(16_384))).await?;
    let tools = session.tools().await?;
    assert_eq!(tools[0]["description"].as_str().map(str::len), Some(300_000));
    assert!(tools[0]["inputSchema"]["properties"]["attache_intent"].is_object());
    Ok(())
}

#[tokio::test]
async fn a_call_reaches_the_server_byte_for_byte_but_for_our_arguments() -> Result<()> {
    let (server, _stack, session) = listing(|_| Answer::json(LIST)).await?;
    drop(server.take());
    let sent = [
        (
            r#"{"jsonrpc": "2.0", "id": -9007199254740993, "method":"tools/call","params":{"arguments":{"text":"caf\u00e9 \ud83d\ude00","attache_intent":"why, \"quoted\" }","n":1.0},"name":"echo" , "_meta":{"k":[1e300]}}}"#,
            r#"{"jsonrpc": "2.0", "id": -9007199254740993, "method":"tools/call","params":{"arguments":{"text":"caf\u00e9 \ud83d\ude00","n":1.0},"name":"echo" , "_meta":{"k":[1e300]}}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"tools/call","params":{"name":"echo"}}"#,
            r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"tools/call","params":{"name":"echo"}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"attache_intent":["not","a","string"],"attache_prompt":"p","attache_history":1}}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#,
        ),
    ];
    for (request, arrives) in sent {
        let answer = session.post(request).await?;
        assert_eq!(answer.status(), 200, "{request}");
        let arrived = server.take();
        assert_eq!(arrived.len(), 1, "{arrived:?}");
        assert_eq!(arrived[0].text(), arrives);
        assert_eq!(arrived[0].header("content-length"), Some(arrives.len().to_string().as_str()));
    }
    Ok(())
}

#[tokio::test]
async fn ids_come_back_as_the_server_wrote_them() -> Result<()> {
    let id = "-123456789012345678901234567890";
    let (_server, _stack, session) = listing(move |_| {
        Answer::json(LIST.replace(r#""id":"tools/list""#, &format!(r#""id":{id}"#)))
    })
    .await?;
    let request = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
    let text = session.post(request).await?.text().await?;
    assert!(text.contains(&format!(r#""id":{id}"#)), "{text}");
    injected_and_nothing_else(&text.replace(&format!(r#""id":{id}"#), r#""id":"tools/list""#));
    Ok(())
}

#[tokio::test]
async fn a_tool_that_owns_our_argument_keeps_it() -> Result<()> {
    let list = r#"{"jsonrpc":"2.0","id":"tools/list","result":{"tools":[{"name":"owner","inputSchema":{"type":"object","properties":{"attache_intent":{"type":"integer"}}}}]}}"#;
    let (_server, _stack, session) = listing(move |_| Answer::json(list)).await?;
    assert_eq!(listed(&session).await?, list);
    Ok(())
}

#[tokio::test]
async fn answers_that_need_no_change_are_not_changed() -> Result<()> {
    let odd =
        r#"{ "id" :"tools/list","jsonrpc":"2.0" , "error":{"code":-32000,"message":"caf\u00e9"} }"#;
    let (_server, _stack, session) = listing(move |_| Answer::json(odd)).await?;
    assert_eq!(listed(&session).await?, odd);
    let answer = session.post(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#).await?;
    assert_eq!(message(answer, &json!("p")).await?["result"], json!({}));
    Ok(())
}
