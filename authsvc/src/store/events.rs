//! Events: added in batches, read in the order of their arrival, forgotten in that order.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Store, StoreError, Turn, size};

/// Rows of one statement; keeps the number of different statements and of their parameters small.
const ROWS: usize = 100;

/// An event to be stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewEvent<'a> {
    /// UUID; the same event arrives more than once.
    pub id: String,
    /// Unix milliseconds.
    pub started_at_ms: i64,
    /// JSON, as received.
    pub body: &'a str,
}

/// Events that never reached us, as their sender counts them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lost {
    /// There was no room for them.
    pub dropped: u64,
    /// Requests without a token caused too many.
    pub throttled: u64,
}

/// An event that is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEvent {
    /// Grows with every event; what a listing continues from.
    pub cursor: i64,
    /// JSON, as received.
    pub body: String,
}

/// Events that were forgotten.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Forgotten {
    /// All of them.
    pub events: u64,
    /// Those among them that were still to be delivered.
    pub undelivered: u64,
    /// What they took, about.
    pub bytes: u64,
}

/// Why an event is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Loss {
    /// There was no room for it in the filter.
    OutboxFull,
    /// Requests without a token caused too many of them.
    Throttled,
    /// It was forgotten before it was delivered.
    Undelivered,
}

impl Loss {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OutboxFull => "outbox_full",
            Self::Throttled => "throttled",
            Self::Undelivered => "undelivered",
        }
    }
}

impl Store {
    /// Adds the events that are not there yet, in one transaction with their deliveries to `destination` and
    /// with the count of what the sender `lost`; returns how many were new. When it returns, they are durable.
    ///
    /// # Errors
    /// When the database fails; then nothing was added.
    pub async fn add_events(
        &self,
        events: &[NewEvent<'_>],
        lost: Lost,
        destination: Option<&str>,
        now_ms: i64,
    ) -> Result<usize, StoreError> {
        let mut transaction = self.write_in(Turn::Events).await?;
        let mut added = 0;
        for chunk in events.chunks(ROWS) {
            let cursors = insert_events(&mut transaction, chunk, now_ms).await?;
            if let Some(destination) = destination {
                insert_deliveries(&mut transaction, &cursors, destination, now_ms).await?;
            }
            added += cursors.len();
        }
        // A batch that holds nothing new is one whose answer was lost: its losses are counted already.
        if added > 0 || events.is_empty() {
            count_losses(&mut transaction, Loss::OutboxFull, lost.dropped).await?;
            count_losses(&mut transaction, Loss::Throttled, lost.throttled).await?;
        }
        transaction.commit().await?;
        Ok(added)
    }

    /// Events after a cursor, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(
        &self,
        cursor: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let events: Vec<(i64, String)> = sqlx::query_as(
            "SELECT cursor, body FROM events WHERE cursor > $1 ORDER BY cursor LIMIT $2",
        )
        .bind(cursor)
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        Ok(events.into_iter().map(|(cursor, body)| StoredEvent { cursor, body }).collect())
    }

    /// Forgets the oldest events and their deliveries, whatever became of these: those that were received before
    /// `before_ms`, at most `limit`. Losses are counted.
    ///
    /// # Errors
    /// When the database fails; then nothing was forgotten.
    pub async fn forget_events(&self, before_ms: i64, limit: u32) -> Result<Forgotten, StoreError> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(cursor) FROM
                (SELECT cursor, received_at_ms FROM events ORDER BY cursor LIMIT $1) AS oldest
             WHERE received_at_ms < $2",
        )
        .bind(i64::from(limit))
        .bind(before_ms)
        .fetch_one(&mut *transaction)
        .await?;
        let Some(last) = last else { return Ok(Forgotten::default()) };
        let undelivered: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM deliveries WHERE event <= $1 AND state IN ('due', 'leased')",
        )
        .bind(last)
        .fetch_one(&mut *transaction)
        .await?;
        let undelivered = u64::try_from(undelivered).unwrap_or_default();
        let bytes = size::of_events_until(&mut transaction, last).await?;
        count_losses(&mut transaction, Loss::Undelivered, undelivered).await?;
        let done = sqlx::query("DELETE FROM events WHERE cursor <= $1")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Forgotten { events: done.rows_affected(), undelivered, bytes })
    }

    /// How many events were lost, by reason.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lost_events(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let losses: Vec<(String, i64)> = sqlx::query_as("SELECT reason, count FROM event_losses")
            .fetch_all(self.reader())
            .await?;
        Ok(losses.into_iter().collect())
    }
}

async fn insert_events(
    connection: &mut AnyConnection,
    events: &[NewEvent<'_>],
    now_ms: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut insert = sqlx::query_scalar(AssertSqlSafe(format!(
        "INSERT INTO events (id, body, started_at_ms, received_at_ms) VALUES {}
         ON CONFLICT (id) DO NOTHING RETURNING cursor",
        rows(events.len(), 4)
    )));
    for event in events {
        insert =
            insert.bind(event.id.as_str()).bind(event.body).bind(event.started_at_ms).bind(now_ms);
    }
    insert.fetch_all(connection).await
}

async fn insert_deliveries(
    connection: &mut AnyConnection,
    cursors: &[i64],
    destination: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    if cursors.is_empty() {
        return Ok(());
    }
    let mut insert = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO deliveries (event, destination, state, at_ms) VALUES {}",
        rows(cursors.len(), 4)
    )));
    for cursor in cursors {
        insert = insert.bind(*cursor).bind(destination).bind("due").bind(now_ms);
    }
    insert.execute(connection).await?;
    Ok(())
}

/// `($1, $2), ($3, $4)`: the places of so many rows.
fn rows(count: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

async fn count_losses(
    connection: &mut AnyConnection,
    loss: Loss,
    events: u64,
) -> Result<(), sqlx::Error> {
    if events == 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO event_losses (reason, count) VALUES ($1, $2)
         ON CONFLICT (reason) DO UPDATE SET count = event_losses.count + excluded.count",
    )
    .bind(loss.as_str())
    .bind(i64::from(u32::try_from(events).unwrap_or(u32::MAX)))
    .execute(connection)
    .await?;
    Ok(())
}
