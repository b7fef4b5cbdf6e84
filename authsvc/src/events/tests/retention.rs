//! How long events stay.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Fixture, event, id, webhook};
use crate::{
    config::Targets,
    events::{retention, schedule::State},
    random::Random,
    store::deliveries::LastAnswer,
    testing::Bench,
};

const DAY: Duration = Duration::from_hours(24);

/// Ids of all events, oldest first.
async fn ids(fixture: &Fixture) -> Vec<Value> {
    let (_, listing) = fixture.list("?limit=1000").await;
    let events = listing["events"].as_array().unwrap();
    events.iter().map(|row| row["event"]["id"].clone()).collect()
}

async fn lost(fixture: &Fixture) -> Value {
    fixture.list("?limit=1").await.1["lost"].clone()
}

#[tokio::test]
async fn events_are_forgotten_when_they_are_too_old_however_many() {
    let fixture = Fixture::new(None).await;
    fixture.store(1..=450).await;
    fixture.app.clock.advance(DAY);
    fixture.store(451..=452).await;
    fixture.app.clock.advance(89 * DAY);

    retention::once(&fixture.app).await.unwrap();
    assert_eq!(ids(&fixture).await.len(), 452, "90 days are not over");
    fixture.app.clock.advance(Duration::from_millis(1));
    retention::once(&fixture.app).await.unwrap();

    assert_eq!(ids(&fixture).await, [id(451), id(452)]);
    assert_eq!(lost(&fixture).await, Value::Null);
}

#[tokio::test]
async fn the_oldest_events_are_forgotten_while_the_database_is_too_large() {
    const MOST: u64 = 2 << 20;
    let bench = Bench::with(|config| config.retention.max_size = MOST).await;
    let fixture = Fixture { app: bench.app.clone(), _bench: bench };
    let large = |number| {
        let mut event = event(number);
        // PostgreSQL would compress what repeats itself.
        let dice = Random::seeded(number.into()).bytes::<4000>();
        let text: String = dice.iter().map(|byte| char::from(b'#' + byte % 57)).collect();
        event["prompt"] = json!(text);
        event
    };
    for hundred in 0..10 {
        let events: Vec<Value> = (1..=100).map(|number| large(hundred * 100 + number)).collect();
        fixture.send(json!({ "events": events })).await;
    }
    assert!(fixture.app.store.used_bytes().await.unwrap() > 2 * MOST);

    retention::once(&fixture.app).await.unwrap();

    assert!(fixture.app.store.used_bytes().await.unwrap() <= MOST);
    let left = ids(&fixture).await;
    assert_eq!(left.last(), Some(&json!(id(1000))));
    assert!(left.len() < 500 && left.is_sorted_by_key(|id| id.as_str().unwrap().to_owned()));
    let before = left.len();
    retention::once(&fixture.app).await.unwrap();
    assert_eq!(ids(&fixture).await.len(), before);
}

#[tokio::test]
async fn deliveries_go_with_their_events_and_open_ones_are_counted_as_lost() {
    let hook = webhook("https://hooks.example.com/", Targets::Public);
    let fixture = Fixture::new(Some(hook)).await;
    fixture.store(1..=4).await;
    let store = &fixture.app.store;
    let now_ms = fixture.app.clock.now_ms();
    let claims = store.claim_deliveries("webhook", 3, now_ms, now_ms + 1).await.unwrap();
    let [first, second, _leased] = claims.as_slice() else { panic!("three claims") };
    for (claim, state) in
        [(first, State::Delivered { at_ms: now_ms }), (second, State::Dead { at_ms: now_ms })]
    {
        store.settle_delivery("webhook", claim, state, LastAnswer::default()).await.unwrap();
    }
    fixture.app.clock.advance(91 * DAY);
    fixture.store(5..=5).await;

    retention::once(&fixture.app).await.unwrap();

    assert_eq!(ids(&fixture).await, [id(5)]);
    assert_eq!(fixture.deliveries().await, [("due".to_owned(), 0)]);
    assert_eq!(lost(&fixture).await, json!({ "undelivered": 2 }));
}
