//! Accounts at providers, on both databases, also when several processes keep them at once.

use super::{NOW, Place, at_once, entry, on_both};
use crate::store::accounts::{Account, Fate};

on_both!(
    of_many_logins_at_the_same_time_one_makes_the_account,
    a_login_changes_what_is_known_and_not_who_it_is,
    an_account_is_disabled_and_enabled,
    an_account_that_was_removed_is_gone,
);

fn account() -> Account {
    Account {
        id: "sub".to_owned(),
        provider: "okta".to_owned(),
        issuer: "https://login.example.com".to_owned(),
        subject: "somebody".to_owned(),
        email: Some("somebody@example.com".to_owned()),
        name: None,
        groups: vec!["staff".to_owned()],
        created_at: NOW,
        seen_at: NOW,
        disabled_at: None,
        epoch: 0,
    }
}

async fn of_many_logins_at_the_same_time_one_makes_the_account(place: Place) {
    let mut ids = at_once(&place, 6, |number, store| async move {
        let new = Account { id: format!("sub-{number}"), ..account() };
        store.log_in_account(&new).await.unwrap().id
    })
    .await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(place.open().await.accounts().await.unwrap().len(), 1);
}

async fn a_login_changes_what_is_known_and_not_who_it_is(place: Place) {
    let store = place.open().await;
    assert_eq!(store.log_in_account(&account()).await.unwrap(), account());
    let later = Account {
        id: "another".to_owned(),
        provider: "okta-2".to_owned(),
        email: None,
        name: Some("Some Body".to_owned()),
        groups: Vec::new(),
        created_at: NOW + 9,
        seen_at: NOW + 9,
        ..account()
    };
    let kept = store.log_in_account(&later).await.unwrap();
    assert_eq!(kept, Account { id: "sub".to_owned(), created_at: NOW, ..later.clone() });
    assert_eq!(store.account("sub").await.unwrap(), Some(kept));
    let elsewhere = Account { issuer: "https://login.example.org".to_owned(), ..later };
    assert_eq!(store.log_in_account(&elsewhere).await.unwrap().id, "another");
    assert!(store.account("a\0b").await.unwrap().is_none());
}

async fn an_account_is_disabled_and_enabled(place: Place) {
    let store = place.open().await;
    store.log_in_account(&account()).await.unwrap();
    let change = async |fate| store.change_account("sub", fate, entry(NOW + 1)).await.unwrap();
    assert_eq!((change(Fate::Disabled).await, change(Fate::Disabled).await), (Some(0), None));
    let kept = store.log_in_account(&account()).await.unwrap();
    assert_eq!((kept.disabled_at, kept.epoch), (Some(NOW + 1), 1), "a login lets nobody in again");
    let enabled = [
        store.enable_account("sub", entry(NOW)).await,
        store.enable_account("sub", entry(NOW)).await,
    ];
    assert_eq!(enabled.map(Result::unwrap), [true, false]);
    assert_eq!(store.account("sub").await.unwrap().map(|kept| kept.epoch), Some(1));
}

async fn an_account_that_was_removed_is_gone(place: Place) {
    let store = place.open().await;
    store.log_in_account(&account()).await.unwrap();
    let remove = || store.change_account("sub", Fate::Removed, entry(NOW + 1));
    assert_eq!((remove().await.unwrap(), remove().await.unwrap()), (Some(0), None));
    assert!(store.accounts().await.unwrap().is_empty());
}
