//! The loop that empties the outbox: claim what is due, attempt it, record how that ended.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    circuit::{Allowance, Circuit},
    schedule::{Jitter, State, later},
    webhook::{Failure, Message, Reply, TIMEOUT, Webhook, WebhookError},
};
use crate::{
    config,
    metrics::Delivered,
    state::App,
    store::{
        StoreError,
        deliveries::{Claim, LastAnswer},
    },
};

/// Name of the one destination that a configuration can have.
pub const DESTINATION: &str = "webhook";
/// Attempts that run at once.
const CONCURRENCY: usize = 4;
/// How long a claim holds: longer than an attempt can take, so that only a crash lets it end.
const LEASE: Duration = TIMEOUT.saturating_mul(3);
/// Longest time between two looks into the outbox.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// Time between two looks while the database fails.
const AFTER_STORE_FAILURE: Duration = Duration::from_secs(5);

/// Brings deliveries to one destination.
#[derive(Debug)]
pub struct Courier {
    app: App,
    webhook: Webhook,
    circuit: Circuit,
    attempts: JoinSet<(Claim, Reply)>,
}

/// Why deliveries cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The destination is not usable as configured.
    #[error("analytics.webhook is not usable")]
    Webhook(#[from] WebhookError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Courier {
    /// Prepares deliveries to the configured destination.
    ///
    /// # Errors
    /// When the destination is not usable or the database fails.
    pub async fn open(app: App, destination: &config::Webhook) -> Result<Self, OpenError> {
        let webhook = Webhook::new(destination)?;
        let url_digest = Sha256::digest(destination.url.as_str());
        let disabled = app.store.open_destination(DESTINATION, &url_digest).await?;
        let circuit = match disabled {
            None => Circuit::Closed { failures: 0 },
            Some(since_ms) => {
                tracing::warn!(
                    since_ms,
                    "webhook is disabled: it answered 410; events are kept for another url"
                );
                Circuit::Disabled
            }
        };
        Ok(Self { app, webhook, circuit, attempts: JoinSet::new() })
    }

    /// Delivers until told to stop; attempts that are under way then are finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut arrivals = self.app.arrivals.subscribe();
        loop {
            let sleep = self.dispatch().await.unwrap_or_else(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "outbox was not read");
                AFTER_STORE_FAILURE
            });
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.attempts.join_next() => self.settle(ended).await,
                () = woken(&mut arrivals) => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
        while let Some(ended) = self.attempts.join_next().await {
            self.settle(ended).await;
        }
    }

    /// Delivers all that is due and allowed now.
    #[cfg(test)]
    pub(crate) async fn deliver_due(&mut self) {
        loop {
            self.dispatch().await.unwrap();
            let Some(ended) = self.attempts.join_next().await else { break };
            self.settle(ended).await;
        }
    }

    /// Begins as many attempts as are due and allowed; returns how long to sleep at most.
    async fn dispatch(&mut self) -> Result<Duration, StoreError> {
        let now_ms = self.app.clock.now_ms();
        let allowed = match self.circuit.allowance(CONCURRENCY, now_ms) {
            Allowance::Attempts(allowed) => allowed,
            Allowance::NotBefore(at_ms) => return Ok(until(at_ms, now_ms)),
            Allowance::Never => return Ok(LONGEST_SLEEP),
        };
        let free = allowed.saturating_sub(self.attempts.len());
        if free == 0 {
            return Ok(LONGEST_SLEEP);
        }
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let store = &self.app.store;
        let claims =
            store.claim_deliveries(DESTINATION, limit, now_ms, later(now_ms, LEASE)).await?;
        let all_used = claims.len() >= free;
        for claim in claims {
            self.begin(claim);
        }
        if all_used {
            return Ok(LONGEST_SLEEP);
        }
        let next = self.app.store.next_delivery(DESTINATION).await?;
        Ok(next.map_or(LONGEST_SLEEP, |at_ms| until(at_ms, now_ms)))
    }

    fn begin(&mut self, claim: Claim) {
        let webhook = self.webhook.clone();
        let now = self.app.clock.now();
        self.attempts.spawn(async move {
            let message = Message::new(&claim.event_id, claim.started_at_ms, &claim.body);
            let reply = webhook.attempt(&message, now).await;
            (claim, reply)
        });
    }

    async fn settle(&mut self, ended: Result<(Claim, Reply), JoinError>) {
        let Ok((claim, reply)) = ended else {
            tracing::error!("an attempt broke; it is repeated when its lease ends");
            return;
        };
        let now_ms = self.app.clock.now_ms();
        self.circuit = match &reply {
            Reply::Accepted { .. } => self.circuit.succeeded(),
            Reply::Gone(_) => Circuit::Disabled,
            Reply::Failed { wait, .. } => self.circuit.failed(*wait, now_ms),
        };
        if let Err(error) = self.record(&claim, &reply, now_ms).await {
            log_unrecorded(&claim, &error);
        }
    }

    async fn record(&self, claim: &Claim, reply: &Reply, now_ms: i64) -> Result<(), StoreError> {
        let metrics = &self.app.metrics;
        let (state, answer) = match reply {
            Reply::Accepted { status } => {
                metrics.delivered(Delivered::Ok);
                (
                    State::Delivered { at_ms: now_ms },
                    LastAnswer { status: Some(*status), ..LastAnswer::default() },
                )
            }
            Reply::Gone(failure) => {
                metrics.delivered(Delivered::Gone);
                tracing::error!(
                    "webhook answered 410 and is disabled; events are kept for another url"
                );
                self.app.store.disable_destination(DESTINATION, now_ms).await?;
                (State::Due { at_ms: now_ms }, last_answer(failure))
            }
            Reply::Failed { failure, wait } => {
                let [byte] = self.app.random.bytes();
                let jitter = Jitter::from_random(byte);
                let state = State::after_failure(claim.attempt, *wait, now_ms, jitter);
                log_failure(claim, failure, state);
                let last = matches!(state, State::Dead { .. });
                metrics.delivered(if last { Delivered::GaveUp } else { Delivered::Failed });
                (state, last_answer(failure))
            }
        };
        self.app.store.settle_delivery(DESTINATION, claim, state, answer).await
    }
}

fn last_answer(failure: &Failure) -> LastAnswer<'_> {
    LastAnswer {
        status: failure.status,
        error: Some(&failure.error),
        reply: failure.reply.as_deref(),
    }
}

fn log_failure(claim: &Claim, failure: &Failure, state: State) {
    let (event, attempt, error) = (&claim.event_id, claim.attempt, &failure.error);
    if let State::Due { at_ms } = state {
        tracing::warn!(event, attempt, error, next_ms = at_ms, "delivery failed");
    } else {
        log_death(claim, failure);
    }
}

fn log_death(claim: &Claim, failure: &Failure) {
    let (event, attempt, error) = (&claim.event_id, claim.attempt, &failure.error);
    tracing::error!(event, attempt, error, "delivery failed for the last time and is kept");
}

fn log_unrecorded(claim: &Claim, error: &StoreError) {
    let event = &claim.event_id;
    tracing::error!(event, %error, "delivery was not recorded; it is repeated when its lease ends");
}

fn until(at_ms: i64, now_ms: i64) -> Duration {
    let wait = u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0);
    Duration::from_millis(wait).min(LONGEST_SLEEP)
}

/// Returns when events came, and never when nobody can send any more.
async fn woken(arrivals: &mut watch::Receiver<()>) {
    if arrivals.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
