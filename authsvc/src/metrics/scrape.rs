//! `GET /metrics`: the counters of this process, and what the database says of events.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::Stored;
use crate::{
    events::delivery::DESTINATION,
    state::App,
    store::{StoreError, deliveries::Undelivered},
};

/// The format of Prometheus' own project (OpenMetrics 1.0).
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers a scraper. Where the database does not answer, the process still does.
pub async fn scrape(State(app): State<App>) -> Response {
    let stored = stored(&app).await;
    if let Err(error) = &stored {
        tracing::warn!(%error, "metrics are without what the database says");
    }
    match app.metrics.text(stored.ok()) {
        Ok(text) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(_no_room) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What the database says of events.
///
/// # Errors
/// When it fails.
pub(crate) async fn stored(app: &App) -> Result<Stored, StoreError> {
    let Undelivered { events, oldest_ms } = app.store.undelivered(DESTINATION).await?;
    let now_ms = app.clock.now_ms();
    let age = |since_ms: i64| u64::try_from(now_ms.saturating_sub(since_ms) / 1000).unwrap_or(0);
    Ok(Stored {
        undelivered: events,
        oldest_undelivered: oldest_ms.map(age),
        lost: app.store.lost_events().await?.into_iter().collect(),
    })
}
