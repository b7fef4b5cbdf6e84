//! Every path, method and handler, in two tables: what the public reaches through Envoy, and what only Envoy and
//! the operator reach.

use std::time::Duration;

use attache_protocol::secret::Secret;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    account,
    authorization::{authorize, consent, login},
    body::{self, Allowed},
    callback,
    correlation::{self, Entrance},
    discovery, events, home, introspection,
    metrics::{self, Listener},
    refusal::NotFound,
    registration::{self, management},
    state::App,
    status, token,
};

/// Of a public request. Envoy sends a body when it has all of it; what takes longer comes from elsewhere, and holds
/// one of the few connections, on purpose or not.
const PUBLIC: Limits = Limits {
    body: Allowed { bytes: 64 * 1024, time: Duration::from_secs(10) },
    time: Duration::from_secs(15),
    listener: Listener::Public,
};
/// Of an internal request: batches of events come from the filter's memory, and a reader of events waits for up
/// to 25 s.
const INTERNAL: Limits = Limits {
    body: Allowed { bytes: 8 * 1024 * 1024, time: Duration::from_secs(10) },
    time: Duration::from_secs(30),
    listener: Listener::Internal,
};

/// What a request may cost.
#[derive(Clone, Copy)]
struct Limits {
    body: Allowed,
    /// From its head to its answer.
    time: Duration,
    /// Where it comes in.
    listener: Listener,
}

/// What the public reaches.
pub fn public(app: App) -> Router {
    let table = probes()
        .route(discovery::PROTECTED_RESOURCE, get(discovery::root_resource))
        .route("/.well-known/oauth-protected-resource/{*path}", get(discovery::path_resource))
        .route(discovery::AUTHORIZATION_SERVER, get(discovery::authorization_server))
        .route("/.well-known/openid-configuration", get(discovery::authorization_server))
        .route(discovery::JWKS, get(discovery::jwks))
        .route("/oauth/register", post(registration::register))
        .route(
            "/oauth/register/{client_id}",
            get(management::read).put(management::update).delete(management::remove),
        )
        .route("/oauth/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth/login", get(login::get).post(login::post))
        .route("/oauth/consent", get(consent::get).post(consent::post))
        .route("/oauth/callback/{provider}", get(callback::get))
        .route("/account", get(account::get).post(account::post))
        .route("/", get(home::get))
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(token::revoke::revoke));
    finish(bounded(table.fallback(not_found), PUBLIC.body), PUBLIC, app)
}

/// What Envoy and the operator reach.
pub fn internal(app: App) -> Router {
    let guarded = Router::new()
        .route("/internal/events", get(events::listing::list).post(events::ingest::ingest))
        .route("/internal/introspect", post(introspection::introspect));
    // The secret comes before the body: without it nothing is kept of that.
    let guarded = bounded(guarded, INTERNAL.body)
        .layer(middleware::from_fn_with_state(app.clone(), require_secret));
    let watched =
        Router::new().route("/metrics", get(metrics::scrape)).route("/status", get(status::status));
    let watched = bounded(watched, PUBLIC.body)
        .layer(middleware::from_fn_with_state(app.clone(), require_watcher));
    let open = bounded(probes().fallback(not_found), PUBLIC.body);
    finish(open.merge(guarded).merge(watched), INTERNAL, app)
}

/// What anyone may ask on either listener.
fn probes() -> Router<App> {
    Router::new().route("/live", get(live)).route("/ready", get(ready))
}

/// Reads the bodies of requests to these routes, and no more of each than this.
fn bounded(table: Router<App>, allowed: Allowed) -> Router<App> {
    table
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(allowed.bytes))
        .layer(middleware::from_fn_with_state(allowed, body::take))
}

/// What every request goes through, from the outside in: correlation id and log line, time limit, a panic costs
/// one request.
fn finish(table: Router<App>, limits: Limits, app: App) -> Router {
    let entrance = Entrance { app: app.clone(), listener: limits.listener };
    table
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.time))
        .layer(middleware::from_fn_with_state(entrance, correlation::correlate))
        .with_state(app)
}

async fn live() -> Response {
    no_store(Json(json!({ "status": "live" })))
}

async fn ready(State(app): State<App>) -> Response {
    if app.draining.is_cancelled() {
        return no_store((StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "draining" }))));
    }
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

/// Who knows `service.secret` may ask for everything here.
async fn require_secret(State(app): State<App>, request: Request, next: Next) -> Response {
    let secrets = [Some(&app.config.service.secret)];
    admit(secrets, request, next).await
}

/// Who only watches has a secret that opens nothing else.
async fn require_watcher(State(app): State<App>, request: Request, next: Next) -> Response {
    let service = &app.config.service;
    admit([Some(&service.secret), service.metrics_secret.as_ref()], request, next).await
}

/// Compares digests, so that neither the time nor the length of a secret shows.
async fn admit<const N: usize>(
    secrets: [Option<&Secret>; N],
    request: Request,
    next: Next,
) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let sent = Sha256::digest(sent);
    let is_sent =
        |secret: &Secret| sent.ct_eq(&Sha256::digest(format!("Bearer {}", secret.reveal())));
    let admitted = secrets.into_iter().flatten().map(is_sent);
    if bool::from(admitted.fold(Choice::from(0), |any, this| any | this)) {
        return next.run(request).await;
    }
    body::forget(INTERNAL.body.time, request).await;
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    let body = Json(json!({ "error": "the shared secret is missing or wrong" }));
    no_store((StatusCode::UNAUTHORIZED, challenge, body))
}

async fn not_found() -> NotFound {
    NotFound
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Poll,
    };

    use axum::{
        Router,
        body::Bytes,
        http::{Request, StatusCode, header},
        routing::get as on_get,
    };

    use super::finish;
    use crate::testing::{Bench, SERVICE_SECRET, answer, body::endless, form, get, json};

    #[tokio::test]
    async fn probes_answer_on_both_listeners_without_a_secret() {
        let bench = Bench::new().await;
        for path in ["/live", "/ready"] {
            assert_eq!(bench.public(get(path)).await.status, StatusCode::OK);
            assert_eq!(bench.internal(get(path)).await.status, StatusCode::OK);
        }
        bench.app.store.close().await;
        assert_eq!(bench.internal(get("/live")).await.status, StatusCode::OK);
        assert_eq!(bench.internal(get("/ready")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn s68_internal_paths_need_the_shared_secret() {
        let bench = Bench::new().await;
        let batch = serde_json::json!({ "events": [] });
        for (authorization, expected) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some("Bearer wrong".to_owned()), StatusCode::UNAUTHORIZED),
            (Some(SERVICE_SECRET.to_owned()), StatusCode::UNAUTHORIZED),
            (Some(format!("Bearer {SERVICE_SECRET}x")), StatusCode::UNAUTHORIZED),
            (Some(format!("Bearer {SERVICE_SECRET}")), StatusCode::ACCEPTED),
        ] {
            let mut request = json("/internal/events", &batch);
            if let Some(value) = &authorization {
                request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            let answer = bench.internal(request).await;
            assert_eq!(answer.status, expected, "{authorization:?}");
        }
        let mut request = json("/internal/events", &batch);
        let value = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        assert_eq!(bench.public(request).await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn s68_without_the_shared_secret_no_body_is_kept() {
        let bench = Bench::new().await;
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let body = endless(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Bytes::from_static(&[b'x'; 1 << 16]))
        });
        let request = Request::post("/internal/events").body(body).unwrap();
        assert_eq!(bench.internal(request).await.status, StatusCode::UNAUTHORIZED);
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= 17, "{taken} chunks of a body for nobody");
    }

    #[tokio::test]
    async fn s61_other_methods_are_refused_in_json() {
        let bench = Bench::new().await;
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/register"] {
            let answer = bench.public(get(path)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.json()["error"], "method_not_allowed");
            assert_eq!(answer.header("allow"), "POST");
        }
    }

    #[tokio::test]
    async fn s66_a_body_over_64_kib_is_refused() {
        let bench = Bench::new().await;
        let long = "x".repeat(65_000);
        let answer = bench.public(form("/oauth/token", &[("code", &long)])).await;
        assert_eq!(answer.json()["error_description"], "client_id is missing");
        let longer = "x".repeat(65_536);
        let answer = bench.public(form("/oauth/token", &[("code", &longer)])).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.json()["error"], "invalid_request");
        let answer =
            bench.public(json("/oauth/register", &serde_json::json!({ "x": longer }))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn every_answer_carries_the_correlation_id_of_its_request() {
        let bench = Bench::new().await;
        let mut request = get("/live");
        request.headers_mut().insert("x-request-id", "abc-123".parse().unwrap());
        assert_eq!(bench.public(request).await.header("x-request-id"), "abc-123");
        let mut request = get("/nothing");
        request.headers_mut().insert("x-request-id", "a b\"c".parse().unwrap());
        let answer = bench.public(request).await;
        assert_eq!(answer.header("x-request-id").len(), 22);
    }

    #[tokio::test]
    async fn a_panic_costs_one_request() {
        let bench = Bench::new().await;
        async fn panics() -> StatusCode {
            panic!("on purpose")
        }
        let table = Router::new().route("/panic", on_get(panics));
        let table = table.route("/live", on_get(super::live));
        let router = finish(table, super::PUBLIC, bench.app.clone());
        let failed = answer(router.clone(), get("/panic")).await;
        assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(failed.json()["error"], "server_error");
        assert!(!failed.body.contains("on purpose"));
        assert_eq!(answer(router, get("/live")).await.status, StatusCode::OK);
    }
}
