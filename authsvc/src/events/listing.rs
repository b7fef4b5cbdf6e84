//! `GET /internal/events`: events in the order of their arrival, by cursor.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    correlation::Waited,
    state::App,
    store::{StoreError, events::StoredEvent},
};

/// Most events in one answer.
const MOST: u32 = 1000;
/// Longest time for which a request waits for events, seconds.
const LONGEST_WAIT: u64 = 25;

/// How long an event that another process added may be unknown to those who wait here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Query of a listing.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Cursor of the last event that the reader has; 0 for all.
    after: i64,
    /// Events per answer, at most 1000.
    limit: u32,
    /// Seconds to wait for an event when there is none, at most 25.
    wait: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: 0, limit: 100, wait: 0 }
    }
}

#[derive(Debug, Serialize)]
struct Listing {
    events: Vec<Listed>,
    /// What to continue after.
    next: i64,
    /// Events that are in no listing, by reason, since the database began.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lost: BTreeMap<String, i64>,
}

#[derive(Debug, Serialize)]
struct Listed {
    cursor: i64,
    event: Box<RawValue>,
}

/// Lists events, oldest first.
pub async fn list(State(app): State<App>, page: Result<Query<Page>, QueryRejection>) -> Response {
    let page = match page {
        Ok(Query(page)) => page,
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    match read(&app, page).await {
        Ok(listing) if page.wait > 0 => (Extension(Waited), Json(listing)).into_response(),
        Ok(listing) => Json(listing).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "events were not listed");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "events cannot be read now")
        }
    }
}

async fn read(app: &App, page: Page) -> Result<Listing, StoreError> {
    let limit = page.limit.clamp(1, MOST);
    let mut arrivals = app.arrivals.subscribe();
    let mut events = app.store.events_after(page.after, limit).await?;
    if events.is_empty() && page.wait > 0 {
        let wait = Duration::from_secs(page.wait.min(LONGEST_WAIT));
        tokio::select! {
            _ = arrivals.changed() => {}
            () = appearance(app, page.after) => {}
            () = app.closing.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
        events = app.store.events_after(page.after, limit).await?;
    }
    let next = events.last().map_or(page.after, |event| event.cursor);
    let lost = app.store.lost_events().await?;
    Ok(Listing { events: events.into_iter().filter_map(listed).collect(), next, lost })
}

/// Returns when there is something after the cursor: other processes on the same database announce nothing here.
async fn appearance(app: &App, after: i64) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        // A failure is told by whoever reads next.
        if !app.store.events_after(after, 1).await.is_ok_and(|events| events.is_empty()) {
            return;
        }
    }
}

fn listed(StoredEvent { cursor, body }: StoredEvent) -> Option<Listed> {
    // Only JSON was ever stored.
    Some(Listed { cursor, event: RawValue::from_string(body).ok()? })
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(serde_json::json!({ "error": reason }))).into_response()
}
