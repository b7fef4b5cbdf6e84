//! Whoever logs people in and issues the tokens, every kind of client connects: the whole way from the URL, through Envoy
//! and the filter, with a library that takes nothing that is not to the letter.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    dex::{self, Connector, Dex},
    documents::Site,
    oauth::{OAuth, REDIRECT_URI},
    person::Person,
    provider::{OidcProvider, federated},
    servers,
    stack::{self, Setup, Stack},
    whole_way::Tool,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Registered without a port, as programs do that learn theirs when they listen.
const REGISTERED: &str = "http://127.0.0.1/callback";
/// Where the client waits this time.
const REDIRECT: &str = "http://127.0.0.1:33419/callback";
const SECRET: &str = "the-secret-of-a-client-that-the-operator-has-written-down";

/// Who logs people in, and whose access tokens clients get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// authsvc, with passwords.
    Passwords,
    /// A provider; the tokens are authsvc's.
    Federation,
    /// A provider, which issues the tokens, in this format.
    External(&'static str),
    /// Dex, which issues the tokens.
    Dex,
}

/// How a client comes to be known, and how it shows who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// It registers, and has no secret.
    Public,
    /// It registers, and has one.
    Confidential,
    /// A document describes it.
    Document,
    /// A document describes it, and it signs.
    Signer,
    /// It is in the configuration, and has a secret.
    Configured,
}

/// Somebody who can log in, and what events say of them.
struct Login {
    person: Person,
    is: (&'static str, &'static str),
    _provider: Option<OidcProvider>,
    _dex: Option<Dex>,
}

impl Login {
    fn new(person: Person, is: (&'static str, &'static str)) -> Self {
        Self { person, is, _provider: None, _dex: None }
    }
}

impl Mode {
    /// The key of its section.
    const fn section(self) -> &'static str {
        match self {
            Self::Passwords | Self::Federation => "embedded",
            Self::External(_) => "external",
            Self::Dex => "dex",
        }
    }

    async fn configure(self, setup: &mut Setup, folder: &Path) -> Result<Login> {
        let jane = |at: &OidcProvider| Person::new("jane", "any password").at(&at.issuer);
        match self {
            Self::Passwords => Ok(Login::new(Person::admin(), ("email", stack::EMAIL))),
            Self::Federation => {
                let address = "jane@example.com";
                let people = json!({ "jane": { "email": address, "email_verified": true } });
                let callback = setup.callback("example");
                let provider = OidcProvider::with_client(&callback, people).await?;
                setup.config["authorization"]["embedded"]["federation"] =
                    json!([federated("example", &provider.issuer)]);
                let login = Login::new(jane(&provider), ("email", address));
                Ok(Login { _provider: Some(provider), ..login })
            }
            Self::External(format) => {
                let callback = setup.callback("external");
                let resources = json!({ "format": format });
                let provider = OidcProvider::for_resources(&callback, resources).await?;
                setup.config["authorization"] = json!({ "external": provider.external() });
                let login = Login::new(jane(&provider), ("subject", "jane"));
                Ok(Login { _provider: Some(provider), ..login })
            }
            Self::Dex => {
                let dex = dex::Setup::new(&[Connector::Passwords]);
                setup.config["authorization"] = dex.authorization();
                let dex = dex.start(folder).await?;
                let login = Login::new(dex::admin(dex.issuer()), ("email", dex::EMAIL));
                Ok(Login { _dex: Some(dex), ..login })
            }
        }
    }
}

/// A key pair: the example of RFC 7517 appendix A.
fn key() -> (Value, Value) {
    let public = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let mut private = public.clone();
    private["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    (public, private)
}

impl Kind {
    /// What the client is told of itself, after whoever has to know it was told.
    async fn introduce(
        self,
        setup: &mut Setup,
        mode: Mode,
        folder: &Path,
    ) -> Result<(Value, Option<Site>)> {
        let (public, private) = key();
        let metadata = |method: &str| {
            json!({
                "client_name": "Of any kind",
                "redirect_uris": [REGISTERED],
                "token_endpoint_auth_method": method,
            })
        };
        let (document, key) = match self {
            Self::Public => return Ok((json!({ "metadata": metadata("none") }), None)),
            Self::Confidential => {
                return Ok((json!({ "metadata": metadata("client_secret_basic") }), None));
            }
            Self::Configured => {
                setup.config["authorization"][mode.section()]["static_clients"] = json!([{
                    "id": "reports", "name": "Reports", "redirect_uris": [REGISTERED], "secret": SECRET,
                }]);
                let client = json!({ "client_id": "reports", "client_secret": SECRET });
                return Ok((json!({ "client": client }), None));
            }
            Self::Document => (metadata("none"), Value::Null),
            Self::Signer => {
                let mut document = metadata("private_key_jwt");
                document["jwks"] = json!({ "keys": [public] });
                (document, private)
            }
        };
        let site = Site::start(folder, &document).await?;
        site.trusted_by(setup, mode.section());
        Ok((json!({ "client": { "client_id": site.id }, "key": key }), Some(site)))
    }

    /// What the page says of it that asks the user.
    const fn introduced_as(self) -> &'static str {
        match self {
            Self::Public | Self::Confidential => "nobody has verified it",
            Self::Document | Self::Signer => "id=\"described-by\"",
            Self::Configured => "Whoever runs this gateway",
        }
    }
}

/// The whole way, with what every client does: list, call, refresh, call again, and give it all back.
async fn connects(mode: Mode, kind: Kind) -> Result<()> {
    let folder = TempDir::new()?;
    let server = servers::demo(folder.path()).await?;
    let mut setup = Setup::new().server("everything", &server.url);
    let mut login = mode.configure(&mut setup, folder.path()).await?;
    let (mut client, _site) = kind.introduce(&mut setup, mode, folder.path()).await?;
    let stack = setup.start().await?;

    client["redirect"] = json!(REDIRECT);
    client["tokens"] = json!(if mode.section() == "embedded" { "ours" } else { "theirs" });
    let client = client.to_string();
    let program = (Path::new("node"), "oauth4webapi.mjs", &[client.as_str()][..]);
    let tool = Tool { name: "list_cities", arguments: json!({}) };
    let event = tool.reached_as(program, &mut login.person, &stack).await?;
    let (claim, value) = login.is;
    ensure!(event[claim] == value, "{claim} is not {value}: {event}");
    let asked = login.person.pages.iter().any(|page| page.contains(kind.introduced_as()));
    ensure!(asked, "nobody was asked, or otherwise: {:?}", login.person.pages);
    stack.stop().await
}

/// authsvc, started again with these static clients.
async fn restart(stack: &mut Stack, clients: Value) -> Result<()> {
    stack.authsvc.stop(Duration::from_secs(20)).await?;
    let file = stack.folder().join("attache.yaml");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["authorization"]["embedded"]["static_clients"] = clients;
    fs::write(&file, config.to_string())?;
    stack.restart_authsvc().await
}

#[tokio::test]
async fn a_client_taken_from_the_configuration_ends_and_nothing_of_it_comes_back() -> Result<()> {
    let folder = TempDir::new()?;
    let server = servers::demo(folder.path()).await?;
    let mut setup = Setup::new().server("everything", &server.url);
    let clients = json!([{ "id": "reports", "redirect_uris": [REDIRECT_URI] }]);
    setup.config["authorization"]["embedded"]["static_clients"] = clients.clone();
    let mut stack = setup.start().await?;
    let mut client = OAuth::register(&stack.url("everything")).await?;
    "reports".clone_into(&mut client.client_id);
    let code = client.authorize(&mut Person::admin(), "mcp offline_access").await?;
    let refresh = client.exchange(&code).await?.refresh.context("no refresh token")?;
    let listed = stack.operate(&["client", "list"], "")?;
    let line = listed.lines().find(|line| line.starts_with("reports ")).context("not listed")?;
    ensure!(line.contains("configuration  1 "), "{listed}");

    for (clients, refused) in [(json!([]), "invalid_client"), (clients, "invalid_grant")] {
        restart(&mut stack, clients).await?;
        let told = client.refresh(&refresh).await.err().context("it goes on")?.to_string();
        ensure!(told.contains(refused), "{told}");
    }
    stack.stop().await
}

#[tokio::test]
async fn passwords_and_a_public_client() -> Result<()> {
    connects(Mode::Passwords, Kind::Public).await
}

#[tokio::test]
async fn passwords_and_a_confidential_client() -> Result<()> {
    connects(Mode::Passwords, Kind::Confidential).await
}

#[tokio::test]
async fn passwords_and_a_client_with_a_document() -> Result<()> {
    connects(Mode::Passwords, Kind::Document).await
}

#[tokio::test]
async fn passwords_and_a_client_with_a_document_that_signs() -> Result<()> {
    connects(Mode::Passwords, Kind::Signer).await
}

#[tokio::test]
async fn passwords_and_a_client_of_the_configuration() -> Result<()> {
    connects(Mode::Passwords, Kind::Configured).await
}

#[tokio::test]
async fn federation_and_a_public_client() -> Result<()> {
    connects(Mode::Federation, Kind::Public).await
}

#[tokio::test]
async fn federation_and_a_confidential_client() -> Result<()> {
    connects(Mode::Federation, Kind::Confidential).await
}

#[tokio::test]
async fn federation_and_a_client_with_a_document() -> Result<()> {
    connects(Mode::Federation, Kind::Document).await
}

#[tokio::test]
async fn federation_and_a_client_with_a_document_that_signs() -> Result<()> {
    connects(Mode::Federation, Kind::Signer).await
}

#[tokio::test]
async fn federation_and_a_client_of_the_configuration() -> Result<()> {
    connects(Mode::Federation, Kind::Configured).await
}

#[tokio::test]
async fn external_and_a_public_client() -> Result<()> {
    connects(Mode::External("jwt"), Kind::Public).await
}

#[tokio::test]
async fn external_and_a_confidential_client() -> Result<()> {
    connects(Mode::External("jwt"), Kind::Confidential).await
}

#[tokio::test]
async fn external_and_a_client_with_a_document() -> Result<()> {
    connects(Mode::External("jwt"), Kind::Document).await
}

#[tokio::test]
async fn external_and_a_client_with_a_document_that_signs() -> Result<()> {
    connects(Mode::External("jwt"), Kind::Signer).await
}

#[tokio::test]
async fn external_and_a_client_of_the_configuration() -> Result<()> {
    connects(Mode::External("jwt"), Kind::Configured).await
}

#[tokio::test]
async fn opaque_and_a_public_client() -> Result<()> {
    connects(Mode::External("opaque"), Kind::Public).await
}

#[tokio::test]
async fn opaque_and_a_confidential_client() -> Result<()> {
    connects(Mode::External("opaque"), Kind::Confidential).await
}

#[tokio::test]
async fn opaque_and_a_client_with_a_document() -> Result<()> {
    connects(Mode::External("opaque"), Kind::Document).await
}

#[tokio::test]
async fn opaque_and_a_client_with_a_document_that_signs() -> Result<()> {
    connects(Mode::External("opaque"), Kind::Signer).await
}

#[tokio::test]
async fn opaque_and_a_client_of_the_configuration() -> Result<()> {
    connects(Mode::External("opaque"), Kind::Configured).await
}

#[tokio::test]
async fn dex_and_a_public_client() -> Result<()> {
    connects(Mode::Dex, Kind::Public).await
}

#[tokio::test]
async fn dex_and_a_confidential_client() -> Result<()> {
    connects(Mode::Dex, Kind::Confidential).await
}

#[tokio::test]
async fn dex_and_a_client_with_a_document() -> Result<()> {
    connects(Mode::Dex, Kind::Document).await
}

#[tokio::test]
async fn dex_and_a_client_with_a_document_that_signs() -> Result<()> {
    connects(Mode::Dex, Kind::Signer).await
}

#[tokio::test]
async fn dex_and_a_client_of_the_configuration() -> Result<()> {
    connects(Mode::Dex, Kind::Configured).await
}
