//! A request that comes before the issuer's keys waits for them; many that do stop nothing.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack, eventually},
    upstream::{Upstream, mcp},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

const FLOOD: usize = 2_000;

/// A stack with a server that echoes, and where authsvc listens.
async fn stack(server: &Upstream) -> Result<(Stack, SocketAddr)> {
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let listen = setup.config["service"]["listen"].as_str().context("service.listen")?.parse()?;
    Ok((setup.start().await?, listen))
}

#[tokio::test]
async fn a_request_before_the_first_keys_waits_for_them() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let (mut stack, listen) = stack(&server).await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    let jwks = format!("{}/oauth/jwks.json", stack.public_url());
    let jwks = http::client().get(jwks).send().await?.text().await?;

    // An authsvc that accepts the question for its keys, and answers when we say so.
    stack.authsvc.stop(Duration::from_secs(20)).await?;
    let slow = TcpListener::bind(listen).await?;
    stack.restart_envoy().await?;
    let (mut asked, _) = slow.accept().await?;
    let arguments = json!({"text": "x".repeat(100_000), "attache_intent": "to see that it waits"});
    let call = tokio::spawn(async move { session.call("echo", arguments).await });
    eventually(Duration::from_secs(10), async || {
        let active = stack.statistic("http.attache.downstream_rq_active").await?;
        ensure!(active == 1, "{active} requests");
        Ok(())
    })
    .await?;
    ensure!(!call.is_finished(), "the call was answered before there were keys");
    let length = jwks.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{jwks}"
    );
    asked.write_all(answer.as_bytes()).await?;
    let answer = call.await??;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let seen = server.seen();
    let body = &seen.last().context("the server saw nothing")?.body;
    ensure!(!body.windows(14).any(|bytes| bytes == b"attache_intent"), "the argument was not cut");
    Ok(())
}

#[tokio::test]
async fn strangers_who_wait_for_keys_by_the_thousand_are_refused_and_stop_nothing() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let (mut stack, _) = stack(&server).await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    stack.authsvc.stop(Duration::from_secs(20)).await?;
    stack.restart_envoy().await?;

    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let head = part(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"zz"}"#);
    let token = format!("{head}.{}.{}", part(r#"{"iss":"x"}"#), part(&"x".repeat(64)));
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":"{}"}}"#, "x".repeat(30_000));
    let host = stack.public_url().trim_start_matches("http://");
    let request = format!(
        "POST /everything/mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut flood = JoinSet::new();
    for _ in 0..FLOOD {
        flood.spawn(status(stack.listen(), request.clone()));
    }
    let mut answers = BTreeMap::new();
    while let Some(answered) = flood.join_next().await {
        *answers.entry(answered??).or_insert(0) += 1;
    }
    assert_eq!(answers, BTreeMap::from([("503".to_owned(), FLOOD)]));

    stack.restart_authsvc().await?;
    let arguments = json!({"text": "still here"});
    let answer = eventually(Duration::from_secs(40), async || {
        let session = Mcp::initialized(&url, &tokens.access).await?;
        session.call("echo", arguments.clone()).await
    })
    .await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert_eq!(stack.statistic("wasmcustom.attache_panics").await?, 0);
    let log = std::fs::read_to_string(stack.envoy.log())?;
    ensure!(!log.contains("Function: proxy_on"), "the filter trapped:\n{log}");
    stack.stop().await
}

/// Sends a request on a connection of its own; the status of the answer.
async fn status(to: SocketAddr, request: String) -> Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    // Who is refused at once may not be read to the end.
    drop(stream.write_all(request.as_bytes()).await);
    let mut head = vec![0; 1024];
    let read = timeout(Duration::from_secs(60), stream.read(&mut head)).await;
    let read = read.context("no answer within a minute")??;
    let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
    head.split(' ').nth(1).map(str::to_owned).with_context(|| format!("no status in {head:?}"))
}
