//! `GET /status`: how this process is, for an operator and for programs that watch it.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::{
    keys::KeyError,
    metrics::{self, Stored},
    state::App,
    store::{Schema, StoreError},
};

/// Answers with what is known; 503 when the database is not there to ask.
pub async fn status(State(app): State<App>) -> Response {
    let now = app.clock.now_unix();
    let mut status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": app.started_at,
        "uptime_seconds": now.saturating_sub(app.started_at),
    });
    let code = match stored(&app, now).await {
        Ok([database, keys, events]) => {
            status["database"] = database;
            status["keys"] = keys;
            status["events"] = events;
            StatusCode::OK
        }
        Err(error) => {
            tracing::error!(%error, "the status is without what the database says");
            status["database"] = json!({ "answers": false });
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (code, Json(status)).into_response()
}

async fn stored(app: &App, now: i64) -> Result<[Value; 3], KeyError> {
    let database = database(app).await?;
    let keys = app.keys.stored().await?;
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
