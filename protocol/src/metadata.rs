//! The documents that clients discover: RFC 9728 and RFC 8414.

use serde::{Deserialize, Serialize};

/// Protected Resource Metadata (RFC 9728 section 2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProtectedResource {
    /// The URL that the user types, byte for byte.
    pub resource: String,
    /// Issuers.
    pub authorization_servers: Vec<String>,
    /// Scopes that a first request needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Always `["header"]`: a token in a query string ends in logs.
    pub bearer_methods_supported: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
}

/// Authorization Server Metadata (RFC 8414 section 2, RFC 9207 section 3).
#[expect(clippy::struct_excessive_bools, reason = "the document is written so")]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuthorizationServer {
    /// Without a trailing slash; the same bytes everywhere.
    pub issuer: String,
    /// Where the user is sent.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// RFC 7591.
    pub registration_endpoint: String,
    /// RFC 7009.
    pub revocation_endpoint: String,
    /// RFC 7517.
    pub jwks_uri: String,
    /// `["code"]`.
    pub response_types_supported: Vec<String>,
    /// `["query"]`.
    pub response_modes_supported: Vec<String>,
    /// `["authorization_code", "refresh_token"]`, and `client_credentials` where there are programs.
    pub grant_types_supported: Vec<String>,
    /// `none` first: most MCP clients are public.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The same methods.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// Of assertions, where `private_key_jwt` is among the methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The same algorithms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `["S256"]`: clients refuse a server that does not list it.
    pub code_challenge_methods_supported: Vec<String>,
    /// Only scopes that any client may get.
    pub scopes_supported: Vec<String>,
    /// A `client_id` may be the URL of a document about the client.
    #[serde(default)]
    pub client_id_metadata_document_supported: bool,
    /// RFC 9207.
    pub authorization_response_iss_parameter_supported: bool,
}
