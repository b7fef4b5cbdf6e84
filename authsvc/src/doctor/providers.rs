//! Providers of identities: whether each answers, is who it should be, and takes us for the client that we are there.
//! That is asked by a token request with a code that nobody was ever given.

use attache_protocol::secret::Secret;

use super::{Finding, all};
use crate::{
    callback,
    clock::Clock,
    config::{Client, Config, Federated},
    upstream::{Error, Provider, discovery::Metadata, exchange::Code},
    users,
};

/// A code of nobody.
const CODE: &str = "authsvc-doctor-asks-whether-you-know-the-client";

/// Each provider.
pub(super) async fn check(config: &Config, clock: &Clock) -> Vec<Finding> {
    let one = |settings: &Federated| {
        let back = callback::url(&config.public_url, &settings.name);
        provider(settings.clone(), back, clock.clone())
    };
    all(users::providers(config).iter().map(one)).await
}

async fn provider(settings: Federated, back: String, clock: Clock) -> Finding {
    let check = format!("provider {}", settings.name);
    match look(&settings, &back, clock).await {
        Ok(Some(doubt)) => Finding::warning(&check, doubt, "see docs/identity-providers.md"),
        Ok(None) => {
            let issuer = &settings.issuer;
            Finding::ok(
                &check,
                format!("{issuer} answers and takes the client; it must know {back}"),
            )
        }
        Err(error) => {
            let found = format!("{}: {error}", settings.issuer);
            Finding::failed(&check, found, remedy(&error))
        }
    }
}

/// What is doubtful, if it works at all.
async fn look(settings: &Federated, back: &str, clock: Clock) -> Result<Option<String>, Error> {
    let Federated { issuer, tenants, targets, .. } = settings;
    let unready = |error: reqwest::Error| Error::Unusable {
        what: "HTTP client",
        reason: crate::outgoing::explain(error),
    };
    let provider = Provider::new(issuer, tenants, *targets, clock).map_err(unready)?;
    let metadata = provider.metadata().await?;
    provider.keys().await?;
    let doubt = takes(&provider, &settings.client, back).await?;
    Ok(doubt.or_else(|| unknown_scopes(settings, &metadata)))
}

/// What is doubtful, if a provider takes the client.
pub(super) async fn takes(
    provider: &Provider,
    client: &Client,
    back: &str,
) -> Result<Option<String>, Error> {
    let verifier = Secret::new(CODE.to_owned());
    let code = Code { code: CODE, verifier: &verifier, redirect_uri: back };
    match provider.redeem(client, code, &[]).await {
        Err(Error::Grant(_)) => Ok(None),
        Err(error @ (Error::Client(_) | Error::Unreachable { .. })) => Err(error),
        Ok(_) => Ok(Some("it takes any code".to_owned())),
        Err(error) => Ok(Some(format!("whether it takes the client cannot be told: {error}"))),
    }
}

/// Scopes that it does not list: some providers refuse those.
fn unknown_scopes(settings: &Federated, metadata: &Metadata) -> Option<String> {
    let known = metadata.scopes.as_ref()?;
    let unknown: Vec<&str> =
        settings.scopes.iter().filter(|one| !known.contains(one)).map(String::as_str).collect();
    (!unknown.is_empty()).then(|| format!("it does not list the scopes {}", unknown.join(" ")))
}

const fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Unreachable { .. } => {
            "see that it runs and can be reached from here; nobody can log in there meanwhile, others can"
        }
        Error::Client(_) => {
            "give client_id and client_secret as the provider has them, and see that the client is a web application there"
        }
        Error::Unusable { .. } => "give `issuer` exactly as its metadata does",
        Error::Grant(_) | Error::Refused(_) | Error::IdToken(_) => "see its log",
    }
}
