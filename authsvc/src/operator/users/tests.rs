//! Users, as the operator sees and changes them.

use std::time::Duration;

use attache_protocol::secret::Secret;

use super::Email;
use crate::{
    operator::{Operator, tests::operator},
    personal_token::Order,
    store::accounts::Account,
    testing::{Bench, EMAIL, PASSWORD, entry},
    users::email::Whom,
};

async fn listed(operator: &Operator, email: &str) -> String {
    let listed = operator.users().await.unwrap();
    listed.lines().find(|line| line.starts_with(email)).unwrap_or_default().to_owned()
}

fn second() -> Email {
    Email::parse("Second@example.com").unwrap()
}

fn ask() -> anyhow::Result<Secret> {
    Ok(Secret::new(PASSWORD.to_owned()))
}

#[tokio::test]
async fn users_are_listed() {
    let bench = Bench::new().await;
    let line = listed(&operator(&bench).await, EMAIL).await;
    assert!(
        line.contains("  configuration  active  0       -           0     -")
            && line.ends_with("Developers")
    );
}

#[tokio::test]
async fn a_user_is_added_changed_disabled_enabled_and_removed() {
    let bench = Bench::new().await;
    let operator = operator(&bench).await;
    let (email, users) = (second(), bench.app.users());
    let found = async || users.by_email("second@example.com").await.unwrap();
    operator.add_user(&email, vec!["guests".to_owned()], ask).await.unwrap();
    let line = listed(&operator, "second@example.com").await;
    assert!(line.contains("database       active") && line.ends_with("guests"), "{line}");
    let first = found().await.unwrap().credential();

    let said = operator.change_password(&email.clone().into(), ask).await.unwrap();
    assert!(said.contains("another password; their sessions have ended, and 0 grants"), "{said}");
    assert_ne!(found().await.unwrap().credential(), first);
    let said = operator.disable_user(&email).await.unwrap();
    assert!(said.contains("is disabled; "), "{said}");
    let line = listed(&operator, "second@example.com").await;
    assert!(line.contains("disabled 2026-09-21T14:13:20Z") && found().await.is_none());
    let again = operator.disable_user(&email).await.unwrap();
    assert_eq!(again, "second@example.com was disabled before\n");
    operator.enable_user(&email).await.unwrap();
    assert!(found().await.is_some());
    operator.remove_user(&email).await.unwrap();
    assert!(found().await.is_none() && listed(&operator, "second").await.is_empty());
}

#[tokio::test]
async fn what_becomes_of_a_users_tokens_is_said() {
    let bench = Bench::new().await;
    let operator = operator(&bench).await;
    let email = second();
    operator.add_user(&email, Vec::new(), ask).await.unwrap();
    let order = Order {
        email: email.to_string(),
        scopes: Vec::new(),
        resources: Vec::new(),
        life: Duration::from_hours(1),
        name: None,
    };
    operator.make_token(&order).await.unwrap();
    let gone = operator.make_token(&order).await.unwrap().kept.id;
    operator.revoke_token(&gone).await.unwrap();
    let line = listed(&operator, "second@example.com").await;
    assert!(line.contains("active  0       -           1     2026-09-21T"), "{line}");

    let said = operator.change_password(&email.clone().into(), ask).await.unwrap();
    assert!(said.ends_with("; 1 personal access token goes on: `authsvc token list --user second@example.com` names them, `authsvc token revoke ID` ends one\n"), "{said}");
    operator.make_token(&order).await.unwrap();
    let said = operator.disable_user(&email).await.unwrap();
    let rest = "; 2 personal access tokens rest until `authsvc user enable second@example.com`\n";
    assert!(said.ends_with(rest), "{said}");
    let said = operator.enable_user(&email).await.unwrap();
    assert!(said.contains("; 2 personal access tokens live again: "), "{said}");
    let said = operator.remove_user(&email).await.unwrap();
    assert!(said.ends_with("; 2 personal access tokens revoked\n"), "{said}");
    let tokens = operator.tokens(None).await.unwrap();
    assert_eq!(tokens.matches("revoked 2026").count(), 3, "{tokens}");
}

#[tokio::test]
async fn who_is_not_in_the_database_is_not_changed() {
    let bench = Bench::new().await;
    let operator = operator(&bench).await;
    let configured = Email::parse(EMAIL).unwrap();
    for said in [
        operator.add_user(&configured, Vec::new(), ask).await,
        operator.change_password(&configured.clone().into(), ask).await,
        operator.disable_user(&configured).await,
        operator.enable_user(&configured).await,
        operator.remove_user(&configured).await,
    ] {
        let said = said.unwrap_err().to_string();
        assert!(said.contains("of the configuration: change or remove them there"), "{said}");
    }
    let said = operator.disable_user(&second()).await.unwrap_err().to_string();
    assert!(said.contains("`authsvc user list` names them"), "{said}");
    operator.add_user(&second(), Vec::new(), ask).await.unwrap();
    let asked = || anyhow::bail!("it asks for a password before it looks");
    let said = operator.add_user(&second(), Vec::new(), asked).await.unwrap_err();
    assert!(said.to_string().contains("is a user already"), "{said}");
}

#[tokio::test]
async fn a_user_whose_address_is_configured_later_is_hidden_and_can_be_removed() {
    let bench = Bench::new().await;
    let mut twin = crate::testing::user(&bench, EMAIL);
    "elsewhere".clone_into(&mut twin.id);
    bench.app.store.add_user(&twin, entry(0)).await.unwrap();
    let operator = operator(&bench).await;
    assert!(operator.users().await.unwrap().contains("hidden by the configuration"));
    let email = Email::parse(EMAIL).unwrap();
    let said = operator.disable_user(&email).await.unwrap_err().to_string();
    assert!(said.contains("is a user of the configuration"), "{said}");
    let said = operator.remove_user(&email).await.unwrap();
    assert!(said.contains("stays a user of the configuration"), "{said}");
    assert!(!operator.users().await.unwrap().contains("hidden by the configuration"));
}

/// `jane@example.com`, at a provider.
fn account() -> Account {
    Account {
        id: format!("-{}", "x".repeat(42)),
        provider: "acme".to_owned(),
        issuer: "https://acme.example".to_owned(),
        subject: "1".to_owned(),
        email: Some("jane@example.com".to_owned()),
        name: None,
        groups: vec!["theirs".to_owned()],
        created_at: 1,
        seen_at: 1,
        disabled_at: None,
        epoch: 0,
    }
}

#[tokio::test]
async fn what_an_account_at_a_provider_does_not_have_is_said_to_be_there() {
    let bench = Bench::new().await;
    let operator = operator(&bench).await;
    let account = bench.app.store.log_in_account(&account()).await.unwrap();
    let jane = Email::parse("jane@example.com").unwrap();
    for whom in [Whom::from(jane.clone()), Whom::Account(account.id)] {
        let said = operator.change_groups(&whom, &[]).await.unwrap_err().to_string();
        assert_eq!(said, format!("{whom} is an account at acme: its groups come from there"));
        let said = operator.change_password(&whom, ask).await.unwrap_err().to_string();
        assert_eq!(said, format!("{whom} is an account at acme: its password is kept there"));
    }
    let none = "jane@example.com is an account at acme: it has no personal access tokens, which are for users of this gateway itself";
    let order = Order {
        email: jane.to_string(),
        scopes: Vec::new(),
        resources: Vec::new(),
        life: Duration::from_hours(1),
        name: None,
    };
    assert_eq!(operator.make_token(&order).await.unwrap_err().to_string(), none);
    assert_eq!(operator.tokens(Some(&jane)).await.unwrap_err().to_string(), none);

    // A user with the same address is meant before it.
    operator.add_user(&jane, Vec::new(), ask).await.unwrap();
    operator.change_groups(&jane.clone().into(), &["ours".to_owned()]).await.unwrap();
    operator.make_token(&order).await.unwrap();
    let user = bench.app.store.user_with_email(jane.as_str()).await.unwrap().unwrap();
    operator.change_groups(&Whom::Account(user.id.clone()), &[]).await.unwrap();
    let user = bench.app.store.user(&user.id).await.unwrap().unwrap();
    assert!(user.groups.is_empty(), "{:?}", user.groups);
    let nobody = Whom::Account("x".repeat(43));
    let said = operator.change_groups(&nobody, &[]).await.unwrap_err().to_string();
    assert!(said.contains("there is nobody with the subject xxx"), "{said}");
}
