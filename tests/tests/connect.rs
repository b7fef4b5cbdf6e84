//! A client that knows only the URL of an MCP server connects, and its calls become events.

use anyhow::{Context as _, Result};
use attache_tests::{
    mcp::Mcp,
    oauth::{self, OAuth},
    person::Person,
    stack::{EMAIL, Setup, WEBHOOK_SECRET},
    upstream::{Answer, Upstream, mcp},
};
use serde_json::json;
use standardwebhooks::Webhook;

#[tokio::test]
async fn a_client_that_knows_only_the_url_gets_in_and_its_call_becomes_an_event_that_says_why()
-> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let stack = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET).start().await?;
    let url = stack.url("everything");

    let client = OAuth::register(&url).await?;
    let challenge = &client.discovered.challenge;
    assert_eq!(oauth::parameter(challenge, "scope"), Some("mcp"), "{challenge}");
    assert_eq!(oauth::parameter(challenge, "error"), None, "no token is no error: {challenge}");
    let mut person = Person::admin();
    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let consent = person.pages.last().context("no page was shown")?;
    for shown in ["Plain HTTP", "127.0.0.1", "mcp", EMAIL] {
        assert!(consent.contains(shown), "the consent page does not name {shown}:\n{consent}");
    }
    let tokens = client.exchange(&code).await?;
    let (header, claims) = oauth::claims(&tokens.access)?;
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(claims["iss"], stack.public_url());
    assert_eq!(claims["aud"], json!(url));
    assert_eq!(claims["email"], EMAIL);
    assert_eq!(claims["client_id"], json!(client.client_id));

    let session = Mcp::initialized(&url, &tokens.access).await?;
    let tools = session.tools().await?;
    let properties = &tools[0]["inputSchema"]["properties"];
    assert!(properties["attache_intent"]["description"].is_string(), "not injected: {tools:?}");
    assert_eq!(properties["text"], json!({"type": "string"}), "the tool's own argument changed");
    let arguments = json!({"text": "good morning", "attache_intent": "to greet the team"});
    let answer = session.call("echo", arguments).await?;
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"text":"good morning"}"#);

    for request in server.seen() {
        assert!(!request.text().contains("attache_"), "reached the server: {}", request.text());
        assert_eq!(request.header("authorization"), None, "the caller's token reached the server");
    }
    let event = stack.event(|event| event["method"] == "tools/call").await?;
    assert_eq!(event["name"], "echo");
    assert_eq!(event["server"], "everything");
    assert_eq!(event["outcome"], "ok");
    assert_eq!(event["email"], EMAIL);
    assert_eq!(event["intent"]["text"], "to greet the team");

    let delivered =
        receiver.wait_for(|request| request.text().contains("to greet the team")).await?;
    let mut headers = axum::http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, delivered.header(name).context(name)?.parse()?);
    }
    Webhook::new(WEBHOOK_SECRET)?.verify(&delivered.body, &headers)?;
    stack.stop().await
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_reuse_ends_the_family() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.config["authorization"]["embedded"]["refresh_grace"] = json!("0s");
    let stack = setup.start().await?;
    let url = stack.url("everything");
    let (client, first) = oauth::connect(&url).await?;
    let used = first.refresh.context("no refresh token")?;

    let second = client.refresh(&used).await?;
    let current = second.refresh.context("no new refresh token")?;
    assert_ne!(used, current, "the refresh token did not rotate");
    assert!(!Mcp::initialized(&url, &second.access).await?.tools().await?.is_empty());

    for dead in [&used, &current] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", dead),
            ("client_id", &client.client_id),
        ];
        let refused = client.ask(&form).await?;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.json::<serde_json::Value>().await?["error"], "invalid_grant");
    }
    Ok(())
}

#[tokio::test]
async fn a_code_that_is_used_twice_takes_back_what_it_gave() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let code = client.authorize(&mut Person::admin(), "mcp offline_access").await?;
    let tokens = client.exchange(&code).await?;
    let replayed = client.exchange(&code).await.expect_err("a code was taken twice");
    assert!(format!("{replayed:#}").contains("invalid_grant"), "{replayed:#}");
    let refresh = tokens.refresh.context("no refresh token")?;
    let refused = client.refresh(&refresh).await.expect_err("the family lives after a replay");
    assert!(format!("{refused:#}").contains("invalid_grant"), "{refused:#}");
    Ok(())
}

#[tokio::test]
async fn a_person_who_has_consented_is_not_asked_for_the_password_again() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let mut person = Person::admin();
    client.authorize(&mut person, "mcp").await?;
    person.pages.clear();
    client.authorize(&mut person, "mcp").await?;
    let asked = person.pages.iter().any(|page| page.contains(r#"name="password""#));
    assert!(!asked, "a live session was asked to log in again");
    Ok(())
}
