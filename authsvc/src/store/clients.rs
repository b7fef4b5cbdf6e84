//! Clients that registered themselves.

use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn};
use crate::cimd::id::is_url;

/// Clients that were never granted anything, of each kind: anyone can register one, or write a document.
pub(crate) const MAX_UNUSED: i64 = if cfg!(test) { 50 } else { 10_000 };

/// How a client shows who it is at the token endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthMethod {
    /// It does not: a public client.
    None,
    /// HTTP Basic.
    Basic,
    /// Form parameters.
    Post,
    /// A JWT that it signed; only where a document or the configuration has its keys.
    Assertion,
}

impl AuthMethod {
    /// `token_endpoint_auth_method` (RFC 7591 section 2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::Assertion => "private_key_jwt",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post, Self::Assertion]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

/// A client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// As it claims, without control characters.
    pub name: Option<String>,
    /// As registered.
    pub redirect_uris: Vec<String>,
    /// As registered.
    pub auth_method: AuthMethod,
    /// SHA-256 of its secret; a public client has none.
    pub secret: Option<Vec<u8>>,
    /// SHA-256 of the token with which it manages its registration; a client that many share, or that is in the
    /// configuration, has none.
    pub management: Option<Vec<u8>>,
    /// Unix seconds.
    pub created_at: i64,
}

/// What identifies two registrations as the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// Nothing: each registration is a client of its own, since each has a secret of its own.
    Own,
    /// SHA-256 of the registration.
    Shared([u8; 32]),
}

impl Store {
    /// Keeps a client; of a [`Identity::Shared`] registration that is there already, returns that client. When too
    /// many were never used, the oldest of them goes with which no one is busy: a flood must not keep anyone from
    /// registering.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register_client(&self, new: &Client, identity: Identity) -> Result<Client, Error> {
        let digest = match &identity {
            Identity::Own => None,
            Identity::Shared(digest) => Some(digest.as_slice()),
        };
        let redirect_uris = serde_json::to_string(&new.redirect_uris).unwrap_or_default();
        let mut transaction = self.write().await?;
        let client = sqlx::query_as(
            "INSERT INTO clients (id, name, redirect_uris, auth_method, secret, digest, management, created_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (digest) DO UPDATE SET seen_at = excluded.seen_at
             RETURNING id, name, redirect_uris, auth_method, secret, management, created_at",
        )
        .bind(&new.id)
        .bind(&new.name)
        .bind(redirect_uris)
        .bind(new.auth_method.as_str())
        .bind(&new.secret)
        .bind(digest)
        .bind(&new.management)
        .bind(new.created_at)
        .fetch_one(&mut *transaction)
        .await?;
        self.forget_unused(&mut transaction, &client).await?;
        transaction.commit().await?;
        Ok(client)
    }

    /// The client of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, id: &str) -> Result<Option<Client>, Error> {
        let client = sqlx::query_as(
            "SELECT id, name, redirect_uris, secret, management, created_at,
                    CASE WHEN signs = 1 THEN 'private_key_jwt' ELSE auth_method END AS auth_method
             FROM clients WHERE id = $1",
        )
        .bind(super::text(id))
        .fetch_optional(self.reader())
        .await?;
        Ok(client)
    }

    /// Whether a client was ever granted anything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_used(&self, id: &str) -> Result<bool, Error> {
        let used: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM clients WHERE id = $1 AND used_at IS NOT NULL")
                .bind(super::text(id))
                .fetch_optional(self.reader())
                .await?;
        Ok(used.is_some())
    }

    /// Forgets clients that were not granted anything and did not register since `unused_since`, or that were not
    /// granted anything since `idle_since`; never one with a live grant. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_clients(
        &self,
        unused_since: i64,
        idle_since: i64,
        now: i64,
    ) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let done = sqlx::query(
            "DELETE FROM clients
             WHERE ((used_at IS NULL AND seen_at < $1) OR seen_at < $2)
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = clients.id
                             AND grants.ended_at IS NULL AND grants.expires_at > $3)",
        )
        .bind(unused_since)
        .bind(idle_since)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Forgets clients that were never used, oldest first, until there are not too many: never `newest`, nor one
    /// with an authorization under way, and only of the kind of `newest`, since documents are faster made than
    /// registrations, and come back by themselves. What another process is busy with is left to it: two that forget in
    /// different orders would make each wait for the other.
    pub(super) async fn forget_unused(
        &self,
        connection: &mut AnyConnection,
        newest: &Client,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(self.statement(
            "DELETE FROM clients WHERE id IN (
                SELECT id FROM clients
                WHERE used_at IS NULL AND id <> $1
                AND CASE WHEN document_expires_at IS NULL THEN 0 ELSE 1 END = $3
                AND NOT EXISTS (SELECT 1 FROM codes WHERE codes.client_id = clients.id)
                AND NOT EXISTS (SELECT 1 FROM interactions WHERE interactions.client_id = clients.id)
                ORDER BY seen_at
                LIMIT (SELECT CASE WHEN COUNT(*) > $2 THEN COUNT(*) - $2 ELSE 0 END
                       FROM clients WHERE used_at IS NULL
                       AND CASE WHEN document_expires_at IS NULL THEN 0 ELSE 1 END = $3)
                /*postgres: FOR UPDATE SKIP LOCKED */)",
        ))
        .bind(&newest.id)
        .bind(MAX_UNUSED)
        .bind(i64::from(is_url(&newest.id)))
        .execute(connection)
        .await?;
        Ok(())
    }
}

pub(super) fn auth_method(row: &AnyRow) -> Result<AuthMethod, sqlx::Error> {
    let method: String = row.try_get("auth_method")?;
    AuthMethod::parse(&method)
        .ok_or_else(|| super::unreadable("auth_method", "a method of authentication"))
}

impl FromRow<'_, AnyRow> for Client {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            redirect_uris: super::texts(row, "redirect_uris")?,
            auth_method: auth_method(row)?,
            secret: row.try_get("secret")?,
            management: row.try_get("management")?,
            created_at: row.try_get("created_at")?,
        })
    }
}
