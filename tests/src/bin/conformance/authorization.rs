//! The suite as a client of the authorization server, where it issues the tokens itself and before Dex that does, and a
//! person who logs in and consents for it.

use std::{fs, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use attache_tests::{
    dex::{self, Connector},
    http,
    oauth::OAuth,
    person::Person,
    stack::{Setup, Stack, fresh_folder, ports},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::ChildStdout,
    time::timeout,
};
use url::Url;

use crate::{
    report::{self, Report, Tally},
    run::{Group, REVISIONS},
    suite::Suite,
};

/// Scenarios that have to be there.
const SCENARIOS: [&str; 2] = ["authorization-server-metadata-endpoint", "authorization-code-grant"];

/// How long the suite may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running authorization server, and who logs in there.
struct Server {
    /// Its row in the table.
    name: &'static str,
    /// Of its results.
    folder: &'static str,
    stack: Stack,
    person: Person,
}

/// Both scenarios, with and without `resource`, of both. There is no direct run: every check has to pass.
///
/// # Errors
/// When the suite leaves no results.
pub async fn all(suite: &Suite) -> Result<Vec<Group>> {
    let server = Server {
        name: "authsvc",
        folder: "authorization",
        stack: setup("authorization").start().await?,
        person: Person::admin(),
    };
    let mut groups = server.groups(suite).await?;
    groups.append(&mut before_dex(suite).await?);
    Ok(groups)
}

async fn before_dex(suite: &Suite) -> Result<Vec<Group>> {
    let dex = dex::Setup::new(&[Connector::Passwords]);
    let mut gateway = setup("authorization-dex");
    gateway.config["authorization"] =
        json!({"dex": {"issuer": dex.issuer(), "grpc": {"address": dex.grpc()}}});
    let running = dex.start(&fresh_folder(Some("authorization-dex-itself"))?).await?;
    let server = Server {
        name: "authsvc before Dex",
        folder: "authorization-dex",
        stack: gateway.start().await?,
        person: dex::admin(running.issuer()),
    };
    server.groups(suite).await
}

fn setup(folder: &str) -> Setup {
    let setup = Setup { folder: Some(folder.to_owned()), ..Setup::new() };
    // Nobody calls the server.
    setup.server("everything", "http://127.0.0.1:9/mcp")
}

impl Server {
    async fn groups(self, suite: &Suite) -> Result<Vec<Group>> {
        let resource = self.stack.url("everything");
        let mut groups = Vec::new();
        for revision in REVISIONS {
            let plain = run(suite, &self, revision, None).await?;
            let with = run(suite, &self, revision, Some(&resource)).await?;
            let mut group = Group::new(self.name, revision, all_passed(&plain));
            group.add("no resource", plain);
            group.add("resource", with);
            groups.push(group);
        }
        self.stack.stop().await?;
        Ok(groups)
    }
}

async fn run(
    suite: &Suite,
    Server { folder, stack, person, .. }: &Server,
    revision: &str,
    resource: Option<&str>,
) -> Result<Report> {
    let port = ports::free().port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let client = OAuth::register_for(&stack.url("everything"), &redirect).await?;
    let way = if resource.is_some() { "resource" } else { "no-resource" };
    let folder = suite.results().join(format!("{folder}/{revision}/{way}"));
    fs::create_dir_all(&folder)?;

    let mut command = suite.command("authorization", &folder);
    command.args(["--url", stack.public_url(), "--client-id", &client.client_id]);
    command.args(["--port", &port.to_string(), "--spec-version", revision]);
    if let Some(resource) = resource {
        command.args(["--resource", resource]);
    }
    command.stderr(fs::File::create(folder.join("suite.log"))?).stdout(Stdio::piped());
    let mut running = command.spawn().context("cannot start the suite")?;
    let mut lines = BufReader::new(running.stdout.take().context("no standard output")?).lines();
    let whole = async {
        let url = asked_for(&mut lines).await?;
        let back = person.clone().authorize(&url).await?;
        http::client().get(back).send().await.context("the callback of the suite")?;
        // What nobody reads would stop the suite.
        while lines.next_line().await?.is_some() {}
        running.wait().await.context("the suite")
    };
    timeout(PATIENCE, whole).await.context("the suite did not end")??;
    let report = report::read(&folder, "authorization-server-")?;
    for scenario in SCENARIOS {
        ensure!(report.contains_key(scenario), "the suite says nothing of {scenario}");
    }
    Ok(report)
}

/// The URL that the suite wants somebody to open.
async fn asked_for(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Url> {
    let mut seen = String::new();
    while let Some(line) = lines.next_line().await? {
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http") && word.contains("response_type=code"));
        if let Some(url) = url {
            return Ok(Url::parse(url)?);
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    bail!("the suite asked for no authorization:\n{seen}")
}

/// The same checks, all of them passed.
fn all_passed(report: &Report) -> Report {
    let mut report = report.clone();
    for tally in report.values_mut().flat_map(|scenario| scenario.values_mut()) {
        let checks = tally.success + tally.skipped + tally.warning + tally.failure;
        *tally = Tally { success: checks, ..Tally::default() };
    }
    report
}
