//! What the provider gave for a grant that is over, whoever ended it and however: it is told, as far as it listens, and
//! what we had of it is forgotten.

use std::{future, time::Duration};

use tokio::time;

use super::{Broker, held::Owner, registrar::NoClient};
use crate::{
    state::App,
    store::{self, brokered::Ended},
    upstream::Error,
};

/// How often it is looked whether somebody else ended a grant: another replica, or a command.
const EVERY: Duration = Duration::from_hours(1);
/// How many are looked at together.
const BATCH: i64 = 100;
/// After how many that it does not hear in turn it is left alone.
const MOST_SILENT: u32 = 3;
/// How long a provider that does not answer is told again, seconds.
const GIVEN_UP: i64 = 7 * 24 * 3600;

/// Tells the provider of each ending: of ours at once.
pub async fn run(app: &App) {
    let Some(broker) = app.broker() else { return future::pending().await };
    loop {
        if let Err(error) = broker.tell_endings(app).await {
            tracing::warn!(%error, "the identity provider was not told which grants are over");
        }
        tokio::select! {
            () = broker.ended.notified() => {}
            () = time::sleep(EVERY) => {}
        }
    }
}

impl Broker {
    /// Some grant has ended.
    pub fn note_ending(&self) {
        self.ended.notify_one();
    }

    /// Tells the provider of every grant that is over and forgets its tokens; returns how many that were. Those of which
    /// it does not want to hear now are kept; when that are several in turn, so are the others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_endings(&self, app: &App) -> Result<u64, store::Error> {
        let (mut told, mut silent) = (0, 0);
        let mut last = (i64::MIN, String::new());
        loop {
            let endings = app.store.untold_endings((last.0, &last.1), BATCH).await?;
            let Some(end) = endings.last() else { return Ok(told) };
            last = (end.at, end.id.clone());
            for ended in &endings {
                if self.tell(app, ended).await? {
                    app.store.forget_provider_tokens(ended).await?;
                    (told, silent) = (told + 1, 0);
                } else {
                    silent += 1;
                }
                if silent == MOST_SILENT {
                    return Ok(told);
                }
            }
        }
    }

    /// Tells it of one; `false` if that is to be tried again.
    async fn tell(&self, app: &App, ended: &Ended) -> Result<bool, store::Error> {
        let Err(error) = self.revoke(app, ended).await else { return Ok(true) };
        let waits = match error {
            NoClient::Store(error) => return Err(error),
            NoClient::Provider(Error::Unreachable { .. }) => {
                app.clock.now_unix() < ended.at.saturating_add(GIVEN_UP)
            }
            NoClient::Provider(_) | NoClient::Sealed => false,
        };
        untold(ended, &error, waits);
        Ok(!waits)
    }

    async fn revoke(&self, app: &App, ended: &Ended) -> Result<(), NoClient> {
        let Some(held) = self.open(&ended.tokens, Owner::Grant(&ended.id)) else { return Ok(()) };
        if let Some(dex) = &self.dex {
            // It has no revocation endpoint; without its client, a refresh token is worth nothing there.
            return Ok(dex.remove(&held.client).await?);
        }
        let Some(refresh) = &held.refresh else { return Ok(()) };
        match self.client_known(app, &ended.client_id, &held.client).await? {
            Some(client) => Ok(self.provider.revoke(&client, refresh).await?),
            None => Err(Error::Client("authsvc is another one there now".to_owned()).into()),
        }
    }
}

fn untold(ended: &Ended, error: &NoClient, waits: bool) {
    let (grant_id, when) = (&ended.id, if waits { "later" } else { "no more" });
    tracing::warn!(%error, grant_id, when, "the identity provider was not told that a grant is over");
}
