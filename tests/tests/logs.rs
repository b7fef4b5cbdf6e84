//! What is in the logs, and what is in none of them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    http,
    mcp::Mcp,
    oauth::{OAuth, REDIRECT_URI, Tokens, VERIFIER},
    person::Person,
    stack::{EMAIL, PASSWORD, SERVICE_SECRET, Setup, Stack, WEBHOOK_SECRET, parts},
    upstream::{Upstream, mcp},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::process::Command;

const KEY_SECRET: &str = "the-secret-that-encrypts-the-private-keys-0001";
const METRICS_SECRET: &str = "the-secret-of-the-scraper-of-the-tests-0001";
const SERVER_KEY: &str = "the-key-of-the-server-behind-the-gateway";
const HOOK_PATH: &str = "a-path-that-is-a-secret-as-well";

/// What no log may hold, with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) {
        // A cookie that is taken back has no value.
        if !secret.is_empty() {
            self.0.push((what.to_owned(), secret.to_owned()));
        }
    }

    fn tokens(&mut self, what: &str, tokens: &Tokens) {
        // Each part by itself: a header of a JWT says that one was written, cut short or not.
        for part in tokens.access.split('.') {
            self.add(&format!("a part of an access token of {what}"), part);
        }
        if let Some(refresh) = &tokens.refresh {
            self.add(&format!("a refresh token of {what}"), refresh);
        }
    }

    fn person(&mut self, person: &Person) {
        for cookie in &person.set {
            self.add("a cookie", cookie);
        }
        for token in person.hidden("csrf") {
            self.add("a CSRF token", &token);
        }
    }

    fn client(&mut self, registered: &Value) -> Result<()> {
        for name in ["client_secret", "registration_access_token"] {
            if let Some(secret) = registered[name].as_str() {
                self.add(name, secret);
            }
        }
        ensure!(registered["client_id"].is_string(), "not registered: {registered}");
        Ok(())
    }

    /// Those that are in a text, in any of the forms in which they travel: as they are, percent-encoded, in Base64.
    fn found_in<'a>(&'a self, text: &str) -> Vec<&'a str> {
        let written = |secret: &str| {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let base64 = STANDARD.encode(secret);
            // A text that is cut short is as bad.
            let base64 = base64.get(..base64.len().min(20)).unwrap_or_default().to_owned();
            let beginning = secret.get(..secret.len().min(24)).unwrap_or(secret).to_owned();
            [beginning, encoded, base64].iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, secret)| written(secret)).map(|(what, _)| what.as_str()).collect()
    }
}

/// The public client: wrong passwords, the right one, tokens, refreshes, a replay, revocation.
async fn public_client(stack: &Stack, secrets: &mut Secrets) -> Result<()> {
    let url = stack.url("everything");
    let client = OAuth::register(&url).await?;
    let wrong = "a password that is wrong, and a secret of somebody";
    let mut stranger = Person::new(EMAIL, wrong);
    ensure!(client.authorize(&mut stranger, "mcp").await.is_err(), "a wrong password is right");
    secrets.add("a wrong password", wrong);
    secrets.person(&stranger);

    let mut person = Person::admin();
    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let tokens = client.exchange(&code).await?;
    let refresh = tokens.refresh.clone().context("no refresh token")?;
    let renewed = client.refresh(&refresh).await?;
    let session = Mcp::initialized(&url, &renewed.access).await?;
    session.call("echo", json!({"text": "x", "attache_intent": "to see what is logged"})).await?;
    ensure!(client.exchange(&code).await.is_err(), "a code was good twice");
    secrets.add("a code", &code);
    secrets.person(&person);
    secrets.tokens("a public client", &tokens);
    secrets.tokens("a public client, renewed", &renewed);

    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let tokens = client.exchange(&code).await?;
    let refresh = tokens.refresh.clone().context("no refresh token")?;
    let revocation = format!("{}/oauth/revoke", stack.public_url());
    let form = [("token", refresh.as_str()), ("client_id", client.client_id.as_str())];
    ensure!(http::client().post(revocation).form(&form).send().await?.status() == 200, "revoke");
    ensure!(client.refresh(&refresh).await.is_err(), "it was revoked");
    secrets.add("another code", &code);
    secrets.person(&person);
    secrets.tokens("a public client, revoked", &tokens);
    Ok(())
}

/// The confidential client: secrets in both places, and the management of its registration.
async fn confidential_client(stack: &Stack, secrets: &mut Secrets) -> Result<()> {
    let http = http::client();
    let registration = format!("{}/oauth/register", stack.public_url());
    let metadata = json!({
        "client_name": "With a secret", "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    let registered: Value = http.post(&registration).json(&metadata).send().await?.json().await?;
    secrets.client(&registered)?;
    let text =
        |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let (id, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
    let manage = text(&registered, "registration_client_uri");
    let token = text(&registered, "registration_access_token");
    let read = http.get(&manage).bearer_auth(&token).send().await?;
    ensure!(read.status() == 200, "read: {}", read.status());
    let mut changed = metadata.clone();
    changed["client_id"] = json!(id);
    changed["client_name"] = json!("With a secret, renamed");
    let answer = http.put(&manage).bearer_auth(&token).json(&changed).send().await?;
    ensure!(answer.status() == 200, "change: {} {}", answer.status(), answer.text().await?);
    let answer: Value = answer.json().await?;
    secrets.client(&answer)?;
    let token = text(&answer, "registration_access_token");

    let mut client = OAuth::register(&stack.url("everything")).await?;
    client.client_id.clone_from(&id);
    let mut person = Person::admin();
    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let endpoint = format!("{}/oauth/token", stack.public_url());
    let wrong = "a-client-secret-that-is-wrong-0001";
    let refused = http.post(&endpoint).basic_auth(&id, Some(wrong)).form(&form).send().await?;
    ensure!(refused.status() == 401, "a wrong secret: {}", refused.status());
    secrets.add("a wrong client secret", wrong);
    let answer = http.post(&endpoint).basic_auth(&id, Some(&secret)).form(&form).send().await?;
    let answer: Value = answer.json().await?;
    let access = text(&answer, "access_token");
    ensure!(!access.is_empty(), "no token for a client with a secret: {answer}");
    let refresh = answer["refresh_token"].as_str().map(str::to_owned);
    secrets.tokens("a confidential client", &Tokens { access, refresh, answer });
    secrets.add("the header of a confidential client", &STANDARD.encode(format!("{id}:{secret}")));
    secrets.add("a code of a confidential client", &code);
    secrets.person(&person);
    let removed = http.delete(&manage).bearer_auth(&token).send().await?;
    ensure!(removed.status() == 204, "remove: {}", removed.status());
    Ok(())
}

/// Requests that are wrong in ways in which careless code repeats what it got.
async fn wrong_requests(stack: &Stack, secrets: &mut Secrets) -> Result<()> {
    const MADE_UP: &str = "made-up-but-secret-0123456789abcdef";
    secrets.add("a made-up secret", MADE_UP);
    let (http, origin) = (http::client(), stack.public_url());
    let (url, token) = (stack.url("everything"), format!("{origin}/oauth/token"));
    let forged = format!("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.{MADE_UP}");
    let json = "application/json";
    let requests = [
        http.post(&url).bearer_auth(&forged).header("content-type", json).body("{}"),
        http.post(&url).bearer_auth(MADE_UP).header("content-type", json).body("{}"),
        http.post(format!("{url}?access_token={MADE_UP}")).body("{}"),
        http.post(format!("{origin}/nowhere?code={MADE_UP}")),
        http.get(format!("{origin}/oauth/authorize?client_id={MADE_UP}&state={MADE_UP}")),
        http.get(format!("{origin}/oauth/register/nobody")).bearer_auth(MADE_UP),
        http.post(format!("{token}?code={MADE_UP}")),
        http.post(&token).header("authorization", format!("Basic {MADE_UP}")).form(&[("a", "b")]),
        http.post(&token).form(&[("grant_type", MADE_UP), ("client_id", "x")]),
        http.post(&token).form(&[("refresh_token", MADE_UP), ("client_secret", MADE_UP)]),
        http.post(&token).header("content-type", json).body(format!("{{\"code\":\"{MADE_UP}\"}}")),
        http.post(format!("{origin}/oauth/register")).body(format!("{{\"secret\": {MADE_UP}")),
        http.post(format!("{origin}/oauth/register")).json(&json!({"redirect_uris": [MADE_UP]})),
        http.post(format!("{origin}/oauth/login"))
            .form(&[("password", MADE_UP), ("csrf", MADE_UP)]),
        http.get(format!("{origin}/oauth/consent?interaction={MADE_UP}"))
            .header("cookie", format!("attache_session={MADE_UP}")),
        http.post(format!("{origin}/oauth/revoke")).form(&[("token", MADE_UP), ("client_id", "x")]),
        http.post(format!("{}/internal/introspect", stack.internal_url()))
            .bearer_auth(SERVICE_SECRET)
            .form(&[("token", forged.as_str())]),
        http.get(format!("{}/internal/events", stack.internal_url())).bearer_auth(MADE_UP),
        http.get(format!("{}/metrics", stack.internal_url())).bearer_auth(METRICS_SECRET),
        http.post(format!("{}/internal/events", stack.internal_url()))
            .bearer_auth(SERVICE_SECRET)
            .body(format!("{{\"events\":[{{\"id\":\"{MADE_UP}\"}}]}}")),
    ];
    for request in requests {
        request.send().await?;
    }
    Ok(())
}

/// What an operator does meanwhile; all that is said to them.
async fn operate(stack: &Stack) -> Result<String> {
    let config = stack.folder().join("attache.yaml");
    let mut said = String::new();
    for arguments in [
        ["key", "list"].as_slice(),
        &["key", "rotate", "--now"],
        &["client", "list"],
        &["user", "list"],
        &["check"],
        &["doctor"],
        &["doctor", "--json"],
        &["audit", "list"],
        &["audit", "list", "--json"],
    ] {
        let mut command = Command::new(parts::authsvc()?);
        let output = command.args(arguments).arg("-c").arg(&config).output().await?;
        ensure!(!output.stdout.is_empty(), "{arguments:?} said nothing");
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    }
    Ok(said)
}

#[tokio::test]
async fn s64_no_secret_is_in_any_log_at_trace_level() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let receiver = Upstream::failing_once().await?;
    let mut setup = Setup::new().server_with(json!({
        "name": "everything", "url": server.url("/mcp"),
        "credentials": {"header": "x-api-key", "value": SERVER_KEY},
    }));
    setup = setup.webhook(&receiver.url(&format!("/{HOOK_PATH}")), WEBHOOK_SECRET);
    setup.config["authorization"]["embedded"]["key_encryption_secret"] = json!(KEY_SECRET);
    setup.config["service"]["metrics_secret"] = json!(METRICS_SECRET);
    setup.config["service"]["log_level"] = json!("trace");
    setup.filter_log = "trace";
    let hash = setup.config["authorization"]["embedded"]["users"][0]["password_hash"].clone();
    let stack = setup.start().await?;
    let folder = stack.folder().to_owned();

    let mut secrets = Secrets::default();
    for (what, secret) in [
        ("the password", PASSWORD),
        ("the hash of the password", hash.as_str().unwrap_or_default()),
        ("a verifier", VERIFIER),
        ("service.secret", SERVICE_SECRET),
        ("service.metrics_secret", METRICS_SECRET),
        ("key_encryption_secret", KEY_SECRET),
        ("the secret of the webhook", WEBHOOK_SECRET.trim_start_matches("whsec_")),
        ("the path of the webhook", HOOK_PATH),
        ("credentials of a server", SERVER_KEY),
    ] {
        secrets.add(what, secret);
    }
    public_client(&stack, &mut secrets).await?;
    confidential_client(&stack, &mut secrets).await?;
    wrong_requests(&stack, &mut secrets).await?;
    let said = operate(&stack).await?;
    attache_tests::stack::eventually(std::time::Duration::from_secs(60), async || {
        let delivered = receiver.seen().len();
        ensure!(delivered > 5, "{delivered} deliveries");
        Ok(())
    })
    .await?;
    stack.stop().await?;

    let authsvc = fs::read_to_string(folder.join("authsvc.log"))?;
    let envoy = fs::read_to_string(folder.join("envoy.log"))?;
    // That there is something to find them in.
    for told in ["TRACE", "tokens were issued", "a login failed", "delivery failed", "refused"] {
        ensure!(
            authsvc.contains(told),
            "authsvc's log does not have `{told}`: is it at trace level?"
        );
    }
    ensure!(
        envoy.contains("[trace][wasm]"),
        "Envoy's log has nothing of the filter at trace level"
    );
    ensure!(envoy.contains("keys were fetched"), "Envoy's log has nothing that the filter says");
    ensure!(secrets.0.len() > 40, "only {} secrets were used", secrets.0.len());
    assert_eq!(secrets.found_in(&authsvc), Vec::<&str>::new(), "in {folder:?}/authsvc.log");
    assert_eq!(secrets.found_in(&envoy), Vec::<&str>::new(), "in {folder:?}/envoy.log");
    assert_eq!(secrets.found_in(&said), Vec::<&str>::new(), "told to the operator: {said}");
    Ok(())
}

#[tokio::test]
async fn every_line_of_a_request_names_it_as_its_answer_does() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.config["service"]["log"] = json!("json");
    let stack = setup.start().await?;
    let token = format!("{}/oauth/token", stack.public_url());
    let form = [("grant_type", "refresh_token"), ("client_id", "nobody")];
    let answer = http::client().post(token).form(&form).send().await?;
    assert_eq!(answer.status(), 401);
    let id = answer.headers().get("x-request-id").context("no x-request-id in the answer")?;
    let id = id.to_str()?.to_owned();

    let log = fs::read_to_string(stack.folder().join("authsvc.log"))?;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
        .collect::<Result<_>>()?;
    let ours = lines.iter().filter(|line| line["span"]["request_id"] == id.as_str());
    let said: Vec<&str> = ours.clone().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(said, ["a client did not show who it is", "refused", "answered"], "{log}");
    for line in ours {
        assert_eq!(line["span"]["path"], "/oauth/token");
        ensure!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    stack.stop().await
}

#[tokio::test]
async fn an_event_names_its_request_as_the_answer_does() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let answer = Mcp::new(&stack.url("everything"), None).post("{}").await?;
    assert_eq!(answer.status(), 401);
    let id = answer.headers().get("x-request-id").context("no x-request-id in the answer")?;
    let event = stack.event(|event| event["outcome"] == "unauthenticated").await?;
    assert_eq!(event["request_id"], id.to_str()?, "{event}");
    stack.stop().await
}
