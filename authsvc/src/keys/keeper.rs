//! Makes keys, and carries out what is due; never needs to open one.

use attache_protocol::secret::Secret;

use super::{
    KeyError, Vault,
    rotation::{self, Policy, Step},
    signer::Signer,
};
use crate::{
    clock::seconds,
    config::{Config, Elsewhere, Signing},
    random::Random,
    store::{
        Store,
        audit::{Action, Author, Kind},
        keys::{SigningKey, State, Succession},
    },
};

/// What the configuration says of keys.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) signing: Signing,
    pub(super) policy: Policy,
    pub(super) vault: Vault,
}

/// Whether the keys are rotated although some who verify may not have seen the next one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Haste {
    /// Wait until they have.
    Wait,
    /// They look when they meet a key that they do not know.
    Now,
}

/// What became of a rotation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rotated {
    /// This key signs now.
    Signs(String),
    /// The next key is too new; it can sign from this time on, Unix seconds.
    TooEarly(i64),
    /// Somebody else did it at the same moment.
    Overtaken,
}

/// Keys as they are kept.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub(super) store: Store,
    settings: Settings,
    random: Random,
}

impl Settings {
    /// Of a configuration.
    ///
    /// # Errors
    /// [`Elsewhere`] where a provider issues the tokens.
    pub fn of(config: &Config) -> Result<Self, Elsewhere> {
        let embedded = config.authorization.own()?;
        let policy = Policy {
            algorithm: embedded.signing.as_str(),
            period: seconds(embedded.key_rotation),
            token_life: seconds(embedded.access_token_ttl),
        };
        Ok(Self { signing: embedded.signing, policy, vault: Vault::of(config) })
    }
}

impl Keeper {
    /// The keeper of a database.
    #[must_use]
    pub const fn new(store: Store, settings: Settings, random: Random) -> Self {
        Self { store, settings, random }
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self) -> Result<Vec<SigningKey>, KeyError> {
        Ok(self.store.signing_keys().await?)
    }

    /// Does what is due at `now`, Unix seconds; of several processes that find the same, one does it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self, now: i64) -> Result<(), KeyError> {
        let keys = self.keys().await?;
        for step in rotation::due(&keys, &self.settings.policy, now) {
            if let Some(kid) = self.carry_out(&step, &Author::new(Kind::Authsvc, now)).await? {
                tracing::info!(kid, "{}", step.words());
            }
        }
        Ok(())
    }

    /// Makes the next key the current one, before its time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate(&self, haste: Haste, by: &Author) -> Result<Rotated, KeyError> {
        let now = by.at;
        self.tick(now).await?;
        let keys = self.keys().await?;
        let find = |state: State| {
            let algorithm = self.settings.policy.algorithm;
            keys.iter().find(|key| key.algorithm == algorithm && key.state == state)
        };
        let (Some(current), Some(next)) = (find(State::Current), find(State::Next)) else {
            return Ok(Rotated::Overtaken);
        };
        if haste == Haste::Wait && !rotation::is_known(next, now) {
            return Ok(Rotated::TooEarly(rotation::known_from(next)));
        }
        let step = Step::Succeed { from: current.kid.clone(), to: next.kid.clone() };
        let done = self.carry_out(&step, by).await?;
        Ok(if done.is_some() { Rotated::Signs(next.kid.clone()) } else { Rotated::Overtaken })
    }

    /// Forgets a key at once, and sees to it that another one signs; what it did, or nothing if it is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, kid: &str, by: &Author) -> Result<Option<State>, KeyError> {
        let entry = by.does(Action::RevokeKey, kid.to_owned());
        let revoked = self.store.revoke_signing_key(kid, entry).await?;
        if revoked.is_some() {
            self.tick(by.at).await?;
        }
        Ok(revoked)
    }

    /// Seals what an older version kept in clear, or what another of our secrets sealed.
    pub(super) async fn reseal(&self, key: &SigningKey, private: &[u8]) -> Result<(), KeyError> {
        if self.settings.vault.is_sealed(key.sealed_by.as_deref()) {
            return Ok(());
        }
        let key = self.seal(key.clone(), private)?;
        self.store.reseal_signing_key(&key).await?;
        tracing::info!(kid = key.kid, "the private part of a signing key was encrypted");
        Ok(())
    }

    /// The `kid` of the key that it was about; nothing if somebody else was faster.
    async fn carry_out(&self, step: &Step, by: &Author) -> Result<Option<String>, KeyError> {
        let now = by.at;
        let done = match step {
            Step::Introduce(state) => {
                let key = self.generate(*state, now)?;
                let done = self.store.introduce_signing_key(&key).await?;
                return Ok(done.then_some(key.kid));
            }
            Step::Promote(kid) => {
                let change = (State::Next, State::Current);
                self.store.change_signing_key(kid, change, now).await?
                    && self.store.introduce_signing_key(&self.generate(State::Next, now)?).await?
            }
            Step::Succeed { from, to } => {
                let next = &self.generate(State::Next, now)?;
                let entry = by.does(Action::RotateKey, to.clone());
                self.store.succeed_signing_key(Succession { from, to, next }, entry).await?
            }
            Step::Retire(kid) => {
                let change = (State::Current, State::Retired);
                self.store.change_signing_key(kid, change, now).await?
            }
            Step::Forget(kid, state) => self.store.forget_signing_key(kid, *state).await?,
            Step::Lengthen(kid) => {
                let token_life = self.settings.policy.token_life;
                self.store.lengthen_token_life(kid, token_life).await?;
                true
            }
        };
        Ok(done.then(|| step.kid().to_owned()))
    }

    fn generate(&self, state: State, now: i64) -> Result<SigningKey, KeyError> {
        let Settings { signing, policy, .. } = &self.settings;
        let (signer, private) = Signer::generate(*signing, &self.random).ok_or(KeyError::Made)?;
        let key = SigningKey {
            kid: signer.public_key().ok_or(KeyError::Made)?.kid,
            algorithm: policy.algorithm.to_owned(),
            private_key: Secret::new(Vec::new()),
            sealed_by: None,
            state,
            since: now,
            token_life: policy.token_life,
        };
        self.seal(key, &private)
    }

    fn seal(&self, key: SigningKey, private: &[u8]) -> Result<SigningKey, KeyError> {
        let sealed = self.settings.vault.seal(&key.kid, private, self.random.bytes());
        let sealed = sealed.ok_or(KeyError::Made)?;
        Ok(SigningKey { private_key: Secret::new(sealed.bytes), sealed_by: Some(sealed.by), ..key })
    }
}
