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
    /// When it was last found not to be had, and why.
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
        self.look(&mut kept, PAUSE, fetch).await
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
        self.look(&mut kept, REST, fetch).await
    }

    async fn look<F>(
        &self,
        kept: &mut Kept<T>,
        pause: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<(T, Duration), Error>>,
    {
        let now = self.clock.elapsed();
        let failed = kept.failure.as_ref().filter(|(at, _)| now < at.saturating_add(pause));
        if let Some((_, error)) = failed {
            return kept.earlier(now, error.clone());
        }
        let fetched = fetch().await;
        // Those who waited meanwhile count from its end.
        let now = self.clock.elapsed();
        match fetched {
            Ok((value, age)) => {
                let value = Arc::new(value);
                let good_until = now.saturating_add(age);
                let fetched = Value { value: Arc::clone(&value), fetched_at: now, good_until };
                *kept = Kept { value: Some(fetched), failure: None };
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(%error, "a provider of identities is not as it should be");
                kept.failure = Some((now, error.clone()));
                kept.earlier(now, error)
            }
        }
    }
}

impl<T> Kept<T> {
    fn earlier(&self, now: Duration, error: Error) -> Result<Arc<T>, Error> {
        let usable = |value: &&Value<T>| now < value.good_until.saturating_add(STALE);
        self.value.as_ref().filter(usable).map(|value| Arc::clone(&value.value)).ok_or(error)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::{Cached, Error};
    use crate::clock::Clock;

    #[tokio::test]
    async fn those_who_waited_for_an_answer_that_did_not_come_do_not_wait_again_one_by_one() {
        let clock = Clock::stopped(0);
        let (cached, asked) = (Cached::<()>::new(clock.clone()), AtomicUsize::new(0));
        let fetch = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(5));
            Err(Error::Unreachable { what: "answer", reason: "it takes too long".to_owned() })
        };
        let (one, two, three) =
            tokio::join!(cached.get(fetch), cached.get(fetch), cached.renew(fetch));
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
