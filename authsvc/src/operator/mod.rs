//! What an operator asks for at the command line, beside the running service: keys, clients, users, tokens.
//!
//! Everything goes through the database, where the service finds it at its next request.

mod accounts;
pub mod audit;
mod person;
mod tokens;
mod users;

use anyhow::{Context as _, bail};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    cimd::id::is_url,
    clients,
    clock::Clock,
    config::{Config, Elsewhere},
    discovery::JWKS_MAX_AGE,
    keys::{Haste, Keeper, Rotated, Settings, timeline},
    random::Random,
    store::{
        Store,
        audit::{Action, Author, Kind},
        keys::State,
        managing::Listed,
    },
};

/// Where the environment says whose command it is, the most telling first.
const ACCOUNTS: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];

/// The operator's view of an installation. Answers are for people, one line each.
#[derive(Debug)]
pub struct Operator {
    config: Config,
    store: Store,
    clock: Clock,
    random: Random,
}

impl Operator {
    /// Opens the database of a configuration.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(config: Config, clock: Clock, random: Random) -> anyhow::Result<Self> {
        let store = Store::open(&config.database).await?;
        Ok(Self { config, store, clock, random })
    }

    /// Every signing key, and what becomes of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self) -> anyhow::Result<String> {
        let settings = Settings::of(&self.config)?;
        let keys = self.store.signing_keys().await?;
        let rows = keys.iter().map(|key| {
            let what = match (key.state, timeline(key, &settings)) {
                (State::Current, Some(until)) => format!("signs until {}", date(until)),
                (State::Next, Some(from)) => format!("may sign from {}", date(from)),
                (State::Retired, Some(until)) => format!("published until {}", date(until)),
                (State::Current | State::Next | State::Retired, None) => {
                    "of an algorithm that is not configured any more".to_owned()
                }
            };
            let state = key.state.as_str().to_owned();
            vec![key.kid.clone(), key.algorithm.clone(), state, date(key.since), what]
        });
        Ok(table(["KID", "ALGORITHM", "STATE", "SINCE", "TERM"], rows.collect()))
    }

    /// Lets the next key sign before its time.
    ///
    /// # Errors
    /// When it is too new for those who verify to know it, and that matters; when the database fails.
    pub async fn rotate(&self, haste: Haste) -> anyhow::Result<String> {
        match self.keeper()?.rotate(haste, &self.author()).await? {
            Rotated::Signs(kid) => Ok(format!(
                "{kid} signs from now on; the key before it stays published until its last token is dead\n"
            )),
            Rotated::TooEarly(from) => bail!(
                "the next key is so new that not everybody who verifies tokens knows it: try again after {}, or use --now if that is only Attache's filter, which asks when it meets a key that it does not know",
                date(from)
            ),
            Rotated::Overtaken => Ok("the keys have just been rotated by another process\n".into()),
        }
    }

    /// Takes a key out of use at once.
    ///
    /// # Errors
    /// When there is no such key, or the database fails.
    pub async fn revoke(&self, kid: &str) -> anyhow::Result<String> {
        let revoked = self.keeper()?.revoke(kid, &self.author()).await?;
        let minutes = JWKS_MAX_AGE / 60;
        let what = match revoked {
            None => bail!("there is no signing key {kid}: `authsvc key list` names them"),
            Some(State::Current) => "the next key signs from now on",
            Some(State::Next) => "it has not signed; another key takes its place",
            Some(State::Retired) => "it did not sign any more",
        };
        Ok(format!(
            "{kid} is revoked: {what}. Every Envoy refuses its tokens as soon as it has fetched the keys again, within {minutes} minutes; one that cannot reach authsvc goes on with the keys that it has\n"
        ))
    }

    /// Every client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients(&self) -> anyhow::Result<String> {
        let now = self.clock.now_unix();
        let mut rows = Vec::new();
        for client in clients::configured(&self.config) {
            let (grants, last) = self.store.granted_to(&client.id, now).await?;
            rows.push(vec![
                client.id.clone(),
                "configuration".to_owned(),
                grants.to_string(),
                last.map_or_else(|| "-".to_owned(), date),
                client.auth_method().as_str().to_owned(),
                hosts(&client.redirect_uris),
                client.name.clone(),
            ]);
        }
        for client in self.store.clients(now).await? {
            let Listed { id, name, auth_method, seen_at, grants, redirect_uris } = client;
            let source = match clients::with_id(&self.config, &id) {
                Some(_) => "hidden by the configuration",
                None if is_url(&id) => "document",
                None => "registration",
            };
            rows.push(vec![
                id,
                source.to_owned(),
                grants.to_string(),
                date(seen_at),
                auth_method.as_str().to_owned(),
                hosts(&redirect_uris),
                name.unwrap_or_default(),
            ]);
        }
        let titles =
            ["CLIENT", "SOURCE", "GRANTS", "SEEN", "AUTHENTICATION", "REDIRECTS TO", "NAME"];
        Ok(table(titles, rows))
    }

    /// Removes a client, and ends what it was granted.
    ///
    /// # Errors
    /// When there is no such client, or the database fails.
    pub async fn remove_client(&self, id: &str) -> anyhow::Result<String> {
        if clients::with_id(&self.config, id).is_some() {
            bail!(
                "{id} is in the configuration: take it out of `static_clients` and restart authsvc, and all that it was granted ends"
            );
        }
        let entry = self.author().does(Action::RemoveClient, id.to_owned());
        let ended = self.store.remove_client(id, entry).await?;
        let ended = ended.with_context(|| {
            format!("there is no client {id}: `authsvc client list` names them")
        })?;
        Ok(format!(
            "{id} is removed, {ended} grants have ended; access tokens that it has live until they expire\n"
        ))
    }

    /// Whoever runs the command, as their environment says: who may run it may also write to the database.
    fn author(&self) -> Author {
        let named = ACCOUNTS.into_iter().filter_map(std::env::var_os);
        let id = named.map(|name| name.to_string_lossy().into_owned()).find(|id| !id.is_empty());
        Author { id, ..Author::new(Kind::Operator, self.clock.now_unix()) }
    }

    fn keeper(&self) -> Result<Keeper, Elsewhere> {
        Ok(Keeper::new(self.store.clone(), Settings::of(&self.config)?, self.random.clone()))
    }
}

/// Where codes go, each place once.
fn hosts(redirect_uris: &[String]) -> String {
    let mut hosts: Vec<String> = redirect_uris
        .iter()
        .map(|uri| url::Url::parse(uri).map_or_else(|_not_a_url| uri.clone(), |url| host(&url)))
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts.join(" ")
}

fn host(url: &url::Url) -> String {
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => host.to_owned(),
        (scheme, _) => format!("{scheme}:"),
    }
}

fn date(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

/// Columns as wide as their widest text.
fn table<const N: usize>(titles: [&str; N], rows: Vec<Vec<String>>) -> String {
    let titles = titles.map(str::to_owned).to_vec();
    let all: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    lines::<N>(&all)
}

fn lines<const N: usize>(all: &[Vec<String>]) -> String {
    let width = |column: usize| {
        all.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::Operator;
    use crate::{
        config::{Proof, StaticClient},
        keys::Haste,
        store::keys::State,
        testing::{Bench, json},
    };

    pub(super) async fn operator(bench: &Bench) -> Operator {
        let app = &bench.app;
        let config = (*app.config).clone();
        Operator::open(config, app.clock.clone(), app.random.clone()).await.unwrap()
    }

    #[tokio::test]
    async fn keys_are_listed_rotated_and_revoked() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let listed = operator.keys().await.unwrap();
        let lines: Vec<&str> = listed.lines().collect();
        assert!(lines[0].starts_with("KID") && lines[0].ends_with("TERM"), "{listed}");
        assert!(lines[1].contains("EdDSA      current  2026-09-21T14:13:20Z  signs until 2026-12"));
        assert!(lines[2].contains("next     2026-09-21T14:13:20Z  may sign from 2026-09-21T14:23"));
        let early = operator.rotate(Haste::Wait).await.unwrap_err().to_string();
        assert!(early.contains("try again after 2026-09-21T14:23:20Z, or use --now"), "{early}");
        operator.rotate(Haste::Now).await.unwrap();
        assert!(
            operator.keys().await.unwrap().contains("retired  2026-09-21T14:13:20Z  published")
        );

        let stored = bench.app.keys().unwrap().stored().await.unwrap();
        let current = stored.iter().find(|key| key.state == State::Current).unwrap();
        let said = operator.revoke(&current.kid).await.unwrap();
        assert!(said.contains("the next key signs from now on") && said.contains("5 minutes"));
        let unknown = operator.revoke(&current.kid).await.unwrap_err().to_string();
        assert!(unknown.contains("there is no signing key"), "{unknown}");
    }

    #[tokio::test]
    async fn clients_are_listed_and_removed() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let body = serde_json::json!({
            "client_name": "Cursor",
            "redirect_uris": [
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "http://localhost:8787/callback",
                "http://localhost:8788/callback",
            ],
        });
        let registered = bench.public(json("/oauth/register", &body)).await.json();
        let id = registered["client_id"].as_str().unwrap();
        let listed = operator.clients().await.unwrap();
        let line = listed.lines().nth(1).unwrap();
        assert!(
            line.starts_with(id) && line.ends_with("none            cursor: localhost  Cursor")
        );
        let said = operator.remove_client(id).await.unwrap();
        assert!(said.contains("0 grants have ended"), "{said}");
        assert!(bench.app.store.client(id).await.unwrap().is_none());
        let unknown = operator.remove_client(id).await.unwrap_err().to_string();
        assert!(unknown.contains("`authsvc client list` names them"), "{unknown}");
    }

    #[tokio::test]
    async fn clients_of_the_configuration_are_listed_and_stay() {
        let client = StaticClient {
            id: "reports".to_owned(),
            name: "Reports".to_owned(),
            redirect_uris: vec!["https://reports.example.com/callback".to_owned()],
            proof: Some(Proof::Secret(Secret::new("of the client".to_owned()))),
        };
        let bench =
            Bench::with(|config| config.authorization.clients.configured.push(client)).await;
        let operator = operator(&bench).await;
        let listed = operator.clients().await.unwrap();
        let line = listed.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
        let expected = "reports configuration 0 - client_secret_basic reports.example.com Reports";
        assert_eq!(line.join(" "), expected);
        let refused = operator.remove_client("reports").await.unwrap_err().to_string();
        assert!(refused.contains("take it out of `static_clients`"), "{refused}");
    }
}
