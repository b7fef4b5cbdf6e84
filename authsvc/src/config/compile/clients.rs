//! The list `static_clients`: clients of users that need no registration, since the operator wrote them down.

use super::{
    super::{Embedded, StaticClient, document::Path, file},
    authorization::private_redirect_uri,
    machine,
    report::{Checked, Report},
};
use crate::{
    redirect::{self, BadRedirectUri},
    registration,
};

/// Every client, with an id of its own.
pub(super) fn clients(
    files: Option<&[Option<file::StaticClient>]>,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<Vec<StaticClient>> {
    let files = (files.unwrap_or_default(), "id and redirect_uris");
    report.entries(at, files, client_of, |client, earlier, at, report| {
        if earlier.iter().any(|other| other.id == client.id) {
            report.wrong(&at.key("id"), "given twice: every client needs an id of its own");
        }
    })
}

/// An id is that of one client or of one program: the token endpoint sees no more than the id.
pub(super) fn apart(
    clients: &[StaticClient],
    embedded: &Embedded,
    at: &Path,
    report: &mut Report<'_>,
) {
    for (number, client) in clients.iter().enumerate() {
        if embedded.machine_clients.iter().any(|program| program.id == client.id) {
            let at = at.item(number).key("id");
            let reason = "a program of `machine_clients` has this id: who acts for users and for itself is two clients";
            report.wrong(&at, reason);
        }
    }
}

fn client_of(
    file: &file::StaticClient,
    at: &Path,
    report: &mut Report<'_>,
) -> Checked<StaticClient> {
    let what = "its client_id, like `reports`";
    let id = report.needed(&at.key("id"), file.id.as_deref(), what, machine::id);
    let unnamed = id.clone().unwrap_or_default();
    let name = report.optional(&at.key("name"), file.name.as_deref(), unnamed, name);
    let uris = file.redirect_uris.as_deref().filter(|uris| !uris.is_empty());
    let what = "where its codes go, like [https://app.example.com/callback]";
    let uris = report.given(&at.key("redirect_uris"), uris, what);
    let uris = uris.and_then(|uris| report.list(&at.key("redirect_uris"), uris, redirect_uri));
    let proof = machine::proof(file.secret.as_ref(), file.jwks.as_deref(), at, report);
    Ok(StaticClient { id: id?, name: name?, redirect_uris: uris?, proof: proof? })
}

/// As users will see it.
fn name(text: &str) -> Result<String, String> {
    match registration::clean(text) {
        Some(shown) if shown == text => Ok(shown),
        _ => Err("a name is one line of at most 100 visible characters".to_owned()),
    }
}

/// As clients may register it; a private-use scheme is allowed by standing here.
fn redirect_uri(text: &str) -> Result<String, String> {
    match redirect::check(text, &[]) {
        Ok(()) => Ok(text.to_owned()),
        Err(BadRedirectUri::Scheme) => private_redirect_uri(text).map_err(|_reason| {
            "must be https, http to loopback, or one exact private-use URI like myapp://callback"
                .to_owned()
        }),
        Err(reason) => Err(reason.to_string()),
    }
}
