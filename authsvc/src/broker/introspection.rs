//! What the provider says of an opaque token: asked once by all who ask at the same time, and remembered for a moment.
//! How long an answer is taken for good is the filter's to say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use attache_protocol::foreign::Raw;
use tokio::sync::Mutex as Turn;

use super::Broker;
use crate::{
    config::{Client, OpaqueTokens, Registrar},
    state::App,
    store,
    upstream::Error,
};

/// How long an answer is remembered: for those who ask at the same time.
const MOMENT: Duration = Duration::from_secs(2);
/// Tokens of which something is remembered; beyond that what is over is forgotten first, then all of it.
const MOST: usize = 10_000;

/// What was said, and until when that is remembered, by a clock that never runs backwards.
type Said = Option<(Duration, Option<Raw>)>;

/// What was said of which token, by digest.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<Vec<u8>, Arc<Turn<Said>>>>);

impl Broker {
    /// What the provider says of a token; nothing if it is not active.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn ask(&self, app: &App, token: &str) -> Result<Option<Raw>, Error> {
        let turn = self.asked.turn(&store::digest(token), app.clock.elapsed());
        let mut said = turn.lock().await;
        let now = app.clock.elapsed();
        if let Some((until, answer)) = said.as_ref().filter(|(until, _)| now < *until) {
            tracing::trace!(?until, "what was said of a token is remembered");
            return Ok(answer.clone());
        }
        let Some(client) = self.asks_as() else {
            return Err(Error::Client("no client of the configuration may ask".to_owned()));
        };
        let answer = self.provider.introspect(&client, token).await?;
        *said = Some((now.saturating_add(MOMENT), answer.clone()));
        Ok(answer)
    }

    /// The client of the configuration that asks.
    fn asks_as(&self) -> Option<Client> {
        let OpaqueTokens::Introspected { client, .. } = &self.settings.tokens.opaque else {
            return None;
        };
        if let Some(own) = client {
            return Some(Client { id: own.id.clone(), secret: Some(own.secret.clone()) });
        }
        match &self.settings.registrar {
            Registrar::Static(client) => Some(client.clone()),
            Registrar::Registration(_) | Registrar::Dex(_) => None,
        }
    }
}

impl Memory {
    /// The turn of a token: whoever has it asks, the others wait for what comes.
    fn turn(&self, digest: &[u8], now: Duration) -> Arc<Turn<Said>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(digest) {
            all.retain(|_, turn| match turn.try_lock() {
                Ok(said) => said.as_ref().is_some_and(|(until, _)| now < *until),
                Err(_busy) => true,
            });
            if all.len() >= MOST {
                all.clear();
            }
        }
        Arc::clone(all.entry(digest.to_vec()).or_default())
    }
}
