//! A PostgreSQL server, with all it holds, for as long as a test needs it.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{parts, ports};

/// Of the user over TCP.
pub const PASSWORD: &str = "the-secret-of-the-database";

/// The server. Its standard input is ours: it ends when we do, however that happens.
#[derive(Debug)]
pub struct Postgres {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one, with no database of ours in it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self> {
        let port = ports::free().port();
        let mut command = Command::new(parts::root().join("scripts/postgres-server.sh"));
        command.arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn().context("cannot start scripts/postgres-server.sh")?;
        let mut folder = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut folder)?;
        ensure!(
            !folder.is_empty(),
            "PostgreSQL did not start: is it installed (scripts/postgres.sh)?"
        );
        Ok(Self { process, folder: folder.trim_end().into(), port })
    }

    /// A URL of its database, over a Unix socket.
    #[must_use]
    pub fn by_socket(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://attache@{folder}:{}/postgres", self.port)
    }

    /// A URL of the same database, over TCP, with a password and this `sslmode`.
    #[must_use]
    pub fn by_tcp(&self, mode: &str) -> String {
        let certificate = self.folder.join("server.crt");
        format!(
            "postgresql://attache:{PASSWORD}@localhost:{}/postgres?sslmode={mode}&sslrootcert={}",
            self.port,
            certificate.display()
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}
