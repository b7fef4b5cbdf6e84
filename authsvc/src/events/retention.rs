//! Forgets events that are too old, or too many: anyone can cause an event, so the disk must not depend on how many.
//!
//! The oldest go first, with their deliveries. One that is still to be delivered goes as well: a receiver that does
//! not answer must not fill the disk either. That is logged and counted as a loss.

use crate::{
    events::schedule::earlier,
    state::App,
    store::{StoreError, events::Forgotten},
};

/// Events that one transaction forgets: so few that whoever stores events meanwhile waits for milliseconds.
const BATCH: u32 = 200;

/// Forgets what is beyond the configured age and size.
///
/// # Errors
/// When the database fails; what was forgotten until then stays forgotten.
pub async fn once(app: &App) -> Result<(), StoreError> {
    let retention = app.config.retention;
    let too_old_ms = earlier(app.clock.now_ms(), retention.keep);
    let mut all = Forgotten::default();
    let mut excess = app.store.excess_bytes(retention.max_size).await?;
    loop {
        let before_ms = if excess > 0 { i64::MAX } else { too_old_ms };
        let batch = app.store.forget_events(before_ms, BATCH).await?;
        if batch.events == 0 {
            break;
        }
        app.metrics.forgotten(batch.events, batch.undelivered);
        all.events += batch.events;
        all.undelivered += batch.undelivered;
        excess = app.store.excess_after(excess, batch, retention.max_size).await?;
    }
    log_undelivered(all.undelivered);
    log_forgotten(all.events);
    Ok(())
}

fn log_undelivered(events: u64) {
    if events > 0 {
        tracing::warn!(events, "events were forgotten before they were delivered");
    }
}

fn log_forgotten(events: u64) {
    if events > 0 {
        tracing::info!(events, "events beyond analytics.keep or analytics.max_size are forgotten");
    }
}
