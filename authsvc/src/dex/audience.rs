//! Whom tokens are for. Dex puts a client into `aud` that is asked for by the scope `audience:server:client_id:{id}`,
//! if that client trusts the one that asks. So each resource is a client at Dex whose id is its URL, and it trusts
//! those of our clients whose users agreed to it: of all tokens of Dex, only theirs open it.
//!
//! The list is said whole, so whoever says it must have read it last: a process at a time does, by a lease in the
//! database. Whoever has that finishes, whether or not anybody waits: if it went with a request whose client has gone,
//! nobody could log in until it is over.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};

use super::{Dex, Trouble, api, wire};

/// Longer than what is said in it can take, all its tries together.
const LEASE: Duration = api::LONGEST.saturating_mul(3);
/// Patience with others who have the lease.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether they have given it back.
const GLANCE: Duration = Duration::from_millis(50);

/// The scope that asks for tokens for a resource.
#[must_use]
pub fn scope(resource: &str) -> String {
    format!("audience:server:client_id:{resource}")
}

impl Dex {
    /// Has these resources trust whom they should.
    pub(super) async fn publish(self: &Arc<Self>, resources: &[String]) -> Result<(), Trouble> {
        let (dex, resources) = (Arc::clone(self), resources.to_vec());
        let publishing = self.unfinished.spawn(async move { dex.publish_now(&resources).await });
        publishing.await.map_err(|_broken| Trouble::Broken)?
    }

    async fn publish_now(&self, resources: &[String]) -> Result<(), Trouble> {
        let turn = time::timeout(PATIENCE, self.turn.lock()).await;
        let _turn = turn.map_err(|_elapsed| Trouble::Busy)?;
        for resource in resources {
            let until_ms = self.lease(resource).await?;
            let written = self.write(resource).await;
            self.store.return_dex_resource(resource, until_ms).await?;
            written?;
        }
        Ok(())
    }

    async fn lease(&self, resource: &str) -> Result<i64, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now_ms = self.clock.now_ms();
            let until_ms =
                now_ms.saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX));
            if self.store.lease_dex_resource(resource, now_ms, until_ms).await? {
                return Ok(until_ms);
            }
            if Instant::now() >= deadline {
                return Err(Trouble::Busy);
            }
            time::sleep(GLANCE).await;
        }
    }

    async fn write(&self, resource: &str) -> Result<(), Trouble> {
        let peers = self.store.dex_peers(resource).await?;
        if peers.is_empty() {
            // A list of nobody cannot be said: it would mean that nothing changes.
            return Ok(self.api.delete(resource).await?);
        }
        if self.trust(resource, &peers).await? {
            return Ok(());
        }
        let client = wire::Client {
            id: resource.to_owned(),
            // Kept nowhere: nobody is ever to log in as a resource, and it can send nobody anywhere.
            secret: self.random.token(),
            redirect_uris: Vec::new(),
            trusted_peers: peers.clone(),
            public: false,
            name: resource.to_owned(),
        };
        if !self.api.create(client).await? {
            self.trust(resource, &peers).await?;
        }
        Ok(())
    }

    /// `false` if there is no such resource yet.
    async fn trust(&self, resource: &str, peers: &[String]) -> Result<bool, Trouble> {
        let update = wire::UpdateClient {
            id: resource.to_owned(),
            trusted_peers: peers.to_vec(),
            ..wire::UpdateClient::default()
        };
        Ok(self.api.update(update).await?)
    }
}
