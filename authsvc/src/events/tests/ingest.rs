//! What the filter may send, and what it is answered.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fixture, call, event, id};
use crate::{
    events::ingest::{MAX_EVENT, MAX_EVENTS},
    store::Store,
};

#[tokio::test]
async fn an_accepted_event_is_durable_when_the_answer_arrives() {
    let fixture = Fixture::new(None).await;

    fixture.store(1..=3).await;

    let elsewhere = Store::open(&fixture.app.config.database).await.unwrap();
    let stored = elsewhere.events_after(0, 10).await.unwrap();
    let ids: Vec<Value> = stored
        .iter()
        .map(|event| serde_json::from_str::<Value>(&event.body).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
}

#[tokio::test]
async fn the_same_event_is_stored_once_however_often_it_is_sent() {
    let fixture = Fixture::new(None).await;

    fixture.store(1..=3).await;
    fixture.store(1..=3).await;
    fixture.store(2..=5).await;
    let twice = json!({ "events": [event(6), event(6)] });
    assert_eq!(fixture.send(twice).await, (StatusCode::ACCEPTED, json!({ "accepted": 2 })));

    let (_, listing) = fixture.list("").await;
    let ids: Vec<&Value> =
        listing["events"].as_array().unwrap().iter().map(|row| &row["event"]["id"]).collect();
    assert_eq!(ids, [&id(1), &id(2), &id(3), &id(4), &id(5), &id(6)]);
}

#[tokio::test]
async fn s68_events_without_the_shared_secret_are_refused() {
    let fixture = Fixture::new(None).await;
    let secret = fixture.app.config.service.secret.reveal().clone();
    let batch = json!({ "events": [event(1)] });

    for wrong in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer wrong".to_owned(),
        format!("Bearer {secret}x"),
        format!("Bearer x{secret}"),
        format!("Basic {secret}"),
        secret,
    ] {
        for (method, path) in
            [(Method::POST, "/internal/events"), (Method::GET, "/internal/events?after=0")]
        {
            let (status, _) = call(&fixture.app, method, path, &wrong, &batch).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }

    assert!(fixture.app.store.events_after(0, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_poisonous_event_does_not_hold_up_the_others() {
    let fixture = Fixture::new(None).await;
    let poison = |member: &str, value: Value| {
        let mut event = event(99);
        event[member] = value;
        event
    };
    let mut without_id = event(99);
    without_id.as_object_mut().unwrap().remove("id");

    let (status, answer) = fixture
        .send(json!({ "events": [
            event(1),
            without_id,
            poison("id", json!("x\u{0}")),
            poison("id", json!(id(0xabc).to_uppercase())),
            event(2),
            poison("outcome", json!("splendid")),
            poison("status", json!("alice@example.com")),
            poison("started_at_ms", json!(-1)),
            poison("started_at_ms", json!(u64::MAX)),
            poison("prompt", json!("x".repeat(MAX_EVENT))),
            Value::Null,
            event(3),
        ] }))
        .await;

    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer["accepted"], 3);
    let reasons: Vec<(u64, &str)> = answer["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| (refused["index"].as_u64().unwrap(), refused["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(reasons[0], (1, "missing field `id`"));
    assert_eq!(reasons[1], (2, "id is not a UUID in lower case"));
    assert_eq!(reasons[2], (3, "id is not a UUID in lower case"));
    assert_eq!(reasons[3], (5, "member `outcome` is not of the expected type"));
    assert_eq!(reasons[4], (6, "member `status` is not of the expected type"));
    assert_eq!(reasons[5], (7, "member `started_at_ms` is not of the expected type"));
    assert_eq!(reasons[6], (8, "started_at_ms 18446744073709551615 is after the year 9999"));
    assert!(reasons[7].1.ends_with("limit is 524288"), "{}", reasons[7].1);
    assert_eq!(reasons[8], (10, "member `.` is not of the expected type"));
    assert_eq!(fixture.app.store.events_after(0, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_a_newer_filter_says_beyond_our_knowledge_is_kept_byte_for_byte() {
    let fixture = Fixture::new(None).await;
    let newer = event(1).to_string().replacen('{', r#"{ "spin":1.50e+1,"#, 1);

    let (status, _) = fixture.send(format!(r#"{{"sender":"2.0","events":[{newer}]}}"#)).await;

    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(fixture.app.store.events_after(0, 1).await.unwrap()[0].body, newer);
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused_with_the_reason() {
    let fixture = Fixture::new(None).await;
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "{",
        r#"{"events":{}}"#,
        r#"{"events":[1,]}"#,
        r#"{"dropped":-1,"events":[]}"#,
        r#"{"events":[],"events":[]}"#,
        "\u{feff}{}",
    ] {
        let (status, answer) = fixture.send(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let reason = answer["error"].as_str().unwrap();
        assert!(reason.starts_with("body is not a batch of events: "), "{reason}");
    }
    let (status, _) = fixture.send(json!({ "events": [] })).await;
    assert_eq!(status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_batch_beyond_the_limits_is_refused() {
    let fixture = Fixture::new(None).await;

    let many = json!({ "events": vec![Value::Null; MAX_EVENTS + 1] });
    let (status, answer) = fixture.send(many).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["error"], "batch has 5001 events, limit is 5000");

    let (status, _) = fixture.send("x".repeat(8 * 1024 * 1024 + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn losses_of_the_sender_are_counted_once() {
    let fixture = Fixture::new(None).await;
    let batch = json!({ "dropped": 7, "throttled": 900, "events": [event(1)] });

    for _answer_was_lost in 0..2 {
        assert_eq!(fixture.send(&batch).await.0, StatusCode::ACCEPTED);
    }
    fixture.send(json!({ "dropped": 3, "events": [event(2)] })).await;
    fixture.send(json!({ "dropped": u64::MAX, "events": [] })).await;

    let (_, listing) = fixture.list("").await;
    assert_eq!(
        listing["lost"],
        json!({ "outbox_full": 10 + i64::from(u32::MAX), "throttled": 900 })
    );
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let fixture = Fixture::new(None).await;
    fixture.app.store.close().await;

    let (status, answer) = fixture.send(json!({ "events": [event(1)] })).await;

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["error"], "events cannot be stored now, send them again");
    assert!(
        Store::open(&fixture.app.config.database)
            .await
            .unwrap()
            .events_after(0, 1)
            .await
            .unwrap()
            .is_empty()
    );
}
