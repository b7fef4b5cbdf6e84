//! No event is lost silently, and none is kept for ever.

use attache_protocol::{
    event::{Batch, Event},
    plugin::Events,
};
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{MOST_BATCH_BYTES, Outbox, Pushed, Sent};
use crate::testing::{configured, gateway};

fn limits(max_events: usize, max_bytes: usize, batch: usize) -> Events {
    let mut events = gateway(configured("/events/flush_ms", json!(500))).events.clone();
    events.max_events = max_events;
    events.max_bytes = max_bytes;
    events.batch = batch;
    events
}

fn event(id: usize) -> Event {
    let event = json!({
        "id": id.to_string(), "started_at_ms": 1, "duration_us": 2, "endpoint": "/mcp",
        "server": "mcp", "method": "ping", "outcome": "ok", "request_bytes": 3,
        "response_bytes": 4, "subject": "alice",
    });
    serde_json::from_value(event).expect("an event")
}

/// Of somebody without a token.
fn refusal(id: usize) -> Event {
    Event { subject: None, ..event(id) }
}

/// The identities in a batch, and what it says of lost events.
fn read(body: &[u8]) -> (Vec<String>, u64) {
    let batch: Batch = serde_json::from_slice(body).expect("a batch");
    (batch.events.into_iter().map(|event| event.id).collect(), batch.dropped)
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

#[test]
fn events_leave_in_order_once_one_has_waited() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 5));
    assert_eq!(outbox.next(0), None);
    assert_eq!(outbox.push(&event(0), 1000), Pushed::First);
    assert_eq!(outbox.push(&event(1), 1400), Pushed::Held);
    assert_eq!(outbox.next(1499), None);
    let body = outbox.next(1500).expect("the first has waited");
    assert_eq!(read(&body), (ids(0..2), 0));
    assert_eq!(outbox.next(1500), None, "one batch at a time");
    assert_eq!(outbox.answered(Some(202), 1501), Sent::Accepted);
    assert!(outbox.is_empty());
}

#[test]
fn a_full_batch_does_not_wait() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 3));
    for id in 0..2 {
        outbox.push(&event(id), 1000);
    }
    assert_eq!(outbox.push(&event(2), 1000), Pushed::Full);
    outbox.push(&event(3), 1000);
    let body = outbox.next(1000).expect("a full batch");
    assert_eq!(read(&body).0, ids(0..3));
    outbox.answered(Some(202), 1001);
    assert_eq!(outbox.next(1001), None, "those that came meanwhile gather");
    let rest = outbox.next(1500).expect("one has waited");
    assert_eq!(read(&rest).0, ids(3..4));
}

#[test]
fn what_fills_a_batch_while_another_is_on_its_way_leaves_behind_it() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 2));
    for id in 0..4 {
        outbox.push(&event(id), 1000);
    }
    assert!(outbox.next(1000).is_some());
    outbox.answered(Some(202), 1001);
    let rest = outbox.next(1001).expect("a full batch");
    assert_eq!(read(&rest).0, ids(2..4));
}

#[test]
fn a_batch_stays_until_it_is_accepted() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 1));
    outbox.push(&event(0), 0);
    let mut now_ms = 0;
    for (status, wait) in [
        (None, 500),
        (Some(503), 1000),
        (Some(500), 2000),
        (Some(408), 4000),
        (Some(429), 8000),
        (Some(401), 16_000),
        (Some(403), 30_000),
        (Some(200), 30_000),
    ] {
        let body = outbox.next(now_ms).expect("it is tried again");
        assert_eq!(read(&body).0, ids(0..1));
        assert_eq!(outbox.answered(status, now_ms), Sent::Kept, "{status:?}");
        assert_eq!(outbox.next(now_ms + wait - 1), None);
        now_ms += wait;
    }
    assert!(outbox.next(now_ms).is_some());
    assert_eq!(outbox.answered(Some(202), now_ms), Sent::Accepted);
    outbox.push(&event(1), now_ms - 1000);
    assert!(outbox.next(now_ms).is_some(), "the past is forgiven");
}

#[test]
fn a_batch_that_is_never_accepted_is_dropped_and_counted() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 2));
    for id in 0..3 {
        outbox.push(&event(id), 0);
    }
    assert!(outbox.next(0).is_some());
    assert_eq!(outbox.answered(Some(400), 1000), Sent::Poisoned(2));
    let body = outbox.next(1000).expect("the others go on");
    assert_eq!(read(&body), (ids(2..3), 2));
}

#[test]
fn when_full_the_newest_is_dropped_and_counted() {
    let mut outbox = Outbox::new(&limits(2, 10_000, 2));
    outbox.push(&event(0), 0);
    outbox.push(&event(1), 0);
    assert_eq!(outbox.push(&event(2), 0), Pushed::Dropped);
    let body = outbox.next(0).expect("a batch");
    assert_eq!(read(&body), (ids(0..2), 1));
    assert_eq!(outbox.push(&event(3), 0), Pushed::Dropped, "the batch is not accepted yet");
    assert_eq!(outbox.answered(Some(202), 0), Sent::Accepted);
    outbox.push(&event(4), 0);
    let body = outbox.next(500).expect("a batch");
    assert_eq!(read(&body), (ids(4..5), 1), "what was told is not told again");
}

#[test]
fn strangers_do_not_crowd_out_what_tells_of_calls() {
    let mut outbox = Outbox::new(&limits(4, 10_000, 4));
    outbox.push(&refusal(0), 0);
    outbox.push(&refusal(1), 0);
    assert_eq!(outbox.push(&refusal(2), 0), Pushed::Dropped);
    outbox.push(&event(3), 0);
    assert_eq!(outbox.push(&Event { upstream_us: Some(1), ..refusal(4) }, 0), Pushed::Full);
    let body = outbox.next(0).expect("a batch");
    assert_eq!(read(&body), (["0", "1", "3", "4"].map(str::to_owned).to_vec(), 1));
    outbox.answered(Some(202), 0);
    assert_eq!(outbox.push(&refusal(5), 0), Pushed::First, "there is room for them again");

    let size = serde_json::to_vec(&refusal(0)).expect("JSON").len();
    let mut outbox = Outbox::new(&limits(100, size * 5, 100));
    outbox.push(&refusal(0), 0);
    outbox.push(&refusal(1), 0);
    assert_eq!(outbox.push(&refusal(2), 0), Pushed::Dropped, "nor with few that are long");
    assert_eq!(outbox.push(&event(3), 0), Pushed::Held);
}

#[test]
fn strangers_cause_a_hundred_events_and_then_ten_a_second() {
    let mut outbox = Outbox::new(&limits(1000, 1 << 20, 1000));
    let causes = |outbox: &mut Outbox, now_ms| {
        (0..1000).filter(|id| outbox.push(&refusal(*id), now_ms) == Pushed::Held).count()
    };
    assert_eq!(outbox.push(&refusal(0), 5000), Pushed::First);
    assert_eq!(causes(&mut outbox, 5000), 99);
    assert_eq!(outbox.push(&refusal(1), 5099), Pushed::Throttled);
    assert_eq!(causes(&mut outbox, 6000), 10);
    assert_eq!(causes(&mut outbox, 100_000), 100, "no more than that in one go");
    assert_eq!(causes(&mut outbox, 90_000), 0, "nor when the clock is set back");
    assert_eq!(outbox.push(&event(2), 90_000), Pushed::Held, "callers are not held to it");
    assert_eq!(outbox.push(&Event { upstream_us: Some(1), ..refusal(3) }, 90_000), Pushed::Held);

    let throttled = 901 + 1 + 990 + 900 + 1000;
    let batch: Batch = serde_json::from_slice(&outbox.next(90_000).expect("a batch")).unwrap();
    assert_eq!((batch.events.len(), batch.dropped, batch.throttled), (212, 0, throttled));
    outbox.answered(Some(202), 90_000);
    outbox.push(&event(4), 90_000);
    let batch: Batch = serde_json::from_slice(&outbox.next(91_000).expect("a batch")).unwrap();
    assert_eq!(batch.throttled, 0, "what was told is not told again");
}

#[test]
fn bytes_are_bounded_too() {
    let size = serde_json::to_vec(&event(0)).expect("JSON").len();
    let mut outbox = Outbox::new(&limits(100, size * 2, 100));
    assert_eq!(outbox.push(&event(0), 0), Pushed::First);
    assert_eq!(outbox.push(&event(1), 0), Pushed::Held);
    assert_eq!(outbox.push(&event(2), 0), Pushed::Dropped);
}

#[test]
fn a_batch_is_no_larger_than_what_is_accepted() {
    let mut outbox = Outbox::new(&limits(100, 100 << 20, 100));
    let mut large = event(0);
    large.prompt = Some("x".repeat(MOST_BATCH_BYTES / 2));
    for _ in 0..3 {
        outbox.push(&large, 0);
    }
    let body = outbox.next(500).expect("a batch");
    assert_eq!(read(&body).0.len(), 1);
    assert!(body.len() <= MOST_BATCH_BYTES);
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut outbox = Outbox::new(&limits(10, 10_000, 2));
    assert_eq!(outbox.answered(Some(202), 0), Sent::Kept);
    outbox.push(&event(0), 0);
    assert!(outbox.next(500).is_some());
}
