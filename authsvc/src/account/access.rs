//! What a user has let in, one entry for each application.

use std::collections::BTreeSet;

use crate::{
    authorization::answer::{self, Receiver},
    cimd::id::host_of,
    pages::{
        Application, Connection, Moment, Token,
        words::{self, Scope},
    },
    store::{
        access::{Agreed, Held},
        personal_tokens::PersonalToken,
    },
};

/// Everything about one client.
#[derive(Debug, Default)]
struct Gathered {
    receivers: BTreeSet<(String, Option<&'static str>)>,
    resources: BTreeSet<String>,
    scopes: BTreeSet<String>,
    connections: Vec<Connection>,
    is_remembered: bool,
    since: Option<i64>,
    last_at: Option<i64>,
}

/// The applications, in the order in which the user let them in, the youngest first; those that have no access and
/// may only connect again come last.
pub(super) fn applications(held: &[Held], agreed: &[Agreed]) -> Vec<Application> {
    let mut clients: Vec<(&str, Option<&str>)> = Vec::new();
    let named = held.iter().map(|one| (one.client_id.as_str(), one.name.as_deref()));
    for client in
        named.chain(agreed.iter().map(|one| (one.client_id.as_str(), one.name.as_deref())))
    {
        if !clients.contains(&client) {
            clients.push(client);
        }
    }
    let gather = |(client_id, name)| {
        let mut entry = Gathered::default();
        entry.hold(held.iter().filter(|one| one.client_id == client_id));
        entry.agree(agreed.iter().filter(|one| one.client_id == client_id));
        entry.shown(client_id, name)
    };
    clients.into_iter().map(gather).collect()
}

impl Gathered {
    fn hold<'a>(&mut self, held: impl Iterator<Item = &'a Held>) {
        for one in held {
            let receiver = receiver(&answer::receiver(&one.redirect_uri));
            self.connections.push(Connection {
                id: one.id.clone(),
                receiver: receiver.0.clone(),
                since: Moment::at(one.since),
                last_at: Moment::at(one.last_at),
            });
            self.receivers.insert(receiver);
            self.last_at = self.last_at.max(Some(one.last_at));
            self.may(&one.resources, &one.scope, one.since);
        }
    }

    fn agree<'a>(&mut self, agreed: impl Iterator<Item = &'a Agreed>) {
        for one in agreed {
            self.is_remembered = true;
            self.receivers.insert(receiver(&Receiver::Web { host: one.redirect_host.clone() }));
            // Beside access it is no more than a question less.
            if self.connections.is_empty() {
                self.may(std::slice::from_ref(&one.resource), &one.scope, one.since);
            }
        }
    }

    fn may(&mut self, resources: &[String], scope: &str, since: i64) {
        self.resources.extend(resources.iter().cloned());
        self.scopes.extend(scope.split(' ').map(str::to_owned));
        self.since = Some(self.since.map_or(since, |earlier| earlier.min(since)));
    }

    fn shown(self, client_id: &str, name: Option<&str>) -> Application {
        Application {
            client: client_id.to_owned(),
            name: words::claimed_name(name),
            described_by: host_of(client_id),
            receivers: self.receivers.into_iter().collect(),
            resources: self.resources.into_iter().collect(),
            scopes: self.scopes.iter().map(|scope| Scope::explain(scope)).collect(),
            connections: self.connections,
            is_remembered: self.is_remembered,
            since: self.since.map(Moment::at),
            last_at: self.last_at.map(Moment::at),
        }
    }
}

/// Tokens that live, as their user sees them.
pub(super) fn tokens(living: Vec<PersonalToken>) -> Vec<Token> {
    let shown = |token: PersonalToken| Token {
        name: name(&token),
        scopes: token.scope.split(' ').map(Scope::explain).collect(),
        resources: token.resources,
        since: Moment::at(token.created_at),
        until: Moment::at(token.expires_at),
        last_at: token.used_at.map(Moment::at),
        id: token.id,
    };
    living.into_iter().map(shown).collect()
}

/// What a token is called, or else its identity.
pub(super) fn name(token: &PersonalToken) -> String {
    token.name.clone().unwrap_or_else(|| token.id.clone())
}

/// A program on the user's machine has another port each time: it is one receiver all the same. This may be another
/// machine than it was then.
fn receiver(receiver: &Receiver) -> (String, Option<&'static str>) {
    match receiver {
        Receiver::Web { host } => (host.clone(), None),
        Receiver::Loopback { host } => {
            let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _port)| host);
            (host.to_owned(), Some("a program on a computer of yours"))
        }
        Receiver::PrivateUse { target } => {
            (target.clone(), Some("an application on a device of yours"))
        }
    }
}
