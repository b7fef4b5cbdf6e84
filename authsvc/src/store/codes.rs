//! Authorization codes: made once, taken once.

use sqlx::{
    Any, AnyConnection, FromRow, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::{
    Error, Store,
    grants::{self, NewGrant},
};

/// A statement to which values are being bound.
type Statement<'q> = Query<'q, Any, AnyArguments>;

/// What a user granted to a client: the same from the code to the last refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Granted {
    /// The client.
    pub client_id: String,
    /// Resources, as they are written in `aud`.
    pub resources: Vec<String>,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Subject.
    pub sub: String,
    /// E-mail address of the subject, if they have one that is known to be theirs.
    pub email: Option<String>,
    /// Groups of the subject.
    pub groups: Vec<String>,
    /// When the user logged in, Unix seconds.
    pub auth_time: i64,
    /// Their password as it was then, see [`crate::users::Member::credential`].
    pub credential: Vec<u8>,
}

/// A code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Code {
    /// What it stands for.
    pub granted: Granted,
    /// Where it was sent, byte for byte as in the authorization request.
    pub redirect_uri: String,
    /// Whether the authorization request carried `redirect_uri`: then the token request must, too.
    pub redirect_uri_sent: bool,
    /// PKCE, S256.
    pub code_challenge: String,
    /// What a provider gave for it, sealed.
    pub provider_tokens: Option<Vec<u8>>,
    /// Unix seconds.
    pub expires_at: i64,
}

/// What became of a code that was presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Redemption<E> {
    /// It was good, and is now used.
    Granted(Granted),
    /// It was not good for this request, and is now used.
    Refused(E),
    /// It was used before: what was issued from it has ended.
    Replayed,
    /// We know of no such code.
    Unknown,
}

impl Store {
    /// Keeps a code under the SHA-256 of it, and notes that its client is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_code(&self, digest: &[u8], code: &Code, now: i64) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let granted = &code.granted;
        let statement = sqlx::query(
            "INSERT INTO codes (client_id, resources, scope, sub, email, user_groups, auth_time, credential,
                                id, redirect_uri, redirect_uri_sent, code_challenge, expires_at, provider_tokens)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        );
        granted
            .bind(statement)
            .bind(digest)
            .bind(&code.redirect_uri)
            .bind(i64::from(code.redirect_uri_sent))
            .bind(&code.code_challenge)
            .bind(code.expires_at)
            .bind(code.provider_tokens.as_deref())
            .execute(&mut *transaction)
            .await?;
        grants::touch_client(&mut transaction, &granted.client_id, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The subject of whoever granted a code, used or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn code_holder(&self, digest: &[u8]) -> Result<Option<String>, Error> {
        let sub = sqlx::query_scalar("SELECT sub FROM codes WHERE id = $1")
            .bind(digest)
            .fetch_optional(self.reader())
            .await?;
        Ok(sub)
    }

    /// Takes a code: whatever `check` says, it cannot be taken again. If it was, everything issued from it ends.
    /// One transaction, so that a replay sees either no grant because the code is still good, or the grant.
    ///
    /// # Errors
    /// When the database fails; then the code is as before.
    pub async fn redeem_code<E>(
        &self,
        digest: &[u8],
        now: i64,
        check: impl FnOnce(&Code) -> Result<NewGrant, E>,
    ) -> Result<Redemption<E>, Error> {
        let mut transaction = self.write().await?;
        let redemption = match take(&mut transaction, digest, now).await? {
            Some(code) => match check(&code) {
                Ok(new) => {
                    grants::begin(&mut transaction, digest, &code.granted, &new, now).await?;
                    Redemption::Granted(code.granted)
                }
                Err(refusal) => Redemption::Refused(refusal),
            },
            None if is_known(&mut transaction, digest).await? => {
                grants::end_of_code(&mut transaction, digest, now).await?;
                Redemption::Replayed
            }
            None => Redemption::Unknown,
        };
        transaction.commit().await?;
        Ok(redemption)
    }
}

async fn take(
    connection: &mut AnyConnection,
    digest: &[u8],
    now: i64,
) -> Result<Option<Code>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE codes SET used_at = $1 WHERE id = $2 AND used_at IS NULL
         RETURNING client_id, redirect_uri, redirect_uri_sent, code_challenge, resources, scope,
                   sub, email, user_groups, auth_time, credential, expires_at, provider_tokens",
    )
    .bind(now)
    .bind(digest)
    .fetch_optional(connection)
    .await
}

async fn is_known(connection: &mut AnyConnection, digest: &[u8]) -> Result<bool, sqlx::Error> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM codes WHERE id = $1")
        .bind(digest)
        .fetch_optional(connection)
        .await?;
    Ok(known.is_some())
}

impl Granted {
    /// Binds `client_id, resources, scope, sub, email, user_groups, auth_time, credential`, in this order, to a
    /// statement to which nothing is bound so far.
    pub(super) fn bind<'q>(&'q self, statement: Statement<'q>) -> Statement<'q> {
        statement
            .bind(&self.client_id)
            .bind(serde_json::to_string(&self.resources).unwrap_or_default())
            .bind(&self.scope)
            .bind(&self.sub)
            .bind(self.email.as_deref().unwrap_or_default())
            .bind(serde_json::to_string(&self.groups).unwrap_or_default())
            .bind(self.auth_time)
            .bind(&self.credential)
    }
}

impl FromRow<'_, AnyRow> for Granted {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            client_id: row.try_get("client_id")?,
            resources: super::texts(row, "resources")?,
            scope: row.try_get("scope")?,
            sub: row.try_get("sub")?,
            email: Some(row.try_get("email")?).filter(|email: &String| !email.is_empty()),
            groups: super::texts(row, "user_groups")?,
            auth_time: row.try_get("auth_time")?,
            credential: row.try_get("credential")?,
        })
    }
}

impl FromRow<'_, AnyRow> for Code {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            granted: Granted::from_row(row)?,
            redirect_uri: row.try_get("redirect_uri")?,
            redirect_uri_sent: row.try_get::<i64, _>("redirect_uri_sent")? == 1,
            code_challenge: row.try_get("code_challenge")?,
            provider_tokens: row.try_get("provider_tokens")?,
            expires_at: row.try_get("expires_at")?,
        })
    }
}
