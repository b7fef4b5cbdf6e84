//! What users have agreed to.

use super::{Error, Store};
use crate::authorization::grant::Remembered;

/// Whose agreement, with whom: nothing that differs in one of these is covered.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// The user.
    pub sub: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// Where codes go.
    pub redirect_host: &'a str,
}

impl Store {
    /// Everything that was agreed between them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consents(&self, parties: Parties<'_>) -> Result<Vec<Remembered>, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT resource, scopes FROM consents \
             WHERE sub = $1 AND client_id = $2 AND redirect_host = $3",
        )
        .bind(parties.sub)
        .bind(parties.client_id)
        .bind(parties.redirect_host)
        .fetch_all(self.reader())
        .await?;
        let remembered = |(resource, scopes): (String, String)| Remembered {
            resource,
            scopes: scopes.split(' ').map(str::to_owned).collect(),
        };
        Ok(rows.into_iter().map(remembered).collect())
    }

    /// Whether anything was ever agreed with this client and redirect host: by this user, or, where it is not known
    /// who asks, by any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agreed_before(
        &self,
        sub: Option<&str>,
        client_id: &str,
        redirect_host: &str,
    ) -> Result<bool, Error> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM consents \
             WHERE client_id = $1 AND redirect_host = $2 AND ($3 IS NULL OR sub = $3) LIMIT 1",
        )
        .bind(client_id)
        .bind(redirect_host)
        .bind(sub)
        .fetch_optional(self.reader())
        .await?;
        Ok(found.is_some())
    }

    /// Keeps an agreement at each of `resources`; `now` in Unix seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remember_consent(
        &self,
        parties: Parties<'_>,
        resources: &[String],
        scopes: &[String],
        now: i64,
    ) -> Result<(), Error> {
        let mut sorted = scopes.to_vec();
        sorted.sort_unstable();
        let scopes = sorted.join(" ");
        // Whoever agrees at the same time waits for the same rows in the same order.
        let mut resources: Vec<&String> = resources.iter().collect();
        resources.sort_unstable();
        let mut transaction = self.write().await?;
        for resource in resources {
            sqlx::query(
                "INSERT INTO consents (sub, client_id, redirect_host, resource, scopes, granted_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (sub, client_id, redirect_host, resource, scopes) \
                 DO UPDATE SET granted_at = excluded.granted_at",
            )
            .bind(parties.sub)
            .bind(parties.client_id)
            .bind(parties.redirect_host)
            .bind(resource)
            .bind(&scopes)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }
}
