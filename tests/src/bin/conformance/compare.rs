//! Direct against through: check by check, the identifier and how it came out.

use std::fmt;

use serde::Deserialize;

use crate::report::{Report, Scenario, Tally};

/// What became of a check on the way through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Same,
    Better,
    Worse,
    /// It was made directly, and not through.
    Missing,
}

/// A check that came out differently.
#[derive(Clone, Debug)]
pub struct Difference {
    pub scenario: String,
    pub check: String,
    pub verdict: Verdict,
    /// The two outcomes, for a person.
    pub outcomes: String,
}

/// Every check of which the verdict is not [`Verdict::Same`].
pub fn compare(direct: &Report, through: &Report) -> Vec<Difference> {
    let none = Scenario::new();
    let mut names: Vec<&String> = direct.keys().chain(through.keys()).collect();
    names.sort();
    names.dedup();
    let scenarios = names.into_iter().flat_map(|name| {
        let sides = (direct.get(name).unwrap_or(&none), through.get(name).unwrap_or(&none));
        of_scenario(name, sides.0, sides.1)
    });
    scenarios.collect()
}

fn of_scenario(name: &str, direct: &Scenario, through: &Scenario) -> Vec<Difference> {
    let mut checks: Vec<&String> = direct.keys().chain(through.keys()).collect();
    checks.sort();
    checks.dedup();
    let differences = checks.into_iter().filter_map(|check| {
        let (direct, through) = (direct.get(check), through.get(check));
        let verdict = verdict(direct, through);
        (verdict != Verdict::Same).then(|| Difference {
            scenario: name.to_owned(),
            check: check.clone(),
            verdict,
            outcomes: format!("direct {}, through {}", Outcome(direct), Outcome(through)),
        })
    });
    differences.collect()
}

fn verdict(direct: Option<&Tally>, through: Option<&Tally>) -> Verdict {
    let Some(through) = through else { return Verdict::Missing };
    let none = Tally::default();
    let direct = direct.unwrap_or(&none);
    let counts = |tally: &Tally| (tally.success, tally.skipped, tally.warning, tally.failure);
    if counts(direct) == counts(through) {
        return Verdict::Same;
    }
    let fewer_pass = through.success < direct.success;
    let warned = through.warning > direct.warning && through.failure == direct.failure;
    if through.failure > direct.failure || fewer_pass || warned {
        return Verdict::Worse;
    }
    Verdict::Better
}

struct Outcome<'a>(Option<&'a Tally>);

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tally) = self.0 else { return f.write_str("not made") };
        write!(f, "{tally}")?;
        tally.said.as_ref().map_or(Ok(()), |said| write!(f, " ({said})"))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.success, "ok"),
            (self.warning, "warned"),
            (self.skipped, "skipped"),
            (self.failure, "failed"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        f.write_str(if said.is_empty() { "-" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, compare, verdict};
    use crate::report::{Report, Scenario, Tally};

    fn warned() -> Tally {
        Tally { warning: 1, ..Tally::default() }
    }

    #[test]
    fn a_check_is_the_same_better_worse_or_missing() {
        let (passed, failed) = (Tally::passed(), Tally::failed("directly"));
        let twice = Tally { success: 2, ..Tally::default() };
        let skipped = Tally { skipped: 1, ..Tally::default() };
        let verdicts = [
            (Some(&passed), Some(&passed), Verdict::Same),
            (Some(&failed), Some(&Tally::failed("in other words")), Verdict::Same),
            (Some(&failed), Some(&passed), Verdict::Better),
            (Some(&failed), Some(&warned()), Verdict::Better),
            (Some(&warned()), Some(&passed), Verdict::Better),
            (None, Some(&passed), Verdict::Better),
            (Some(&passed), Some(&failed), Verdict::Worse),
            (Some(&passed), Some(&warned()), Verdict::Worse),
            (Some(&passed), Some(&skipped), Verdict::Worse),
            (Some(&skipped), Some(&failed), Verdict::Worse),
            (Some(&twice), Some(&passed), Verdict::Worse),
            (None, Some(&failed), Verdict::Worse),
            (Some(&passed), None, Verdict::Missing),
            (Some(&failed), None, Verdict::Missing),
        ];
        for (direct, through, expected) in verdicts {
            assert_eq!(verdict(direct, through), expected, "{direct:?} and {through:?}");
        }
    }

    #[test]
    fn a_scenario_that_was_not_run_through_is_missing() {
        let scenario = Scenario::from([("check".to_owned(), Tally::passed())]);
        let direct =
            Report::from([("here".to_owned(), scenario.clone()), ("gone".to_owned(), scenario)]);
        let mut through = direct.clone();
        assert!(compare(&direct, &through).is_empty());
        through.remove("gone");
        let differences = compare(&direct, &through);
        assert_eq!(differences.len(), 1);
        assert_eq!((&*differences[0].scenario, differences[0].verdict), ("gone", Verdict::Missing));
    }
}
