//! Personal access tokens, as the operator makes, lists and revokes them.

use super::{Operator, date, table};
use crate::{
    config::PersonalTokens,
    personal_token::{self, Made, Order, Refused},
    store::{self, audit::Action, personal_tokens::PersonalToken},
    users::{Directory, email::Email},
};

/// What is said of each token.
pub(super) const TITLES: [&str; 7] =
    ["TOKEN", "USER", "STATE", "LAST USED", "SCOPES", "FOR", "NAME"];

/// Why an account at a provider has none.
const NONE_THERE: &str =
    "it has no personal access tokens, which are for users of this gateway itself";

impl Operator {
    /// Makes a token and keeps its digest; nobody can show it again.
    ///
    /// # Errors
    /// When it may not be made, or the database fails.
    pub async fn make_token(&self, order: &Order) -> anyhow::Result<Made> {
        let (config, now) = (&self.config, self.clock.now_unix());
        let member = Directory::new(config, &self.store).by_email(&order.email).await?;
        let made = personal_token::make(config, member.as_ref(), order, &self.random, now);
        if let Err(Refused::NoUser(_)) = made {
            self.here(&order.email.parse()?, NONE_THERE).await?;
        }
        let made = made?;
        let digest = store::digest(made.token.reveal());
        let kept = &made.kept;
        let entry = self.author().does(Action::CreateToken, kept.id.clone());
        let entry = entry
            .called(kept.name.clone())
            .with("user", kept.email.as_str())
            .with("resources", kept.resources.clone())
            .with("scope", kept.scope.as_str())
            .with("expires_at", kept.expires_at);
        self.store.create_personal_token(&digest, kept, entry).await?;
        Ok(made)
    }

    /// Every token, or those of one user.
    ///
    /// # Errors
    /// When there is no such user, or the database fails.
    pub async fn tokens(&self, email: Option<&Email>) -> anyhow::Result<String> {
        let of_user = |token: &PersonalToken| {
            email.is_none_or(|email| token.email.eq_ignore_ascii_case(email.as_str()))
        };
        let tokens = self.store.personal_tokens().await?;
        let mut rows = Vec::new();
        for token in tokens.into_iter().filter(of_user) {
            rows.push(self.token_line(token).await?);
        }
        if let Some(email) = email
            && rows.is_empty()
        {
            self.here(&email.clone().into(), NONE_THERE).await?;
            self.somebody(email).await?;
        }
        Ok(table(TITLES, rows))
    }

    /// A token as it is listed, under [`TITLES`].
    pub(super) async fn token_line(
        &self,
        token: PersonalToken,
    ) -> Result<Vec<String>, store::Error> {
        let state = self.state(&token).await?;
        let used = token.used_at.map_or_else(|| "-".to_owned(), date);
        let resources = token.resources.join(" ");
        let name = token.name.unwrap_or_default();
        Ok(vec![token.id, token.email, state, used, token.scope, resources, name])
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// When there is no such token, or the database fails.
    pub async fn revoke_token(&self, id: &str) -> anyhow::Result<String> {
        let entry = self.author().does(Action::RevokeToken, id.to_owned());
        if !self.store.revoke_personal_token(id, entry).await? {
            let known = self.store.personal_tokens().await?.iter().any(|token| token.id == id);
            anyhow::ensure!(known, "there is no token {id}: `authsvc token list` names them");
            return Ok(format!("{id} was revoked before\n"));
        }
        let when = match self.config.authorization.own()?.personal_tokens {
            PersonalTokens::On { cache } => format!("within {} s", cache.as_secs()),
            PersonalTokens::Off => "at once".to_owned(),
        };
        Ok(format!("{id} is revoked: every Envoy refuses it {when}\n"))
    }

    async fn state(&self, token: &PersonalToken) -> Result<String, store::Error> {
        let until = date(token.expires_at);
        if let Some(at) = token.revoked_at {
            return Ok(format!("revoked {}", date(at)));
        }
        if !token.is_alive(self.clock.now_unix()) {
            return Ok(format!("expired {until}"));
        }
        let member = Directory::new(&self.config, &self.store).by_sub(&token.sub).await?;
        Ok(member.map_or_else(
            || "dead: its user is gone, or disabled".to_owned(),
            |_member| format!("until {until}"),
        ))
    }
}

impl Made {
    /// What the operator is told beside the token.
    #[must_use]
    pub fn summary(&self) -> String {
        let PersonalToken { id, email, resources, scope, expires_at, .. } = &self.kept;
        format!(
            "{id} stands for {email} at {}, with the scopes {scope}, until {}; it is shown this once\n",
            resources.join(" "),
            date(*expires_at)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use attache_protocol::plugin::Authentication;

    use super::super::tests::operator;
    use crate::{
        config::PersonalTokens,
        personal_token::{Order, Refused},
        testing::{Bench, EMAIL, PUBLIC_URL, RESOURCE, embedded, server},
        users::email::Email,
    };

    fn order() -> Order {
        Order {
            email: EMAIL.to_owned(),
            scopes: Vec::new(),
            resources: Vec::new(),
            life: Duration::from_hours(24),
            name: Some("ci".to_owned()),
        }
    }

    #[tokio::test]
    async fn tokens_are_made_listed_and_revoked() {
        let bench = Bench::new().await;
        let operator = operator(&bench).await;
        let made = operator.make_token(&order()).await.unwrap();
        let id = made.kept.id.clone();
        let said = made.summary();
        assert!(said.starts_with(&format!("{id} stands for {EMAIL} at {RESOURCE}, with the scopes mcp, until 2026-09-22T14:13:20Z")), "{said}");
        assert!(!said.contains(made.token.reveal()));
        let listed = operator.tokens(None).await.unwrap();
        let line = listed.lines().nth(1).unwrap();
        let expected =
            format!("{id}  {EMAIL}  until 2026-09-22T14:13:20Z  -          mcp     {RESOURCE}  ci");
        assert_eq!(line, expected);
        assert!(!listed.contains(made.token.reveal()));
        assert!(listed.lines().next().unwrap().contains("  STATE  "), "{listed}");
        let email = |text| Email::parse(text).unwrap();
        let of_admin = operator.tokens(Some(&email(" Admin@example.COM"))).await.unwrap();
        assert_eq!(of_admin, listed);
        let of_nobody = operator.tokens(Some(&email("bob@example.com"))).await.unwrap_err();
        let said = "there is no user bob@example.com: `authsvc user list` names them";
        assert_eq!(of_nobody.to_string(), said);

        let said = operator.revoke_token(&id).await.unwrap();
        assert_eq!(said, format!("{id} is revoked: every Envoy refuses it within 30 s\n"));
        let listed = operator.tokens(None).await.unwrap();
        assert!(listed.contains("revoked 2026-09-21T14:13:20Z"), "{listed}");
        let said = operator.revoke_token(&id).await.unwrap();
        assert_eq!(said, format!("{id} was revoked before\n"));
        let said = operator.revoke_token("nobody").await.unwrap_err().to_string();
        assert_eq!(said, "there is no token nobody: `authsvc token list` names them");
        operator.make_token(&order()).await.unwrap();
        bench.advance(Duration::from_hours(24));
        assert!(operator.tokens(None).await.unwrap().contains("expired 2026-09-22T14:13:20Z"));
    }

    #[tokio::test]
    async fn a_token_is_made_for_what_there_is() {
        let bench = Bench::with(|config| {
            let mut weather = server("weather");
            weather.scopes = vec!["read".to_owned(), "mcp".to_owned()];
            config.servers.push(weather);
            let mut open = server("open");
            open.authentication = Authentication::None;
            config.servers.push(open);
        })
        .await;
        let operator = operator(&bench).await;
        let weather = format!("{PUBLIC_URL}/weather/mcp");
        let both = Order { resources: vec![weather.clone(), RESOURCE.to_owned()], ..order() };
        let made = operator.make_token(&both).await.unwrap().kept;
        assert_eq!(made.resources, [weather.clone(), RESOURCE.to_owned()]);
        assert_eq!(made.scope, "read mcp");
        let narrow = Order { scopes: vec!["mcp".to_owned()], ..both };
        assert_eq!(operator.make_token(&narrow).await.unwrap().kept.scope, "mcp");

        let refused = async |order: Order| {
            operator.make_token(&order).await.unwrap_err().downcast::<Refused>().unwrap()
        };
        let email = "bob@example.com".to_owned();
        let nobody = refused(Order { email: email.clone(), ..order() }).await;
        assert!(!nobody.is_mistake() && nobody == Refused::NoUser(email));
        let open = format!("{PUBLIC_URL}/open/mcp");
        let resources = vec![RESOURCE.to_owned(), open.clone()];
        let said = refused(Order { resources, ..order() }).await;
        assert!(said.to_string().contains("`authentication: none`") && said == Refused::Open(open));
        let resources = vec![RESOURCE.to_owned(); 11];
        let said = refused(Order { resources, ..order() }).await;
        assert!(matches!(said, Refused::Servers(_)), "{said}");
        for scope in ["read", "", "MCP", "offline_access"] {
            let said = refused(Order { scopes: vec![scope.to_owned()], ..order() }).await;
            let known = "mcp".to_owned();
            assert_eq!(said, Refused::NoScope { unknown: scope.to_owned(), known });
        }
        for resource in ["https://evil.example/mcp", PUBLIC_URL, "everything"] {
            let resources = vec![RESOURCE.to_owned(), resource.to_owned()];
            let said = refused(Order { resources, ..order() }).await;
            assert_eq!(said, Refused::NoServer(resource.to_owned()));
        }
        for life in [Duration::ZERO, Duration::from_millis(999), Duration::from_hours(367 * 24)] {
            assert_eq!(refused(Order { life, ..order() }).await, Refused::Life);
        }
        for name in ["", "a b", "a:b", "a\n", &"x".repeat(65)] {
            let said = refused(Order { name: Some(name.to_owned()), ..order() }).await;
            assert_eq!(said, Refused::Name, "{name}");
        }
        assert_eq!(operator.tokens(None).await.unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn no_token_is_made_where_they_are_switched_off() {
        let bench = Bench::with(|config| {
            let embedded = embedded(config);
            embedded.personal_tokens = PersonalTokens::Off;
        })
        .await;
        let operator = operator(&bench).await;
        let said = operator.make_token(&order()).await.unwrap_err();
        assert_eq!(said.downcast::<Refused>().unwrap(), Refused::Off);
    }
}
