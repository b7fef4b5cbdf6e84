//! Users beside those of the configuration.

use attache_protocol::secret::Secret;
use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, access, audit::Entry, endings::EndedBy, personal_tokens};

/// Finds something if any user may log in.
pub(super) const SOMEBODY: &str =
    "SELECT CAST(1 AS BIGINT) FROM users WHERE disabled_at IS NULL LIMIT 1";

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Subject.
    pub id: String,
    /// Lower case; one user has it.
    pub email: String,
    /// Argon2id, PHC string format.
    pub password_hash: Secret,
    /// `groups` of their tokens.
    pub groups: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub password_changed_at: i64,
    /// Since when they may not log in, Unix seconds.
    pub disabled_at: Option<i64>,
    /// What was granted in an earlier one is dead.
    pub epoch: i64,
}

/// What a user becomes; whatever was granted before ends.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// They may not log in any more.
    Disabled,
    /// They have another password, if they still have the hash `from`.
    Password {
        /// Hash of the old one.
        from: &'a Secret,
        /// Hash of the new one.
        to: &'a Secret,
    },
    /// We know nothing of them any more.
    Removed,
}

/// What ended with a change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// Grants that lived.
    pub grants: u64,
    /// Personal access tokens that lived: revoked with a user who is removed, and else as they were.
    pub tokens: u64,
}

/// Every column of users, of those that `rest` says.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, password_hash, user_groups, created_at, password_changed_at, disabled_at, epoch
             FROM users ",
            $rest
        )
    };
}

impl Store {
    /// Adds a user; `false` if somebody has their address, or was them before. Nothing is left to them of whoever had
    /// the address in the configuration.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_user(&self, user: &User, entry: Entry) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO users (id, email, password_hash, user_groups, created_at, password_changed_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(&user.id)
        .bind(&user.email)
        .bind(user.password_hash.reveal())
        .bind(serde_json::to_string(&user.groups).unwrap_or_default())
        .bind(user.created_at)
        .bind(user.password_changed_at)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        forget_all(&mut transaction, &user.id, (EndedBy::Operator, user.created_at)).await?;
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The user with this subject.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: &str) -> Result<Option<User>, Error> {
        self.user_where(select!("WHERE id = $1"), id).await
    }

    /// The user with this address, in lower case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_with_email(&self, email: &str) -> Result<Option<User>, Error> {
        self.user_where(select!("WHERE email = $1"), email).await
    }

    async fn user_where(&self, select: &'static str, is: &str) -> Result<Option<User>, Error> {
        let user = sqlx::query_as(select).bind(super::text(is));
        Ok(user.fetch_optional(self.reader()).await?)
    }

    /// Every user, by address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        Ok(sqlx::query_as(select!("ORDER BY email")).fetch_all(self.reader()).await?)
    }

    /// Whether any user may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_users(&self) -> Result<bool, Error> {
        let found: Option<i64> = sqlx::query_scalar(SOMEBODY).fetch_optional(self.reader()).await?;
        Ok(found.is_some())
    }

    /// Changes a user, and ends their sessions and all that they granted, in one transaction: how much that was, or
    /// nothing if there is nothing to change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_user(
        &self,
        id: &str,
        change: Change<'_>,
        entry: Entry,
    ) -> Result<Option<Ended>, Error> {
        let (by, now) = (entry.ended_by(), entry.at());
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let statement = match change {
            Change::Disabled => sqlx::query(
                "UPDATE users SET disabled_at = $2, epoch = epoch + 1 WHERE id = $1 AND disabled_at IS NULL",
            )
            .bind(id)
            .bind(now),
            Change::Password { from, to } => sqlx::query(
                "UPDATE users SET password_hash = $4, password_changed_at = $2, epoch = epoch + 1
                 WHERE id = $1 AND password_hash = $3",
            )
            .bind(id)
            .bind(now)
            .bind(from.reveal())
            .bind(to.reveal()),
            Change::Removed => sqlx::query("DELETE FROM users WHERE id = $1").bind(id),
        };
        if statement.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let tokens = personal_tokens::living(&mut transaction, id, now).await?;
        let grants = match change {
            Change::Removed => forget_all(&mut transaction, id, (by, now)).await?,
            Change::Disabled | Change::Password { .. } => {
                end_all(&mut transaction, id, (by, now)).await?
            }
        };
        entry.with("grants", grants).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(Ended { grants, tokens }))
    }

    /// Gives a user other groups; `false` if there is none. What they granted goes on with them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_groups(
        &self,
        id: &str,
        groups: &[String],
        entry: Entry,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("UPDATE users SET user_groups = $2 WHERE id = $1")
            .bind(id)
            .bind(serde_json::to_string(groups).unwrap_or_default())
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        entry.with("groups", groups).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Lets a user log in again; `false` if they may, or there is none. What was granted before stays dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enable_user(&self, id: &str, entry: Entry) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
        )
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

/// Ends the sessions of a user and all that they granted: how many grants that were.
pub(super) async fn end_all(
    connection: &mut AnyConnection,
    id: &str,
    (by, now): (EndedBy, i64),
) -> Result<u64, sqlx::Error> {
    access::end_sessions(&mut *connection, id).await?;
    Ok(access::end(connection, id, None, (by, now)).await?.grants)
}

/// The same, and revokes their personal access tokens: whoever has the address later must not find them alive.
pub(super) async fn forget_all(
    connection: &mut AnyConnection,
    id: &str,
    (by, now): (EndedBy, i64),
) -> Result<u64, sqlx::Error> {
    personal_tokens::revoke_all(&mut *connection, id, now).await?;
    end_all(connection, id, (by, now)).await
}

impl FromRow<'_, AnyRow> for User {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            password_hash: Secret::new(row.try_get("password_hash")?),
            groups: super::texts(row, "user_groups")?,
            created_at: row.try_get("created_at")?,
            password_changed_at: row.try_get("password_changed_at")?,
            disabled_at: row.try_get("disabled_at")?,
            epoch: row.try_get("epoch")?,
        })
    }
}
