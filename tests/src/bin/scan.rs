//! What wapiti finds on the pages that people see: login, consent, account. `make scan`.
//!
//! It attacks each page as somebody who has just come and as somebody who is logged in, over every field and
//! header that it finds there. Whatever it reports fails the run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    oauth::OAuth,
    person::Person,
    stack::{self, Setup, Stack, launch},
    upstream::{Upstream, mcp},
};
use serde_json::Value;

/// Everything that applies to an application without PHP, Java or a shell, and that needs no server of wapiti's
/// own on the Internet.
const MODULES: &str = "cookieflags,crlf,csp,csrf,exec,file,http_headers,methods,permanentxss,\
                       redirect,shellshock,sql,timesql,xss";
/// Flags of a stack that listens on loopback without TLS, which browsers treat as secure: there is no HSTS to
/// send. Anything else that is reported counts.
const WITHOUT_TLS: [&str; 1] = ["Strict-Transport-Security is not set"];

#[tokio::main]
async fn main() -> Result<()> {
    let upstream = Upstream::start(mcp::echo).await?;
    let setup = Setup { folder: Some("scan".to_owned()), ..Setup::new() };
    let stack = setup.server("everything", &upstream.url("/mcp")).start().await?;
    let client = OAuth::register(&stack.url("everything")).await?;
    let request = client.authorization_url("mcp", "scanned")?;

    let mut stranger = Person::admin();
    let login = stranger.open(&request).await?;
    let mut user = Person::admin();
    user.authorize(&request).await?;
    let consent = user.open(&request).await?;
    let account = format!("{}/account", stack.public_url());

    let mut findings = Vec::new();
    for (name, page, cookie) in [
        ("login", login.as_str(), stranger.cookie()),
        ("consent", consent.as_str(), user.cookie()),
        ("account", account.as_str(), user.cookie()),
    ] {
        let report = wapiti(&stack, name, page, cookie).await?;
        findings.extend(found(name, &report));
    }
    // It is still there, and whoever was logged in has not become somebody else.
    let again = OAuth::register(&stack.url("everything")).await?;
    again.authorize(&mut Person::new(stack::EMAIL, stack::PASSWORD), "mcp").await?;
    stack.stop().await?;
    ensure!(findings.is_empty(), "wapiti found:\n{}", findings.join("\n"));
    println!("wapiti found nothing on the pages login, consent and account");
    Ok(())
}

async fn wapiti(stack: &Stack, name: &str, page: &str, cookie: String) -> Result<Value> {
    let program = PathBuf::from(std::env::var("WAPITI").context("`make scan` sets WAPITI")?);
    let folder = stack.folder().join(name);
    fs::create_dir_all(&folder)?;
    let report = folder.join("report.json");
    let mut command = Command::new(program);
    command.args(["--url", stack.public_url(), "--start", page, "--scope", "folder"]);
    command.args(["--module", MODULES, "--header", &format!("Cookie: {cookie}")]);
    command.args(["--depth", "3", "--level", "2", "--max-attack-time", "120"]);
    command.args(["--format", "json", "--verbose", "0", "--no-bugreport", "--flush-session"]);
    command.arg("--output").arg(&report).arg("--store-session").arg(folder.join("session"));
    command.arg("--store-config").arg(folder.join("config"));
    tokio::task::spawn_blocking(move || launch::run("wapiti", command)).await??;
    read(&report)
}

fn read(report: &Path) -> Result<Value> {
    let text = fs::read_to_string(report).with_context(|| format!("{}", report.display()))?;
    let report: Value = serde_json::from_str(&text)?;
    let pages = report["infos"]["crawled_pages_nbr"].as_u64().unwrap_or_default();
    ensure!(pages > 0, "wapiti read no page: {}", report["infos"]);
    println!("{}: {pages} pages", report["infos"]["target"]);
    Ok(report)
}

/// Each finding in a line.
fn found(name: &str, report: &Value) -> Vec<String> {
    let kinds =
        ["vulnerabilities", "anomalies"].into_iter().filter_map(|kind| report[kind].as_object());
    let findings = kinds.flatten().flat_map(|(kind, list)| {
        let list = list.as_array().into_iter().flatten();
        list.map(move |one| {
            format!("{name}: {kind}: {} {} {}", one["method"], one["path"], one["info"])
        })
    });
    findings.filter(|line| !WITHOUT_TLS.iter().any(|known| line.contains(known))).collect()
}
