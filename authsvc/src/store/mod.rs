//! What is kept, one file per noun. Ids and times are arguments, secrets come in hashed.
//!
//! SQLite: one connection writes, in transactions that take the write lock when they begin; several read.
//! PostgreSQL: several processes work on it at once, so each transaction must be right beside any other; one that
//! must not overlap with its like takes a [`Turn`]. The statements use `$1` and what both have in common; what
//! differs is in `dialect.rs`. Integers are `i64`, of any database.

pub mod access;
pub mod accounts;
pub mod assertions;
pub mod audit;
mod backup;
pub mod brokered;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod deliveries;
pub mod dex;
mod dialect;
pub mod documents;
pub mod endings;
pub mod events;
pub mod grants;
mod inspection;
pub mod interactions;
pub mod keys;
pub mod managing;
mod migrations;
mod open;
pub mod personal_tokens;
pub mod registering;
pub mod sessions;
mod size;
#[cfg(test)]
mod tests;
pub mod users;
mod watch;

use sha2::{Digest as _, Sha256};
use sqlx::{Any, AnyPool, Row as _, SqlStr, Transaction, any::AnyRow};
use thiserror::Error;

use self::dialect::Dialect;
pub use self::{
    backup::{BackupError, backup},
    dialect::Turn,
    inspection::Schema,
    open::has_users,
    watch::watch,
};
use crate::config::Database;

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
    dialect: Dialect,
}

/// The database does not do what it should.
#[derive(Debug, Error)]
pub enum Error {
    /// There is none, or it does not let us in.
    #[error("database {database} cannot be opened")]
    Open {
        /// Which, without the password.
        database: String,
        /// Why.
        source: Cause,
    },
    /// PostgreSQL before 15.
    #[error("database is PostgreSQL {0}, 15 (150000) is the oldest that is supported")]
    Old(String),
    /// The file cannot be made.
    #[error("database file `{path}` cannot be created")]
    File {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("database failed: {0}")]
    Database(Cause),
    /// A later version of authsvc had it.
    #[error(
        "this database was written by a newer authsvc (schema {has}, this one knows {newest}): start that version, or restore the backup from before the upgrade"
    )]
    Newer {
        /// Its schema.
        has: i64,
        /// Ours.
        newest: usize,
    },
    /// The schema cannot be brought up to date.
    #[error("database cannot be brought up to date: {0}")]
    Migration(Cause),
}

/// What the database, or the way to it, says. The text has all there is: that of its own causes is in it.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Cause(String, Silence);

/// Whether somebody who asks again may be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Silence {
    /// It is away, or has no time.
    Passing,
    /// It answers so.
    None,
}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        let silence = if is_passing(&error) { Silence::Passing } else { Silence::None };
        Self(error.to_string(), silence)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// Says that `what` failed; of a database that is away quietly, since whoever watches it says so once.
    pub fn log(&self, what: &str) {
        if self.is_passing() { self.log_quietly(what) } else { self.log_loudly(what) }
    }

    fn log_quietly(&self, what: &str) {
        tracing::debug!(error = %self, "{what} was not answered");
    }

    fn log_loudly(&self, what: &str) {
        tracing::error!(error = %self, "{what} failed");
    }

    /// Whether the database is away or busy, so that somebody should ask again.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Open { source: cause, .. } | Self::Database(cause) => {
                matches!(cause.1, Silence::Passing)
            }
            Self::Old(_) | Self::File { .. } | Self::Newer { .. } | Self::Migration(_) => false,
        }
    }
}

/// No connection, one that broke, or an answer that says so: SQLSTATE classes 08 and 57, too many connections, locks
/// that were waited for in vain; `SQLITE_BUSY`.
fn is_passing(error: &sqlx::Error) -> bool {
    let said = error.as_database_error().and_then(|said| said.code());
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
        || said.is_some_and(|code| {
            code.starts_with("08")
                || code.starts_with("57P")
                || code == "53300"
                || code == "55P03"
                || open::is_busy(error)
        })
}

/// Where it is imported beside other errors.
pub use Error as StoreError;

impl Store {
    /// The schema of an open database.
    pub const SCHEMA: usize = migrations::NEWEST;

    /// Opens the database, creates the file if it is one, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be reached or opened, or its schema is newer than we are.
    pub async fn open(database: &Database) -> Result<Self, Error> {
        open::open(database).await
    }

    /// Opens the database to look at it: makes nothing, changes nothing, and takes it as it is.
    ///
    /// # Errors
    /// When it cannot be reached or opened, or there is none.
    pub async fn look(database: &Database) -> Result<Self, Error> {
        open::look(database).await
    }

    /// Begins to write; what was written is there when the transaction is committed, and gone when it is dropped.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(self.writer.begin_with(self.dialect.begin()).await?)
    }

    /// As [`Self::write`], when it is our turn.
    ///
    /// # Errors
    /// When the database does not answer, or somebody else keeps the turn.
    pub async fn write_in(&self, turn: Turn) -> Result<Transaction<'static, Any>, Error> {
        let mut transaction = self.write().await?;
        self.dialect.wait_for(turn, &mut transaction).await?;
        Ok(transaction)
    }

    /// For single statements that only read.
    #[must_use]
    pub const fn reader(&self) -> &AnyPool {
        &self.readers
    }

    /// A statement of which a part is for PostgreSQL only: what stands in `/*postgres: … */`.
    fn statement(&self, text: &'static str) -> SqlStr {
        self.dialect.statement(text)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let _answer: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&self.readers).await?;
        Ok(())
    }

    /// Why the database does not answer; nothing if it does.
    pub async fn silence(&self) -> Option<String> {
        let error = self.ping().await.err()?;
        // A pool that could not connect does not say why.
        let connected = open::connect(&self.readers.connect_options()).await;
        Some(connected.map_or_else(|why| why.to_string(), |_connected| error.to_string()))
    }

    /// Ends all connections, after what they are doing.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// How a secret of at least 128 random bits is kept: its SHA-256.
#[must_use]
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// Text of others as both databases can keep it: PostgreSQL takes no NUL.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A column that holds a JSON array of strings.
fn texts(row: &AnyRow, column: &str) -> Result<Vec<String>, sqlx::Error> {
    let json: String = row.try_get(column)?;
    serde_json::from_str(&json).map_err(|error| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(error),
    })
}

/// A column that holds what we did not write.
fn unreadable(column: &str, expected: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("is not {expected}").into(),
    }
}
