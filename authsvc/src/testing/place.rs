//! A database of its own for each test: a new file of SQLite, or a new schema on a PostgreSQL server that this
//! process starts once, and which ends with it.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use attache_protocol::secret::Secret;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, any::AnyConnectOptions};
use tempfile::TempDir;

use crate::{config::Database, store::Store};

/// Which database: the variable `ATTACHE_TEST_DATABASE` makes it PostgreSQL for tests that do not care.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Where a test keeps its state.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) database: Database,
    _folder: Option<TempDir>,
}

/// The server; its standard input closes when this process ends, however that happens.
struct Server {
    _process: Child,
    /// Folder of its socket, as it is written in a URL.
    host: String,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

impl Kind {
    pub(crate) fn of_this_run() -> Self {
        match std::env::var_os("ATTACHE_TEST_DATABASE") {
            None => Self::Sqlite,
            Some(name) if name == "sqlite" => Self::Sqlite,
            Some(name) if name == "postgres" => Self::Postgres,
            Some(other) => {
                panic!("ATTACHE_TEST_DATABASE is {other:?}, it may be sqlite or postgres")
            }
        }
    }
}

impl Place {
    pub(crate) async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let database = Database::Sqlite(folder.path().join("attache.db"));
                Self { database, _folder: Some(folder) }
            }
            Kind::Postgres => Self { database: postgres().await, _folder: None },
        }
    }

    /// As one more process would.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.database).await.unwrap()
    }
}

async fn postgres() -> Database {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.unwrap();
    let url = format!("postgres://attache@{}/postgres", server.host);
    let schema = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Database::Postgres(Secret::new(format!("{url}?options=-c%20search_path%3D{schema}")))
}

fn start() -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres-server.sh");
    let mut command = Command::new(script);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut folder = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut folder).unwrap();
    assert!(!folder.is_empty(), "no PostgreSQL server: scripts/postgres.sh installs it");
    Server { _process: process, host: folder.trim_end().replace('/', "%2F") }
}
