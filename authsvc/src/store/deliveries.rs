//! Deliveries: the outbox that events enter with their own transaction, and what became of each.

use super::{Store, StoreError};
use crate::events::schedule::State;

/// A delivery that is ours to attempt until its lease ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Cursor of the event.
    pub event: i64,
    /// UUID of the event.
    pub event_id: String,
    /// When it began, Unix milliseconds.
    pub started_at_ms: i64,
    /// JSON, as received.
    pub body: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// Deliveries that are open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Undelivered {
    /// How many.
    pub events: u64,
    /// When the oldest of their events was received, Unix milliseconds.
    pub oldest_ms: Option<i64>,
}

/// What the receiver said last, or why it could not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LastAnswer<'a> {
    /// HTTP status; absent when there was no answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<&'a str>,
    /// The beginning of the body.
    pub reply: Option<&'a str>,
}

impl Store {
    /// Makes a destination known; one that comes back with another URL is enabled again. Returns since when it
    /// is disabled, Unix milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_destination(
        &self,
        name: &str,
        url_digest: &[u8],
    ) -> Result<Option<i64>, StoreError> {
        let mut transaction = self.write().await?;
        let disabled_at_ms = sqlx::query_scalar(
            "INSERT INTO destinations (name, url_digest) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET
                url_digest = excluded.url_digest,
                disabled_at_ms = CASE WHEN destinations.url_digest = excluded.url_digest
                    THEN destinations.disabled_at_ms END
             RETURNING disabled_at_ms",
        )
        .bind(name)
        .bind(url_digest)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(disabled_at_ms)
    }

    /// Sends a destination nothing any more; what is due stays due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disable_destination(&self, name: &str, now_ms: i64) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE destinations SET disabled_at_ms = $2 WHERE name = $1")
            .bind(name)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Leases what is due, oldest first, at most `limit`: nobody else attempts it before `until_ms`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_deliveries(
        &self,
        destination: &str,
        limit: u32,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<Claim>, StoreError> {
        let mut transaction = self.write().await?;
        // What another process is claiming is left to it; MATERIALIZED, since a plan that looked twice would find,
        // and claim, others the second time.
        let claims: Vec<(i64, i64, String, i64, String)> = sqlx::query_as(self.statement(
            "WITH claimed AS MATERIALIZED (
                SELECT event FROM deliveries
                WHERE destination = $1 AND state IN ('due', 'leased') AND at_ms <= $3
                ORDER BY at_ms, event LIMIT $2 /*postgres: FOR UPDATE SKIP LOCKED */)
             UPDATE deliveries SET state = 'leased', at_ms = $4, attempts = attempts + 1
             WHERE destination = $1 AND event IN (SELECT event FROM claimed)
             RETURNING event, attempts,
                (SELECT id FROM events WHERE cursor = event),
                (SELECT started_at_ms FROM events WHERE cursor = event),
                (SELECT body FROM events WHERE cursor = event)",
        ))
        .bind(destination)
        .bind(i64::from(limit))
        .bind(now_ms)
        .bind(until_ms)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let claim = |(event, attempt, event_id, started_at_ms, body)| Claim {
            event,
            event_id,
            started_at_ms,
            body,
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        };
        Ok(claims.into_iter().map(claim).collect())
    }

    /// Records how an attempt ended. A failure that comes after its lease was taken over changes nothing; a
    /// success always counts.
    ///
    /// # Errors
    /// When the database fails; then the lease ends and the delivery is attempted again.
    pub async fn settle_delivery(
        &self,
        destination: &str,
        claim: &Claim,
        state: State,
        answer: LastAnswer<'_>,
    ) -> Result<(), StoreError> {
        let (name, at_ms) = columns(state);
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE deliveries
             SET state = $4, at_ms = $5, last_status = $6, last_error = $7, last_reply = $8
             WHERE event = $1 AND destination = $2
                AND ((state = 'leased' AND attempts = $3) OR $4 = 'delivered')",
        )
        .bind(claim.event)
        .bind(destination)
        .bind(i64::from(claim.attempt))
        .bind(name)
        .bind(at_ms)
        .bind(answer.status.map(i64::from))
        .bind(answer.error.map(super::text))
        .bind(answer.reply.map(super::text))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What is still to be delivered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undelivered(&self, destination: &str) -> Result<Undelivered, StoreError> {
        let (events, oldest): (i64, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), MIN(event) FROM deliveries
             WHERE destination = $1 AND state IN ('due', 'leased')",
        )
        .bind(destination)
        .fetch_one(self.reader())
        .await?;
        let oldest_ms = sqlx::query_scalar("SELECT received_at_ms FROM events WHERE cursor = $1")
            .bind(oldest.unwrap_or_default())
            .fetch_optional(self.reader())
            .await?;
        Ok(Undelivered { events: u64::try_from(events).unwrap_or_default(), oldest_ms })
    }

    /// When the next delivery is due or its lease ends, Unix milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_delivery(&self, destination: &str) -> Result<Option<i64>, StoreError> {
        let at_ms = sqlx::query_scalar(
            "SELECT MIN(at_ms) FROM deliveries
             WHERE destination = $1 AND state IN ('due', 'leased')",
        )
        .bind(destination)
        .fetch_one(self.reader())
        .await?;
        Ok(at_ms)
    }
}

const fn columns(state: State) -> (&'static str, i64) {
    match state {
        State::Due { at_ms } => ("due", at_ms),
        State::Leased { until_ms } => ("leased", until_ms),
        State::Delivered { at_ms } => ("delivered", at_ms),
        State::Dead { at_ms } => ("dead", at_ms),
    }
}
