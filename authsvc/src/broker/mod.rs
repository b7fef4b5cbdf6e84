//! Before a provider: authsvc is the authorization server that clients see, the provider logs people in and issues the
//! access tokens.
//!
//! In the order of the flow: [`consent`] asks, before anybody goes to the provider → [`departure`] sends them there, as
//! the client that [`registrar`] has or makes, for what [`asking`] says → [`arrival`] takes them back, and keeps what the
//! provider gave as [`held`] → [`tokens`] hands it out at the token endpoint, if [`access`] finds nothing that the filter
//! would refuse, and gets new ones. [`endings`] tells the provider which grants are over. [`keys`] publishes the provider's keys as ours; [`introspection`] asks about tokens
//! that say nothing themselves. [`sign_in`] is the login for one's own page. `at_dex` is what is different where the provider is Dex.

pub mod access;
pub mod arrival;
pub mod asking;
mod at_dex;
pub mod consent;
pub mod departure;
pub mod endings;
pub mod held;
pub mod introspection;
pub mod keys;
pub mod registrar;
pub mod sign_in;
#[cfg(test)]
mod tests;
pub mod tokens;
mod turns;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    clock::Clock,
    config::{Brokered, Config, Tenants},
    dex::Dex,
    keys::Vault,
    upstream::Provider,
};

use self::{introspection::Memory, keys::Published, turns::Turns};

/// The provider, and what is known of it.
#[derive(Debug)]
pub struct Broker {
    /// As it is configured.
    pub settings: Brokered,
    /// How it is spoken to.
    pub provider: Arc<Provider>,
    vault: Vault,
    published: Published,
    asked: Memory,
    /// Our clients, where the provider is Dex.
    dex: Option<Arc<Dex>>,
    registering: Turns,
    /// What goes on at the provider when nobody waits for it any more.
    unfinished: TaskTracker,
    /// Some grant has ended.
    ended: Notify,
}

impl Broker {
    /// Prepares; speaks to nobody.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn new(
        settings: &Brokered,
        config: &Config,
        clock: &Clock,
    ) -> Result<Self, reqwest::Error> {
        let Brokered { issuer, targets, .. } = settings;
        let provider = Provider::new(issuer, &Tenants::Single, *targets, clock.clone())?;
        Ok(Self {
            settings: settings.clone(),
            provider: Arc::new(provider),
            vault: Vault::of(config),
            published: Published::default(),
            asked: Memory::default(),
            dex: None,
            registering: Turns::default(),
            unfinished: TaskTracker::new(),
            ended: Notify::default(),
        })
    }

    /// Waits for what was begun at the provider, when nothing more will be.
    pub async fn finish(&self) {
        self.unfinished.close();
        self.unfinished.wait().await;
    }
}
