//! Waiting for what must become true.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::time::sleep;

/// Asks until the answer is good, at most for `patience`.
///
/// # Errors
/// The last failure, when patience is over.
pub async fn eventually<T>(patience: Duration, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("after {} s", patience.as_secs()));
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
