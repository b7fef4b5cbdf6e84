//! The suite as a server: of a real client, and of the same client with the gateway between them.

use std::{collections::BTreeMap, env, path::Path};

use anyhow::{Context as _, Result};
use attache_tests::stack::{Setup, parts};
use serde_json::json;
use tokio::process::Command;

use crate::{
    report::Report,
    run::Group,
    servers::{analytics_off, analytics_on},
    suite::Suite,
};

/// What stands behind the gateway.
const UPSTREAM: &str = "the suite";

/// Scenarios that are not about authorization: in those the suite names itself as the resource, and a client that
/// takes it at its word sees that the gateway is another.
const SCENARIOS: [(&str, &[&str]); 2] = [
    (
        "2025-11-25",
        &[
            "initialize",
            "tools_call",
            "elicitation-sep1034-client-defaults",
            "sse-retry",
            "json-schema-2020-12-preservation",
        ],
    ),
    (
        "2026-07-28",
        &[
            "tools_call",
            "request-metadata",
            "sep-2322-client-request-state",
            "http-standard-headers",
            "http-custom-headers",
            "http-invalid-tool-headers",
            "json-schema-ref-no-deref",
            "json-schema-2020-12-preservation",
        ],
    ),
];

/// Set-ups; a client of the suite has no token.
const WAYS: [&str; 2] = ["off", "analytics"];

/// Every scenario, direct and through.
///
/// # Errors
/// When the suite leaves no results.
pub async fn all(suite: &Suite) -> Result<Vec<Group>> {
    let [legacy, modern] = SCENARIOS;
    let (legacy, modern) = tokio::join!(group(suite, legacy), group(suite, modern));
    Ok(vec![legacy?, modern?])
}

async fn group(suite: &Suite, (revision, scenarios): (&'static str, &[&str])) -> Result<Group> {
    let python = parts::python()?;
    let client = parts::python_conformance_client()?;
    // The suite hands the command to a shell; what is in the way would not be told of the end.
    let direct = format!("exec {} {}", python.display(), client.display());
    let mut group =
        Group::new(UPSTREAM, revision, run(suite, "direct", &direct, revision, scenarios).await?);
    let own = env::current_exe()?;
    for way in WAYS {
        let between = format!("exec {} between {way}", own.display());
        group.add(way, run(suite, way, &between, revision, scenarios).await?);
    }
    Ok(group)
}

async fn run(
    suite: &Suite,
    way: &str,
    client: &str,
    revision: &str,
    scenarios: &[&str],
) -> Result<Report> {
    let name = format!("clients/{revision}/{way}");
    let mut report = BTreeMap::new();
    for &scenario in scenarios {
        let checks = suite.client(&name, client, scenario, revision).await?;
        report.insert(scenario.to_owned(), checks);
    }
    Ok(report)
}

/// What the suite starts as a client: a gateway in front of `server`, and the client in front of that.
///
/// # Errors
/// When the gateway does not start, or the client fails.
pub async fn between(way: &str, server: &str) -> Result<bool> {
    let named =
        |variable: &str| env::var(variable).with_context(|| format!("{variable} is not set"));
    let scenario = named("MCP_CONFORMANCE_SCENARIO")?;
    let revision = named("MCP_CONFORMANCE_PROTOCOL_VERSION")?;
    let analytics = if way == "off" { analytics_off() } else { analytics_on() };
    let setup = Setup { folder: Some(format!("{scenario}.{revision}.{way}")), ..Setup::new() };
    let entry =
        json!({"name": "suite", "url": server, "authentication": "none", "analytics": analytics});
    let mut stack = setup.server_with(entry).start().await?;
    let client = client(&parts::python()?, &parts::python_conformance_client()?);
    let status = { client }.arg(stack.url("suite")).status().await?;
    // The suite waits for us, and not for an orderly end.
    stack.envoy.check()?;
    Ok(status.success())
}

fn client(python: &Path, script: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(script).kill_on_drop(true);
    command
}
