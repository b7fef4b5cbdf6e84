//! `make run`: says what it does, shows events, stops everything, and explains what keeps it from starting.

use std::{
    fs,
    net::TcpListener,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result};
use attache_tests::{
    mcp::Mcp,
    oauth,
    stack::{Process, Setup, eventually, parts, ports},
};
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// `make run` in a folder of its own, as `make` would start it.
struct Supervisor {
    process: Process,
    folder: TempDir,
}

impl Supervisor {
    fn start(setup: &Setup) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("attache.yaml");
        let mut document = setup.config.clone();
        document["envoy"]["wasm"] = json!(parts::wasm()?);
        fs::write(&config, document.to_string())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.arg(config);
        let process = Process::spawn("make run", command, &folder.path().join("output"))?;
        Ok(Self { process, folder })
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    async fn says(&self, what: &str) -> Result<()> {
        eventually(PATIENCE, async || {
            let output = self.output();
            output
                .contains(what)
                .then_some(())
                .with_context(|| format!("not {what:?} in\n{output}"))
        })
        .await
    }

    async fn ends(&mut self) -> Result<()> {
        self.process.ended(PATIENCE).await.map(drop)
    }
}

fn setup() -> Setup {
    Setup::new().server("demo", &format!("http://{}/mcp", ports::free()))
}

/// That nobody listens any more where the parts did.
fn all_is_quiet(setup: &Setup) {
    for pointer in ["/listen", "/service/listen", "/service/internal", "/envoy/admin"] {
        let address =
            setup.config.pointer(pointer).and_then(|value| value.as_str()).expect("an address");
        assert!(
            TcpListener::bind(address).is_ok(),
            "something still listens on {address} ({pointer})"
        );
    }
}

#[tokio::test]
async fn it_starts_everything_shows_events_and_leaves_nothing_behind() -> Result<()> {
    let setup = setup();
    let mut supervisor = Supervisor::start(&setup)?;
    supervisor.says("Ctrl-C").await?;
    let url = format!("{}/demo/mcp", setup.config["public_url"].as_str().unwrap_or_default());
    assert!(supervisor.output().contains(&format!("claude mcp add --transport http demo {url}")));

    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    let arguments = json!({"city": "Oslo", "attache_intent": "to pack the right coat"});
    let answer = session.call("weather_forecast", arguments).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    supervisor.says("tools/call weather_forecast  ok").await?;
    supervisor.says("to pack the right coat").await?;

    let status: ExitStatus = supervisor.process.stop(PATIENCE).await?;
    assert!(status.success(), "{status}\n{}", supervisor.output());
    all_is_quiet(&setup);
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_key_that_moves_it() -> Result<()> {
    let setup = setup();
    let taken = setup.config["service"]["listen"].as_str().context("an address")?.to_owned();
    let _other = TcpListener::bind(&taken)?;
    let mut supervisor = Supervisor::start(&setup)?;
    supervisor.ends().await?;
    let output = supervisor.output();
    assert!(
        output.contains(&format!("{taken}: change service.listen in attache.yaml")),
        "{output}"
    );
    Ok(())
}

#[tokio::test]
async fn a_part_that_dies_is_named_with_its_log_and_takes_the_others_along() -> Result<()> {
    let setup = setup();
    let mut supervisor = Supervisor::start(&setup)?;
    supervisor.says("Ctrl-C").await?;
    let pids = Command::new("pgrep")
        .args(["-P", &supervisor.process.id().to_string(), "authsvc"])
        .output()?;
    let authsvc: i32 = String::from_utf8(pids.stdout)?.trim().parse().context("one authsvc")?;
    // SAFETY: a call without memory; the process is a child of our child.
    unsafe { libc::kill(authsvc, libc::SIGKILL) };
    supervisor.ends().await?;
    let output = supervisor.output();
    for said in ["authsvc ended", "signal: 9", "authsvc.log"] {
        assert!(output.contains(said), "{said:?} is not in\n{output}");
    }
    all_is_quiet(&setup);
    Ok(())
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_explained() -> Result<()> {
    let mut setup = setup();
    setup.config["public_ulr"] = json!("http://localhost");
    let mut supervisor = Supervisor::start(&setup)?;
    supervisor.ends().await?;
    let output = supervisor.output();
    assert!(output.contains("public_ulr") && output.contains("public_url"), "{output}");
    Ok(())
}

#[tokio::test]
async fn what_is_probably_not_meant_is_said() -> Result<()> {
    let mut setup = setup();
    setup.config["listen"] = json!(ports::free());
    let supervisor = Supervisor::start(&setup)?;
    supervisor.says("clients will not get here unless something forwards them").await
}
