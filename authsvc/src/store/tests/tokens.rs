//! Clients, codes, refresh tokens, keys, requests.

use attache_protocol::secret::Secret;

use super::{NOW, Place, at_once, entry, on_both};
use crate::{
    authorization::{
        answer::{Destination, RedirectUriOrigin},
        interaction::{Interaction, Wanted},
        request::Asked,
    },
    store::{
        Store,
        clients::{AuthMethod, Client, Identity, MAX_UNUSED},
        codes::{Code, Granted, Redemption},
        grants::{NewGrant, Rotation, Successor, Verdict},
        keys::{SigningKey, State, Succession},
    },
};

on_both!(
    a_code_is_taken_once_however_many_try,
    of_uses_at_the_same_time_each_knows_its_place,
    a_family_ends_for_all,
    of_many_that_start_one_makes_the_key,
    of_many_that_rotate_one_does,
    a_key_is_sealed_for_all,
    a_key_is_revoked_for_all_and_the_next_one_signs,
    a_key_is_forgotten_only_in_the_state_that_was_meant,
    the_same_registration_is_the_same_client,
    clients_that_nobody_used_make_room_for_many_at_once,
    a_client_is_changed_with_the_token_of_its_registration,
    who_has_access_is_counted,
    a_client_is_removed_once_and_its_grants_end,
    what_is_registered_comes_back_as_it_was,
    no_text_of_a_stranger_is_too_strange,
    consents_at_the_same_time_are_all_kept,
    what_is_dead_is_forgotten_by_all_at_once,
);

pub(super) const CODE: [u8; 32] = [0xc0; 32];
pub(super) const FIRST: [u8; 32] = [0xf1; 32];

fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: Some("Ein Client ☃".to_owned()),
        redirect_uris: vec!["http://127.0.0.1:1/\u{0}\"".to_owned()],
        auth_method: AuthMethod::None,
        secret: None,
        management: None,
        created_at: NOW,
    }
}

pub(super) fn code() -> Code {
    Code {
        granted: Granted {
            client_id: "client".to_owned(),
            resources: vec!["http://localhost:8080/everything/mcp".to_owned()],
            scope: "mcp offline_access".to_owned(),
            sub: "sub".to_owned(),
            email: Some("admin@example.com".to_owned()),
            groups: vec!["staff".to_owned()],
            auth_time: NOW,
            credential: vec![7; 32],
        },
        redirect_uri: "http://127.0.0.1:33418/callback".to_owned(),
        redirect_uri_sent: true,
        code_challenge: "challenge".to_owned(),
        provider_tokens: None,
        expires_at: NOW + 60,
    }
}

pub(super) fn grant(number: u8) -> NewGrant {
    NewGrant {
        id: format!("grant-{number}"),
        refresh: FIRST.to_vec(),
        refresh_expires_at: NOW + 1000,
        expires_at: NOW + 5000,
        provider: None,
    }
}

fn interaction() -> Interaction {
    let destination = Destination {
        redirect_uri: "http://127.0.0.1:33418/callback".to_owned(),
        origin: RedirectUriOrigin::Request,
        state: Some("\0".to_owned()),
    };
    let asked = Asked {
        client_id: "client".to_owned(),
        destination,
        code_challenge: "challenge".to_owned(),
        resources: Vec::new(),
        scopes: Vec::new(),
        prompt: Vec::new(),
    };
    let (id, browser) = (vec![1; 32], vec![2; 32]);
    Interaction {
        id,
        browser,
        wanted: Wanted::Authorization(asked),
        session: None,
        expires_at: NOW + 600,
        answered_at: None,
        agreed_at: None,
    }
}

/// A grant whose first refresh token is [`FIRST`].
pub(super) async fn granted(store: &Store) {
    store.create_code(&CODE, &code(), NOW).await.unwrap();
    let redeemed = store.redeem_code(&CODE, NOW, |_| Ok::<_, ()>(grant(0))).await.unwrap();
    assert_eq!(redeemed, Redemption::Granted(code().granted));
}

async fn a_code_is_taken_once_however_many_try(place: Place) {
    place.open().await.create_code(&CODE, &code(), NOW).await.unwrap();
    let all = at_once(&place, 6, |number, store| async move {
        store.redeem_code(&CODE, NOW, |_| Ok::<_, ()>(grant(number))).await.unwrap()
    })
    .await;
    let taken = all.iter().filter(|one| matches!(one, Redemption::Granted(_))).count();
    let replayed = all.iter().filter(|one| matches!(one, Redemption::Replayed)).count();
    assert_eq!((taken, replayed), (1, 5), "{all:?}");

    let mut ended = None;
    let store = place.open().await;
    let judged = store.rotate(&FIRST, NOW * 1000, |presented| {
        ended = presented.family_ended_at;
        Verdict::Refuse(())
    });
    assert_eq!(judged.await.unwrap(), Rotation::Refused(()));
    assert_eq!(ended, Some(NOW), "what came of the code has ended");
}

async fn of_uses_at_the_same_time_each_knows_its_place(place: Place) {
    granted(&place.open().await).await;
    let mut uses = at_once(&place, 6, |number, store| async move {
        let mut seen = None;
        let judge = |presented: &crate::store::grants::Presented| {
            seen = Some((presented.uses, presented.first_used_ms));
            Verdict::<()>::Rotate(Successor { refresh: vec![number; 32], expires_at: NOW + 1000 })
        };
        let now_ms = NOW * 1000 + i64::from(number);
        let rotated = store.rotate(&FIRST, now_ms, judge).await.unwrap();
        assert!(matches!(rotated, Rotation::Rotated(of) if of.granted == code().granted));
        seen.unwrap()
    })
    .await;
    uses.sort_unstable();
    let places: Vec<i64> = uses.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    assert!(uses.iter().all(|(_, first_ms)| *first_ms == uses[0].1), "{uses:?}");
    let store = place.open().await;
    for number in 0..6_u8 {
        let judge = |_: &_| Verdict::Refuse("known");
        let next = store.rotate(&[number; 32], NOW * 1000, judge).await.unwrap();
        assert_eq!(next, Rotation::Refused("known"), "each successor is there");
    }
}

async fn a_family_ends_for_all(place: Place) {
    let store = place.open().await;
    granted(&store).await;
    let refused = store.rotate(&FIRST, NOW * 1000, |_| Verdict::Refuse(1)).await.unwrap();
    assert_eq!(refused, Rotation::Refused(1));
    let ended = store.rotate(&FIRST, NOW * 1000, |presented| {
        assert_eq!(presented.uses, 1, "what was refused was not counted");
        Verdict::EndFamily(2)
    });
    assert_eq!(ended.await.unwrap(), Rotation::Refused(2));
    let elsewhere = place.open().await;
    let again = elsewhere.rotate(&FIRST, NOW * 1000, |presented| {
        assert_eq!(presented.family_ended_at, Some(NOW));
        Verdict::Refuse(3)
    });
    assert_eq!(again.await.unwrap(), Rotation::Refused(3));
    let unknown = store.rotate(&[0; 32], NOW * 1000, |_| Verdict::Refuse(())).await.unwrap();
    assert_eq!(unknown, Rotation::Unknown);
}

fn key(number: u8, state: State) -> SigningKey {
    SigningKey {
        kid: format!("kid-{number}"),
        algorithm: "EdDSA".to_owned(),
        private_key: Secret::new(vec![number; 32]),
        sealed_by: None,
        state,
        since: NOW,
        token_life: 3600,
    }
}

async fn of_many_that_start_one_makes_the_key(place: Place) {
    let seen = at_once(&place, 6, |number, store| async move {
        store.introduce_signing_key(&key(number, State::Current)).await.unwrap();
        let keys = store.signing_keys().await.unwrap();
        keys.iter()
            .map(|key| (key.kid.clone(), key.private_key.reveal().clone()))
            .collect::<Vec<_>>()
    })
    .await;
    assert_eq!(seen[0].len(), 1);
    assert!(seen.iter().all(|keys| *keys == seen[0]), "{seen:?}");
}

async fn of_many_that_rotate_one_does(place: Place) {
    let store = place.open().await;
    for key in [key(100, State::Current), key(101, State::Next)] {
        assert!(store.introduce_signing_key(&key).await.unwrap());
        assert!(!store.introduce_signing_key(&key).await.unwrap());
    }
    let done = at_once(&place, 6, |number, store| async move {
        let next = key(number, State::Next);
        let succession = Succession { from: "kid-100", to: "kid-101", next: &next };
        store.succeed_signing_key(succession, entry(NOW + 1)).await.unwrap()
    })
    .await;
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    let states: Vec<State> =
        store.signing_keys().await.unwrap().iter().map(|key| key.state).collect();
    assert_eq!(states, [State::Current, State::Next, State::Retired]);
}

async fn introduced(place: &Place) -> Store {
    let store = place.open().await;
    for key in [key(1, State::Current), key(2, State::Next)] {
        store.introduce_signing_key(&key).await.unwrap();
    }
    store
}

async fn a_key_is_sealed_for_all(place: Place) {
    let store = introduced(&place).await;
    let sealed = SigningKey {
        private_key: Secret::new((0..=255).collect()),
        sealed_by: Some("service.secret".to_owned()),
        token_life: 7200,
        ..key(1, State::Current)
    };
    store.reseal_signing_key(&sealed).await.unwrap();
    store.lengthen_token_life("kid-1", 7200).await.unwrap();
    store.lengthen_token_life("kid-1", 60).await.unwrap();
    assert_eq!(place.open().await.signing_keys().await.unwrap()[0], sealed);
}

async fn a_key_is_revoked_for_all_and_the_next_one_signs(place: Place) {
    let store = introduced(&place).await;
    let revoked = at_once(&place, 4, |_, store| async move {
        store.revoke_signing_key("kid-1", entry(NOW + 5)).await.unwrap()
    })
    .await;
    assert_eq!(revoked.iter().flatten().collect::<Vec<_>>(), [&State::Current]);
    let kept = place.open().await.signing_keys().await.unwrap();
    assert_eq!(kept, [SigningKey { since: NOW + 5, ..key(2, State::Current) }]);
    assert_eq!(store.revoke_signing_key("\0", entry(NOW)).await.unwrap(), None);
}

async fn a_key_is_forgotten_only_in_the_state_that_was_meant(place: Place) {
    let store = introduced(&place).await;
    let step = (State::Current, State::Retired);
    assert!(store.change_signing_key("kid-1", step, NOW).await.unwrap());
    assert!(!store.forget_signing_key("kid-1", State::Current).await.unwrap());
    assert!(store.forget_signing_key("kid-1", State::Retired).await.unwrap());
}

async fn clients_that_nobody_used_make_room_for_many_at_once(place: Place) {
    at_once(&place, 4, |number, store| async move {
        for one in 0..40 {
            let new = client(&format!("client-{number}-{one}"));
            let kept = store.register_client(&new, Identity::Own).await.unwrap();
            assert_eq!(kept, new);
        }
    })
    .await;
    let store = place.open().await;
    store.register_client(&client("last"), Identity::Own).await.unwrap();
    assert!(store.client("last").await.unwrap().is_some());
    let kept = store.clients(NOW).await.unwrap().len();
    assert_eq!(i64::try_from(kept).unwrap(), MAX_UNUSED);
}

/// A grant to a client that manages its registration with the token `[1; 32]`.
async fn managed(store: &Store) -> Client {
    let managed = Client { management: Some(vec![1; 32]), ..client("client") };
    store.register_client(&managed, Identity::Own).await.unwrap();
    granted(store).await;
    managed
}

async fn a_client_is_changed_with_the_token_of_its_registration(place: Place) {
    let store = place.open().await;
    let mut managed = managed(&store).await;
    managed.name = None;
    assert!(!store.update_client(&managed, &[2; 32], entry(NOW)).await.unwrap());
    assert!(store.update_client(&managed, &[1; 32], entry(NOW)).await.unwrap());
    assert_eq!(store.client("client").await.unwrap(), Some(managed));
}

async fn who_has_access_is_counted(place: Place) {
    let store = place.open().await;
    managed(&store).await;
    let presented = store.as_if_presented(&FIRST, NOW * 1000).await.unwrap().unwrap();
    assert_eq!((presented.uses, presented.first_used_ms), (1, NOW * 1000));
    assert_eq!(store.clients(NOW).await.unwrap()[0].grants, 1);
    let holders = store.holders(NOW).await.unwrap();
    assert_eq!((holders.len(), holders[0].grants, holders[0].last_at), (1, 1, NOW));
}

async fn a_client_is_removed_once_and_its_grants_end(place: Place) {
    let store = place.open().await;
    managed(&store).await;
    let removed = at_once(&place, 4, |_, store| async move {
        store.remove_client("client", entry(NOW)).await.unwrap()
    })
    .await;
    assert_eq!(removed.iter().flatten().collect::<Vec<_>>(), [&1]);
    assert_eq!(store.remove_client("\0", entry(NOW)).await.unwrap(), None);
    let grant = store.grant_of_refresh(&FIRST).await.unwrap().unwrap();
    assert_eq!(grant.ended_at, Some(NOW));
    assert!(!store.end_grant(&grant.id, entry(NOW)).await.unwrap());
    assert_eq!(store.grant("\0").await.unwrap(), None);
}

async fn the_same_registration_is_the_same_client(place: Place) {
    let ids = at_once(&place, 6, |number, store| async move {
        let new = client(&format!("client-{number}"));
        store.register_client(&new, Identity::Shared([7; 32])).await.unwrap().id
    })
    .await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

async fn what_is_registered_comes_back_as_it_was(place: Place) {
    let store = place.open().await;
    let secret = Client {
        auth_method: AuthMethod::Post,
        secret: Some((0..=255).collect()),
        management: Some((0..=255).rev().collect()),
        name: None,
        created_at: i64::MAX,
        ..client("with a secret")
    };
    for new in [client("public"), secret] {
        let kept = store.register_client(&new, Identity::Own).await.unwrap();
        assert_eq!(kept, new);
        assert_eq!(store.client(&new.id).await.unwrap(), Some(new));
    }
}

async fn no_text_of_a_stranger_is_too_strange(place: Place) {
    let store = place.open().await;
    for id in ["", "\0", "a\0b", "'; DROP TABLE clients; --", "\u{10ffff}", "%", "$1"] {
        assert_eq!(store.client(id).await.unwrap(), None, "{id:?}");
    }
}

async fn consents_at_the_same_time_are_all_kept(place: Place) {
    let parties =
        crate::store::consents::Parties { sub: "sub", client_id: "client", redirect_host: "host" };
    at_once(&place, 4, |number, store| async move {
        let mut resources: Vec<String> = (0..20).map(|n| format!("http://localhost/{n}")).collect();
        if number % 2 == 1 {
            resources.reverse();
        }
        let scopes = ["b".to_owned(), "a".to_owned()];
        store.remember_consent(parties, &resources, &scopes, NOW).await.unwrap();
    })
    .await;
    let store = place.open().await;
    let kept = store.consents(parties).await.unwrap();
    assert_eq!(kept.len(), 20);
    assert!(kept.iter().all(|one| one.scopes == ["a", "b"]));
    assert!(store.agreed_before(None, "client", "host").await.unwrap());
    assert!(store.agreed_before(Some("sub"), "client", "host").await.unwrap());
    assert!(!store.agreed_before(Some("other"), "client", "host").await.unwrap());
}

async fn what_is_dead_is_forgotten_by_all_at_once(place: Place) {
    let store = place.open().await;
    for number in 0..50_u8 {
        let dead = Interaction { id: vec![number; 32], expires_at: NOW - 10_000, ..interaction() };
        store.begin_interaction(&dead, NOW - 20_000).await.unwrap();
        store.register_client(&client(&number.to_string()), Identity::Own).await.unwrap();
    }
    let forgotten = at_once(&place, 4, |number, store| async move {
        let new = Interaction { id: vec![100 + number; 32], ..interaction() };
        store.begin_interaction(&new, NOW).await.unwrap();
        let answered = store.answer_interaction(&new.id, NOW).await.unwrap();
        assert!(answered && !store.answer_interaction(&new.id, NOW).await.unwrap());
        store.forget_grants(NOW).await.unwrap();
        store.forget_clients(NOW + 1, NOW - 1, NOW).await.unwrap()
    })
    .await;
    assert_eq!(forgotten.iter().sum::<u64>(), 50, "each by one: {forgotten:?}");
    assert_eq!(store.interaction(&[0; 32]).await.unwrap(), None);
    assert!(store.interaction(&[100; 32]).await.unwrap().is_some());
}
