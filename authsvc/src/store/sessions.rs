//! Sessions of browsers.

use super::{Error, Store};
use crate::sessions::Record;

type Row = (Vec<u8>, String, Vec<u8>, i64, i64);

impl Store {
    /// The session with this id, over or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session(&self, id: &[u8]) -> Result<Option<Record>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, sub, credential, auth_time, last_seen FROM sessions WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(id, sub, credential, auth_time, last_seen)| Record {
            id,
            sub,
            credential,
            auth_time,
            last_seen,
        }))
    }

    /// Keeps a new session, and forgets those that logged in at `logged_in_by` or were last seen at `seen_by` at
    /// the latest, Unix seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_session(
        &self,
        session: &Record,
        logged_in_by: i64,
        seen_by: i64,
    ) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(self.statement(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE auth_time <= $1 OR last_seen <= $2
                                               /*postgres: FOR UPDATE SKIP LOCKED */)",
        ))
        .bind(logged_in_by)
        .bind(seen_by)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO sessions (id, sub, credential, auth_time, last_seen) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&session.id)
        .bind(&session.sub)
        .bind(&session.credential)
        .bind(session.auth_time)
        .bind(session.last_seen)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that a session was used at `now`, Unix seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn touch_session(&self, id: &[u8], now: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE sessions SET last_seen = $2 WHERE id = $1 AND last_seen < $2")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_session(&self, id: &[u8]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}
