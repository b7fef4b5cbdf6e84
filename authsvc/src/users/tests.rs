//! Who may log in, and what is bound to how they did.

use argon2::{Argon2, Params, PasswordVerifier as _, password_hash::phc::PasswordHash};
use attache_protocol::secret::Secret;

use super::{Directory, NOBODY, configured, email::Email, members};
use crate::{
    config::Origin,
    store::users::{Change, Ended},
    testing::{Bench, EMAIL, config, embedded, entry, user},
};

#[test]
fn s46_the_hash_of_nobody_costs_as_much_as_the_default_and_has_no_known_password() {
    let params = Params::try_from(&PasswordHash::new(NOBODY).unwrap()).unwrap();
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    assert_eq!(cost(&params), cost(&Params::default()));
    assert!(Argon2::default().verify_password(b"", NOBODY).is_err());
}

/// The one of the configuration costs less here than those of the database.
#[tokio::test]
async fn s46_an_address_of_nobody_costs_as_much_as_that_of_somebody_and_always_the_same() {
    let other = |config: &mut crate::config::Config| {
        config.service.secret = Secret::new("another secret".to_owned());
    };
    let (bench, another) = (Bench::new().await, Bench::with(other).await);
    let cost = |bench: &Bench, email: &str| {
        let hash = bench.app.users().decoy(email);
        Params::try_from(&PasswordHash::new(hash.reveal()).unwrap()).unwrap().m_cost()
    };
    let addresses: Vec<String> = (0..64).map(|number| format!("{number}@example.com")).collect();
    let costs = |bench| -> Vec<u32> { addresses.iter().map(|email| cost(bench, email)).collect() };
    let drawn = costs(&bench);
    assert_eq!(drawn, costs(&bench));
    assert_eq!(cost(&bench, " 7@Example.com"), drawn[7]);
    for kind in [Params::MIN_M_COST, Params::DEFAULT_M_COST] {
        let count = drawn.iter().filter(|cost| **cost == kind).count();
        assert!((16..=48).contains(&count), "{count} of {kind} KiB");
    }
    assert_ne!(drawn, costs(&another), "who does not know the secret cannot say which it is");
}

#[test]
fn a_subject_is_stable_opaque_and_of_one_issuer() {
    let mut config = config();
    let email = Email::parse(" Admin@EXAMPLE.com").unwrap();
    let sub = configured(&config, &email).unwrap().sub;
    assert_eq!(sub, "HDZVNfx4yYD9Oicts7ARoHeg5ORnNV9LwdWZd_THnzk");
    config.public_url = Origin::parse("http://localhost:8090").unwrap();
    assert_ne!(configured(&config, &email).unwrap().sub, sub);
    assert!(configured(&config, &Email::parse("admin@example.co").unwrap()).is_none());
}

#[tokio::test]
async fn a_user_of_the_database_may_log_in_until_they_are_disabled() {
    let bench = Bench::new().await;
    let (store, directory) = (&bench.app.store, bench.app.users());
    let added = user(&bench, "second@example.com");
    assert!(store.add_user(&added, entry(0)).await.unwrap());
    assert!(!store.add_user(&added, entry(0)).await.unwrap(), "an address has one user");
    let member = directory.by_email(" SECOND@example.com").await.unwrap().unwrap();
    assert_eq!(directory.by_sub(&added.id).await.unwrap().unwrap().name, "second@example.com");

    let now = bench.app.clock.now_unix();
    let disabled = store.change_user(&added.id, Change::Disabled, entry(now));
    assert_eq!(disabled.await.unwrap(), Some(Ended::default()));
    assert!(directory.by_email(&added.email).await.unwrap().is_none());
    assert!(directory.by_sub(&added.id).await.unwrap().is_none());
    assert!(store.enable_user(&added.id, entry(0)).await.unwrap());
    let again = directory.by_sub(&added.id).await.unwrap().unwrap();
    assert_ne!(again.credential(), member.credential(), "what was granted before stays dead");
}

#[tokio::test]
async fn of_an_address_in_both_the_configuration_counts() {
    let bench = Bench::with(|config| {
        let embedded = embedded(config);
        embedded.users[0].email = "Admin@example.com".to_owned();
    })
    .await;
    let mut twin = user(&bench, EMAIL);
    // As if it had been added while the gateway had another public URL.
    "another-subject".clone_into(&mut twin.id);
    assert!(bench.app.store.add_user(&twin, entry(0)).await.unwrap());
    let directory = bench.app.users();
    assert_eq!(directory.by_email(EMAIL).await.unwrap().unwrap().name, "Admin@example.com");
    assert!(directory.by_sub(&twin.id).await.unwrap().is_none());
}

#[tokio::test]
async fn it_is_known_whether_anybody_may_log_in() {
    let bench = Bench::with(|config| {
        let embedded = embedded(config);
        embedded.users.clear();
    })
    .await;
    let app = &bench.app;
    let directory = Directory::new(&app.config, &app.store);
    assert_eq!((members(&app.config).count(), directory.has_anybody().await.unwrap()), (0, false));
    app.store.add_user(&user(&bench, EMAIL), entry(0)).await.unwrap();
    assert!(directory.has_anybody().await.unwrap());
}
