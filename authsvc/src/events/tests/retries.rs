//! What happens when a receiver does not take what it is sent.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    Fixture,
    delivery::courier,
    receiver::{Answer, Receiver},
    webhook,
};
use crate::{
    config::Targets::{Any, Public},
    events::{
        delivery::Courier,
        webhook::{Message, Reply, Webhook},
    },
};

impl Fixture {
    /// State, time, last status, last error and last reply of the first delivery.
    async fn delivery(&self) -> (String, i64, Option<i64>, Option<String>, Option<String>) {
        sqlx::query_as("SELECT state, at_ms, last_status, last_error, last_reply FROM deliveries ORDER BY event LIMIT 1")
            .fetch_one(self.app.store.reader())
            .await
            .unwrap()
    }

    fn advance_to(&self, at_ms: i64) {
        let by = u64::try_from(at_ms - self.app.clock.now_ms()).unwrap();
        self.app.clock.advance(Duration::from_millis(by));
    }
}

#[tokio::test]
async fn a_failing_delivery_is_attempted_ten_times_on_the_schedule_and_kept_when_dead() {
    let receiver =
        Receiver::start(Answer { body: "x".repeat(1_000_000), ..Answer::from(500) }).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    let mut courier = courier(&fixture).await;
    let start_ms = fixture.app.clock.now_ms();
    fixture.store(1..=1).await;

    courier.deliver_due().await;
    let scheduled = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (attempts, seconds) in (1..).zip(scheduled) {
        let now_ms = fixture.app.clock.now_ms();
        let (state, at_ms, ..) = fixture.delivery().await;
        assert_eq!((state.as_str(), receiver.received().len()), ("due", attempts));
        let (least, most) = (seconds * 1000, seconds * 1100);
        assert!((least..=most).contains(&(at_ms - now_ms)), "{seconds} s: {}", at_ms - now_ms);

        fixture.advance_to(at_ms - 1);
        courier.deliver_due().await;
        assert_eq!(receiver.received().len(), attempts, "a millisecond early");
        fixture.advance_to(at_ms);
        courier.deliver_due().await;
        assert_eq!(receiver.received().len(), attempts + 1);
    }

    let (state, _, status, error, reply) = fixture.delivery().await;
    assert_eq!((state.as_str(), status), ("dead", Some(500)));
    assert_eq!(error.unwrap(), "receiver answered 500 Internal Server Error");
    assert_eq!(reply.unwrap(), "x".repeat(1024));
    assert!(fixture.app.clock.now_ms() - start_ms >= ((75 * 60 + 35) * 60 + 5) * 1000);

    fixture.app.clock.advance(Duration::from_hours(1000));
    courier.deliver_due().await;
    let received = receiver.received();
    assert_eq!(received.len(), 10, "dead deliveries rest");
    assert!(received.iter().all(|one| one.id() == received[0].id()));
    received.iter().for_each(super::receiver::Received::assert_signed);
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_everything_when_it_is_back() {
    let receiver = Receiver::start(200).await;
    let address = receiver.address();
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    let mut courier = courier(&fixture).await;
    drop(receiver);
    fixture.store(1..=30).await;

    courier.deliver_due().await;
    let attempted = fixture.deliveries().await.iter().filter(|(_, attempts)| *attempts > 0).count();
    assert_eq!(attempted, 8, "two rounds of four, and then the circuit is open");
    let (_, _, status, error, _) = fixture.delivery().await;
    assert_eq!(status, None);
    assert!(error.unwrap().contains("onnection refused"));

    let receiver = Receiver::start_at(address, 200).await;
    courier.deliver_due().await;
    assert_eq!(receiver.received().len(), 0, "it is not probed at once");
    fixture.app.clock.advance(Duration::from_mins(5));
    courier.deliver_due().await;
    fixture.app.clock.advance(Duration::from_mins(6));
    courier.deliver_due().await;

    let mut ids: Vec<String> =
        receiver.received().iter().map(|received| received.id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.received().len()), (30, 30));
    assert!(fixture.deliveries().await.iter().all(|(state, _)| state == "delivered"));
}

#[tokio::test]
async fn a_dead_receiver_is_probed_one_delivery_at_a_time() {
    let receiver = Receiver::start(500).await;
    let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    let mut courier = courier(&fixture).await;
    fixture.store(1..=100).await;

    courier.deliver_due().await;
    let before = receiver.received().len();
    for probes in 1..=5 {
        fixture.app.clock.advance(Duration::from_mins(5));
        courier.deliver_due().await;
        assert_eq!(receiver.received().len(), before + probes);
    }
}

#[tokio::test]
async fn gone_disables_the_destination_and_keeps_what_is_due() {
    let receiver = Receiver::start(410).await;
    let mut fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
    fixture.store(1..=1).await;
    let mut first = courier(&fixture).await;
    first.deliver_due().await;
    fixture.store(2..=3).await;

    receiver.answer(200);
    fixture.app.clock.advance(Duration::from_hours(100));
    first.deliver_due().await;
    courier(&fixture).await.deliver_due().await;
    assert_eq!(receiver.received().len(), 1, "neither now nor after a restart");
    let (state, _, status, ..) = fixture.delivery().await;
    assert_eq!((state.as_str(), status), ("due", Some(410)));

    let mut config = (*fixture.app.config).clone();
    config.webhook = Some(webhook(&format!("{}?again", receiver.url()), Any));
    fixture.app.config = config.into();
    courier(&fixture).await.deliver_due().await;
    assert_eq!(receiver.received().len(), 4, "another url is another chance");
}

#[tokio::test]
async fn redirects_are_failures_and_never_followed() {
    let elsewhere = Receiver::start(200).await;
    for status in [301, 302, 303, 307, 308] {
        let location = vec![("location", elsewhere.url())];
        let receiver = Receiver::start(Answer { headers: location, ..Answer::from(status) }).await;
        let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
        fixture.store(1..=1).await;

        courier(&fixture).await.deliver_due().await;

        let (state, _, kept, error, _) = fixture.delivery().await;
        assert_eq!((state.as_str(), kept), ("due", Some(i64::from(status))));
        assert!(error.unwrap().ends_with("redirects are not followed"));
        assert_eq!(receiver.received().len(), 1);
    }
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_has_failed() {
    let slow = Answer { after: Duration::from_secs(30), ..Answer::from(200) };
    let receiver = Receiver::start(slow).await;
    let destination = webhook(&receiver.url(), Any);
    let hasty = Webhook::answering_within(Duration::from_millis(200), &destination).unwrap();

    let reply = hasty.attempt(&Message::new("1", 0, "{}"), OffsetDateTime::UNIX_EPOCH).await;

    let Reply::Failed { failure, wait: None } = reply else { panic!("{reply:?}") };
    assert_eq!(failure.status, None);
    assert!(failure.error.contains("timed out"), "{}", failure.error);
}

#[tokio::test]
async fn s56_a_private_target_is_not_spoken_to_unless_allowed() {
    let receiver = Receiver::start(200).await;
    let port = receiver.address().port();

    let by_name = webhook(&format!("https://localhost:{port}/hook"), Public);
    let fixture = Fixture::new(Some(by_name)).await;
    fixture.store(1..=1).await;
    courier(&fixture).await.deliver_due().await;
    let (state, _, status, error, _) = fixture.delivery().await;
    assert_eq!((state.as_str(), status), ("due", None));
    let error = error.unwrap();
    assert!(error.contains("not globally routable"), "{error}");
    assert!(!error.contains("/hook"), "urls may carry secrets: {error}");

    for url in [format!("https://127.0.0.1:{port}/hook"), format!("http://localhost:{port}/hook")] {
        let app = fixture.app.clone();
        assert!(Courier::open(app, &webhook(&url, Public)).await.is_err(), "{url}");
    }
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let wait = vec![("retry-after", "120".to_owned())];
    for status in [429, 502, 503, 504] {
        let receiver =
            Receiver::start(Answer { headers: wait.clone(), ..Answer::from(status) }).await;
        let fixture = Fixture::new(Some(webhook(&receiver.url(), Any))).await;
        let mut courier = courier(&fixture).await;
        fixture.store(1..=1).await;
        courier.deliver_due().await;
        fixture.store(2..=2).await;
        receiver.answer(200);

        fixture.app.clock.advance(Duration::from_millis(119_999));
        courier.deliver_due().await;
        assert_eq!(receiver.received().len(), 1, "{status}");
        fixture.app.clock.advance(Duration::from_millis(1));
        courier.deliver_due().await;
        assert_eq!(receiver.received().len(), 3, "{status}");
    }
}
