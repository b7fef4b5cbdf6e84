//! Grants, and the refresh tokens that descend from each: their family.

use std::fmt::Debug;

use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, brokered, codes::Granted};

/// What is kept of a grant that begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewGrant {
    /// Identity.
    pub id: String,
    /// SHA-256 of its first refresh token.
    pub refresh: Vec<u8>,
    /// When that token is dead if it is not used, Unix seconds.
    pub refresh_expires_at: i64,
    /// When the whole family is dead, Unix seconds.
    pub expires_at: i64,
    /// What a provider gave for it.
    pub provider: Option<FromProvider>,
}

impl NewGrant {
    /// Has it end at this time at the latest, Unix seconds.
    pub fn end_by(&mut self, at: i64) {
        self.expires_at = self.expires_at.min(at);
        self.refresh_expires_at = self.refresh_expires_at.min(at);
    }
}

/// What a provider gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FromProvider {
    /// Its tokens, sealed.
    pub tokens: Vec<u8>,
    /// The access token among them.
    pub access: AccessToken,
}

/// An access token of a provider, as it is found again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessToken {
    /// SHA-256 of it.
    pub digest: Vec<u8>,
    /// When it is over, Unix seconds, where that is known: else with its grant.
    pub expires_at: Option<i64>,
}

/// A refresh token as it was found, and its family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presented {
    /// What it stands for.
    pub granted: Granted,
    /// Its family.
    pub grant_id: String,
    /// When it is dead if it was not used, Unix seconds.
    pub expires_at: i64,
    /// When the family is dead, Unix seconds.
    pub family_expires_at: i64,
    /// When the family was ended, Unix seconds.
    pub family_ended_at: Option<i64>,
    /// First use, Unix milliseconds: now, if this is it.
    pub first_used_ms: i64,
    /// Uses, with this one.
    pub uses: i64,
}

/// The token that follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Successor {
    /// SHA-256 of it.
    pub refresh: Vec<u8>,
    /// When it is dead if it is not used, Unix seconds.
    pub expires_at: i64,
}

/// What is to be done with a refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict<E> {
    /// It is good.
    Rotate(Successor),
    /// Nothing: as if it had not been presented.
    Refuse(E),
    /// It was stolen, now or before: the family ends.
    EndFamily(E),
}

/// A refresh token that was used, and has a successor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotated {
    /// What it stands for.
    pub granted: Granted,
    /// Its family.
    pub grant_id: String,
}

/// What became of a refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rotation<E> {
    /// It was used, its successor is there.
    Rotated(Rotated),
    /// It was refused.
    Refused(E),
    /// We know of no such token.
    Unknown,
}

impl Store {
    /// Counts the use of a refresh token and does what `judge` says, in one transaction: of two uses at the same
    /// time, one is the first.
    ///
    /// # Errors
    /// When the database fails; then everything is as before.
    pub async fn rotate<E>(
        &self,
        digest: &[u8],
        now_ms: i64,
        judge: impl FnOnce(&Presented) -> Verdict<E>,
    ) -> Result<Rotation<E>, Error> {
        let now = now_ms.div_euclid(1000);
        let mut transaction = self.write().await?;
        let Some(presented) = present(&mut transaction, digest, now_ms).await? else {
            return Ok(Rotation::Unknown);
        };
        match judge(&presented) {
            Verdict::Rotate(next) => {
                insert(&mut transaction, &presented.grant_id, &next.refresh, next.expires_at)
                    .await?;
                touch_client(&mut transaction, &presented.granted.client_id, now).await?;
                transaction.commit().await?;
                let Presented { granted, grant_id, .. } = presented;
                Ok(Rotation::Rotated(Rotated { granted, grant_id }))
            }
            Verdict::Refuse(refusal) => {
                transaction.rollback().await?;
                Ok(Rotation::Refused(refusal))
            }
            Verdict::EndFamily(refusal) => {
                end(&mut transaction, &presented.grant_id, now).await?;
                transaction.commit().await?;
                Ok(Rotation::Refused(refusal))
            }
        }
    }

    /// Forgets codes and families that have been dead since `before`, Unix seconds; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_grants(&self, before: i64) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let mut forgotten = 0;
        for statement in [
            // While its family lives, a code is remembered: a replay must end that family.
            "DELETE FROM codes WHERE expires_at < $1
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.code = codes.id AND grants.expires_at >= $1)",
            // Of those that just ended a provider is still to be told, for a week.
            "UPDATE grants SET ended_at = expires_at
             WHERE expires_at < $1 AND ended_at IS NULL AND provider_tokens IS NOT NULL",
            "DELETE FROM grants WHERE expires_at < $1
             AND (provider_tokens IS NULL OR expires_at < CAST($1 AS BIGINT) - 604800)",
            "DELETE FROM provider_access WHERE expires_at < $1",
        ] {
            let done = sqlx::query(statement).bind(before).execute(&mut *transaction).await?;
            forgotten += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(forgotten)
    }
}

/// Begins the family of a code, with its first refresh token.
pub(super) async fn begin(
    connection: &mut AnyConnection,
    code: &[u8],
    granted: &Granted,
    new: &NewGrant,
    now: i64,
) -> Result<(), sqlx::Error> {
    let statement = sqlx::query(
        "INSERT INTO grants (client_id, resources, scope, sub, email, user_groups, auth_time, credential,
                             id, code, created_at, expires_at, provider_tokens)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    );
    granted
        .bind(statement)
        .bind(&new.id)
        .bind(code)
        .bind(now)
        .bind(new.expires_at)
        .bind(new.provider.as_ref().map(|given| given.tokens.as_slice()))
        .execute(&mut *connection)
        .await?;
    if let Some(given) = &new.provider {
        brokered::keep_access(connection, &new.id, &given.access).await?;
    }
    insert(connection, &new.id, &new.refresh, new.refresh_expires_at).await
}

/// Ends the family of a code, if there is one.
pub(super) async fn end_of_code(
    connection: &mut AnyConnection,
    code: &[u8],
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE grants SET ended_at = $1, ended_because = 'replayed' WHERE code = $2 AND ended_at IS NULL",
    )
    .bind(now)
    .bind(code)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a client is in use.
pub(super) async fn touch_client(
    connection: &mut AnyConnection,
    client_id: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE clients SET seen_at = $1, used_at = COALESCE(used_at, $1) WHERE id = $2")
        .bind(now)
        .bind(client_id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn end(connection: &mut AnyConnection, grant_id: &str, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE grants SET ended_at = $1, ended_because = 'reused' WHERE id = $2 AND ended_at IS NULL",
    )
    .bind(now)
    .bind(grant_id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(
    connection: &mut AnyConnection,
    grant_id: &str,
    refresh: &[u8],
    expires_at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO refresh_tokens (id, grant_id, expires_at) VALUES ($1, $2, $3)")
        .bind(refresh)
        .bind(grant_id)
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// The use is counted before anything is decided, which also locks the row where rows are locked.
async fn present(
    connection: &mut AnyConnection,
    digest: &[u8],
    now_ms: i64,
) -> Result<Option<Presented>, sqlx::Error> {
    sqlx::query(
        "UPDATE refresh_tokens SET uses = uses + 1, used_at_ms = COALESCE(used_at_ms, $1) WHERE id = $2",
    )
    .bind(now_ms)
    .bind(digest)
    .execute(&mut *connection)
    .await?;
    sqlx::query_as(
        "SELECT refresh_tokens.expires_at, used_at_ms, uses, grant_id, client_id, resources, scope, sub, email,
                user_groups, auth_time, credential, grants.expires_at AS family_expires_at, ended_at
         FROM refresh_tokens JOIN grants ON grants.id = grant_id WHERE refresh_tokens.id = $1",
    )
    .bind(digest)
    .fetch_optional(connection)
    .await
}

impl FromRow<'_, AnyRow> for Presented {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            granted: Granted::from_row(row)?,
            grant_id: row.try_get("grant_id")?,
            expires_at: row.try_get("expires_at")?,
            family_expires_at: row.try_get("family_expires_at")?,
            family_ended_at: row.try_get("ended_at")?,
            first_used_ms: row.try_get("used_at_ms")?,
            uses: row.try_get("uses")?,
        })
    }
}
