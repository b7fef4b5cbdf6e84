//! What is listed and ended apart: each connection, each personal access token.

use std::time::Duration;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    LOOPBACK, LOOPBACK_REDIRECT, NEW, SECOND, WEB, WEB_REDIRECT, account, bench, change, connect,
    order, refresh,
};
use crate::{
    authorization::tests::browser::Browser,
    config::PersonalTokens,
    operator::Operator,
    personal_token::{Made, Order, make},
    store,
    testing::{Answer, Bench, EMAIL, embedded, entry, form, user},
    users::email::Whom,
};

/// The value of every hidden field of this name.
fn values(page: &Answer, name: &str) -> Vec<String> {
    let begin = format!("name=\"{name}\" value=\"");
    let each = page.body.split(&begin).skip(1);
    each.filter_map(|rest| rest.split_once('"').map(|(value, _)| value.to_owned())).collect()
}

/// A token as the operator makes it, for a day.
pub(super) async fn token(bench: &Bench, email: &str, name: Option<&str>) -> Made {
    let order = Order {
        email: email.to_owned(),
        scopes: Vec::new(),
        resources: Vec::new(),
        life: Duration::from_hours(24),
        name: name.map(str::to_owned),
    };
    let member = bench.app.users().by_email(email).await.unwrap();
    let (random, now) = (&bench.app.random, bench.app.clock.now_unix());
    let made = make(&bench.app.config, member.as_ref(), &order, random, now).unwrap();
    let digest = store::digest(made.token.reveal());
    bench.app.store.create_personal_token(&digest, &made.kept, entry(0)).await.unwrap();
    made
}

async fn is_alive(bench: &Bench, made: &Made) -> bool {
    let kept = bench.app.store.personal_token(&store::digest(made.token.reveal())).await.unwrap();
    kept.unwrap().is_alive(bench.app.clock.now_unix())
}

#[tokio::test]
async fn s48_each_connection_of_a_client_is_listed_and_ended_apart() {
    let bench = bench().await;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let mut tokens = Vec::new();
    for port in ["1", "2", "3"] {
        let uri = format!("http://localhost:{port}/callback");
        tokens.push(connect(&mut browser, EMAIL, (LOOPBACK, &uri)).await);
        bench.advance(Duration::from_secs(60));
    }
    let page = account(&mut browser, EMAIL).await;
    let grants = values(&page, "grant");
    assert_eq!((grants.len(), page.body.matches("End this connection").count()), (3, 3));
    for minute in ["14:13", "14:14", "14:15"] {
        assert!(page.body.contains(&format!("since <time datetime=\"2026-09-21T{minute}")));
    }

    // The youngest first, so this is the second of three.
    let theirs = account(&mut other, SECOND).await;
    let stolen = [("order", "end_connection"), ("grant", grants[1].as_str())];
    let answer = order(&mut other, &theirs, &stolen).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/account"));
    let kept = refresh(&bench, LOOPBACK, &tokens[1]).await.unwrap();

    let answer = order(&mut browser, &page, &stolen).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("That connection of Claude Code has ended."), "{page:?}");
    assert!(page.body.contains("(2 connections)") && !page.body.contains(&grants[1]));
    assert_eq!(refresh(&bench, LOOPBACK, &kept).await, None);
    for alive in [&tokens[0], &tokens[2]] {
        refresh(&bench, LOOPBACK, alive).await.unwrap();
    }
    let again = order(&mut browser, &page, &stolen).await;
    assert_eq!(again.header("location"), "/account", "it ended before");
    assert_eq!(order(&mut browser, &page, &stolen[..1]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn s48_personal_tokens_are_listed_and_ended_by_whom_they_stand_for() {
    let bench = bench().await;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let page = account(&mut browser, EMAIL).await;
    assert!(!page.body.contains("Personal access tokens"), "there are none");
    let (named, unnamed) =
        (token(&bench, EMAIL, Some("ci")).await, token(&bench, EMAIL, None).await);
    let of_another = token(&bench, SECOND, Some("theirs")).await;
    let page = account(&mut browser, EMAIL).await;
    for text in [
        "but programs that have a token below can",
        "<bdi class=\"name\">ci</bdi>",
        &format!("<bdi class=\"name\">{}</bdi>", unnamed.kept.id),
        "22 September 2026, 14:13 UTC",
        "<dd>never</dd>",
        "for up to 30 seconds more",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains(named.token.reveal()) && !page.body.contains("theirs"));

    let end = |id| [("order", "end_token"), ("token", id)];
    for id in [of_another.kept.id.as_str(), "unknown"] {
        let answer = order(&mut browser, &page, &end(id)).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/account"));
    }
    assert!(is_alive(&bench, &of_another).await, "only their own");
    let foreign = [&[("csrf", "x")], &end(&named.kept.id)[..]].concat();
    assert_eq!(browser.post("/account", &foreign).await.status, StatusCode::FORBIDDEN);
    assert!(is_alive(&bench, &named).await);
    let answer = order(&mut browser, &page, &end(&named.kept.id)).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("The personal access token ci has ended."), "{page:?}");
    assert!(!is_alive(&bench, &named).await && is_alive(&bench, &unnamed).await);

    account(&mut other, SECOND).await;
    connect(&mut other, SECOND, (WEB, WEB_REDIRECT)).await;
    let page = account(&mut other, SECOND).await;
    let answer = change(&mut other, &page, [crate::testing::PASSWORD, NEW, NEW]).await;
    let page = other.follow(answer).await;
    assert!(page.body.contains("Your personal access token goes on"), "{page:?}");
    bench.advance(Duration::from_hours(24));
    let page = account(&mut browser, EMAIL).await;
    assert!(!page.body.contains("Personal access tokens"), "what has ended is not listed");
}

#[tokio::test]
async fn s48_tokens_that_open_nothing_are_not_listed() {
    let bench = bench().await;
    token(&bench, EMAIL, Some("ci")).await;
    let mut off = bench;
    let mut config = (*off.app.config).clone();
    embedded(&mut config).personal_tokens = PersonalTokens::Off;
    off.app.config = config.into();
    let page = account(&mut Browser::new(&off), EMAIL).await;
    assert!(!page.body.contains("Personal access tokens"), "{page:?}");
}

#[tokio::test]
async fn the_operator_sees_what_one_user_granted_and_ends_it() {
    let bench = bench().await;
    let app = &bench.app;
    let config = (*app.config).clone();
    let operator = Operator::open(config, app.clock.clone(), app.random.clone()).await.unwrap();
    let whom: Whom = SECOND.parse().unwrap();
    let shown = operator.user(&whom).await.unwrap();
    assert!(shown.ends_with("\nno grants\n\nno personal access tokens\n"), "{shown}");

    let mut browser = Browser::new(&bench);
    let first = connect(&mut browser, SECOND, (WEB, WEB_REDIRECT)).await;
    bench.advance(Duration::from_secs(60));
    let second = connect(&mut browser, SECOND, (LOOPBACK, LOOPBACK_REDIRECT)).await;
    let of_another = connect(&mut Browser::new(&bench), EMAIL, (WEB, WEB_REDIRECT)).await;
    let made = token(&bench, SECOND, Some("ci")).await;
    let shown = operator.user(&whom).await.unwrap();
    for text in [
        "user            second@example.com\n",
        "kept in         database\n",
        "groups          Guests\n",
        "password since  2026-09-21T14:13:20Z\n",
        "2026-09-21T14:13:20Z  2026-09-21T14:13:20Z  client.example  http://localhost:8080/everything/mcp  mcp offline_access  Web Client\n",
        "loopback-client  2026-09-21T14:14:20Z",
        "until 2026-09-22T14:14:20Z",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let by_subject: Whom = user(&bench, SECOND).id.parse().unwrap();
    assert_eq!(operator.user(&by_subject).await.unwrap(), shown);

    let said = operator.end_access(&whom, Some(WEB)).await.unwrap();
    assert!(said.starts_with("1 grant has ended that second@example.com gave to web-client, "));
    assert_eq!(refresh(&bench, WEB, &first).await, None);
    refresh(&bench, LOOPBACK, &second).await.unwrap();
    refresh(&bench, WEB, &of_another).await.unwrap();
    let said = operator.end_access(&whom, None).await.unwrap();
    assert!(said.starts_with("1 grant has ended that second@example.com gave, "), "{said}");
    assert!(
        is_alive(&bench, &made).await && browser.get("/account").await.status == StatusCode::OK
    );
    let nobody: Whom = "nobody@example.com".parse().unwrap();
    for said in [operator.user(&nobody).await, operator.end_access(&nobody, None).await] {
        let said = said.unwrap_err().to_string();
        assert_eq!(said, "there is no user nobody@example.com: `authsvc user list` names them");
    }
}

#[tokio::test]
async fn groups_of_a_user_change_and_their_tokens_follow() {
    let bench = bench().await;
    let app = &bench.app;
    let config = (*app.config).clone();
    let operator = Operator::open(config, app.clock.clone(), app.random.clone()).await.unwrap();
    let mut browser = Browser::new(&bench);
    let refresh_token = connect(&mut browser, SECOND, (WEB, WEB_REDIRECT)).await;
    let email: Whom = SECOND.parse().unwrap();
    let groups = ["a".to_owned(), "b".to_owned()];
    let said = operator.change_groups(&email, &groups).await.unwrap();
    assert_eq!(
        said,
        "second@example.com is in a, b: of access tokens this holds from the next refresh on; of personal access tokens within 30 s\n"
    );
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
        ("client_id", WEB),
    ];
    let answer = bench.public(form("/oauth/token", &fields)).await.json();
    let claims = answer["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["groups"], serde_json::json!(["a", "b"]));
    let said = operator.change_groups(&email, &[]).await.unwrap();
    assert!(said.starts_with("second@example.com is in no group any more: "), "{said}");
    let configured: Whom = EMAIL.parse().unwrap();
    let said = operator.change_groups(&configured, &groups).await.unwrap_err().to_string();
    assert!(said.contains("is a user of the configuration"), "{said}");
}
