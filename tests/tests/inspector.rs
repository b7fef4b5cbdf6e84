//! MCP Inspector in a real browser.

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    person::Person,
    script::Script,
    servers,
    stack::{EMAIL, PASSWORD, Setup, parts, ports},
};

#[tokio::test]
async fn the_web_page_of_mcp_inspector() -> Result<()> {
    parts::chromium()?;
    let logs = tempfile::tempdir()?;
    let server = servers::server_everything(logs.path()).await?;
    let stack = Setup::new().server("everything", &server.url).start().await?;
    let script = parts::root().join("tests/clients/inspector_web.mjs");
    let folder = parts::root().join("target/screenshots/inspector");
    let folder = folder.to_str().context("a path in UTF-8")?;
    let (url, port) = (stack.url("everything"), ports::free().port().to_string());
    let arguments = [url.as_str(), "echo", &port, EMAIL, PASSWORD, folder];
    let mut client = Script::start(&parts::node_22()?, &script, &arguments)?;
    ensure!(client.said("done", &mut Person::admin()).await? == true, "not done");
    let event = stack.event(|event| event["intent"]["text"] == "Check the inspector").await?;
    ensure!(event["outcome"] == "ok" && event["email"] == EMAIL, "{event}");
    stack.stop().await
}
