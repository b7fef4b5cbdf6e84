//! What was fetched, for as long as it is good. One asks, the others wait for what comes; while nothing does, what was
//! there before goes on for a day.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::Error;
use crate::clock::Clock;

/// How soon it is asked again after an answer, for whoever needs a newer one.
const REST: Duration = Duration::from_secs(10);
/// How soon after a failure: those who came meanwhile share it.
const PAUSE: Duration = Duration::from_secs(2);
/// How long what was there before goes on.
const STALE: Duration = Duration::from_hours(24);

/// One thing of a provider.
#[derive(Debug)]
pub struct Cached<T> {
    clock: Clock,
    kept: Mutex<Kept<T>>,
}

/// Times are of a clock that never runs backwards.
#[derive(Debug)]
struct Kept<T> {
    value: Option<Value<T>>,
    /// When it was last asked for, if that failed, and why.
    failure: Option<(Duration, Error)>,
}

#[derive(Debug)]
struct Value<T> {
    value: Arc<T>,
    fetched_at: Duration,
    good_until: Duration,
}

impl<T> Cached<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::new(Kept { value: None, failure: None }) }
    }

    /// What there is, while it is good; else what `fetch` brings.
    ///
    /// # Errors
    /// When it brings nothing, and there is nothing from before.
    pub async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<(T, Duration), Error>>,
    {
        let mut kept = self.kept.lock().await;
        let now = self.clock.elapsed();
        if let Some(value) = kept.value.as_ref().filter(|value| now < value.good_until) {
            return Ok(Arc::clone(&value.value));
        }
        kept.look(PAUSE, now, fetch).await
    }

    /// What `fetch` brings; what there is, if it came just now.
    ///
    /// # Errors
    /// When it brings nothing, and there is nothing from before.
    pub async fn renew<F>(&self, fetch: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<(T, Duration), Error>>,
    {
        let mut kept = self.kept.lock().await;
        let now = self.clock.elapsed();
        let rests = |value: &&Value<T>| now < value.fetched_at.saturating_add(REST);
        if let Some(value) = kept.value.as_ref().filter(rests) {
            return Ok(Arc::clone(&value.value));
        }
        kept.look(REST, now, fetch).await
    }
}

impl<T> Kept<T> {
    async fn look<F>(
        &mut self,
        pause: Duration,
        now: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<(T, Duration), Error>>,
    {
        let failed = self.failure.as_ref().filter(|(at, _)| now < at.saturating_add(pause));
        if let Some((_, error)) = failed {
            return self.earlier(now, error.clone());
        }
        match fetch().await {
            Ok((value, age)) => {
                let value = Arc::new(value);
                let good_until = now.saturating_add(age);
                let kept = Value { value: Arc::clone(&value), fetched_at: now, good_until };
                *self = Self { value: Some(kept), failure: None };
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(%error, "a provider of identities is not as it should be");
                self.failure = Some((now, error.clone()));
                self.earlier(now, error)
            }
        }
    }

    fn earlier(&self, now: Duration, error: Error) -> Result<Arc<T>, Error> {
        let usable = |value: &&Value<T>| now < value.good_until.saturating_add(STALE);
        self.value.as_ref().filter(usable).map(|value| Arc::clone(&value.value)).ok_or(error)
    }
}
