//! What an operator sees of a running installation, and does with it.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    stack::{EMAIL, SERVICE_SECRET, Setup, Stack, parts, ports},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::Value;

const WEBHOOK_SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiB0aGUgd2ViaG9vayBvZiB0aGUgdGVzdHM=";

fn doctor(stack: &Stack, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(["doctor", "-c"]).arg(stack.folder().join("attache.yaml")).args(arguments);
    command.output().context("cannot start authsvc doctor")
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

    let output = doctor(&stack, &[])?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1), "a server is down, and it ended with {}", output.status);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("failed")).collect();
    ensure!(failed.len() == 1 && failed[0].contains("server gone"), "{said}");
    for secret in [SERVICE_SECRET, WEBHOOK_SECRET, "a-secret-path", "$argon2id", EMAIL] {
        ensure!(!said.contains(secret), "{secret} is shown:\n{said}");
    }

    stack.envoy.stop(std::time::Duration::from_secs(20)).await?;
    let output = doctor(&stack, &["--json"])?;
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
    let output = doctor(&stack, &["--json"])?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    // What is readable by others in a checkout, and how full its disk is, are this machine's affair.
    let unwell = [with_verdict(&report, "failed"), with_verdict(&report, "warning")].concat();
    let ours = unwell.iter().filter(|check| !["configuration", "disk"].contains(&check.as_str()));
    assert_eq!(ours.count(), 0, "{report:#}");
    ensure!(output.status.success(), "{}", output.status);
    stack.stop().await
}
