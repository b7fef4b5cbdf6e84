//! Clients beside others of their kind, and what becomes of them while somebody is busy with them.

use super::{NOW, Place, entry, on_both};
use crate::{
    store::{
        Store,
        clients::{AuthMethod, Client, Identity, MAX_UNUSED},
        codes::{Code, Granted},
        documents::{KeptDocument, KeptKeys},
        grants::{self, NewGrant},
    },
    testing::place::Kind,
};

on_both!(
    documents_make_no_registration_go,
    keys_of_another_place_are_not_its_keys,
    keys_that_are_gone_are_forgotten_and_no_others,
);

const URL: &str = "https://client.example/client.json";
const KEYS: &str = "https://client.example/keys.json";

fn client(id: &str, seen_at: i64) -> Client {
    Client {
        id: id.to_owned(),
        name: None,
        redirect_uris: vec!["https://client.example/callback".to_owned()],
        auth_method: AuthMethod::None,
        secret: None,
        management: None,
        created_at: seen_at,
    }
}

async fn documented(store: &Store, url: &str, keys_uri: Option<&str>, now: i64) {
    let document = KeptDocument {
        expires_at: now + 600,
        keys_uri: keys_uri.map(str::to_owned),
        keys: None,
        keys_expire_at: 0,
        keys_fetched_at: 0,
    };
    store.keep_document(&client(url, now), &document, now).await.unwrap();
}

async fn documents_make_no_registration_go(place: Place) {
    let store = place.open().await;
    store.register_client(&client("registered", NOW), Identity::Own).await.unwrap();
    for number in 1..=MAX_UNUSED + 10 {
        documented(&store, &format!("{URL}?{number}"), None, NOW + number).await;
    }
    assert!(store.client("registered").await.unwrap().is_some());
    assert!(store.client(&format!("{URL}?10")).await.unwrap().is_none());
    assert!(store.client(&format!("{URL}?11")).await.unwrap().is_some());
}

async fn keys_of_another_place_are_not_its_keys(place: Place) {
    let store = place.open().await;
    let keys =
        |uri: &str| KeptKeys { uri: uri.to_owned(), text: "keys".to_owned(), expire_at: NOW + 600 };
    documented(&store, URL, Some(KEYS), NOW).await;
    assert!(store.begin_keys(URL, 0, NOW).await.unwrap());
    documented(&store, URL, Some("https://elsewhere.example/keys.json"), NOW).await;
    store.keep_keys(URL, &keys(KEYS)).await.unwrap();
    assert_eq!(store.document(URL).await.unwrap().unwrap().keys, None);
    store.keep_keys(URL, &keys("https://elsewhere.example/keys.json")).await.unwrap();
    assert_eq!(store.document(URL).await.unwrap().unwrap().keys.as_deref(), Some("keys"));
}

async fn keys_that_are_gone_are_forgotten_and_no_others(place: Place) {
    let store = place.open().await;
    documented(&store, URL, Some(KEYS), NOW).await;
    let keys = KeptKeys { uri: KEYS.to_owned(), text: "new".to_owned(), expire_at: NOW + 600 };
    store.keep_keys(URL, &keys).await.unwrap();
    store.forget_keys(URL, "old").await.unwrap();
    assert_eq!(store.document(URL).await.unwrap().unwrap().keys.as_deref(), Some("new"));
    store.forget_keys(URL, "new").await.unwrap();
    assert_eq!(store.document(URL).await.unwrap().unwrap().keys, None);
}

/// Only PostgreSQL lets both happen at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_begins_while_its_client_is_removed_ends() {
    let place = Place::new(Kind::Postgres).await;
    let store = place.open().await;
    store.register_client(&client("client", NOW), Identity::Own).await.unwrap();
    let granted = Granted {
        client_id: "client".to_owned(),
        resources: Vec::new(),
        scope: "mcp".to_owned(),
        sub: "sub".to_owned(),
        email: Some("admin@example.com".to_owned()),
        groups: Vec::new(),
        auth_time: NOW,
        credential: vec![7; 32],
    };
    let code = Code {
        granted: granted.clone(),
        redirect_uri: "https://client.example/callback".to_owned(),
        redirect_uri_sent: true,
        code_challenge: "challenge".to_owned(),
        provider_tokens: None,
        expires_at: NOW + 60,
    };
    store.create_code(&[1; 32], &code, NOW).await.unwrap();

    let mut redeeming = store.write().await.unwrap();
    let process: i64 = sqlx::query_scalar("SELECT CAST(pg_backend_pid() AS BIGINT)")
        .fetch_one(&mut *redeeming)
        .await
        .unwrap();
    sqlx::query("UPDATE codes SET used_at = 1").execute(&mut *redeeming).await.unwrap();
    let grant = NewGrant {
        id: "grant".to_owned(),
        refresh: vec![2; 32],
        refresh_expires_at: NOW + 1000,
        expires_at: NOW + 5000,
        provider: None,
    };
    grants::begin(&mut redeeming, &[1; 32], &granted, &grant, NOW).await.unwrap();

    let other = place.open().await;
    let removing = tokio::spawn(async move { other.remove_client("client", entry(NOW)).await });
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                   WHERE CAST($1 AS INT) = ANY(pg_blocking_pids(pid))";
    while sqlx::query_scalar::<_, i64>(waiting)
        .bind(process)
        .fetch_one(store.reader())
        .await
        .unwrap()
        == 0
    {}
    redeeming.commit().await.unwrap();
    assert_eq!(removing.await.unwrap().unwrap(), Some(1));
    let grant = store.grant("grant").await.unwrap().unwrap();
    assert_eq!(grant.ended_at, Some(NOW));
}
