//! People who log in at a provider of identities: known by issuer and subject, and by nothing else.

use sqlx::{FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, audit::Entry, users};

/// Somebody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Our subject.
    pub id: String,
    /// Name of the provider, as it was at the last login.
    pub provider: String,
    /// `iss`.
    pub issuer: String,
    /// `sub` there.
    pub subject: String,
    /// As the provider verified it, in lower case: a label, which several may have.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// `groups` of their tokens.
    pub groups: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Last login, Unix seconds.
    pub seen_at: i64,
    /// Since when they may not log in, Unix seconds.
    pub disabled_at: Option<i64>,
    /// What was granted in an earlier one is dead.
    pub epoch: i64,
}

/// What becomes of an account; whatever was granted before ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// They may not log in any more.
    Disabled,
    /// We know nothing of them any more, until they log in again.
    Removed,
}

/// Every column of accounts, of those that `rest` says.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, provider, issuer, subject, email, name, user_groups, created_at, seen_at, disabled_at, epoch
             FROM accounts ",
            $rest
        )
    };
}

impl Store {
    /// Keeps what is known of somebody who has just logged in, as they were kept before or new; how they are kept. Id,
    /// age and whether they are disabled stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_in_account(&self, now: &Account) -> Result<Account, Error> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO accounts (id, provider, issuer, subject, email, name, user_groups, created_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (issuer, subject) DO UPDATE SET provider = excluded.provider, email = excluded.email,
                name = excluded.name, user_groups = excluded.user_groups, seen_at = excluded.seen_at",
        )
        .bind(&now.id)
        .bind(&now.provider)
        .bind(&now.issuer)
        .bind(&now.subject)
        .bind(now.email.as_deref())
        .bind(now.name.as_deref())
        .bind(serde_json::to_string(&now.groups).unwrap_or_default())
        .bind(now.created_at)
        .bind(now.seen_at)
        .execute(&mut *transaction)
        .await?;
        let kept = sqlx::query_as(select!("WHERE issuer = $1 AND subject = $2"))
            .bind(&now.issuer)
            .bind(&now.subject)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(kept)
    }

    /// The account with this subject of ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, id: &str) -> Result<Option<Account>, Error> {
        let account = sqlx::query_as(select!("WHERE id = $1")).bind(super::text(id));
        Ok(account.fetch_optional(self.reader()).await?)
    }

    /// Every account, by provider and address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let accounts = sqlx::query_as(select!("ORDER BY provider, email, id"));
        Ok(accounts.fetch_all(self.reader()).await?)
    }

    /// Changes an account, and ends its sessions and all that it granted, in one transaction: how many grants that
    /// were, or nothing if there is nothing to change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_account(
        &self,
        id: &str,
        fate: Fate,
        entry: Entry,
    ) -> Result<Option<u64>, Error> {
        let now = entry.at();
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let statement = match fate {
            Fate::Disabled => sqlx::query(
                "UPDATE accounts SET disabled_at = $2, epoch = epoch + 1 WHERE id = $1 AND disabled_at IS NULL",
            )
            .bind(id)
            .bind(now),
            Fate::Removed => sqlx::query("DELETE FROM accounts WHERE id = $1").bind(id),
        };
        if statement.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let by = (entry.ended_by(), now);
        let ended = match fate {
            Fate::Disabled => users::end_all(&mut transaction, id, by).await?,
            Fate::Removed => users::forget_all(&mut transaction, id, by).await?,
        };
        entry.with("grants", ended).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(ended))
    }

    /// Lets somebody log in again; `false` if they may, or there is nobody. What was granted before stays dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enable_account(&self, id: &str, entry: Entry) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE accounts SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
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

impl FromRow<'_, AnyRow> for Account {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            provider: row.try_get("provider")?,
            issuer: row.try_get("issuer")?,
            subject: row.try_get("subject")?,
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            groups: super::texts(row, "user_groups")?,
            created_at: row.try_get("created_at")?,
            seen_at: row.try_get("seen_at")?,
            disabled_at: row.try_get("disabled_at")?,
            epoch: row.try_get("epoch")?,
        })
    }
}
