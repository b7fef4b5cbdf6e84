//! The list `machine_clients`: programs that get tokens for themselves.

use std::sync::Arc;

use attache_protocol::{jwk::KeySet, plugin::Authentication, secret::Secret};

use super::{
    super::{Authorization, MachineClient, Proof, Server, document::Path, file},
    report::{Checked, Report},
};
use crate::users;

/// Longest id, bytes: it is the subject of tokens and events.
const MAX_ID: usize = 64;

/// Every program, with an id of its own. Its servers are looked at by [`servers_of`], when they are known.
pub(super) fn machine_clients(
    files: Option<&[Option<file::MachineClient>]>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<MachineClient>> {
    let files = (files.unwrap_or_default(), "id, servers, and a secret or jwks");
    report.entries(at, files, client_of, |client, earlier, at, report| {
        if earlier.iter().any(|other| other.id == client.id) {
            report.wrong(&at.key("id"), "given twice: every program needs an id of its own");
        }
    })
}

fn client_of(
    file: &file::MachineClient,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<MachineClient> {
    let what = "its client_id, like `nightly-report`";
    let id = report.needed(&at.key("id"), file.id.as_deref(), what, id);
    let proof = proof(file.secret.as_ref(), file.jwks.as_deref(), at, report);
    let what =
        "`jwks:`, its public keys (private_key_jwt), or `secret:` (openssl rand -hex 32 makes one)";
    let proof = proof.and_then(|proof| report.given(at, proof, what));
    let servers = file.servers.as_deref().filter(|names| !names.is_empty());
    let servers =
        report.given(&at.key("servers"), servers, "the names of the servers that it may call");
    let servers = servers.and_then(|names| {
        report.list(&at.key("servers"), names, |name| Ok::<_, String>(name.to_owned()))
    });
    let scopes = file.scopes.as_deref().unwrap_or_default();
    let scopes = report.list(&at.key("scopes"), scopes, |scope| Ok::<_, String>(scope.to_owned()));
    let groups =
        report.list(&at.key("groups"), file.groups.as_deref().unwrap_or_default(), users::group);
    Ok(MachineClient {
        id: id?,
        proof: proof?,
        servers: servers?,
        scopes: scopes?,
        groups: groups?,
    })
}

/// Visible and plain: it stands in forms, headers, tokens and logs.
pub(super) fn id(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.is_empty() || text.len() > MAX_ID || !text.bytes().all(plain) {
        return Err(format!("an id has 1 to {MAX_ID} letters, digits, or any of - . _ ~"));
    }
    Ok(text.to_owned())
}

/// One of the two ways, or none.
pub(super) fn proof(
    secret: Option<&Secret>,
    keys: Option<&str>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Option<Proof>> {
    match (secret, keys) {
        (Some(secret), None) => {
            report.long_secret(&at.key("secret"), secret).map(|secret| Some(Proof::Secret(secret)))
        }
        // Not shown: somebody will give a private key.
        (None, Some(text)) => jwks(text)
            .map(|set| Some(Proof::Keys(Arc::new(set))))
            .map_err(|reason| report.wrong_secret(&at.key("jwks"), reason)),
        (Some(_), Some(_)) => {
            Err(report.wrong_secret(&at.key("secret"), "give a secret or jwks, not both"))
        }
        (None, None) => Ok(None),
    }
}

fn jwks(text: &str) -> Result<KeySet, String> {
    KeySet::parse(text.as_bytes()).map_err(|rejected| {
        format!("{rejected}. Give its public keys as JSON: '{{\"keys\": [{{\"kty\": …}}]}}'")
    })
}

/// Looks at what the programs may call.
pub(super) fn servers_of(
    authorization: &Authorization,
    servers: &[Server],
    report: &mut Report<'_>,
) -> Checked<()> {
    let Some(embedded) = authorization.embedded() else { return Ok(()) };
    let at = Path::default().key("authorization").key("embedded").key("machine_clients");
    let mut checked = Ok(());
    for (number, client) in embedded.machine_clients.iter().enumerate() {
        let at = at.item(number);
        for (place, name) in client.servers.iter().enumerate() {
            let at = at.key("servers").item(place);
            match servers.iter().find(|server| server.name == *name) {
                None => checked = Err(report.wrong(&at, "there is no server of this name")),
                Some(server) if matches!(server.authentication, Authentication::None) => {
                    report.warn(&at, "this server looks at no tokens");
                }
                Some(_) => {}
            }
        }
        let its = |server: &&Server| client.servers.contains(&server.name);
        let known =
            |scope: &String| servers.iter().filter(its).any(|one| one.scopes.contains(scope));
        for (place, scope) in client.scopes.iter().enumerate() {
            if !known(scope) {
                let at = at.key("scopes").item(place);
                checked = Err(report.wrong(&at, "none of its servers has this scope"));
            }
        }
    }
    checked
}
