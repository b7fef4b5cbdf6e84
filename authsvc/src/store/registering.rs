//! Turns to register at a provider for a client of ours: whoever has one is alone, whichever process they are of.

use super::{Error, Store, text};

/// Who registers where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registering<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Our client.
    pub client_id: &'a str,
}

impl Store {
    /// A turn until it is given back, or `until_ms`; `false` while somebody else has it at `now_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_registering(
        &self,
        what: Registering<'_>,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO provider_turns (issuer, client_id, until_ms) VALUES ($1, $2, $3)
             ON CONFLICT (issuer, client_id) DO UPDATE SET until_ms = excluded.until_ms
             WHERE provider_turns.until_ms <= $4",
        )
        .bind(what.issuer)
        .bind(text(what.client_id))
        .bind(until_ms)
        .bind(now_ms)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives it back, if nobody else has taken it meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_registering(&self, what: Registering<'_>, until_ms: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "DELETE FROM provider_turns WHERE issuer = $1 AND client_id = $2 AND until_ms = $3",
        )
        .bind(what.issuer)
        .bind(text(what.client_id))
        .bind(until_ms)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets turns that were over before `before_ms`, Unix milliseconds, and not given back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_registering(&self, before_ms: i64) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM provider_turns WHERE until_ms < $1")
            .bind(before_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}
