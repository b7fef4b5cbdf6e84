//! Access tokens that must not be believed, made with a library that is not ours, against Envoy with the filter.
//!
//! The forger has the key that signs: every token of his but one is refused for the one thing that is wrong with it.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    mcp::Mcp,
    oauth,
    stack::{Setup, Stack, launch, parts},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::Value;

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

/// A gateway whose signing key is known, and a token of it.
struct Gateway {
    server: Upstream,
    stack: Stack,
    token: String,
}

impl Gateway {
    async fn start() -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let setup = Setup::new().server("everything", &server.url("/mcp"));
        let mut stack = setup.server("other", &server.url("/mcp")).start().await?;
        stack.authsvc.stop(launch::PATIENCE).await?;
        let database = stack.folder().join("attache.db");
        let planted = forge(&["plant", database.to_str().context("a path in UTF-8")?])?;
        stack.restart_authsvc().await?;
        stack.restart_envoy().await?;
        let (_, tokens) = oauth::connect(&stack.url("everything")).await?;
        let (header, _) = oauth::claims(&tokens.access)?;
        ensure!(header["kid"] == planted["kid"].as_str(), "another key signed: {header}");
        drop(server.take());
        Ok(Self { server, stack, token: tokens.access })
    }

    /// Presents each token: `control` passes, no other does, and of those the server hears nothing.
    async fn refuses_all_but_the_control(
        &self,
        mut tokens: BTreeMap<String, String>,
    ) -> Result<()> {
        ensure!(tokens.len() > 20, "only {} tokens", tokens.len());
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let good = tokens.remove("control").context("no control")?;
        for (what, token) in &tokens {
            let answer = Mcp::new(&self.stack.url("everything"), Some(token)).post(ping).await?;
            ensure!(answer.status() == 401, "{what}: {}", answer.status());
            let challenge = answer.headers()["www-authenticate"].to_str()?;
            ensure!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        }
        let seen = self.server.take();
        ensure!(seen.is_empty(), "the server saw {seen:?}");
        let answer = Mcp::new(&self.stack.url("everything"), Some(&good)).post(ping).await?;
        ensure!(answer.status() == 200, "the control: {}", answer.status());
        Ok(())
    }
}

/// What the forger makes.
fn forge(arguments: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut command = Command::new(parts::python()?);
    command.arg(parts::root().join("tests/clients/forge.py")).args(arguments);
    Ok(serde_json::from_str(&launch::run("forge.py", command)?)?)
}

#[tokio::test]
async fn jwt_confusion_with_our_own_signature() -> Result<()> {
    let gateway = Gateway::start().await?;
    gateway.refuses_all_but_the_control(forge(&["signed", &gateway.token])?).await?;

    // Nothing wrong with it but that it is for the server next door.
    let (_, tokens) = oauth::connect(&gateway.stack.url("other")).await?;
    let answer =
        Mcp::new(&gateway.stack.url("everything"), Some(&tokens.access)).post("{}").await?;
    ensure!(answer.status() == 401, "a token for another server: {}", answer.status());
    gateway.stack.stop().await
}

#[tokio::test]
async fn jwt_confusion_without_our_signature() -> Result<()> {
    let gateway = Gateway::start().await?;
    let evil = Upstream::start(|_| Answer::json("{}")).await?;
    let tokens = forge(&["unsigned", &gateway.token, &evil.url("")])?;
    gateway.refuses_all_but_the_control(tokens).await?;
    let seen = evil.take();
    ensure!(seen.is_empty(), "keys were fetched from where a token said: {seen:?}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn jwt_of_another_issuer_with_our_key() -> Result<()> {
    // Two installations with one key, as a copied database makes them.
    let (one, other) = (Gateway::start().await?, Gateway::start().await?);
    for (here, from) in [(&one, &other), (&other, &one)] {
        let url = here.stack.url("everything");
        let mcp = Mcp::new(&url, Some(&from.token));
        ensure!(mcp.post("{}").await?.status() == 401, "a token of another issuer");
        ensure!(here.server.take().is_empty(), "it reached the server");
        Mcp::initialized(&url, &here.token).await?;
    }
    one.stack.stop().await?;
    other.stack.stop().await
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_for_keys_once_and_hurts_nobody() -> Result<()> {
    let gateway = Gateway::start().await?;
    let url = gateway.stack.url("everything");
    let mcp = Mcp::initialized(&url, &gateway.token).await?;
    let (header, _) = oauth::claims(&gateway.token)?;
    let asked = async || gateway.stack.statistic("cluster.authsvc.upstream_rq_total").await;
    let before = asked().await?;
    let mut flood = Vec::new();
    for number in 0..200 {
        let token = renamed(&gateway.token, &header, &format!("unknown-{number}"))?;
        let mcp = Mcp::new(&url, Some(&token));
        flood.push(tokio::spawn(async move { mcp.post("{}").await.map(|it| it.status()) }));
        if number % 20 == 0 {
            mcp_works(&gateway).await?;
        }
    }
    for answer in flood {
        // 503: no keys came in time for those that waited for them.
        let status = answer.await??;
        ensure!([401, 503].contains(&status.as_u16()), "{status}");
    }
    let fetches = asked().await? - before;
    // One every ten seconds, however many ask.
    ensure!(fetches <= 6, "{fetches} fetches of keys");
    ensure!(!mcp.tools().await?.is_empty(), "no tools");
    gateway.stack.stop().await
}

async fn mcp_works(gateway: &Gateway) -> Result<()> {
    let mcp = Mcp::new(&gateway.stack.url("everything"), Some(&gateway.token));
    let answer = mcp.request("ping", serde_json::json!({})).await?;
    ensure!(answer["result"].is_object(), "{answer}");
    Ok(())
}

/// The same token with another `kid`.
fn renamed(token: &str, header: &Value, kid: &str) -> Result<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut header = header.clone();
    header["kid"] = kid.into();
    let (_, rest) = token.split_once('.').context("a JWT")?;
    Ok(format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())))
}

/// Some clients post their refresh token to wherever the challenge of a server leads.
#[tokio::test]
async fn a_server_that_gets_no_tokens_gets_none_by_a_challenge() -> Result<()> {
    let phishing = Upstream::start(|_| {
        let elsewhere =
            r#"Bearer resource_metadata="https://id.example.com/x", error="invalid_token""#;
        Answer::json("{}").with_status(401).header("www-authenticate", elsewhere)
    })
    .await?;
    let stack = Setup::new().server("phishing", &phishing.url("/mcp")).start().await?;
    let url = stack.url("phishing");
    let (_, tokens) = oauth::connect(&url).await?;
    let answer = Mcp::new(&url, Some(&tokens.access)).post(PING).await?;
    assert_eq!(answer.status(), 401);
    let challenges: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
    let metadata =
        format!("{}/.well-known/oauth-protected-resource/phishing/mcp", stack.public_url());
    assert_eq!(
        challenges,
        [format!(r#"Bearer resource_metadata="{metadata}", scope="mcp""#).as_str()]
    );
    stack.stop().await
}
