//! What an operator sees of a running installation, and does with it.

use std::{process::Output, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{EMAIL, SERVICE_SECRET, Setup, Stack, WEBHOOK_SECRET, eventually, parts, ports},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

async fn doctor(stack: &Stack, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(["doctor", "-c"]).arg(stack.folder().join("attache.yaml")).args(arguments);
    command.output().await.context("cannot start authsvc doctor")
}

/// The names of the checks that have this verdict.
fn with_verdict(report: &Value, verdict: &str) -> Vec<String> {
    let checks = report["checks"].as_array().into_iter().flatten();
    let checks = checks.filter(|check| check["verdict"] == verdict);
    checks.filter_map(|check| check["check"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn the_doctor_finds_what_is_not_well() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let nobody = format!("http://{}/mcp", ports::free());
    let setup = Setup::new().server("everything", &server.url("/mcp")).server("gone", &nobody);
    let mut stack = setup.webhook(&receiver.url("/a-secret-path"), WEBHOOK_SECRET).start().await?;

    let output = doctor(&stack, &[]).await?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.code() == Some(1),
        "a server is down, and it ended with {}",
        output.status
    );
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("failed")).collect();
    ensure!(failed.len() == 1 && failed[0].contains("server gone"), "{said}");
    for secret in [SERVICE_SECRET, WEBHOOK_SECRET, "a-secret-path", "$argon2id", EMAIL] {
        ensure!(!said.contains(secret), "{secret} is shown:\n{said}");
    }

    stack.envoy.stop(Duration::from_secs(20)).await?;
    let output = doctor(&stack, &["--json"]).await?;
    ensure!(output.status.code() == Some(1), "Envoy is down, and it ended with {}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report["verdict"], "failed");
    let failed = with_verdict(&report, "failed");
    let expected = ["metadata", "keys", "resource everything", "resource gone", "server gone"];
    assert_eq!(failed, expected, "{report:#}");
    for well in ["database", "internal", "server everything", "webhook"] {
        ensure!(with_verdict(&report, "ok").iter().any(|check| check == well), "{report:#}");
    }
    ensure!(receiver.seen().is_empty(), "the receiver of the webhook was spoken to");
    Ok(())
}

#[tokio::test]
async fn the_doctor_calls_an_installation_well_that_is() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let output = doctor(&stack, &["--json"]).await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    // What is readable by others in a checkout, and how full its disk is, are this machine's affair.
    let unwell = [with_verdict(&report, "failed"), with_verdict(&report, "warning")].concat();
    let ours = unwell.iter().filter(|check| !["configuration", "disk"].contains(&check.as_str()));
    assert_eq!(ours.count(), 0, "{report:#}");
    ensure!(output.status.success(), "{}", output.status);
    stack.stop().await
}

/// Reads until `end` was read; all of it.
async fn until(stream: &mut TcpStream, end: &str) -> Result<String> {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        let mut chunk = [0; 1024];
        let length = stream.read(&mut chunk).await?;
        ensure!(length > 0, "closed after {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

async fn get(url: &str) -> Result<(u16, Value)> {
    let answer = http::client().get(url).bearer_auth(SERVICE_SECRET).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test]
async fn what_has_begun_is_finished_when_authsvc_is_asked_to_end() -> Result<()> {
    // A receiver that answers when the test says so.
    let receiver = TcpListener::bind("127.0.0.1:0").await?;
    let hook = format!("http://{}/hook", receiver.local_addr()?);
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let mut stack = setup.webhook(&hook, WEBHOOK_SECRET).start().await?;
    let public = stack.config("/service/listen").to_owned();

    let refused = Mcp::new(&stack.url("everything"), None).post("{}").await?;
    assert_eq!(refused.status(), 401);
    let (mut delivery, _) = receiver.accept().await?;
    until(&mut delivery, "mcp.message").await?;
    // `100 Continue` says that the request is being read.
    let mut request = TcpStream::connect(&public).await?;
    let head = "POST /oauth/token HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
        content-type: application/x-www-form-urlencoded\r\ncontent-length: 16\r\n\r\n";
    request.write_all(head.as_bytes()).await?;
    until(&mut request, "100 Continue").await?;

    stack.authsvc.terminate();
    let ready = format!("{}/ready", stack.internal_url());
    eventually(Duration::from_secs(10), async || {
        let (status, said) = get(&ready).await?;
        ensure!(status == 503 && said == json!({"status": "draining"}), "{status} {said}");
        ensure!(TcpStream::connect(&public).await.is_err(), "connections are still accepted");
        Ok(())
    })
    .await?;
    stack.authsvc.check()?;

    request.write_all(b"client_id=nobody").await?;
    let answer = until(&mut request, "invalid_client").await?;
    ensure!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    stack.authsvc.check().context("a delivery is under way")?;
    delivery.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    let status = stack.authsvc.ended(Duration::from_secs(20)).await?;
    ensure!(status.success(), "{status}\n{}", stack.authsvc.last_lines(12));

    // That it was delivered is recorded.
    drop(receiver);
    stack.restart_authsvc().await?;
    let (_, status) = get(&format!("{}/status", stack.internal_url())).await?;
    assert_eq!(status["events"]["undelivered"], 0, "{status:#}");
    assert_eq!(status["state"], "serving");
    Ok(())
}

#[tokio::test]
async fn who_sends_requests_to_authsvc_hears_of_its_end_before_it_ends() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.config["service"]["drain_delay"] = json!("5m");
    let mut stack = setup.start().await?;

    stack.authsvc.terminate();
    let ready = format!("{}/ready", stack.internal_url());
    eventually(Duration::from_secs(10), async || {
        let (status, said) = get(&ready).await?;
        ensure!(status == 503 && said == json!({"status": "draining"}), "{status} {said}");
        Ok(())
    })
    .await?;
    oauth::OAuth::register(&stack.url("everything")).await.context("it serves until it ends")?;
    // A second signal ends the waiting, not what is being done.
    stack.authsvc.terminate();
    let status = stack.authsvc.ended(Duration::from_secs(20)).await?;
    ensure!(status.success(), "{status}");

    // A person reads a page, a program JSON, and both can name the request.
    let page = http::client().get(format!("{}/account?x=1", stack.public_url())).send().await?;
    assert_eq!(page.status(), 503);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["retry-after"], "5");
    assert!(page.headers().contains_key("x-request-id"), "{:?}", page.headers());
    assert!(page.text().await?.contains("the authorization server does not answer"));
    let token = format!("{}/oauth/token", stack.public_url());
    let said: Value = http::client().post(token).body("").send().await?.json().await?;
    assert_eq!(said["error"], "temporarily_unavailable");
    let refused = Mcp::new(&stack.url("everything"), None).post("{}").await?;
    assert!(refused.headers().contains_key("x-request-id"), "{:?}", refused.headers());
    Ok(())
}

#[tokio::test]
async fn what_authsvc_does_is_counted() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let stack = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET).start().await?;
    let (client, tokens) = oauth::connect(&stack.url("everything")).await?;
    client.refresh(tokens.refresh.as_deref().context("no refresh token")?).await?;
    let metrics = format!("{}/metrics", stack.internal_url());
    eventually(Duration::from_secs(30), async || {
        let answer = http::client().get(&metrics).bearer_auth(SERVICE_SECRET).send().await?;
        let text = answer.error_for_status()?.text().await?;
        for line in [
            "authsvc_token_grants_total{grant=\"authorization_code\",result=\"ok\"} 1",
            "authsvc_token_grants_total{grant=\"refresh_token\",result=\"ok\"} 1",
            "authsvc_logins_total{result=\"ok\"} 1",
            "authsvc_registrations_total{result=\"ok\"} 1",
            "authsvc_events_ingested_total 1",
            "authsvc_deliveries_total{result=\"ok\"} 1",
            "authsvc_events_undelivered{} 0",
        ] {
            ensure!(text.lines().any(|one| one == line), "no {line} in\n{text}");
        }
        Ok(())
    })
    .await?;
    let public = format!("{}/metrics", stack.public_url());
    let answer = http::client().get(public).bearer_auth(SERVICE_SECRET).send().await?;
    assert_eq!(answer.status(), 404, "metrics are for the public");
    stack.stop().await
}
