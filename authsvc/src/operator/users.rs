//! Users: those of the configuration are listed, those of the database are made, changed and removed; accounts at
//! providers are listed beside them.

use anyhow::{anyhow, bail};
use attache_protocol::secret::Secret;

use super::{Operator, date, table};
use crate::{
    password,
    store::{
        endings::EndedBy,
        managing::Holder,
        users::{Change, User},
    },
    users::{self, Member, email::Email},
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
    /// Groups.
    pub(super) groups: Vec<String>,
}

impl Operator {
    /// Everybody who may log in or might.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> anyhow::Result<String> {
        let holders = self.store.holders(self.clock.now_unix()).await?;
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
        let rows = rows.into_iter().map(|row| row.line(&holders)).collect();
        let titles = [
            "USER",
            "SOURCE",
            "STATE",
            "GRANTS",
            "LAST GRANT",
            "PASSWORD SINCE",
            "SUBJECT",
            "GROUPS",
        ];
        Ok(table(titles, rows))
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
        if !self.store.add_user(&user).await? {
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
        email: &Email,
        ask: impl FnOnce() -> anyhow::Result<Secret>,
    ) -> anyhow::Result<String> {
        let user = self.own(email).await?;
        let to = password::hash(&ask()?, &self.random)?;
        let change = Change::Password { from: &user.password_hash, to: &to };
        match self.change(&user, change).await? {
            Some(ended) => Ok(format!("{email} has another password; {}", over(ended))),
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
                let also = self.also(email).await?;
                Ok(format!("{email} is disabled; {}{also}", over(ended)))
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
        if self.store.enable_user(&user.id).await? {
            Ok(format!("{email} may log in again; what they had granted before stays over\n"))
        } else {
            Ok(format!("{email} was not disabled\n"))
        }
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
        let also = self.also(email).await?;
        Ok(format!("{email} is removed{rest}; {}{also}", over(ended)))
    }

    /// Others with the same address, who are not meant, or were forgotten.
    async fn also(&self, email: &Email) -> anyhow::Result<String> {
        let others = self.same_address(email).await?;
        Ok(others.map_or_else(String::new, |others| format!("nothing has changed for {others}\n")))
    }

    async fn change(&self, user: &User, change: Change<'_>) -> anyhow::Result<Option<u64>> {
        let now = self.clock.now_unix();
        Ok(self.store.change_user(&user.id, change, EndedBy::Operator, now).await?)
    }

    /// The user of the database, who can be changed: one that the configuration hides cannot, since whoever asks
    /// means the other.
    async fn own(&self, email: &Email) -> anyhow::Result<User> {
        let user = self.store.user_with_email(email.as_str()).await?;
        let user = user.filter(|_| users::configured(&self.config, email).is_none());
        match user {
            Some(user) => Ok(user),
            None => Err(self.nobody(email).await?),
        }
    }

    /// Why there is nobody to be changed.
    async fn nobody(&self, email: &Email) -> anyhow::Result<anyhow::Error> {
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
        Self { user: name, source: source.to_owned(), state, credential, since, sub, groups }
    }

    fn line(self, holders: &[Holder]) -> Vec<String> {
        let Self { user, source, state, credential, since, sub, groups } = self;
        let mut held = holders
            .iter()
            .filter(|one| one.sub == sub && Some(&one.credential) == credential.as_ref());
        let holder = held.next();
        let grants = holder.map_or(0, |holder| holder.grants).to_string();
        let day = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), date);
        let last = day(holder.map(|holder| holder.last_at));
        vec![user, source, state, grants, last, day(since), sub, groups.join(", ")]
    }
}

pub(super) fn over(grants: u64) -> String {
    format!(
        "their sessions have ended, and {grants} grants; access tokens that clients have live until they expire\n"
    )
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::Email;
    use crate::{
        operator::{Operator, tests::operator},
        testing::{Bench, EMAIL, PASSWORD},
    };

    async fn listed(operator: &Operator, email: &str) -> String {
        let listed = operator.users().await.unwrap();
        listed.lines().find(|line| line.starts_with(email)).unwrap_or_default().to_owned()
    }

    fn second() -> Email {
        Email::parse("Second@example.com").unwrap()
    }

    fn ask() -> anyhow::Result<Secret> {
        Ok(Secret::new(PASSWORD.to_owned()))
    }

    #[tokio::test]
    async fn users_are_listed() {
        let bench = Bench::new().await;
        let line = listed(&operator(&bench).await, EMAIL).await;
        assert!(
            line.contains("  configuration  active  0       -") && line.ends_with("Developers")
        );
    }

    #[tokio::test]
    async fn a_user_is_added_changed_disabled_enabled_and_removed() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let (email, users) = (second(), bench.app.users());
        let found = async || users.by_email("second@example.com").await.unwrap();
        operator.add_user(&email, vec!["guests".to_owned()], ask).await.unwrap();
        let line = listed(&operator, "second@example.com").await;
        assert!(line.contains("database       active") && line.ends_with("guests"), "{line}");
        let first = found().await.unwrap().credential();

        let said = operator.change_password(&email, ask).await.unwrap();
        assert!(
            said.contains("another password; their sessions have ended, and 0 grants"),
            "{said}"
        );
        assert_ne!(found().await.unwrap().credential(), first);
        let said = operator.disable_user(&email).await.unwrap();
        assert!(said.contains("is disabled; "), "{said}");
        let line = listed(&operator, "second@example.com").await;
        assert!(line.contains("disabled 2026-09-21T14:13:20Z") && found().await.is_none());
        let again = operator.disable_user(&email).await.unwrap();
        assert_eq!(again, "second@example.com was disabled before\n");
        operator.enable_user(&email).await.unwrap();
        assert!(found().await.is_some());
        operator.remove_user(&email).await.unwrap();
        assert!(found().await.is_none() && listed(&operator, "second").await.is_empty());
    }

    #[tokio::test]
    async fn who_is_not_in_the_database_is_not_changed() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let configured = Email::parse(EMAIL).unwrap();
        for said in [
            operator.add_user(&configured, Vec::new(), ask).await,
            operator.change_password(&configured, ask).await,
            operator.disable_user(&configured).await,
            operator.enable_user(&configured).await,
            operator.remove_user(&configured).await,
        ] {
            let said = said.unwrap_err().to_string();
            assert!(said.contains("of the configuration: change or remove them there"), "{said}");
        }
        let said = operator.disable_user(&second()).await.unwrap_err().to_string();
        assert!(said.contains("`authsvc user list` names them"), "{said}");
        operator.add_user(&second(), Vec::new(), ask).await.unwrap();
        let asked = || anyhow::bail!("it asks for a password before it looks");
        let said = operator.add_user(&second(), Vec::new(), asked).await.unwrap_err();
        assert!(said.to_string().contains("is a user already"), "{said}");
    }

    #[tokio::test]
    async fn a_user_whose_address_is_configured_later_is_hidden_and_can_be_removed() {
        let bench = Bench::new().await;
        let mut twin = crate::testing::user(&bench, EMAIL);
        "elsewhere".clone_into(&mut twin.id);
        bench.app.store.add_user(&twin).await.unwrap();
        let operator = operator(&bench).await;
        assert!(operator.users().await.unwrap().contains("hidden by the configuration"));
        let email = Email::parse(EMAIL).unwrap();
        let said = operator.disable_user(&email).await.unwrap_err().to_string();
        assert!(said.contains("is a user of the configuration"), "{said}");
        let said = operator.remove_user(&email).await.unwrap();
        assert!(said.contains("stays a user of the configuration"), "{said}");
        assert!(!operator.users().await.unwrap().contains("hidden by the configuration"));
    }
}
