//! Grants as they stand, and their end on purpose: by the client, the user or the operator.

use sqlx::{FromRow, Row as _, any::AnyRow};

use super::{Error, Store, audit::Entry, codes::Granted, grants::Presented};

/// What a token belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Identity.
    pub id: String,
    /// What it stands for.
    pub granted: Granted,
    /// When it is dead, Unix seconds.
    pub expires_at: i64,
    /// When it was ended, Unix seconds.
    pub ended_at: Option<i64>,
}

/// Who ends a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndedBy {
    /// The client, which needs it no longer.
    Client,
    /// The user, whose it is.
    User,
    /// The operator.
    Operator,
}

impl EndedBy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Operator => "operator",
        }
    }
}

impl Store {
    /// The grant of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant(&self, id: &str) -> Result<Option<Grant>, Error> {
        let grant = sqlx::query_as(
            "SELECT id, client_id, resources, scope, sub, email, user_groups, auth_time, credential, expires_at, ended_at
             FROM grants WHERE id = $1",
        )
        .bind(super::text(id))
        .fetch_optional(self.reader())
        .await?;
        Ok(grant)
    }

    /// The grant that a refresh token belongs to, used or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant_of_refresh(&self, digest: &[u8]) -> Result<Option<Grant>, Error> {
        let grant = sqlx::query_as(
            "SELECT grants.id, client_id, resources, scope, sub, email, user_groups, auth_time,
                    credential, grants.expires_at, ended_at
             FROM refresh_tokens JOIN grants ON grants.id = grant_id WHERE refresh_tokens.id = $1",
        )
        .bind(digest)
        .fetch_optional(self.reader())
        .await?;
        Ok(grant)
    }

    /// A refresh token as it would be found if it were presented at `now_ms`, Unix milliseconds; nothing is counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn as_if_presented(
        &self,
        digest: &[u8],
        now_ms: i64,
    ) -> Result<Option<Presented>, Error> {
        let presented = sqlx::query_as(
            "SELECT refresh_tokens.expires_at, COALESCE(used_at_ms, $1) AS used_at_ms, uses + 1 AS uses,
                    grant_id, client_id, resources, scope, sub, email, user_groups, auth_time,
                    credential, grants.expires_at AS family_expires_at, ended_at
             FROM refresh_tokens JOIN grants ON grants.id = grant_id WHERE refresh_tokens.id = $2",
        )
        .bind(now_ms)
        .bind(digest)
        .fetch_optional(self.reader())
        .await?;
        Ok(presented)
    }

    /// Ends a grant, and with it every refresh token that descends from it; `false` if it was ended before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_grant(&self, id: &str, entry: Entry) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE grants SET ended_at = $1, ended_by = $2 WHERE id = $3 AND ended_at IS NULL",
        )
        .bind(entry.at())
        .bind(entry.ended_by().as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

impl FromRow<'_, AnyRow> for Grant {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            granted: Granted::from_row(row)?,
            expires_at: row.try_get("expires_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}
