//! Users, and what they have let in.

use attache_protocol::secret::Secret;

use super::{
    NOW, Place, at_once, entry, on_both,
    personal_tokens::token,
    tokens::{CODE, FIRST, code, grant, granted},
};
use crate::store::{
    Store,
    access::Held,
    codes::Redemption,
    consents::Parties,
    grants::{Rotation, Successor, Verdict},
    personal_tokens::PersonalToken,
    users::{Change, Ended, User},
};

on_both!(
    an_address_is_added_once,
    of_two_who_change_a_password_one_does,
    what_ends_a_user_ends_what_is_just_being_redeemed,
    access_is_listed,
    whoever_gets_the_address_of_a_removed_user_gets_none_of_their_tokens,
    whoever_gets_the_address_of_a_configured_user_gets_nothing_of_theirs,
    who_has_an_address_loses_nothing_when_it_is_added_again,
    access_is_ended_for_one_client_or_all,
);

fn user() -> User {
    User {
        id: "sub".to_owned(),
        email: "admin@example.com".to_owned(),
        password_hash: Secret::new("hash".to_owned()),
        groups: vec!["staff".to_owned()],
        created_at: NOW,
        password_changed_at: NOW,
        disabled_at: None,
        epoch: 0,
    }
}

async fn an_address_is_added_once(place: Place) {
    let added = at_once(&place, 4, |number, store| async move {
        let new = User { id: format!("sub-{number}"), ..user() };
        store.add_user(&new, entry(NOW)).await.unwrap()
    })
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
    let store = place.open().await;
    let kept = store.user_with_email("admin@example.com").await.unwrap().unwrap();
    assert_eq!((kept.groups, kept.created_at, kept.epoch), (user().groups, NOW, 0));
    assert_eq!(store.users().await.unwrap().len(), 1);
    assert!(store.user_with_email("a\0b").await.unwrap().is_none());
}

async fn of_two_who_change_a_password_one_does(place: Place) {
    let store = place.open().await;
    store.add_user(&user(), entry(NOW)).await.unwrap();
    let changed = at_once(&place, 4, |number, store| async move {
        let (from, to) = (user().password_hash, Secret::new(format!("hash-{number}")));
        let change = Change::Password { from: &from, to: &to };
        store.change_user("sub", change, entry(NOW + 1)).await.unwrap()
    })
    .await;
    assert_eq!(changed.iter().flatten().count(), 1, "{changed:?}");
    let kept = store.user("sub").await.unwrap().unwrap();
    assert_eq!((kept.password_changed_at, kept.epoch), (NOW + 1, 1));

    let nothing = Some(Ended::default());
    for (change, expected) in
        [(Change::Disabled, nothing), (Change::Disabled, None), (Change::Removed, nothing)]
    {
        let done = store.change_user("sub", change, entry(NOW + 2)).await.unwrap();
        assert_eq!(done, expected, "{change:?}");
    }
    assert!(!store.has_users().await.unwrap() && store.user("sub").await.unwrap().is_none());
}

/// One ends all that the user granted while others redeem: nothing of it may live on.
async fn what_ends_a_user_ends_what_is_just_being_redeemed(place: Place) {
    let store = place.open().await;
    for number in 0..6_u8 {
        store.create_code(&[number; 32], &code(), NOW).await.unwrap();
    }
    at_once(&place, 6, |number, store| async move {
        if number == 5 {
            store.end_access("sub", None, entry(NOW)).await.unwrap();
            return;
        }
        let mut new = grant(number);
        new.refresh = vec![100 + number; 32];
        let redeemed = store.redeem_code(&[number; 32], NOW, |_| Ok::<_, ()>(new)).await.unwrap();
        assert!(matches!(redeemed, Redemption::Granted(_) | Redemption::Unknown), "{redeemed:?}");
    })
    .await;
    let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM codes WHERE used_at IS NULL")
        .fetch_one(store.reader())
        .await
        .unwrap();
    assert_eq!(open, 0);
    // Whose redemption began after the end found no code; who was faster has a grant, and it has ended.
    assert_eq!(store.held("sub", &code().granted.credential, NOW).await.unwrap(), []);
}

async fn whoever_gets_the_address_of_a_removed_user_gets_none_of_their_tokens(place: Place) {
    let store = place.open().await;
    let user = User { id: token("a").sub, ..user() };
    store.add_user(&user, entry(NOW)).await.unwrap();
    store.create_personal_token(b"one", &token("a"), entry(NOW)).await.unwrap();
    for (change, left) in [(Change::Disabled, true), (Change::Removed, false)] {
        let ended = store.change_user(&user.id, change, entry(NOW)).await.unwrap();
        assert_eq!(ended, Some(Ended { grants: 0, tokens: 1 }));
        assert_eq!(is_alive(&store, b"one").await, left, "{change:?}");
    }
}

/// Whom the database does not know leaves no trace when they are taken from the configuration.
async fn whoever_gets_the_address_of_a_configured_user_gets_nothing_of_theirs(place: Place) {
    let store = place.open().await;
    granted(&store).await;
    agree(&store, "client").await;
    let kept = PersonalToken { sub: user().id, ..token("a") };
    store.create_personal_token(b"one", &kept, entry(NOW)).await.unwrap();
    assert_eq!(left(&store).await, (true, 2));
    assert!(store.add_user(&user(), entry(NOW)).await.unwrap());
    assert_eq!(left(&store).await, (false, 0));
}

async fn who_has_an_address_loses_nothing_when_it_is_added_again(place: Place) {
    let store = place.open().await;
    store.add_user(&user(), entry(NOW)).await.unwrap();
    let kept = PersonalToken { sub: user().id, ..token("a") };
    store.create_personal_token(b"one", &kept, entry(NOW)).await.unwrap();
    assert!(!store.add_user(&user(), entry(NOW)).await.unwrap());
    assert!(is_alive(&store, b"one").await);
}

/// Whether the token lives, and how many clients have access or an agreement.
async fn left(store: &Store) -> (bool, usize) {
    (is_alive(store, b"one").await, clients(store).await.len())
}

async fn is_alive(store: &Store, digest: &[u8]) -> bool {
    store.personal_token(digest).await.unwrap().unwrap().is_alive(NOW)
}

async fn rotate(store: &Store, at: i64) {
    let next = Successor { refresh: vec![9; 32], expires_at: NOW + 2000 };
    let rotated = store.rotate(&FIRST, at * 1000, |_| Verdict::<()>::Rotate(next)).await.unwrap();
    assert!(matches!(rotated, Rotation::Rotated(_)), "{rotated:?}");
}

async fn access_is_listed(place: Place) {
    let store = place.open().await;
    granted(&store).await;
    let credential = code().granted.credential;
    let id = store.grant_of_refresh(&FIRST).await.unwrap().unwrap().id;
    let held = |last_at| Held {
        id: id.clone(),
        client_id: "client".to_owned(),
        name: None,
        redirect_uri: code().redirect_uri,
        resources: code().granted.resources,
        scope: code().granted.scope,
        since: NOW,
        last_at,
    };
    assert_eq!(store.held("sub", &credential, NOW).await.unwrap(), [held(NOW)]);
    rotate(&store, NOW + 7).await;
    assert_eq!(store.held("sub", &credential, NOW).await.unwrap(), [held(NOW + 7)]);
    for (sub, credential, now) in
        [("other", &credential, NOW), ("sub", &vec![8; 32], NOW), ("sub", &credential, NOW + 9999)]
    {
        assert_eq!(store.held(sub, credential, now).await.unwrap(), [], "{sub} {now}");
    }
}

async fn agree(store: &Store, client_id: &str) {
    let parties = Parties { sub: "sub", client_id, redirect_host: "host" };
    let (resources, scopes) = (["r".to_owned()], ["a".to_owned()]);
    store.remember_consent(parties, &resources, &scopes, NOW).await.unwrap();
}

async fn end(store: &Store, client: Option<&str>) -> u64 {
    store.end_access("sub", client, entry(NOW + 8)).await.unwrap()
}

/// Clients of what is held and of what was agreed to.
async fn clients(store: &Store) -> Vec<String> {
    let held = store.held("sub", &code().granted.credential, NOW).await.unwrap();
    let agreed = store.agreed("sub").await.unwrap();
    let held = held.into_iter().map(|one| one.client_id);
    held.chain(agreed.into_iter().map(|one| one.client_id)).collect()
}

async fn access_is_ended_for_one_client_or_all(place: Place) {
    let store = place.open().await;
    granted(&store).await;
    agree(&store, "client").await;
    agree(&store, "other").await;
    store.create_code(&[1; 32], &code(), NOW).await.unwrap();
    let mut left = Vec::new();
    for client in [Some("another"), Some("client"), None] {
        let ended = end(&store, client).await;
        left.push((ended, clients(&store).await.join(" ")));
    }
    let expected = [(0, "client client other"), (1, "other"), (0, "")];
    assert_eq!(left, expected.map(|(ended, left)| (ended, left.to_owned())));
    let waits = store.code_holder(&[1; 32]).await.unwrap();
    let used = store.code_holder(&CODE).await.unwrap();
    assert_eq!((waits.is_some(), used.is_some()), (false, true), "a used code is remembered");
}
