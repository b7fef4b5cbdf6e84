//! Accounts at providers of identities: they come by themselves, and are kept out or forgotten here.

use anyhow::bail;

use super::{Operator, date, users::Row};
use crate::{
    store::{
        accounts::{Account, Fate},
        audit::{Action, Entry},
    },
    users::{Directory, email::Email},
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
