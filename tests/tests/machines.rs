//! Programs that act for themselves get tokens without a user, by a secret or by a key, with the official SDK.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    person::Person,
    script::Script,
    servers,
    stack::{Setup, Stack, parts},
};
use serde_json::{Value, json};

const SECRET: &str = "the-secret-of-a-program-that-works-at-night";
const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

fn start(arguments: &[&str]) -> Result<Script> {
    let script = parts::root().join("tests/clients/machine_client.py");
    Script::start(&parts::python()?, &script, arguments)
}

/// A key pair of the SDK's own library: the private part in `folder`, the public one as an entry of the configuration.
async fn program(algorithm: &str, folder: &Path) -> Result<Value> {
    let file = folder.join(algorithm);
    let mut script = start(&["keys", algorithm, file.to_str().context("path")?])?;
    let jwks = script.said("jwks", &mut Person::admin()).await?;
    Ok(json!({
        "id": format!("by-key-{algorithm}"),
        "jwks": jwks.to_string(),
        "servers": ["everything"],
        "groups": ["robots"],
    }))
}

/// It lists and calls, and what it did is told of it.
async fn works(mut script: Script, id: &str, stack: &Stack) -> Result<()> {
    let mut nobody = Person::admin();
    let tools = script.said("tools", &mut nobody).await?;
    ensure!(tools.to_string().contains("list_cities"), "{tools}");
    let result = script.said("result", &mut nobody).await?;
    ensure!(result["isError"] != true, "{result}");
    let intent = format!("Work at night as {id}");
    let event = stack.event(|event| event["intent"]["text"] == intent.as_str()).await?;
    ensure!(event["subject"] == id && event["client_id"] == id, "{event}");
    ensure!(event["email"].is_null(), "{event}");
    Ok(())
}

#[tokio::test]
async fn programs_call_tools_without_a_user() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = servers::demo(folder.path()).await?;
    let mut setup = Setup::new().server("everything", &server.url);
    let mut programs = vec![json!({
        "id": "by-secret", "secret": SECRET, "servers": ["everything"], "groups": ["robots"],
    })];
    for algorithm in ALGORITHMS {
        programs.push(program(algorithm, folder.path()).await?);
    }
    setup.config["authorization"]["embedded"]["machine_clients"] = json!(programs);
    let stack = setup.start().await?;
    let (url, issuer) = (stack.url("everything"), stack.config("/public_url").to_owned());

    works(start(&["secret", &issuer, &url, SECRET])?, "by-secret", &stack).await?;
    for algorithm in ALGORITHMS {
        let file = folder.path().join(algorithm);
        let script = start(&["key", &issuer, &url, algorithm, file.to_str().context("path")?])?;
        works(script, &format!("by-key-{algorithm}"), &stack).await.context(algorithm)?;
    }
    stack.stop().await
}
