//! S31: private keys are encrypted in the database, and old databases go on working.

use attache_protocol::secret::Secret;

use super::{Installation, KeyError, State, by, the, token};
use crate::{config::Signing, random::Random};

fn other() -> Secret {
    Secret::new("another secret of at least 32 characters".to_owned())
}

#[tokio::test]
async fn s31_no_private_key_is_in_the_database_in_clear() {
    for signing in [Signing::EdDsa, Signing::Es256] {
        let installation = Installation::with(|embedded| embedded.signing = signing);
        drop(installation.start(7, 0).await.unwrap());
        // The dice of the first start, thrown again: two private keys, each followed by its nonce.
        let random = Random::seeded(7);
        let drawn: Vec<[u8; 32]> = (0..2)
            .map(|_| {
                let private = random.bytes::<32>();
                let _nonce = random.bytes::<24>();
                private
            })
            .collect();
        for file in ["attache.db", "attache.db-wal"] {
            let bytes = std::fs::read(installation.folder.path().join(file)).unwrap_or_default();
            for private in &drawn {
                assert!(!bytes.windows(32).any(|window| window == private), "{file}");
            }
        }
    }
}

#[tokio::test]
async fn s31_a_key_that_an_older_version_kept_in_clear_goes_on_and_is_encrypted() {
    let installation = Installation::new();
    let before = installation.start(7, 0).await.unwrap();
    let signed = token(&before.ring().await.unwrap());
    let kid = the(State::Current, &before.stored().await.unwrap());
    let private = Random::seeded(7).bytes::<32>();
    let keeper = installation.keeper(8).await;
    let mut transaction = keeper.store.write().await.unwrap();
    // As version 1 of the schema has it.
    sqlx::query("DELETE FROM signing_keys WHERE state = 'next'")
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("UPDATE signing_keys SET private_key = $1, sealed_by = NULL WHERE kid = $2")
        .bind(private.as_slice())
        .bind(&kid)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();

    let after = installation.start(9, 0).await.unwrap();
    assert!(after.ring().await.unwrap().verify(&signed).is_some());
    let stored = after.stored().await.unwrap();
    assert_eq!(the(State::Current, &stored), kid);
    assert!(stored.iter().all(|key| key.sealed_by.is_some()));
    assert!(stored.iter().all(|key| *key.private_key.reveal() != private));
}

#[tokio::test]
async fn s31_the_wrong_secret_is_a_clear_error_and_the_operator_can_go_on() {
    let mut installation = Installation::new();
    let keys = installation.start(1, 0).await.unwrap().stored().await.unwrap();
    installation.config.service.secret = other();
    let refused = installation.start(2, 0).await.unwrap_err();
    let current = the(State::Current, &keys);
    assert!(matches!(&refused, KeyError::OtherSecret(kid) if *kid == current), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("key_encryption_secret") && said.contains("authsvc key revoke"));

    let operator = installation.keeper(3).await;
    for key in &keys {
        operator.revoke(&key.kid, &by(0)).await.unwrap();
    }
    installation.start(4, 0).await.unwrap();
}

#[tokio::test]
async fn s31_a_secret_of_its_own_takes_over_from_the_shared_one() {
    let mut installation = Installation::new();
    let shared = installation.start(1, 0).await.unwrap();
    let signed = token(&shared.ring().await.unwrap());
    installation.config.authorization.key_encryption_secret = Some(other());
    let own = installation.start(2, 0).await.unwrap();
    // A process that was started before goes on with the keys that it has opened.
    token(&shared.ring().await.unwrap());
    drop(own);
    installation.config.service.secret =
        Secret::new("yet another secret of 32 characters or more".to_owned());
    let own = installation.ring(3, 0).await;
    assert!(own.verify(&signed).is_some());
}

#[tokio::test]
async fn a_key_that_is_not_what_its_kid_says_is_refused() {
    let installation = Installation::new();
    let keeper = installation.keeper(1).await;
    keeper.tick(0).await.unwrap();
    let mut transaction = keeper.store.write().await.unwrap();
    sqlx::query("UPDATE signing_keys SET private_key = $1, sealed_by = NULL")
        .bind([7_u8; 32].as_slice())
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(matches!(installation.start(2, 0).await, Err(KeyError::Broken(_))));
}
