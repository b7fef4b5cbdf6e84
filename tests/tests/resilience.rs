//! A part that is down takes with it only what it alone can do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, WEBHOOK_SECRET, ports},
    upstream::{Upstream, mcp},
};
use serde_json::{Value, json};

#[tokio::test]
async fn while_authsvc_is_down_known_tokens_go_on_and_no_event_is_lost() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;

    stack.authsvc.stop(Duration::from_secs(20)).await?;
    let metadata = format!("{}/.well-known/oauth-authorization-server", stack.public_url());
    let answer =
        http::client().get(metadata).header("origin", "http://localhost:6274").send().await?;
    assert_eq!(answer.status(), 503);
    assert!(
        answer.headers().contains_key("access-control-allow-origin"),
        "a browser cannot see why"
    );
    assert!(answer.json::<Value>().await?.is_object(), "503 without JSON");
    let arguments = json!({"text": "still here", "attache_intent": "to see that it goes on"});
    let answer = session.call("echo", arguments).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");

    stack.restart_authsvc().await?;
    let event = stack.event(|event| event["intent"]["text"] == "to see that it goes on").await?;
    assert_eq!(event["outcome"], "ok");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_down_is_a_clear_answer_and_an_event() -> Result<()> {
    let nobody = format!("http://{}/mcp", ports::free());
    let stack = Setup::new().server("everything", &nobody).start().await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let answer = Mcp::new(&url, Some(&tokens.access)).post(request).await?;
    assert_eq!(answer.status(), 503);
    let event = stack.event(|event| event["outcome"] == "upstream_error").await?;
    assert_eq!(event["fault"], "server");
    assert_eq!(event["status"], 503);
    Ok(())
}

#[tokio::test]
async fn a_webhook_receiver_that_fails_gets_the_event_again() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let receiver = Upstream::failing_once().await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let stack = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET).start().await?;
    let refused = Mcp::new(&stack.url("everything"), None).post("{}").await?;
    assert_eq!(refused.status(), 401);

    attache_tests::stack::eventually(Duration::from_secs(30), async || {
        (receiver.seen().len() >= 2).then_some(()).context("no second attempt")
    })
    .await?;
    let seen = receiver.seen();
    let ids: Vec<_> =
        seen.iter().map(|request| request.header("webhook-id").map(str::to_owned)).collect();
    assert_eq!(ids[0], ids[1], "the same event has the same id");
    assert_eq!(seen[0].body, seen[1].body);
    Ok(())
}
