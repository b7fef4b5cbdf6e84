//! A filter's outbox without a filter: events, as many as a test wants.

use serde_json::{Value, json};

use crate::{http, stack::SERVICE_SECRET};

/// Sends batches of ten to this internal listener until `count` are stored or nobody answers; the ids of those that
/// were answered. Senders have events of their own.
pub async fn send(to: String, sender: u32, count: u32) -> Vec<String> {
    let (http, mut stored) = (http::client(), Vec::new());
    for batch in 0..count {
        let (ids, body) = self::batch(sender, batch, 10);
        let request = http.post(format!("{to}/internal/events")).bearer_auth(SERVICE_SECRET);
        match request.json(&body).send().await {
            Ok(answer) if answer.status() == 202 => stored.extend(ids),
            Ok(_) | Err(_) => break,
        }
    }
    stored
}

/// So many events of a sender, and their ids; no other batch of that sender has them.
#[must_use]
pub fn batch(sender: u32, batch: u32, size: u32) -> (Vec<String>, Value) {
    let id = |n| {
        format!("01993c1e-{sender:04x}-7000-8000-{:012x}", u64::from(batch) * u64::from(size) + n)
    };
    let ids: Vec<String> = (0..u64::from(size)).map(id).collect();
    let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
    (ids, json!({"events": events}))
}

fn event(id: &str) -> Value {
    json!({
        "id": id, "started_at_ms": 1_795_219_200_123_u64, "duration_us": 1500,
        "endpoint": "/everything/mcp", "server": "everything", "method": "tools/call",
        "name": "echo", "outcome": "ok", "status": 200, "request_bytes": 120, "response_bytes": 90,
    })
}
