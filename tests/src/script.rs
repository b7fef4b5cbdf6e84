//! A client under test that is a program of its own and speaks JSON lines with us.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use url::Url;

use crate::person::Person;

/// How long one line may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running client; dropping it ends it.
#[derive(Debug)]
pub struct Script {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts `program script arguments…`; what it writes to its standard error goes to ours.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, script: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {} {}", program.display(), script.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self { child, input, lines: BufReader::new(output).lines() })
    }

    /// Gives it a line.
    ///
    /// # Errors
    /// When it does not read any more.
    pub async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// The next line that has `member`, and its value there. On the way `person` logs in where the client asks.
    ///
    /// # Errors
    /// When the client ends before that, or falls silent.
    pub async fn said(&mut self, member: &str, person: &mut Person) -> Result<Value> {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line());
            let line = line.await.with_context(|| format!("no `{member}` in time"))??;
            let Some(line) = line else {
                bail!("the client ended without `{member}`: {}", self.child.wait().await?);
            };
            let said: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            if let Some(value) = said.get(member) {
                return Ok(value.clone());
            }
            if let Some(url) = said["authorize"].as_str() {
                let back = person.authorize(&Url::parse(url)?).await?;
                self.say(back.as_str()).await?;
            }
        }
    }
}
