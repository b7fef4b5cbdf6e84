//! `make run`: writes a first configuration, starts the parts in order, shows events as they come, stops all.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

mod feed;
mod rendered;

use crate::stack::{Process, launch, parts};
use feed::Feed;
use rendered::Rendered;

/// Name and place of the demo server in the first configuration.
const DEMO: &str = "demo=http://127.0.0.1:3001/mcp";

/// How long a part may take to finish what it is doing.
const FAREWELL: Duration = Duration::from_secs(10);

/// Runs everything until a signal comes or a part ends.
///
/// # Errors
/// Which part failed, why, and where its log is. Whatever was started has been stopped.
pub async fn run(config: &Path) -> Result<()> {
    let mut files = Files::beside(config)?;
    let mut parts = Vec::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ended = select! {
        ended = live(&mut files, &mut parts) => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    if !parts.is_empty() {
        println!("\nstopping");
    }
    let stopped = select! {
        stopped = stop(parts) => stopped,
        _ = interrupt.recv() => bail!("killed what was still running"),
    };
    ended.and(stopped)
}

/// Where everything is kept.
struct Files {
    config: PathBuf,
    data: PathBuf,
    logs: PathBuf,
}

impl Files {
    fn beside(config: &Path) -> Result<Self> {
        let config = std::path::absolute(config)?;
        let data = config.parent().context("the configuration is in no folder")?.join("data");
        let logs = data.join("logs");
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        Ok(Self { config, data, logs })
    }

    fn log(&self, part: &str) -> PathBuf {
        self.logs.join(format!("{part}.log"))
    }

    fn login(&self) -> PathBuf {
        self.data.join("login.txt")
    }
}

/// Starts the parts into `parts`, then shows events until a part ends.
async fn live(files: &mut Files, parts: &mut Vec<Process>) -> Result<()> {
    let begun = Instant::now();
    if !files.config.exists() {
        init(files)?;
        done(begun, "attache.yaml", "written: a first configuration, yours to edit");
    }
    let bootstrap = files.data.join("envoy.yaml");
    let warnings = launch::render(&files.config, &bootstrap)?;
    print!("{warnings}");
    let rendered = Rendered::read(&bootstrap)?;
    rendered.addresses_are_free()?;
    done(begun, "envoy.yaml", &format!("rendered: {}", bootstrap.display()));

    if let Some(address) = rendered.demo {
        let mut demo = launch::demo_server(address, &files.log("demo"))?;
        let seen = format!("http://{address}/seen");
        launch::ready(&mut demo, &seen).await?;
        parts.push(demo);
        done(begun, "demo server", &format!("ready on {address}"));
    }
    let mut authsvc = launch::authsvc(&files.config, &files.log("authsvc"))?;
    let ready = format!("http://{}/ready", rendered.internal);
    launch::ready(&mut authsvc, &ready).await?;
    parts.push(authsvc);
    done(begun, "authsvc", &format!("ready on {}", rendered.service));

    let mut envoy = launch::envoy(&bootstrap, 1, &files.log("envoy"))?;
    let metadata = format!("http://{}/.well-known/oauth-authorization-server", rendered.listen);
    let host = rendered.host();
    let serves = async || launch::answers_for(&metadata, host, 200).await;
    envoy.ready(launch::PATIENCE, serves).await?;
    parts.push(envoy);
    done(begun, "Envoy", &format!("ready on {} with the filter", rendered.listen));

    welcome(files, &rendered);
    let mut feed = Feed::new(rendered.internal, rendered.plugin.events.secret.reveal());
    select! {
        ended = watch(parts) => ended,
        never = feed.follow() => match never {},
    }
}

fn init(files: &Files) -> Result<()> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(["init", "--server", DEMO, "-c"]).arg(&files.config);
    command.arg("--wasm").arg(parts::wasm()?).arg("--login-file").arg(files.login());
    launch::run("authsvc init", command).map(drop)
}

fn done(begun: Instant, part: &str, what: &str) {
    println!("{:5.1} s  {part:<13} {what}", begun.elapsed().as_secs_f32());
}

fn welcome(files: &Files, rendered: &Rendered) {
    println!();
    for endpoint in &rendered.plugin.endpoints {
        println!("MCP server  {}", endpoint.resource);
    }
    match fs::read_to_string(files.login()) {
        Ok(login) => {
            for line in login.lines().filter(|line| !line.trim().is_empty()) {
                println!("login       {line}");
            }
        }
        Err(_) => println!("login       as in {}", files.config.display()),
    }
    println!("logs        {}", files.logs.display());
    for endpoint in &rendered.plugin.endpoints {
        println!("\n  claude mcp add --transport http {} {}", endpoint.server, endpoint.resource);
    }
    println!("\nevents as they come; Ctrl-C stops everything");
}

/// Waits for a part to end.
async fn watch(parts: &mut [Process]) -> Result<()> {
    loop {
        for part in &mut *parts {
            part.check()?;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Ends the parts, the one that clients see first.
async fn stop(parts: Vec<Process>) -> Result<()> {
    let mut result = Ok(());
    for mut part in parts.into_iter().rev() {
        if part.check().is_ok()
            && let Err(error) = part.stop(FAREWELL).await
        {
            result = Err(error);
        }
    }
    result
}
