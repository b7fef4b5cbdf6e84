//! `make conformance`: what the official suite says of servers, clients and authsvc, direct and through the gateway.
//!
//! - [`servers`], [`clients`], [`authorization`]: the three modes of the suite
//! - [`suite`]: the suite as a program; [`report`]: what it found
//! - [`compare`]: check by check; [`expected`]: the differences that are known; [`table`]: all of it
//! - [`hop`]: an Envoy that adds a token

use std::{env, process::ExitCode};

use anyhow::{Result, bail};
use attache_tests::stack::parts;

mod authorization;
mod clients;
mod compare;
mod expected;
mod hop;
mod report;
mod run;
mod servers;
mod suite;
mod table;

use run::{Compared, Group};
use suite::Suite;

/// How much is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scope {
    All,
    /// One server, with everything on.
    Smoke,
    /// The authorization server alone.
    Authorization,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let well = match *arguments {
        [] => conformance(Scope::All).await?,
        ["--smoke"] => conformance(Scope::Smoke).await?,
        ["--authorization"] => conformance(Scope::Authorization).await?,
        ["between", way, server] => clients::between(way, server).await?,
        _ => bail!("usage: conformance [--smoke | --authorization]"),
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn conformance(scope: Scope) -> Result<bool> {
    let suite = Suite::installed()?;
    let expected = expected::read(&parts::root().join("tests/conformance/expected.yaml"))?;
    let groups = match scope {
        Scope::Smoke => servers::smoke(&suite).await?,
        Scope::Authorization => authorization::all(&suite).await?,
        Scope::All => everything(&suite).await?,
    };
    table::write(&mut std::io::stdout().lock(), &groups, &expected)?;

    let compared: Vec<Compared> = groups.into_iter().flat_map(|group| group.through).collect();
    let judgement = expected::judge(&expected, &compared);
    for line in &judgement.unexpected {
        eprintln!("{line}");
    }
    for line in &judgement.stale {
        eprintln!("in expected.yaml, and not so: {line}");
    }
    let unused = match scope {
        Scope::All => expected::unused(&expected, &compared),
        Scope::Smoke | Scope::Authorization => Vec::new(),
    };
    for check in &unused {
        eprintln!("in expected.yaml, and of no run: {check}");
    }
    eprintln!(
        "\n{} runs through the gateway: {} checks worse or missing, {} stale entries; {}",
        compared.len(),
        judgement.unexpected.len(),
        judgement.stale.len() + unused.len(),
        suite.results().display()
    );
    Ok(judgement.unexpected.is_empty() && judgement.stale.is_empty() && unused.is_empty())
}

async fn everything(suite: &Suite) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = servers::all(suite).await?;
    groups.append(&mut clients::all(suite).await?);
    groups.append(&mut authorization::all(suite).await?);
    Ok(groups)
}
