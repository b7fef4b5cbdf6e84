//! Providers of identities (OpenID Connect): who they are, and who we are there.

use std::{fmt, time::Duration};

use attache_protocol::secret::Secret;
use url::Url;

use super::Targets;

/// The name of a provider, byte for byte as in its metadata and in `iss`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    text: String,
    url: Url,
}

/// A client at a provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; none for a public client.
    pub secret: Option<Secret>,
}

/// Who signs the tokens of a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tenants {
    /// The issuer itself.
    Single,
    /// One issuer for each tenant of Microsoft Entra: these.
    Listed(Vec<String>),
    /// All of them: anybody with an account at Microsoft.
    Any,
}

/// Where a provider says what. A name is looked up as it is; if there is none, its dots lead into nested objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityClaims {
    /// E-mail address.
    pub email: String,
    /// Whether somebody has shown that it is theirs.
    pub email_verified: String,
    /// Groups: strings, or one.
    pub groups: String,
    /// What they are called.
    pub name: String,
}

impl Default for IdentityClaims {
    fn default() -> Self {
        let [email, email_verified, groups, name] =
            ["email", "email_verified", "groups", "name"].map(str::to_owned);
        Self { email, email_verified, groups, name }
    }
}

/// A provider whose users may log in, and who of them.
#[derive(Clone, Debug)]
pub struct Federated {
    /// Last segment of its callback: `[a-z0-9-]`, at most 32 characters.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// Who it is.
    pub issuer: Issuer,
    /// Who signs for it.
    pub tenants: Tenants,
    /// Who we are there.
    pub client: Client,
    /// What it is asked for; `openid` is among them.
    pub scopes: Vec<String>,
    /// Where it says what.
    pub claims: IdentityClaims,
    /// Google: the organization that accounts must belong to.
    pub hosted_domain: Option<String>,
    /// Where it may be.
    pub targets: Targets,
    /// Who may come in.
    pub admission: Admission,
    /// How long a login there is good for sessions and grants.
    pub max_session: Duration,
}

/// Who of a provider's users may come in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Admission {
    /// Domains of their verified addresses, in lower case; any, or none, where this is empty.
    pub email_domains: Vec<String>,
    /// Whether they need a verified address.
    pub require_verified_email: bool,
}

impl Issuer {
    /// Parses one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, targets: Targets) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not a URL ({error})"))?;
        match (url.scheme(), targets) {
            ("https", _) | ("http", Targets::Any) => {}
            ("http", Targets::Public) => {
                return Err("tokens must not travel in clear: use https (or say `allow_private: true` for a provider in your own network)".to_owned());
            }
            _ => return Err("must be an https URL".to_owned()),
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let bare = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain || !bare || !url.has_host() {
            return Err("an issuer is a URL without user, query or fragment, byte for byte as in `issuer` of its metadata".to_owned());
        }
        if text.contains("/.well-known/") {
            return Err("this is where its metadata is: give what `issuer` in that document says, without `/.well-known/…`".to_owned());
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// Byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Parsed.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
