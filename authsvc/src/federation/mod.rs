//! Logging in at a provider of identities: a button of the login page sends the browser there, and the provider sends it
//! back to a path of its own, `/oauth/callback/{name}`. From there it goes on as after a password. The provider's tokens
//! say who it is, and are then forgotten.
//!
//! Whatever goes wrong ends on the login page, with what is to be done: the request of the application still waits, and
//! there may be other ways to log in.

pub mod arrival;
mod departure;
mod fault;
#[cfg(test)]
mod tests;

pub use self::{
    departure::{Choice, depart},
    fault::{Fault, Place},
};
use crate::{clock::Clock, config::Federated, upstream::Provider};

/// Every provider whose users may log in.
#[derive(Debug)]
pub struct Federation(Vec<Connected>);

/// One of them.
#[derive(Debug)]
pub struct Connected {
    /// As it is configured.
    pub settings: Federated,
    /// How it is spoken to.
    pub provider: Provider,
}

impl Connected {
    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        let Federated { name, label, tenants, .. } = &self.settings;
        Place { name, label, tenants }
    }
}

impl Federation {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(providers: &[Federated], clock: &Clock) -> Result<Self, reqwest::Error> {
        let connected = |settings: &Federated| {
            let Federated { issuer, tenants, targets, .. } = settings;
            let provider = Provider::new(issuer, tenants, *targets, clock.clone())?;
            Ok(Connected { settings: settings.clone(), provider })
        };
        providers.iter().map(connected).collect::<Result<_, _>>().map(Self)
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Connected> {
        self.0.iter().find(|one| one.settings.name == name)
    }

    /// Each of them, in the order of the configuration.
    pub fn iter(&self) -> std::slice::Iter<'_, Connected> {
        self.0.iter()
    }
}
