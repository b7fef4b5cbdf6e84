//! Keys that sign, their private parts encrypted. What is done to them has a condition: of two processes that
//! come to the same conclusion, one carries it out.

use attache_protocol::secret::Secret;
use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, audit::Entry};

/// A key that is published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// `EdDSA` or `ES256`.
    pub algorithm: String,
    /// 32 bytes, or what they were sealed into.
    pub private_key: Secret<Vec<u8>>,
    /// Name of the secret that opens it; a key of an older version may be in clear.
    pub sealed_by: Option<String>,
    /// What it does.
    pub state: State,
    /// When it began to, Unix seconds.
    pub since: i64,
    /// Longest life of a token that it signs, seconds.
    pub token_life: i64,
}

/// What a key does. There is at most one [`State::Next`] and one [`State::Current`] of an algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It is published, and will sign.
    Next,
    /// It signs.
    Current,
    /// It is published until the last token that it signed is dead.
    Retired,
}

impl State {
    /// As it is kept and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Next, Self::Current, Self::Retired].into_iter().find(|one| one.as_str() == name)
    }
}

/// One current key after another.
#[derive(Clone, Copy, Debug)]
pub struct Succession<'a> {
    /// `kid` of the current key, which retires.
    pub from: &'a str,
    /// `kid` of the next key, which becomes current.
    pub to: &'a str,
    /// The new next key.
    pub next: &'a SigningKey,
}

impl Store {
    /// Every key that is to be published: the current ones first, the longest retired last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let keys = sqlx::query_as(
            "SELECT kid, algorithm, private_key, sealed_by, state, since, token_life FROM signing_keys
             ORDER BY CASE state WHEN 'current' THEN 0 WHEN 'next' THEN 1 ELSE 2 END, since DESC, kid",
        )
        .fetch_all(self.reader())
        .await?;
        Ok(keys)
    }

    /// Keeps a key, unless there is one of its algorithm in its place; whether it was kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn introduce_signing_key(&self, key: &SigningKey) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = insert(&mut transaction, key).await?;
        transaction.commit().await?;
        Ok(done)
    }

    /// Replaces the current key by the next one, at `now`; `false`, and nothing is changed, when one of them is not
    /// what it was thought to be: somebody else was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn succeed_signing_key(
        &self,
        succession: Succession<'_>,
        entry: Entry,
    ) -> Result<bool, Error> {
        let Succession { from, to, next } = succession;
        let now = entry.at();
        let mut transaction = self.write().await?;
        let done = change(&mut transaction, from, (State::Current, State::Retired), now).await?
            && change(&mut transaction, to, (State::Next, State::Current), now).await?
            && insert(&mut transaction, next).await?;
        if done {
            entry.with("from", from).write(&mut transaction).await?;
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(done)
    }

    /// Takes a key from one state to another, at `now`; whether it was in the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_signing_key(
        &self,
        kid: &str,
        change: (State, State),
        now: i64,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = self::change(&mut transaction, kid, change, now).await?;
        transaction.commit().await?;
        Ok(done)
    }

    /// Forgets a key that is in this state; whether it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_signing_key(&self, kid: &str, state: State) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM signing_keys WHERE kid = $1 AND state = $2")
            .bind(kid)
            .bind(state.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a key whatever it does, at once; if it was the current one, the next one becomes it. What it did;
    /// nothing if there is no such key. Whoever calls fills what became empty.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_signing_key(
        &self,
        kid: &str,
        entry: Entry,
    ) -> Result<Option<State>, Error> {
        let mut transaction = self.write().await?;
        let revoked: Option<(String, String)> =
            sqlx::query_as("DELETE FROM signing_keys WHERE kid = $1 RETURNING state, algorithm")
                .bind(super::text(kid))
                .fetch_optional(&mut *transaction)
                .await?;
        let Some((state, algorithm)) = revoked else { return Ok(None) };
        let state = State::parse(&state).ok_or_else(|| super::unreadable("state", "a state"))?;
        if state == State::Current {
            sqlx::query(
                "UPDATE signing_keys SET state = 'current', since = $1 WHERE algorithm = $2 AND state = 'next'",
            )
            .bind(entry.at())
            .bind(algorithm)
            .execute(&mut *transaction)
            .await?;
        }
        entry.with("state", state.as_str()).write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(state))
    }

    /// Notes that tokens live longer than a key knew.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lengthen_token_life(&self, kid: &str, token_life: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE signing_keys SET token_life = $1 WHERE kid = $2 AND token_life < $1")
            .bind(token_life)
            .bind(kid)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps the private part of a key in another form.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reseal_signing_key(&self, key: &SigningKey) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE signing_keys SET private_key = $1, sealed_by = $2 WHERE kid = $3")
            .bind(key.private_key.reveal())
            .bind(&key.sealed_by)
            .bind(&key.kid)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn insert(connection: &mut AnyConnection, key: &SigningKey) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, private_key, sealed_by, state, created_at, since, token_life)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(&key.kid)
    .bind(&key.algorithm)
    .bind(key.private_key.reveal())
    .bind(&key.sealed_by)
    .bind(key.state.as_str())
    .bind(key.since)
    .bind(key.token_life)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn change(
    connection: &mut AnyConnection,
    kid: &str,
    (from, to): (State, State),
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("UPDATE signing_keys SET state = $1, since = $2 WHERE kid = $3 AND state = $4")
            .bind(to.as_str())
            .bind(now)
            .bind(kid)
            .bind(from.as_str())
            .execute(connection)
            .await?;
    Ok(done.rows_affected() == 1)
}

impl FromRow<'_, AnyRow> for SigningKey {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let state: String = row.try_get("state")?;
        Ok(Self {
            kid: row.try_get("kid")?,
            algorithm: row.try_get("algorithm")?,
            private_key: Secret::new(row.try_get("private_key")?),
            sealed_by: row.try_get("sealed_by")?,
            state: State::parse(&state).ok_or_else(|| super::unreadable("state", "a state"))?,
            since: row.try_get("since")?,
            token_life: row.try_get("token_life")?,
        })
    }
}
