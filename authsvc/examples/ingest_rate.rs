//! How many events per second become durable: whole requests through the router into SQLite on this disk.
//!
//! `cargo run --release -p attache-authsvc --example ingest_rate [events] [batch] [folder]`

use std::path::PathBuf;

use attache_authsvc::{clock::Clock, config::Config, random::Random, routes, state::App};
use attache_protocol::event::{Batch, ClientInfo, Event, Intent, IntentSource, Outcome};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use tower::ServiceExt as _;
use uuid::Uuid;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the number is what this program is for")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let size: usize = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let folder = arguments.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    for (what, webhook) in [("store", ""), ("store and outbox", WEBHOOK)] {
        let folder = tempfile::tempdir_in(&folder)?;
        let clock = Clock::system();
        let config = Config::parse("attache.yaml", &yaml(webhook), folder.path(), &|_| None)?;
        let app = App::open(config.config, clock.clone(), Random::System).await?;
        let bodies: Vec<String> = (0..events / size).map(|_| batch(size)).collect();
        let bytes: usize = bodies.iter().map(String::len).sum();

        let before = clock.elapsed();
        send(routes::internal(app), bodies).await?;
        let seconds = (clock.elapsed() - before).as_secs_f64();

        let count = events / size * size;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = count as f64 / seconds;
        println!(
            "{what}: {rate:.0} events/s ({count} events of {} bytes in batches of {size}, {seconds:.2} s)",
            bytes / count,
        );
    }
    Ok(())
}

/// Of nobody's password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1leGFtcGxl$ZYDwwNNNYNKPgWnMJP5ZC6P6kn6Xl2dZNAxwnrULgLU";

const WEBHOOK: &str = "
analytics: {webhook: {url: https://hooks.example.com/, secret: whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD}}";

fn yaml(webhook: &str) -> String {
    format!(
        "
public_url: http://localhost:8080
listen: 127.0.0.1:8080
authorization: {{embedded: {{users: [{{email: a@example.com, password_hash: \"{HASH}\"}}]}}}}
service: {{listen: 127.0.0.1:8081, internal: 127.0.0.1:8082, secret: {SECRET}}}
servers: [{{name: everything, url: http://127.0.0.1:3001/mcp}}]{webhook}
"
    )
}

/// Two senders at a time, as two workers of Envoy would.
async fn send(router: Router, mut bodies: Vec<String>) -> anyhow::Result<()> {
    let other = bodies.split_off(bodies.len() / 2);
    let senders = [bodies, other].map(|bodies| tokio::spawn(send_all(router.clone(), bodies)));
    for sender in senders {
        sender.await??;
    }
    Ok(())
}

async fn send_all(router: Router, bodies: Vec<String>) -> anyhow::Result<()> {
    for body in bodies {
        let request = Request::post("/internal/events")
            .header(header::AUTHORIZATION, format!("Bearer {SECRET}"))
            .body(Body::from(body))?;
        let response = router.clone().oneshot(request).await?;
        anyhow::ensure!(response.status() == StatusCode::ACCEPTED, "{}", response.status());
    }
    Ok(())
}

fn batch(size: usize) -> String {
    let batch = Batch { dropped: 0, throttled: 0, events: (0..size).map(|_| event()).collect() };
    serde_json::to_string(&batch).unwrap_or_default()
}

fn event() -> Event {
    Event {
        id: Uuid::now_v7().to_string(),
        started_at_ms: 1_795_219_200_123,
        duration_us: 21_500,
        upstream_us: Some(20_900),
        endpoint: "/everything/mcp".to_owned(),
        server: "everything".to_owned(),
        method: "tools/call".to_owned(),
        name: Some("search_issues".to_owned()),
        outcome: Outcome::Ok,
        fault: None,
        status: Some(200),
        code: None,
        reason: None,
        request_bytes: 412,
        response_bytes: 2871,
        subject: Some("3f2c6f0e-6d0c-4f0e-9d0f-0c6c6f0e3f2c".to_owned()),
        email: Some("admin@example.com".to_owned()),
        client_id: Some("Jm3nq0eZQ0u8e1o2b4c6dA".to_owned()),
        client: Some(ClientInfo {
            name: "claude-code".to_owned(),
            version: Some("2.1.0".to_owned()),
        }),
        user_agent: Some("claude-code/2.1.0 (cli)".to_owned()),
        session: Some("0f5b7f1e-2f0e-4a53-8f6e-6c0e6f2c1a7d".to_owned()),
        protocol_version: Some("2025-11-25".to_owned()),
        intent: Some(Intent {
            text: "Find open issues about slow builds to decide what to fix before the release"
                .to_owned(),
            source: IntentSource::Argument,
        }),
        prompt: None,
        history: None,
        listed: Vec::new(),
        task: None,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        request_id: Some("5b8f4f0e-6f0d-9a3c-8d1e-2f4a6c8e0b1d".to_owned()),
    }
}
