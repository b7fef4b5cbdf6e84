//! What the provider is asked for: scopes, as it calls them, and the resource, as it wants to be told.

use super::{Broker, sign_in::OPENID};
use crate::{
    authorization::scope::OFFLINE_ACCESS,
    callback,
    config::{Registrar, ResourceParameter},
    discovery,
    state::App,
};

impl Broker {
    /// Where the provider sends browsers back: nobody else's callback.
    #[must_use]
    pub fn callback(&self, app: &App) -> String {
        callback::url(&app.config.public_url, self.name())
    }

    /// The last segment of that.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.settings.registrar {
            Registrar::Static(_) | Registrar::Registration(_) => "external",
            Registrar::Dex(_) => "dex",
        }
    }

    /// Scopes for a request of a client: those that are always asked for, and those of the servers, as the provider
    /// calls them.
    #[must_use]
    pub fn scopes(&self, asked: &[String]) -> Vec<String> {
        let settings = &self.settings.request;
        let mut scopes = settings.scopes.clone();
        if matches!(self.settings.registrar, Registrar::Dex(_)) {
            // It refuses a request with a scope that it does not know.
            return scopes;
        }
        for scope in asked.iter().filter(|scope| *scope != OFFLINE_ACCESS) {
            let theirs = settings.scope_map.get(scope).unwrap_or(scope);
            if !scopes.contains(theirs) {
                scopes.push(theirs.clone());
            }
        }
        scopes
    }

    /// Scopes for a login that no client asked for.
    #[must_use]
    pub fn sign_in_scopes(&self) -> Vec<String> {
        let asked = self.settings.request.scopes.iter();
        let others = asked.filter(|scope| *scope != OFFLINE_ACCESS && *scope != OPENID).cloned();
        [OPENID.to_owned()].into_iter().chain(others).collect()
    }

    /// All that will ever be asked for.
    #[must_use]
    pub fn every_scope(&self, app: &App) -> Vec<String> {
        self.scopes(&discovery::scopes(&app.config))
    }

    /// How the provider is told which resource a token is for.
    #[must_use]
    pub fn resource<'a>(&'a self, resources: &'a [String]) -> Vec<(&'static str, &'a str)> {
        let name = match self.settings.request.resource {
            ResourceParameter::Resource => "resource",
            ResourceParameter::Audience => "audience",
            ResourceParameter::Omitted => return Vec::new(),
        };
        let fixed = self.settings.tokens.audience.as_deref();
        let first = resources.first().map(String::as_str);
        fixed.or(first).map(|value| (name, value)).into_iter().collect()
    }
}
