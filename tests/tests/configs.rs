//! Every configuration that we ship or show is right, and what is rendered from it is what Envoy takes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use attache_tests::stack::{Setup, launch, parts};
use serde_json::json;
use tempfile::TempDir;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$WkUAwWl78GorH5gCe8nZng$o7DwNs18MlFJH9Yblijxi30N0iqYxyYhhnFKOOFeo9Q";

/// What the shipped files take from the environment.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("ADMIN_PASSWORD_HASH", HASH),
    ("ATTACHE_SECRET", "a-secret-of-the-tests-that-is-long-enough"),
    ("SERVER_KEY", "a-key"),
];

fn authsvc(arguments: &[&str], config: &Path) -> Result<String> {
    let mut command = Command::new(parts::authsvc()?);
    command.args(arguments).arg("-c").arg(config).envs(ENVIRONMENT);
    launch::run(&format!("authsvc {} of {}", arguments.join(" "), config.display()), command)
}

/// Writes `yaml` with the filter where it really is.
fn written(folder: &TempDir, yaml: &str) -> Result<PathBuf> {
    let wasm = parts::wasm()?.display().to_string();
    let path = folder.path().join("attache.yaml");
    fs::write(&path, yaml.replace("/etc/envoy/attache.wasm", &wasm))?;
    Ok(path)
}

/// Renders it twice, and has Envoy check the result.
fn envoy_takes_it(config: &Path) -> Result<()> {
    let rendered = authsvc(&["render", "envoy"], config)?;
    assert_eq!(rendered, authsvc(&["render", "envoy"], config)?, "two renderings differ");
    let bootstrap = config.with_file_name("envoy.yaml");
    fs::write(&bootstrap, rendered)?;
    launch::validate(&bootstrap)
}

/// The fenced blocks of this language in a document.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn the_shipped_example_renders_to_what_envoy_takes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = written(&folder, &fs::read_to_string(parts::root().join("envoy/attache.yaml"))?)?;
    authsvc(&["check"], &config)?;
    envoy_takes_it(&config)
}

#[test]
fn every_attache_yaml_in_the_documents_is_right() -> Result<()> {
    for document in ["README.md", "envoy/README.md"] {
        let text = fs::read_to_string(parts::root().join(document)).context(document)?;
        for yaml in blocks(&text, "yaml").into_iter().filter(|yaml| yaml.contains("public_url:")) {
            // A document shows how a hash begins.
            let yaml = yaml.replace("$argon2id$...", HASH).replace("$argon2id$…", HASH);
            let folder = tempfile::tempdir()?;
            authsvc(&["check"], &written(&folder, &yaml)?).context(document)?;
        }
    }
    Ok(())
}

#[test]
fn a_first_file_is_right_is_private_and_is_not_overwritten() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("attache.yaml");
    let wasm = parts::wasm()?.display().to_string();
    let init = ["init", "--server", "demo=http://127.0.0.1:3001/mcp", "--wasm", &wasm];
    let said = authsvc(&init, &config)?;
    assert!(said.contains("password"), "{said}");
    authsvc(&["check"], &config)?;
    envoy_takes_it(&config)?;
    let before = fs::read(&config)?;
    authsvc(&init, &config).expect_err("an existing file was overwritten");
    assert_eq!(fs::read(&config)?, before);
    Ok(())
}

#[test]
fn envoy_takes_everything_that_can_be_configured() -> Result<()> {
    let mut setup = Setup::new()
        .server("plain", "http://127.0.0.1:3001/mcp")
        .server("root", "http://127.0.0.1:3002/")
        .server_with(json!({
            "name": "tls", "url": "https://mcp.example.com/a/b", "path": "/t", "authentication": "optional",
            "scopes": ["mcp", "tls"], "credentials": {"header": "x-api-key", "value": "${SERVER_KEY} 100% $"},
            "allowed_origins": ["https://app.example"], "timeout": "30s",
            "analytics": {"arguments": ["intent", "prompt", "history"], "capture": "intent", "exempt": ["x"]},
        }))
        .server_with(json!({"name": "open", "url": "http://[::1]:3003/mcp", "authentication": "none", "forward_token": true}))
        .webhook("https://hooks.example/x", "whsec_dGhlIHNlY3JldCBvZiB0aGUgd2ViaG9vayBvZiB0aGUgdGVzdHM=");
    setup.config["public_url"] = json!("https://gateway.example");
    setup.config["envoy"]["wasm"] = json!("/etc/envoy/attache.wasm");
    setup.config["authorization"]["embedded"]["signing"] = json!("ES256");
    let folder = tempfile::tempdir()?;
    envoy_takes_it(&written(&folder, &setup.config.to_string())?)
}
