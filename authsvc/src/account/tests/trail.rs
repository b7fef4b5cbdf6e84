//! What users do to what is theirs is in the audit trail.

use serde_json::json;

use super::{
    LOOPBACK, LOOPBACK_REDIRECT, NEW, SECOND, WEB, WEB_REDIRECT, account, apart::token, bench,
    change, connect, order,
};
use crate::{
    authorization::tests::browser::Browser,
    store::audit::Kept,
    testing::{Bench, EMAIL, PASSWORD, form, user},
};

/// The entries of this kind of author, oldest first.
async fn trail(bench: &Bench, author: &str) -> Vec<Kept> {
    let all = bench.app.store.audited(1).await.unwrap();
    all.into_iter().filter(|kept| kept.author == author).collect()
}

#[tokio::test]
async fn what_users_end_and_change_is_in_the_audit_trail() {
    let bench = bench().await;
    let made = token(&bench, SECOND, Some("ci")).await;
    let mut browser = Browser::new(&bench);
    connect(&mut browser, SECOND, (WEB, WEB_REDIRECT)).await;
    connect(&mut browser, SECOND, (LOOPBACK, LOOPBACK_REDIRECT)).await;
    let page = account(&mut browser, SECOND).await;
    let sub = user(&bench, SECOND).id;
    let credential = bench.app.users().by_sub(&sub).await.unwrap().unwrap().credential();
    let held = bench.app.store.held(&sub, &credential, 0).await.unwrap();
    let grant = &held.iter().find(|held| held.client_id == WEB).unwrap().id;
    for fields in [
        &[("order", "end_connection"), ("grant", grant)][..],
        &[("order", "end_connection"), ("grant", "of nobody")],
        &[("order", "end_token"), ("token", &made.kept.id)],
        &[("order", "end"), ("client", "unknown")],
        &[("order", "end"), ("client", LOOPBACK)],
        &[("order", "end_all")],
    ] {
        order(&mut browser, &page, fields).await;
    }
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    let page = browser.follow(answer).await;
    order(&mut browser, &page, &[("order", "sign_out_everywhere")]).await;

    let trail = trail(&bench, "user").await;
    let told: Vec<_> =
        trail.iter().map(|kept| (kept.action.as_str(), json!(kept.details))).collect();
    let expected = [
        ("grant.end", json!({ "client": WEB })),
        ("token.revoke", json!({ "user": SECOND })),
        ("access.end", json!({ "client": LOOPBACK, "grants": 1 })),
        ("access.end", json!({ "grants": 0 })),
        ("user.password", json!({ "grants": 0 })),
        ("sessions.end", json!({ "sessions": 1 })),
    ];
    assert_eq!(told, expected, "and nothing of what changed nothing");
    for kept in &trail {
        assert_eq!(kept.author_id.as_deref(), Some(sub.as_str()));
        assert_eq!(kept.author_name.as_deref(), Some(SECOND));
        assert_eq!(kept.address.as_deref(), Some("0.0.0.0"));
        assert_eq!(kept.request_id.as_ref().map(String::len), Some(22));
    }
    let all = format!("{:?}", bench.app.store.audited(0).await.unwrap());
    let secrets = [PASSWORD, NEW, made.token.reveal(), "argon2"];
    assert!(secrets.iter().all(|secret| !all.contains(secret)), "{all}");
}

#[tokio::test]
async fn a_client_that_gives_back_what_it_has_is_in_the_audit_trail() {
    let bench = bench().await;
    let refresh = connect(&mut Browser::new(&bench), EMAIL, (WEB, WEB_REDIRECT)).await;
    for _ in 0..2 {
        let fields = [("token", refresh.as_str()), ("client_id", WEB)];
        bench.public(form("/oauth/revoke", &fields)).await;
    }
    let trail = trail(&bench, "client").await;
    let [kept] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!((kept.action.as_str(), kept.author_id.as_deref()), ("grant.end", Some(WEB)));
}

#[tokio::test]
async fn logins_that_fail_or_have_to_wait_are_in_the_audit_trail() {
    let bench = bench().await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get("/account").await;
    let page = browser.follow(answer).await;
    let wrong = "a password in the wrong place";
    for (email, times) in [(EMAIL, 9), (wrong, 1)] {
        for _ in 0..times {
            let fields = [("email", email), ("password", "wrong")];
            browser.submit(&page, "/oauth/login", &fields).await;
        }
    }
    let trail = trail(&bench, "nobody").await;
    let told: Vec<_> =
        trail.iter().map(|kept| (kept.action.as_str(), kept.target_name.as_deref())).collect();
    let failed = ("login.failed", Some(EMAIL));
    let throttled = ("login.throttled", None);
    let unknown = ("login.failed", None);
    assert_eq!(told, [failed, failed, failed, failed, failed, throttled, unknown]);
    assert!(!format!("{trail:?}").contains(wrong), "{trail:?}");
}
