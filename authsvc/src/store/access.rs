//! What a user has let in, as they see it, and its end.

use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, audit::Entry, endings::EndedBy};

/// A grant that lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Identity of the grant.
    pub id: String,
    /// Who has it.
    pub client_id: String,
    /// As it claims; nothing if it is not registered any more.
    pub name: Option<String>,
    /// Where its code went.
    pub redirect_uri: String,
    /// As they are written in `aud`.
    pub resources: Vec<String>,
    /// Separated by spaces.
    pub scope: String,
    /// Unix seconds.
    pub since: i64,
    /// When tokens were last issued from it, Unix seconds.
    pub last_at: i64,
}

/// An agreement that is remembered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// With whom.
    pub client_id: String,
    /// As it claims; nothing if it is not registered any more.
    pub name: Option<String>,
    /// Where codes may go without another question.
    pub redirect_host: String,
    /// At which resource.
    pub resource: String,
    /// Separated by spaces.
    pub scope: String,
    /// Unix seconds.
    pub since: i64,
}

/// What ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Over {
    /// Grants.
    pub(super) grants: u64,
    /// Whatever went: grants, codes that would have become grants, agreements.
    rows: u64,
}

impl Store {
    /// What this user has granted with the password of `credential` and lives at `now`, Unix seconds; the youngest
    /// first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held(&self, sub: &str, credential: &[u8], now: i64) -> Result<Vec<Held>, Error> {
        let held = sqlx::query_as(
            "SELECT grants.id, grants.client_id, clients.name, codes.redirect_uri, grants.resources, grants.scope,
                    grants.created_at,
                    (SELECT MAX(used_at_ms) FROM refresh_tokens WHERE grant_id = grants.id) AS used_at_ms
             FROM grants JOIN codes ON codes.id = grants.code
             LEFT JOIN clients ON clients.id = grants.client_id
             WHERE grants.sub = $1 AND grants.credential = $2 AND ended_at IS NULL AND grants.expires_at > $3
             ORDER BY grants.created_at DESC, grants.id",
        )
        .bind(sub)
        .bind(credential)
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        Ok(held)
    }

    /// Every agreement of this user that is remembered, the youngest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreed(&self, sub: &str) -> Result<Vec<Agreed>, Error> {
        let agreed = sqlx::query_as(
            "SELECT client_id, clients.name, redirect_host, resource, scopes, granted_at
             FROM consents LEFT JOIN clients ON clients.id = client_id
             WHERE sub = $1 ORDER BY granted_at DESC, client_id, redirect_host, resource, scopes",
        )
        .bind(sub)
        .fetch_all(self.reader())
        .await?;
        Ok(agreed)
    }

    /// Ends all that this user granted, to one client or to every one: grants, codes that would become grants, and
    /// agreements. How many grants that were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_access(
        &self,
        sub: &str,
        client_id: Option<&str>,
        entry: Entry,
    ) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let over = end(&mut transaction, sub, client_id, (entry.ended_by(), entry.at())).await?;
        if over.rows > 0 {
            entry.with("grants", over.grants).write(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(over.grants)
    }

    /// Ends every session of this user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions(&self, sub: &str, entry: Entry) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let sessions = end_sessions(&mut transaction, sub).await?;
        entry.with("sessions", sessions).write(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// The codes first: who is just redeeming one makes us wait, and then its grant is there to be ended.
pub(super) async fn end(
    connection: &mut AnyConnection,
    sub: &str,
    client_id: Option<&str>,
    (by, now): (EndedBy, i64),
) -> Result<Over, sqlx::Error> {
    let codes = sqlx::query(
        "DELETE FROM codes WHERE sub = $1 AND used_at IS NULL AND ($2 IS NULL OR client_id = $2)",
    )
    .bind(sub)
    .bind(client_id)
    .execute(&mut *connection)
    .await?;
    let agreements =
        sqlx::query("DELETE FROM consents WHERE sub = $1 AND ($2 IS NULL OR client_id = $2)")
            .bind(sub)
            .bind(client_id)
            .execute(&mut *connection)
            .await?;
    let ended = sqlx::query(
        "UPDATE grants SET ended_at = $3, ended_by = $4
         WHERE sub = $1 AND ended_at IS NULL AND expires_at > $3 AND ($2 IS NULL OR client_id = $2)",
    )
    .bind(sub)
    .bind(client_id)
    .bind(now)
    .bind(by.as_str())
    .execute(connection)
    .await?;
    let grants = ended.rows_affected();
    Ok(Over { grants, rows: codes.rows_affected() + agreements.rows_affected() + grants })
}

pub(super) async fn end_sessions(
    connection: &mut AnyConnection,
    sub: &str,
) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query("DELETE FROM sessions WHERE sub = $1").bind(sub);
    Ok(ended.execute(connection).await?.rows_affected())
}

impl FromRow<'_, AnyRow> for Held {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let since = row.try_get("created_at")?;
        let used_at_ms: Option<i64> = row.try_get("used_at_ms")?;
        Ok(Self {
            id: row.try_get("id")?,
            client_id: row.try_get("client_id")?,
            name: row.try_get("name")?,
            redirect_uri: row.try_get("redirect_uri")?,
            resources: super::texts(row, "resources")?,
            scope: row.try_get("scope")?,
            since,
            last_at: used_at_ms.map_or(since, |ms| ms.div_euclid(1000)),
        })
    }
}

impl FromRow<'_, AnyRow> for Agreed {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            client_id: row.try_get("client_id")?,
            name: row.try_get("name")?,
            redirect_host: row.try_get("redirect_host")?,
            resource: row.try_get("resource")?,
            scope: row.try_get("scopes")?,
            since: row.try_get("granted_at")?,
        })
    }
}
