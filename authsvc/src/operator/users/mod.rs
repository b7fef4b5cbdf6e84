//! Users: those of the configuration are listed, those of the database are made, changed and removed; accounts at
//! providers are listed beside them.

#[cfg(test)]
mod tests;

use anyhow::{anyhow, bail};
use attache_protocol::secret::Secret;

use super::{Operator, date, table};
use crate::{
    config::PersonalTokens,
    password,
    store::{
        audit::{Action, Entry},
        managing::Holder,
        personal_tokens::PersonalToken,
        users::{Change, Ended, User},
    },
    users::{
        self, Member,
        email::{Email, Whom},
    },
};

/// One line of the list.
pub(super) struct Row {
    /// Address or name.
    pub(super) user: String,
    /// Where they are kept.
    pub(super) source: String,
    /// Whether they may log in.
    pub(super) state: String,
    /// What their grants are bound to, if they may log in.
    pub(super) credential: Option<Vec<u8>>,
    /// How old their password is, where that is known.
    pub(super) since: Option<i64>,
    /// Subject.
    pub(super) sub: String,
    /// Whether they log in at a provider.
    pub(super) is_account: bool,
    /// Groups.
    pub(super) groups: Vec<String>,
}

impl Operator {
    /// Everybody who may log in or might.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> anyhow::Result<String> {
        let now = self.clock.now_unix();
        let held = Held {
            holders: self.store.holders(now).await?,
            tokens: self.store.personal_tokens().await?,
            now,
        };
        let rows = self.rows().await?;
        let rows = rows.into_iter().map(|row| row.line(&held)).collect();
        let titles = [
            "USER",
            "SOURCE",
            "STATE",
            "GRANTS",
            "LAST GRANT",
            "PATS",
            "PASSWORD SINCE",
            "SUBJECT",
            "GROUPS",
        ];
        Ok(table(titles, rows))
    }

    /// Everybody, as they are listed.
    pub(super) async fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let configured = users::members(&self.config)
            .map(|member| Row::of(member, "configuration", "active".to_owned(), None));
        let mut rows: Vec<Row> = configured.collect();
        for user in self.store.users().await? {
            let hidden = Email::parse(&user.email)
                .is_ok_and(|email| users::configured(&self.config, &email).is_some());
            let state = match user.disabled_at {
                _ if hidden => "hidden by the configuration".to_owned(),
                Some(since) => format!("disabled {}", date(since)),
                None => "active".to_owned(),
            };
            let since = Some(user.password_changed_at);
            rows.push(Row::of(Member::from(user), "database", state, since));
        }
        rows.extend(self.account_rows().await?);
        Ok(rows)
    }

    /// Adds a user to the database.
    ///
    /// # Errors
    /// When there is one with this address, the password may not be used, or the database fails.
    pub async fn add_user(
        &self,
        email: &Email,
        groups: Vec<String>,
        ask: impl FnOnce() -> anyhow::Result<Secret>,
    ) -> anyhow::Result<String> {
        if users::configured(&self.config, email).is_some() {
            return Err(self.nobody(email).await?);
        }
        let id = users::sub(&self.config, email.as_str());
        let taken = format!(
            "{email} is a user already: `authsvc user password {email}` gives another password"
        );
        if self.store.user_with_email(email.as_str()).await?.is_some() {
            bail!(taken);
        }
        let password_hash = password::hash(&ask()?, &self.random)?;
        let now = self.clock.now_unix();
        let user = User {
            id,
            email: email.as_str().to_owned(),
            password_hash,
            groups,
            created_at: now,
            password_changed_at: now,
            disabled_at: None,
            epoch: 0,
        };
        let entry = self.entry(&user, Action::AddUser).with("groups", user.groups.clone());
        if !self.store.add_user(&user, entry).await? {
            bail!(taken);
        }
        Ok(format!("{email} may log in from now on\n"))
    }

    /// Gives a user another password, and ends all that was granted with the old one.
    ///
    /// # Errors
    /// When there is no such user in the database, the password may not be used, or the database fails.
    pub async fn change_password(
        &self,
        whom: &Whom,
        ask: impl FnOnce() -> anyhow::Result<Secret>,
    ) -> anyhow::Result<String> {
        let user = self.own_user(whom, "its password is kept there").await?;
        let email = &user.email;
        let to = password::hash(&ask()?, &self.random)?;
        let change = Change::Password { from: &user.password_hash, to: &to };
        match self.change(&user, change).await? {
            Some(ended) => {
                let goes = if ended.tokens == 1 { "goes" } else { "go" };
                let on = self.tokens_in_words(ended.tokens).map(|tokens| {
                    format!("; {tokens} {goes} on: `authsvc token list --user {email}` names them, `authsvc token revoke ID` ends one")
                });
                Ok(format!(
                    "{email} has another password; {}{}\n",
                    over(ended.grants),
                    on.unwrap_or_default()
                ))
            }
            None => bail!("{email} was changed by somebody else at the same time: try again"),
        }
    }

    /// Keeps a user from logging in, and ends all that they granted.
    ///
    /// # Errors
    /// When there is no such user in the database, or it fails.
    pub async fn disable_user(&self, email: &Email) -> anyhow::Result<String> {
        let user = self.own(email).await?;
        match self.change(&user, Change::Disabled).await? {
            Some(ended) => {
                let rest = if ended.tokens == 1 { "rests" } else { "rest" };
                let rest = self
                    .tokens_in_words(ended.tokens)
                    .map(|tokens| format!("; {tokens} {rest} until `authsvc user enable {email}`"));
                let (over, rest) = (over(ended.grants), rest.unwrap_or_default());
                let also = self.also(email).await?;
                Ok(format!("{email} is disabled; {over}{rest}\n{also}"))
            }
            None => Ok(format!("{email} was disabled before\n")),
        }
    }

    /// Lets a user log in again.
    ///
    /// # Errors
    /// When there is no such user in the database, or it fails.
    pub async fn enable_user(&self, email: &Email) -> anyhow::Result<String> {
        let user = self.own(email).await?;
        let entry = self.entry(&user, Action::EnableUser);
        if !self.store.enable_user(&user.id, entry).await? {
            return Ok(format!("{email} was not disabled\n"));
        }
        let living = self.store.personal_tokens_of(&user.id, self.clock.now_unix()).await?.len();
        let live = if living == 1 { "lives" } else { "live" };
        let but = self
            .tokens_in_words(u64::try_from(living).unwrap_or(u64::MAX))
            .map(|tokens| format!("; {tokens} {live} again: `authsvc token list --user {email}`"));
        Ok(format!(
            "{email} may log in again; what they had granted before stays over{}\n",
            but.unwrap_or_default()
        ))
    }

    /// Forgets a user, and ends all that they granted.
    ///
    /// # Errors
    /// When there is no such user in the database, or it fails.
    pub async fn remove_user(&self, email: &Email) -> anyhow::Result<String> {
        // Also one that the configuration hides: it is of no use to anybody.
        let Some(user) = self.store.user_with_email(email.as_str()).await? else {
            return Err(self.nobody(email).await?);
        };
        let ended = self.change(&user, Change::Removed).await?.unwrap_or_default();
        let rest = match users::configured(&self.config, email) {
            Some(_) => " from the database, and stays a user of the configuration",
            None => "",
        };
        let revoked =
            self.tokens_in_words(ended.tokens).map(|tokens| format!("; {tokens} revoked"));
        let (over, revoked) = (over(ended.grants), revoked.unwrap_or_default());
        let also = self.also(email).await?;
        Ok(format!("{email} is removed{rest}; {over}{revoked}\n{also}"))
    }

    /// Others with the same address, who are not meant, or were forgotten.
    async fn also(&self, email: &Email) -> anyhow::Result<String> {
        let others = self.same_address(email).await?;
        Ok(others.map_or_else(String::new, |others| format!("nothing has changed for {others}\n")))
    }

    async fn change(&self, user: &User, change: Change<'_>) -> anyhow::Result<Option<Ended>> {
        let action = match change {
            Change::Disabled => Action::DisableUser,
            Change::Password { .. } => Action::ChangePassword,
            Change::Removed => Action::RemoveUser,
        };
        Ok(self.store.change_user(&user.id, change, self.entry(user, action)).await?)
    }

    /// What is done to a user of the database.
    pub(super) fn entry(&self, user: &User, action: Action) -> Entry {
        self.author().does(action, user.id.clone()).called(user.email.clone())
    }

    /// The user of the database, who can be changed: one that the configuration hides cannot, since whoever asks
    /// means the other.
    pub(super) async fn own(&self, email: &Email) -> anyhow::Result<User> {
        let user = self.store.user_with_email(email.as_str()).await?;
        let user = user.filter(|_| users::configured(&self.config, email).is_none());
        match user {
            Some(user) => Ok(user),
            None => Err(self.nobody(email).await?),
        }
    }

    /// Anybody of this address, wherever they are kept.
    pub(super) async fn somebody(&self, email: &Email) -> anyhow::Result<Member> {
        if let Some(member) = users::configured(&self.config, email) {
            return Ok(member);
        }
        let user = self.store.user_with_email(email.as_str()).await?;
        match user {
            Some(user) => Ok(user.into()),
            None => Err(self.nobody(email).await?),
        }
    }

    /// So many personal access tokens, in words; nothing if there are none, or they are accepted nowhere.
    fn tokens_in_words(&self, count: u64) -> Option<String> {
        let embedded = self.config.authorization.embedded()?;
        let is_off = embedded.personal_tokens == PersonalTokens::Off;
        match count {
            0 => None,
            _ if is_off => None,
            1 => Some("1 personal access token".to_owned()),
            _ => Some(format!("{count} personal access tokens")),
        }
    }

    /// Why there is nobody to be changed.
    pub(super) async fn nobody(&self, email: &Email) -> anyhow::Result<anyhow::Error> {
        if users::configured(&self.config, email).is_some() {
            return Ok(anyhow!(
                "{email} is a user of the configuration: change or remove them there, in `authorization.embedded.users` (`authsvc user hash` makes a `password_hash`), and restart authsvc"
            ));
        }
        if let Some(accounts) = self.same_address(email).await? {
            return Ok(anyhow!(
                "there is no user {email} in the database, but there are {accounts}"
            ));
        }
        Ok(anyhow!("there is no user {email}: `authsvc user list` names them"))
    }
}

impl Row {
    fn of(member: Member, source: &str, state: String, since: Option<i64>) -> Self {
        let credential = Some(member.credential());
        let Member { name, sub, groups, .. } = member;
        let source = source.to_owned();
        Self { user: name, source, state, credential, since, sub, is_account: false, groups }
    }

    fn line(self, held: &Held) -> Vec<String> {
        let Self { user, source, state, credential, since, sub, groups, .. } = self;
        let is_theirs =
            |one: &&Holder| one.sub == sub && Some(&one.credential) == credential.as_ref();
        let holder = held.holders.iter().find(is_theirs);
        let grants = holder.map_or(0, |holder| holder.grants).to_string();
        let lives = |token: &&PersonalToken| token.sub == sub && token.is_alive(held.now);
        let tokens = held.tokens.iter().filter(lives).count().to_string();
        let day = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), date);
        let last = day(holder.map(|holder| holder.last_at));
        vec![user, source, state, grants, last, tokens, day(since), sub, groups.join(", ")]
    }
}

/// What users have granted and what stands for them.
struct Held {
    holders: Vec<Holder>,
    tokens: Vec<PersonalToken>,
    now: i64,
}

pub(super) fn over(grants: u64) -> String {
    format!(
        "their sessions have ended, and {grants} grants; access tokens that clients have live until they expire"
    )
}
