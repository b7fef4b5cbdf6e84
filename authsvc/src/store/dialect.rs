//! What SQLite and PostgreSQL are told differently. Every statement is one text for both.

use std::borrow::Cow;

use sqlx::{AnyConnection, AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// Which of the two it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Transactions that must not overlap with others of their kind, whichever process they are of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Adding events: their cursors are given out and become visible in the same order, so that whoever continues
    /// after a cursor misses nothing.
    Events,
    /// Forgetting what is over: rows that two delete in different orders would make each wait for the other.
    Sweep,
}

/// Begins and ends what only PostgreSQL is told; SQLite takes it for a comment.
const MARKS: [&str; 2] = ["/*postgres:", "*/"];
/// Tells our advisory locks from those of other programs in the same database.
const LOCKS: i64 = 0x6174_7461;

impl Dialect {
    /// Begins a transaction that writes. SQLite: with the write lock, so that nothing that was read in it can have
    /// changed. PostgreSQL: each row is locked when it is written, and read as it was committed last.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// A statement for this database: what stands in `/*postgres: … */` is for PostgreSQL only.
    pub(super) fn statement(self, text: &'static str) -> SqlStr {
        let text = match self {
            Self::Sqlite => Cow::Borrowed(text),
            Self::Postgres => {
                Cow::Owned(MARKS.iter().fold(text.to_owned(), |text, mark| text.replace(mark, "")))
            }
        };
        AssertSqlSafe(text).into_sql_str()
    }

    /// Waits until no other transaction has this turn, and keeps it until the end of this one. In SQLite every
    /// transaction that writes is alone.
    pub(super) async fn wait_for(
        self,
        turn: Turn,
        connection: &mut AnyConnection,
    ) -> Result<(), sqlx::Error> {
        if self == Self::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(LOCKS << 32 | i64::from(turn as u8))
                .execute(connection)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn what_is_marked_is_for_postgresql_only() {
        const TEXT: &str = "SELECT 1 /*postgres: FOR UPDATE */ -- */";
        assert_eq!(Dialect::Sqlite.statement(TEXT).as_str(), TEXT);
        assert_eq!(Dialect::Postgres.statement(TEXT).as_str(), "SELECT 1  FOR UPDATE  -- ");
    }
}
