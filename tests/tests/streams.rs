//! Streams stream: what the server sends leaves at once, and what it cuts is seen to be cut.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::Setup,
    upstream::{Answer, Step, Upstream, mcp},
};
use reqwest::{Method, Response};
use tokio::{sync::Notify, time::timeout};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const PROGRESS: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n";
const RESULT: &[u8] =
    b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"isError\":true}}\n\n";

async fn next_chunk(answer: &mut Response) -> Result<Option<Vec<u8>>> {
    let chunk = timeout(Duration::from_secs(10), answer.chunk()).await.context("nothing came")?;
    Ok(chunk?.map(|bytes| bytes.to_vec()))
}

#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_sent() -> Result<()> {
    let arrived = Arc::new(Notify::new());
    let said = Arc::clone(&arrived);
    let server = Upstream::start(move |request| {
        if request.json()["method"] != "tools/call" {
            return mcp::echo(request);
        }
        let steps = vec![
            Step::Send(PROGRESS.to_vec()),
            Step::Until(Arc::clone(&said)),
            Step::Send(RESULT.to_vec()),
        ];
        Answer::sse_steps(steps)
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
    let session = Mcp::initialized(&stack.url("everything"), &tokens.access).await?;

    let mut answer = session.post(CALL).await?;
    assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(PROGRESS));
    arrived.notify_one();
    assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(RESULT));
    assert_eq!(next_chunk(&mut answer).await?, None, "the server ended the stream");

    let event = stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["outcome"], "tool_error");
    assert_eq!(event["fault"], "server");
    Ok(())
}

#[tokio::test]
async fn a_rewritten_list_and_a_get_stream_give_each_event_away_before_the_next_is_sent()
-> Result<()> {
    const LISTED: &str = r#"data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
    let arrived = Arc::new(Notify::new());
    let said = Arc::clone(&arrived);
    let server = Upstream::start(move |_| {
        Answer::sse_steps(vec![
            Step::Send(b": here\n\n".to_vec()),
            Step::Until(Arc::clone(&said)),
            Step::Send(PROGRESS.to_vec()),
            Step::Until(Arc::clone(&said)),
            Step::Send(format!("{LISTED}\n\n").into_bytes()),
        ])
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
    let request = |method| {
        let request = http::client().request(method, stack.url("everything"));
        request.bearer_auth(&tokens.access).header("content-type", "application/json")
    };
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (request, injected) in
        [(request(Method::POST).body(list), true), (request(Method::GET), false)]
    {
        let mut answer = request.send().await?;
        assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(b": here\n\n".as_slice()));
        arrived.notify_one();
        assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(PROGRESS));
        arrived.notify_one();
        let listed = next_chunk(&mut answer).await?.context("a list")?;
        assert_eq!(String::from_utf8_lossy(&listed).contains("attache_intent"), injected);
        assert_eq!(next_chunk(&mut answer).await?, None, "the server ended the stream");
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_the_server_cuts_is_cut_for_the_client_and_said_so_in_the_event() -> Result<()>
{
    let server = Upstream::start(|request| match request.json()["method"].as_str() {
        Some("tools/call") => Answer::sse_steps(vec![
            Step::Send(PROGRESS.to_vec()),
            Step::Wait(Duration::from_millis(50)),
            Step::Cut,
        ]),
        _ => mcp::echo(request),
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
    let session = Mcp::initialized(&stack.url("everything"), &tokens.access).await?;

    let mut answer = session.post(CALL).await?;
    assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(PROGRESS));
    assert!(next_chunk(&mut answer).await.is_err(), "a cut looks like a good end");
    let event = stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["outcome"], "upstream_error", "{event}");
    assert_eq!(event["fault"], "server", "{event}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_at_the_server_and_is_an_event() -> Result<()> {
    let server = Upstream::start(|request| match request.json()["method"].as_str() {
        Some("tools/call") => {
            Answer::sse_steps(vec![Step::Send(PROGRESS.to_vec()), Step::StayOpen])
        }
        _ => mcp::echo(request),
    })
    .await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
    let session = Mcp::initialized(&stack.url("everything"), &tokens.access).await?;

    let mut answer = session.post(CALL).await?;
    assert_eq!(next_chunk(&mut answer).await?.as_deref(), Some(PROGRESS));
    drop((answer, session));
    let event = stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["outcome"], "cancelled");
    Ok(())
}
