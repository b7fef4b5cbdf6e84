//! `authsvc init`: a first configuration that works on this machine, to be edited by a person.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{self, Path, PathBuf},
};

use attache_protocol::secret::Secret;
use thiserror::Error;

use crate::{
    config::{Config, Mistakes},
    password, private_file,
    random::Random,
};

/// Who can log in at first.
const EMAIL: &str = "admin@example.com";

/// What the first configuration is for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the configuration is written.
    pub file: PathBuf,
    /// Names and URLs of MCP servers.
    pub servers: Vec<Named>,
    /// Where Envoy listens; a loopback address.
    pub listen: SocketAddr,
    /// The filter.
    pub wasm: Option<PathBuf>,
    /// Where the login is kept, too.
    pub login_file: Option<PathBuf>,
}

/// `NAME=URL`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    name: String,
    url: String,
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum Error {
    /// The file is there.
    #[error("{0} is already there: remove it, or name another file with -c")]
    Exists(String),
    /// Other machines would reach it in clear.
    #[error(
        "{0} can be reached from other machines: start with a loopback address, then give an https public_url in the file"
    )]
    Listen(SocketAddr),
    /// What was asked for is not a valid configuration.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// The password.
    #[error(transparent)]
    Password(#[from] password::Error),
    /// A file.
    #[error("cannot write {0}: {1}")]
    Write(String, io::Error),
}

/// The login that was made up.
#[derive(Clone, Debug)]
pub struct Login {
    /// What the person types.
    pub email: &'static str,
    /// What the person types next.
    pub password: Secret,
}

impl std::str::FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = text
            .split_once('=')
            .ok_or("a server is given as NAME=URL, like weather=http://127.0.0.1:3001/mcp")?;
        Ok(Self { name: name.to_owned(), url: url.to_owned() })
    }
}

/// Writes the file, and the login where that is asked for.
///
/// # Errors
/// When the file is there, when it would be wrong, or when it cannot be written. Then nothing is written.
pub fn init(plan: &Plan, random: &Random) -> Result<Login, Error> {
    let shown = plan.file.display().to_string();
    if plan.file.exists() {
        return Err(Error::Exists(shown));
    }
    if !plan.listen.ip().is_loopback() {
        return Err(Error::Listen(plan.listen));
    }
    let password = password::generate(random);
    let hash = password::hash(&password, random)?;
    let file = path::absolute(&plan.file).map_err(|error| Error::Write(shown.clone(), error))?;
    let base = file.parent().unwrap_or(&file);
    let text = text(plan, base, &hash, &Secret::new(random.token()));
    Config::parse(&shown, &text, base, &|_| None)?;
    if let Some(login_file) = &plan.login_file {
        let login = format!("{EMAIL} / {}\n", password.reveal());
        private_file::replace(login_file, &login)
            .map_err(|error| Error::Write(login_file.display().to_string(), error))?;
    }
    private_file::create(&file, &text).map_err(|error| Error::Write(shown, error))?;
    Ok(Login { email: EMAIL, password })
}

fn text(plan: &Plan, base: &Path, hash: &Secret, secret: &Secret) -> String {
    let port = plan.listen.port();
    let listen = plan.listen;
    let (hash, secret) = (Quoted(hash.reveal()), Quoted(secret.reveal()));
    let mut servers = String::new();
    for Named { name, url } in &plan.servers {
        servers.push_str(&format!("  - name: {}\n    url: {}\n", Quoted(name), Quoted(url)));
    }
    if servers.is_empty() {
        servers.push_str("  - name: everything\n    url: http://127.0.0.1:3001/mcp\n");
    }
    let wasm = plan.wasm.as_deref().map(|wasm| {
        let absolute = path::absolute(wasm).unwrap_or_else(|_| wasm.to_owned());
        let nearest = absolute.strip_prefix(base).unwrap_or(&absolute).display().to_string();
        format!("\nenvoy:\n  wasm: {}   # the filter; relative to this file\n", Quoted(&nearest))
    });
    format!(
        "\
# Attaché: the one file to edit. `authsvc check` says what is wrong with it,
# `authsvc render envoy` derives Envoy's configuration from it.
# ${{VAR}} and ${{VAR:-default}} are taken from the environment.

public_url: http://localhost:{port}   # the origin that clients use; https, unless it is this machine
listen: {listen}             # where Envoy listens

authorization:
  embedded:                          # authsvc is the OAuth 2.1 authorization server
    users:                           # `authsvc user hash` makes a password_hash; `user add` keeps others in the database
      - email: {EMAIL}
        password_hash: {hash}
    # federation:                    # people who log in elsewhere, at any OpenID Connect provider: docs/identity-providers.md
    #   - {{name: okta, issuer: \"https://example.okta.com\", client_id: \"...\", client_secret: \"${{OKTA_SECRET}}\"}}

database: sqlite://data/attache.db   # relative to this file

service:
  secret: {secret}   # shared with the filter; never given to clients

servers:                             # each is served at {{public_url}}/{{name}}/mcp
{servers}    # authentication: required         # or optional, none
    # scopes: [mcp]
    # credentials: {{header: x-api-key, value: \"${{SERVER_KEY}}\"}}   # what the server gets instead of the caller's token
    # analytics: {{capture: intent, arguments: [intent]}}   # off, metadata or intent
{wasm}
# analytics:
#   keep: 90d                          # how long events stay; and at most max_size: 4GiB
#   webhook: {{url: \"https://hooks.example.com/attache\", secret: \"whsec_...\"}}
",
        wasm = wasm.unwrap_or_default()
    )
}

/// A text in double quotes that means itself to YAML and to substitution.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.replace("${", "$${");
        formatter.write_str(&serde_json::Value::from(text).to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, net::SocketAddr};

    use argon2::{Argon2, PasswordVerifier as _};

    use super::{Error, Named, Plan, init};
    use crate::{config::Config, random::Random};

    fn plan(folder: &std::path::Path, servers: &[&str]) -> Plan {
        Plan {
            file: folder.join("attache.yaml"),
            servers: servers.iter().map(|text| text.parse::<Named>().unwrap()).collect(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            wasm: Some(folder.join("target/attache.wasm")),
            login_file: Some(folder.join("data/login.txt")),
        }
    }

    #[test]
    fn a_first_configuration_is_valid_and_its_login_works() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(
            folder.path(),
            &["weather=http://127.0.0.1:3001/mcp", "two=https://two.example.com/mcp"],
        );
        let login = init(&plan, &Random::seeded(1)).unwrap();
        let loaded = Config::load(&plan.file).unwrap();
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        assert_eq!(loaded.config.envoy.wasm, folder.path().join("target/attache.wasm"));
        assert_eq!(loaded.config.servers[1].url.as_str(), "https://two.example.com/mcp");
        let embedded = loaded.config.authorization.embedded().unwrap();
        let hash = embedded.users[0].password_hash.reveal().as_str();
        assert!(
            Argon2::default().verify_password(login.password.reveal().as_bytes(), hash).is_ok()
        );
        let kept = fs::read_to_string(folder.path().join("data/login.txt")).unwrap();
        assert_eq!(kept, format!("admin@example.com / {}\n", login.password.reveal()));
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { login_file: None, ..plan(folder.path(), &[]) };
        init(&plan, &Random::seeded(1)).unwrap();
        let before = fs::read_to_string(&plan.file).unwrap();
        assert!(matches!(init(&plan, &Random::seeded(2)), Err(Error::Exists(_))));
        assert_eq!(fs::read_to_string(&plan.file).unwrap(), before);
    }

    #[test]
    fn hostile_names_make_a_mistake_not_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for server in [
            "a\nb: c=http://127.0.0.1/mcp",
            "a=http://x/\"\n  - name: b",
            "${HOME}=http://127.0.0.1/mcp",
        ] {
            let plan = plan(folder.path(), &[server]);
            assert!(matches!(init(&plan, &Random::seeded(1)), Err(Error::Mistakes(_))), "{server}");
            assert!(!plan.file.exists());
        }
    }

    #[test]
    fn a_public_address_needs_a_person() {
        let folder = tempfile::tempdir().unwrap();
        let plan =
            Plan { listen: SocketAddr::from(([0, 0, 0, 0], 8080)), ..plan(folder.path(), &[]) };
        assert!(matches!(init(&plan, &Random::seeded(1)), Err(Error::Listen(_))));
    }
}
