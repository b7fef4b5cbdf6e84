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
    let mut pause = Duration::from_millis(20);
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("after {} s", patience.as_secs()));
            }
            // Ever longer: whoever asks too often is refused.
            Err(_) => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
        }
    }
}
