//! What a page of an attacker can do to a person who is logged in, in a real browser: nothing.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    oauth::{OAuth, REDIRECT_URI},
    person::Person,
    script::Script,
    stack::{EMAIL, PASSWORD, Setup, parts},
    upstream::{Upstream, mcp},
};
use serde_json::Value;

#[tokio::test]
async fn clickjacking_cross_site_forms_and_session_fixation() -> Result<()> {
    parts::chromium()?;
    let upstream = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let url = client.authorization_url("mcp", "state")?;
    let script = parts::root().join("tests/clients/evil.mjs");
    let arguments = [url.as_str(), EMAIL, PASSWORD];
    let mut browser = Script::start(Path::new("node"), &script, &arguments)?;
    let attacks = browser.said("attacks", &mut Person::admin()).await?;

    let frames = attacks["clickjacking"].as_array().context("frames")?;
    let buttons = frames.iter().map(|frame| frame["buttons"].as_u64());
    let expected = [Some(0), Some(0), Some(0), Some(1)];
    ensure!(buttons.eq(expected), "buttons in frames, ours and the attacker's own: {attacks}");
    ensure!(attacks["reading"] == "nothing", "read from elsewhere: {attacks}");
    for form in
        ["consent_with_everything_stolen", "consent_with_his_token", "login_as_the_attacker"]
    {
        let answer = &attacks[form];
        let status = answer["status"].as_u64().unwrap_or_default();
        ensure!((400..500).contains(&status), "{form}: {answer}");
        ensure!(answer["location"] == Value::Null, "{form}: {answer}");
    }
    let fixation = &attacks["fixation"];
    ensure!(fixation["planted"].as_u64() >= Some(1), "no cookie to plant: {fixation}");
    ensure!(fixation["must_log_in"] == true, "logged in by a planted cookie: {fixation}");

    let own = attacks["own_click"].as_str().context("the person's own click")?;
    ensure!(own.starts_with(REDIRECT_URI) && own.contains("code="), "{own}");
    stack.stop().await
}
