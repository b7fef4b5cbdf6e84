//! `attache.yaml`, compiled: what the rest of the program works with, and cannot be wrong.

mod authorization;
mod brokered;
mod compile;
mod database;
mod decode;
mod document;
mod embedded;
mod file;
mod mistake;
mod provider;
mod substitution;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{self, PathBuf},
    time::Duration,
};

use attache_protocol::{plugin, secret::Secret};
use url::Url;

pub use self::{
    authorization::{
        Authorization, ClientPolicy, Elsewhere, HostPattern, MetadataDocuments, Mode,
        RefreshPolicy, StaticClient,
    },
    brokered::{
        Brokered, Dex, DexIdentity, DexTls, ForeignTokens, Introspector, OpaqueTokens, Registrar,
        Registration, Request, ResourceParameter, WithoutAudience,
    },
    compile::duration,
    database::Database,
    document::{Path, Step},
    embedded::{Embedded, MachineClient, PersonalTokens, Proof, Signing, User},
    mistake::{Mistake, Mistakes},
    provider::{Admission, Client, Federated, IdentityClaims, Issuer, Tenants},
    substitution::Lookup,
};

/// Longest file that is read, bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origin that clients use; every URL that we publish derives from it.
    pub public_url: Origin,
    /// What Envoy binds.
    pub listen: SocketAddr,
    /// How clients become authorized.
    pub authorization: Authorization,
    /// Where state is kept.
    pub database: Database,
    /// Where authsvc listens and how Envoy reaches it.
    pub service: Service,
    /// What the rendered Envoy configuration needs to know of the machine.
    pub envoy: Envoy,
    /// MCP servers, in the order of the file; names and paths are unique.
    pub servers: Vec<Server>,
    /// How long events are kept.
    pub retention: Retention,
    /// Where events go.
    pub webhook: Option<Webhook>,
    /// How long the audit trail is kept.
    pub audit: Audit,
}

/// A configuration, and what is probably not meant in it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed, but probably not meant.
    pub warnings: Mistakes,
}

impl Config {
    /// What everything secret in the database is sealed with.
    #[must_use]
    pub fn key_encryption_secret(&self) -> &Secret {
        self.authorization.key_encryption_secret.as_ref().unwrap_or(&self.service.secret)
    }

    /// Reads a file; variables come from the environment of the process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &path::Path) -> Result<Loaded, Mistakes> {
        let name = file.display().to_string();
        let fault = |what: &str, error: &dyn fmt::Display| {
            Mistakes::one(name.clone(), format!("cannot be {what}: {error}"))
        };
        let metadata = fs::metadata(file).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                fault("read", &format_args!("{error}; `authsvc init` writes a first one"))
            } else {
                fault("read", &error)
            }
        });
        let length = metadata?.len();
        if length > MAX_FILE {
            return Err(Mistakes::one(
                name,
                format!("has {length} bytes, at most {MAX_FILE} are read"),
            ));
        }
        let text = fs::read_to_string(file).map_err(|error| fault("read", &error))?;
        let absolute = path::absolute(file).map_err(|error| fault("found", &error))?;
        let base = absolute.parent().unwrap_or(&absolute);
        Self::parse(&name, &text, base, &environment)
    }

    /// Compiles the text of a file that is called `name` and lies in `base`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(
        name: &str,
        text: &str,
        base: &path::Path,
        lookup: Lookup<'_>,
    ) -> Result<Loaded, Mistakes> {
        let mut mistakes = Mistakes::of(name.to_owned());
        let outcome = document::Node::read(text, lookup, &mut mistakes).and_then(|mut root| {
            let file = decode::decode(&mut root, &mut mistakes)?;
            Some(compile::compile(&file, &root, base, &mut mistakes))
        });
        match outcome {
            Some(compile::Outcome { config: Some(config), warnings }) if mistakes.is_empty() => {
                Ok(Loaded { config, warnings: warnings.in_file(name) })
            }
            _ => Err(mistakes.sorted()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where configuration is read")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Scheme, host and port, without a trailing slash or path: byte for byte the issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// The text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An absolute URL on this origin; `path` begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where authsvc listens.
#[derive(Clone, Debug)]
pub struct Service {
    /// Public endpoints, behind Envoy.
    pub listen: SocketAddr,
    /// Events and probes; not for the public.
    pub internal: SocketAddr,
    /// `host:port` by which Envoy reaches `listen`.
    pub address: HostPort,
    /// `host:port` by which Envoy reaches `internal`.
    pub internal_address: HostPort,
    /// Shared with the filter, at least 32 characters.
    pub secret: Secret,
    /// Opens `/metrics` and `/status` at `internal`, and nothing else.
    pub metrics_secret: Option<Secret>,
    /// What is logged, and how.
    pub log: Log,
    /// Addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// How long `/ready` says that the process is about to end before its listeners close.
    pub drain_delay: Duration,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least that is worth a line.
    pub level: tracing::Level,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object.
    Json,
}

/// A host name or address with a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort {
    /// DNS name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    /// With brackets around an IPv6 address.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

/// What the rendered Envoy configuration needs to know of the machine.
#[derive(Clone, Debug)]
pub struct Envoy {
    /// The filter, as Envoy's file system knows it.
    pub wasm: PathBuf,
    /// Envoy's admin interface.
    pub admin: SocketAddr,
    /// A request body above it is refused with 413, bytes.
    pub max_body: usize,
    /// A list above it passes unchanged, bytes.
    pub max_list: usize,
    /// Memory that Envoy may use beside that of the filter, bytes.
    pub max_heap: usize,
}

/// One MCP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 32 characters.
    pub name: String,
    /// Where it is; the path is the MCP endpoint's.
    pub url: Url,
    /// Exact path that clients use; default `/{name}/mcp`.
    pub path: String,
    /// Who may come in.
    pub authentication: plugin::Authentication,
    /// Scopes that every request needs; default `["mcp"]`.
    pub scopes: Vec<String>,
    /// What the server gets instead of the caller's token.
    pub credentials: Option<Credentials>,
    /// What happens to the caller's token.
    pub caller_token: plugin::CallerToken,
    /// What it checks itself.
    pub foreign: Option<plugin::Foreign>,
    /// Browser origins allowed beyond the default.
    pub allowed_origins: Vec<String>,
    /// How long a response may take to begin; streams live as long as the server keeps them.
    pub timeout: Duration,
    /// How Envoy speaks to it.
    pub http: HttpVersion,
    /// What is captured.
    pub analytics: plugin::Analytics,
}

/// How Envoy speaks to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HttpVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113 section 3.3).
    Http2,
    /// What the server chooses with TLS (ALPN).
    Negotiated,
}

/// A header that the server gets.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Name, lower case.
    pub header: String,
    /// Value.
    pub value: Secret,
}

/// How long events are kept: whichever bound is met first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Older ones are forgotten.
    pub keep: Duration,
    /// While the database holds more, the oldest are forgotten; bytes.
    pub max_size: u64,
}

/// The audit trail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Audit {
    /// Older entries are forgotten.
    pub keep: Duration,
}

/// A webhook destination (Standard Webhooks).
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where events are posted.
    pub url: Url,
    /// `whsec_` and base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// The one before: while receivers change over, messages are signed with both.
    pub previous_secret: Option<Secret>,
    /// Whether the target may be a private address.
    pub targets: Targets,
}

/// Which addresses we go out to: with events, for documents of clients, to providers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Targets {
    /// Globally routable ones.
    Public,
    /// Any, loopback included: the operator said `allow_private: true`.
    Any,
}
