//! What becomes of codes and tokens when whoever granted them may not log in any more, or has another password.

use attache_protocol::secret::Secret;

use super::{BAD, Flow, invalid, refresh_token};
use crate::{
    config::Config,
    store::{
        codes::Code,
        users::{Change, Ended, User},
    },
    testing::{self, embedded, entry},
};

const EMAIL: &str = "second@example.com";

/// A flow, and a user of its database.
async fn flow() -> (Flow, User) {
    let flow = Flow::public().await;
    let user = testing::user(&flow.bench, EMAIL);
    assert!(flow.bench.app.store.add_user(&user, entry(0)).await.unwrap());
    (flow, user)
}

impl Flow {
    /// A code that the user of the database granted.
    async fn code_of(&self, user: &User) -> String {
        let member = self.bench.app.users().by_sub(&user.id).await.unwrap().unwrap();
        let change = |code: &mut Code| {
            code.granted.sub.clone_from(&member.sub);
            code.granted.credential = member.credential();
        };
        self.code(change).await
    }

    async fn change(&self, user: &User, change: Change<'_>) -> Option<Ended> {
        let now = self.bench.app.clock.now_unix();
        self.bench.app.store.change_user(&user.id, change, entry(now)).await.unwrap()
    }

    /// As after a restart with another configuration.
    fn restarted(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.bench.app.config).clone();
        change(&mut config);
        self.bench.app.config = config.into();
        self
    }
}

#[tokio::test]
async fn s48_a_user_of_the_database_grants_as_one_of_the_configuration_does() {
    let (flow, user) = flow().await;
    let code = flow.code_of(&user).await;
    let answer = flow.redeem(&code, &[]).await;
    let answer = flow.refresh(&refresh_token(&answer), &[]).await;
    let claims = super::claims(&answer);
    assert_eq!((&claims["sub"], &claims["email"]), (&user.id.into(), &EMAIL.into()));
    assert_eq!(claims["groups"], serde_json::json!(["Guests"]));
}

#[tokio::test]
async fn s48_whatever_ends_a_user_ends_codes_and_grants_at_once_and_for_good() {
    let new = Secret::new("$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWE".to_owned());
    let (flow, user) = flow().await;
    let from = &user.password_hash.clone();
    for change in [Change::Disabled, Change::Password { from, to: &new }, Change::Removed] {
        let waiting = flow.code_of(&user).await;
        let code = flow.code_of(&user).await;
        let answer = flow.redeem(&code, &[]).await;
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        let refresh = refresh_token(&answer);
        assert!(flow.is_active(&access).await && flow.is_active(&refresh).await);

        assert_eq!(
            flow.change(&user, change).await,
            Some(Ended { grants: 1, tokens: 0 }),
            "{change:?}"
        );
        for again in [false, true] {
            invalid(&flow.redeem(&waiting, &[]).await, BAD, "invalid_grant");
            flow.refresh_is_dead(&refresh).await;
            assert!(!flow.is_active(&access).await && !flow.is_active(&refresh).await);
            if !again {
                // What comes back does not bring anything back.
                let store = &flow.bench.app.store;
                assert!(
                    store.enable_user(&user.id, entry(0)).await.unwrap() || change_keeps(change)
                );
                let _added = store.add_user(&user, entry(0)).await.unwrap();
            }
        }
    }
}

const fn change_keeps(change: Change<'_>) -> bool {
    !matches!(change, Change::Disabled)
}

/// Who redeems a code while its user is disabled may be faster than the end of their grants.
#[tokio::test]
async fn s48_a_grant_that_was_missed_when_its_user_ended_is_dead_as_well() {
    let (flow, user) = flow().await;
    let code = flow.code_of(&user).await;
    let refresh = refresh_token(&flow.redeem(&code, &[]).await);
    let mut transaction = flow.bench.app.store.write().await.unwrap();
    sqlx::query("UPDATE users SET epoch = epoch + 1").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    flow.refresh_is_dead(&refresh).await;
    assert!(!flow.is_active(&refresh).await);
}

#[tokio::test]
async fn s48_another_password_in_the_configuration_ends_codes_and_grants() {
    let flow = Flow::public().await;
    let waiting = flow.code(|_code| ()).await;
    let (access, refresh) = flow.tokens().await;
    let flow = flow.restarted(|config| {
        let embedded = embedded(config);
        embedded.users[0].groups.clear();
    });
    assert!(flow.is_active(&refresh).await, "groups are no password");
    let flow = flow.restarted(|config| {
        let embedded = embedded(config);
        embedded.users[0].password_hash = Secret::new("$argon2id$another".to_owned());
    });
    assert!(!flow.is_active(&access).await && !flow.is_active(&refresh).await);
    flow.refresh_is_dead(&refresh).await;
    invalid(&flow.redeem(&waiting, &[]).await, BAD, "invalid_grant");
}

#[tokio::test]
async fn s48_a_grant_of_before_passwords_were_noted_is_nobodys() {
    let flow = Flow::public().await;
    let code = flow.code(|code| code.granted.credential.clear()).await;
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
}
