//! Access tokens of the provider that say nothing themselves.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Browser, gateway, introspect, let_in, redeem, refresh, text};
use crate::{
    config::{Brokered, OpaqueTokens, WithoutAudience},
    store::accounts::Fate,
    testing::{Bench, NOW_MS, PUBLIC_URL, RESOURCE, entry, provider::FakeProvider},
};

fn asking(without_audience: WithoutAudience) -> impl FnOnce(&mut Brokered) {
    move |settings| {
        let cache = Duration::from_secs(30);
        settings.tokens.opaque =
            OpaqueTokens::Introspected { cache, without_audience, client: None };
    }
}

async fn opaque(without_audience: WithoutAudience, said: Value) -> (FakeProvider, Bench) {
    let (fake, bench) = gateway(asking(without_audience)).await;
    {
        let mut shape = fake.shape();
        shape.access = None;
        shape.introspection = said;
    }
    (fake, bench)
}

fn active(more: &Value) -> Value {
    let mut said = json!({
        "active": true, "iss": null, "sub": "somebody", "aud": RESOURCE, "client_id": "gateway",
        "exp": NOW_MS / 1000 + 300, "scope": "openid mcp",
    });
    for (name, value) in more.as_object().unwrap() {
        said[name] = value.clone();
    }
    said.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    said
}

#[tokio::test]
async fn an_opaque_token_is_handed_out_and_asked_about() {
    let (fake, bench) = opaque(WithoutAudience::Refused, active(&json!({}))).await;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    let tokens = redeem(&bench, &answer).await;
    let access = text(&tokens, "access_token");
    assert_eq!(tokens.json()["expires_in"], 300, "what lives shorter than it says");
    let before = fake.asked("/introspect");
    bench.advance(Duration::from_secs(3));
    let ask = || introspect(&bench, &access, RESOURCE);
    for said in <[Value; 4]>::from(tokio::join!(ask(), ask(), ask(), ask())) {
        assert_eq!((said["active"].as_bool(), said["aud"].as_str()), (Some(true), Some(RESOURCE)));
        assert_eq!(said["iss"], fake.issuer);
    }
    assert_eq!(fake.asked("/introspect"), before + 1, "once for all who ask at the same time");
    let elsewhere = introspect(&bench, &access, &format!("{PUBLIC_URL}/weather/mcp")).await;
    assert_eq!(elsewhere["active"], false);
}

#[tokio::test]
async fn what_the_provider_says_decides() {
    let other = |more| active(&more);
    for (said, good) in [
        (active(&json!({})), true),
        (json!({ "active": false }), false),
        (other(json!({ "aud": "https://elsewhere.example" })), false),
        (other(json!({ "aud": [RESOURCE, "https://elsewhere.example"] })), true),
        (other(json!({ "iss": "https://elsewhere.example" })), false),
        (other(json!({ "exp": 1 })), false),
        (other(json!({ "exp": null })), false),
        (other(json!({ "sub": null })), false),
        (other(json!({ "token_type": "refresh_token" })), false),
        (other(json!({ "aud": null })), false),
    ] {
        let (_fake, bench) = opaque(WithoutAudience::Refused, said.clone()).await;
        assert_eq!(introspect(&bench, "opaque", RESOURCE).await["active"], good, "{said}");
    }
}

#[tokio::test]
async fn a_token_without_audience_is_good_only_if_it_was_issued_to_us_and_that_is_configured() {
    for (said, good) in [
        (active(&json!({ "aud": null })), true),
        (active(&json!({ "aud": null, "client_id": "another" })), false),
        (active(&json!({ "aud": null, "client_id": null })), false),
        (active(&json!({ "aud": null, "iss": "https://elsewhere.example" })), false),
        (active(&json!({ "aud": null, "exp": 1 })), false),
    ] {
        let (_fake, bench) = opaque(WithoutAudience::IssuedToUs, said.clone()).await;
        assert_eq!(introspect(&bench, "opaque", RESOURCE).await["active"], good, "{said}");
    }
}

#[tokio::test]
async fn while_the_provider_does_not_say_nobody_gets_in() {
    let (fake, bench) = opaque(WithoutAudience::Refused, active(&json!({}))).await;
    for fault in [super::Fault::Status(500), super::Fault::Html, super::Fault::Broken] {
        fake.shape().faults.insert("/introspect", fault);
        let said = introspect(&bench, "opaque", RESOURCE).await;
        assert_eq!(said.get("active"), None, "{said}");
    }
    fake.shape().faults.clear();
    assert_eq!(introspect(&bench, "opaque", RESOURCE).await["active"], true);
}

#[tokio::test]
async fn every_token_of_a_grant_that_is_over_is_dead_and_so_is_that_of_an_account_that_is_off() {
    let (fake, bench) = opaque(WithoutAudience::Refused, active(&json!({}))).await;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    let first = redeem(&bench, &answer).await;
    bench.advance(Duration::from_secs(90));
    let second = refresh(&bench, &text(&first, "refresh_token")).await;
    let [first, second] = [first, second].map(|tokens| text(&tokens, "access_token"));
    assert_ne!(first, second);
    for token in [&first, &second, &"of nobody we know".to_owned()] {
        assert_eq!(introspect(&bench, token, RESOURCE).await["active"], true, "{token}");
    }
    let sub = bench.app.store.accounts().await.unwrap()[0].id.clone();
    let now = bench.app.clock.now_unix();
    bench.app.store.end_access(&sub, None, entry(now)).await.unwrap();
    for token in [&first, &second] {
        assert_eq!(introspect(&bench, token, RESOURCE).await["active"], false, "{token}");
    }
    let another = "of nobody we know";
    assert_eq!(introspect(&bench, another, RESOURCE).await["active"], true);
    bench.app.store.change_account(&sub, Fate::Disabled, entry(now)).await.unwrap();
    assert_eq!(introspect(&bench, another, RESOURCE).await["active"], false);
}

#[tokio::test]
async fn c2_c5_a_token_without_audience_opens_what_the_user_agreed_to_and_nothing_else() {
    let (fake, bench) = opaque(WithoutAudience::IssuedToUs, active(&json!({ "aud": null }))).await;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    let access = text(&redeem(&bench, &answer).await, "access_token");
    let weather = format!("{PUBLIC_URL}/weather/mcp");
    for (resource, opens) in [(RESOURCE, true), (&weather, false)] {
        assert_eq!(introspect(&bench, &access, resource).await["active"], opens, "{resource}");
    }
}

#[tokio::test]
async fn without_introspection_an_opaque_token_is_not_handed_out() {
    let (fake, bench) = gateway(|_settings| ()).await;
    fake.shape().access = None;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    assert_eq!(redeem(&bench, &answer).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(introspect(&bench, "opaque", RESOURCE).await["active"], false);
}
