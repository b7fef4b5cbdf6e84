//! Real MCP servers of other people, as they come from the registries, on free ports of loopback.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    http,
    stack::{Process, launch, parts, ports},
};

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    /// Its endpoint.
    pub url: String,
    _process: Process,
}

/// The everything-server of the Python SDK: both eras, every reply an event stream.
///
/// # Errors
/// When it does not come up.
pub async fn python(logs: &Path) -> Result<Server> {
    let listen = ports::free();
    let mut command = python_command()?;
    command.args(["-m", "mcp_everything_server", "--port", &listen.port().to_string()]);
    listening("python-server", command, listen, logs).await
}

/// The same, every reply JSON.
///
/// # Errors
/// When it does not come up.
pub async fn python_with_json_replies(logs: &Path) -> Result<Server> {
    let listen = ports::free();
    let mut command = python_command()?;
    command.arg(parts::root().join("tests/conformance/json_replies.py"));
    command.arg(listen.port().to_string());
    listening("python-json-server", command, listen, logs).await
}

fn python_command() -> Result<Command> {
    let mut command = Command::new(parts::python()?);
    command.env("PYTHONPATH", parts::python_everything_server()?);
    Ok(command)
}

/// `@modelcontextprotocol/server-everything`: the legacy era only.
///
/// # Errors
/// When it does not come up.
pub async fn server_everything(logs: &Path) -> Result<Server> {
    let listen = ports::free();
    let mut command = Command::new("node");
    command
        .arg(parts::node_module("@modelcontextprotocol/server-everything/dist/index.js")?)
        .arg("streamableHttp")
        .env("PORT", listen.port().to_string());
    listening("server-everything", command, listen, logs).await
}

/// The demo server of `make run`, made with the Rust SDK.
///
/// # Errors
/// When it does not come up.
pub async fn demo(logs: &Path) -> Result<Server> {
    let listen = ports::free();
    ready(launch::demo_server(listen, &logs.join("demo.log"))?, listen).await
}

async fn listening(
    name: &str,
    command: Command,
    listen: SocketAddr,
    logs: &Path,
) -> Result<Server> {
    ready(Process::spawn(name, command, &logs.join(format!("{name}.log")))?, listen).await
}

/// Any answer will do: each server has its own idea of a GET.
async fn ready(mut process: Process, listen: SocketAddr) -> Result<Server> {
    let url = format!("http://{listen}/mcp");
    let answers = async || {
        let request = http::client().get(&url).timeout(Duration::from_secs(2));
        request.send().await.map(drop).context("GET")
    };
    process.ready(launch::PATIENCE, answers).await?;
    Ok(Server { url, _process: process })
}
