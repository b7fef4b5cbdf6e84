//! Who authsvc is at the provider.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{Browser, answered, gateway, let_in, query, question, redeem, refresh, text};
use crate::{
    authorization::tests::browser::{WEB, WEB_REDIRECT},
    broker::registrar::{Login, NoClient},
    config::{Brokered, Client, Registrar, Registration, StaticClient},
    random::Random,
    state::App,
    store::brokered::ProviderClient,
    testing::{Bench, entry, log::Log, provider::Management},
};

fn registering(settings: &mut Brokered) {
    settings.registrar = Registrar::Registration(Registration { initial_access_token: None });
}

/// Who authsvc is at the provider for the client with the web site.
async fn client_for(app: &App) -> Result<Client, NoClient> {
    let name = app.random.token();
    let login = Login { name: &name, client_id: WEB, resources: &[] };
    app.broker().unwrap().client_for(app, login).await
}

async fn end_orphans(bench: &Bench) -> u64 {
    bench.app.broker().unwrap().end_orphans(&bench.app).await.unwrap()
}

#[tokio::test]
async fn a_client_of_ours_is_one_client_there_from_its_first_yes_on() {
    let (fake, bench) = gateway(registering).await;
    let mut browser = Browser::new(&bench);
    question(&mut browser, &[]).await;
    assert_eq!(fake.asked("/register"), 0, "nobody has agreed yet");
    for _ in 0..2 {
        let answer = let_in(&mut Browser::new(&bench), &fake).await;
        let tokens = redeem(&bench, &answer).await;
        bench.advance(Duration::from_secs(61));
        text(&refresh(&bench, &text(&tokens, "refresh_token")).await, "access_token");
    }
    assert_eq!(fake.asked("/register"), 1);
    let kept = bench.app.store.provider_client(&fake.issuer, WEB).await.unwrap().unwrap();
    assert_eq!(kept.id, "client-0");
    let secret = b"secret/of";
    assert!(!kept.secrets.windows(secret.len()).any(|window| window == secret), "it is sealed");
}

#[tokio::test]
async fn a_client_there_goes_when_ours_has_gone() {
    let (fake, bench) = gateway(registering).await;
    let_in(&mut Browser::new(&bench), &fake).await;
    end_orphans(&bench).await;
    assert_eq!(fake.shape().clients.len(), 1);
    let now = bench.app.clock.now_unix();
    bench.app.store.remove_client(WEB, entry(now)).await.unwrap().unwrap();
    fake.shape().faults.insert("/register/client-0", super::Fault::Status(503));
    end_orphans(&bench).await;
    let kept = async || bench.app.store.provider_client(&fake.issuer, WEB).await.unwrap();
    assert!(kept().await.is_some(), "it is tried again");
    fake.shape().faults.clear();
    end_orphans(&bench).await;
    assert!(kept().await.is_none() && fake.shape().clients.is_empty());
}

#[tokio::test]
async fn a_client_there_stays_while_ours_is_in_the_configuration() {
    let (fake, mut bench) = gateway(registering).await;
    let ours = StaticClient {
        id: WEB.to_owned(),
        name: "Reports".to_owned(),
        redirect_uris: vec![WEB_REDIRECT.to_owned()],
        proof: None,
    };
    let app = bench.app.clone();
    let mut config = (*app.config).clone();
    config.authorization.clients.configured.push(ours);
    bench.app.config = Arc::new(config);
    let now = app.clock.now_unix();
    app.store.remove_client(WEB, entry(now)).await.unwrap().unwrap();
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    redeem(&bench, &answer).await;
    end_orphans(&bench).await;
    assert_eq!(fake.shape().clients.len(), 1, "it is no orphan");
    // Gone from the configuration, it is.
    bench.app = app;
    end_orphans(&bench).await;
    assert!(fake.shape().clients.is_empty());
}

#[tokio::test]
async fn a_provider_that_has_forgotten_us_is_made_acquainted_anew() {
    let (fake, bench) = gateway(registering).await;
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    let token = text(&redeem(&bench, &answer).await, "refresh_token");
    fake.shape().clients.clear();
    bench.advance(Duration::from_secs(61));
    assert_eq!(refresh(&bench, &token).await.json()["error"], "invalid_grant");
    let answer = let_in(&mut Browser::new(&bench), &fake).await;
    assert!(answered(&answer, WEB_REDIRECT).contains_key("code"));
    assert_eq!(fake.asked("/register"), 2);
}

#[tokio::test]
async fn two_who_agree_at_the_same_time_are_one_client() {
    let (fake, bench) = gateway(registering).await;
    let (mut one, mut other) = (Browser::new(&bench), Browser::new(&bench));
    let pages = (question(&mut one, &[]).await, question(&mut other, &[]).await);
    let answers = tokio::join!(one.decide(&pages.0, "allow"), other.decide(&pages.1, "allow"));
    let id = |answer: &super::Answer| query(answer.header("location"))["client_id"].clone();
    assert_eq!(id(&answers.0), id(&answers.1));
    assert_eq!(fake.shape().clients.len(), 1);
    assert_eq!(fake.asked("/register"), 1);
}

#[tokio::test]
async fn s51_of_many_who_agree_at_the_same_time_one_registers() {
    let (fake, bench) = gateway(registering).await;
    // Another replica.
    let config = (*bench.app.config).clone();
    let app = App::open(config, bench.app.clock.clone(), Random::seeded(2)).await.unwrap();
    let mut asking = JoinSet::new();
    for number in 0..50 {
        let app = if number % 2 == 0 { &bench.app } else { &app }.clone();
        asking.spawn(async move { client_for(&app).await.unwrap().id });
    }
    let ids = asking.join_all().await;
    assert_eq!((ids.len(), fake.asked("/register")), (50, 1));
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn s51_who_goes_while_somebody_registers_leaves_nothing_unknown_there() {
    let (fake, bench) = gateway(registering).await;
    let app = bench.app.clone();
    let gone = tokio::spawn(async move { client_for(&app).await });
    while fake.asked("/register") == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    bench.app.broker().unwrap().finish().await;
    let kept = bench.app.store.provider_client(&fake.issuer, WEB).await.unwrap();
    assert!(kept.is_some() && fake.shape().clients.len() == 1);
}

#[tokio::test]
async fn s51_what_cannot_be_ended_there_is_logged_and_holds_nothing_up() {
    let log = Log::start();
    let (fake, bench) = gateway(registering).await;
    fake.shape().management = Management::Absent;
    client_for(&bench.app).await.unwrap();
    let store = &bench.app.store;
    let known = store.provider_client(&fake.issuer, WEB).await.unwrap().unwrap();
    for number in 0..5 {
        let (client_id, id) = (format!("ours-{number}"), format!("theirs-{number}"));
        let new = ProviderClient { client_id, id, ..known.clone() };
        assert!(store.add_provider_client(&new).await.unwrap());
    }
    let now = bench.app.clock.now_unix();
    store.remove_client(WEB, entry(now)).await.unwrap().unwrap();
    assert_eq!(end_orphans(&bench).await, 6, "all of them, whatever a batch is");
    let lines = log.with(&fake.issuer);
    let left: Vec<_> = lines.iter().filter(|line| line["id"] == "client-0").collect();
    let text = left.iter().map(|line| line.to_string()).collect::<String>();
    assert!(text.contains("for good") && text.contains("RFC 7592"), "{text}");
}

#[tokio::test]
async fn a_client_there_whose_secret_is_over_is_ended_for_the_next() {
    let (fake, bench) = gateway(registering).await;
    client_for(&bench.app).await.unwrap();
    let store = &bench.app.store;
    let known = store.provider_client(&fake.issuer, WEB).await.unwrap().unwrap();
    store.forget_provider_client(&known).await.unwrap();
    let expires_at = Some(bench.app.clock.now_unix());
    store.add_provider_client(&ProviderClient { expires_at, ..known }).await.unwrap();
    client_for(&bench.app).await.unwrap();
    assert_eq!((fake.asked("/register"), fake.shape().clients.len()), (2, 1));
}
