//! `authsvc check`: what a configuration amounts to, and what about this machine does not fit it.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, path::Path};

use attache_protocol::plugin::Authentication;

use crate::{
    callback, clients,
    config::{
        Config, HostPattern, MachineClient, MetadataDocuments, Mode, PersonalTokens, Proof, Server,
        StaticClient,
    },
    store, users,
};

/// Said while no user exists.
pub const NOBODY: &str =
    "nobody can log in yet: `authsvc user add EMAIL` adds a user to the database";

/// A few lines for a person: who is served where.
#[must_use]
pub fn summary(config: &Config) -> String {
    let mut lines = Vec::new();
    lines.push(("clients", format!("{} (Envoy listens on {})", config.public_url, config.listen)));
    lines.push(("logins", logins_of(config)));
    for provider in users::providers(config) {
        let back = callback::url(&config.public_url, &provider.name);
        let line = format!("{} at {} (redirect URI {back})", provider.label, provider.issuer);
        lines.push(("logins", line));
    }
    if let Some(embedded) = config.authorization.embedded() {
        lines.extend(embedded.machine_clients.iter().map(|client| ("program", program(client))));
        lines.push(("tokens", personal_tokens(embedded.personal_tokens)));
    }
    lines.extend(clients::configured(config).iter().map(|client| ("client", client_of(client))));
    lines.push(("documents", documents(&config.authorization.clients.metadata_documents)));
    lines.push((
        "authsvc",
        format!("{} public, {} internal", config.service.listen, config.service.internal),
    ));
    lines.push(("database", config.database.to_string()));
    let webhook = config.webhook.as_ref().map(|webhook| webhook.url.origin().ascii_serialization());
    lines.push(("webhook", webhook.unwrap_or_else(|| "none".to_owned())));
    for server in &config.servers {
        let token = match server.authentication {
            Authentication::Required => {
                format!("token required, scopes {}", server.scopes.join(" "))
            }
            Authentication::Optional => "token optional".to_owned(),
            Authentication::None => "no token".to_owned(),
        };
        lines.push((
            "server",
            format!(
                "{} → {} ({token}{})",
                config.public_url.url(&server.path),
                server.url,
                foreign(server)
            ),
        ));
    }
    lines.iter().fold(String::new(), |mut text, (what, line)| {
        if writeln!(text, "  {what:<9} {line}").is_err() {
            text.push_str(line);
        }
        text
    })
}

fn logins_of(config: &Config) -> String {
    let mode = &config.authorization.mode;
    let embedded = match mode {
        Mode::Embedded(embedded) => embedded,
        Mode::Brokered(brokered) => {
            let back = callback::url(&config.public_url, mode.as_str());
            let issuer = &brokered.issuer;
            return format!("at {issuer}, tokens by it ({}; redirect URI {back})", mode.as_str());
        }
    };
    let users = embedded.users.len();
    let plural = if users == 1 { "" } else { "s" };
    format!("{users} user{plural} here, others in the database, tokens by authsvc")
}

fn client_of(client: &StaticClient) -> String {
    let proof = match client.proof {
        None => "public",
        Some(Proof::Secret(_)) => "with a secret",
        Some(Proof::Keys(_)) => "with signed assertions",
    };
    format!(
        "{} ({}), {proof}, redirects to {}",
        client.id,
        client.name,
        client.redirect_uris.join(", ")
    )
}

fn program(client: &MachineClient) -> String {
    let proof = match client.proof {
        Proof::Secret(_) => "a secret",
        Proof::Keys(_) => "signed assertions",
    };
    format!("{} at {}, with {proof}", client.id, client.servers.join(", "))
}

fn personal_tokens(setting: PersonalTokens) -> String {
    match setting {
        PersonalTokens::On { cache } => {
            format!("personal access tokens; one that is revoked ends within {} s", cache.as_secs())
        }
        PersonalTokens::Off => "no personal access tokens".to_owned(),
    }
}

/// Whose Client ID Metadata Documents are trusted.
fn documents(setting: &MetadataDocuments) -> String {
    let host = |pattern: &HostPattern| match pattern {
        HostPattern::Any => "any host".to_owned(),
        HostPattern::Exactly(name) => name.clone(),
        HostPattern::Below(name) => format!("*.{name}"),
    };
    match setting.hosts.as_slice() {
        [] => "no client is described by one".to_owned(),
        hosts => {
            let hosts: Vec<String> = hosts.iter().map(host).collect();
            format!("clients are described by those of {}", hosts.join(", "))
        }
    }
}

/// What a server checks itself.
fn foreign(server: &Server) -> String {
    let schemes = server.foreign.as_ref().map(|foreign| foreign.schemes.join(", "));
    schemes.map(|schemes| format!("; it checks {schemes} itself")).unwrap_or_default()
}

/// What about the machine does not fit; each a sentence.
#[must_use]
pub fn surroundings(file: &Path, config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mode = fs::metadata(file).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let file = file.display();
        found.push(format!(
            "{file} can be read by others on this machine and holds secrets: chmod 600 {file}"
        ));
    }
    if !config.envoy.wasm.is_file() {
        found.push(format!(
            "there is no filter at {}: `make wasm` builds it",
            config.envoy.wasm.display()
        ));
    }
    found
}

/// Whether anybody can log in; a sentence if not.
pub async fn logins(config: &Config) -> Option<String> {
    let here = users::members(config).next().is_some() || !users::providers(config).is_empty();
    if config.authorization.brokered().is_some() || here {
        return None;
    }
    match store::has_users(&config.database).await {
        Ok(true) => None,
        Ok(false) => Some(NOBODY.to_owned()),
        Err(error) => Some(format!(
            "there are no users in the configuration, and the database cannot be asked for others: {:#}",
            anyhow::Error::from(error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use attache_protocol::{
        plugin::{Challenges, Foreign},
        secret::Secret,
    };

    use super::summary;
    use crate::{
        config::{HostPattern, MachineClient, PersonalTokens, Proof, StaticClient},
        testing::{config, embedded},
    };

    #[test]
    fn whoever_may_come_in_is_listed() {
        let mut config = config();
        let said = summary(&config);
        for line in [
            "  tokens    personal access tokens; one that is revoked ends within 30 s\n",
            "  documents clients are described by those of any host\n",
            "(token required, scopes mcp)\n",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(!said.contains("  program "), "{said}");

        let own = embedded(&mut config);
        own.personal_tokens = PersonalTokens::Off;
        own.machine_clients.push(MachineClient {
            id: "nightly".to_owned(),
            proof: Proof::Secret(Secret::new("of the program".to_owned())),
            servers: vec!["everything".to_owned()],
            scopes: Vec::new(),
            groups: Vec::new(),
        });
        config.authorization.clients.configured.push(StaticClient {
            id: "reports".to_owned(),
            name: "Reports".to_owned(),
            redirect_uris: vec!["https://reports.example.com/callback".to_owned()],
            proof: None,
        });
        config.authorization.clients.metadata_documents.hosts = vec![
            HostPattern::Exactly("claude.ai".to_owned()),
            HostPattern::Below("example.com".to_owned()),
        ];
        let schemes = vec!["AccessToken".to_owned(), "ApiKey".to_owned()];
        config.servers[0].foreign = Some(Foreign { schemes, challenges: Challenges::Ours });
        let said = summary(&config);
        for line in [
            "  program   nightly at everything, with a secret\n",
            "  client    reports (Reports), public, redirects to https://reports.example.com/callback\n",
            "  tokens    no personal access tokens\n",
            "  documents clients are described by those of claude.ai, *.example.com\n",
            "scopes mcp; it checks AccessToken, ApiKey itself)\n",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(!said.contains("of the program"), "{said}");
    }
}
