//! New tokens of the provider for refresh tokens of ours.

use std::time::Duration;

use axum::http::StatusCode;

use super::{Browser, Fault, gateway, let_in, redeem, refresh, text};
use crate::{
    authorization::tests::browser::WEB,
    testing::{Answer, Bench, entry, form, provider::FakeProvider},
};

const HOUR: Duration = Duration::from_hours(1);

/// A gateway, a provider, and the first answer to a client.
async fn granted() -> (FakeProvider, Bench, Answer) {
    let (fake, bench) = gateway(|_settings| ()).await;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    let tokens = redeem(&bench, &answer).await;
    (fake, bench, tokens)
}

fn pass(fake: &FakeProvider, bench: &Bench) {
    bench.advance(HOUR);
    fake.shape().ahead += 3600;
}

fn refreshes(fake: &FakeProvider) -> usize {
    fake.shape().forms.iter().filter(|form| form.contains_key("refresh_token")).count()
}

#[tokio::test]
async fn a_refresh_token_of_ours_brings_a_new_one_of_theirs() {
    let (fake, bench, mut tokens) = granted().await;
    for count in 1..=3 {
        pass(&fake, &bench);
        let next = refresh(&bench, &text(&tokens, "refresh_token")).await;
        assert_ne!(text(&next, "access_token"), text(&tokens, "access_token"));
        assert_ne!(text(&next, "refresh_token"), text(&tokens, "refresh_token"));
        assert_eq!(next.json()["expires_in"], 3600);
        assert_eq!((refreshes(&fake), fake.shape().refreshes.len()), (count, 1));
        let asked = fake.shape().forms.last().unwrap().clone();
        assert_eq!(asked["resource"], crate::testing::RESOURCE);
        tokens = next;
    }
}

#[tokio::test]
async fn within_the_grace_both_callers_get_live_tokens_and_the_provider_is_asked_once() {
    let (fake, bench, tokens) = granted().await;
    pass(&fake, &bench);
    let token = text(&tokens, "refresh_token");
    let first = refresh(&bench, &token).await;
    bench.advance(Duration::from_secs(1));
    let second = refresh(&bench, &token).await;
    // What came for the first is good for the second.
    for answer in [&first, &second] {
        pass(&fake, &bench);
        text(&refresh(&bench, &text(answer, "refresh_token")).await, "access_token");
    }
    assert_eq!(fake.shape().refreshes.len(), 1);
}

#[tokio::test]
async fn of_many_at_the_same_time_all_get_tokens() {
    let (fake, bench, tokens) = granted().await;
    pass(&fake, &bench);
    let token = text(&tokens, "refresh_token");
    let ask = || refresh(&bench, &token);
    for answer in <[Answer; 4]>::from(tokio::join!(ask(), ask(), ask(), ask())) {
        text(&answer, "access_token");
    }
    assert_eq!(fake.shape().refreshes.len(), 1, "the provider rotates, and nothing was lost");
}

#[tokio::test]
async fn while_the_provider_is_down_the_refresh_token_stays_good() {
    let (fake, bench, tokens) = granted().await;
    let token = text(&tokens, "refresh_token");
    pass(&fake, &bench);
    for fault in [Fault::Status(503), Fault::Status(429)] {
        fake.shape().faults.insert("/token", fault);
        let answer = refresh(&bench, &token).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), "10");
    }
    for fault in [Fault::Html, Fault::Broken, Fault::Endless, Fault::Redirect] {
        fake.shape().faults.insert("/token", fault);
        let answer = refresh(&bench, &token).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{fault:?}");
        assert_eq!(answer.json()["error"], "server_error");
    }
    fake.shape().faults.clear();
    text(&refresh(&bench, &token).await, "access_token");
}

#[tokio::test]
async fn what_the_provider_refuses_ends_the_grant() {
    let (fake, bench, tokens) = granted().await;
    pass(&fake, &bench);
    fake.shape().refreshes.clear();
    let token = text(&tokens, "refresh_token");
    for _ in 0..2 {
        let answer = refresh(&bench, &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"], "invalid_grant");
    }
    assert_eq!(refreshes(&fake), 1, "the grant has ended here");
}

#[tokio::test]
async fn a_refresh_token_that_is_worth_nothing_asks_nobody() {
    let (fake, bench, tokens) = granted().await;
    let token = text(&tokens, "refresh_token");
    let other = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", "loopback-client"),
    ];
    let answer = bench.public(form("/oauth/token", &other)).await;
    assert_eq!(answer.json()["error"], "invalid_grant");
    let wide = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", WEB),
        ("scope", "offline_access"),
    ];
    let answer = bench.public(form("/oauth/token", &wide)).await;
    assert_eq!(answer.json()["error"], "invalid_scope");
    bench.advance(Duration::from_hours(24 * 31));
    assert_eq!(refresh(&bench, &token).await.json()["error"], "invalid_grant");
    assert_eq!(refreshes(&fake), 0);
}

#[tokio::test]
async fn either_token_ends_the_grant_here_and_there() {
    for kind in ["refresh_token", "access_token"] {
        let (fake, bench, tokens) = granted().await;
        let access = text(&tokens, "access_token");
        let fields = [("token", text(&tokens, kind)), ("client_id", WEB.to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(bench.public(form("/oauth/revoke", &fields)).await.status, StatusCode::OK);
        let answer = refresh(&bench, &text(&tokens, "refresh_token")).await;
        assert_eq!(answer.json()["error"], "invalid_grant");
        let said = super::introspect(&bench, &access, crate::testing::RESOURCE).await;
        assert_eq!(said["active"], false, "{kind}");
        assert_eq!(tell(&bench).await, 1, "{kind}");
        assert!(fake.shape().refreshes.is_empty(), "{kind}");
    }
}

/// How many endings the provider was told of.
async fn tell(bench: &Bench) -> u64 {
    bench.app.broker().unwrap().tell_endings(&bench.app).await.unwrap()
}

#[tokio::test]
async fn whoever_ends_a_grant_the_provider_is_told_once() {
    let (fake, bench, _tokens) = granted().await;
    assert_eq!(tell(&bench).await, 0, "it goes on");
    let sub = bench.app.store.accounts().await.unwrap()[0].id.clone();
    let now = bench.app.clock.now_unix();
    bench.app.store.end_access(&sub, None, entry(now)).await.unwrap();
    assert_eq!((tell(&bench).await, tell(&bench).await), (1, 0));
    assert!(fake.shape().refreshes.is_empty());
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_later_and_one_that_does_not_want_to_know_is_left_alone() {
    for (fault, told, later) in
        [(Fault::Status(503), [0, 0], 1), (Fault::Status(400), [1, 0], 0), (Fault::Html, [1, 0], 0)]
    {
        let (fake, bench, tokens) = granted().await;
        fake.shape().faults.insert("/revoke", fault);
        let token = text(&tokens, "refresh_token");
        let fields = [("token", token.as_str()), ("client_id", WEB)];
        assert_eq!(bench.public(form("/oauth/revoke", &fields)).await.status, StatusCode::OK);
        assert_eq!([tell(&bench).await, tell(&bench).await], told);
        fake.shape().faults.clear();
        assert_eq!(tell(&bench).await, later);
    }
    // Nor does one keep the others from being told.
    let (fake, bench, tokens) = granted().await;
    let other = let_in(&mut Browser::new(&bench), &fake).await;
    redeem(&bench, &other).await;
    let token = text(&tokens, "refresh_token");
    bench.public(form("/oauth/revoke", &[("token", token.as_str()), ("client_id", WEB)])).await;
    fake.shape().faults.insert("/revoke", Fault::Status(503));
    assert_eq!(tell(&bench).await, 0);
    let sub = bench.app.store.accounts().await.unwrap()[0].id.clone();
    bench.app.store.end_access(&sub, None, entry(bench.app.clock.now_unix())).await.unwrap();
    let asked = fake.asked("/revoke");
    assert_eq!((tell(&bench).await, fake.asked("/revoke")), (0, asked + 2));
    fake.shape().faults.clear();
    assert_eq!(tell(&bench).await, 2);
    // Not for ever.
    let (fake, bench, tokens) = granted().await;
    fake.shape().faults.insert("/revoke", Fault::Status(503));
    let token = text(&tokens, "refresh_token");
    bench.public(form("/oauth/revoke", &[("token", token.as_str()), ("client_id", WEB)])).await;
    assert_eq!(tell(&bench).await, 0);
    bench.advance(8 * 24 * HOUR);
    assert_eq!(tell(&bench).await, 1);
}
