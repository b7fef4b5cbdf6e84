//! The audit trail: who changed what, when, and from where. An entry is written in the transaction of the change that
//! it tells of, so that neither is there without the other.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{AnyConnection, FromRow, Row as _, any::AnyRow};

use super::{Error, Store, Turn, endings::EndedBy};

/// Characters of a text in an entry.
const MOST_TEXT: usize = 256;
/// Members of a list in an entry.
const MOST_LISTED: usize = 20;
/// Entries that one transaction forgets.
const BATCH: i64 = 1000;

/// Whoever changes something, by kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody at the command line.
    Operator,
    /// Somebody who is logged in.
    User,
    /// A client that has shown who it is.
    Client,
    /// Nobody asked for it.
    Authsvc,
    /// Somebody who has not shown who they are.
    Nobody,
}

/// Every kind, and how many of its entries are kept: those that strangers cause must not crowd out the others.
pub const KINDS: [(Kind, u32); 5] = [
    (Kind::Operator, 100_000),
    (Kind::User, 100_000),
    (Kind::Client, 10_000),
    (Kind::Authsvc, 10_000),
    (Kind::Nobody, 10_000),
];

/// What was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// A user was added.
    AddUser,
    /// A user got another password.
    ChangePassword,
    /// A user got other groups.
    ChangeGroups,
    /// Somebody may not log in any more.
    DisableUser,
    /// Somebody may log in again.
    EnableUser,
    /// Somebody was forgotten.
    RemoveUser,
    /// What somebody granted ended, to one client or to every one.
    EndAccess,
    /// One grant ended.
    EndGrant,
    /// Somebody was signed out everywhere.
    EndSessions,
    /// A client changed what it had registered.
    ChangeClient,
    /// A client was removed.
    RemoveClient,
    /// Another key signs.
    RotateKey,
    /// A key is used no more.
    RevokeKey,
    /// A personal access token was made.
    CreateToken,
    /// A personal access token ended.
    RevokeToken,
    /// A password was wrong.
    FailLogin,
    /// Passwords were not looked at any more for a while.
    ThrottleLogin,
}

/// Who changes something, and when.
#[derive(Clone, Debug)]
pub struct Author {
    /// Kind.
    pub kind: Kind,
    /// Subject, client, or account at the system.
    pub id: Option<String>,
    /// What people call them.
    pub name: Option<String>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// Which request it was.
    pub request_id: Option<String>,
    /// Unix seconds.
    pub at: i64,
}

/// An entry that is to be written.
#[derive(Clone, Debug)]
pub struct Entry {
    author: Author,
    action: Action,
    target: Option<String>,
    name: Option<String>,
    details: Map<String, Value>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// Grows.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// Who, by kind.
    pub author: String,
    /// Subject, client, or account at the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<String>,
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// What was done.
    pub action: String,
    /// Identity of what was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What people call that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_name: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Which request it was, as in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Kind {
    /// As it is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::User => "user",
            Self::Client => "client",
            Self::Authsvc => "authsvc",
            Self::Nobody => "nobody",
        }
    }
}

impl Action {
    /// As it is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddUser => "user.add",
            Self::ChangePassword => "user.password",
            Self::ChangeGroups => "user.groups",
            Self::DisableUser => "user.disable",
            Self::EnableUser => "user.enable",
            Self::RemoveUser => "user.remove",
            Self::EndAccess => "access.end",
            Self::EndGrant => "grant.end",
            Self::EndSessions => "sessions.end",
            Self::ChangeClient => "client.change",
            Self::RemoveClient => "client.remove",
            Self::RotateKey => "key.rotate",
            Self::RevokeKey => "key.revoke",
            Self::CreateToken => "token.create",
            Self::RevokeToken => "token.revoke",
            Self::FailLogin => "login.failed",
            Self::ThrottleLogin => "login.throttled",
        }
    }
}

impl Author {
    /// Somebody, or nobody, of whom no more is known yet.
    #[must_use]
    pub const fn new(kind: Kind, at: i64) -> Self {
        Self { kind, id: None, name: None, address: None, request_id: None, at }
    }

    /// What this author does, to what.
    #[must_use]
    pub fn does(&self, action: Action, target: impl Into<Option<String>>) -> Entry {
        Entry {
            author: self.clone(),
            action,
            target: target.into(),
            name: None,
            details: Map::new(),
        }
    }
}

impl Entry {
    /// What people call the target.
    #[must_use]
    pub fn called(self, name: impl Into<Option<String>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Something else to say. Never a secret.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.details.insert(key.to_owned(), bounded(value));
        }
        self
    }

    /// Unix seconds.
    pub(super) const fn at(&self) -> i64 {
        self.author.at
    }

    /// Who ends what ends, as grants keep it.
    pub(super) const fn ended_by(&self) -> EndedBy {
        match self.author.kind {
            Kind::Client => EndedBy::Client,
            Kind::User => EndedBy::User,
            Kind::Operator | Kind::Authsvc | Kind::Nobody => EndedBy::Operator,
        }
    }

    /// Writes it, as a part of the change that it tells of.
    pub(super) async fn write(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let text = |text: Option<&str>| text.map(|text| super::text(&cut(text)));
        let Self { author, action, target, name, details } = &self;
        sqlx::query(
            "INSERT INTO audit (happened_at, author, author_id, author_name, action, target, target_name, details,
                                address, request_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(author.at)
        .bind(author.kind.as_str())
        .bind(text(author.id.as_deref()))
        .bind(text(author.name.as_deref()))
        .bind(action.as_str())
        .bind(text(target.as_deref()))
        .bind(text(name.as_deref()))
        .bind(super::text(&Value::from(details.clone()).to_string()))
        .bind(author.address.map(|address| address.to_canonical().to_string()))
        .bind(author.request_id.as_deref())
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Writes an entry about what changes nothing that is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&self, entry: Entry) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        entry.write(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Every entry since then, Unix seconds, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audited(&self, since: i64) -> Result<Vec<Kept>, Error> {
        let kept = sqlx::query_as(
            "SELECT id, happened_at, author, author_id, author_name, action, target, target_name, details, address,
                    request_id
             FROM audit WHERE happened_at >= $1 ORDER BY id",
        )
        .bind(since)
        .fetch_all(self.reader())
        .await?;
        Ok(kept)
    }

    /// Forgets entries from before `before`, Unix seconds, and of each of `most` the oldest beyond so many; returns
    /// how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_audited(&self, before: i64, most: &[(Kind, u32)]) -> Result<u64, Error> {
        let mut forgotten = 0;
        for (kind, most) in most {
            loop {
                let batch = self.forget_batch(*kind, *most, before).await?;
                forgotten += batch;
                if batch == 0 {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn forget_batch(&self, kind: Kind, most: u32, before: i64) -> Result<u64, Error> {
        let mut transaction = self.write_in(Turn::Sweep).await?;
        let done = sqlx::query(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE author = $1 ORDER BY id LIMIT $2)
             AND (happened_at < $3
                  OR id <= (SELECT id FROM audit WHERE author = $1 ORDER BY id DESC LIMIT 1 OFFSET $4))",
        )
        .bind(kind.as_str())
        .bind(BATCH)
        .bind(before)
        .bind(i64::from(most))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}

/// What others wrote is kept up to a length.
fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(&text)),
        Value::Array(all) => all.into_iter().take(MOST_LISTED).map(bounded).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => other,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}

impl FromRow<'_, AnyRow> for Kept {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let details: String = row.try_get("details")?;
        let Ok(Value::Object(details)) = serde_json::from_str(&details) else {
            return Err(super::unreadable("details", "a JSON object"));
        };
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("happened_at")?,
            author: row.try_get("author")?,
            author_id: row.try_get("author_id")?,
            author_name: row.try_get("author_name")?,
            action: row.try_get("action")?,
            target: row.try_get("target")?,
            target_name: row.try_get("target_name")?,
            details,
            address: row.try_get("address")?,
            request_id: row.try_get("request_id")?,
        })
    }
}
