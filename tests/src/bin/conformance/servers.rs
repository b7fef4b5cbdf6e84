//! The suite as a client: of real servers, and of the same servers behind the gateway.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use attache_tests::{
    oauth,
    servers::{self, Server},
    stack::{Setup, Stack},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    hop::Hop,
    run::{Group, REVISIONS},
    suite::Suite,
};

/// What stands behind the gateway.
#[derive(Clone, Copy, Debug)]
enum Upstream {
    /// The Python SDK's everything-server: replies are event streams.
    Python,
    /// The same with JSON replies.
    PythonJson,
    /// The demo server of the TypeScript SDK's authors: the legacy era only.
    ServerEverything,
}

/// How the gateway is set up.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// No analytics, no token.
    Off,
    /// Every argument injected, every intent captured.
    Analytics,
    /// The same behind a token.
    Token,
}

impl Upstream {
    const ALL: [Self; 3] = [Self::Python, Self::PythonJson, Self::ServerEverything];

    const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::PythonJson => "python-json",
            Self::ServerEverything => "server-everything",
        }
    }

    async fn start(self, logs: &Path) -> Result<Server> {
        match self {
            Self::Python => servers::python(logs).await,
            Self::PythonJson => servers::python_with_json_replies(logs).await,
            Self::ServerEverything => servers::server_everything(logs).await,
        }
    }
}

impl Way {
    const ALL: [Self; 3] = [Self::Off, Self::Analytics, Self::Token];

    const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Analytics => "analytics",
            Self::Token => "token",
        }
    }

    /// The server's entry in `attache.yaml`.
    fn server(self, name: &str, url: &str) -> Value {
        let (authentication, analytics) = match self {
            Self::Off => ("none", analytics_off()),
            Self::Analytics => ("none", analytics_on()),
            Self::Token => ("required", analytics_on()),
        };
        json!({"name": name, "url": url, "authentication": authentication, "analytics": analytics})
    }
}

/// Nothing is injected and nothing captured.
pub fn analytics_off() -> Value {
    json!({"capture": "off"})
}

/// All that there is.
pub fn analytics_on() -> Value {
    json!({"capture": "intent", "arguments": ["intent", "prompt", "history"]})
}

/// Every server in every set-up, both revisions.
///
/// # Errors
/// When something does not start, or the suite leaves no results.
pub async fn all(suite: &Suite) -> Result<Vec<Group>> {
    let gateway = Gateway::start(suite, &Upstream::ALL, &Way::ALL).await?;
    let (python, json, everything) = tokio::join!(
        gateway.groups(suite, Upstream::Python),
        gateway.groups(suite, Upstream::PythonJson),
        gateway.groups(suite, Upstream::ServerEverything),
    );
    let mut groups = python?;
    groups.append(&mut json?);
    groups.append(&mut everything?);
    gateway.stack.stop().await?;
    Ok(groups)
}

/// One server, with everything on.
///
/// # Errors
/// When something does not start, or the suite leaves no results.
pub async fn smoke(suite: &Suite) -> Result<Vec<Group>> {
    let gateway = Gateway::start(suite, &[Upstream::Python], &[Way::Token]).await?;
    let groups = gateway.groups(suite, Upstream::Python).await?;
    gateway.stack.stop().await?;
    Ok(groups)
}

/// One gateway with an endpoint for every server in every set-up.
#[derive(Debug)]
struct Gateway {
    servers: Vec<(Upstream, Server)>,
    ways: Vec<Way>,
    stack: Stack,
    hop: Hop,
}

impl Gateway {
    async fn start(suite: &Suite, upstreams: &[Upstream], ways: &[Way]) -> Result<Self> {
        let logs = suite.results().join("servers");
        fs::create_dir_all(&logs)?;
        let mut setup = Setup { workers: 2, folder: Some("servers".to_owned()), ..Setup::new() };
        let mut servers = Vec::new();
        for &upstream in upstreams {
            let server = upstream.start(&logs).await.context(upstream.name())?;
            for way in ways {
                setup = setup.server_with(way.server(&endpoint(upstream, *way), &server.url));
            }
            servers.push((upstream, server));
        }
        let stack = setup.start().await?;
        let mut tokens = Vec::new();
        for &upstream in upstreams {
            let url = stack.url(&endpoint(upstream, Way::Token));
            let (_, token) = oauth::connect(&url).await.context("a token")?;
            tokens.push((Url::parse(&url)?.path().to_owned(), token.access));
        }
        let hop = Hop::start(stack.listen(), &tokens, stack.folder()).await?;
        Ok(Self { servers, ways: ways.to_vec(), stack, hop })
    }

    /// Every run of one server, one after the other: some scenarios change what the server says to all.
    async fn groups(&self, suite: &Suite, upstream: Upstream) -> Result<Vec<Group>> {
        let server = self.servers.iter().find(|(one, _)| one.name() == upstream.name());
        let (_, server) = server.with_context(|| format!("no {}", upstream.name()))?;
        let mut groups = Vec::new();
        for revision in REVISIONS {
            let name = |way: &str| format!("{}/{revision}/{way}", upstream.name());
            let direct = suite.server(&name("direct"), &server.url, revision).await?;
            let mut group = Group::new(upstream.name(), revision, direct);
            for &way in &self.ways {
                let url = self.url(upstream, way)?;
                let through = suite.server(&name(way.name()), &url, revision).await?;
                group.add(way.name(), through);
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn url(&self, upstream: Upstream, way: Way) -> Result<String> {
        let url = self.stack.url(&endpoint(upstream, way));
        Ok(match way {
            Way::Off | Way::Analytics => url,
            Way::Token => self.hop.url(Url::parse(&url)?.path()),
        })
    }
}

fn endpoint(upstream: Upstream, way: Way) -> String {
    format!("{}-{}", upstream.name(), way.name())
}
