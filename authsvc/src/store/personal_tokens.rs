//! Personal access tokens: made and revoked by the operator, asked about by the filter.

use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, audit::Entry};

/// How exactly it is known when a token was last used, seconds: a question is no reason to write.
const COARSE: i64 = 3600;

/// A personal access token; not the token itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonalToken {
    /// Identity.
    pub id: String,
    /// What the operator calls it.
    pub name: Option<String>,
    /// Subject.
    pub sub: String,
    /// The subject's e-mail address when it was made.
    pub email: String,
    /// Resources, as they are written in `aud`.
    pub resources: Vec<String>,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Unix seconds.
    pub revoked_at: Option<i64>,
    /// When it was last asked about, to the hour; Unix seconds.
    pub used_at: Option<i64>,
}

impl PersonalToken {
    /// Whether it may still open anything at `now`, Unix seconds; who it stands for is another question.
    #[must_use]
    pub const fn is_alive(&self, now: i64) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

impl Store {
    /// Keeps a token under the SHA-256 of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_personal_token(
        &self,
        digest: &[u8],
        token: &PersonalToken,
        entry: Entry,
    ) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO personal_access_tokens
                 (id, digest, name, sub, email, resources, scope, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&token.id)
        .bind(digest)
        .bind(&token.name)
        .bind(&token.sub)
        .bind(&token.email)
        .bind(serde_json::to_string(&token.resources).unwrap_or_default())
        .bind(&token.scope)
        .bind(token.created_at)
        .bind(token.expires_at)
        .execute(&mut *transaction)
        .await?;
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The token with this SHA-256.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn personal_token(&self, digest: &[u8]) -> Result<Option<PersonalToken>, Error> {
        let token = sqlx::query_as(
            "SELECT id, name, sub, email, resources, scope, created_at, expires_at, revoked_at, used_at
             FROM personal_access_tokens WHERE digest = $1",
        )
        .bind(digest)
        .fetch_optional(self.reader())
        .await?;
        Ok(token)
    }

    /// Every token, the youngest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn personal_tokens(&self) -> Result<Vec<PersonalToken>, Error> {
        let tokens = sqlx::query_as(
            "SELECT id, name, sub, email, resources, scope, created_at, expires_at, revoked_at, used_at
             FROM personal_access_tokens ORDER BY created_at DESC, id",
        )
        .fetch_all(self.reader())
        .await?;
        Ok(tokens)
    }

    /// The tokens of this user that live at `now`, Unix seconds, the youngest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn personal_tokens_of(
        &self,
        sub: &str,
        now: i64,
    ) -> Result<Vec<PersonalToken>, Error> {
        let tokens = sqlx::query_as(
            "SELECT id, name, sub, email, resources, scope, created_at, expires_at, revoked_at, used_at
             FROM personal_access_tokens
             WHERE sub = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id",
        )
        .bind(sub)
        .bind(now)
        .fetch_all(self.reader())
        .await?;
        Ok(tokens)
    }

    /// Notes that a token is in use, unless that is known to the hour.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_personal_token(&self, token: &PersonalToken, now: i64) -> Result<(), Error> {
        let stale = now.saturating_sub(COARSE);
        if token.used_at.is_some_and(|used| used > stale) {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE personal_access_tokens SET used_at = $1
             WHERE id = $2 AND (used_at IS NULL OR used_at <= $3)",
        )
        .bind(now)
        .bind(&token.id)
        .bind(stale)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Revokes a token; `false` if there is none of this id that is not revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_personal_token(&self, id: &str, entry: Entry) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let revoked: Option<(Option<String>, String)> = sqlx::query_as(
            "UPDATE personal_access_tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL
             RETURNING name, email",
        )
        .bind(entry.at())
        .bind(super::text(id))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((name, email)) = revoked else { return Ok(false) };
        entry.called(name).with("user", email).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Forgets tokens that have been dead since `before`, Unix seconds; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_personal_tokens(&self, before: i64) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let done = sqlx::query(
            "DELETE FROM personal_access_tokens WHERE expires_at < $1 OR revoked_at < $1",
        )
        .bind(before)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}

/// How many tokens of this user live at `now`, Unix seconds.
pub(super) async fn living(
    connection: &mut AnyConnection,
    sub: &str,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM personal_access_tokens
         WHERE sub = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(sub)
    .bind(now)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Revokes every token of this user.
pub(super) async fn revoke_all(
    connection: &mut AnyConnection,
    sub: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE personal_access_tokens SET revoked_at = $1 WHERE sub = $2 AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(sub)
    .execute(connection)
    .await?;
    Ok(())
}

impl FromRow<'_, AnyRow> for PersonalToken {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            sub: row.try_get("sub")?,
            email: row.try_get("email")?,
            resources: super::texts(row, "resources")?,
            scope: row.try_get("scope")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            used_at: row.try_get("used_at")?,
        })
    }
}
