//! Every path, method and handler, in two tables: what the public reaches through Envoy, and what only Envoy and
//! the operator reach.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    authorization::{authorize, consent, login},
    correlation, events,
    state::App,
};

/// Largest body of a public request, bytes.
const MAX_PUBLIC_BODY: usize = 64 * 1024;
/// Largest body of an internal request, bytes.
const MAX_INTERNAL_BODY: usize = 8 * 1024 * 1024;
/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the public reaches.
pub fn public(app: App) -> Router {
    let table = Router::new()
        .route("/oauth/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth/login", get(login::get).post(login::post))
        .route("/oauth/consent", get(consent::get).post(consent::post))
        .route("/live", get(live))
        .route("/ready", get(ready));
    finish(table, MAX_PUBLIC_BODY, app)
}

/// What Envoy and the operator reach.
pub fn internal(app: App) -> Router {
    let guarded = Router::new()
        .route("/internal/events", get(events::listing::list).post(events::ingest::ingest))
        .layer(middleware::from_fn_with_state(app.clone(), require_secret));
    let table = Router::new().route("/live", get(live)).route("/ready", get(ready)).merge(guarded);
    finish(table, MAX_INTERNAL_BODY, app)
}

/// What every request goes through, from the outside in: correlation id and log line, time limit, a panic costs
/// one request.
fn finish(table: Router<App>, max_body: usize, app: App) -> Router {
    table
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(max_body))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(middleware::from_fn_with_state(app.clone(), correlation::correlate))
        .with_state(app)
}

async fn live() -> Response {
    no_store(Json(json!({ "status": "live" })))
}

async fn ready(State(app): State<App>) -> Response {
    match app.store.ping().await {
        Ok(()) => no_store(Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::error!(%error, "not ready: the database does not answer");
            let body =
                Json(json!({ "status": "not ready", "reason": "the database does not answer" }));
            no_store((StatusCode::SERVICE_UNAVAILABLE, body))
        }
    }
}

/// Compares digests, so that neither the time nor the length of the secret shows.
async fn require_secret(State(app): State<App>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let expected = format!("Bearer {}", app.config.service.secret.reveal());
    if bool::from(Sha256::digest(sent).ct_eq(&Sha256::digest(expected))) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    let body = Json(json!({ "error": "the shared secret is missing or wrong" }));
    no_store((StatusCode::UNAUTHORIZED, challenge, body))
}

async fn not_found() -> Response {
    let body =
        json!({ "error": "not_found", "error_description": "there is nothing at this path" });
    no_store((StatusCode::NOT_FOUND, Json(body)))
}

async fn method_not_allowed() -> Response {
    let text = "this path does not answer to this method";
    let body = json!({ "error": "method_not_allowed", "error_description": text });
    no_store((StatusCode::METHOD_NOT_ALLOWED, Json(body)))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause.downcast_ref::<&str>().copied();
    let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a handler panicked");
    let body = json!({ "error": "server_error", "error_description": "something went wrong here" });
    no_store((StatusCode::INTERNAL_SERVER_ERROR, Json(body)))
}

fn no_store(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
