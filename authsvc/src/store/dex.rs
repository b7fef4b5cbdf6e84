//! Clients that authsvc made at Dex, and who of them are peers of which resource.

use super::{Error, Store};

/// How many too many one that comes takes with it: more than one, since several may come at the same time, and few, since
/// somebody waits.
const SURPLUS: i64 = 4;

/// A client at Dex, for one login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewDexClient<'a> {
    /// There.
    pub id: &'a str,
    /// Here.
    pub client_id: &'a str,
    /// What it may have tokens for.
    pub resources: &'a [String],
}

impl Store {
    /// Keeps a client that is about to be made at Dex, if it is not kept yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_dex_client(&self, new: NewDexClient<'_>, now: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        // Of one that is there nothing changes, and nobody forgets it before its peers are kept.
        sqlx::query(
            "INSERT INTO dex_clients (id, client_id, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id",
        )
        .bind(new.id)
        .bind(new.client_id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        for resource in new.resources {
            for statement in [
                "INSERT INTO dex_resources (resource) VALUES ($1) ON CONFLICT (resource) DO NOTHING",
                "INSERT INTO dex_peers (resource, dex_client) VALUES ($1, $2)
                 ON CONFLICT (resource, dex_client) DO NOTHING",
            ] {
                let query = sqlx::query(statement).bind(resource);
                let query = if statement.contains("$2") { query.bind(new.id) } else { query };
                query.execute(&mut *transaction).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Notes for which grant a client was made: it is needed as long as that lives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bind_dex_client(&self, id: &str, grant_id: &str) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE dex_clients SET grant_id = $2 WHERE id = $1")
            .bind(id)
            .bind(grant_id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Clients that are not needed: their grant has ended, or none came of what began before `before`, Unix seconds.
    /// The oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn needless_dex_clients(
        &self,
        before: i64,
        now: i64,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        let needless = sqlx::query_scalar(
            "SELECT id FROM dex_clients
             WHERE created_at < $1
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = dex_clients.grant_id
                             AND grants.ended_at IS NULL AND grants.expires_at > $2)
             ORDER BY created_at LIMIT $3",
        )
        .bind(before)
        .bind(now)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(needless)
    }

    /// Clients of which no grant came, and which were made before `before`, Unix seconds. The oldest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn abandoned_dex_clients(
        &self,
        before: i64,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        let abandoned = sqlx::query_scalar(
            "SELECT id FROM dex_clients WHERE grant_id IS NULL AND created_at < $1
             ORDER BY created_at LIMIT $2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(abandoned)
    }

    /// The oldest of those of which no grant has come yet, as far as there are more than `most`: a few, never `newest`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn surplus_dex_clients(&self, newest: &str, most: i64) -> Result<Vec<String>, Error> {
        let all: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM dex_clients WHERE grant_id IS NULL")
                .fetch_one(self.reader())
                .await?;
        let surplus = all.saturating_sub(most).min(SURPLUS);
        if surplus <= 0 {
            return Ok(Vec::new());
        }
        let oldest = sqlx::query_scalar(
            "SELECT id FROM dex_clients WHERE grant_id IS NULL AND id <> $1
             ORDER BY created_at LIMIT $2",
        )
        .bind(newest)
        .bind(surplus)
        .fetch_all(self.reader())
        .await?;
        Ok(oldest)
    }

    /// The resources for which a client may have tokens; nothing if we did not make it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dex_client_resources(&self, id: &str) -> Result<Option<Vec<String>>, Error> {
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM dex_clients WHERE id = $1")
            .bind(id)
            .fetch_optional(self.reader())
            .await?;
        if known.is_none() {
            return Ok(None);
        }
        let resources =
            sqlx::query_scalar("SELECT resource FROM dex_peers WHERE dex_client = $1 ORDER BY 1")
                .bind(id)
                .fetch_all(self.reader())
                .await?;
        Ok(Some(resources))
    }

    /// The clients that may have tokens for a resource.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dex_peers(&self, resource: &str) -> Result<Vec<String>, Error> {
        let peers =
            sqlx::query_scalar("SELECT dex_client FROM dex_peers WHERE resource = $1 ORDER BY 1")
                .bind(resource)
                .fetch_all(self.reader())
                .await?;
        Ok(peers)
    }

    /// Takes a resource for oneself, until it is given back or this time, Unix milliseconds; `false` while somebody
    /// else has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_dex_resource(
        &self,
        resource: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE dex_resources SET leased_until = $3 WHERE resource = $1 AND leased_until <= $2",
        )
        .bind(resource)
        .bind(now_ms)
        .bind(until_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives it back, if it was not taken by somebody else meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_dex_resource(&self, resource: &str, until_ms: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE dex_resources SET leased_until = 0 WHERE resource = $1 AND leased_until = $2",
        )
        .bind(resource)
        .bind(until_ms)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets a client that is not at Dex any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_dex_client(&self, id: &str) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM dex_clients WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}
