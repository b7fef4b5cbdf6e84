//! Forgets what is dead, once an hour: codes and grants a day after their end, clients that nobody uses.

use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{state::App, store};

const EVERY: Duration = Duration::from_secs(3600);
const DAY: i64 = 24 * 3600;
/// How long a client may be without a grant, seconds.
const IDLE: i64 = 90 * DAY;

/// Sweeps until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    loop {
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "what is over was not forgotten, next try in an hour");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(EVERY) => {}
        }
    }
}

/// Sweeps; returns how many rows went.
///
/// # Errors
/// When the database fails.
pub async fn once(app: &App) -> Result<u64, store::Error> {
    let now = app.clock.now_unix();
    let grants = app.store.forget_grants(now.saturating_sub(DAY)).await?;
    let unused_since = now.saturating_sub(DAY);
    let clients = app.store.forget_clients(unused_since, now.saturating_sub(IDLE), now).await?;
    Ok(grants + clients)
}
