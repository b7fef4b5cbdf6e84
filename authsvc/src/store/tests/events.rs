//! Events, and the leases of their deliveries.

use std::{collections::BTreeSet, time::Duration};

use super::{NOW, Place, at_once, on_both};
use crate::{
    events::schedule::State,
    store::{
        Store,
        deliveries::LastAnswer,
        events::{Forgotten, Lost, NewEvent},
    },
};

on_both!(
    who_continues_after_a_cursor_misses_nothing,
    the_same_batch_from_several_is_stored_once,
    a_delivery_is_leased_by_one_at_a_time,
    what_a_receiver_says_is_kept,
    a_destination_is_known_to_all,
    the_oldest_go_first,
    what_is_forgotten_takes_no_room,
);

const NOW_MS: i64 = NOW * 1000;
const WEBHOOK: &str = "webhook";

async fn add(store: &Store, numbers: std::ops::Range<u32>) -> usize {
    let event = |number| NewEvent {
        id: format!("event-{number}"),
        started_at_ms: NOW_MS,
        body: r#"{"text":"\u0000 ☃"}"#,
    };
    let events: Vec<NewEvent<'_>> = numbers.map(event).collect();
    store
        .add_events(&events, Lost { dropped: 1, throttled: 0 }, Some(WEBHOOK), NOW_MS)
        .await
        .unwrap()
}

/// A reader that looks all the time, while four add events; some of their transactions take longer than others.
async fn who_continues_after_a_cursor_misses_nothing(place: Place) {
    const BATCHES: u32 = 40;
    let store = place.open().await;
    let reading = tokio::spawn(async move {
        let mut cursors = Vec::new();
        while cursors.len() < 4 * 105 * BATCHES as usize / 2 {
            let after = cursors.last().copied().unwrap_or(0);
            cursors.extend(
                store.events_after(after, 1000).await.unwrap().iter().map(|event| event.cursor),
            );
        }
        cursors
    });
    at_once(&place, 4, |number, store| async move {
        for batch in 0..BATCHES {
            let first = (u32::from(number) * BATCHES + batch) * 1000;
            let long = if batch % 2 == 0 { 100 } else { 5 };
            add(&store, first..first + long).await;
        }
    })
    .await;
    // Whoever misses an event never comes to an end.
    let cursors = tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap().unwrap();
    assert!(cursors.is_sorted_by(|one, other| one < other));
}

async fn the_same_batch_from_several_is_stored_once(place: Place) {
    let added = at_once(&place, 4, |_, store| async move { add(&store, 0..250).await }).await;
    assert_eq!(added.iter().sum::<usize>(), 250, "{added:?}");
    let store = place.open().await;
    assert_eq!(store.events_after(0, 1000).await.unwrap().len(), 250);
    let lost = store.lost_events().await.unwrap();
    assert_eq!(lost.get("outbox_full"), Some(&1), "losses of a batch are counted once");
}

async fn a_delivery_is_leased_by_one_at_a_time(place: Place) {
    let store = place.open().await;
    add(&store, 0..200).await;
    let until_ms = NOW_MS + 60_000;
    let claim_all = |_, store: Store| async move {
        let mut events = Vec::new();
        loop {
            let claims = store.claim_deliveries(WEBHOOK, 7, NOW_MS, until_ms).await.unwrap();
            assert!(claims.len() <= 7, "{} claimed", claims.len());
            assert!(
                claims
                    .iter()
                    .all(|claim| claim.attempt == 1 && claim.event_id.starts_with("event-"))
            );
            if claims.is_empty() {
                return events;
            }
            events.extend(claims.iter().map(|claim| claim.event));
        }
    };
    let claimed = at_once(&place, 4, claim_all).await.concat();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 200, "claimed twice");

    assert_eq!(store.next_delivery(WEBHOOK).await.unwrap(), Some(until_ms));
    assert!(store.claim_deliveries(WEBHOOK, 7, until_ms - 1, until_ms).await.unwrap().is_empty());
    let [again] = &store.claim_deliveries(WEBHOOK, 1, until_ms, until_ms + 1).await.unwrap()[..]
    else {
        panic!("the lease is over")
    };
    assert_eq!(again.attempt, 2);
}

async fn what_a_receiver_says_is_kept(place: Place) {
    let store = place.open().await;
    add(&store, 0..1).await;
    let claims = store.claim_deliveries(WEBHOOK, 1, NOW_MS, NOW_MS + 1).await.unwrap();
    let answer = LastAnswer { status: Some(599), error: Some("e\0"), reply: Some("\0 \u{10ffff}") };
    let dead = State::Dead { at_ms: i64::MAX };
    store.settle_delivery(WEBHOOK, &claims[0], dead, answer).await.unwrap();
    let kept: (String, i64, i64, String, String) =
        sqlx::query_as("SELECT state, at_ms, last_status, last_error, last_reply FROM deliveries")
            .fetch_one(store.reader())
            .await
            .unwrap();
    let (error, reply) = ("e\u{fffd}".to_owned(), "\u{fffd} \u{10ffff}".to_owned());
    assert_eq!(kept, ("dead".to_owned(), i64::MAX, 599, error, reply));
    assert_eq!(store.next_delivery(WEBHOOK).await.unwrap(), None);
}

async fn a_destination_is_known_to_all(place: Place) {
    let opened = at_once(&place, 4, |_, store| async move {
        store.open_destination(WEBHOOK, &[1; 32]).await.unwrap()
    })
    .await;
    assert_eq!(opened, [None; 4]);
    let store = place.open().await;
    store.disable_destination(WEBHOOK, NOW_MS).await.unwrap();
    let elsewhere = place.open().await;
    assert_eq!(elsewhere.open_destination(WEBHOOK, &[1; 32]).await.unwrap(), Some(NOW_MS));
    assert_eq!(elsewhere.open_destination(WEBHOOK, &[2; 32]).await.unwrap(), None);
}

/// 400 events that nobody got, of 10 kB each.
async fn many_events(store: &Store) {
    let body = format!("\"{}\"", "x".repeat(10_000));
    let event =
        |number| NewEvent { id: format!("event-{number}"), started_at_ms: NOW_MS, body: &body };
    let events: Vec<NewEvent<'_>> = (0..400).map(event).collect();
    store.add_events(&events, Lost::default(), Some(WEBHOOK), NOW_MS).await.unwrap();
}

async fn the_oldest_go_first(place: Place) {
    let store = place.open().await;
    many_events(&store).await;
    let forgotten = half_forgotten(&place).await;
    assert_eq!(forgotten.iter().map(|one| one.events).sum::<u64>(), 200);
    assert_eq!(forgotten.iter().map(|one| one.undelivered).sum::<u64>(), 200);
    assert_eq!(store.lost_events().await.unwrap().get("undelivered"), Some(&200));
    let left = store.events_after(0, 1000).await.unwrap();
    assert_eq!((left.len(), left[0].cursor), (200, 201));
    assert_eq!(store.forget_events(NOW_MS, 50).await.unwrap().events, 0, "they are not too old");
}

async fn what_is_forgotten_takes_no_room(place: Place) {
    let store = place.open().await;
    many_events(&store).await;
    let before = store.used_bytes().await.unwrap();
    assert!((4_000_000..8_000_000).contains(&before), "{before}");
    let forgotten = half_forgotten(&place).await;
    assert!(forgotten.iter().all(|one| one.bytes > 500_000), "{forgotten:?}");
    let after = store.used_bytes().await.unwrap();
    assert!(after < before * 6 / 10, "{after} of {before}");
}

/// What four replicas forget of 400 events, 50 each.
async fn half_forgotten(place: &Place) -> Vec<Forgotten> {
    at_once(place, 4, |_, store| async move { store.forget_events(i64::MAX, 50).await.unwrap() })
        .await
}
