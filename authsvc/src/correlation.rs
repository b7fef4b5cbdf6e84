//! One id and one log line per request. The line has the path, never the query, a header or a body: codes,
//! tokens, passwords and cookies travel there.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::{metrics::Listener, state::App};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over, bytes.
const MAX_ID: usize = 64;

tokio::task_local! {
    /// Id of the request that is being answered.
    static CURRENT: String;
}

/// Which listener requests come in at, beside what handlers share.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// What handlers share.
    pub app: App,
    /// It.
    pub listener: Listener,
}

/// Takes the caller's `x-request-id` or makes one, answers with it, logs under it, and counts.
pub async fn correlate(
    State(Entrance { app, listener }): State<Entrance>,
    request: Request,
    next: Next,
) -> Response {
    let sent = request.headers().get(X_REQUEST_ID).and_then(acceptable).map(str::to_owned);
    let id = sent.unwrap_or_else(|| app.random.id());
    // As the table of routes has it: what is not there has no name of its own.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.as_deref().unwrap_or("unknown");
    // Of the highest level: where only errors are logged, they still name their request.
    let span = tracing::error_span!("request", request_id = id, method = %request.method(), path);
    let begun = app.clock.elapsed();
    let answer = async {
        let response = next.run(request).await;
        let took = app.clock.elapsed().saturating_sub(begun);
        let status = response.status();
        told(&response, took);
        app.metrics.answered(listener, path, status, took);
        response
    };
    let mut response = CURRENT.scope(id.clone(), answer.instrument(span)).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// Id of the request that is being answered, if one is.
#[must_use]
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The answer came when there was something to say, which may have taken a while: nothing to look at.
#[derive(Clone, Copy, Debug)]
pub struct Waited;

fn told(response: &Response, took: Duration) {
    let status = response.status().as_u16();
    // JSON has no number for a `u128`.
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match response.extensions().get::<Waited>() {
        Some(Waited) => told_quietly(status, took_ms),
        None => tracing::info!(status, took_ms, "answered"),
    }
}

fn told_quietly(status: u16, took_ms: u64) {
    tracing::debug!(status, took_ms, "answered after a wait");
}

/// An id goes into logs: only what cannot break them.
fn acceptable(value: &HeaderValue) -> Option<&str> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let text = value.to_str().ok()?;
    (!text.is_empty() && text.len() <= MAX_ID && text.bytes().all(harmless)).then_some(text)
}
