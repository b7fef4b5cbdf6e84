//! Who may log in: the users of the configuration.
//!
//! The subject of a user is the SHA-256 of issuer and lower-cased e-mail address, in base64url. It needs no
//! table, so it is the same after a restart and on every replica; it is opaque, so that a client or a log that
//! sees the subject alone does not see an address; and no other issuer makes the same one. A changed address is
//! a new user, as is right where the address is the account.

use std::time::Duration;

use argon2::{Argon2, PasswordVerifier as _};
use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task, time,
};

use crate::{
    authorization::grant::Login,
    config::{Authorization, Config, User},
    server::MAX_CONNECTIONS,
};

/// Longest password that is looked at, bytes: hashing reads all of it.
pub const MAX_PASSWORD: usize = 1024;
/// Passwords checked at the same time: each takes tens of MiB and a core for tens of milliseconds.
const CONCURRENT: usize = 2;
/// Attempts under way, with those that pause or wait for their turn: each keeps one of the few connections busy, and
/// together they must leave most of them to others.
const UNDER_WAY: usize = MAX_CONNECTIONS / 4;
/// How long an attempt waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Checked when no user is configured, so that this, too, takes its time. Of no known password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YXR0YWNoZS1ub2JvZHk$4vHyTt2GWxlgUKCbX5MHxHJyYqKKLeCuNqEd0pTd3jI";

/// Somebody in the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    issuer: &'a str,
    user: &'a User,
}

/// The gate to password checks, which are expensive on purpose.
#[derive(Debug)]
pub struct Passwords {
    places: Semaphore,
    turns: Semaphore,
}

/// A place among the attempts that are under way.
#[derive(Debug)]
pub struct Place<'a>(#[expect(dead_code, reason = "it is held")] SemaphorePermit<'a>);

/// Too many passwords are being checked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("too many logins at the same time, try again in a few seconds")]
pub struct Overloaded;

/// Everybody, in the order of the configuration.
pub fn members(config: &Config) -> impl Iterator<Item = Member<'_>> {
    let Authorization::Embedded(embedded) = &config.authorization;
    embedded.users.iter().map(|user| Member { issuer: config.public_url.as_str(), user })
}

/// The member with this address.
#[must_use]
pub fn by_email<'a>(config: &'a Config, email: &str) -> Option<Member<'a>> {
    members(config).find(|member| member.email().eq_ignore_ascii_case(email.trim()))
}

/// The member with this subject.
#[must_use]
pub fn by_sub<'a>(config: &'a Config, sub: &str) -> Option<Member<'a>> {
    members(config).find(|member| member.sub() == sub)
}

impl<'a> Member<'a> {
    /// As the configuration has it.
    #[must_use]
    pub const fn email(&self) -> &'a str {
        self.user.email.as_str()
    }

    /// In the order of the configuration.
    #[must_use]
    pub const fn groups(&self) -> &'a [String] {
        self.user.groups.as_slice()
    }

    /// Subject: stable and opaque.
    #[must_use]
    pub fn sub(&self) -> String {
        let text = format!("{}\n{}", self.issuer, self.email().to_ascii_lowercase());
        URL_SAFE_NO_PAD.encode(Sha256::digest(text))
    }

    /// Changes when the password does: sessions of the old one end.
    #[must_use]
    pub fn credential(&self) -> Vec<u8> {
        Sha256::digest(self.user.password_hash.reveal()).to_vec()
    }

    /// As somebody who logged in at `auth_time`, Unix seconds.
    #[must_use]
    pub fn login(&self, auth_time: i64) -> Login {
        Login {
            sub: self.sub(),
            email: self.email().to_owned(),
            groups: self.groups().to_vec(),
            auth_time,
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Semaphore::new(UNDER_WAY), turns: Semaphore::new(CONCURRENT) }
    }
}

impl Passwords {
    /// Begins an attempt.
    ///
    /// # Errors
    /// [`Overloaded`] when there are too many.
    pub fn begin(&self) -> Result<Place<'_>, Overloaded> {
        self.places.try_acquire().map(Place).map_err(|_full| Overloaded)
    }

    /// The member whose address and password these are. Without such a member another hash of the configuration
    /// is computed and its result thrown away: the answer takes the same time.
    ///
    /// # Errors
    /// [`Overloaded`] when its turn does not come.
    pub async fn check<'a>(
        &self,
        _place: Place<'_>,
        config: &'a Config,
        email: &str,
        password: Secret,
    ) -> Result<Option<Member<'a>>, Overloaded> {
        let member = by_email(config, email);
        let hash = member.or_else(|| members(config).next()).map_or_else(
            || Secret::new(NOBODY.to_owned()),
            |member| member.user.password_hash.clone(),
        );
        let Ok(Ok(_turn)) = time::timeout(PATIENCE, self.turns.acquire()).await else {
            return Err(Overloaded);
        };
        let verified =
            task::spawn_blocking(move || verify(&password, &hash)).await.unwrap_or(false);
        Ok(member.filter(|_| verified))
    }
}

/// The parameters come from the hash itself.
fn verify(password: &Secret, hash: &Secret) -> bool {
    password.reveal().len() <= MAX_PASSWORD
        && Argon2::default()
            .verify_password(password.reveal().as_bytes(), hash.reveal().as_str())
            .is_ok()
}

#[cfg(test)]
mod tests {
    use argon2::{Argon2, Params, PasswordVerifier as _, password_hash::phc::PasswordHash};

    use super::{NOBODY, Passwords, UNDER_WAY, by_email, by_sub};
    use crate::{
        config::Origin,
        testing::{EMAIL, config},
    };

    #[test]
    fn s46_the_hash_of_nobody_costs_as_much_as_the_default_and_has_no_known_password() {
        let params = Params::try_from(&PasswordHash::new(NOBODY).unwrap()).unwrap();
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(cost(&params), cost(&Params::default()));
        assert!(Argon2::default().verify_password(b"", NOBODY).is_err());
    }

    #[test]
    fn s46_attempts_that_wait_do_not_take_every_connection() {
        let passwords = Passwords::default();
        let mut places: Vec<_> = (0..UNDER_WAY).map(|_| passwords.begin().unwrap()).collect();
        assert!(passwords.begin().is_err());
        drop(places.pop());
        assert!(passwords.begin().is_ok());
    }

    #[test]
    fn a_subject_is_stable_opaque_and_of_one_issuer() {
        let mut config = config();
        let sub = by_email(&config, " Admin@EXAMPLE.com").unwrap().sub();
        assert_eq!(sub, "HDZVNfx4yYD9Oicts7ARoHeg5ORnNV9LwdWZd_THnzk");
        assert_eq!(by_sub(&config, &sub).unwrap().login(7).email, EMAIL);
        config.public_url = Origin::parse("http://localhost:8090").unwrap();
        assert!(by_sub(&config, &sub).is_none());
        assert!(by_email(&config, "admin@example.co").is_none());
    }
}
