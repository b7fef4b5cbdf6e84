//! Turns to register at a provider.

use super::{NOW, Place, at_once, on_both};
use crate::store::registering::Registering;

on_both!(a_turn_to_register_is_had_by_one, a_turn_that_is_over_is_no_turn);

const WHAT: Registering<'_> = Registering { issuer: "https://idp.example.com", client_id: "a" };

async fn a_turn_to_register_is_had_by_one(place: Place) {
    let had = at_once(&place, 4, |number, store| async move {
        let until = NOW + 100 + i64::from(number);
        store.take_registering(WHAT, NOW, until).await.unwrap()
    });
    assert_eq!(had.await.into_iter().filter(|had| *had).count(), 1);
    let other = Registering { client_id: "b", ..WHAT };
    assert!(place.open().await.take_registering(other, NOW, NOW + 1).await.unwrap());
}

async fn a_turn_that_is_over_is_no_turn(place: Place) {
    let store = place.open().await;
    let take = |now, until| store.take_registering(WHAT, now, until);
    for (now, until, had) in [(0, 10, true), (9, 20, false), (10, 20, true)] {
        assert_eq!(take(NOW + now, NOW + until).await.unwrap(), had, "{now}");
    }
    // Whoever came too late gives back nothing of the next one's.
    store.end_registering(WHAT, NOW + 10).await.unwrap();
    assert!(!take(NOW + 11, NOW + 30).await.unwrap());
    store.end_registering(WHAT, NOW + 20).await.unwrap();
    assert!(take(NOW + 12, NOW + 40).await.unwrap());
    for (before, gone) in [(40, 0), (41, 1)] {
        assert_eq!(store.forget_registering(NOW + before).await.unwrap(), gone, "{before}");
    }
}
