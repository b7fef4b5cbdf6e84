//! `GET /status`: how this process is, for an operator and for programs that watch it.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    keys::KeyError,
    metrics::{self, Stored},
    state::App,
    store::{Schema, StoreError},
};

#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    state: &'static str,
    /// Unix seconds.
    started_at: i64,
    uptime_seconds: i64,
    database: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Value>,
}

/// Answers with what is known; 503 when the database is not there to ask.
pub async fn status(State(app): State<App>) -> Response {
    let now = app.clock.now_unix();
    let (code, database, keys, events) = match stored(&app, now).await {
        Ok([database, keys, events]) => (StatusCode::OK, database, Some(keys), Some(events)),
        Err(error) => {
            tracing::error!(%error, "the status is without what the database says");
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "answers": false }), None, None)
        }
    };
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        state: if app.draining.is_cancelled() { "draining" } else { "serving" },
        started_at: app.started_at,
        uptime_seconds: now.saturating_sub(app.started_at),
        database,
        keys,
        events,
    };
    (code, Json(status)).into_response()
}

async fn stored(app: &App, now: i64) -> Result<[Value; 3], KeyError> {
    let database = database(app).await?;
    let keys = match app.keys() {
        Some(keys) => keys.stored().await?,
        None => Vec::new(),
    };
    let keys = keys.iter().map(|key| {
        json!({
            "kid": key.kid,
            "algorithm": key.algorithm,
            "state": key.state.as_str(),
            "age_seconds": now.saturating_sub(key.since),
        })
    });
    let Stored { undelivered, oldest_undelivered, lost } = metrics::stored(app).await?;
    let lost: serde_json::Map<String, Value> =
        lost.into_iter().map(|(reason, count)| (reason, count.into())).collect();
    let events = json!({
        "undelivered": undelivered,
        "oldest_undelivered_seconds": oldest_undelivered,
        "lost": lost,
    });
    Ok([database, keys.collect(), events])
}

async fn database(app: &App) -> Result<Value, StoreError> {
    let schema = match app.store.schema().await? {
        Schema::None => 0,
        Schema::Older { has, .. } | Schema::UpToDate(has) | Schema::Newer { has, .. } => has,
    };
    Ok(json!({ "answers": true, "product": app.store.product().await?, "schema": schema }))
}
