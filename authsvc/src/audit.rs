//! Who asks for a change over HTTP, as the audit trail names them; and how long the trail is.

use std::net::IpAddr;

use crate::{
    authorization::grant::Login,
    clock::seconds,
    correlation,
    state::App,
    store::{
        StoreError,
        audit::{Author, KINDS, Kind},
    },
};

/// Somebody who is logged in.
#[must_use]
pub fn user(app: &App, login: &Login, address: IpAddr) -> Author {
    let name = login.email.as_ref().unwrap_or(&login.name);
    Author {
        id: Some(login.sub.clone()),
        name: Some(name.clone()),
        address: Some(address),
        ..unasked(app, Kind::User)
    }
}

/// A client that has shown who it is.
#[must_use]
pub fn client(app: &App, id: &str, name: Option<&str>, address: IpAddr) -> Author {
    Author {
        id: Some(id.to_owned()),
        name: name.map(str::to_owned),
        address: Some(address),
        ..unasked(app, Kind::Client)
    }
}

/// Somebody who has not shown who they are.
#[must_use]
pub fn nobody(app: &App, address: IpAddr) -> Author {
    Author { address: Some(address), ..unasked(app, Kind::Nobody) }
}

/// authsvc itself, on the way of a request.
#[must_use]
pub fn authsvc(app: &App) -> Author {
    unasked(app, Kind::Authsvc)
}

fn unasked(app: &App, kind: Kind) -> Author {
    Author { request_id: correlation::current(), ..Author::new(kind, app.clock.now_unix()) }
}

/// Forgets what is older than `audit.keep`, or too much.
///
/// # Errors
/// When the database fails.
pub async fn forget(app: &App) -> Result<(), StoreError> {
    let before = app.clock.now_unix().saturating_sub(seconds(app.config.audit.keep));
    let entries = app.store.forget_audited(before, &KINDS).await?;
    if entries > 0 {
        tracing::info!(entries, "entries of the audit trail beyond what is kept are forgotten");
    }
    Ok(())
}
