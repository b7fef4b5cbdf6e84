//! What is kept, one file per noun. Ids and times are arguments, secrets come in hashed.
//!
//! SQLite: one connection writes, in transactions that take the write lock when they begin; several read. The
//! statements use `$1` and what SQLite and PostgreSQL have in common.

pub mod clients;
pub mod codes;
pub mod consents;
pub mod deliveries;
pub mod endings;
pub mod events;
pub mod grants;
pub mod interactions;
pub mod keys;
pub mod managing;
pub mod sessions;

use std::{path::Path, time::Duration};

use sha2::{Digest as _, Sha256};
use sqlx::{
    Row as _, Sqlite, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use thiserror::Error;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read.
const READERS: u32 = 4;

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// The database does not do what it should.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration names none that we can open.
    #[error("database `{0}` is not of the form sqlite://path")]
    Url(String),
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
    Database(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("database cannot be migrated, was it written by a newer version? {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Where it is imported beside other errors.
pub use Error as StoreError;

impl Store {
    /// Opens the database, creates it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When the URL is not `sqlite://path`, the file cannot be opened, or its schema is newer than we are.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty());
        let Some(path) = path.map(Path::new) else { return Err(Error::Url(url.to_owned())) };
        create(path).map_err(|source| Error::File { path: path.display().to_string(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is on the disk when it returns: an event that was accepted survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!().run(&writer).await?;
        let readers = pool().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Begins to write: the lock is held until the transaction is committed or dropped.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// For single statements that only read.
    #[must_use]
    pub const fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let _answer: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&self.readers).await?;
        Ok(())
    }

    /// What of the file is in use, bytes: pages that became free are used again before it grows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn used_bytes(&self) -> Result<u64, Error> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT (page_count - freelist_count) * page_size
             FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(u64::try_from(bytes).unwrap_or_default())
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

/// A column that holds a JSON array of strings.
fn texts(row: &SqliteRow, column: &str) -> Result<Vec<String>, sqlx::Error> {
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

/// Makes the file readable for its owner only: it holds the private keys.
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Error, Store};

    #[tokio::test]
    async fn a_database_opens_twice_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/attache.db");
        let url = format!("sqlite://{}", path.display());
        let store = Store::open(&url).await.unwrap();
        store.ping().await.unwrap();
        Store::open(&url).await.unwrap().ping().await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn another_database_is_refused() {
        assert!(matches!(Store::open("postgres://host/db").await, Err(Error::Url(_))));
    }
}
