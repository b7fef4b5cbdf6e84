//! Who may log in: the users of the configuration, those of the database, and accounts at providers of identities.
//!
//! Where configuration and database have an address, the configuration counts, and the user of the database is nobody.
//! An account at a provider is known by issuer and subject; that its address is somebody else's, too, means nothing.
//!
//! The subject of a user is the SHA-256 of issuer and lower-cased e-mail address, in base64url. It is the same on
//! every replica, and for somebody who moves from the configuration to the database; it is opaque, so that a client
//! or a log that sees the subject alone does not see an address; and no other issuer makes the same one. A changed
//! address is a new user, as is right where the address is the account.

mod accounts;
pub mod email;
pub mod passwords;
#[cfg(test)]
mod tests;

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use self::email::Email;
use crate::{
    authorization::grant::Login,
    config::{self, Config},
    store::{self, Store, codes::Granted, users::User},
};

/// Checked when there is nobody with the address that was typed, so that this, too, takes its time: that of a user of
/// the database. Of no known password.
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
    /// E-mail address, as it was configured or in lower case; of an account at a provider, if it is verified there.
    pub email: Option<String>,
    /// What pages call them.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Where they are kept.
    pub source: Source,
}

/// Where a user is kept, and so how they log in and who changes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The configuration.
    Configuration {
        /// Argon2id, PHC string format.
        password_hash: Secret,
    },
    /// The database.
    Database {
        /// Argon2id, PHC string format.
        password_hash: Secret,
        /// See [`User::epoch`].
        epoch: i64,
    },
    /// A provider.
    Provider {
        /// What people call it.
        label: String,
        /// Digest of who may come in there: grants of before it changed are dead.
        policy: Vec<u8>,
        /// How long a login there is good, seconds.
        good_for: i64,
        /// See [`crate::store::accounts::Account::epoch`].
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
        if let Some(user) = self.store.user(sub).await? {
            return Ok((!shadowed(&user)).then(|| Member::kept(user)).flatten());
        }
        let account = self.store.account(sub).await?;
        Ok(account.and_then(|account| accounts::member(self.config, account)))
    }

    /// Whoever granted this, if they still may log in at `now`, Unix seconds, with the same password, or with their
    /// login of then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn still(&self, granted: &Granted, now: i64) -> Result<Option<Member>, store::Error> {
        let member = self.by_sub(&granted.sub).await?;
        Ok(member.filter(|member| member.still_grants(granted, now)))
    }

    /// Whether anybody may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_anybody(&self) -> Result<bool, store::Error> {
        Ok(!providers(self.config).is_empty() || self.has_passwords().await?)
    }

    /// Whether anybody may log in with a password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_passwords(&self) -> Result<bool, store::Error> {
        Ok(members(self.config).next().is_some() || self.store.has_users().await?)
    }

    /// What is hashed when there is nobody with the address that was typed: a hash as others have it. Where those cost
    /// different times, each address has the time of one of them, always the same: which one, only we can say.
    #[must_use]
    pub fn decoy(&self, email: &str) -> Secret {
        let configured = members(self.config);
        let mut hashes: Vec<Secret> =
            configured.filter_map(|member| member.password_hash().cloned()).collect();
        hashes.push(Secret::new(NOBODY.to_owned()));
        let at = draw(&self.config.service.secret, email) % hashes.len();
        hashes.swap_remove(at)
    }
}

/// A number that the address has, for whoever knows the secret.
fn draw(secret: &Secret, email: &str) -> usize {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return 0 };
    mac.update(b"decoy\n");
    mac.update(email.trim().to_ascii_lowercase().as_bytes());
    let drawn: [u8; 32] = mac.finalize().into_bytes().into();
    let [first, second, ..] = drawn;
    usize::from(u16::from_be_bytes([first, second]))
}

impl Member {
    /// Of somebody who has a password here.
    #[must_use]
    pub const fn password_hash(&self) -> Option<&Secret> {
        match &self.source {
            Source::Configuration { password_hash } | Source::Database { password_hash, .. } => {
                Some(password_hash)
            }
            Source::Provider { .. } => None,
        }
    }

    /// Changes when the password does, or who may come in at a provider, or when all that they granted must end:
    /// sessions, codes and grants that were made with another one are dead.
    #[must_use]
    pub fn credential(&self) -> Vec<u8> {
        let digest = match &self.source {
            Source::Configuration { password_hash } => {
                Sha256::new_with_prefix(password_hash.reveal())
            }
            Source::Database { password_hash, epoch } => {
                Sha256::new_with_prefix(password_hash.reveal()).chain_update(format!("\n{epoch}"))
            }
            Source::Provider { policy, epoch, .. } => {
                Sha256::new_with_prefix(policy).chain_update(format!("\n{epoch}"))
            }
        };
        digest.finalize().to_vec()
    }

    /// When a login of `auth_time` is not good any more, Unix seconds: never, of somebody who is known here; but only a
    /// new login at a provider shows that somebody still has an account there.
    #[must_use]
    pub const fn ends_at(&self, auth_time: i64) -> i64 {
        match self.source {
            Source::Configuration { .. } | Source::Database { .. } => i64::MAX,
            Source::Provider { good_for, .. } => auth_time.saturating_add(good_for),
        }
    }

    /// Whether a login of `auth_time` is good at `now`, Unix seconds.
    #[must_use]
    pub const fn is_in_time(&self, auth_time: i64, now: i64) -> bool {
        now < self.ends_at(auth_time)
    }

    /// Whether what they granted is still good at `now`, Unix seconds.
    #[must_use]
    pub fn still_grants(&self, granted: &Granted, now: i64) -> bool {
        self.credential() == granted.credential && self.is_in_time(granted.auth_time, now)
    }

    /// As somebody who logged in at `auth_time`, Unix seconds.
    #[must_use]
    pub fn login(&self, auth_time: i64) -> Login {
        Login {
            sub: self.sub.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
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
        let source = Source::Database { password_hash, epoch };
        Self { sub: id, name: email.clone(), email: Some(email), groups, source }
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
        email: Some(user.email.clone()),
        name: user.email.clone(),
        groups: user.groups.clone(),
        source: Source::Configuration { password_hash: user.password_hash.clone() },
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

pub use accounts::{account, admits, providers, sub_of};

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
    member.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email))
}
