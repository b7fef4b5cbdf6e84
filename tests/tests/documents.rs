//! A client whose id is the URL of a document about it connects without a registration, with the official SDK.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    certificates::{self, Pair},
    http,
    person::Person,
    script::Script,
    servers,
    stack::{Setup, Stack, parts},
};
use serde_json::{Value, json};

/// The web site of a client, and the id that it has by it.
async fn site(folder: &Path, metadata: &Value) -> Result<(Script, String)> {
    let Pair { certificate, key } = certificates::self_signed(folder)?;
    let program = parts::root().join("tests/clients/documents.py");
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap_or_default());
    let mut script = Script::start(&parts::python()?, &program, &[certificate, key])?;
    script.say(&metadata.to_string()).await?;
    let id = script.said("id", &mut Person::admin()).await?;
    Ok((script, id.as_str().context("no id")?.to_owned()))
}

async fn stack(folder: &Path, url: &str) -> Result<Stack> {
    let mut setup = Setup::new().server("everything", url);
    setup.config["authorization"]["embedded"]["client_id_metadata_documents"] =
        json!({"hosts": ["localhost"], "allow_private": true});
    let trusted = folder.join("certificate.pem").to_str().context("path")?.to_owned();
    setup.environment.push(("SSL_CERT_FILE", trusted));
    setup.start().await
}

#[tokio::test]
async fn a_client_with_a_document_needs_no_registration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = servers::demo(folder.path()).await?;
    let metadata = json!({
        "client_name": "Documented", "redirect_uris": ["http://localhost/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let (_site, id) = site(folder.path(), &metadata).await?;
    let stack = stack(folder.path(), &server.url).await?;

    let arguments = json!({"attache_intent": "Say what I am"}).to_string();
    let program = parts::root().join("tests/clients/sdk_client.py");
    let url = stack.url("everything");
    let mut client =
        Script::start(&parts::python()?, &program, &[&url, "list_cities", &arguments, &id])?;
    let mut person = Person::admin();
    client.said("result", &mut person).await?;
    ensure!(client.said("rotated", &mut person).await? == true, "the refresh token is the same");
    ensure!(client.said("done", &mut person).await? == true, "not done");
    let event = stack.event(|event| event["intent"]["text"] == "Say what I am").await?;
    ensure!(event["client_id"] == id.as_str(), "{event}");

    let metadata = format!("{}/.well-known/oauth-authorization-server", stack.public_url());
    let metadata: Value = http::client().get(metadata).send().await?.json().await?;
    ensure!(metadata["client_id_metadata_document_supported"] == true, "{metadata}");
    stack.stop().await
}
