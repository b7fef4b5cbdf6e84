//! Who may log in: the users of the configuration, and those of the database.
//!
//! Where both have an address, the configuration counts, and the user of the database is nobody.
//!
//! The subject of a user is the SHA-256 of issuer and lower-cased e-mail address, in base64url. It is the same on
//! every replica, and for somebody who moves from the configuration to the database; it is opaque, so that a client
//! or a log that sees the subject alone does not see an address; and no other issuer makes the same one. A changed
//! address is a new user, as is right where the address is the account.

pub mod email;
pub mod passwords;
#[cfg(test)]
mod tests;

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use self::email::Email;
use crate::{
    authorization::grant::Login,
    config::{self, Config},
    store::{self, Store, codes::Granted, users::User},
};

/// Checked when there is nobody with the address that was typed, so that this, too, takes its time. Of no known
/// password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI";

/// Everybody who may log in.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    config: &'a Config,
    store: &'a Store,
}

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct Member {
    /// Subject: stable and opaque.
    pub sub: String,
    /// E-mail address, as it was configured or in lower case.
    pub email: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Argon2id, PHC string format.
    pub password_hash: Secret,
    /// Where they are kept.
    pub source: Source,
}

/// Where a user is kept, and so who changes them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The configuration.
    Configuration,
    /// The database.
    Database {
        /// See [`User::epoch`].
        epoch: i64,
    },
}

impl<'a> Directory<'a> {
    /// Of this configuration and this database.
    #[must_use]
    pub const fn new(config: &'a Config, store: &'a Store) -> Self {
        Self { config, store }
    }

    /// The member with this address, as somebody typed it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_email(&self, email: &str) -> Result<Option<Member>, store::Error> {
        let Ok(email) = Email::parse(email) else { return Ok(None) };
        if let Some(member) = configured(self.config, &email) {
            return Ok(Some(member));
        }
        Ok(self.store.user_with_email(email.as_str()).await?.and_then(Member::kept))
    }

    /// The member with this subject.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_sub(&self, sub: &str) -> Result<Option<Member>, store::Error> {
        if let Some(member) = members(self.config).find(|member| member.sub == sub) {
            return Ok(Some(member));
        }
        let shadowed = |user: &User| members(self.config).any(|member| same(&member, &user.email));
        let user = self.store.user(sub).await?.filter(|user| !shadowed(user));
        Ok(user.and_then(Member::kept))
    }

    /// Whoever granted this, if they still may log in, with the same password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn still(&self, granted: &Granted) -> Result<Option<Member>, store::Error> {
        let member = self.by_sub(&granted.sub).await?;
        Ok(member.filter(|member| member.credential() == granted.credential))
    }

    /// Whether anybody may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_anybody(&self) -> Result<bool, store::Error> {
        Ok(members(self.config).next().is_some() || self.store.has_users().await?)
    }

    /// What is hashed when there is nobody with the address that was typed: a hash as others have it.
    #[must_use]
    pub fn decoy(&self) -> Secret {
        let first = members(self.config).next();
        first.map_or_else(|| Secret::new(NOBODY.to_owned()), |member| member.password_hash)
    }
}

impl Member {
    /// Changes when the password does, or when all that they granted must end: sessions, codes and grants that
    /// were made with another one are dead.
    #[must_use]
    pub fn credential(&self) -> Vec<u8> {
        let mut digest = Sha256::new_with_prefix(self.password_hash.reveal());
        if let Source::Database { epoch } = self.source {
            digest.update(format!("\n{epoch}"));
        }
        digest.finalize().to_vec()
    }

    /// As somebody who logged in at `auth_time`, Unix seconds.
    #[must_use]
    pub fn login(&self, auth_time: i64) -> Login {
        Login {
            sub: self.sub.clone(),
            email: self.email.clone(),
            groups: self.groups.clone(),
            auth_time,
            credential: self.credential(),
        }
    }

    /// A user of the database, unless they are disabled.
    fn kept(user: User) -> Option<Self> {
        user.disabled_at.is_none().then(|| user.into())
    }
}

impl From<User> for Member {
    fn from(user: User) -> Self {
        let User { id, email, password_hash, groups, epoch, .. } = user;
        let source = Source::Database { epoch };
        Self { sub: id, email, groups, password_hash, source }
    }
}

/// The member of the configuration with this address.
#[must_use]
pub fn configured(config: &Config, email: &Email) -> Option<Member> {
    members(config).find(|member| same(member, email.as_str()))
}

/// Every member of the configuration, in its order.
pub fn members(config: &Config) -> impl Iterator<Item = Member> {
    let member = |user: &config::User| Member {
        sub: sub(config, &user.email),
        email: user.email.clone(),
        groups: user.groups.clone(),
        password_hash: user.password_hash.clone(),
        source: Source::Configuration,
    };
    let users = config.authorization.embedded().into_iter().flat_map(|embedded| &embedded.users);
    users.map(member)
}

/// The subject of whoever has this address.
#[must_use]
pub fn sub(config: &Config, email: &str) -> String {
    let text = format!("{}\n{}", config.public_url, email.to_ascii_lowercase());
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// A name of a group.
///
/// # Errors
/// What it should be.
pub fn group(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 128 || text.contains(char::is_control) {
        return Err("a group has 1 to 128 characters".to_owned());
    }
    Ok(text.to_owned())
}

fn same(member: &Member, email: &str) -> bool {
    member.email.eq_ignore_ascii_case(email)
}
