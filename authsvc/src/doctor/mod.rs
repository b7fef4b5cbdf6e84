//! `authsvc doctor`: looks at an installation from where authsvc runs, and says what is not well and what to do.
//!
//! It changes nothing, and asks only what the configuration names: the database, the public URL, the internal
//! listener, providers of identities, the MCP servers, and the name of the webhook's host. What it prints holds no secret.

mod broker;
mod database;
mod dex;
mod fetch;
mod issuer;
mod parts;
mod providers;

use std::{fmt, fmt::Write as _, path::Path};

use serde::Serialize;

use crate::{
    check,
    clock::Clock,
    config::{Config, Loaded},
};

/// How well something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

/// What was found of one thing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The thing.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    fn warning(check: &str, found: impl Into<String>, remedy: &str) -> Self {
        let remedy = Some(remedy.to_owned());
        Self { verdict: Verdict::Warning, remedy, ..Self::ok(check, found) }
    }

    fn failed(check: &str, found: impl Into<String>, remedy: &str) -> Self {
        Self { verdict: Verdict::Failed, ..Self::warning(check, found, remedy) }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// The worst of all.
    pub verdict: Verdict,
    /// In the order in which one depends on another.
    pub checks: Vec<Finding>,
}

impl Report {
    fn of(checks: Vec<Finding>) -> Self {
        let verdict = checks.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
        Self { verdict, checks }
    }

    /// One line each.
    #[must_use]
    pub fn lines(&self) -> String {
        let width = self.checks.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        self.checks.iter().fold(String::new(), |mut text, finding| {
            let Finding { check, verdict, found, remedy } = finding;
            let remedy = remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            if writeln!(text, "{verdict:<7}  {check:<width$}  {found}{remedy}").is_err() {
                text.push_str(found);
            }
            text
        })
    }
}

/// Looks at the installation of a configuration file.
pub async fn examine(file: &Path, clock: &Clock) -> Report {
    const CHECK: &str = "configuration";
    let Loaded { config, warnings } = match Config::load(file) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let lines = mistakes.to_string();
            let failed = |line: &str| Finding::failed(CHECK, line, "nothing else was looked at");
            return Report::of(lines.lines().map(failed).collect());
        }
    };
    let mut checks = vec![Finding::ok(CHECK, file.display().to_string())];
    let warned = warnings.to_string();
    let doubtful = check::surroundings(file, &config);
    let doubtful = warned.lines().map(str::to_owned).chain(doubtful);
    checks
        .extend(doubtful.map(|line| Finding { remedy: None, ..Finding::warning(CHECK, line, "") }));
    checks.extend(installation(&config, clock).await);
    Report::of(checks)
}

/// Everything but the configuration itself.
pub(crate) async fn installation(config: &Config, clock: &Clock) -> Vec<Finding> {
    let (database, broker, internal, providers, dex, servers, webhook) = tokio::join!(
        database::check(config),
        broker::check(config, clock),
        parts::internal(config),
        providers::check(config, clock),
        dex::check(config),
        parts::servers(config),
        parts::webhook(config),
    );
    let (database, signing) = database;
    let issuer = issuer::check(config, signing.as_deref(), clock).await;
    [database, broker, issuer, vec![internal], providers, dex, servers, webhook].concat()
}

/// Looks at several things at once; in their order.
async fn all<F>(checks: impl Iterator<Item = F>) -> Vec<Finding>
where
    F: Future<Output = Finding> + Send + 'static,
{
    let started: Vec<_> = checks.map(tokio::spawn).collect();
    let mut findings = Vec::new();
    for check in started {
        let broke = |_panicked| Finding::failed("doctor", "a check broke", "report this");
        findings.push(check.await.unwrap_or_else(broke));
    }
    findings
}

#[cfg(test)]
mod tests;
