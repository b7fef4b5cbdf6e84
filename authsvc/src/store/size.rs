//! How much room is taken, and how much of it comes free.

use sqlx::AnyConnection;

use super::{Error, Store, dialect::Dialect, events::Forgotten};

/// Pages of the file that are in use: those that became free are used again before it grows.
const SQLITE: &str = "SELECT (page_count - freelist_count) * page_size
     FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";

/// What PostgreSQL has on the disk for events and deliveries. It does not shrink when rows go, and other tables of the
/// database may be somebody else's.
const POSTGRES: &str = "SELECT CAST(pg_total_relation_size('events') + pg_total_relation_size('deliveries') AS BIGINT)";

/// What events hold. Beside its body, an event is some 400 bytes: its row, its delivery and four entries of indexes.
const EVENTS: &str =
    "SELECT CAST(COALESCE(SUM(OCTET_LENGTH(body) + 400), 0) AS BIGINT) FROM events";
/// The same, up to a cursor.
const EVENTS_UNTIL: &str = "SELECT CAST(COALESCE(SUM(OCTET_LENGTH(body) + 400), 0) AS BIGINT)
     FROM events WHERE cursor <= $1";

impl Store {
    /// Room that is in use, bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn used_bytes(&self) -> Result<u64, Error> {
        match self.dialect {
            Dialect::Sqlite => self.bytes(SQLITE).await,
            Dialect::Postgres => self.bytes(EVENTS).await,
        }
    }

    /// How many bytes more than `most` are in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn excess_bytes(&self, most: u64) -> Result<u64, Error> {
        // To add up all events means to read them; what is not on the disk need not be.
        if self.dialect == Dialect::Postgres && self.bytes(POSTGRES).await? <= most {
            return Ok(0);
        }
        Ok(self.used_bytes().await?.saturating_sub(most))
    }

    /// What is left of an excess after events were forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn excess_after(
        &self,
        excess: u64,
        forgotten: Forgotten,
        most: u64,
    ) -> Result<u64, Error> {
        match self.dialect {
            Dialect::Sqlite => self.excess_bytes(most).await,
            // Rows that are gone keep their room until PostgreSQL vacuums, which it does by itself.
            Dialect::Postgres => Ok(excess.saturating_sub(forgotten.bytes)),
        }
    }

    async fn bytes(&self, statement: &'static str) -> Result<u64, Error> {
        let bytes: i64 = sqlx::query_scalar(statement).fetch_one(self.reader()).await?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }
}

/// What the events up to a cursor hold.
pub(super) async fn of_events_until(
    connection: &mut AnyConnection,
    cursor: i64,
) -> Result<u64, sqlx::Error> {
    let bytes: i64 = sqlx::query_scalar(EVENTS_UNTIL).bind(cursor).fetch_one(connection).await?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}
