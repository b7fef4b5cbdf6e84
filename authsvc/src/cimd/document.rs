//! What a document says of a client (Client ID Metadata Document draft, section 4; RFC 7591 section 2).

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;
use url::Url;

use super::id::DocumentUrl;
use crate::{
    config::{MetadataDocuments, Targets},
    redirect,
    registration::clean,
    store::clients::AuthMethod,
};

/// Redirect URIs that are looked at.
const MAX_REDIRECT_URIS: usize = 20;
/// Longest key set within a document, bytes.
const MAX_KEYS: usize = 16 * 1024;

/// Why a document is not one.
#[derive(Debug, Error)]
pub enum BadDocument {
    /// Not the JSON that it should be.
    #[error("it is not a JSON object of client metadata, at line {line} column {column}")]
    Form {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Of another client.
    #[error("its client_id is not its URL")]
    OtherClient,
    /// Nothing in it is an address that we would send anyone to.
    #[error("it has no redirect_uri that is accepted here")]
    NoRedirect,
    /// With a secret, or a method that needs one: everybody can read it.
    #[error(
        "its token_endpoint_auth_method must be none or private_key_jwt, and it must hold no secret"
    )]
    Secret,
    /// No code, no token.
    #[error("its grant_types or response_types leave out authorization_code or code")]
    OtherFlow,
    /// One place for keys.
    #[error("with private_key_jwt it must have either jwks or an https jwks_uri")]
    Keys,
}

/// What is kept of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// As it claims.
    pub name: Option<String>,
    /// Those that we accept.
    pub redirect_uris: Vec<String>,
    /// How it shows who it is.
    pub auth: Auth,
}

/// How a client with a document shows who it is at the token endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// It does not.
    Public,
    /// By a JWT that one of these keys signed (JSON).
    Keys(String),
    /// By a JWT that one of the keys there signed.
    KeysAt(String),
}

impl Auth {
    /// Its name.
    #[must_use]
    pub const fn method(&self) -> AuthMethod {
        match self {
            Self::Public => AuthMethod::None,
            Self::Keys(_) | Self::KeysAt(_) => AuthMethod::Assertion,
        }
    }
}

#[derive(Deserialize)]
struct Metadata<'a> {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    #[serde(borrow)]
    jwks: Option<&'a RawValue>,
    jwks_uri: Option<String>,
    #[serde(borrow)]
    client_secret: Option<&'a RawValue>,
    #[serde(borrow)]
    client_secret_expires_at: Option<&'a RawValue>,
}

impl Document {
    /// Reads a document that was fetched from `id`. `private`: private-use redirect URIs that are allowed.
    ///
    /// # Errors
    /// What makes it none.
    pub fn parse(
        text: &[u8],
        id: &DocumentUrl,
        private: &[String],
        policy: &MetadataDocuments,
    ) -> Result<Self, BadDocument> {
        let metadata: Metadata<'_> = serde_json::from_slice(text)
            .map_err(|error| BadDocument::Form { line: error.line(), column: error.column() })?;
        if metadata.client_id != id.as_str() {
            return Err(BadDocument::OtherClient);
        }
        let has = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|one| one == name))
        };
        if !has(&metadata.grant_types, "authorization_code")
            || !has(&metadata.response_types, "code")
        {
            return Err(BadDocument::OtherFlow);
        }
        let auth = auth(&metadata, policy)?;
        // One document is for many servers: what is not for us must not keep it from being of use.
        let redirect_uris: Vec<String> = metadata
            .redirect_uris
            .into_iter()
            .take(MAX_REDIRECT_URIS)
            .filter(|uri| redirect::check(uri, private).is_ok())
            .collect();
        if redirect_uris.is_empty() {
            return Err(BadDocument::NoRedirect);
        }
        let name = metadata.client_name.and_then(|name| clean(&name));
        Ok(Self { name, redirect_uris, auth })
    }
}

/// Shared secrets are impossible where everybody reads the document; without a word, a client has none.
fn auth(metadata: &Metadata<'_>, policy: &MetadataDocuments) -> Result<Auth, BadDocument> {
    if metadata.client_secret.is_some() || metadata.client_secret_expires_at.is_some() {
        return Err(BadDocument::Secret);
    }
    match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("none") => Ok(Auth::Public),
        Some("private_key_jwt") => match (metadata.jwks, &metadata.jwks_uri) {
            (Some(keys), None) if keys.get().len() <= MAX_KEYS => {
                Ok(Auth::Keys(keys.get().to_owned()))
            }
            (None, Some(uri)) => keys_uri(uri, policy).map(Auth::KeysAt).ok_or(BadDocument::Keys),
            _ => Err(BadDocument::Keys),
        },
        Some(_) => Err(BadDocument::Secret),
    }
}

/// Where keys are, as URLs have it: without what a database would not take, and without a password for us to show
/// around.
fn keys_uri(uri: &str, policy: &MetadataDocuments) -> Option<String> {
    let url = Url::parse(uri).ok().filter(|_url| uri.len() <= redirect::MAX_LENGTH)?;
    let scheme =
        url.scheme() == "https" || (url.scheme() == "http" && policy.targets == Targets::Any);
    let nobody = url.username().is_empty() && url.password().is_none();
    (scheme && nobody).then(|| url.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Auth, BadDocument, Document};
    use crate::{
        cimd::id::DocumentUrl,
        config::{HostPattern, MetadataDocuments, Targets},
    };

    const ID: &str = "https://client.example/metadata.json";

    fn parse(document: &Value) -> Result<Document, BadDocument> {
        let policy = MetadataDocuments { hosts: vec![HostPattern::Any], targets: Targets::Public };
        let id = DocumentUrl::parse(ID, &policy).unwrap();
        let private = ["myapp://callback".to_owned()];
        Document::parse(document.to_string().as_bytes(), &id, &private, &policy)
    }

    fn with(member: &str, value: Value) -> Result<Document, BadDocument> {
        let mut document = json!({
            "client_id": ID,
            "client_name": "A\u{202e} client",
            "redirect_uris": ["http://localhost/callback", "https://client.example/callback"],
            "client_uri": "https://client.example",
            "unheard_of": [1, 2],
        });
        document[member] = value;
        parse(&document)
    }

    #[test]
    fn s54_a_document_says_what_a_registration_would() {
        let document = with("scope", json!("mcp")).unwrap();
        assert_eq!(document.name.as_deref(), Some("A client"));
        assert_eq!(document.redirect_uris.len(), 2);
        assert_eq!(document.auth, Auth::Public);
        let grants = json!(["authorization_code", "refresh_token", "urn:x"]);
        assert!(with("grant_types", grants).is_ok());
    }

    #[test]
    fn s54_the_client_id_of_a_document_is_its_url_byte_for_byte() {
        for id in [
            "https://client.example/metadata.json/",
            "https://client.example/metadata.json?",
            "https://CLIENT.example/metadata.json",
            "https://client.example:443/metadata.json",
            "",
        ] {
            let refused = with("client_id", json!(id));
            assert!(matches!(refused, Err(BadDocument::OtherClient)), "{id}: {refused:?}");
        }
        assert!(matches!(with("client_id", json!(7)), Err(BadDocument::Form { .. })));
    }

    #[test]
    fn of_redirect_uris_those_are_kept_that_we_would_register() {
        let uris = json!([
            "javascript:alert(1)",
            "http://client.example/callback",
            "other://callback",
            "myapp://callback",
            "http://127.0.0.1/",
        ]);
        let kept = with("redirect_uris", uris).unwrap().redirect_uris;
        assert_eq!(kept, ["myapp://callback", "http://127.0.0.1/"]);
        for none in [json!([]), json!(["other://callback"]), json!(["https://a.example/*"])] {
            assert!(matches!(with("redirect_uris", none), Err(BadDocument::NoRedirect)));
        }
    }

    #[test]
    fn s54_a_document_holds_no_secret_and_needs_none() {
        for method in ["client_secret_post", "client_secret_basic", "client_secret_jwt", "x"] {
            let refused = with("token_endpoint_auth_method", json!(method));
            assert!(matches!(refused, Err(BadDocument::Secret)), "{method}");
        }
        assert!(matches!(with("client_secret", json!("x")), Err(BadDocument::Secret)));
        assert!(matches!(with("client_secret_expires_at", json!(0)), Err(BadDocument::Secret)));
    }

    #[test]
    fn keys_are_in_one_place() {
        let keyed = |more: Value| {
            let mut document = json!({
                "client_id": ID,
                "redirect_uris": ["https://client.example/callback"],
                "token_endpoint_auth_method": "private_key_jwt",
            });
            for (name, value) in more.as_object().unwrap() {
                document[name] = value.clone();
            }
            parse(&document).map(|document| document.auth)
        };
        let uri = "https://keys.example/jwks.json";
        assert_eq!(keyed(json!({"jwks_uri": uri})).unwrap(), Auth::KeysAt(uri.to_owned()));
        assert_eq!(
            keyed(json!({"jwks_uri": "https://keys.example/a\u{0}b"})).unwrap(),
            Auth::KeysAt("https://keys.example/a%00b".to_owned())
        );
        assert_eq!(
            keyed(json!({"jwks": {"keys": []}})).unwrap(),
            Auth::Keys(r#"{"keys":[]}"#.to_owned())
        );
        for wrong in [
            json!({}),
            json!({"jwks_uri": uri, "jwks": {"keys": []}}),
            json!({"jwks_uri": "http://keys.example/jwks.json"}),
            json!({"jwks_uri": "file:///etc/passwd"}),
            json!({"jwks_uri": "https://user:password@keys.example/jwks.json"}),
            json!({"jwks": {"keys": ["x".repeat(20_000)]}}),
        ] {
            assert!(matches!(keyed(wrong.clone()), Err(BadDocument::Keys)), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_document_says_where_and_nothing_of_what_is_there() {
        for text in ["", "[]", "null", "{\"client_id\": 7, \"x\": \"secret\"}", "<html>secret"] {
            let policy =
                MetadataDocuments { hosts: vec![HostPattern::Any], targets: Targets::Public };
            let id = DocumentUrl::parse(ID, &policy).unwrap();
            let error = Document::parse(text.as_bytes(), &id, &[], &policy).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let other = with("grant_types", json!(["client_credentials"]));
        assert!(matches!(other, Err(BadDocument::OtherFlow)));
        let other = with("response_types", json!(["token"]));
        assert!(matches!(other, Err(BadDocument::OtherFlow)));
    }
}
