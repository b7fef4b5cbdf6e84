//! Reading events back.

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{Fixture, event, id};
use crate::{
    routes,
    store::{
        Store,
        events::{Lost, NewEvent},
    },
    testing::{SERVICE_SECRET, answer, get, log::Log},
};

fn ids(listing: &Value) -> Vec<&str> {
    let rows = listing["events"].as_array().unwrap();
    rows.iter().map(|row| row["event"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_are_read_page_by_page_in_the_order_of_their_arrival() {
    let fixture = Fixture::new(None).await;
    fixture.store(3..=3).await;
    fixture.store(1..=2).await;

    let (status, first) = fixture.list("?after=0&limit=2").await;
    assert_eq!((status, ids(&first)), (StatusCode::OK, vec![&*id(3), &*id(1)]));
    assert_eq!(first["events"][1]["cursor"], first["next"]);
    assert_eq!(first["events"][0]["event"], event(3));

    let (_, second) = fixture.list(&format!("?after={}&limit=2", first["next"])).await;
    assert_eq!(ids(&second), [id(2)]);

    let (_, end) = fixture.list(&format!("?after={}", second["next"])).await;
    assert_eq!(end, json!({ "events": [], "next": second["next"] }));
}

#[tokio::test]
async fn a_reader_that_waits_is_answered_when_an_event_comes() {
    let fixture = Fixture::new(None).await;

    let waiting =
        async { tokio::time::timeout(Duration::from_secs(10), fixture.list("?wait=25")).await };
    let storing = async {
        while fixture.app.arrivals.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
        fixture.store(1..=1).await;
    };
    let (listing, ()) = tokio::join!(waiting, storing);

    assert_eq!(ids(&listing.unwrap().1), [id(1)]);
}

#[tokio::test]
async fn a_reader_that_waits_learns_of_what_another_process_added() {
    let fixture = Fixture::new(None).await;
    let elsewhere = Store::open(&fixture.app.config.database).await.unwrap();

    let waiting = fixture.list("?wait=25");
    let storing = async {
        while fixture.app.arrivals.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
        let body = event(1).to_string();
        let new = NewEvent { id: id(1), started_at_ms: 1, body: &body };
        elsewhere.add_events(&[new], Lost::default(), None, 1).await.unwrap();
    };
    let both = async { tokio::join!(waiting, storing) };
    let (listing, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();

    assert_eq!(ids(&listing.1), [id(1)]);
}

#[tokio::test]
async fn a_reader_that_waits_in_vain_gets_an_empty_page() {
    let fixture = Fixture::new(None).await;
    let (status, listing) = fixture.list("?after=5&wait=1").await;
    assert_eq!((status, listing), (StatusCode::OK, json!({ "events": [], "next": 5 })));
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused() {
    let fixture = Fixture::new(None).await;
    for query in ["?after=x", "?limit=-1", "?page=2", "?after=1&after=2"] {
        let (status, answer) = fixture.list(query).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer["error"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_whatever_is_asked_for() {
    let fixture = Fixture::new(None).await;
    fixture.store(1..=1200).await;
    let (_, listing) = fixture.list("?limit=4000000000").await;
    assert_eq!(ids(&listing).len(), 1000);
}

#[tokio::test]
async fn a_reader_that_waits_is_no_line_in_the_log_and_times_are_numbers() {
    let log = Log::start();
    let fixture = Fixture::new(None).await;
    fixture.store(1..=1).await;
    for (query, id, level) in
        [("?wait=1", "a-long-poll", "DEBUG"), ("?after=0", "a-short-one", "INFO")]
    {
        let mut request = get(&format!("/internal/events{query}"));
        let secret = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, secret);
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        let status = answer(routes::internal(fixture.app.clone()), request).await.status;
        assert_eq!(status, StatusCode::OK);
        let lines = log.with(&format!("\"request_id\":\"{id}\""));
        let line = lines.iter().find(|line| line["status"] == 200).unwrap();
        assert!(line["level"] == level && line["took_ms"].is_u64(), "{line}");
    }
}
