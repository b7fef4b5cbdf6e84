//! What is kept of the documents of clients, beside the clients themselves.

use sqlx::{FromRow, Row as _, any::AnyRow};

use super::{
    Error, Store,
    clients::{AuthMethod, Client},
};

/// A document, but for what is in the [`Client`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptDocument {
    /// When it is looked up anew, Unix seconds.
    pub expires_at: i64,
    /// `jwks_uri`.
    pub keys_uri: Option<String>,
    /// Its key set, JSON: its own, or what was at `jwks_uri`.
    pub keys: Option<String>,
    /// When those are fetched anew, Unix seconds.
    pub keys_expire_at: i64,
    /// When that was last tried, Unix seconds.
    pub keys_fetched_at: i64,
}

/// Keys as they were fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptKeys {
    /// Where they were fetched.
    pub uri: String,
    /// JSON.
    pub text: String,
    /// Unix seconds.
    pub expire_at: i64,
}

impl Store {
    /// What is kept of the document with this URL.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn document(&self, client_id: &str) -> Result<Option<KeptDocument>, Error> {
        let kept = sqlx::query_as(
            "SELECT document_expires_at, keys_uri, keys, keys_expire_at, keys_fetched_at
             FROM clients WHERE id = $1 AND document_expires_at IS NOT NULL",
        )
        .bind(super::text(client_id))
        .fetch_optional(self.reader())
        .await?;
        Ok(kept)
    }

    /// Keeps a client and what its document says, in place of what it said before. Keys that were fetched stay
    /// while it names the same place for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_document(
        &self,
        client: &Client,
        document: &KeptDocument,
        now: i64,
    ) -> Result<(), Error> {
        let redirect_uris = serde_json::to_string(&client.redirect_uris).unwrap_or_default();
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO clients (id, name, redirect_uris, auth_method, signs, created_at, seen_at,
                                  document_expires_at, keys_uri, keys)
             VALUES ($1, $2, $3, 'none', $4, $5, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, redirect_uris = excluded.redirect_uris,
                 signs = excluded.signs, seen_at = excluded.seen_at,
                 document_expires_at = excluded.document_expires_at, keys_uri = excluded.keys_uri,
                 keys = CASE WHEN excluded.keys IS NULL AND clients.keys_uri = excluded.keys_uri
                             THEN clients.keys ELSE excluded.keys END,
                 keys_expire_at = CASE WHEN clients.keys_uri = excluded.keys_uri
                                       THEN clients.keys_expire_at ELSE 0 END",
        )
        .bind(&client.id)
        .bind(&client.name)
        .bind(redirect_uris)
        .bind(i64::from(client.auth_method == AuthMethod::Assertion))
        .bind(now)
        .bind(document.expires_at)
        .bind(&document.keys_uri)
        .bind(&document.keys)
        .execute(&mut *transaction)
        .await?;
        self.forget_unused(&mut transaction, client).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that the keys of a client are being fetched; `false` when somebody else has begun since `seen`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_keys(&self, client_id: &str, seen: i64, now: i64) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE clients SET keys_fetched_at = $3 WHERE id = $1 AND keys_fetched_at = $2",
        )
        .bind(client_id)
        .bind(seen)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps keys that were fetched, if that is still where the client has them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_keys(&self, client_id: &str, keys: &KeptKeys) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE clients SET keys = $2, keys_expire_at = $3
             WHERE id = $1 AND keys_uri = $4",
        )
        .bind(client_id)
        .bind(super::text(&keys.text))
        .bind(keys.expire_at)
        .bind(&keys.uri)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets keys that the client does not have any more, unless it has others meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_keys(&self, client_id: &str, gone: &str) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE clients SET keys = NULL WHERE id = $1 AND keys = $2")
            .bind(client_id)
            .bind(gone)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

impl FromRow<'_, AnyRow> for KeptDocument {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            expires_at: row.try_get("document_expires_at")?,
            keys_uri: row.try_get("keys_uri")?,
            keys: row.try_get("keys")?,
            keys_expire_at: row.try_get("keys_expire_at")?,
            keys_fetched_at: row.try_get("keys_fetched_at")?,
        })
    }
}
