//! Real Dex on free ports of loopback: its people, its connectors, its gRPC API.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    certificates::Pair,
    person::Person,
    stack::{Process, launch, parts, ports},
};

/// Newest release.
pub const NEWEST: &str = "v2.45.1";

/// The release of the ContextForge tutorial.
pub const OLD: &str = "v2.43.1";

/// Of the static user of the password database.
pub const EMAIL: &str = "admin@example.com";

/// Their password.
pub const PASSWORD: &str = "password";

/// bcrypt of [`PASSWORD`].
const HASH: &str = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";

/// Of the connector `mockpw`, user and password.
pub const MOCK: (&str, &str) = ("mock-user", "mock-password");

/// Who logs people in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connector {
    /// Dex itself: [`EMAIL`] and [`PASSWORD`].
    Passwords,
    /// Nobody: everyone is Kilgore Trout, of the group `authors`.
    Mock,
    /// A form that takes [`MOCK`].
    MockPassword,
}

/// What a Dex is started from; everything in `config` is open to a test.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Release.
    pub version: &'static str,
    /// Its configuration; YAML understands it as JSON.
    pub config: Value,
}

/// A running Dex. Dropping it ends it; it keeps everything in memory.
#[derive(Debug)]
pub struct Dex {
    /// The process.
    pub process: Process,
    setup: Setup,
    folder: PathBuf,
}

impl Setup {
    /// A Dex with these connectors that asks nobody for approval. With a single one the browser is sent straight to
    /// it.
    #[must_use]
    pub fn new(connectors: &[Connector]) -> Self {
        let (http, grpc) = (ports::free(), ports::free());
        let (user, password) = MOCK;
        let mock = json!({"type": "mockCallback", "id": "mock", "name": "Mock"});
        let mock_password = json!({"type": "mockPassword", "id": "mockpw", "name": "Mock password",
            "config": {"username": user, "password": password}});
        let outside: Vec<&Value> = connectors
            .iter()
            .filter_map(|connector| match connector {
                Connector::Passwords => None,
                Connector::Mock => Some(&mock),
                Connector::MockPassword => Some(&mock_password),
            })
            .collect();
        let passwords = connectors.contains(&Connector::Passwords);
        let person = json!({
            "email": EMAIL,
            "hash": HASH,
            "username": "admin",
            "userID": "08a8684b-db88-4b73-90a9-3cd1661f5466",
        });
        let people: Vec<Value> = passwords.then_some(person).into_iter().collect();
        let config = json!({
            "issuer": format!("http://{http}/dex"),
            "storage": {"type": "memory"},
            "web": {"http": http},
            "grpc": {"addr": grpc},
            "telemetry": {"http": ports::free()},
            "expiry": {"idTokens": "10m", "refreshTokens": {"reuseInterval": "3s"}},
            "oauth2": {"skipApprovalScreen": true},
            "enablePasswordDB": passwords,
            "staticPasswords": people,
            "connectors": outside,
            "staticClients": [],
        });
        Self { version: NEWEST, config }
    }

    /// Another release.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Adds a client that the gRPC API cannot change.
    #[must_use]
    pub fn client(mut self, client: Value) -> Self {
        if let Some(clients) = self.config["staticClients"].as_array_mut() {
            clients.push(client);
        }
        self
    }

    /// Has the gRPC API speak TLS, and only to whom `clients` vouches for, if it is given.
    #[must_use]
    pub fn tls(mut self, server: &Pair, clients: Option<&Path>) -> Self {
        self.config["grpc"]["tlsCert"] = json!(server.certificate);
        self.config["grpc"]["tlsKey"] = json!(server.key);
        if let Some(authority) = clients {
            self.config["grpc"]["tlsClientCA"] = json!(authority);
        }
        self
    }

    /// Its issuer, before it runs.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.config["issuer"].as_str().unwrap_or_default()
    }

    /// Where its gRPC API listens.
    #[must_use]
    pub fn grpc(&self) -> &str {
        self.config["grpc"]["addr"].as_str().unwrap_or_default()
    }

    /// `authorization` of a gateway before it.
    #[must_use]
    pub fn authorization(&self) -> Value {
        json!({"dex": {"issuer": self.issuer(), "grpc": {"address": self.grpc()}}})
    }

    /// Starts it and waits until it serves; its files are in `folder`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(self, folder: &Path) -> Result<Dex> {
        let process = run(&self, folder).await?;
        Ok(Dex { process, setup: self, folder: folder.to_owned() })
    }
}

impl Dex {
    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.setup.issuer()
    }

    /// Where its gRPC API listens.
    #[must_use]
    pub fn grpc(&self) -> &str {
        self.setup.grpc()
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop(Duration::from_secs(20)).await.map(drop)
    }

    /// Starts it again where it was; it has forgotten everything that is not in its configuration.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.check().is_ok() {
            self.stop().await?;
        }
        self.process = run(&self.setup, &self.folder).await?;
        Ok(())
    }
}

async fn run(setup: &Setup, folder: &Path) -> Result<Process> {
    let config = folder.join("dex.yaml");
    fs::write(&config, serde_json::to_vec_pretty(&setup.config)?)?;
    let mut command = Command::new(parts::dex(setup.version)?);
    command.arg("serve").arg(&config);
    let mut process = Process::spawn("Dex", command, &folder.join("dex.log"))?;
    let metadata = format!("{}/.well-known/openid-configuration", setup.issuer());
    launch::ready(&mut process, &metadata).await?;
    let grpc: SocketAddr = setup.grpc().parse()?;
    let open = async || {
        TcpStream::connect(grpc).await?;
        Ok(())
    };
    process.ready(launch::PATIENCE, open).await?;
    ensure!(process.check().is_ok(), "Dex ended");
    Ok(process)
}

/// Somebody of Dex's password database, at a browser that may go to Dex.
///
/// # Panics
/// When the issuer is no URL.
#[must_use]
pub fn admin(issuer: &str) -> Person {
    Person::new(EMAIL, PASSWORD).at(issuer)
}
