//! People who log in at a provider, as their browsers meet it.

mod accounts;
mod faults;

use axum::http::{StatusCode, header};
use serde_json::json;
use url::Url;

use crate::{
    authorization::tests::browser::{
        Browser, WEB_REDIRECT, answered, hidden, redeem, register, url, web,
    },
    config::Federated,
    random::Random,
    routes,
    state::App,
    testing::{
        Answer, Bench, EMAIL, PASSWORD, PUBLIC_URL, answer, embedded, get, provider::FakeProvider,
    },
};

const SESSION: &str = "attache_session_8080";
const BROWSER: &str = "attache_browser_8080";

/// A bench whose users log in at these providers, too.
async fn bench(providers: Vec<Federated>) -> Bench {
    let bench = Bench::with(|config| {
        embedded(config).federation = providers;
    })
    .await;
    register(&bench).await;
    bench
}

async fn one() -> (FakeProvider, Bench) {
    let fake = FakeProvider::start().await;
    let bench = bench(vec![fake.federated("example")]).await;
    (fake, bench)
}

/// The login page of a new request.
async fn login_page(browser: &mut Browser<'_>) -> Answer {
    let answer = browser.get(&url(&web(&[]))).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("id=\"providers\""), "{page:?}");
    page
}

/// Where the button of a provider leads.
async fn depart(browser: &mut Browser<'_>, page: &Answer, name: &str) -> String {
    let answer = browser.submit(page, "/oauth/login", &[("provider", name)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.header("location").to_owned()
}

/// The path and query of a URL on our origin.
fn path(url: &Url) -> String {
    assert!(url.as_str().starts_with(PUBLIC_URL), "{url}");
    url.as_str().replacen(PUBLIC_URL, "", 1)
}

/// From the login page there and back: the page that follows, or the redirect to the client.
async fn log_in(browser: &mut Browser<'_>, fake: &FakeProvider) -> Answer {
    let page = login_page(browser).await;
    let there = depart(browser, &page, "example").await;
    let back = fake.agree(&there);
    let answer = browser.get(&path(&back)).await;
    browser.follow(answer).await
}

/// The same, with consent where it is asked for: what was granted.
async fn let_in(bench: &Bench, fake: &FakeProvider) -> crate::store::codes::Granted {
    let mut browser = Browser::new(bench);
    let mut answer = log_in(&mut browser, fake).await;
    if answer.body.contains("id=\"allow\"") {
        answer = browser.decide(&answer, "allow").await;
    }
    redeem(bench, &answer, WEB_REDIRECT).await.granted
}

#[tokio::test]
async fn somebody_logs_in_at_a_provider_and_allows() {
    let (fake, bench) = one().await;
    fake.shape().claims = json!({
        "email": "Somebody@Example.com", "email_verified": true, "groups": ["staff", "ops"],
    });
    let mut browser = Browser::new(&bench);
    let page = log_in(&mut browser, &fake).await;
    assert!(page.body.contains("somebody@example.com (Example Login)"), "{}", page.body);
    assert!(page.body.contains("Allow <bdi class=\"name\" id=\"client\">Web Client</bdi>"));
    let answer = browser.decide(&page, "allow").await;
    let granted = redeem(&bench, &answer, WEB_REDIRECT).await.granted;
    assert_eq!(granted.email.as_deref(), Some("somebody@example.com"));
    assert_eq!(granted.groups, ["staff", "ops"]);
    let account = bench.app.store.account(&granted.sub).await.unwrap().unwrap();
    assert_eq!((account.issuer, account.subject.as_str()), (fake.issuer, "somebody"));
    assert_eq!(account.provider, "example");
}

#[tokio::test]
async fn providers_and_passwords_are_on_one_page() {
    let (one, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let second = Federated { label: "<b>Other".to_owned(), ..other.federated("other") };
    let bench = bench(vec![one.federated("example"), second]).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    for text in [
        "Continue with Example Login",
        "Continue with &#60;b&#62;Other",
        "id=\"password\"",
        "Web Client",
        "Cancel and go back to client.example",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let there = depart(&mut browser, &page, "other").await;
    let back = browser.get(&path(&other.agree(&there))).await;
    assert!(back.header("location").starts_with("/oauth/consent?interaction="), "{back:?}");
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let page = browser.log_in(&page, PASSWORD).await;
    let page = browser.follow(page).await;
    assert!(page.body.contains(EMAIL), "{}", page.body);
}

#[tokio::test]
async fn without_local_users_there_is_no_form_for_a_password() {
    let fake = FakeProvider::start().await;
    let bench = Bench::with(|config| {
        let embedded = embedded(config);
        embedded.users.clear();
        embedded.federation = vec![fake.federated("example")];
    })
    .await;
    register(&bench).await;
    assert!(bench.app.users().has_anybody().await.unwrap());
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    assert!(!page.body.contains("name=\"password\""), "{}", page.body);
    assert!(!page.body.contains("Nobody can sign in"), "{}", page.body);
}

#[tokio::test]
async fn s47_c2_c11_only_the_button_of_the_login_page_sends_anybody_away() {
    let (_fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let (interaction, csrf) = (hidden(&page, "interaction"), hidden(&page, "csrf"));
    let shown =
        browser.get(&format!("/oauth/login?interaction={interaction}&provider=example")).await;
    assert_eq!((shown.status, shown.header("location")), (StatusCode::OK, ""));
    let without = [("interaction", interaction.as_str()), ("provider", "example")];
    assert_eq!(browser.post("/oauth/login", &without).await.status, StatusCode::FORBIDDEN);
    let with = [&without[..], &[("csrf", csrf.as_str())]].concat();
    browser.fetch_site = Some("cross-site");
    assert_eq!(browser.post("/oauth/login", &with).await.status, StatusCode::FORBIDDEN);
    browser.fetch_site = Some("same-origin");
    let unknown = [("interaction", interaction.as_str()), ("csrf", &csrf), ("provider", "another")];
    assert_eq!(browser.post("/oauth/login", &unknown).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.post("/oauth/login", &with).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s47_c11_state_is_random_single_use_and_kept_as_a_digest() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let first = depart(&mut browser, &page, "example").await;
    let second = depart(&mut browser, &page, "example").await;
    let parameter = |url: &str, name: &str| -> String {
        let url = Url::parse(url).unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&first, name), parameter(&second, name), "{name}");
    }
    // Only the last way there leads back, and once.
    let (before, after) = (fake.agree(&first), fake.agree(&second));
    let over = browser.get(&path(&before)).await;
    assert_eq!(over.status, StatusCode::BAD_REQUEST);
    assert!(over.body.contains("is over, or another one was begun since"), "{}", over.body);
    assert_eq!(fake.asked("/token"), 0);
    let there = browser.get(&path(&after)).await;
    assert_eq!(there.status, StatusCode::SEE_OTHER, "{}", there.body);
    let again = browser.get(&path(&after)).await;
    assert!(again.header("location").starts_with("/oauth/login?interaction="), "{again:?}");
    browser.cookies.remove(SESSION);
    assert_eq!(browser.get(&path(&after)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(fake.asked("/token"), 1);
    let kept: Vec<Option<Vec<u8>>> = sqlx::query_scalar("SELECT trip FROM interactions")
        .fetch_all(bench.app.store.reader())
        .await
        .unwrap();
    assert_eq!(kept, [None]);
}

#[tokio::test]
async fn s47_c11_what_one_browser_began_no_other_can_finish() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = depart(&mut browser, &page, "example").await;
    let back = path(&fake.agree(&there));
    let mut victim = Browser::new(&bench);
    assert_eq!(victim.get(&back).await.status, StatusCode::BAD_REQUEST);
    login_page(&mut victim).await;
    let answer = victim.get(&back).await;
    assert!(answer.body.contains("does not belong to this browser"), "{}", answer.body);
    assert!(!victim.cookies.contains_key(SESSION));
    assert_eq!(fake.asked("/token"), 0);
    assert_eq!(browser.get(&back).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s47_the_answer_of_one_provider_is_not_taken_for_that_of_another() {
    let (honest, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let bench = bench(vec![honest.federated("example"), evil.federated("evil")]).await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = depart(&mut browser, &page, "example").await;
    let back = path(&honest.agree(&there));
    let mixed_up = back.replace("/oauth/callback/example", "/oauth/callback/evil");
    assert_eq!(browser.get(&mixed_up).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(evil.asked("/token"), 0, "the code went to another provider");
    assert_eq!(
        bench.public(get("/oauth/callback/unknown?code=x&state=y")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn s47_a_session_has_a_new_id_after_a_login_at_a_provider() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    browser.cookies.insert(SESSION.to_owned(), "planted".to_owned());
    log_in(&mut browser, &fake).await;
    assert_ne!(browser.cookies[SESSION], "planted");
}

#[tokio::test]
async fn a_request_that_wants_a_new_login_says_so_to_the_provider() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    for (asked, told) in [("login", "&prompt=login"), ("select_account", "&prompt=select_account")]
    {
        let answer = browser.get(&url(&web(&[("prompt", asked)]))).await;
        let page = browser.follow(answer).await;
        let there = depart(&mut browser, &page, "example").await;
        assert!(there.ends_with(told), "{there}");
    }
    // Whoever wants another account is asked there which one.
    let page = log_in(&mut browser, &fake).await;
    let answer = browser.decide(&page, "switch").await;
    let page = browser.follow(answer).await;
    let another = hidden(&page, "another");
    let fields = [("provider", "example"), ("another", another.as_str())];
    let answer = browser.submit(&page, "/oauth/login", &fields).await;
    assert!(answer.header("location").ends_with("&prompt=select_account"), "{answer:?}");
}

#[tokio::test]
async fn somebody_who_does_not_want_to_log_in_goes_back_to_the_client() {
    let (_fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let answer = browser.submit(&page, "/oauth/login", &[("decision", "deny")]).await;
    let parameters = answered(&answer, WEB_REDIRECT);
    assert_eq!(
        (parameters["error"].as_str(), parameters["state"].as_str()),
        ("access_denied", "xyz")
    );
    let again = browser.submit(&page, "/oauth/login", &[("decision", "deny")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let without = browser.post("/oauth/login", &[("decision", "deny")]).await;
    assert_eq!(without.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn their_own_page_is_reached_through_a_provider_and_has_no_form_for_a_password() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get("/account").await;
    let page = browser.follow(answer).await;
    assert!(!page.body.contains("id=\"cancel\""), "nobody waits: {}", page.body);
    let there = depart(&mut browser, &page, "example").await;
    let answer = browser.get(&path(&fake.agree(&there))).await;
    let page = browser.follow(answer).await;
    assert!(page.body.contains("You sign in at Example Login"), "{}", page.body);
    let csrf = hidden(&page, "csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("order", "password"),
        ("current", PASSWORD),
        ("new", PASSWORD),
        ("again", PASSWORD),
    ];
    assert_eq!(browser.post("/account", &form).await.status, StatusCode::BAD_REQUEST);
    let sign_out = [("csrf", csrf.as_str()), ("order", "sign_out_everywhere")];
    assert_eq!(browser.post("/account", &sign_out).await.status, StatusCode::OK);
    assert!(browser.cookies.contains_key(BROWSER) && !browser.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn somebody_who_was_sent_away_by_one_process_may_come_back_to_another() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let page = login_page(&mut browser).await;
    let there = depart(&mut browser, &page, "example").await;
    let mut back = get(&path(&fake.agree(&there)));
    let cookie = format!("{BROWSER}={}", browser.cookies[BROWSER]);
    back.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    let config = (*bench.app.config).clone();
    let other = App::open(config, bench.app.clock.clone(), Random::seeded(2)).await.unwrap();
    let answer = answer(routes::public(other), back).await;
    assert!(answer.header("location").starts_with("/oauth/consent?interaction="), "{answer:?}");
}

#[tokio::test]
async fn a_provider_that_offers_no_choice_of_accounts_asks_for_a_login() {
    let (fake, bench) = one().await;
    let mut browser = Browser::new(&bench);
    let answer = browser.get(&url(&web(&[("prompt", "select_account")]))).await;
    let page = browser.follow(answer).await;
    let there = depart(&mut browser, &page, "example").await;
    assert!(there.ends_with("&prompt=select_account"), "{there}");
    let state = Url::parse(&there).unwrap();
    let (_, state) = state.query_pairs().find(|(name, _)| name == "state").unwrap();
    let back = format!(
        "/oauth/callback/example?error=invalid_request&error_description=unsupported+prompt+value&state={state}"
    );
    let page = browser.get(&back).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
    assert!(page.body.contains("ask you to sign in anew"), "{}", page.body);
    let there = depart(&mut browser, &page, "example").await;
    assert!(there.ends_with("&prompt=login"), "{there}");
    // It need not be found out again.
    let mut another = Browser::new(&bench);
    let answer = another.get(&url(&web(&[("prompt", "select_account")]))).await;
    let page = another.follow(answer).await;
    assert!(depart(&mut another, &page, "example").await.ends_with("&prompt=login"));
    assert_eq!(fake.asked("/token"), 0);
}
