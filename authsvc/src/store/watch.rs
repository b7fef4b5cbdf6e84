//! Whether the database answers, told once when that changes: requests that come meanwhile only say that it does not.

use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Store;

/// How often somebody looks.
const EVERY: Duration = Duration::from_secs(5);

/// Watches until `stop`.
pub async fn watch(store: Store, stop: CancellationToken) {
    let mut watched = Watched::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(EVERY) => watched.see(store.silence().await),
        }
    }
}

/// What was told last.
#[derive(Debug, Default)]
struct Watched {
    is_silent: bool,
}

impl Watched {
    fn see(&mut self, silence: Option<String>) {
        match (silence, self.is_silent) {
            (Some(reason), false) => {
                fell_silent(&reason);
                self.is_silent = true;
            }
            (None, true) => {
                tracing::warn!("the database answers again");
                self.is_silent = false;
            }
            (Some(_), true) | (None, false) => {}
        }
    }
}

fn fell_silent(reason: &str) {
    tracing::error!(
        reason,
        "the database does not answer; until it does, requests that need it are refused"
    );
}

#[cfg(test)]
mod tests {
    use super::Watched;
    use crate::testing::log::Log;

    #[test]
    fn an_outage_is_told_once_with_its_cause() {
        let log = Log::start();
        let mut watched = Watched::default();
        for silence in [None, Some("the cause of an outage"), Some("the cause of an outage"), None]
        {
            watched.see(silence.map(str::to_owned));
        }
        let lines = log.with("the cause of an outage");
        assert_eq!((lines.len(), lines[0]["level"].as_str()), (1, Some("ERROR")));
        assert!(!watched.is_silent);
    }
}
