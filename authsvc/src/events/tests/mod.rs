//! The way of an event through the real router, a real database and a real receiver.

mod delivery;
mod ingest;
mod listing;
mod receiver;
mod retention;
mod retries;

use attache_protocol::secret::Secret;
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header::AUTHORIZATION},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    config::{Targets, Webhook},
    routes,
    state::App,
    testing::Bench,
};

/// Secret of the webhook.
const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The service, and what these tests ask of it.
struct Fixture {
    app: App,
    _bench: Bench,
}

impl Fixture {
    async fn new(webhook: Option<Webhook>) -> Self {
        let bench = Bench::with(|config| config.webhook = webhook).await;
        Self { app: bench.app.clone(), _bench: bench }
    }

    /// Sends a batch as the filter does; returns the status and the JSON of the answer.
    async fn send(&self, batch: impl ToString) -> (StatusCode, Value) {
        call(&self.app, Method::POST, "/internal/events", &bearer(&self.app), batch).await
    }

    async fn list(&self, query: &str) -> (StatusCode, Value) {
        let path = format!("/internal/events{query}");
        call(&self.app, Method::GET, &path, &bearer(&self.app), "").await
    }

    /// Stores events without much ado.
    async fn store(&self, numbers: std::ops::RangeInclusive<u32>) {
        let events: Vec<Value> = numbers.map(event).collect();
        let (status, answer) = self.send(json!({ "events": events })).await;
        assert_eq!((status, &answer), (StatusCode::ACCEPTED, &json!({ "accepted": events.len() })));
    }

    /// State and attempts of every delivery, in the order of the events.
    async fn deliveries(&self) -> Vec<(String, i64)> {
        sqlx::query_as("SELECT state, attempts FROM deliveries ORDER BY event")
            .fetch_all(self.app.store.reader())
            .await
            .unwrap()
    }
}

fn bearer(app: &App) -> String {
    format!("Bearer {}", app.config.service.secret.reveal())
}

async fn call(
    app: &App,
    method: Method,
    path: &str,
    authorization: &str,
    body: impl ToString,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(AUTHORIZATION, authorization)
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = routes::internal(app.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Id of the event with this number.
fn id(number: u32) -> String {
    format!("01993c1e-0000-7000-8000-{number:012x}")
}

fn event(number: u32) -> Value {
    json!({
        "id": id(number), "started_at_ms": 1_795_219_200_123_u64, "duration_us": 1500,
        "endpoint": "/everything/mcp", "server": "everything", "method": "tools/call",
        "name": "echo", "outcome": "ok", "status": 200,
        "request_bytes": 120, "response_bytes": 90,
        "intent": { "text": "check that it works", "source": "argument" },
    })
}

fn webhook(url: &str, targets: Targets) -> Webhook {
    let secret = Secret::new(WEBHOOK_SECRET.to_owned());
    Webhook { url: url.parse().unwrap(), secret, previous_secret: None, targets }
}
