//! From a configuration to connections on a schema that is up to date.

use std::{fmt::Write as _, io::ErrorKind, path::Path, str::FromStr as _, time::Duration};

use sqlx::{
    Any, AnyConnection, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::MigrateError,
    pool::PoolOptions,
};

use super::{Error, Store, dialect::Dialect, migrations, users};
use crate::config::Database;

/// How long a request waits for a connection: who asks is told to ask again rather than kept waiting.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for the database.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to SQLite that read; one writes.
const READERS: u32 = 4;
/// Connections to PostgreSQL, of each process.
const CONNECTIONS: u32 = 10;
/// The oldest PostgreSQL that is tested, as it says it.
const OLDEST_POSTGRES: u32 = 150_000;

/// How often a start looks whether it may change how SQLite keeps its journal: as often as others are ahead of it.
const LOOKS: u32 = 100;

/// Another process may just be bringing a large file up to date.
const SQLITE_FIRST: &str = "PRAGMA busy_timeout = 60000";
/// Full: a commit is on the disk when it returns, so that an event that was accepted survives a power cut.
const SQLITE_WRITER: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                             PRAGMA busy_timeout = 5000";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000";
const POSTGRES_READER: &str = "SET default_transaction_read_only = on";
/// A process that stands still must not make the others wait for what it has locked.
const POSTGRES: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s'";

/// See [`Store::open`].
pub(super) async fn open(database: &Database) -> Result<Store, Error> {
    let store = match database {
        Database::Sqlite(path) => sqlite(path).await,
        Database::Postgres(url) => postgres(url.reveal()).await,
    };
    store.map_err(|error| of(database, error))
}

/// See [`Store::look`].
pub(super) async fn look(database: &Database) -> Result<Store, Error> {
    let looked = async {
        let (dialect, options, greeting) = match database {
            Database::Sqlite(path) => (Dialect::Sqlite, sqlite_options(path, "ro")?, SQLITE_READER),
            Database::Postgres(url) => {
                install_default_drivers();
                let options = AnyConnectOptions::from_str(url.reveal())?;
                (Dialect::Postgres, options, POSTGRES_READER)
            }
        };
        let mut connection = connect(&options).await?;
        if dialect == Dialect::Postgres {
            refuse_old(&mut connection).await?;
        }
        connection.close().await?;
        let readers = pool(greeting).max_connections(1).connect_with(options).await?;
        Ok(Store { writer: readers.clone(), readers, dialect })
    };
    looked.await.map_err(|error| of(database, error))
}

/// The error, with which database it is.
fn of(database: &Database, error: Error) -> Error {
    match error {
        Error::Database(source) => Error::Open { database: database.to_string(), source },
        other @ (Error::Open { .. }
        | Error::Old(_)
        | Error::File { .. }
        | Error::Newer { .. }
        | Error::Migration(_)) => other,
    }
}

/// Whether a user of this database may log in. It is neither made nor brought up to date: one that is not there has
/// no users.
///
/// # Errors
/// When it cannot be asked.
pub async fn has_users(database: &Database) -> Result<bool, Error> {
    let options = match database {
        Database::Sqlite(path) if !path.exists() => return Ok(false),
        Database::Sqlite(path) => sqlite_options(path, "ro")?,
        Database::Postgres(url) => {
            install_default_drivers();
            AnyConnectOptions::from_str(url.reveal())?
        }
    };
    let unopened =
        |source: sqlx::Error| Error::Open { database: database.to_string(), source: source.into() };
    let mut connection = connect(&options).await.map_err(unopened)?;
    let found: Option<i64> =
        sqlx::query_scalar(users::SOMEBODY).fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(found.is_some())
}

async fn sqlite(path: &Path) -> Result<Store, Error> {
    create(path).map_err(|source| Error::File { path: path.display().to_string(), source })?;
    let options = sqlite_options(path, "rw")?;
    let mut first = connect(&options).await?;
    first.execute(SQLITE_FIRST).await?;
    write_ahead(&mut first).await?;
    migrate(Dialect::Sqlite, &mut first).await?;
    let writer = pool(SQLITE_WRITER).max_connections(1).connect_with(options).await?;
    let readers = pool(SQLITE_READER).max_connections(READERS);
    let readers = readers.connect_with(sqlite_options(path, "ro")?).await?;
    first.close().await?;
    Ok(Store { writer, readers, dialect: Dialect::Sqlite })
}

async fn postgres(url: &str) -> Result<Store, Error> {
    install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?;
    let mut connection = connect(&options).await?;
    refuse_old(&mut connection).await?;
    // That something is there already is no news, at each start.
    connection.execute("SET client_min_messages = warning").await?;
    // Not one of the pool's: who waits for another process that migrates should wait for as long as it takes.
    migrate(Dialect::Postgres, &mut connection).await?;
    connection.close().await?;
    let both = pool(POSTGRES).max_connections(CONNECTIONS).connect_with(options).await?;
    Ok(Store { writer: both.clone(), readers: both, dialect: Dialect::Postgres })
}

/// Gives a file a write-ahead log, which it keeps. SQLite waits for other processes, but not here: between its look
/// at the file and its change it gives up when another process writes. So we wait for that one, and try again.
async fn write_ahead(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut looks = 1..LOOKS;
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Err(error) if is_busy(&error) && looks.next().is_some() => {
                connection.begin_with(Dialect::Sqlite.begin()).await?.rollback().await?;
            }
            done => return done.map(drop),
        }
    }
}

/// Whether it is `SQLITE_BUSY`, the last byte of more exact codes.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

async fn refuse_old(connection: &mut AnyConnection) -> Result<(), Error> {
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version_num')")
        .fetch_one(connection)
        .await?;
    if version.parse().is_ok_and(|version: u32| version < OLDEST_POSTGRES) {
        return Err(Error::Old(version));
    }
    Ok(())
}

/// One process at a time: in PostgreSQL the migrator takes a lock, in SQLite a transaction is one.
async fn migrate(dialect: Dialect, connection: &mut AnyConnection) -> Result<(), Error> {
    let migrator = migrations::migrator(dialect);
    let migrated = match dialect {
        Dialect::Postgres => migrator.run_direct(None, connection, false).await,
        Dialect::Sqlite => {
            let mut transaction = connection.begin_with(dialect.begin()).await?;
            let migrated = migrator.run_direct(None, &mut *transaction, false).await;
            if migrated.is_ok() {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            migrated
        }
    };
    match migrated {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => {
            let newest = migrations::NEWEST;
            let has = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
                .fetch_one(connection)
                .await?;
            Err(Error::Newer { has, newest })
        }
        Err(MigrateError::Execute(error)) => Err(Error::Migration(error.into())),
        Err(other) => {
            Err(Error::Migration(sqlx::Error::Configuration(other.to_string().into()).into()))
        }
    }
}

pub(super) async fn connect(options: &AnyConnectOptions) -> Result<AnyConnection, sqlx::Error> {
    tokio::time::timeout(START_TIMEOUT, options.connect())
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn pool(greeting: &'static str) -> PoolOptions<Any> {
    AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).after_connect(move |connection, _| {
        Box::pin(async move { connection.execute(greeting).await.map(drop) })
    })
}

/// The file as sqlx wants to be told about it: as a URL, `mode` being `ro` or `rw`.
pub(super) fn sqlite_options(path: &Path, mode: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    install_default_drivers();
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                url.push(char::from(*byte))
            }
            byte => write!(url, "%{byte:02X}").unwrap_or_default(),
        }
    }
    AnyConnectOptions::from_str(&format!("{url}?mode={mode}"))
}

/// Makes the file readable for its owner only: it holds the private keys. One that is there is left alone: to open
/// and close it would undo the locks that other connections of this process have on it.
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.write(true).mode(0o600);
    match file.create_new(true).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Err(_) if path.is_dir() => Err(ErrorKind::IsADirectory.into()),
        // A link to a file that is yet to be made.
        Err(_) if !path.exists() => file.create_new(false).create(true).open(path).map(drop),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, path::PathBuf};

    use attache_protocol::secret::Secret;
    use sqlx::{Connection as _, Executor as _, Row as _};
    use tokio::task::JoinSet;

    use super::{Error, Store, connect, create, is_busy, sqlite_options, write_ahead};
    use crate::config::Database;

    #[tokio::test]
    async fn a_database_opens_twice_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/100% of ?#ö/attache.db");
        let database = Database::Sqlite(path.clone());
        let store = Store::open(&database).await.unwrap();
        store.ping().await.unwrap();
        Store::open(&database).await.unwrap().ping().await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_link_may_lead_to_where_the_database_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link.db"), folder.path().join("file.db"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Store::open(&Database::Sqlite(link)).await.unwrap().ping().await.unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn sqlite_does_not_wait_where_we_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attache.db");
        create(&path).unwrap();
        let options = sqlite_options(&path, "rw").unwrap();
        let (mut one, mut other) =
            (connect(&options).await.unwrap(), connect(&options).await.unwrap());
        let ahead = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let refused = one.execute("PRAGMA journal_mode = WAL").await.unwrap_err();
        assert!(is_busy(&refused), "{refused}");
        ahead.rollback().await.unwrap();
        write_ahead(&mut one).await.unwrap();
        let mode = other.fetch_one("PRAGMA journal_mode").await.unwrap();
        assert_eq!(mode.get::<String, _>(0), "wal");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_file_gets_its_log_from_many_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = folder.path().join(format!("{round}.db"));
            create(&path).unwrap();
            let options = sqlite_options(&path, "rw").unwrap();
            let each = |mut connection| async move { write_ahead(&mut connection).await.unwrap() };
            let mut connections = Vec::new();
            for _ in 0..8 {
                connections.push(connect(&options).await.unwrap());
            }
            connections.into_iter().map(each).collect::<JoinSet<()>>().join_all().await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named_without_its_password() {
        let nobody = "postgres://me:hunter2@127.0.0.1:1/attache?sslmode=disable";
        let error =
            Store::open(&Database::Postgres(Secret::new(nobody.to_owned()))).await.unwrap_err();
        let text = format!("{error:?} ") + &format!("{:#}", anyhow::Error::from(error));
        assert!(
            text.contains("database postgres://me@127.0.0.1:1/attache cannot be opened: "),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");

        let folder = Database::Sqlite(PathBuf::from("/"));
        assert!(matches!(Store::open(&folder).await, Err(Error::File { .. })));
    }
}
