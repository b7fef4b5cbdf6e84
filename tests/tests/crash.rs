//! What was answered is there after a crash.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    events, http,
    oauth::{OAuth, REDIRECT_URI, Tokens},
    person::Person,
    stack::{SERVICE_SECRET, Setup, Stack, WEBHOOK_SECRET, eventually},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Families of refresh tokens that rotate at the same time.
const FAMILIES: usize = 4;
/// Answers of each kind before the crash.
const ENOUGH: usize = 20;

/// What the token endpoint gave last, and what it had given for that.
struct Rotated {
    given: Tokens,
    used: String,
}

/// Uses each refresh token for the next one until nobody answers; what was answered last.
async fn rotate(client: OAuth, mut tokens: Tokens, answers: Arc<AtomicUsize>) -> Result<Rotated> {
    let mut used = String::new();
    loop {
        let refresh = tokens.refresh.clone().context("no refresh token")?;
        let Ok(given) = client.refresh(&refresh).await else {
            return Ok(Rotated { given: tokens, used });
        };
        (tokens, used) = (given, refresh);
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Registers clients with a secret until nobody answers; what was answered.
async fn register(origin: String, answers: Arc<AtomicUsize>) -> Vec<Value> {
    let metadata = json!({
        "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "client_secret_basic",
    });
    let (http, mut registered) = (http::client(), Vec::new());
    // One address may register so many at once.
    for _ in 0..50 {
        let request = http.post(format!("{origin}/oauth/register")).json(&metadata);
        let Ok(answer) = request.send().await else { break };
        let (status, answer) = (answer.status(), answer.json::<Value>().await);
        match answer {
            Ok(answer) if status == 201 => registered.push(answer),
            Ok(_) | Err(_) => break,
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
    registered
}

async fn enough(answers: &AtomicUsize, what: &str) -> Result<()> {
    eventually(Duration::from_secs(60), async || {
        let count = answers.load(Ordering::Relaxed);
        ensure!(count >= ENOUGH, "{count} {what}");
        Ok(())
    })
    .await
}

async fn introspect(stack: &Stack, token: &str) -> Result<Value> {
    let url = format!("{}/internal/introspect", stack.internal_url());
    let request = http::client().post(url).bearer_auth(SERVICE_SECRET);
    Ok(request.form(&[("token", token)]).send().await?.json().await?)
}

/// The ids of all events that are stored.
async fn stored(stack: &Stack) -> Result<BTreeSet<String>> {
    let (mut ids, mut after) = (BTreeSet::new(), 0);
    loop {
        let (events, next) = stack.events_after(after, 1000, 0).await?;
        if events.is_empty() {
            return Ok(ids);
        }
        let found = events.iter().filter_map(|event| event["id"].as_str());
        ids.extend(found.map(str::to_owned));
        after = next;
    }
}

/// Everything at once, and in the middle of it the end.
async fn crash(
    stack: &mut Stack,
    client: &OAuth,
    families: Vec<Tokens>,
    round: u32,
) -> Result<(Vec<Rotated>, Vec<Value>, Vec<String>)> {
    let [rotations, registrations] = [0; 2].map(|_: i32| Arc::new(AtomicUsize::new(0)));
    let rotating: Vec<JoinHandle<Result<Rotated>>> = families
        .into_iter()
        .map(|tokens| tokio::spawn(rotate(client.clone(), tokens, Arc::clone(&rotations))))
        .collect();
    let listen = format!("http://{}", stack.config("/service/listen"));
    let registering = tokio::spawn(register(listen, Arc::clone(&registrations)));
    let sending = tokio::spawn(events::send(stack.internal_url(), round, u32::MAX));
    enough(&rotations, "rotations").await?;
    enough(&registrations, "registrations").await?;
    stack.authsvc.kill()?;

    let mut rotated = Vec::new();
    for task in rotating {
        rotated.push(task.await??);
    }
    let (registered, sent) = (registering.await?, sending.await?);
    ensure!(!sent.is_empty(), "no event was taken");
    stack.restart_authsvc().await?;
    Ok((rotated, registered, sent))
}

#[tokio::test]
async fn what_authsvc_has_answered_outlives_kill_9_on_sqlite() -> Result<()> {
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let mut setup = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET);
    // A rotation whose answer the crash took is made good within the grace, on a slow machine, too.
    setup.config["authorization"]["embedded"]["refresh_grace"] = json!("10m");
    let mut stack = setup.start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let (mut person, mut families) = (Person::admin(), Vec::new());
    let mut codes = Vec::new();
    for _ in 0..FAMILIES {
        let code = client.authorize(&mut person, "mcp offline_access").await?;
        families.push(client.exchange(&code).await?);
        codes.push(code);
    }
    let mut sent = BTreeSet::new();
    for round in 1..=3 {
        let (rotated, registered, events) = crash(&mut stack, &client, families, round).await?;
        sent.extend(events);
        families = Vec::new();
        for Rotated { given, used } in rotated {
            let said = introspect(&stack, &given.access).await?;
            ensure!(said["active"] == true, "round {round}: an access token is not known: {said}");
            let refresh = given.refresh.context("no refresh token")?;
            let next = client.refresh(&refresh).await;
            families.push(next.with_context(|| format!("round {round}: a refresh token is lost"))?);
            // That it was used is not forgotten either: within the grace it is good once more, as after a lost answer.
            let again = client.refresh(&used).await;
            ensure!(again.is_ok(), "round {round}: {again:?}");
        }
        for client in &registered {
            let (uri, token) =
                (&client["registration_client_uri"], &client["registration_access_token"]);
            let (uri, token) =
                (uri.as_str().context("no uri")?, token.as_str().context("no token")?);
            let status = http::client().get(uri).bearer_auth(token).send().await?.status();
            ensure!(status == 200, "round {round}: a client is lost ({status})");
        }
        let stored = stored(&stack).await?;
        let lost: Vec<_> = sent.difference(&stored).collect();
        ensure!(lost.is_empty(), "round {round}: answered with 202, and lost: {lost:?}");
    }
    // Attempts that were under way when it was killed are repeated when their lease ends: four at most, each time.
    eventually(Duration::from_secs(60), async || {
        let seen = receiver.seen();
        let delivered: BTreeSet<&str> =
            seen.iter().filter_map(|one| one.header("webhook-id")?.strip_prefix("evt_")).collect();
        let missing = sent.iter().filter(|id| !delivered.contains(id.as_str())).count();
        ensure!(missing <= 12, "{missing} are not delivered");
        Ok(())
    })
    .await?;
    // A code that was used is used, and who brings it again ends what it had got.
    for (code, tokens) in codes.iter().zip(&families) {
        ensure!(client.exchange(code).await.is_err(), "a code was good twice");
        let refresh = tokens.refresh.as_deref().context("no refresh token")?;
        ensure!(client.refresh(refresh).await.is_err(), "a code came twice, and its grant goes on");
    }
    Ok(())
}
