//! Introspection of personal access tokens.

use std::time::Duration;

use attache_protocol::secret::Secret;
use serde_json::json;

use super::Flow;
use crate::{
    config::PersonalTokens,
    personal_token::{self, Order},
    store::{self, personal_tokens::PersonalToken},
    testing::{Bench, EMAIL, PUBLIC_URL, RESOURCE, embedded, entry},
};

const HOUR: Duration = Duration::from_hours(1);

impl Flow {
    /// A token for both servers.
    async fn personal_token(&self, name: Option<&str>) -> (String, PersonalToken) {
        let app = &self.bench.app;
        let order = Order {
            email: EMAIL.to_owned(),
            scopes: Vec::new(),
            resources: vec![RESOURCE.to_owned(), format!("{PUBLIC_URL}/weather/mcp")],
            life: HOUR,
            name: name.map(str::to_owned),
        };
        let now = app.clock.now_unix();
        let member = app.users().by_email(EMAIL).await.unwrap();
        let made = personal_token::make(&app.config, member.as_ref(), &order, &app.random, now);
        let made = made.unwrap();
        let digest = store::digest(made.token.reveal());
        app.store.create_personal_token(&digest, &made.kept, entry(0)).await.unwrap();
        (made.token.reveal().clone(), made.kept)
    }

    async fn used_at(&self, token: &str) -> Option<i64> {
        let found = self.bench.app.store.personal_token(&store::digest(token)).await.unwrap();
        found.unwrap().used_at
    }
}

#[tokio::test]
async fn s57_introspection_says_what_a_personal_token_stands_for_where_it_was_presented() {
    let flow = Flow::public().await;
    let (token, kept) = flow.personal_token(Some("ci")).await;
    let weather = format!("{PUBLIC_URL}/weather/mcp");
    let fields = [("token", token.as_str()), ("resource", weather.as_str())];
    let said = flow.introspect(&fields).await.json();
    let expected = json!({
        "active": true,
        "scope": "mcp",
        "client_id": format!("pat:{}:ci", kept.id),
        "username": EMAIL,
        "token_type": "Bearer",
        "exp": 1_790_003_600,
        "iat": 1_790_000_000,
        "sub": kept.sub,
        "aud": weather,
        "iss": PUBLIC_URL,
        "jti": kept.id,
        "groups": ["Developers"],
    });
    assert_eq!(said, expected);
    for elsewhere in ["http://localhost:8080", "http://localhost:8080/weather/mcp/"] {
        let fields = [("token", token.as_str()), ("resource", elsewhere)];
        let said = flow.introspect(&fields).await;
        assert_eq!(said.body, r#"{"active":false}"#, "{elsewhere}");
    }
    let (nameless, kept) = flow.personal_token(None).await;
    let said = flow.introspect(&[("token", &nameless)]).await.json();
    assert_eq!(said["client_id"], format!("pat:{}", kept.id));
    assert_eq!(said["aud"], json!([RESOURCE, weather]), "to whom asks of no place in particular");
}

#[tokio::test]
async fn s57_the_answer_for_an_access_token_is_for_the_resource_asked_about_too() {
    let flow = Flow::public().await;
    let (access, _) = flow.tokens().await;
    let said = flow.introspect(&[("token", &access), ("resource", RESOURCE)]).await.json();
    assert_eq!((&said["active"], &said["aud"]), (&json!(true), &json!(RESOURCE)));
    let said = flow.introspect(&[("token", &access), ("resource", PUBLIC_URL)]).await;
    assert_eq!(said.body, r#"{"active":false}"#);
}

#[tokio::test]
async fn s57_a_personal_token_dies_at_its_end_when_it_is_revoked_and_with_its_user() {
    let flow = Flow::public().await;
    let (token, _) = flow.personal_token(None).await;
    flow.bench.advance(HOUR - Duration::from_millis(1));
    assert!(flow.is_active(&token).await);
    flow.bench.advance(Duration::from_millis(1));
    assert!(!flow.is_active(&token).await, "expired");

    let (token, kept) = flow.personal_token(None).await;
    assert!(flow.is_active(&token).await);
    let now = flow.bench.app.clock.now_unix();
    assert!(flow.bench.app.store.revoke_personal_token(&kept.id, entry(now)).await.unwrap());
    assert!(!flow.is_active(&token).await, "revoked");

    let (token, kept) = flow.personal_token(None).await;
    let gone = PersonalToken { id: "other".to_owned(), sub: "nobody".to_owned(), ..kept };
    let other = attache_protocol::personal_token::write(&[7; 32]);
    let digest = store::digest(other.reveal());
    flow.bench.app.store.create_personal_token(&digest, &gone, entry(0)).await.unwrap();
    assert!(
        flow.is_active(&token).await && !flow.is_active(other.reveal()).await,
        "its user is gone"
    );
}

#[tokio::test]
async fn s57_a_personal_token_is_nothing_where_they_are_switched_off() {
    let flow = Flow::public().await;
    let (token, kept) = flow.personal_token(None).await;
    let bench = Bench::with(|config| {
        let embedded = embedded(config);
        embedded.personal_tokens = PersonalTokens::Off;
    })
    .await;
    bench.app.store.create_personal_token(&store::digest(&token), &kept, entry(0)).await.unwrap();
    assert!(flow.is_active(&token).await);
    assert!(!Flow { bench, ..flow }.is_active(&token).await);
}

#[tokio::test]
async fn s57_only_the_digest_of_a_personal_token_is_kept_and_its_use_to_the_hour() {
    let flow = Flow::public().await;
    let (token, _) = flow.personal_token(None).await;
    let began = flow.bench.app.clock.now_unix();
    let secret = Secret::new(token.clone());
    assert_eq!(flow.used_at(&token).await, None);
    for (minutes, used_at) in [(0, began), (30, began), (29, began)] {
        flow.bench.advance(Duration::from_mins(minutes));
        assert!(flow.is_active(secret.reveal()).await);
        assert_eq!(flow.used_at(&token).await, Some(used_at));
    }
    let stored = flow.bench.app.store.personal_tokens().await.unwrap();
    let digits = token.trim_start_matches("attache_pat_");
    assert!(!format!("{stored:?}").contains(digits.get(..16).unwrap()));
}
