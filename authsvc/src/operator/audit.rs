//! `authsvc audit list`: who changed what.

use std::{str::FromStr, time::Duration};

use serde::Serialize;
use time::{
    Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description,
};

use super::{Operator, date, table};
use crate::{clock::seconds, config::duration, pages::words::is_deceptive, store::audit::Kept};

/// From when on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then, Unix seconds.
    At(i64),
}

/// How the entries are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// For people.
    Table,
    /// A JSON object on each line.
    Json,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line {
    time: String,
    #[serde(flatten)]
    kept: Kept,
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = format_description!("[year]-[month]-[day]");
        if let Ok(then) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(then.unix_timestamp()));
        }
        if let Ok(day) = Date::parse(text, day) {
            return Ok(Self::At(day.midnight().assume_utc().unix_timestamp()));
        }
        duration(text).map(Self::Ago).map_err(|_not_one| {
            "is neither a time ago, like 12h or 7d, nor a day or time, like 2026-11-21 or 2026-11-21T12:00:00Z".to_owned()
        })
    }
}

impl Operator {
    /// Who changed what since then, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audited(&self, since: Since, style: Style) -> anyhow::Result<String> {
        let since = match since {
            Since::Ago(ago) => self.clock.now_unix().saturating_sub(seconds(ago)),
            Since::At(then) => then,
        };
        let kept = self.store.audited(since).await?;
        if style == Style::Table {
            let titles = ["TIME", "WHO", "ACTION", "WHAT", "DETAILS", "FROM", "REQUEST"];
            return Ok(table(titles, kept.into_iter().map(row).collect()));
        }
        let mut text = String::new();
        for kept in kept {
            text.push_str(&serde_json::to_string(&Line { time: date(kept.at), kept })?);
            text.push('\n');
        }
        Ok(text)
    }
}

fn row(kept: Kept) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let who = both(Some(kept.author), kept.author_name.or(kept.author_id));
    let what = both(kept.target_name, kept.target);
    let details: Vec<String> =
        kept.details.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let cells = [
        date(kept.at),
        or_nothing(who),
        kept.action,
        or_nothing(what),
        details.join(" "),
        or_nothing(kept.address),
        or_nothing(kept.request_id),
    ];
    // Some of it was chosen by others.
    cells.iter().map(|cell| cell.chars().filter(|one| !is_deceptive(*one)).collect()).collect()
}

fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one} {other}")),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use attache_protocol::secret::Secret;

    use super::{Since, Style};
    use crate::{
        keys::Haste,
        operator::tests::operator,
        store::audit::{Action, Author, Kind},
        testing::{Bench, NOW_MS, PASSWORD},
        users::email::Email,
    };

    const NOW: i64 = NOW_MS / 1000;

    #[test]
    fn a_beginning_is_a_time_ago_a_day_or_a_time() {
        let ago = Since::Ago(Duration::from_hours(12));
        assert_eq!("12h".parse(), Ok(ago));
        assert_eq!("2026-09-21".parse(), Ok(Since::At(1_789_948_800)));
        assert_eq!("2026-09-21T16:13:20+02:00".parse(), Ok(Since::At(NOW)));
        for wrong in ["", "yesterday", "2026-13-01", "12"] {
            assert!(wrong.parse::<Since>().unwrap_err().contains("2026-11-21"), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_an_operator_changes_is_listed_and_what_they_look_at_is_not() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let email = Email::parse("second@example.com").unwrap();
        let ask = || Ok(Secret::new(PASSWORD.to_owned()));
        operator.add_user(&email, vec!["staff".to_owned()], ask).await.unwrap();
        operator.users().await.unwrap();
        operator.change_groups(&email.clone().into(), &[]).await.unwrap();
        operator.disable_user(&email).await.unwrap();
        operator.disable_user(&email).await.unwrap();
        operator.enable_user(&email).await.unwrap();
        operator.rotate(Haste::Now).await.unwrap();
        operator.remove_user(&email).await.unwrap();

        let listed = operator.audited(Since::At(NOW), Style::Json).await.unwrap();
        let lines: Vec<serde_json::Value> =
            listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let actions: Vec<&str> =
            lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
        let expected =
            ["user.add", "user.groups", "user.disable", "user.enable", "key.rotate", "user.remove"];
        assert_eq!(actions, expected);
        let sub = crate::users::sub(&bench.app.config, email.as_str());
        assert_eq!(lines[0]["time"], "2026-09-21T14:13:20Z");
        assert_eq!((&lines[0]["author"], &lines[0]["target"]), (&"operator".into(), &sub.into()));
        assert_eq!(lines[0]["details"], serde_json::json!({ "groups": ["staff"] }));
        assert!(!listed.contains("argon2") && !listed.contains(PASSWORD), "{listed}");

        let table = operator.audited(Since::Ago(Duration::ZERO), Style::Table).await.unwrap();
        assert!(table.starts_with("TIME  ") && table.lines().count() == 7, "{table}");
        bench.advance(Duration::from_secs(1));
        let none = operator.audited(Since::Ago(Duration::ZERO), Style::Json).await.unwrap();
        assert_eq!(none, "");
    }

    #[tokio::test]
    async fn what_others_chose_cannot_turn_or_break_a_line() {
        let bench = Bench::new().await;
        let entry = Author::new(Kind::Client, NOW).does(Action::ChangeClient, "id".to_owned());
        let entry = entry.called("a\u{202e}\u{1b}[2J\nb".to_owned());
        bench.app.store.record(entry).await.unwrap();
        let table = operator(&bench).await.audited(Since::At(NOW), Style::Table).await.unwrap();
        assert!(table.contains("client  client.change  a[2Jb id"), "{table:?}");
        assert_eq!(table.lines().count(), 2);
    }
}
