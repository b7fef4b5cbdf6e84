//! What a receiver gets, and what happens when it or we break down.

use std::time::Duration;

use attache_protocol::secret::Secret;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Fixture, WEBHOOK_SECRET, event, id,
    receiver::{Answer, Receiver},
    webhook,
};
use crate::{
    config::{Database, Targets::Any},
    events::delivery::Courier,
};

pub(super) async fn courier(fixture: &Fixture) -> Courier {
    let app = fixture.app.clone();
    let destination = app.config.webhook.clone().unwrap();
    Courier::open(app, &destination).await.unwrap()
}

#[tokio::test]
async fn an_event_is_delivered_once_and_signed() {
    let receiver = Receiver::start(204).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    let mut courier = courier(&fixture).await;

    fixture.store(1..=1).await;
    fixture.store(1..=1).await;
    courier.deliver_due().await;
    courier.deliver_due().await;

    let [received] = &receiver.received()[..] else { panic!("one delivery") };
    assert_eq!(received.id(), format!("evt_{}", id(1)));
    assert_eq!(received.header("webhook-timestamp"), fixture.app.clock.now_unix().to_string());
    assert_eq!(received.header("content-type"), "application/json");
    received.assert_signed();
    assert_eq!(
        serde_json::from_slice::<Value>(&received.body).unwrap(),
        json!({ "type": "mcp.message", "timestamp": "2026-11-21T00:00:00.123Z", "data": event(1) })
    );
    assert_eq!(fixture.deliveries().await, [("delivered".to_owned(), 1)]);
}

#[tokio::test]
async fn s56_while_a_secret_changes_a_message_is_signed_with_both() {
    const NEXT: &str = "whsec_dGhlIG5leHQgc2VjcmV0IG9mIHRoZSBzYW1lIHdlYmhvb2s=";
    let receiver = Receiver::start(204).await;
    let mut destination = webhook(&receiver.url(), Any);
    destination.previous_secret =
        Some(std::mem::replace(&mut destination.secret, Secret::new(NEXT.to_owned())));
    let fixture = Fixture::new(Some(destination)).await;
    fixture.store(1..=1).await;
    courier(&fixture).await.deliver_due().await;

    let [received] = &receiver.received()[..] else { panic!("one delivery") };
    let timestamp: i64 = received.header("webhook-timestamp").parse().unwrap();
    let signed_with = |secret: &str| {
        let hook = standardwebhooks::Webhook::new(secret).unwrap();
        hook.sign(received.id(), timestamp, &received.body).unwrap()
    };
    let both = format!("{} {}", signed_with(NEXT), signed_with(WEBHOOK_SECRET));
    assert_eq!(received.header("webhook-signature"), both);
}

#[tokio::test]
async fn without_a_webhook_nothing_is_kept_for_delivery() {
    let fixture = Fixture::new(None).await;
    fixture.store(1..=2).await;
    assert_eq!(fixture.deliveries().await, []);
}

#[tokio::test]
async fn an_event_and_its_delivery_are_stored_in_one_transaction() {
    let fixture = Fixture::new(Some(webhook("http://127.0.0.1:9/", Any))).await;
    let mut breaking = fixture.app.store.write().await.unwrap();
    sqlx::query("ALTER TABLE deliveries RENAME TO elsewhere")
        .execute(&mut *breaking)
        .await
        .unwrap();
    breaking.commit().await.unwrap();

    let (status, _) = fixture.send(json!({ "events": [event(1)] })).await;

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(fixture.app.store.events_after(0, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_between_claim_and_answer_repeats_the_delivery_under_the_same_id() {
    let receiver =
        Receiver::start(Answer { after: Duration::from_secs(30), ..Answer::from(200) }).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    fixture.store(1..=1).await;

    let mut crashing = courier(&fixture).await;
    let stuck = tokio::spawn(async move { crashing.deliver_due().await });
    receiver.wait_for(1).await;
    stuck.abort();
    assert!(stuck.await.unwrap_err().is_cancelled());

    receiver.answer(200);
    let mut courier = courier(&fixture).await;
    courier.deliver_due().await;
    assert_eq!(receiver.received().len(), 1, "another may still be at it");
    fixture.app.clock.advance(Duration::from_secs(60));
    courier.deliver_due().await;

    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].id(), received[1].id());
    assert_eq!(received[0].body, received[1].body);
    assert_ne!(received[0].header("webhook-timestamp"), received[1].header("webhook-timestamp"));
    received[1].assert_signed();
    assert_eq!(fixture.deliveries().await, [("delivered".to_owned(), 2)]);
}

#[tokio::test]
async fn the_loop_delivers_what_comes_and_finishes_what_it_began_when_told_to_stop() {
    let receiver = Receiver::start(200).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(courier(&fixture).await.run(stop.clone()));

    fixture.store(1..=20).await;
    receiver.wait_for(20).await;
    receiver.answer(Answer { after: Duration::from_millis(300), ..Answer::from(200) });
    fixture.store(21..=24).await;
    receiver.wait_for(24).await;
    stop.cancel();
    running.await.unwrap();

    assert!(fixture.deliveries().await.iter().all(|(state, _)| state == "delivered"));
    fixture.store(25..=25).await;
    assert_eq!(receiver.received().len(), 24);
}

#[tokio::test]
async fn a_slow_receiver_holds_four_attempts_at_most() {
    let receiver =
        Receiver::start(Answer { after: Duration::from_secs(30), ..Answer::from(200) }).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    fixture.store(1..=10).await;
    let mut courier = courier(&fixture).await;

    let stuck = tokio::spawn(async move { courier.deliver_due().await });
    receiver.wait_for(4).await;
    // All that may be attempted is claimed before the first attempt of it begins.
    let deliveries = fixture.deliveries().await;
    stuck.abort();

    let states = |wanted| deliveries.iter().filter(|(state, _)| state == wanted).count();
    assert_eq!((states("leased"), states("due")), (4, 6));
}

#[tokio::test]
async fn claims_are_found_by_their_index() {
    let fixture = Fixture::new(None).await;
    if matches!(fixture.app.config.database, Database::Postgres(_)) {
        return;
    }
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT event FROM deliveries
         WHERE destination = $1 AND state IN ('due', 'leased') AND at_ms <= $3
         ORDER BY at_ms, event LIMIT $2",
    )
    .fetch_all(fixture.app.store.reader())
    .await
    .unwrap();
    let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
    assert_eq!(
        steps,
        ["SEARCH deliveries USING INDEX deliveries_open (destination=? AND at_ms<?)"]
    );
}
