//! One user: what they have let in, what stands for them, and the end of the former.

use super::{Operator, date, host, table, users::Row};
use crate::{
    clients,
    config::PersonalTokens,
    store::{access::Held, audit::Action},
    users::email::{Email, Whom},
};

impl Operator {
    /// Who somebody is, what they have granted, and the personal access tokens that stand for them.
    ///
    /// # Errors
    /// When there is nobody like this, or the database fails.
    pub async fn user(&self, whom: &Whom) -> anyhow::Result<String> {
        let row = self.found(whom).await?;
        let mut grants = match &row.credential {
            Some(credential) => {
                self.store.held(&row.sub, credential, self.clock.now_unix()).await?
            }
            None => Vec::new(),
        };
        for grant in &mut grants {
            grant.name = clients::name(&self.config, &grant.client_id, grant.name.take());
        }
        let tokens = self.store.personal_tokens().await?;
        let mut theirs = Vec::new();
        for token in tokens.into_iter().filter(|token| token.sub == row.sub) {
            theirs.push(self.token_line(token).await?);
        }
        let mut text = about(&row);
        text.push_str(&section("grants", granted(&grants)));
        text.push_str(&section("personal access tokens", listed(theirs)));
        Ok(text)
    }

    /// Ends what somebody granted, to one client or to every one.
    ///
    /// # Errors
    /// When there is nobody like this, or the database fails.
    pub async fn end_access(&self, whom: &Whom, client: Option<&str>) -> anyhow::Result<String> {
        let row = self.found(whom).await?;
        let entry = self.author().does(Action::EndAccess, row.sub.clone());
        let entry = entry.called(row.user.clone()).with("client", client);
        let ended = self.store.end_access(&row.sub, client, entry).await?;
        let grants = if ended == 1 { "grant has" } else { "grants have" };
        let to = client.map(|client| format!(" to {client}")).unwrap_or_default();
        Ok(format!(
            "{ended} {grants} ended that {} gave{to}, and what they had agreed to{to} is forgotten; access tokens that clients have live until they expire, sessions and personal access tokens go on\n",
            row.user
        ))
    }

    /// Gives a user of the database other groups.
    ///
    /// # Errors
    /// When there is no such user in the database, or it fails.
    pub async fn change_groups(&self, whom: &Whom, groups: &[String]) -> anyhow::Result<String> {
        let user = self.own_user(whom, "its groups come from there").await?;
        let email = &user.email;
        let entry = self.entry(&user, Action::ChangeGroups);
        if !self.store.set_groups(&user.id, groups, entry).await? {
            return Err(self.nobody(&Email::parse(email)?).await?);
        }
        let has = match groups {
            [] => "is in no group any more".to_owned(),
            groups => format!("is in {}", groups.join(", ")),
        };
        let embedded = self.config.authorization.embedded();
        let cache = embedded.and_then(|embedded| match embedded.personal_tokens {
            PersonalTokens::On { cache } => Some(cache.as_secs()),
            PersonalTokens::Off => None,
        });
        let personal = cache.map(|cache| format!("; of personal access tokens within {cache} s"));
        Ok(format!(
            "{email} {has}: of access tokens this holds from the next refresh on{}\n",
            personal.unwrap_or_default()
        ))
    }

    /// Who is meant, as they are listed.
    async fn found(&self, whom: &Whom) -> anyhow::Result<Row> {
        let mut rows = self.rows().await?.into_iter();
        match whom {
            Whom::User(email) => {
                let here =
                    |row: &Row| !row.is_account && row.user.eq_ignore_ascii_case(email.as_str());
                match rows.find(here) {
                    Some(row) => Ok(row),
                    None => Err(self.nobody(email).await?),
                }
            }
            Whom::Account(id) => rows.find(|row| row.sub == *id).ok_or_else(|| unknown(id)),
        }
    }
}

/// There is nobody with this subject.
pub(super) fn unknown(id: &str) -> anyhow::Error {
    anyhow::anyhow!("there is nobody with the subject {id}: `authsvc user list` names them")
}

fn about(row: &Row) -> String {
    let mut lines = vec![
        vec!["user".to_owned(), row.user.clone()],
        vec!["kept in".to_owned(), row.source.clone()],
        vec!["state".to_owned(), row.state.clone()],
        vec!["groups".to_owned(), row.groups.join(", ")],
        vec!["subject".to_owned(), row.sub.clone()],
    ];
    if let Some(since) = row.since {
        lines.push(vec!["password since".to_owned(), date(since)]);
    }
    super::lines::<2>(&lines)
}

/// A table under its title, or that there is nothing to be in it.
fn section(title: &str, table: Option<String>) -> String {
    table.map_or_else(|| format!("\nno {title}\n"), |table| format!("\n{title}\n{table}"))
}

fn granted(grants: &[Held]) -> Option<String> {
    let row = |grant: &Held| {
        let to = url::Url::parse(&grant.redirect_uri)
            .map_or_else(|_not_a_url| grant.redirect_uri.clone(), |url| host(&url));
        vec![
            grant.client_id.clone(),
            date(grant.since),
            date(grant.last_at),
            to,
            grant.resources.join(" "),
            grant.scope.clone(),
            grant.name.clone().unwrap_or_default(),
        ]
    };
    let titles = ["CLIENT", "SINCE", "LAST USED", "REDIRECTS TO", "FOR", "SCOPES", "NAME"];
    (!grants.is_empty()).then(|| table(titles, grants.iter().map(row).collect()))
}

fn listed(tokens: Vec<Vec<String>>) -> Option<String> {
    (!tokens.is_empty()).then(|| table(super::tokens::TITLES, tokens))
}
