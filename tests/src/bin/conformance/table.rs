//! The table: a row per scenario, direct against every set-up.

use std::io::{self, Write};

use crate::{
    compare::Verdict,
    expected::{Expected, is_expected},
    report::{Scenario, Tally},
    run::{Compared, Group},
};

/// Writes the table of every group, as Markdown.
///
/// # Errors
/// When `out` does not take it.
pub fn write(out: &mut impl Write, groups: &[Group], expected: &[Expected]) -> io::Result<()> {
    let mut setups: Vec<&str> = Vec::new();
    for one in groups.iter().flat_map(|group| &group.through) {
        if !setups.contains(&one.run.setup) {
            setups.push(one.run.setup);
        }
    }
    writeln!(out, "| server | revision | scenario | direct | {} |", setups.join(" | "))?;
    writeln!(out, "| --- | --- | --- | --- |{}", " --- |".repeat(setups.len()))?;
    for group in groups {
        for (scenario, direct) in &group.direct {
            write!(
                out,
                "| {} | {} | {scenario} | {} |",
                group.upstream,
                group.revision,
                total(direct)
            )?;
            for setup in &setups {
                let run = group.through.iter().find(|one| one.run.setup == *setup);
                let cell = run.map_or_else(String::new, |run| cell(run, scenario, expected));
                write!(out, " {cell} |")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// `=` when every check came out as it did directly.
fn cell(run: &Compared, scenario: &str, expected: &[Expected]) -> String {
    let differences = run.differences.iter().filter(|difference| difference.scenario == scenario);
    let mut words: Vec<&str> = differences
        .map(|difference| match difference.verdict {
            Verdict::Same | Verdict::Better => "better",
            _ if is_expected(expected, &run.run, difference) => "expected",
            Verdict::Worse => "WORSE",
            Verdict::Missing => "MISSING",
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() {
        return "=".to_owned();
    }
    let none = Scenario::new();
    let through = run.through.get(scenario).unwrap_or(&none);
    format!("{}: {}", total(through), words.join(", "))
}

fn total(scenario: &Scenario) -> Tally {
    scenario.values().fold(Tally::default(), |sum, tally| Tally {
        success: sum.success + tally.success,
        skipped: sum.skipped + tally.skipped,
        warning: sum.warning + tally.warning,
        failure: sum.failure + tally.failure,
        said: None,
    })
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::{
        report::{Report, Scenario, Tally},
        run::Group,
    };

    #[test]
    fn a_row_says_what_came_out_and_what_is_different() {
        let report = |tally| {
            let scenario =
                Scenario::from([("a".to_owned(), tally), ("b".to_owned(), Tally::passed())]);
            Report::from([("ping".to_owned(), scenario)])
        };
        let mut group = Group::new("server", "2025-11-25", report(Tally::passed()));
        group.add("off", report(Tally::passed()));
        group.add("token", report(Tally::failed("no")));
        let mut other = Group::new("other", "2025-11-25", report(Tally::failed("no")));
        other.add("token", report(Tally::passed()));
        let mut out = Vec::new();
        write(&mut out, &[group, other], &[]).expect("a table");
        let table = String::from_utf8(out).expect("text");
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| server | 2025-11-25 | ping | 2 ok | = | 1 ok, 1 failed: WORSE |",
                "| other | 2025-11-25 | ping | 1 ok, 1 failed |  | 2 ok: better |",
            ]
        );
    }
}
