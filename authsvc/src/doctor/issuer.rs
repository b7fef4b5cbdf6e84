//! What clients and Envoy are told through the public URL, and whether it is what the configuration says.

use std::time::Duration;

use attache_protocol::metadata::{AuthorizationServer, ProtectedResource};
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::{
    Finding, all,
    fetch::{self, Fetched},
};
use crate::{clock::Clock, config::Config, discovery};

/// Clocks that differ by more: somebody should look.
const DOUBTFUL: Duration = Duration::from_secs(5);
/// Clocks that differ by more: tokens are refused as expired, or as not valid yet.
const WRONG: Duration = Duration::from_secs(60);

const REACH: &str = "see that Envoy runs with the rendered configuration, that public_url leads to it from here, and that its certificate is trusted here";
const PROVIDER: &str =
    "see `provider` above; if that is well, see that Envoy runs with the rendered configuration";
const OURS: &str = "restart authsvc and render Envoy's configuration anew; if it stays, something else answers at public_url";

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    /// A provider with a single key may leave it out.
    #[serde(default)]
    kid: String,
}

/// What was found; `signing` is the `kid` of the key that signs, if the database says it.
pub(super) async fn check(config: &Config, signing: Option<&str>, clock: &Clock) -> Vec<Finding> {
    let (metadata, keys, resources) = tokio::join!(
        metadata(config, clock),
        keys(config, signing),
        all(discovery::protected(config).map(|server| resource(
            format!("resource {}", server.name),
            config.public_url.url(&format!("{}{}", discovery::PROTECTED_RESOURCE, server.path)),
            discovery::protected_resource(config, server),
        ))),
    );
    [metadata, vec![keys], resources].concat()
}

async fn resource(check: String, url: String, expected: ProtectedResource) -> Finding {
    let found = document(&url).await.and_then(|fetched| {
        let told: ProtectedResource = read(&url, &fetched)?;
        compare(&url, &told, &expected)
    });
    match found {
        Ok(()) => Finding::ok(&check, format!("{url} describes {}", expected.resource)),
        Err(trouble) => trouble.finding(&check),
    }
}

/// Why a document is not good.
struct Trouble {
    found: String,
    remedy: &'static str,
}

impl Trouble {
    fn finding(self, check: &str) -> Finding {
        Finding::failed(check, self.found, self.remedy)
    }
}

async fn metadata(config: &Config, clock: &Clock) -> Vec<Finding> {
    const CHECK: &str = "metadata";
    let url = config.public_url.url(discovery::AUTHORIZATION_SERVER);
    let before = clock.now();
    let fetched = match document(&url).await {
        Ok(fetched) => fetched,
        Err(trouble) => return vec![trouble.finding(CHECK)],
    };
    let skew = fetched.date.map(|date| skew(before, clock.now(), date));
    let expected = discovery::metadata(config).server;
    let good =
        read(&url, &fetched).and_then(|told: AuthorizationServer| compare(&url, &told, &expected));
    let metadata = match good {
        Ok(()) => Finding::ok(CHECK, format!("{url} names the issuer {}", expected.issuer)),
        Err(trouble) => trouble.finding(CHECK),
    };
    vec![metadata, clocks(skew)]
}

async fn keys(config: &Config, signing: Option<&str>) -> Finding {
    const CHECK: &str = "keys";
    let url = config.public_url.url(discovery::JWKS);
    let brokered = config.authorization.brokered();
    let unavailable = if brokered.is_some() { PROVIDER } else { REACH };
    let published =
        match document_or(&url, unavailable).await.and_then(|fetched| read::<Jwks>(&url, &fetched))
        {
            Ok(jwks) => jwks.keys,
            Err(trouble) => return trouble.finding(CHECK),
        };
    if let Some(brokered) = brokered {
        let count = published.len();
        return Finding::ok(CHECK, format!("{url} has {count} keys, of {}", brokered.issuer));
    }
    match signing {
        None => Finding::warning(
            CHECK,
            format!(
                "{url} has {} keys, and the database says of none that it signs",
                published.len()
            ),
            "see what is said of the database",
        ),
        Some(kid) if published.iter().any(|key| key.kid == kid) => {
            Finding::ok(CHECK, format!("{url} has {kid}, which signs"))
        }
        Some(kid) => Finding::failed(
            CHECK,
            format!("{url} does not have {kid}, which signs"),
            "see that the authsvc behind public_url has this database, and that nothing in between keeps its answers for longer than they say",
        ),
    }
}

async fn document(url: &str) -> Result<Fetched, Trouble> {
    document_or(url, REACH).await
}

/// A document; `unavailable` is what to do where it is answered with 503.
async fn document_or(url: &str, unavailable: &'static str) -> Result<Fetched, Trouble> {
    let fetched = fetch::get(url).await.map_err(|error| Trouble {
        found: format!("{url} cannot be read: {error}"),
        remedy: REACH,
    })?;
    match fetched.status {
        StatusCode::OK => Ok(fetched),
        StatusCode::NOT_FOUND => {
            Err(Trouble { found: format!("{url} is not there (404)"), remedy: OURS })
        }
        status => {
            let is_unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
            let remedy = if is_unavailable { unavailable } else { REACH };
            Err(Trouble { found: format!("{url} is answered with {status}"), remedy })
        }
    }
}

fn read<T: DeserializeOwned>(url: &str, fetched: &Fetched) -> Result<T, Trouble> {
    serde_json::from_slice(&fetched.body).map_err(|_its_text_is_theirs| Trouble {
        found: format!("{url} is not the document that it should be"),
        remedy: OURS,
    })
}

/// Names the first member that is not what it should be.
fn compare<T: serde::Serialize>(url: &str, told: &T, expected: &T) -> Result<(), Trouble> {
    let value = |document: &T| serde_json::to_value(document).unwrap_or_default();
    let (told, expected) = (value(told), value(expected));
    let members = expected.as_object().into_iter().flatten();
    let other = members.into_iter().find(|(name, value)| told.get(name) != Some(value));
    other.map_or(Ok(()), |(name, value)| {
        let told = told.get(name).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let told: String = told.chars().take(200).collect();
        let found = format!("{url} says that {name} is {told}, and the configuration {value}");
        Err(Trouble { found, remedy: OURS })
    })
}

/// How far another clock is from ours, which it was asked for between two moments. `Date` has whole seconds.
fn skew(before: OffsetDateTime, after: OffsetDateTime, date: OffsetDateTime) -> Duration {
    let behind = before - (date + time::Duration::SECOND);
    let ahead = date - after;
    behind.max(ahead).try_into().unwrap_or_default()
}

fn clocks(skew: Option<Duration>) -> Finding {
    const CHECK: &str = "clock";
    const REMEDY: &str = "have both machines set their clocks by the network (NTP)";
    let Some(skew) = skew else {
        let found = "what answers at public_url does not tell the time (Date)";
        return Finding::warning(CHECK, found, "compare the clocks by hand");
    };
    let found = format!("the clock behind public_url differs from ours by {} s", skew.as_secs());
    match skew {
        _ if skew > WRONG => Finding::failed(CHECK, found, REMEDY),
        _ if skew > DOUBTFUL => Finding::warning(CHECK, found, REMEDY),
        _ => Finding::ok(CHECK, "agrees with that behind public_url"),
    }
}
