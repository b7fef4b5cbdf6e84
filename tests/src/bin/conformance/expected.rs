//! Differences that are known, with their reasons: `tests/conformance/expected.yaml`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{
    compare::{Difference, Verdict},
    run::{Compared, Run},
};

/// A difference that is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// What stands behind the gateway.
    upstream: String,
    /// Revisions in which it is so.
    revisions: Vec<String>,
    /// Set-ups in which it is so.
    setups: Vec<String>,
    scenario: String,
    check: String,
    verdict: Verdict,
    /// Why it is right.
    reason: String,
}

impl Expected {
    fn covers(&self, run: &Run) -> bool {
        self.upstream == run.upstream
            && self.revisions.iter().any(|one| one == run.revision)
            && self.setups.iter().any(|one| one == run.setup)
    }

    fn is(&self, difference: &Difference) -> bool {
        (&self.scenario, &self.check, self.verdict)
            == (&difference.scenario, &difference.check, difference.verdict)
    }
}

/// What is wrong, a line each.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Checks that got worse, or were not made, without a reason.
    pub unexpected: Vec<String>,
    /// Reasons without a difference.
    pub stale: Vec<String>,
}

/// Reads the file.
///
/// # Errors
/// When an entry is not complete.
pub fn read(file: &Path) -> Result<Vec<Expected>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let entries: Vec<Expected> =
        serde_saphyr::from_str(&text).with_context(|| file.display().to_string())?;
    for entry in &entries {
        ensure!(
            !entry.reason.trim().is_empty(),
            "{}: {} has no reason",
            file.display(),
            entry.check
        );
    }
    Ok(entries)
}

/// Whether a difference is a known one.
pub fn is_expected(entries: &[Expected], run: &Run, difference: &Difference) -> bool {
    entries.iter().any(|entry| entry.covers(run) && entry.is(difference))
}

/// Holds every difference against the known ones. What got better needs no entry; an entry has to be true of every
/// run that it covers.
pub fn judge(entries: &[Expected], compared: &[Compared]) -> Judgement {
    let mut judgement = Judgement::default();
    for Compared { run, differences, .. } in compared {
        let surprises = differences.iter().filter(|difference| {
            difference.verdict != Verdict::Better && !is_expected(entries, run, difference)
        });
        judgement.unexpected.extend(surprises.map(|difference| {
            let Difference { scenario, check, verdict, outcomes } = difference;
            format!("{verdict:?}: {run}: {scenario} / {check}: {outcomes}")
        }));
        let stale = entries.iter().filter(|entry| {
            entry.covers(run) && !differences.iter().any(|difference| entry.is(difference))
        });
        judgement
            .stale
            .extend(stale.map(|entry| format!("{run}: {} / {}", entry.scenario, entry.check)));
    }
    judgement
}

/// Entries that no run was held against: only of interest when everything ran.
pub fn unused<'a>(entries: &'a [Expected], compared: &[Compared]) -> Vec<&'a str> {
    let unused = entries.iter().filter(|entry| !compared.iter().any(|one| entry.covers(&one.run)));
    unused.map(|entry| entry.check.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Expected, judge, unused};
    use crate::{
        compare::{Difference, Verdict},
        report::Report,
        run::{Compared, Run},
    };

    fn compared(setup: &'static str, verdict: Option<Verdict>) -> Compared {
        let difference = |verdict| Difference {
            scenario: "scenario".to_owned(),
            check: "check".to_owned(),
            verdict,
            outcomes: String::new(),
        };
        Compared {
            run: Run { upstream: "server", revision: "2025-11-25", setup },
            through: Report::new(),
            differences: verdict.map(difference).into_iter().collect(),
        }
    }

    fn entry(setups: &[&str], verdict: Verdict) -> Expected {
        Expected {
            upstream: "server".to_owned(),
            revisions: vec!["2025-11-25".to_owned()],
            setups: setups.iter().map(|&setup| setup.to_owned()).collect(),
            scenario: "scenario".to_owned(),
            check: "check".to_owned(),
            verdict,
            reason: "a reason".to_owned(),
        }
    }

    #[test]
    fn what_got_worse_or_is_missing_needs_a_reason_and_what_got_better_does_not() {
        for (verdict, complaints) in
            [(Verdict::Worse, 1), (Verdict::Missing, 1), (Verdict::Better, 0)]
        {
            let runs = [compared("off", Some(verdict))];
            assert_eq!(judge(&[], &runs).unexpected.len(), complaints, "{verdict:?}");
            let known = judge(&[entry(&["off"], verdict)], &runs);
            assert_eq!((known.unexpected.len(), known.stale.len()), (0, 0), "{verdict:?}");
        }
    }

    #[test]
    fn a_reason_is_for_its_runs_and_its_verdict_only() {
        let runs = [compared("off", Some(Verdict::Worse)), compared("token", Some(Verdict::Worse))];
        let judgement = judge(&[entry(&["off"], Verdict::Worse)], &runs);
        assert_eq!((judgement.unexpected.len(), judgement.stale.len()), (1, 0));
        let judgement = judge(&[entry(&["off"], Verdict::Missing)], &runs);
        assert_eq!((judgement.unexpected.len(), judgement.stale.len()), (2, 1));
    }

    #[test]
    fn a_reason_that_is_not_true_of_a_run_is_stale() {
        let runs = [compared("off", Some(Verdict::Worse)), compared("token", None)];
        let everywhere = [entry(&["off", "token"], Verdict::Worse)];
        assert_eq!(judge(&everywhere, &runs).stale, ["server 2025-11-25 token: scenario / check"]);
        assert!(unused(&everywhere, &runs).is_empty());
        assert_eq!(unused(&[entry(&["elsewhere"], Verdict::Worse)], &runs), ["check"]);
    }
}
