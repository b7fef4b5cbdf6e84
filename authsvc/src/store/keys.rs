//! Keys that sign. The private part is kept as it is, readable by whoever reads the database file.

use attache_protocol::secret::Secret;
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};

use super::{Error, Store};

/// A key that is published.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// `EdDSA` or `ES256`.
    pub algorithm: String,
    /// 32 bytes.
    pub private_key: Secret<Vec<u8>>,
    /// `next`, `current` or `retired`.
    pub state: String,
}

impl Store {
    /// Every key that is to be published, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let keys = sqlx::query_as(
            "SELECT kid, algorithm, private_key, state FROM signing_keys ORDER BY created_at, kid",
        )
        .fetch_all(self.reader())
        .await?;
        Ok(keys)
    }

    /// Keeps a key as the current one of its algorithm, unless there is one: of two that start at the same time,
    /// one makes the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_first_signing_key(&self, key: &SigningKey, now: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO signing_keys (kid, algorithm, private_key, state, created_at)
             VALUES ($1, $2, $3, 'current', $4) ON CONFLICT DO NOTHING",
        )
        .bind(&key.kid)
        .bind(&key.algorithm)
        .bind(key.private_key.reveal())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl FromRow<'_, SqliteRow> for SigningKey {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            kid: row.try_get("kid")?,
            algorithm: row.try_get("algorithm")?,
            private_key: Secret::new(row.try_get("private_key")?),
            state: row.try_get("state")?,
        })
    }
}
