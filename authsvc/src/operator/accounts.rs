//! Accounts at providers of identities: they come by themselves, and are kept out or forgotten here.

use anyhow::{anyhow, bail};

use super::{Operator, date, users::Row};
use crate::{
    store::{
        accounts::{Account, Fate},
        audit::{Action, Entry},
        users::User,
    },
    users::{
        Directory,
        email::{Email, Whom},
    },
};

impl Operator {
    /// Every account, as it is listed.
    pub(super) async fn account_rows(&self) -> anyhow::Result<Vec<Row>> {
        let directory = Directory::new(&self.config, &self.store);
        let mut rows = Vec::new();
        for account in self.store.accounts().await? {
            let member = directory.by_sub(&account.id).await?;
            let state = match (account.disabled_at, &member) {
                (Some(since), _) => format!("disabled {}", date(since)),
                (None, Some(_)) => "active".to_owned(),
                (None, None) => "not admitted by the configuration".to_owned(),
            };
            let Account { id, provider, email, name, groups, .. } = account;
            rows.push(Row {
                user: email.or(name).unwrap_or_else(|| "-".to_owned()),
                source: provider,
                state,
                credential: member.map(|member| member.credential()),
                since: None,
                sub: id,
                is_account: true,
                groups,
            });
        }
        Ok(rows)
    }

    /// Keeps somebody from logging in at a provider, and ends all that they granted.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub async fn disable_account(&self, id: &str) -> anyhow::Result<String> {
        let (who, entry) = self.account(id, Action::DisableUser).await?;
        match self.store.change_account(id, Fate::Disabled, entry).await? {
            Some(ended) => Ok(format!("{who} is disabled; {}\n", super::users::over(ended))),
            None => Ok(format!("{who} was disabled before\n")),
        }
    }

    /// Lets somebody log in again.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub async fn enable_account(&self, id: &str) -> anyhow::Result<String> {
        let (who, entry) = self.account(id, Action::EnableUser).await?;
        if self.store.enable_account(id, entry).await? {
            Ok(format!("{who} may log in again; what they had granted before stays over\n"))
        } else {
            Ok(format!("{who} was not disabled\n"))
        }
    }

    /// Forgets somebody, and ends all that they granted.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub async fn remove_account(&self, id: &str) -> anyhow::Result<String> {
        let (who, entry) = self.account(id, Action::RemoveUser).await?;
        let ended = self.store.change_account(id, Fate::Removed, entry).await?.unwrap_or_default();
        let again = "whoever may log in at the provider gets a new account: disable one to keep somebody out";
        Ok(format!("{who} is removed; {}\n{again}\n", super::users::over(ended)))
    }

    /// What is said of somebody with this address who is no user of the database.
    pub(super) async fn same_address(&self, email: &Email) -> anyhow::Result<Option<String>> {
        let theirs = |account: &Account| account.email.as_deref() == Some(email.as_str());
        let accounts = self.store.accounts().await?;
        let mut named = accounts.iter().filter(|account| theirs(account)).peekable();
        if named.peek().is_none() {
            return Ok(None);
        }
        let named: Vec<String> =
            named.map(|account| format!("{} ({})", account.id, account.provider)).collect();
        Ok(Some(format!(
            "accounts with this address: name them by their subject: {}",
            named.join(", ")
        )))
    }

    /// The user of the database who is meant, where accounts at providers have nothing to be changed: `theirs` says why.
    pub(super) async fn own_user(&self, whom: &Whom, theirs: &str) -> anyhow::Result<User> {
        match (self.here(whom, theirs).await?, whom) {
            (Some(row), _) => self.own(&Email::parse(&row.user)?).await,
            (None, Whom::User(email)) => Err(self.nobody(email).await?),
            (None, Whom::Account(id)) => Err(super::person::unknown(id)),
        }
    }

    /// Who is meant of those whom no provider keeps, who go before accounts with the same address.
    pub(super) async fn here(&self, whom: &Whom, theirs: &str) -> anyhow::Result<Option<Row>> {
        let is_meant = |row: &Row| match whom {
            Whom::User(email) => row.user.eq_ignore_ascii_case(email.as_str()),
            Whom::Account(id) => row.sub == *id,
        };
        let rows = self.rows().await?.into_iter().filter(is_meant);
        match rows.min_by_key(|row| row.is_account) {
            Some(row) if row.is_account => {
                Err(anyhow!("{whom} is an account at {}: {theirs}", row.source))
            }
            other => Ok(other),
        }
    }

    /// An account, as it is called in an answer, and the entry of what is done to it.
    async fn account(&self, id: &str, action: Action) -> anyhow::Result<(String, Entry)> {
        let Some(account) = self.store.account(id).await? else {
            bail!("there is no account {id}: `authsvc user list` names them");
        };
        let who = account.email.or(account.name).unwrap_or(account.id);
        let said = format!("{who} ({})", account.provider);
        let entry = self.author().does(action, id.to_owned());
        Ok((said, entry.called(who).with("provider", account.provider)))
    }
}
