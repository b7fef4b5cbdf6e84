//! ContextForge, with one MCP server behind a virtual one of its own.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    http,
    stack::{Process, launch, parts, ports},
};

const SECRET: &str = "f3b1c85d2a0e47960c1d9be84f5a7723d6e80b9f14c2573a";
const SALT: &str = "9c41e7d05b8f2a6314de70c95ab8f63e2d17c04b95a8e6f0";
const PASSWORD: &str = "7Qd-correct-Horse-battery-5taple";
const EMAIL: &str = "admin@example.com";

/// A running ContextForge. Dropping it ends it.
#[derive(Debug)]
pub struct ContextForge {
    /// Where it is.
    pub origin: String,
    /// A token of its administrator.
    pub token: String,
    _process: Process,
}

/// What it reads from its environment, whoever of its programs runs.
fn environment(command: &mut Command, folder: &Path) {
    command.current_dir(folder).envs([
        ("JWT_SECRET_KEY", SECRET),
        ("AUTH_ENCRYPTION_SECRET", SALT),
        ("PLATFORM_ADMIN_EMAIL", EMAIL),
        ("PLATFORM_ADMIN_PASSWORD", PASSWORD),
        ("BASIC_AUTH_PASSWORD", PASSWORD),
        ("CACHE_TYPE", "memory"),
        ("SSRF_ALLOW_LOCALHOST", "true"),
        ("SSRF_ALLOW_PRIVATE_NETWORKS", "true"),
    ]);
    command.env("DATABASE_URL", format!("sqlite:///{}", folder.join("forge.db").display()));
}

impl ContextForge {
    /// Starts it; its files are in `folder`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        let bin = parts::context_forge()?;
        let listen = ports::free();
        let mut command = Command::new(bin.join("mcpgateway"));
        environment(&mut command, folder);
        command.args(["--host", "127.0.0.1", "--port", &listen.port().to_string()]);
        let mut process = Process::spawn("ContextForge", command, &folder.join("forge.log"))?;
        let origin = format!("http://{listen}");
        // It makes its database first, table by table.
        let healthy = format!("{origin}/health");
        let answers = async || launch::answers(&healthy, 200).await;
        process.ready(Duration::from_secs(180), answers).await?;

        let mut command = Command::new(bin.join("python3"));
        environment(&mut command, folder);
        command.args(["-m", "mcpgateway.utils.create_jwt_token", "--admin"]);
        command.args(["--username", EMAIL, "--exp", "60", "--secret", SECRET]);
        let said = launch::run("create_jwt_token", command)?;
        let token = said.lines().last().context("no token")?.to_owned();
        Ok(Self { origin, token, _process: process })
    }

    /// Puts the tools of a server behind a virtual one; its id.
    ///
    /// # Errors
    /// When it does not take them.
    pub async fn serve(&self, url: &str) -> Result<String> {
        let gateway = json!({"name": "tests", "url": url, "transport": "STREAMABLEHTTP"});
        self.ask("gateways", Some(gateway)).await?;
        let tools = self.ask("tools", None).await?;
        let tools = tools.as_array().context("no tools")?;
        let ids: Vec<&Value> = tools.iter().map(|tool| &tool["id"]).collect();
        ensure!(!ids.is_empty(), "it found no tools at {url}");
        let server = json!({"server": {"name": "virtual", "associated_tools": ids}});
        let made = self.ask("servers", Some(server)).await?;
        Ok(made["id"].as_str().with_context(|| format!("no id: {made}"))?.to_owned())
    }

    async fn ask(&self, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}/{path}", self.origin);
        let request = match &body {
            Some(body) => http::client().post(&url).json(body),
            None => http::client().get(&url),
        };
        let answer = request.bearer_auth(&self.token).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
