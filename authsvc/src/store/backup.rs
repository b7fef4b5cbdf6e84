//! A copy of the database while it is in use.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sqlx::Connection as _;
use thiserror::Error;

use super::{
    Cause,
    open::{connect, sqlite_options},
};
use crate::config::Database;

/// There is no copy.
#[derive(Debug, Error)]
pub enum BackupError {
    /// That is what PostgreSQL's own programs are for.
    #[error(
        "{0} is backed up with PostgreSQL's own programs: pg_dump --format=custom --file=FILE URL"
    )]
    Postgres(String),
    /// There is nothing to be copied.
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    /// The copy would be what is there already.
    #[error("{0} is there already and is not overwritten")]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite failed.
    #[error("the database cannot be copied")]
    Database(#[source] Cause),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Writes what is committed now into a new file that only its owner reads, complete or not at all.
///
/// # Errors
/// When the database is not SQLite or not there, or the file is there already or cannot be written.
pub async fn backup(database: &Database, to: &Path) -> Result<(), BackupError> {
    let from = match database {
        Database::Sqlite(path) if path.is_file() => path,
        Database::Sqlite(path) => return Err(BackupError::Missing(path.clone())),
        Database::Postgres(_) => return Err(BackupError::Postgres(database.to_string())),
    };
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = to.with_file_name(name);
    let copied = copy(from, &beside, to).await.and_then(|()| publish(&beside, to));
    // Best effort: it may never have been made.
    drop(fs::remove_file(&beside));
    copied
}

/// Errors are about `named`, the file that was asked for.
async fn copy(from: &Path, to: &Path, named: &Path) -> Result<(), BackupError> {
    let unwritten = |source| BackupError::Write { path: named.to_owned(), source };
    // SQLite fills a file that is empty, and leaves its mode as it is.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = file.map_err(unwritten)?;
    let mut connection = connect(&sqlite_options(from, "ro")?).await?;
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await?;
    connection.close().await?;
    file.sync_all().map_err(unwritten)
}

/// Gives the file its name; a link never takes the place of another file.
fn publish(beside: &Path, to: &Path) -> Result<(), BackupError> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let linked = fs::hard_link(beside, to)
        .and_then(|()| File::open(folder.unwrap_or(Path::new("."))))
        .and_then(|folder| folder.sync_all());
    linked.map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return BackupError::Exists(to.to_owned());
        }
        BackupError::Write { path: to.to_owned(), source }
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{BackupError, backup};
    use crate::{
        config::Database,
        store::{
            Store,
            events::{Lost, NewEvent},
        },
        testing::place::{Kind, Place},
    };

    async fn add(store: &Store, id: &str) {
        let event = NewEvent { id: id.to_owned(), started_at_ms: 1, body: "{}" };
        store.add_events(&[event], Lost::default(), None, 1).await.unwrap();
    }

    #[tokio::test]
    async fn a_backup_has_what_is_committed_and_only_its_owner_reads_it() {
        let place = Place::new(Kind::Sqlite).await;
        let store = place.open().await;
        add(&store, "committed").await;
        let mut open = store.write().await.unwrap();
        sqlx::query("DELETE FROM events").execute(&mut *open).await.unwrap();

        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("it's a 100% copy.db");
        backup(&place.database, &copy).await.unwrap();
        drop(open);
        add(&store, "later").await;

        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        let copy = Store::open(&Database::Sqlite(copy)).await.unwrap();
        assert_eq!(copy.events_after(0, 10).await.unwrap().len(), 1);
        let said: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(copy.reader()).await.unwrap();
        assert_eq!(said, "ok");
    }

    #[tokio::test]
    async fn a_backup_overwrites_nothing_and_makes_no_database() {
        let place = Place::new(Kind::Sqlite).await;
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        let missing = backup(&place.database, &copy).await;
        assert!(matches!(missing, Err(BackupError::Missing(_))), "{missing:?}");

        place.open().await;
        fs::write(&copy, "").unwrap();
        let there = backup(&place.database, &copy).await;
        assert!(matches!(there, Err(BackupError::Exists(_))), "{there:?}");
        assert_eq!(fs::metadata(&copy).unwrap().len(), 0);
        let asked = folder.path().join("no/folder.db");
        let nowhere = backup(&place.database, &asked).await;
        assert!(matches!(nowhere, Err(BackupError::Write { ref path, .. }) if *path == asked));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
