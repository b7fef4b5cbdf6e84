//! Personal access tokens.

use super::{NOW, at_once, entry, on_both};
use crate::{store::personal_tokens::PersonalToken, testing::place::Place};

const HOUR: i64 = 3600;

on_both!(
    a_personal_token_is_found_by_its_digest,
    the_use_of_a_personal_token_is_known_to_the_hour,
    a_personal_token_is_revoked_once,
    dead_personal_tokens_are_forgotten,
);

pub(super) fn token(id: &str) -> PersonalToken {
    PersonalToken {
        id: id.to_owned(),
        name: Some("ci".to_owned()),
        sub: "alice".to_owned(),
        email: "alice@example.com".to_owned(),
        resources: vec!["https://gateway.example/a".to_owned()],
        scope: "mcp".to_owned(),
        created_at: NOW,
        expires_at: NOW + HOUR,
        revoked_at: None,
        used_at: None,
    }
}

async fn a_personal_token_is_found_by_its_digest(place: Place) {
    let store = place.open().await;
    let second = PersonalToken { name: None, created_at: NOW + 1, ..token("b") };
    store.create_personal_token(b"one", &token("a"), entry(NOW)).await.unwrap();
    store.create_personal_token(b"two", &second, entry(NOW)).await.unwrap();
    assert_eq!(store.personal_token(b"one").await.unwrap(), Some(token("a")));
    assert_eq!(store.personal_token(b"two").await.unwrap(), Some(second.clone()));
    assert_eq!(store.personal_token(b"three").await.unwrap(), None);
    assert_eq!(store.personal_tokens().await.unwrap(), [second, token("a")]);
    assert!(store.create_personal_token(b"one", &token("c"), entry(NOW)).await.is_err());
}

async fn the_use_of_a_personal_token_is_known_to_the_hour(place: Place) {
    let store = place.open().await;
    store.create_personal_token(b"one", &token("a"), entry(NOW)).await.unwrap();
    for (at, known) in
        [(NOW, NOW), (NOW + HOUR - 1, NOW), (NOW + HOUR, NOW + HOUR), (NOW - 9, NOW + HOUR)]
    {
        let found = store.personal_token(b"one").await.unwrap().unwrap();
        store.touch_personal_token(&found, at).await.unwrap();
        // What was read before another process wrote.
        store.touch_personal_token(&token("a"), at).await.unwrap();
        let found = store.personal_token(b"one").await.unwrap().unwrap();
        assert_eq!(found.used_at, Some(known));
    }
}

async fn a_personal_token_is_revoked_once(place: Place) {
    let store = place.open().await;
    store.create_personal_token(b"one", &token("a"), entry(NOW)).await.unwrap();
    let revoked = at_once(&place, 4, |_, store| async move {
        store.revoke_personal_token("a", entry(NOW)).await.unwrap()
    })
    .await;
    assert_eq!(revoked.iter().filter(|revoked| **revoked).count(), 1);
    assert!(!store.revoke_personal_token("a\0", entry(NOW)).await.unwrap());
    let found = store.personal_token(b"one").await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(NOW));
    assert!(!found.is_alive(NOW) && token("a").is_alive(NOW) && !token("a").is_alive(NOW + HOUR));
}

async fn dead_personal_tokens_are_forgotten(place: Place) {
    let store = place.open().await;
    store.create_personal_token(b"one", &token("revoked"), entry(NOW)).await.unwrap();
    store.create_personal_token(b"two", &token("expired"), entry(NOW)).await.unwrap();
    let alive = PersonalToken { expires_at: NOW + 9 * HOUR, ..token("alive") };
    store.create_personal_token(b"three", &alive, entry(NOW)).await.unwrap();
    assert!(store.revoke_personal_token("revoked", entry(NOW)).await.unwrap());
    assert_eq!(store.forget_personal_tokens(NOW).await.unwrap(), 0);
    assert_eq!(store.forget_personal_tokens(NOW + 1).await.unwrap(), 1);
    assert_eq!(store.forget_personal_tokens(NOW + HOUR + 1).await.unwrap(), 1);
    assert_eq!(store.personal_tokens().await.unwrap(), [alive]);
}
