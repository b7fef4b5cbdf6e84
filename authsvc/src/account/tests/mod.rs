//! The page as a browser meets it.

mod apart;
mod trail;

use std::time::Duration;

use axum::http::StatusCode;

use super::access::applications;
use crate::{
    authorization::tests::browser::{
        Browser, LOOPBACK, LOOPBACK_REDIRECT, WEB, WEB_REDIRECT, answered, asking, client, hidden,
        register, web,
    },
    store::{access::Agreed, users::User},
    testing::{Answer, Bench, EMAIL, PASSWORD, RESOURCE, entry, form, place::Kind, user},
};

const SESSION: &str = "attache_session_8080";
const SECOND: &str = "second@example.com";
const NEW: &str = "another horse battery staple";
/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn bench() -> Bench {
    let bench = Bench::new().await;
    register(&bench).await;
    bench.app.store.add_user(&user(&bench, SECOND), entry(0)).await.unwrap();
    bench
}

/// Whatever page asks for a login, filled in.
async fn log_in(browser: &mut Browser<'_>, page: &Answer, email: &str, password: &str) -> Answer {
    let fields = [("email", email), ("password", password)];
    let answer = browser.submit(page, "/oauth/login", &fields).await;
    browser.follow(answer).await
}

/// The account page of this user, in a browser that may be logged in.
async fn account(browser: &mut Browser<'_>, email: &str) -> Answer {
    let answer = browser.get("/account").await;
    let page = browser.follow(answer).await;
    if page.body.contains("id=\"sign-in\"") {
        return log_in(browser, &page, email, PASSWORD).await;
    }
    page
}

async fn order(browser: &mut Browser<'_>, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let csrf = hidden(page, "csrf");
    browser.post("/account", &[&[("csrf", csrf.as_str())], fields].concat()).await
}

/// Lets a client in; its refresh token.
async fn connect(browser: &mut Browser<'_>, email: &str, to: (&str, &str)) -> String {
    let request = asking(to.0, to.1, &[("scope", "mcp offline_access")]);
    let answer = browser.get(&crate::authorization::tests::browser::url(&request)).await;
    let mut page = browser.follow(answer).await;
    if page.body.contains("id=\"sign-in\"") {
        page = log_in(browser, &page, email, PASSWORD).await;
    }
    if page.body.contains("id=\"allow\"") {
        page = browser.decide(&page, "allow").await;
    }
    let code = answered(&page, to.1)["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", to.1),
        ("client_id", to.0),
        ("code_verifier", VERIFIER),
    ];
    let answer = browser.bench.public(form("/oauth/token", &fields)).await;
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

/// The token that follows, if the grant lives.
async fn refresh(bench: &Bench, client: &str, token: &str) -> Option<String> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)];
    let answer = bench.public(form("/oauth/token", &fields)).await;
    answer.json()["refresh_token"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn s48_who_is_not_logged_in_logs_in_and_comes_back_to_the_page() {
    let bench = bench().await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get("/account?next=https://evil.example&done=ended&seal=x").await;
    assert!(answer.header("location").starts_with("/oauth/login?interaction="), "{answer:?}");
    let page = browser.follow(answer).await;
    assert!(page.body.contains("To see and end the access"), "{}", page.body);
    let interaction = hidden(&page, "interaction");
    let consent = browser.get(&format!("/oauth/consent?interaction={interaction}")).await;
    assert_eq!(consent.status, StatusCode::BAD_REQUEST, "nothing is asked about");

    let answer = browser.log_in(&page, PASSWORD).await;
    assert_eq!(answer.header("location"), "/account");
    let page = browser.follow(answer).await;
    assert!(page.body.contains(EMAIL) && page.body.contains("No application can act for you"));
    assert!(!page.body.contains("has ended"));
    let again = browser.get(&format!("/oauth/login?interaction={interaction}")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let mut stranger = Browser::new(&bench);
    let answer = stranger.get(&format!("/oauth/login?interaction={interaction}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn s48_the_page_says_what_has_access() {
    let bench = bench().await;
    client(&bench, "hostile", Some("</bdi><script>alert(1)</script>\u{202e}"), &[WEB_REDIRECT])
        .await;
    let mut browser = Browser::new(&bench);
    connect(&mut browser, EMAIL, (WEB, WEB_REDIRECT)).await;
    bench.advance(Duration::from_secs(60));
    connect(&mut browser, EMAIL, ("hostile", WEB_REDIRECT)).await;
    for port in ["1", "2"] {
        let uri = format!("http://localhost:{port}/callback");
        connect(&mut browser, EMAIL, (LOOPBACK, &uri)).await;
    }
    let page = account(&mut browser, EMAIL).await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "Web Client",
        "client.example",
        "Claude Code",
        "(a program on a computer of yours)",
        "(2 connections)",
        RESOURCE,
        "Stay connected while you are away",
        "21 September 2026, 14:13 UTC",
        "It may connect again without asking you.",
        "for up to 1 hour",
        "&#60;script&#62;",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert_eq!(page.body.matches("<h3>").count(), 3, "one entry for each application");
    assert!(!page.body.contains("<script") && !page.body.contains('\u{202e}'));
    let mut other = Browser::new(&bench);
    assert!(account(&mut other, SECOND).await.body.contains("No application can act for you"));
}

#[test]
fn s48_of_a_client_that_a_document_describes_its_host_is_named() {
    let agreed = Agreed {
        client_id: "https://app.example/oauth/client.json".to_owned(),
        name: None,
        redirect_host: "app.example".to_owned(),
        resource: RESOURCE.to_owned(),
        scope: "mcp".to_owned(),
        since: 0,
    };
    let shown = applications(&[], &[agreed]);
    assert_eq!(shown[0].described_by.as_deref(), Some("app.example"));
    assert_eq!((shown[0].connections.len(), shown[0].is_remembered), (0, true));
}

#[tokio::test]
async fn s48_access_that_is_ended_is_dead_and_comes_back_only_by_a_new_answer() {
    let bench = bench().await;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let ended = connect(&mut browser, EMAIL, (WEB, WEB_REDIRECT)).await;
    let kept = connect(&mut browser, EMAIL, (LOOPBACK, LOOPBACK_REDIRECT)).await;
    let of_another = connect(&mut other, SECOND, (WEB, WEB_REDIRECT)).await;
    let page = account(&mut browser, EMAIL).await;
    let answer = order(&mut browser, &page, &[("order", "end"), ("client", WEB)]).await;
    assert!(
        answer.header("location").starts_with("/account?done=ended&of=Web+Client&seal="),
        "{answer:?}"
    );
    let told = answer.header("location").to_owned();
    let page = browser.follow(answer).await;
    let said = "The access of Web Client has ended. If it was using a server just now, it may go on for up to 1 hour.";
    assert!(page.body.contains(said) && page.body.matches("Web Client").count() == 1, "{page:?}");
    let changed = told.replace("Web+Client", "Another");
    assert!(!browser.get(&changed).await.body.contains("has ended"), "its name is sealed as well");
    assert!(!other.get(&told).await.body.contains("has ended"), "a link says nothing");

    assert_eq!(refresh(&bench, WEB, &ended).await, None);
    let kept = refresh(&bench, LOOPBACK, &kept).await.unwrap();
    refresh(&bench, WEB, &of_another).await.unwrap();
    let page = browser.arrive(&web(&[("scope", "mcp offline_access")])).await;
    assert!(page.body.contains("id=\"allow\""), "it is asked about again");

    connect(&mut browser, EMAIL, (WEB, WEB_REDIRECT)).await;
    let page = account(&mut browser, EMAIL).await;
    let answer = order(&mut browser, &page, &[("order", "end_all")]).await;
    let page = browser.follow(answer).await;
    assert!(
        page.body.contains("The access of every application has ended.")
            && page.body.contains("id=\"none\"")
    );
    assert_eq!(refresh(&bench, LOOPBACK, &kept).await, None);
}

#[tokio::test]
async fn s48_a_form_needs_its_session_its_token_and_our_page() {
    let bench = bench().await;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let token = connect(&mut browser, EMAIL, (WEB, WEB_REDIRECT)).await;
    let page = account(&mut browser, EMAIL).await;
    let foreign = hidden(&account(&mut other, SECOND).await, "csrf");
    for csrf in ["", "x", &foreign] {
        let fields = [("csrf", csrf), ("order", "end_all")];
        assert_eq!(browser.post("/account", &fields).await.status, StatusCode::FORBIDDEN);
    }
    browser.fetch_site = Some("cross-site");
    let answer = order(&mut browser, &page, &[("order", "end_all")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    browser.fetch_site = Some("same-origin");
    for fields in [&[("order", "perhaps")][..], &[("order", "end")], &[]] {
        assert_eq!(order(&mut browser, &page, fields).await.status, StatusCode::BAD_REQUEST);
    }
    let mut nobody = Browser::new(&bench);
    let answer = order(&mut nobody, &page, &[("order", "end_all")]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/account"));
    refresh(&bench, WEB, &token).await.unwrap();
}

#[tokio::test]
async fn s48_the_page_has_the_headers_of_every_page() {
    let bench = bench().await;
    let page = account(&mut Browser::new(&bench), EMAIL).await;
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn s48_signing_out_ends_one_session_or_all() {
    let bench = bench().await;
    let mut browsers = [Browser::new(&bench), Browser::new(&bench), Browser::new(&bench)];
    let mut pages = Vec::new();
    for browser in &mut browsers {
        pages.push(account(browser, EMAIL).await);
    }
    let mut stranger = Browser::new(&bench);
    account(&mut stranger, SECOND).await;
    let [one, two, three] = &mut browsers;
    let planted = one.cookies[SESSION].clone();
    let answer = order(one, &pages[0], &[("order", "sign_out")]).await;
    assert!(answer.body.contains("You are signed out") && !one.cookies.contains_key(SESSION));
    one.cookies.insert(SESSION.to_owned(), planted);
    let is_out = async |browser: &mut Browser<'_>| {
        browser.get("/account").await.status == StatusCode::SEE_OTHER
    };
    assert!(is_out(one).await && !is_out(two).await);
    order(two, &pages[1], &[("order", "sign_out_everywhere")]).await;
    assert!(is_out(two).await && is_out(three).await && !is_out(&mut stranger).await);
}

async fn change(
    browser: &mut Browser<'_>,
    page: &Answer,
    [current, new, again]: [&str; 3],
) -> Answer {
    let fields = [("order", "password"), ("current", current), ("new", new), ("again", again)];
    order(browser, page, &fields).await
}

#[tokio::test]
async fn s48_another_password_ends_everything_but_the_session_that_chose_it() {
    let bench = bench().await;
    let (mut browser, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let token = connect(&mut browser, SECOND, (WEB, WEB_REDIRECT)).await;
    account(&mut other, SECOND).await;
    let page = account(&mut browser, SECOND).await;
    for (typed, status, said) in [
        ([PASSWORD, NEW, "other"], StatusCode::UNPROCESSABLE_ENTITY, "passwords differ"),
        ([PASSWORD, "short", "short"], StatusCode::UNPROCESSABLE_ENTITY, "at least 8 characters"),
        ([PASSWORD, PASSWORD, PASSWORD], StatusCode::UNPROCESSABLE_ENTITY, "is the old one"),
        (["wrong", NEW, NEW], StatusCode::UNAUTHORIZED, "The current password is wrong"),
    ] {
        let answer = change(&mut browser, &page, typed).await;
        assert!(answer.status == status && answer.body.contains(said), "{answer:?}");
        assert!(!answer.body.contains(NEW) && !answer.body.contains(PASSWORD));
    }
    let before = browser.cookies[SESSION].clone();
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("Your password is changed."), "{page:?}");
    assert_ne!(browser.cookies[SESSION], before, "the session goes on under a new id");
    assert!(page.body.contains("id=\"none\""));
    assert_eq!(refresh(&bench, WEB, &token).await, None);

    let answer = other.get("/account").await;
    let page = other.follow(answer).await;
    let answer = log_in(&mut other, &page, SECOND, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "the old password is dead");
    let page = log_in(&mut other, &page, SECOND, NEW).await;
    assert!(page.body.contains("Your account"), "{page:?}");
}

/// As if somebody disabled and enabled each user at the moment in which their password changes.
async fn meddle(bench: &Bench) {
    let statements: &[&str] = match Kind::of_this_run() {
        Kind::Sqlite => &["CREATE TRIGGER meddle AFTER UPDATE OF password_hash ON users
             BEGIN UPDATE users SET epoch = epoch + 2 WHERE id = NEW.id; END"],
        Kind::Postgres => &[
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN NEW.epoch := NEW.epoch + 2; RETURN NEW; END'",
            "CREATE TRIGGER meddle BEFORE UPDATE OF password_hash ON users
             FOR EACH ROW EXECUTE FUNCTION meddle()",
        ],
    };
    let mut transaction = bench.app.store.write().await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn s48_whoever_is_ended_while_they_change_their_password_is_signed_out() {
    let bench = bench().await;
    meddle(&bench).await;
    let mut browser = Browser::new(&bench);
    let page = account(&mut browser, SECOND).await;
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(user_of(&bench).await.epoch, 3);
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"sign-in\""), "{page:?}");
}

async fn user_of(bench: &Bench) -> User {
    bench.app.store.user_with_email(SECOND).await.unwrap().unwrap()
}

#[tokio::test]
async fn s48_guessing_the_current_password_is_slowed_down_as_a_login_is() {
    let bench = bench().await;
    let mut browser = Browser::new(&bench);
    let page = account(&mut browser, SECOND).await;
    for _ in 0..5 {
        let answer = change(&mut browser, &page, ["wrong", NEW, NEW]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    bench.advance(Duration::from_secs(1));
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s48_a_user_of_the_configuration_is_told_who_changes_their_password() {
    let bench = bench().await;
    let mut browser = Browser::new(&bench);
    let page = account(&mut browser, EMAIL).await;
    assert!(page.body.contains("id=\"elsewhere\"") && !page.body.contains("id=\"current\""));
    let answer = change(&mut browser, &page, [PASSWORD, NEW, NEW]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s48_whoever_is_disabled_sees_nothing_more() {
    let bench = bench().await;
    let mut browser = Browser::new(&bench);
    let page = account(&mut browser, SECOND).await;
    let (id, now) = (user(&bench, SECOND).id, bench.app.clock.now_unix());
    let change = crate::store::users::Change::Disabled;
    bench.app.store.change_user(&id, change, entry(now)).await.unwrap();
    assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
    let answer = order(&mut browser, &page, &[("order", "end_all")]).await;
    assert_eq!(answer.header("location"), "/account");
}
