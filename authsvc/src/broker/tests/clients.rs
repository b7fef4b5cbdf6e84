//! Who authsvc is at the provider.

use std::time::Duration;

use super::{Browser, answered, gateway, let_in, query, question, redeem, refresh, text};
use crate::{
    authorization::tests::browser::{WEB, WEB_REDIRECT},
    config::{Brokered, Registrar, Registration},
    store::endings::EndedBy,
    testing::Bench,
};

fn registering(settings: &mut Brokered) {
    settings.registrar = Registrar::Registration(Registration { initial_access_token: None });
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
    bench.app.store.remove_client(WEB, EndedBy::Operator, now).await.unwrap().unwrap();
    fake.shape().faults.insert("/register/client-0", super::Fault::Status(503));
    end_orphans(&bench).await;
    let kept = async || bench.app.store.provider_client(&fake.issuer, WEB).await.unwrap();
    assert!(kept().await.is_some(), "it is tried again");
    fake.shape().faults.clear();
    end_orphans(&bench).await;
    assert!(kept().await.is_none() && fake.shape().clients.is_empty());
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
    assert_eq!(fake.shape().clients.len(), 1, "a second one is ended at once");
}
