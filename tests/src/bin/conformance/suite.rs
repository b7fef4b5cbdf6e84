//! The official suite as a program: what is asked of it, and where its results are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use attache_tests::stack::parts;
use tokio::{process::Command, time::timeout};

use crate::report::{self, Report, Scenario, Tally};

/// How long one run may take; the suite gives each scenario 30 s.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stands for what the suite says of a scenario beyond its checks: that the client ended well.
const PASSED: &str = "scenario-passed";

/// The installed suite.
#[derive(Clone, Debug)]
pub struct Suite {
    node: PathBuf,
    program: PathBuf,
    results: PathBuf,
}

impl Suite {
    /// Finds what `scripts/conformance.sh` installs, and makes room for results.
    ///
    /// # Errors
    /// When something is missing.
    pub fn installed() -> Result<Self> {
        let results = parts::root().join("target/conformance");
        drop(fs::remove_dir_all(&results));
        fs::create_dir_all(&results)?;
        Ok(Self { node: parts::node_22()?, program: parts::conformance_suite()?, results })
    }

    /// Where results and logs are.
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// Has the suite be a client of the server at `url`: all that the revision requires.
    ///
    /// # Errors
    /// When it leaves no results.
    pub async fn server(&self, name: &str, url: &str, revision: &str) -> Result<Report> {
        let folder = self.results.join(name);
        let mut command = self.command("server", &folder);
        command.args(["--url", url, "--requirements", revision]);
        run(command, &folder).await?;
        report::read(&folder, "server-")
    }

    /// Has the suite be a server of the client that `command` starts: one scenario.
    ///
    /// # Errors
    /// When it leaves no results.
    pub async fn client(
        &self,
        name: &str,
        client: &str,
        scenario: &str,
        revision: &str,
    ) -> Result<Scenario> {
        let folder = self.results.join(name).join(scenario);
        let mut command = self.command("client", &folder);
        command.args(["--command", client, "--scenario", scenario, "--spec-version", revision]);
        // What is in the way starts a gateway first.
        command.args(["--timeout", "120000"]);
        let status = run(command, &folder).await?;
        let mut report = report::read(&folder, "")?;
        let mut checks = report.remove(scenario).context("results of another scenario")?;
        let passed = if status.success() {
            Tally::passed()
        } else {
            Tally::failed("the client ended badly, or a check failed")
        };
        checks.insert(PASSED.to_owned(), passed);
        Ok(checks)
    }

    /// The suite, with its results in `folder`.
    pub fn command(&self, mode: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(&self.program).arg(mode).arg("--output-dir").arg(folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// Its exit status is that of the checks; whether it came so far, its results say.
async fn run(mut command: Command, folder: &Path) -> Result<ExitStatus> {
    fs::create_dir_all(folder)?;
    let log = fs::File::create(folder.join("suite.log"))?;
    command.stdout(log.try_clone()?).stderr(log);
    let Ok(status) = timeout(PATIENCE, command.status()).await else {
        bail!("the suite did not end within {} s: {}", PATIENCE.as_secs(), folder.display())
    };
    status.context("cannot start the suite")
}
