//! Our clients at Dex.

use super::{
    NOW, Place, at_once, on_both,
    tokens::{grant, granted},
};
use crate::store::{Store, dex::NewDexClient};

on_both!(
    a_client_is_needed_as_long_as_its_grant_lives,
    peers_of_a_resource_come_and_go_with_their_clients,
    one_process_at_a_time_has_a_resource,
    a_lease_that_is_over_is_no_lease,
    of_clients_without_a_grant_the_oldest_are_too_many,
    a_client_that_is_kept_twice_is_one,
);

const ONE: &str = "https://mcp.example.com/one/mcp";
const OTHER: &str = "https://mcp.example.com/other/mcp";

async fn add(store: &Store, id: &str, resources: &[&str]) {
    add_at(store, id, resources, NOW).await;
}

async fn add_at(store: &Store, id: &str, resources: &[&str], now: i64) {
    let resources: Vec<String> = resources.iter().map(|&text| text.to_owned()).collect();
    let new = NewDexClient { id, client_id: "client", resources: &resources };
    store.add_dex_client(new, now).await.unwrap();
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

async fn peers_of_a_resource_come_and_go_with_their_clients(place: Place) {
    let store = place.open().await;
    add(&store, "a", &[ONE, OTHER, ONE]).await;
    add(&store, "b", &[ONE]).await;
    let peers = async |resource| store.dex_peers(resource).await.unwrap();
    assert_eq!((peers(ONE).await, peers(OTHER).await), (texts(&["a", "b"]), texts(&["a"])));
    let resources = store.dex_client_resources("a").await.unwrap().unwrap();
    assert_eq!(resources, [ONE, OTHER]);
    store.forget_dex_client("a").await.unwrap();
    assert_eq!((peers(ONE).await, peers(OTHER).await), (texts(&["b"]), Vec::new()));
    assert_eq!(store.dex_client_resources("a").await.unwrap(), None);
}

async fn one_process_at_a_time_has_a_resource(place: Place) {
    add(&place.open().await, "a", &[ONE]).await;
    let had = at_once(&place, 4, |number, store| async move {
        store.lease_dex_resource(ONE, NOW, NOW + 100 + i64::from(number)).await.unwrap()
    });
    assert_eq!(had.await.into_iter().filter(|had| *had).count(), 1);
}

async fn a_lease_that_is_over_is_no_lease(place: Place) {
    let store = place.open().await;
    add(&store, "a", &[ONE]).await;
    let lease = |now, until| store.lease_dex_resource(ONE, now, until);
    assert!(lease(NOW, NOW + 10).await.unwrap());
    assert!(!lease(NOW + 9, NOW + 20).await.unwrap());
    assert!(lease(NOW + 10, NOW + 20).await.unwrap());
    // Whoever came too late gives back nothing of the next one's.
    store.return_dex_resource(ONE, NOW + 10).await.unwrap();
    assert!(!lease(NOW + 11, NOW + 30).await.unwrap());
    store.return_dex_resource(ONE, NOW + 20).await.unwrap();
    assert!(lease(NOW + 12, NOW + 40).await.unwrap());
}

async fn a_client_is_needed_as_long_as_its_grant_lives(place: Place) {
    let store = place.open().await;
    granted(&store).await;
    add(&store, "abandoned", &[ONE]).await;
    add(&store, "granted", &[ONE]).await;
    store.bind_dex_client("granted", &grant(0).id).await.unwrap();
    let needless = |before, now| store.needless_dex_clients(before, now, 100);
    assert!(needless(NOW, NOW).await.unwrap().is_empty(), "somebody may just be logging in");
    for (now, gone) in [(NOW, &["abandoned"][..]), (NOW + 5000, &["abandoned", "granted"])] {
        assert_eq!(needless(NOW + 1, now).await.unwrap(), gone);
    }
    let abandoned = |before| store.abandoned_dex_clients(before, 100);
    assert!(abandoned(NOW).await.unwrap().is_empty());
    assert_eq!(abandoned(NOW + 1).await.unwrap(), ["abandoned"]);
}

async fn of_clients_without_a_grant_the_oldest_are_too_many(place: Place) {
    let store = place.open().await;
    for (id, now) in [("granted", 0), ("c", 3), ("a", 1), ("b", 2), ("newest", 0)] {
        add_at(&store, id, &[ONE], NOW + now).await;
    }
    store.bind_dex_client("granted", "grant").await.unwrap();
    let surplus = |most| store.surplus_dex_clients("newest", most);
    assert!(surplus(4).await.unwrap().is_empty());
    assert_eq!(surplus(3).await.unwrap(), ["a"]);
    assert_eq!(surplus(2).await.unwrap(), ["a", "b"]);
    for number in 0..10 {
        add_at(&store, &number.to_string(), &[ONE], NOW + 10).await;
    }
    assert_eq!(surplus(1).await.unwrap().len(), 4, "somebody waits");
}

async fn a_client_that_is_kept_twice_is_one(place: Place) {
    let all = at_once(&place, 4, |number, store| async move {
        add_at(&store, "a", &[ONE], NOW + i64::from(number)).await;
    });
    assert_eq!(all.await.len(), 4);
    let store = place.open().await;
    store.bind_dex_client("a", "grant").await.unwrap();
    add_at(&store, "a", &[OTHER], NOW + 5000).await;
    assert_eq!(store.dex_client_resources("a").await.unwrap().unwrap(), [ONE, OTHER]);
    assert!(store.abandoned_dex_clients(NOW + 9999, 9).await.unwrap().is_empty(), "it is granted");
    assert_eq!(store.needless_dex_clients(NOW + 10, NOW, 9).await.unwrap(), ["a"], "it is old");
}
