//! What becomes of clients after they registered: changed or removed by themselves, or by the operator.

use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{
    Error, Store,
    audit::Entry,
    clients::{AuthMethod, Client},
    endings::EndedBy,
};

/// A client as the operator sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// `client_id`.
    pub id: String,
    /// As it claims.
    pub name: Option<String>,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    /// As registered.
    pub redirect_uris: Vec<String>,
    /// Last registration or grant, Unix seconds.
    pub seen_at: i64,
    /// Grants that live.
    pub grants: i64,
}

/// What a user has granted, as the operator sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Subject.
    pub sub: String,
    /// Their password as it was, see [`crate::users::Member::credential`].
    pub credential: Vec<u8>,
    /// Grants that live.
    pub grants: i64,
    /// When the youngest of them began, Unix seconds.
    pub last_at: i64,
}

impl Store {
    /// Replaces what a client registered, if `management` is still the digest of its token; whether it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_client(
        &self,
        client: &Client,
        management: &[u8],
        entry: Entry,
    ) -> Result<bool, Error> {
        let redirect_uris = serde_json::to_string(&client.redirect_uris).unwrap_or_default();
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE clients SET name = $1, redirect_uris = $2, auth_method = $3, management = $4
             WHERE id = $5 AND management = $6",
        )
        .bind(&client.name)
        .bind(redirect_uris)
        .bind(client.auth_method.as_str())
        .bind(&client.management)
        .bind(&client.id)
        .bind(management)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Forgets a client, and ends all that it was granted; how many grants that were, or nothing if there is no
    /// such client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_client(&self, id: &str, entry: Entry) -> Result<Option<u64>, Error> {
        let mut transaction = self.write().await?;
        let removed: Option<(Option<String>,)> =
            sqlx::query_as("DELETE FROM clients WHERE id = $1 RETURNING name")
                .bind(super::text(id))
                .fetch_optional(&mut *transaction)
                .await?;
        let Some((name,)) = removed else { return Ok(None) };
        let ended = end_all(&mut transaction, id, entry.ended_by(), entry.at()).await?;
        entry.called(name).with("grants", ended).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(ended))
    }

    /// Ends all that was granted to a client that is not kept here; how many grants that were. Where there was none,
    /// the trail says nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_client(&self, id: &str, entry: Entry) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let ended = end_all(&mut transaction, id, entry.ended_by(), entry.at()).await?;
        if ended > 0 {
            entry.with("grants", ended).write(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }

    /// Ids of clients that are not kept here and were granted something that lives at `now`, Unix seconds, or that
    /// somebody agreed to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_clients(&self, now: i64) -> Result<Vec<String>, Error> {
        let ids = sqlx::query_scalar(
            "SELECT client_id FROM (
                SELECT client_id FROM grants WHERE ended_at IS NULL AND expires_at > $1
                UNION SELECT client_id FROM codes WHERE used_at IS NULL
                UNION SELECT client_id FROM consents) AS needed
             WHERE NOT EXISTS (SELECT 1 FROM clients WHERE clients.id = needed.client_id)
             ORDER BY client_id",
        )
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        Ok(ids)
    }

    /// What was granted to a client and lives at `now`: how many grants, and when the youngest began, Unix seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn granted_to(&self, id: &str, now: i64) -> Result<(i64, Option<i64>), Error> {
        let granted = sqlx::query_as(
            "SELECT COUNT(*), MAX(created_at) FROM grants
             WHERE client_id = $1 AND ended_at IS NULL AND expires_at > $2",
        )
        .bind(super::text(id))
        .bind(now)
        .fetch_one(self.reader())
        .await?;
        Ok(granted)
    }

    /// Every client, the last seen first; `now` in Unix seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients(&self, now: i64) -> Result<Vec<Listed>, Error> {
        let clients = sqlx::query_as(
            "SELECT id, name, redirect_uris, seen_at,
                    CASE WHEN signs = 1 THEN 'private_key_jwt' ELSE auth_method END AS auth_method,
                    (SELECT COUNT(*) FROM grants WHERE grants.client_id = clients.id
                     AND grants.ended_at IS NULL AND grants.expires_at > $1) AS live
             FROM clients ORDER BY seen_at DESC, id",
        )
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        Ok(clients)
    }

    /// Every user with a grant that lives at `now`, Unix seconds; once for each password with which they granted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holders(&self, now: i64) -> Result<Vec<Holder>, Error> {
        let rows: Vec<(String, Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT sub, credential, COUNT(*), MAX(created_at) FROM grants
             WHERE ended_at IS NULL AND expires_at > $1 GROUP BY sub, credential",
        )
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        let holder =
            |(sub, credential, grants, last_at)| Holder { sub, credential, grants, last_at };
        Ok(rows.into_iter().map(holder).collect())
    }
}

/// Codes that would become grants, grants, and what users had agreed to. The codes first: one that another process is
/// just redeeming is waited for, and what it has become is seen.
async fn end_all(
    connection: &mut AnyConnection,
    client_id: &str,
    by: EndedBy,
    now: i64,
) -> Result<u64, sqlx::Error> {
    sqlx::query("DELETE FROM codes WHERE client_id = $1 AND used_at IS NULL")
        .bind(client_id)
        .execute(&mut *connection)
        .await?;
    let ended = sqlx::query(
        "UPDATE grants SET ended_at = $1, ended_by = $2
         WHERE client_id = $3 AND ended_at IS NULL AND expires_at > $1",
    )
    .bind(now)
    .bind(by.as_str())
    .bind(client_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM consents WHERE client_id = $1")
        .bind(client_id)
        .execute(&mut *connection)
        .await?;
    Ok(ended.rows_affected())
}

impl FromRow<'_, AnyRow> for Listed {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            auth_method: super::clients::auth_method(row)?,
            redirect_uris: super::texts(row, "redirect_uris")?,
            seen_at: row.try_get("seen_at")?,
            grants: row.try_get("live")?,
        })
    }
}
