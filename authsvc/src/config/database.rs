//! Where state is kept.

use std::{fmt, path::PathBuf};

use attache_protocol::secret::Secret;
use url::Url;

/// A file of SQLite, or a database of a PostgreSQL server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Database {
    /// Path, absolute.
    Sqlite(PathBuf),
    /// URL, which may hold a password.
    Postgres(Secret),
}

/// As the configuration has it, without password and parameters.
impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let url = Url::parse(url.reveal()).ok();
                let url = url.as_ref();
                let user = url.map(Url::username).filter(|user| !user.is_empty());
                let host = url.and_then(Url::host_str).unwrap_or("?");
                let port = url.and_then(Url::port).map(|port| format!(":{port}"));
                formatter.write_str("postgres://")?;
                user.map_or(Ok(()), |user| write!(formatter, "{user}@"))?;
                let path = url.map_or("/?", Url::path);
                write!(formatter, "{host}{}{path}", port.unwrap_or_default())
            }
        }
    }
}
