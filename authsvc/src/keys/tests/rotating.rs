//! S31: of the keys of several processes on one database, one signs, and no token is without its key.

use std::collections::BTreeSet;

use super::{Installation, Ring, State, by, the, token};
use crate::{
    keys::{Haste, Keys, PUBLISHED, Rotated},
    testing::{Bench, entry, get, log::Log},
};

const DAY: i64 = 24 * 3600;

fn kids(ring: &Ring) -> Vec<String> {
    ring.jwks().keys.iter().map(|key| key.kid.clone()).collect()
}

#[tokio::test]
async fn s31_of_processes_that_start_together_one_makes_the_keys() {
    let installation = Installation::new();
    let keepers =
        (installation.keeper(1).await, installation.keeper(2).await, installation.keeper(3).await);
    let (one, two, three) =
        tokio::join!(Keys::open(keepers.0, 0), Keys::open(keepers.1, 0), Keys::open(keepers.2, 0));
    let mut published = BTreeSet::new();
    for keys in [one, two, three] {
        published.insert(kids(&keys.unwrap().ring().await.unwrap()));
    }
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(published.first().unwrap().len(), 2);
}

#[tokio::test]
async fn s31_of_processes_that_rotate_together_one_does() {
    let installation = Installation::new();
    let mut processes = Vec::new();
    for seed in 1..=3 {
        processes.push(installation.start(seed, 0).await.unwrap());
    }
    let [one, two, three] = processes.as_slice() else { panic!() };
    for period in 1..=5 {
        let before = one.stored().await.unwrap();
        let now = period * 90 * DAY;
        let (a, b, c) = tokio::join!(one.tick(now), two.tick(now), three.tick(now));
        a.and(b).and(c).unwrap();
        let after = one.stored().await.unwrap();
        assert_eq!(the(State::Current, &after), the(State::Next, &before));
        assert_eq!(the(State::Retired, &after), the(State::Current, &before));
        // What all three would do now was done.
        for process in &processes {
            process.tick(now).await.unwrap();
        }
        assert_eq!(one.stored().await.unwrap(), after);
    }
}

#[tokio::test]
async fn a_key_that_begins_to_sign_is_named_in_the_log() {
    let log = Log::start();
    let installation = Installation::new();
    let keys = installation.start(77, 0).await.unwrap();
    let next = the(State::Next, &keys.stored().await.unwrap());
    keys.tick(90 * DAY).await.unwrap();
    let lines = log.with(&next);
    let said: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(said.contains(&"a signing key was made, which signs later"), "{said:?}");
    assert!(
        said.iter()
            .any(|said| said
                .starts_with("a signing key signs from now on, and the one before it stays")),
        "{said:?}"
    );
}

#[tokio::test]
async fn s31_a_token_is_good_as_long_as_it_lives_through_a_rotation() {
    let installation = Installation::new();
    let (signing, verifying) =
        (installation.start(1, 0).await.unwrap(), installation.start(2, 0).await.unwrap());
    let before = token(&signing.ring().await.unwrap());
    let known = kids(&verifying.ring().await.unwrap());

    signing.tick(90 * DAY).await.unwrap();
    let after = token(&signing.ring().await.unwrap());
    let ring = verifying.ring().await.unwrap();
    assert!(ring.verify(&before).is_some() && ring.verify(&after).is_some());
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert_ne!(kid(&before), kid(&after));
    assert!(known.contains(&kid(&after)), "it was published before it signed");

    signing.tick(90 * DAY + 3660).await.unwrap();
    assert!(verifying.ring().await.unwrap().verify(&before).is_some());
    signing.tick(90 * DAY + 3661).await.unwrap();
    let ring = verifying.ring().await.unwrap();
    assert!(ring.verify(&before).is_none() && ring.verify(&after).is_some());
}

#[tokio::test]
async fn s31_the_operator_rotates_when_the_next_key_is_known_or_at_once() {
    let installation = Installation::new();
    let keeper = installation.keeper(1).await;
    keeper.tick(1000).await.unwrap();
    let next = the(State::Next, &keeper.keys().await.unwrap());
    let early = keeper.rotate(Haste::Wait, &by(1000 + PUBLISHED - 1)).await.unwrap();
    assert_eq!(early, Rotated::TooEarly(1000 + PUBLISHED));
    let done = keeper.rotate(Haste::Wait, &by(1000 + PUBLISHED)).await.unwrap();
    assert_eq!(done, Rotated::Signs(next));
    let next = the(State::Next, &keeper.keys().await.unwrap());
    assert_eq!(
        keeper.rotate(Haste::Now, &by(1000 + PUBLISHED)).await.unwrap(),
        Rotated::Signs(next)
    );
}

#[tokio::test]
async fn s31_a_revoked_key_is_gone_at_once_and_the_next_one_signs() {
    let installation = Installation::new();
    let serving = installation.start(1, 0).await.unwrap();
    let operator = installation.keeper(2).await;
    let before = token(&serving.ring().await.unwrap());
    let keys = serving.stored().await.unwrap();
    let (current, next) = (the(State::Current, &keys), the(State::Next, &keys));

    assert_eq!(operator.revoke(&current, &by(10)).await.unwrap(), Some(State::Current));
    let ring = serving.ring().await.unwrap();
    assert!(ring.verify(&before).is_none() && !kids(&ring).contains(&current));
    assert!(ring.verify(&token(&ring)).is_some());
    let keys = serving.stored().await.unwrap();
    assert_eq!(the(State::Current, &keys), next);
    assert_eq!(keys.len(), 2, "another next one is there");

    // The next one can be revoked, too, and a retired one; then something else has their place.
    let next = the(State::Next, &keys);
    assert_eq!(operator.revoke(&next, &by(20)).await.unwrap(), Some(State::Next));
    assert_ne!(the(State::Next, &serving.stored().await.unwrap()), next);
    operator.rotate(Haste::Now, &by(30)).await.unwrap();
    let retired = the(State::Retired, &serving.stored().await.unwrap());
    assert_eq!(operator.revoke(&retired, &by(40)).await.unwrap(), Some(State::Retired));
    assert_eq!(serving.stored().await.unwrap().len(), 2);
    assert_eq!(operator.revoke("no such key", &by(50)).await.unwrap(), None);
}

#[tokio::test]
async fn s31_what_is_published_follows_the_database() {
    let bench = Bench::new().await;
    let published = async || bench.public(get("/oauth/jwks.json")).await.json();
    let before = published().await;
    assert_eq!(before["keys"].as_array().unwrap().len(), 2);
    let current = bench.app.keys().unwrap().stored().await.unwrap().swap_remove(0);
    bench.app.store.revoke_signing_key(&current.kid, entry(0)).await.unwrap();
    let after = published().await;
    assert_eq!(after["keys"].as_array().unwrap().len(), 1);
    assert_eq!(after["keys"][0], before["keys"][1]);
    bench.app.store.close().await;
    assert_eq!(bench.public(get("/oauth/jwks.json")).await.status, 503);
}
