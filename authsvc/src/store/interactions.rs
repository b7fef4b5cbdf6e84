//! Authorization requests that wait for a login or an answer.

use super::{Error, Store, unreadable};
use crate::authorization::interaction::{Interaction, Wanted};

/// Requests that may wait at the same time: anyone can begin one.
const MAX_OPEN: i64 = if cfg!(test) { 50 } else { 50_000 };

type Row = (Vec<u8>, Vec<u8>, String, Option<Vec<u8>>, i64, Option<i64>, Option<i64>);

impl Store {
    /// Keeps a request, and forgets the expired ones; `now` in Unix seconds. When too many wait, the oldest for
    /// which no one has logged in goes: a flood must not keep people from beginning.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_interaction(&self, new: &Interaction, now: i64) -> Result<(), Error> {
        let asked =
            serde_json::to_string(&new.wanted).map_err(|_error| unreadable("asked", "JSON"))?;
        let client_id = match &new.wanted {
            Wanted::Authorization(asked) => asked.client_id.as_str(),
            Wanted::Account => "",
        };
        let mut transaction = self.write().await?;
        // Kept for as long again as they were open, so that a late answer is told what happened.
        sqlx::query(self.statement(
            "DELETE FROM interactions WHERE id IN (SELECT id FROM interactions WHERE expires_at <= $1
                                                   /*postgres: FOR UPDATE SKIP LOCKED */)",
        ))
            .bind(now.saturating_sub(Interaction::LIFE))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(self.statement(
            "DELETE FROM interactions WHERE (SELECT COUNT(*) FROM interactions WHERE expires_at > $2) >= $1 AND id =
             (SELECT id FROM interactions WHERE session IS NULL ORDER BY trip IS NOT NULL, expires_at LIMIT 1
              /*postgres: FOR UPDATE SKIP LOCKED */)",
        ))
        .bind(MAX_OPEN)
        // What another process is just forgetting is not one too many.
        .bind(now.saturating_sub(Interaction::LIFE))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO interactions (id, browser, asked, client_id, expires_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&new.id)
        .bind(&new.browser)
        .bind(asked)
        .bind(client_id)
        .bind(new.expires_at)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// The request with this id, open or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn interaction(&self, id: &[u8]) -> Result<Option<Interaction>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, browser, asked, session, expires_at, answered_at, agreed_at FROM interactions WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.reader())
        .await?;
        let Some((id, browser, asked, session, expires_at, answered_at, agreed_at)) = row else {
            return Ok(None);
        };
        let wanted =
            serde_json::from_str(&asked).map_err(|_error| unreadable("asked", "a request"))?;
        Ok(Some(Interaction { id, browser, wanted, session, expires_at, answered_at, agreed_at }))
    }

    /// Notes that the login of `session` was made for this request.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_into_interaction(&self, id: &[u8], session: &[u8]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE interactions SET session = $2 WHERE id = $1")
            .bind(id)
            .bind(session)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that the browser was sent to a provider: `trip` is the digest of its state. What it was sent with before
    /// is worth nothing any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_trip(&self, id: &[u8], trip: &[u8]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE interactions SET trip = $2 WHERE id = $1")
            .bind(id)
            .bind(trip)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that the browser came back from the provider; `false` when it was not sent there with this state, or has
    /// come back with it before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_trip(&self, id: &[u8], trip: &[u8]) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("UPDATE interactions SET trip = NULL WHERE id = $1 AND trip = $2")
            .bind(id)
            .bind(trip)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Closes the request; `false` when somebody else has, or it has expired at `now`, Unix seconds: one request
    /// gets one answer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn answer_interaction(&self, id: &[u8], now: i64) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE interactions SET answered_at = $2 \
             WHERE id = $1 AND answered_at IS NULL AND expires_at > $2",
        )
        .bind(id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
