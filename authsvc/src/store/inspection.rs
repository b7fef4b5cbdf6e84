//! What can be said of a database from outside: whose it is, and how new.

use super::{Error, Store, dialect::Dialect, migrations};

/// How new the tables of a database are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Schema {
    /// There are none yet.
    None,
    /// Of an earlier version of authsvc, which has taken this many of our steps.
    Older {
        /// Its last step.
        has: usize,
        /// Ours.
        newest: usize,
    },
    /// As we have it.
    UpToDate(usize),
    /// Of a later version of authsvc.
    Newer {
        /// Its last step.
        has: usize,
        /// Ours.
        newest: usize,
    },
}

impl Store {
    /// Name and version of the database.
    ///
    /// # Errors
    /// When it fails.
    pub async fn product(&self) -> Result<String, Error> {
        let (name, statement) = match self.dialect {
            Dialect::Sqlite => ("SQLite", "SELECT sqlite_version()"),
            Dialect::Postgres => ("PostgreSQL", "SELECT current_setting('server_version')"),
        };
        let version: String = sqlx::query_scalar(statement).fetch_one(self.reader()).await?;
        Ok(format!("{name} {version}"))
    }

    /// How new its tables are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schema(&self) -> Result<Schema, Error> {
        let tables = match self.dialect {
            Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
            Dialect::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables
                 WHERE table_name = '_sqlx_migrations' AND table_schema = current_schema()"
            }
        };
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(self.reader()).await?;
        if tables == 0 {
            return Ok(Schema::None);
        }
        let has: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
            .fetch_one(self.reader())
            .await?;
        let (has, newest) = (usize::try_from(has).unwrap_or_default(), migrations::NEWEST);
        Ok(match has {
            0 => Schema::None,
            _ if has < newest => Schema::Older { has, newest },
            _ if has > newest => Schema::Newer { has, newest },
            _ => Schema::UpToDate(has),
        })
    }
}
