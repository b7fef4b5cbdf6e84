//! Personal access tokens: the operator makes one, a program works with it, and it dies when it should.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use attache_protocol::personal_token;
use attache_tests::{
    http,
    mcp::Mcp,
    stack::{EMAIL, Setup, Stack, eventually, launch, parts},
    upstream::{Upstream, mcp},
};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::watch;

/// A gateway with two servers.
struct Gateway {
    server: Upstream,
    stack: Stack,
}

impl Gateway {
    async fn start(workers: usize, personal_tokens: Value) -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let url = server.url("/mcp");
        let mut setup = Setup::new().server("everything", &url).server("other", &url);
        setup.config["authorization"]["embedded"]["personal_access_tokens"] = personal_tokens;
        setup.workers = workers;
        Ok(Self { server, stack: setup.start().await? })
    }

    /// An operator's command, beside the running service.
    fn authsvc(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(parts::authsvc()?);
        command.args(arguments).arg("-c").arg(self.stack.folder().join("attache.yaml"));
        launch::run(&format!("authsvc {}", arguments.join(" ")), command)
    }

    /// A new token.
    fn token(&self, life: &str) -> Result<String> {
        let order = ["token", "create", "--user", EMAIL, "--expires", life, "--name", "ci"];
        let said = self.authsvc(&order)?;
        ensure!(said.ends_with('\n') && said.lines().count() == 1, "more than a token: {said}");
        Ok(said.trim_end().to_owned())
    }

    /// The id of the youngest token.
    fn id(&self) -> Result<String> {
        let listed = self.authsvc(&["token", "list", "--user", EMAIL])?;
        let line = listed.lines().nth(1).context("no token is listed")?;
        Ok(line.split_whitespace().next().context("no id")?.to_owned())
    }

    async fn list(&self, server: &str, token: &str) -> Result<Response> {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        Mcp::new(&self.stack.url(server), Some(token)).post(call).await
    }

    async fn status(&self, token: &str) -> Result<u16> {
        Ok(self.list("everything", token).await?.status().as_u16())
    }
}

/// A token of the right form that nobody made.
fn made_up(number: u8) -> String {
    personal_token::write(&[number; 32]).reveal().clone()
}

/// What a refusal says of the token.
async fn flaw(answer: Response) -> Result<String> {
    let challenge = answer.headers().get("www-authenticate").context("no challenge")?;
    let challenge = challenge.to_str()?.to_owned();
    ensure!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    let body: Value = answer.json().await?;
    Ok(body["error"]["message"].as_str().context("no message")?.to_owned())
}

#[tokio::test]
async fn s57_a_program_works_with_a_token_that_the_operator_made() -> Result<()> {
    let gateway = Gateway::start(1, json!({})).await?;
    let token = gateway.token("90d")?;
    let id = gateway.id()?;
    let session = Mcp::initialized(&gateway.stack.url("everything"), &token).await?;
    let tools = session.tools().await?;
    ensure!(tools.iter().any(|tool| tool["name"] == "echo"), "{tools:?}");
    let answer = session.call("echo", json!({"text": "hello"})).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");

    let event = gateway.stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["email"], EMAIL, "{event}");
    assert_eq!(event["client_id"], format!("pat:{id}:ci"), "{event}");
    assert_eq!(event["subject"].as_str().map(str::len), Some(43), "{event}");
    for seen in gateway.server.seen() {
        assert_eq!(seen.header("authorization"), None, "the token stays here");
    }

    // By default it is for the first server.
    let answer = gateway.list("other", &token).await?;
    assert_eq!(answer.status(), 401);
    assert_eq!(
        flaw(answer).await?,
        "the token is unknown, for another resource, has expired or was revoked"
    );
    let other = gateway.stack.url("other");
    let order = ["token", "create", "--user", EMAIL, "--expires", "1h", "--resource", &other];
    let token = gateway.authsvc(&order)?;
    assert_eq!(gateway.list("other", token.trim_end()).await?.status(), 200);
    assert_eq!(gateway.status(token.trim_end()).await?, 401);

    let listed = gateway.authsvc(&["token", "list"])?;
    ensure!(listed.lines().count() == 3 && !listed.contains("attache_pat_"), "{listed}");
    for name in ["authsvc.log", "envoy.log"] {
        let log = fs::read_to_string(gateway.stack.folder().join(name))?;
        ensure!(!log.contains("attache_pat_"), "a token in {name}");
    }
    assert_eq!(gateway.stack.statistic("wasmcustom.attache_panics").await?, 0);
    gateway.stack.stop().await
}

#[tokio::test]
async fn s57_a_revoked_token_is_refused_within_the_time_that_the_filter_remembers_it() -> Result<()>
{
    let gateway = Gateway::start(2, json!({"cache": "5s"})).await?;
    let token = gateway.token("1h")?;
    for _ in 0..10 {
        assert_eq!(gateway.status(&token).await?, 200);
    }
    let said = gateway.authsvc(&["token", "revoke", &gateway.id()?])?;
    ensure!(said.contains("every Envoy refuses it within 5 s"), "{said}");
    // Both workers.
    eventually(Duration::from_secs(40), async || {
        for _ in 0..10 {
            let status = gateway.status(&token).await?;
            ensure!(status == 401, "{status} for a revoked token");
        }
        Ok(())
    })
    .await?;
    gateway.stack.stop().await
}

#[tokio::test]
async fn s57_a_token_is_refused_when_its_life_is_over() -> Result<()> {
    let gateway = Gateway::start(1, json!({"cache": "300s"})).await?;
    let token = gateway.token("10s")?;
    assert_eq!(gateway.status(&token).await?, 200);
    eventually(Duration::from_secs(40), async || {
        let status = gateway.status(&token).await?;
        ensure!(status == 401, "{status} for a token that has expired");
        Ok(())
    })
    .await?;
    gateway.stack.stop().await
}

#[tokio::test]
async fn s57_without_authsvc_known_tokens_go_on_and_others_are_not_let_in() -> Result<()> {
    let mut gateway = Gateway::start(1, json!({"cache": "300s"})).await?;
    let (known, unknown) = (gateway.token("1h")?, gateway.token("1h")?);
    assert_eq!(gateway.status(&known).await?, 200);
    assert_eq!(gateway.status(&made_up(1)).await?, 401);
    gateway.stack.authsvc.stop(Duration::from_secs(20)).await?;

    assert_eq!(gateway.status(&known).await?, 200);
    for token in [unknown.as_str(), &made_up(2)] {
        let answer = gateway.list("everything", token).await?;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
        let body: Value = answer.json().await?;
        let said = "the token cannot be checked at the moment, try again in a few seconds";
        assert_eq!(body["error"]["message"], said);
    }
    // Nobody need be asked about this one.
    let mut broken = made_up(3);
    broken.pop();
    let answer = gateway.list("everything", &broken).await?;
    assert_eq!(answer.status(), 401);
    assert_eq!(
        flaw(answer).await?,
        "the checksum of the token is wrong: it was mistyped or cut off"
    );

    gateway.stack.restart_authsvc().await?;
    eventually(Duration::from_secs(40), async || {
        let status = gateway.status(&unknown).await?;
        ensure!(status == 200, "{status} though authsvc is back");
        Ok(())
    })
    .await?;
    assert_eq!(gateway.status(&made_up(2)).await?, 401);
    gateway.stack.stop().await
}

#[tokio::test]
async fn s57_where_they_are_switched_off_no_token_is_made_or_asked_about() -> Result<()> {
    let gateway = Gateway::start(1, json!({"enabled": "false"})).await?;
    let refused = gateway.token("1h");
    ensure!(
        refused.is_err_and(|said| format!("{said:#}").contains("enabled is false")),
        "a token was made"
    );
    let answer = gateway.list("everything", &made_up(1)).await?;
    assert_eq!(answer.status(), 401);
    assert_eq!(flaw(answer).await?, "the bearer token is malformed");
    gateway.stack.stop().await
}

/// Sends tokens that nobody made, another one each time, from 127.0.0.2, and tells of each status; until nobody
/// listens.
async fn flood(url: String, number: Arc<AtomicU64>, status: watch::Sender<u16>) -> Result<()> {
    let http = http::client_at("127.0.0.2".parse()?);
    while !status.is_closed() {
        let mut bits = [0xff; 32];
        let number = number.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bits.iter_mut().zip(number).for_each(|(bit, byte)| *bit = byte);
        let token = personal_token::write(&bits);
        let request = http.post(&url).bearer_auth(token.reveal()).body("{}");
        let answer = request.header("content-type", "application/json").send().await?;
        status.send_replace(answer.status().as_u16());
    }
    Ok(())
}

#[tokio::test]
async fn s57_made_up_tokens_of_one_network_keep_no_new_token_of_another_out() -> Result<()> {
    let gateway = Gateway::start(1, json!({})).await?;
    let tokens = (0..3).map(|_| gateway.token("1h")).collect::<Result<Vec<_>>>()?;
    let (status, mut seen) = watch::channel(0);
    let number = Arc::new(AtomicU64::new(0));
    let floods: Vec<_> = (0..8)
        .map(|_| flood(gateway.stack.url("everything"), Arc::clone(&number), status.clone()))
        .map(tokio::spawn)
        .collect();
    drop(status);
    seen.wait_for(|status| *status == 503).await.context("they are all asked about")?;
    for token in tokens {
        assert_eq!(gateway.status(&token).await?, 200, "while others make up tokens");
        seen.wait_for(|status| *status == 503).await.context("they are over")?;
    }
    drop(seen);
    for flood in floods {
        flood.await??;
    }
    gateway.stack.stop().await
}
