//! The audit trail.

use super::{NOW, Place, at_once, entry, on_both};
use crate::store::{
    Store,
    audit::{Action, Author, Entry, Kept, Kind},
};

on_both!(
    an_entry_is_kept_as_it_was_written,
    an_entry_is_there_if_the_change_is,
    entries_are_forgotten_by_age_and_number_of_each_kind,
);

fn author(kind: Kind, at: i64) -> Author {
    Author {
        id: Some("id\0".to_owned()),
        name: Some("x".repeat(300)),
        address: Some("::ffff:192.0.2.1".parse().unwrap()),
        request_id: Some("request".to_owned()),
        ..Author::new(kind, at)
    }
}

async fn an_entry_is_kept_as_it_was_written(place: Place) {
    let store = place.open().await;
    let entry: Entry = author(Kind::Client, NOW)
        .does(Action::ChangeClient, "target".to_owned())
        .called(Some("\u{e9}".repeat(300)))
        .with("uris", vec!["https://a.example/\0"; 30])
        .with("nothing", None::<i64>)
        .with("number", 7);
    store.record(entry).await.unwrap();
    store.record(Author::new(Kind::Nobody, NOW + 1).does(Action::FailLogin, None)).await.unwrap();
    let all = store.audited(NOW).await.unwrap();
    let [first, second] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (first.at, first.author.as_str(), first.action.as_str()),
        (NOW, "client", "client.change")
    );
    assert_eq!(first.author_id.as_deref(), Some("id\u{fffd}"));
    assert_eq!(first.author_name.as_ref().map(String::len), Some(256));
    let texts = [&first.target, &first.target_name, &first.address].map(Option::as_deref);
    assert_eq!(texts, [Some("target"), Some(&*"\u{e9}".repeat(256)), Some("192.0.2.1")]);
    assert_eq!(first.details["uris"].as_array().map(Vec::len), Some(20));
    assert_eq!((&first.details["number"], first.details.len()), (&7.into(), 2));
    assert!(second.id > first.id && second.details.is_empty() && second.address.is_none());
    assert_eq!(store.audited(NOW + 1).await.unwrap(), std::slice::from_ref(second));
}

/// Of several who do the same thing one does it, and one entry says so.
async fn an_entry_is_there_if_the_change_is(place: Place) {
    let token = super::personal_tokens::token("a");
    place.open().await.create_personal_token(b"one", &token, entry(NOW)).await.unwrap();
    at_once(&place, 4, |_, store| async move {
        let entry = Author::new(Kind::User, NOW).does(Action::RevokeToken, "a".to_owned());
        store.revoke_personal_token("a", entry).await.unwrap()
    })
    .await;
    let store = place.open().await;
    // What fails, or finds nothing, leaves no entry.
    assert!(store.create_personal_token(b"one", &token, entry(NOW)).await.is_err());
    assert!(!store.end_grant("none", entry(NOW)).await.unwrap());
    assert_eq!(store.end_access("nobody", None, entry(NOW)).await.unwrap(), 0);
    let told = |kept: Kept| (kept.action, kept.target_name, kept.details["user"].clone());
    let all: Vec<_> = store.audited(0).await.unwrap().into_iter().skip(1).map(told).collect();
    let user = token.email.as_str().into();
    assert_eq!(all, [("token.revoke".to_owned(), Some("ci".to_owned()), user)]);
}

async fn entries_are_forgotten_by_age_and_number_of_each_kind(place: Place) {
    let store = place.open().await;
    let write = async |kind, at| {
        let entry = Author::new(kind, at).does(Action::EndSessions, None);
        store.record(entry).await.unwrap();
    };
    for at in NOW..NOW + 6 {
        write(Kind::Nobody, at).await;
        write(Kind::Operator, at).await;
    }
    let most = [(Kind::Nobody, 3), (Kind::Operator, 10)];
    assert_eq!(store.forget_audited(NOW + 1, &most).await.unwrap(), 4);
    assert_eq!(left(&store, "nobody").await, [NOW + 3, NOW + 4, NOW + 5]);
    assert_eq!(left(&store, "operator").await, [NOW + 1, NOW + 2, NOW + 3, NOW + 4, NOW + 5]);
    assert_eq!(store.forget_audited(NOW + 1, &most).await.unwrap(), 0);
}

async fn left(store: &Store, author: &str) -> Vec<i64> {
    let all = store.audited(0).await.unwrap();
    all.into_iter().filter(|kept| kept.author == author).map(|kept| kept.at).collect()
}
