//! Envoy with the filter, and authsvc, on free ports of loopback.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

mod expect;
mod folder;
pub mod launch;
pub mod parts;
pub mod ports;
pub mod postgres;
mod process;
pub mod replicas;

pub use expect::eventually;
pub use folder::fresh as fresh_folder;
pub use process::Process;

use crate::http;

/// Who may log in.
pub const EMAIL: &str = "admin@example.com";

/// Their password.
pub const PASSWORD: &str = "correct horse battery staple";

/// Argon2id of [`PASSWORD`].
const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$WkUAwWl78GorH5gCe8nZng$o7DwNs18MlFJH9Yblijxi30N0iqYxyYhhnFKOOFeo9Q";

/// Secret between the filter and authsvc.
pub const SERVICE_SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// Secret of a webhook.
pub const WEBHOOK_SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiB0aGUgd2ViaG9vayBvZiB0aGUgdGVzdHM=";

/// What a stack is started from: `attache.yaml` as a value, all of it open to a test.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration; YAML understands it as JSON.
    pub config: Value,
    /// Worker threads of Envoy.
    pub workers: usize,
    /// Its folder, where the name of the test will not do: programs that run side by side.
    pub folder: Option<String>,
    /// What a test wants otherwise in Envoy's configuration: a text that is rendered, and what stands there instead.
    pub instead: Vec<(&'static str, &'static str)>,
    /// What is in authsvc's environment besides.
    pub environment: Vec<(&'static str, String)>,
    /// The least that the filter logs.
    pub filter_log: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// One user, no server, everything on free ports.
    #[must_use]
    pub fn new() -> Self {
        let listen = ports::free();
        let config = json!({
            "public_url": format!("http://localhost:{}", listen.port()),
            "listen": listen,
            "authorization": {"embedded": {"users": [{"email": EMAIL, "password_hash": PASSWORD_HASH, "groups": ["staff"]}]}},
            "database": "sqlite://attache.db",
            "service": {"listen": ports::free(), "internal": ports::free(), "secret": SERVICE_SECRET},
            "envoy": {"admin": ports::free()},
            "servers": [],
        });
        Self {
            config,
            workers: 1,
            folder: None,
            instead: Vec::new(),
            environment: Vec::new(),
            filter_log: "info",
        }
    }

    /// Adds a server; its endpoint is `/{name}/mcp`.
    #[must_use]
    pub fn server(self, name: &str, url: &str) -> Self {
        self.server_with(json!({"name": name, "url": url}))
    }

    /// Adds a server with more to say about it.
    #[must_use]
    pub fn server_with(mut self, server: Value) -> Self {
        if let Some(servers) = self.config["servers"].as_array_mut() {
            servers.push(server);
        }
        self
    }

    /// Where a provider sends the browser back to, before the gateway runs.
    #[must_use]
    pub fn callback(&self, provider: &str) -> String {
        format!("{}/oauth/callback/{provider}", text(&self.config, "/public_url"))
    }

    /// Sends events to a webhook on loopback.
    #[must_use]
    pub fn webhook(mut self, url: &str, secret: &str) -> Self {
        self.config["analytics"]["webhook"] =
            json!({"url": url, "secret": secret, "allow_private": true});
        self
    }

    /// Starts it all and waits until it serves.
    ///
    /// # Errors
    /// Which part failed, why, and where its log is.
    pub async fn start(mut self) -> Result<Stack> {
        self.config["envoy"]["wasm"] = json!(parts::wasm()?);
        let folder = folder::fresh(self.folder.as_deref())?;
        let (authsvc, envoy) = Stack::start(&self, &folder)
            .await
            .with_context(|| format!("the stack in {}", folder.display()))?;
        let Self { config, workers, .. } = self;
        Ok(Stack { authsvc, envoy, config, folder, workers })
    }
}

/// A running gateway. Dropping it ends its parts; its files stay until the test runs again.
#[derive(Debug)]
pub struct Stack {
    /// The service.
    pub authsvc: Process,
    /// The proxy.
    pub envoy: Process,
    config: Value,
    folder: PathBuf,
    workers: usize,
}

impl Stack {
    async fn start(setup: &Setup, folder: &Path) -> Result<(Process, Process)> {
        let config = folder.join("attache.yaml");
        let bootstrap = folder.join("envoy.yaml");
        fs::write(&config, serde_json::to_vec_pretty(&setup.config)?)?;
        launch::render(&config, &bootstrap)?;
        for (rendered, instead) in &setup.instead {
            let text = fs::read_to_string(&bootstrap)?;
            ensure!(text.contains(rendered), "`{rendered}` is not rendered");
            fs::write(&bootstrap, text.replace(rendered, instead))?;
        }

        let authsvc =
            launch::authsvc_with(&config, &folder.join("authsvc.log"), &setup.environment);
        let mut authsvc = authsvc.context("authsvc")?;
        let ready = format!("http://{}/ready", text(&setup.config, "/service/internal"));
        launch::ready(&mut authsvc, &ready).await?;

        let (log, level) = (folder.join("envoy.log"), setup.filter_log);
        let mut envoy = launch::envoy_telling(&bootstrap, setup.workers, &log, level)?;
        let admin = format!("http://{}/ready", text(&setup.config, "/envoy/admin"));
        launch::ready(&mut envoy, &admin).await?;
        let metadata = format!(
            "{}/.well-known/oauth-authorization-server",
            text(&setup.config, "/public_url")
        );
        launch::ready(&mut envoy, &metadata).await?;
        Ok((authsvc, envoy))
    }

    /// The origin that clients use.
    #[must_use]
    pub fn public_url(&self) -> &str {
        text(&self.config, "/public_url")
    }

    /// A text of its configuration; empty when there is none there.
    #[must_use]
    pub fn config(&self, pointer: &str) -> &str {
        text(&self.config, pointer)
    }

    /// Where clients find a server.
    #[must_use]
    pub fn url(&self, server: &str) -> String {
        format!("{}/{server}/mcp", self.public_url())
    }

    /// Where Envoy listens.
    ///
    /// # Panics
    /// When the test's configuration has no address there.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        text(&self.config, "/listen").parse().expect("an address in `listen`")
    }

    /// Base URL of authsvc's internal listener.
    #[must_use]
    pub fn internal_url(&self) -> String {
        format!("http://{}", text(&self.config, "/service/internal"))
    }

    /// Base URL of Envoy's admin interface.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", text(&self.config, "/envoy/admin"))
    }

    /// Its files: configurations and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs another `authsvc` beside the service, on its configuration; what it said.
    ///
    /// # Errors
    /// When it fails.
    pub fn operate(&self, arguments: &[&str], typed: &str) -> Result<String> {
        let input = self.folder.join("typed");
        fs::write(&input, typed)?;
        let mut command = Command::new(parts::authsvc()?);
        command.args(arguments).arg("-c").arg(self.folder.join("attache.yaml"));
        command.stdin(fs::File::open(&input)?);
        fs::remove_file(&input)?;
        launch::run(&format!("authsvc {}", arguments.join(" ")), command)
    }

    /// Starts authsvc again, from the same files, after a test has stopped it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_authsvc(&mut self) -> Result<()> {
        let folder = self.folder.clone();
        self.authsvc =
            launch::authsvc(&folder.join("attache.yaml"), &folder.join("authsvc-2.log"))?;
        let ready = format!("{}/ready", self.internal_url());
        launch::ready(&mut self.authsvc, &ready).await
    }

    /// Starts Envoy anew, after a test has ended it or not; it need not reach authsvc.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_envoy(&mut self) -> Result<()> {
        if self.envoy.check().is_ok() {
            self.envoy.stop(Duration::from_secs(20)).await?;
        }
        let (bootstrap, log) = (self.folder.join("envoy.yaml"), self.folder.join("envoy-2.log"));
        self.envoy = launch::envoy(&bootstrap, self.workers, &log)?;
        let ready = format!("{}/ready", self.admin_url());
        launch::ready(&mut self.envoy, &ready).await
    }

    /// A number in Envoy's statistics.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn statistic(&self, name: &str) -> Result<u64> {
        let url = format!("{}/stats?filter={name}&format=json", self.admin_url());
        let answer: Value = http::client().get(url).send().await?.json().await?;
        let all = answer["stats"].as_array().context("no statistics")?;
        let one = all.iter().find(|one| one["name"] == name);
        one.and_then(|one| one["value"].as_u64()).with_context(|| format!("no statistic `{name}`"))
    }

    /// The events that authsvc has stored so far, oldest first.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn events(&self) -> Result<Vec<Value>> {
        Ok(self.events_after(0, 100, 0).await?.0)
    }

    /// At most `limit` events behind a cursor, oldest first, and the cursor of the last; where there are none yet,
    /// it waits for the next, so many seconds.
    ///
    /// # Errors
    /// When authsvc does not answer.
    pub async fn events_after(
        &self,
        cursor: i64,
        limit: u32,
        wait: u8,
    ) -> Result<(Vec<Value>, i64)> {
        let query = format!("after={cursor}&limit={limit}&wait={wait}");
        let url = format!("{}/internal/events?{query}", self.internal_url());
        let answer = http::client().get(url).bearer_auth(SERVICE_SECRET).send().await?;
        ensure!(answer.status().is_success(), "GET /internal/events: {}", answer.status());
        let listed: Value = answer.json().await?;
        let rows = listed["events"].as_array().context("no `events` in the listing")?;
        let next = listed["next"].as_i64().context("no `next` in the listing")?;
        Ok((rows.iter().map(|row| row["event"].clone()).collect(), next))
    }

    /// Waits for the first event of which `wanted` is true.
    ///
    /// # Errors
    /// When none came within a few seconds; the message lists those that did.
    pub async fn event(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(Duration::from_secs(15), async || {
            let events = self.events().await?;
            let found = events.iter().find(|event| wanted(event)).cloned();
            found.with_context(|| format!("not among the events: {}", json!(events)))
        })
        .await
    }

    /// Ends both parts as an operator would, and insists that they end well.
    ///
    /// # Errors
    /// When one had to be killed or ended with an error.
    pub async fn stop(mut self) -> Result<()> {
        for part in [&mut self.envoy, &mut self.authsvc] {
            part.check()?;
            let status = part.stop(Duration::from_secs(20)).await?;
            ensure!(
                status.success(),
                "{} ended with {status}\n{}",
                part.name(),
                part.last_lines(12)
            );
        }
        Ok(())
    }
}

fn text<'a>(config: &'a Value, pointer: &str) -> &'a str {
    config.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
