//! What is counted, for Prometheus: `GET /metrics` at the internal listener.
//!
//! Every label has few values, all of them ours: routes as the table has them, classes of status, error codes. No
//! user, client, address or URL of anybody is one, so that neither the number of series nor what they say depends
//! on who asks.

mod labels;
mod scrape;

use std::{fmt, time::Duration};

use axum::http::StatusCode;
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use self::labels::{Answered, ByGrant, ByKind, ByReason, ByResult, ByRoute};
pub(crate) use self::scrape::stored;
pub use self::{
    labels::{Delivered, FederatedLogin, GrantType, Listener, LoggedIn, Throttled},
    scrape::scrape,
};

/// Upper bounds of the buckets of durations, seconds: a token takes milliseconds, a password some tens of them, and a
/// reader of events waits for half a minute.
const BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// What is counted where it went well; else the code of the error is.
const OK: &str = "ok";

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<ByRoute, Histogram, Buckets>,
    grants: Family<ByGrant, Counter>,
    logins: Family<ByResult, Counter>,
    federated_logins: Family<ByResult, Counter>,
    registrations: Family<ByResult, Counter>,
    throttled: Family<ByKind, Counter>,
    ingested: Counter,
    refused: Counter,
    deliveries: Family<ByResult, Counter>,
    forgotten: Counter,
    forgotten_undelivered: Counter,
    database: Gauge,
    // Families, since what the database does not say is not shown.
    undelivered: Family<Unlabelled, Gauge>,
    oldest_undelivered: Family<Unlabelled, Gauge>,
    lost: Family<ByReason, Gauge>,
}

/// Makes histograms.
#[derive(Clone, Copy, Debug)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

type Unlabelled = [(&'static str, &'static str); 0];

/// What the database says, when it is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Deliveries that are open.
    pub undelivered: u64,
    /// How long the oldest of them has been here, seconds.
    pub oldest_undelivered: Option<u64>,
    /// Events that are lost, by reason, since the database began.
    pub lost: Vec<(String, i64)>,
}

impl Metrics {
    /// All at zero; `rotations` is counted by the keys, and `started_at` in Unix seconds.
    #[must_use]
    pub fn new(rotations: Counter, started_at: i64) -> Self {
        let mut registry = Registry::with_prefix("authsvc");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of authsvc", build);
        let started = Gauge::<i64>::default();
        started.set(started_at);
        let help = "When authsvc started, Unix time";
        registry.register_with_unit("start_time", help, Unit::Seconds, started);
        let help = "Times that another key began to sign, as this process saw it";
        registry.register("key_rotations", help, rotations);
        let mut metrics = Self {
            registry,
            requests: Family::default(),
            durations: Family::new_with_constructor(Buckets),
            grants: Family::default(),
            logins: Family::default(),
            federated_logins: Family::default(),
            registrations: Family::default(),
            throttled: Family::default(),
            ingested: Counter::default(),
            refused: Counter::default(),
            deliveries: Family::default(),
            forgotten: Counter::default(),
            forgotten_undelivered: Counter::default(),
            database: Gauge::default(),
            undelivered: Family::default(),
            oldest_undelivered: Family::default(),
            lost: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        let help = "Time from the head of a request to the head of its answer";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("token_grants", "Answers of the token endpoint", self.grants.clone());
        registry.register("logins", "Passwords that were given", self.logins.clone());
        let help = "Logins at providers of identities that came back, or could not begin";
        registry.register("federated_logins", help, self.federated_logins.clone());
        registry.register("registrations", "Clients that registered", self.registrations.clone());
        let help = "What was refused or not kept because there was too much of it";
        registry.register("throttled", help, self.throttled.clone());
        registry.register("events_ingested", "Events that were stored", self.ingested.clone());
        let help = "Events that a filter sent and that cannot be read";
        registry.register("events_refused", help, self.refused.clone());
        registry.register("deliveries", "Attempts to deliver an event", self.deliveries.clone());
        let help = "Events forgotten because of their age or of the room that they take";
        registry.register("events_forgotten", help, self.forgotten.clone());
        let help = "Those of them that were still to be delivered";
        registry.register("events_forgotten_undelivered", help, self.forgotten_undelivered.clone());
        let help = "1 if the database answers";
        registry.register("database_up", help, self.database.clone());
        let help = "Events that wait for their delivery, in the whole database";
        registry.register("events_undelivered", help, self.undelivered.clone());
        let help = "How long the oldest of them has been waiting";
        registry.register_with_unit(
            "events_undelivered_oldest_age",
            help,
            Unit::Seconds,
            self.oldest_undelivered.clone(),
        );
        let help = "Events that are in no listing, since the database began";
        registry.register("events_lost", help, self.lost.clone());
    }

    /// A request was answered.
    pub fn answered(&self, listener: Listener, route: &str, status: StatusCode, took: Duration) {
        let (route, status) = (route.to_owned(), status.into());
        self.requests.get_or_create(&Answered { listener, route: route.clone(), status }).inc();
        self.durations.get_or_create(&ByRoute { route }).observe(took.as_secs_f64());
    }

    /// The token endpoint has answered; `refused` is the error code.
    pub fn granted(&self, grant: GrantType, refused: Option<&'static str>) {
        self.grants.get_or_create(&ByGrant { grant, result: refused.unwrap_or(OK) }).inc();
    }

    /// Somebody gave a password.
    pub fn logged_in(&self, result: LoggedIn) {
        self.logins.get_or_create(&ByResult { result: result.as_str() }).inc();
    }

    /// Somebody came back from a provider, or could not be sent there.
    pub fn federated(&self, result: FederatedLogin) {
        self.federated_logins.get_or_create(&ByResult { result: result.as_str() }).inc();
    }

    /// A client registered, or was refused with this error code.
    pub fn registered(&self, refused: Option<&'static str>) {
        self.registrations.get_or_create(&ByResult { result: refused.unwrap_or(OK) }).inc();
    }

    /// There was too much of something.
    pub fn throttled(&self, kind: Throttled) {
        self.throttled.get_or_create(&ByKind { kind }).inc();
    }

    /// A batch of events came in.
    pub fn ingested(&self, stored: usize, refused: usize) {
        self.ingested.inc_by(u64::try_from(stored).unwrap_or(u64::MAX));
        self.refused.inc_by(u64::try_from(refused).unwrap_or(u64::MAX));
    }

    /// An attempt to deliver an event has ended.
    pub fn delivered(&self, result: Delivered) {
        self.deliveries.get_or_create(&ByResult { result: result.as_str() }).inc();
    }

    /// Events were forgotten.
    pub fn forgotten(&self, events: u64, undelivered: u64) {
        self.forgotten.inc_by(events);
        self.forgotten_undelivered.inc_by(undelivered);
    }

    /// All of it in the text format, with what the database says if it does.
    fn text(&self, stored: Option<Stored>) -> Result<String, fmt::Error> {
        self.database.set(i64::from(stored.is_some()));
        self.undelivered.clear();
        self.oldest_undelivered.clear();
        self.lost.clear();
        if let Some(Stored { undelivered, oldest_undelivered, lost }) = stored {
            let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.undelivered.get_or_create(&[]).set(whole(undelivered));
            let oldest = oldest_undelivered.unwrap_or_default();
            self.oldest_undelivered.get_or_create(&[]).set(whole(oldest));
            for (reason, count) in lost {
                self.lost.get_or_create(&ByReason { reason }).set(count);
            }
        }
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
