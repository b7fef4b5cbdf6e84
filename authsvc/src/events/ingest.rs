//! `POST /internal/events`: from the filters' outboxes into the store, answered when it is durable.
//!
//! The sender may be another version of the filter: members that we do not know are kept, and an event that we
//! cannot read is refused alone, by its place in the batch, so that it does not hold up the others.

use attache_protocol::event::Event;
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::delivery::DESTINATION;
use crate::{
    state::App,
    store::{
        StoreError,
        events::{Lost, NewEvent},
    },
};

/// Most events in one batch.
pub const MAX_EVENTS: usize = 5000;
/// Largest event, bytes of JSON.
pub const MAX_EVENT: usize = 512 * 1024;
/// End of the year 9999, Unix milliseconds: the last time that RFC 3339 can write.
const LAST_TIME_MS: u64 = 253_402_300_799_999;

/// A batch of which every event was looked at.
#[derive(Debug)]
struct Checked<'a> {
    lost: Lost,
    events: Vec<NewEvent<'a>>,
    refused: Vec<Refused>,
}

/// An event that is not stored, and should not be sent again.
#[derive(Debug, Eq, PartialEq, Serialize)]
struct Refused {
    /// Place in the batch, from 0.
    index: usize,
    reason: String,
}

/// Why a whole batch is refused.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error("body is not a batch of events")]
    Json(#[source] serde_json::Error),
    #[error("batch has {0} events, limit is {MAX_EVENTS}")]
    TooMany(usize),
    #[error("body cannot be read")]
    Body(#[from] BytesRejection),
    #[error("events cannot be stored now, send them again")]
    Store(#[from] StoreError),
}

/// What the sender learns.
#[derive(Debug, Serialize)]
struct Answer {
    /// Events that are stored now, whether by this request or by an earlier one.
    accepted: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Refused>,
}

/// Stores a batch; 202 says that it is durable.
pub async fn ingest(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    match store(&app, body).await {
        Ok(answer) => (StatusCode::ACCEPTED, Json(answer)).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn store(app: &App, body: Result<Bytes, BytesRejection>) -> Result<Answer, BatchError> {
    let body = body?;
    let batch = check(&body)?;
    let now_ms = app.clock.now_ms();
    let destination = app.config.webhook.as_ref().map(|_| DESTINATION);
    let stored = app.store.add_events(&batch.events, batch.lost, destination, now_ms).await?;
    log_dropped(batch.lost.dropped);
    log_throttled(batch.lost.throttled);
    log_refusals(&batch.refused);
    app.metrics.ingested(stored, batch.refused.len());
    if stored > 0 {
        app.arrivals.announce();
    }
    Ok(Answer { accepted: batch.events.len(), refused: batch.refused })
}

fn log_dropped(events: u64) {
    if events > 0 {
        tracing::warn!(events, "a filter lost events: its outbox was full");
    }
}

/// Whoever causes these should not fill the log either; the listing has their number.
fn log_throttled(events: u64) {
    if events > 0 {
        tracing::debug!(events, "requests without a token caused too many events");
    }
}

/// Once per batch: a sender of nonsense does not fill the log.
fn log_refusals(refused: &[Refused]) {
    if let Some(Refused { reason, .. }) = refused.first() {
        let events = refused.len();
        tracing::warn!(events, reason, "a filter sent events that cannot be read");
    }
}

fn check(body: &[u8]) -> Result<Checked<'_>, BatchError> {
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(default)]
        dropped: u64,
        #[serde(default)]
        throttled: u64,
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(BatchError::Json)?;
    if batch.events.len() > MAX_EVENTS {
        return Err(BatchError::TooMany(batch.events.len()));
    }
    let lost = Lost { dropped: batch.dropped, throttled: batch.throttled };
    let mut checked = Checked { lost, events: Vec::new(), refused: Vec::new() };
    for (index, raw) in batch.events.into_iter().enumerate() {
        match check_event(raw.get()) {
            Ok(event) => checked.events.push(event),
            Err(reason) => checked.refused.push(Refused { index, reason }),
        }
    }
    Ok(checked)
}

fn check_event(json: &str) -> Result<NewEvent<'_>, String> {
    if json.len() > MAX_EVENT {
        return Err(format!("event is {} bytes, limit is {MAX_EVENT}", json.len()));
    }
    let Ok(event) = serde_json::from_str::<Event>(json) else {
        return Err(explain(json));
    };
    // One spelling per event, or it would be stored twice.
    if !Uuid::try_parse(&event.id).is_ok_and(|id| id.hyphenated().to_string() == event.id) {
        return Err("id is not a UUID in lower case".to_owned());
    }
    if event.started_at_ms > LAST_TIME_MS {
        return Err(format!("started_at_ms {} is after the year 9999", event.started_at_ms));
    }
    let started_at_ms = i64::try_from(event.started_at_ms).unwrap_or(i64::MAX);
    Ok(NewEvent { id: event.id, started_at_ms, body: json })
}

/// Which member is wrong; its value is somebody's data and is not repeated.
fn explain(json: &str) -> String {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let Err(error) = serde_path_to_error::deserialize::<_, Event>(&mut deserializer) else {
        return "something follows the event".to_owned();
    };
    let cause = error.inner().to_string();
    match cause.split_once(" at line ") {
        Some((cause, _)) if cause.starts_with("missing field") => cause.to_owned(),
        Some((cause, _)) if cause.starts_with("duplicate field") => cause.to_owned(),
        _ => format!("member `{}` is not of the expected type", error.path()),
    }
}

impl IntoResponse for BatchError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Json(_) => StatusCode::BAD_REQUEST,
            Self::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(rejection) => rejection.status(),
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let reason = match &self {
            Self::Json(error) => format!("{self}: {error}"),
            Self::Body(rejection) => rejection.body_text(),
            Self::TooMany(_) => self.to_string(),
            Self::Store(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "events were not stored");
                self.to_string()
            }
        };
        (status, Json(serde_json::json!({ "error": reason }))).into_response()
    }
}
