//! What a provider gave, beside what was granted here, and who authsvc is there. Secrets come in sealed.

use sqlx::AnyConnection;

use super::{
    Error, Store,
    endings::Grant,
    grants::{AccessToken, FromProvider},
};

/// Who authsvc is at a provider, for one client of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderClient {
    /// The provider.
    pub issuer: String,
    /// Our client; empty for authsvc itself.
    pub client_id: String,
    /// Its id at the provider.
    pub id: String,
    /// Its secret, and what it is ended with, sealed.
    pub secrets: Vec<u8>,
    /// Unix seconds.
    pub created_at: i64,
    /// When its secret is over, Unix seconds.
    pub expires_at: Option<i64>,
}

/// A grant that is over, and what the provider gave for it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Identity.
    pub id: String,
    /// The client.
    pub client_id: String,
    /// When, Unix seconds.
    pub at: i64,
    /// What the provider gave, sealed.
    pub tokens: Vec<u8>,
}

type Row = (String, String, String, Vec<u8>, i64, Option<i64>);

/// A turn to get new tokens for a grant: nobody else does until it ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    until_ms: i64,
}

/// Every column of `provider_clients`, of those that `rest` says.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT issuer, client_id, id, secrets, created_at, expires_at FROM provider_clients ",
            $rest
        )
    };
}

impl Store {
    /// Notes that the user has agreed to a request, Unix seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agree_to_interaction(&self, id: &[u8], now: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE interactions SET agreed_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// What the provider gave for a grant, sealed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn provider_tokens(&self, grant_id: &str) -> Result<Option<Vec<u8>>, Error> {
        let sealed: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT provider_tokens FROM grants WHERE id = $1")
                .bind(grant_id)
                .fetch_optional(self.reader())
                .await?;
        Ok(sealed.flatten())
    }

    /// A turn to get new tokens for a grant, until it ends or `until_ms`; nothing while somebody else has it at
    /// `now_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_provider_turn(
        &self,
        grant_id: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Option<Turn>, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE grants SET provider_busy_until_ms = $3 WHERE id = $1 AND provider_busy_until_ms <= $2",
        )
        .bind(grant_id)
        .bind(now_ms)
        .bind(until_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((done.rows_affected() == 1).then_some(Turn { until_ms }))
    }

    /// Keeps what the provider gave in a turn, which ends; `false` if the turn was over before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_provider_tokens(
        &self,
        grant_id: &str,
        turn: Turn,
        given: &FromProvider,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        keep_access(&mut transaction, grant_id, &given.access).await?;
        let done = sqlx::query(
            "UPDATE grants SET provider_tokens = $3, provider_busy_until_ms = 0
             WHERE id = $1 AND provider_busy_until_ms = $2",
        )
        .bind(grant_id)
        .bind(turn.until_ms)
        .bind(&given.tokens)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends a turn in which nothing came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_provider_turn(&self, grant_id: &str, turn: Turn) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE grants SET provider_busy_until_ms = 0 WHERE id = $1 AND provider_busy_until_ms = $2",
        )
        .bind(grant_id)
        .bind(turn.until_ms)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Grants that are over and of which the provider is still to be told, those that ended first, beyond this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_endings(
        &self,
        (at, id): (i64, &str),
        most: i64,
    ) -> Result<Vec<Ended>, Error> {
        let rows: Vec<(String, String, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, client_id, ended_at, provider_tokens FROM grants
             WHERE ended_at IS NOT NULL AND provider_tokens IS NOT NULL AND (ended_at, id) > ($1, $2)
             ORDER BY ended_at, id LIMIT $3",
        )
        .bind(at)
        .bind(id)
        .bind(most)
        .fetch_all(self.reader())
        .await?;
        let ended = |(id, client_id, at, tokens)| Ended { id, client_id, at, tokens };
        Ok(rows.into_iter().map(ended).collect())
    }

    /// Forgets what the provider gave for a grant that is over, unless it has given something else since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_provider_tokens(&self, ended: &Ended) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE grants SET provider_tokens = NULL
             WHERE id = $1 AND ended_at IS NOT NULL AND provider_tokens = $2",
        )
        .bind(&ended.id)
        .bind(&ended.tokens)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// The grants with which a provider gave the access token with this digest: some give the same one again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants_of_access(&self, digest: &[u8]) -> Result<Vec<Grant>, Error> {
        let grants = sqlx::query_as(
            "SELECT id, client_id, resources, scope, sub, email, user_groups, auth_time, credential, expires_at, ended_at
             FROM grants WHERE id IN (SELECT grant_id FROM provider_access WHERE digest = $1)
             ORDER BY ended_at IS NOT NULL, created_at DESC",
        )
        .bind(digest)
        .fetch_all(self.reader())
        .await?;
        Ok(grants)
    }

    /// Who authsvc is at a provider for a client of ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn provider_client(
        &self,
        issuer: &str,
        client_id: &str,
    ) -> Result<Option<ProviderClient>, Error> {
        let row: Option<Row> = sqlx::query_as(select!("WHERE issuer = $1 AND client_id = $2"))
            .bind(issuer)
            .bind(super::text(client_id))
            .fetch_optional(self.reader())
            .await?;
        Ok(row.map(ProviderClient::from))
    }

    /// Keeps who authsvc is at a provider; `false` if somebody else was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_provider_client(&self, new: &ProviderClient) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO provider_clients (issuer, client_id, id, secrets, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (issuer, client_id) DO NOTHING",
        )
        .bind(&new.issuer)
        .bind(super::text(&new.client_id))
        .bind(&new.id)
        .bind(&new.secrets)
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets who authsvc was at a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_provider_client(&self, known: &ProviderClient) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "DELETE FROM provider_clients WHERE issuer = $1 AND client_id = $2 AND id = $3",
        )
        .bind(&known.issuer)
        .bind(&known.client_id)
        .bind(&known.id)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Whether authsvc has this id at a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_provider_client(&self, issuer: &str, id: &str) -> Result<bool, Error> {
        let known: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM provider_clients WHERE issuer = $1 AND id = $2")
                .bind(issuer)
                .bind(super::text(id))
                .fetch_optional(self.reader())
                .await?;
        Ok(known.is_some())
    }

    /// Some of those at a provider whose client here is gone, the oldest first, of those that come after one that was
    /// made then and has this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orphaned_provider_clients(
        &self,
        issuer: &str,
        (created_at, id): (i64, &str),
        most: i64,
    ) -> Result<Vec<ProviderClient>, Error> {
        let rows: Vec<Row> = sqlx::query_as(select!(
            "WHERE issuer = $1 AND client_id <> ''
             AND NOT EXISTS (SELECT 1 FROM clients WHERE clients.id = provider_clients.client_id)
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = provider_clients.client_id
                             AND ended_at IS NOT NULL AND provider_tokens IS NOT NULL)
             AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4"
        ))
        .bind(issuer)
        .bind(created_at)
        .bind(id)
        .bind(most)
        .fetch_all(self.reader())
        .await?;
        Ok(rows.into_iter().map(ProviderClient::from).collect())
    }
}

/// Keeps what an access token of the provider belongs to.
pub(super) async fn keep_access(
    connection: &mut AnyConnection,
    grant_id: &str,
    access: &AccessToken,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO provider_access (digest, grant_id, expires_at)
         SELECT $1, id, COALESCE(CAST($3 AS BIGINT), expires_at) FROM grants WHERE id = $2
         ON CONFLICT (digest, grant_id) DO NOTHING",
    )
    .bind(&access.digest)
    .bind(grant_id)
    .bind(access.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

impl From<Row> for ProviderClient {
    fn from((issuer, client_id, id, secrets, created_at, expires_at): Row) -> Self {
        Self { issuer, client_id, id, secrets, created_at, expires_at }
    }
}
