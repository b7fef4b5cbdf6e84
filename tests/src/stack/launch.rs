//! How each part is started, and how it is known to be ready: what `make run` and the tests share.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use reqwest::RequestBuilder;

use super::{Process, parts};
use crate::http;

/// Patience with a part that starts: it takes a fraction of a second, on a machine that has time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the demo MCP server on `listen`; its endpoint is `/mcp`.
///
/// # Errors
/// When it cannot be started.
pub fn demo_server(listen: SocketAddr, log: &Path) -> Result<Process> {
    let mut command = Command::new(parts::demo_server()?);
    command.arg(listen.to_string());
    Process::spawn("the demo server", command, log)
}

/// Derives Envoy's configuration; what authsvc warns of, a line each.
///
/// # Errors
/// What authsvc says of `attache.yaml`.
pub fn render(config: &Path, to: &Path) -> Result<String> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(["render", "envoy", "-c"]).arg(config).arg("-o").arg(to);
    let output = finished("authsvc render envoy", command)?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Starts authsvc.
///
/// # Errors
/// When it cannot be started.
pub fn authsvc(config: &Path, log: &Path) -> Result<Process> {
    authsvc_with(config, log, &[])
}

/// The same, with more in its environment.
///
/// # Errors
/// When it cannot be started.
pub fn authsvc_with(config: &Path, log: &Path, environment: &[(&str, String)]) -> Result<Process> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(["serve", "-c"]).arg(config);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    Process::spawn("authsvc", command, log)
}

/// Has Envoy check its configuration and load the filter, without serving.
///
/// # Errors
/// What Envoy says of it.
pub fn validate(config: &Path) -> Result<()> {
    let mut command = Command::new(parts::envoy()?);
    command.args(["--mode", "validate", "-l", "error", "-c"]).arg(config);
    run("envoy --mode validate", command).map(drop)
}

/// Starts Envoy with this many workers.
///
/// # Errors
/// When it cannot be started.
pub fn envoy(config: &Path, workers: usize, log: &Path) -> Result<Process> {
    envoy_telling(config, workers, log, "info")
}

/// The same, with this level for what the filter logs, and what Envoy logs of it.
///
/// # Errors
/// When it cannot be started.
pub fn envoy_telling(config: &Path, workers: usize, log: &Path, level: &str) -> Result<Process> {
    let mut command = Command::new(parts::envoy()?);
    command.args(["--disable-hot-restart", "--drain-time-s", "1", "-l", "warning"]);
    command.arg("--component-log-level").arg(format!("wasm:{level}"));
    command.arg("--concurrency").arg(workers.to_string());
    command.arg("-c").arg(config);
    Process::spawn("Envoy", command, log)
}

/// Waits until a part that starts answers `GET url` with 200.
///
/// # Errors
/// When it ends before that, or does not come up in time.
pub async fn ready(part: &mut Process, url: &str) -> Result<()> {
    part.ready(PATIENCE, async || answers(url, 200).await).await
}

/// Succeeds when `GET url` is answered with `status`.
///
/// # Errors
/// When it is not.
pub async fn answers(url: &str, status: u16) -> Result<()> {
    probe(http::client().get(url), url, status).await
}

/// The same for a server that is reached by one name and called by another.
///
/// # Errors
/// When it is not.
pub async fn answers_for(url: &str, host: &str, status: u16) -> Result<()> {
    probe(http::client().get(url).header("host", host), url, status).await
}

async fn probe(request: RequestBuilder, url: &str, status: u16) -> Result<()> {
    let request = request.timeout(Duration::from_secs(2));
    let got = request.send().await.with_context(|| format!("GET {url}"))?.status();
    ensure!(got.as_u16() == status, "GET {url}: {got}, not {status}");
    Ok(())
}

/// Runs a command that ends by itself; its standard output.
///
/// # Errors
/// When it fails: with what it said.
pub fn run(name: &str, command: Command) -> Result<String> {
    let output = finished(name, command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn finished(name: &str, mut command: Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    bail!("{name} failed ({})\n{}", output.status, String::from_utf8_lossy(&said).trim_end())
}
