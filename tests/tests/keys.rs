//! Signing keys change while clients work, and what was given back or taken away is dead within its bound.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth::{self, OAuth, Tokens},
    stack::{SERVICE_SECRET, Setup, Stack, eventually, launch, parts},
    upstream::{Upstream, mcp},
};
use reqwest::Response;
use serde_json::{Value, json};

/// The rendered configuration asks for keys every five minutes, and for an unknown one after ten seconds.
const REFRESH: (&str, &str) = ("\"refresh_seconds\": 300", "\"refresh_seconds\": 1");
const UNKNOWN: (&str, &str) = ("\"unknown_kid_seconds\": 10", "\"unknown_kid_seconds\": 1");

/// A gateway of two workers, and a client that was let in.
struct Gateway {
    _server: Upstream,
    stack: Stack,
    client: OAuth,
    tokens: Tokens,
}

impl Gateway {
    async fn start(instead: &[(&'static str, &'static str)]) -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let mut setup = Setup::new().server("everything", &server.url("/mcp"));
        setup.workers = 2;
        setup.instead = instead.to_vec();
        let stack = setup.start().await?;
        let (client, tokens) = oauth::connect(&stack.url("everything")).await?;
        Ok(Self { _server: server, stack, client, tokens })
    }

    /// An operator's command, beside the running service.
    fn authsvc(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(parts::authsvc()?);
        command.args(arguments).arg("-c").arg(self.stack.folder().join("attache.yaml"));
        launch::run(&format!("authsvc {}", arguments.join(" ")), command)
    }

    /// The `kid` in this state.
    fn kid(&self, state: &str) -> Result<String> {
        let listed = self.authsvc(&["key", "list"])?;
        let line = listed.lines().find(|line| line.contains(&format!(" {state} ")));
        let kid = line.and_then(|line| line.split_whitespace().next());
        Ok(kid.with_context(|| format!("no {state} key in:\n{listed}"))?.to_owned())
    }

    async fn session(&self, token: &str) -> Result<Mcp> {
        Mcp::initialized(&self.stack.url("everything"), token).await
    }

    async fn status(&self, token: &str) -> Result<u16> {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let mcp = Mcp::new(&self.stack.url("everything"), Some(token));
        Ok(mcp.post(call).await?.status().as_u16())
    }

    async fn introspect(&self, token: &str) -> Result<Value> {
        let url = format!("{}/internal/introspect", self.stack.internal_url());
        let request = http::client().post(url).bearer_auth(SERVICE_SECRET);
        Ok(request.form(&[("token", token)]).send().await?.json().await?)
    }

    async fn revoke(&self, token: &str) -> Result<Response> {
        let endpoint = self.client.discovered.server["revocation_endpoint"].as_str();
        let endpoint = endpoint.context("no revocation_endpoint in the metadata")?;
        let form = [("token", token), ("client_id", &self.client.client_id)];
        Ok(http::client().post(endpoint).form(&form).send().await?)
    }
}

fn kid_of(token: &str) -> Result<String> {
    let (header, _) = oauth::claims(token)?;
    Ok(header["kid"].as_str().context("no kid")?.to_owned())
}

#[tokio::test]
async fn s31_no_call_fails_while_the_keys_rotate() -> Result<()> {
    let gateway = Gateway::start(&[]).await?;
    let next = gateway.kid("next")?;
    let session = gateway.session(&gateway.tokens.access).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let working = tokio::spawn(async move {
        let mut calls = 0_u32;
        while !stopped.load(Ordering::Relaxed) {
            let answer = session.call("echo", json!({"text": calls.to_string()})).await?;
            ensure!(answer["result"]["isError"] == false, "call {calls}: {answer}");
            calls += 1;
        }
        Ok(calls)
    });

    // By itself it would be early: the next key was published a moment ago.
    let early = gateway.authsvc(&["key", "rotate"]);
    ensure!(early.is_err_and(|said| said.to_string().contains("use --now")), "not refused");
    gateway.authsvc(&["key", "rotate", "--now"])?;
    let refresh = gateway.tokens.refresh.as_deref().context("no refresh token")?;
    let renewed = gateway.client.refresh(refresh).await?;
    assert_eq!(kid_of(&renewed.access)?, next, "the next key signs");
    assert_ne!(kid_of(&gateway.tokens.access)?, next);
    let again = gateway.session(&renewed.access).await?;
    for call in 0..20 {
        let answer = again.call("echo", json!({"text": "after"})).await?;
        ensure!(answer["result"]["isError"] == false, "call {call} with the new key: {answer}");
    }
    stop.store(true, Ordering::Relaxed);
    let calls = working.await??;
    ensure!(calls > 0, "nobody called anything");
    assert_eq!(gateway.status(&gateway.tokens.access).await?, 200, "a retired key is published");
    gateway.stack.stop().await
}

#[tokio::test]
async fn s31_a_key_that_the_filter_does_not_know_is_fetched_when_it_comes() -> Result<()> {
    let gateway = Gateway::start(&[UNKNOWN]).await?;
    // The second of two next keys was made after the filter had fetched the set.
    gateway.authsvc(&["key", "rotate", "--now"])?;
    gateway.authsvc(&["key", "rotate", "--now"])?;
    let refresh = gateway.tokens.refresh.as_deref().context("no refresh token")?;
    let renewed = gateway.client.refresh(refresh).await?;
    assert_eq!(kid_of(&renewed.access)?, gateway.kid("current")?);
    // Long before it would have asked by itself.
    eventually(Duration::from_secs(30), async || {
        let status = gateway.status(&renewed.access).await?;
        ensure!(status == 200, "{status} for a token of a key that is not known yet");
        Ok(())
    })
    .await?;
    assert_eq!(gateway.status(&gateway.tokens.access).await?, 200, "two keys ago");
    gateway.stack.stop().await
}

#[tokio::test]
async fn s31_a_token_of_a_revoked_key_is_refused_when_the_filter_has_asked_for_keys() -> Result<()>
{
    let gateway = Gateway::start(&[REFRESH]).await?;
    let stolen = &gateway.tokens.access;
    let (revoked, next) = (gateway.kid("current")?, gateway.kid("next")?);
    assert_eq!(gateway.status(stolen).await?, 200);
    gateway.authsvc(&["key", "revoke", &revoked])?;
    let jwks = format!("{}/oauth/jwks.json", gateway.stack.public_url());
    let published = http::client().get(jwks).send().await?.text().await?;
    ensure!(!published.contains(&revoked) && published.contains(&next), "{published}");
    ensure!(gateway.introspect(stolen).await? == json!({"active": false}), "still active");

    // The client is not thrown out: what it gets now is good at once.
    let refresh = gateway.tokens.refresh.as_deref().context("no refresh token")?;
    let renewed = gateway.client.refresh(refresh).await?;
    assert_eq!(kid_of(&renewed.access)?, next);
    assert_eq!(gateway.status(&renewed.access).await?, 200);
    // Both workers.
    eventually(Duration::from_secs(30), async || {
        for _ in 0..10 {
            let status = gateway.status(stolen).await?;
            ensure!(status == 401, "{status} for a token of a revoked key");
        }
        Ok(())
    })
    .await?;
    assert_eq!(gateway.status(&renewed.access).await?, 200);
    gateway.stack.stop().await
}

#[tokio::test]
async fn s30_what_a_client_gives_back_is_dead_but_for_the_life_of_an_access_token() -> Result<()> {
    let gateway = Gateway::start(&[]).await?;
    let access = &gateway.tokens.access;
    let refresh = gateway.tokens.refresh.as_deref().context("no refresh token")?;
    for token in [access.as_str(), refresh] {
        let said = gateway.introspect(token).await?;
        ensure!(said["active"] == true && said["client_id"] == gateway.client.client_id, "{said}");
    }
    let answer = gateway.revoke(refresh).await?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    for token in [access.as_str(), refresh] {
        ensure!(gateway.introspect(token).await? == json!({"active": false}), "still active");
    }
    let dead = gateway.client.refresh(refresh).await;
    ensure!(dead.is_err_and(|said| said.to_string().contains("invalid_grant")), "it was renewed");
    assert_eq!(gateway.status(access).await?, 200, "a JWT lives until it expires");

    let (client, tokens) = oauth::connect(&gateway.stack.url("everything")).await?;
    assert_eq!(client.client_id, gateway.client.client_id, "the same registration");
    assert_eq!(gateway.revoke(&tokens.access).await?.status(), 200);
    let refresh = tokens.refresh.as_deref().context("no refresh token")?;
    ensure!(client.refresh(refresh).await.is_err(), "an access token did not end its grant");
    gateway.stack.stop().await
}
