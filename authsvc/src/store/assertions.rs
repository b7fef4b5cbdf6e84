//! Assertions of clients that were used.

use super::{Error, Store, Turn};

impl Store {
    /// Uses an assertion up; `false` if it was used before, by whichever replica.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_assertion(&self, digest: &[u8], expires_at: i64) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO assertions (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(digest)
        .bind(expires_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets assertions that expired before `before`, Unix seconds; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_assertions(&self, before: i64) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let done = sqlx::query("DELETE FROM assertions WHERE expires_at < $1")
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}
