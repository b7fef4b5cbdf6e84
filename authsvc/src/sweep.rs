//! Forgets what is over: once an hour codes, grants and assertions a day after their end, personal access tokens a
//! month after it and clients that nobody uses, once a minute events and the audit trail beyond what is kept of them.
//! Clients at a provider that nobody needs go beside that: it may be slow.

use std::{future, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{audit, broker::endings, events::retention, state::App, store};

const HOUR: Duration = Duration::from_hours(1);
/// Events come fast: what is beyond the size that they may have is what came in this time.
const MINUTE: Duration = Duration::from_mins(1);
const DAY: i64 = 24 * 3600;
/// How long a personal access token that is dead is still listed, seconds.
const MONTH: i64 = 30 * DAY;
/// How long a client may be without a grant, seconds.
const IDLE: i64 = 90 * DAY;

/// Sweeps until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    // It ends in between two transactions, or in one that is then undone.
    tokio::select! {
        () = stop.cancelled() => {}
        () = each_hour(&app) => {}
        () = each_minute(&app) => {}
        () = orphans(&app) => {}
        () = abandoned(&app) => {}
        () = endings::run(&app) => {}
    }
}

async fn each_hour(app: &App) {
    loop {
        pause(HOUR, once(app).await.map(drop)).await;
    }
}

async fn each_minute(app: &App) {
    loop {
        let forgotten = async {
            retention::once(app).await?;
            audit::forget(app).await
        };
        pause(MINUTE, forgotten.await).await;
    }
}

async fn orphans(app: &App) {
    let Some(broker) = app.broker() else { return future::pending().await };
    loop {
        pause(HOUR, broker.end_orphans(app).await.map(drop)).await;
    }
}

async fn abandoned(app: &App) {
    let Some(broker) = app.broker() else { return future::pending().await };
    loop {
        pause(MINUTE, broker.end_abandoned().await.map(drop)).await;
    }
}

async fn pause(period: Duration, swept: Result<(), store::Error>) {
    if let Err(error) = swept {
        let again_seconds = period.as_secs();
        tracing::warn!(%error, again_seconds, "what is over was not forgotten");
    }
    time::sleep(period).await;
}

/// Sweeps what the hour asks for; returns how many rows went.
///
/// # Errors
/// When the database fails.
pub async fn once(app: &App) -> Result<u64, store::Error> {
    let now = app.clock.now_unix();
    let grants = app.store.forget_grants(now.saturating_sub(DAY)).await?;
    let unused_since = now.saturating_sub(DAY);
    let clients = app.store.forget_clients(unused_since, now.saturating_sub(IDLE), now).await?;
    let assertions = app.store.forget_assertions(now.saturating_sub(DAY)).await?;
    let tokens = app.store.forget_personal_tokens(now.saturating_sub(MONTH)).await?;
    Ok(grants + clients + assertions + tokens)
}
