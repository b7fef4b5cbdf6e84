//! `docs/openapi.yaml` says what authsvc does, and authsvc does what it says, whatever it is sent.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    stack::{Setup, launch, parts},
    upstream::{Upstream, mcp},
};
use serde_json::Value;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// Method and path of each operation that is described.
fn described() -> Result<BTreeSet<(String, String)>> {
    let text = fs::read_to_string(parts::root().join("docs/openapi.yaml"))?;
    let document: Value = serde_saphyr::from_str(&text)?;
    let paths = document["paths"].as_object().context("no paths")?;
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = METHODS.into_iter().filter(|method| item.get(*method).is_some());
        methods.map(|method| (method.to_owned(), path.clone()))
    });
    Ok(operations.collect())
}

/// Those of the table in `authsvc/src/routes.rs` that the public may reach.
fn served() -> Result<BTreeSet<(String, String)>> {
    let text = fs::read_to_string(parts::root().join("authsvc/src/routes.rs"))?;
    let (table, _) = text.split_once("#[cfg(test)]").context("no tests")?;
    let table = with_constants(table)?;
    let routes = table.split(".route(").skip(1).filter_map(|rest| {
        let (_, rest) = rest.split_once('"')?;
        let (path, rest) = rest.split_once('"')?;
        let handlers = rest.split(';').next()?;
        Some((path.replace("{*", "{"), handlers.to_owned()))
    });
    let public = routes.filter(|(path, _)| {
        !path.starts_with("/internal/") && !["/metrics", "/status"].contains(&path.as_str())
    });
    let operations = public.flat_map(|(path, handlers)| {
        let methods = METHODS.into_iter().filter(move |method| {
            [format!(" {method}("), format!(".{method}(")]
                .iter()
                .any(|call| handlers.contains(call))
        });
        methods.map(move |method| (method.to_owned(), path.clone())).collect::<Vec<_>>()
    });
    Ok(operations.collect())
}

/// Paths that the table takes from where the documents are made, as texts.
fn with_constants(table: &str) -> Result<String> {
    let text = fs::read_to_string(parts::root().join("authsvc/src/discovery.rs"))?;
    let mut table = table.to_owned();
    for line in text.lines() {
        let constant =
            line.strip_prefix("pub const ").and_then(|line| line.split_once(": &str = "));
        if let Some((name, value)) = constant {
            table = table.replace(
                &format!("discovery::{name},"),
                &format!("{},", value.trim_end_matches(';')),
            );
        }
    }
    Ok(table)
}

#[test]
fn every_public_route_is_described_and_nothing_else() -> Result<()> {
    let (described, served) = (described()?, served()?);
    ensure!(served.len() > 15, "only {} routes: is the table read right?", served.len());
    let missing: Vec<_> = served.difference(&described).collect();
    ensure!(missing.is_empty(), "docs/openapi.yaml lacks {missing:?}");
    let gone: Vec<_> = described.difference(&served).collect();
    ensure!(gone.is_empty(), "docs/openapi.yaml describes {gone:?}, which authsvc does not serve");
    Ok(())
}

/// About a thousand requests, the same each time: right, nearly right, and wrong in each place.
#[tokio::test]
async fn what_schemathesis_makes_of_the_description_is_answered_as_described() -> Result<()> {
    let upstream = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &upstream.url("/mcp")).start().await?;
    let mut command = Command::new(parts::python()?.with_file_name("schemathesis"));
    command.arg("run").arg(parts::root().join("docs/openapi.yaml"));
    command.args(["--url", stack.public_url(), "--exclude-tag", "probes", "--no-color"]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25"]);
    command.args(["--generation-deterministic", "--max-redirects", "0", "--warnings", "off"]);
    command.args(["--suppress-health-check", "all", "--continue-on-failure", "--checks"]);
    command.arg(
        "not_a_server_error,status_code_conformance,content_type_conformance,\
         response_headers_conformance,response_schema_conformance",
    );
    // It leaves what it found in the folder that it runs in.
    command.current_dir(stack.folder()).stdin(std::process::Stdio::null());
    let report = tokio::task::spawn_blocking(|| launch::run("schemathesis", command)).await??;
    let operations = described()?.len() - 2;
    ensure!(report.contains(&format!("Tested: {operations}")), "{report}");
    stack.stop().await
}
