//! The provider before which authsvc stands: can it be reached from here, and has it what the configuration counts on?

use super::{Finding, providers};
use crate::{
    broker::Broker,
    callback,
    clock::Clock,
    config::{Brokered, Config, OpaqueTokens, Registrar},
    upstream::{Error, discovery::Metadata},
};

const CHECK: &str = "provider";

/// What was found, where there is one.
pub(super) async fn check(config: &Config, clock: &Clock) -> Vec<Finding> {
    let Some(settings) = config.authorization.brokered() else { return Vec::new() };
    let broker = match Broker::new(settings, config, clock) {
        Ok(broker) => broker,
        Err(error) => {
            let remedy = "install the certificate authorities of the system";
            return vec![Finding::failed(CHECK, error.to_string(), remedy)];
        }
    };
    let issuer = &settings.issuer;
    let metadata = match broker.provider.metadata().await {
        Ok(metadata) => metadata,
        Err(error) => return vec![Finding::failed(CHECK, said(settings, &error), remedy(&error))],
    };
    let keys = match broker.jwks().await {
        Ok(keys) => Finding::ok(CHECK, format!("{issuer} answers, with {} keys", keys.len())),
        Err(error) => Finding::failed(CHECK, said(settings, &error), remedy(&error)),
    };
    [vec![keys], client(config, &broker).await, missing(settings, &metadata)].concat()
}

/// Whether it takes the client of the configuration.
async fn client(config: &Config, broker: &Broker) -> Vec<Finding> {
    let Registrar::Static(client) = &broker.settings.registrar else { return Vec::new() };
    let back = callback::url(&config.public_url, broker.name());
    vec![match providers::takes(&broker.provider, client, &back).await {
        Ok(None) => Finding::ok(CHECK, format!("it takes the client; it must know {back}")),
        Ok(Some(doubt)) => Finding::warning(CHECK, doubt, "see docs/identity-providers.md"),
        Err(error) => Finding::failed(
            CHECK,
            said(&broker.settings, &error),
            "give `client.id` and `client.secret` as the provider has them, and see that the client may get tokens by codes there",
        ),
    }]
}

fn said(settings: &Brokered, error: &Error) -> String {
    format!("{}: {error}", settings.issuer)
}

fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Unreachable { .. } => {
            "see that it runs, and that authsvc may reach it; keys that are known go on for a day"
        }
        // It says so itself.
        Error::Unusable { reason, .. } if reason.contains("allow_private") => {
            "see that this is the provider that you mean, in your own network"
        }
        Error::Unusable { .. }
        | Error::Client(_)
        | Error::Grant(_)
        | Error::Refused(_)
        | Error::IdToken(_) => "give `issuer` byte for byte as its metadata has it",
    }
}

/// What the configuration counts on, and its metadata does not have.
fn missing(settings: &Brokered, metadata: &Metadata) -> Vec<Finding> {
    let mut found = Vec::new();
    let registers = matches!(settings.registrar, Registrar::Registration(_));
    if registers && metadata.registration_endpoint.is_none() {
        found.push(Finding::failed(
            CHECK,
            "it has no registration_endpoint",
            "switch registration on there, or make one client there and give it as `client`",
        ));
    }
    let asks = matches!(settings.tokens.opaque, OpaqueTokens::Introspected { .. });
    if asks && metadata.introspection_endpoint.is_none() {
        found.push(Finding::failed(
            CHECK,
            "it has no introspection_endpoint",
            "have it issue JWTs, and leave `introspection` out",
        ));
    }
    found.extend(settings.request.scopes.iter().filter_map(|scope| {
        let known = metadata.scopes.as_ref()?;
        (!known.contains(scope)).then(|| {
            let text = format!("it does not say that it has the scope {scope}");
            Finding::warning(CHECK, text, "leave it out of `scopes`, if logins fail by it")
        })
    }));
    found
}
