//! Accounts at providers of identities: they come by themselves, and are kept out or forgotten here.

use anyhow::bail;

use super::{Operator, date, users::Row};
use crate::{
    store::{
        accounts::{Account, Fate},
        endings::EndedBy,
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
        let who = self.account(id).await?;
        match self.end_account(id, Fate::Disabled).await? {
            Some(ended) => Ok(format!("{who} is disabled; {}\n", super::users::over(ended))),
            None => Ok(format!("{who} was disabled before\n")),
        }
    }

    /// Lets somebody log in again.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub async fn enable_account(&self, id: &str) -> anyhow::Result<String> {
        let who = self.account(id).await?;
        if self.store.enable_account(id).await? {
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
        let who = self.account(id).await?;
        let ended = self.end_account(id, Fate::Removed).await?.unwrap_or_default();
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

    async fn end_account(&self, id: &str, fate: Fate) -> anyhow::Result<Option<u64>> {
        let now = self.clock.now_unix();
        Ok(self.store.change_account(id, fate, EndedBy::Operator, now).await?)
    }

    /// An account, as it is called in an answer.
    async fn account(&self, id: &str) -> anyhow::Result<String> {
        let Some(account) = self.store.account(id).await? else {
            bail!("there is no account {id}: `authsvc user list` names them");
        };
        let who = account.email.or(account.name).unwrap_or(account.id);
        Ok(format!("{who} ({})", account.provider))
    }
}
