//! What one run of the suite found: scenario by scenario, check by check.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Length of the `-2026-11-21T13-09-12-707Z` that the suite appends to the folder of a scenario.
const TIMESTAMP: usize = 25;

/// Stands for what a scenario would have said, had it come to an end.
const NOT_FINISHED: &str = "scenario-finished";

/// Every scenario of a run.
pub type Report = BTreeMap<String, Scenario>;

/// Every check of a scenario.
pub type Scenario = BTreeMap<String, Tally>;

/// How often a check came out how: a scenario may make the same check more than once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    pub success: u32,
    pub skipped: u32,
    pub warning: u32,
    pub failure: u32,
    /// What the suite said of the last one that did not pass.
    pub said: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Skipped,
    Warning,
    Failure,
    /// A remark on the traffic, and no check.
    Info,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: Status,
    error_message: Option<String>,
}

impl Tally {
    /// One check that failed.
    pub fn failed(said: &str) -> Self {
        Self { failure: 1, said: Some(said.to_owned()), ..Self::default() }
    }

    /// One check that passed.
    pub fn passed() -> Self {
        Self { success: 1, ..Self::default() }
    }

    fn add(&mut self, check: Check) {
        match check.status {
            Status::Success => self.success += 1,
            Status::Skipped => self.skipped += 1,
            Status::Warning => self.warning += 1,
            Status::Failure => self.failure += 1,
            Status::Info => return,
        }
        if let (Some(said), false) = (check.error_message, matches!(check.status, Status::Success))
        {
            self.said = Some(said);
        }
    }

    fn checks(&self) -> u32 {
        self.success + self.skipped + self.warning + self.failure
    }
}

/// Reads what the suite wrote into `folder`: `<prefix><scenario>-<timestamp>/checks.json`.
///
/// # Errors
/// When there is nothing, or something else.
pub fn read(folder: &Path, prefix: &str) -> Result<Report> {
    let mut report = Report::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.strip_prefix(prefix).unwrap_or(&name);
        let scenario = name.get(..name.len().saturating_sub(TIMESTAMP)).unwrap_or(name);
        report.insert(scenario.to_owned(), scenario_in(&path)?);
    }
    ensure!(!report.is_empty(), "the suite left no results in {}", folder.display());
    Ok(report)
}

fn scenario_in(folder: &Path) -> Result<Scenario> {
    let file = folder.join("checks.json");
    if !file.exists() {
        let ended = Tally::failed("the scenario ended with an error of its own");
        return Ok(Scenario::from([(NOT_FINISHED.to_owned(), ended)]));
    }
    parse(&fs::read(&file)?).with_context(|| file.display().to_string())
}

fn parse(checks: &[u8]) -> Result<Scenario> {
    let mut scenario = Scenario::new();
    for check in serde_json::from_slice::<Vec<Check>>(checks)? {
        scenario.entry(check.id.clone()).or_default().add(check);
    }
    scenario.retain(|_, tally| tally.checks() > 0);
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::{Tally, parse, read};

    #[test]
    fn checks_are_counted_and_remarks_are_not() {
        let checks = br#"[{"id":"a","status":"SUCCESS","details":{}},{"id":"a","status":"FAILURE","errorMessage":"no"},
            {"id":"b","status":"INFO"},{"id":"c","status":"SKIPPED"},{"id":"c","status":"INFO"}]"#;
        let scenario = parse(checks).expect("checks");
        let a = Tally { success: 1, ..Tally::failed("no") };
        let c = Tally { skipped: 1, ..Tally::default() };
        assert_eq!(scenario.into_iter().collect::<Vec<_>>(), [("a".into(), a), ("c".into(), c)]);
        assert!(parse(br#"[{"id":"a","status":"NEW"}]"#).is_err(), "a status that we do not know");
    }

    #[test]
    fn a_scenario_without_checks_did_not_finish() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(read(folder.path(), "server-").is_err(), "no results at all");
        let scenario = folder.path().join("server-tools-list-2026-11-21T13-09-12-707Z");
        std::fs::create_dir(scenario).expect("a folder");
        let report = read(folder.path(), "server-").expect("a report");
        assert_eq!(report["tools-list"]["scenario-finished"].failure, 1);
    }
}
