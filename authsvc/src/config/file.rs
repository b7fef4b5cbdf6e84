//! A strict mirror of `attache.yaml`, without logic: every key that there is, every value still text.

use std::collections::BTreeMap;

use attache_protocol::secret::Secret;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) public_url: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) authorization: Option<Authorization>,
    pub(super) database: Option<String>,
    pub(super) service: Option<Service>,
    pub(super) envoy: Option<Envoy>,
    pub(super) servers: Option<Vec<Option<Server>>>,
    pub(super) analytics: Option<Analytics>,
    pub(super) audit: Option<Audit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) keep: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorization {
    pub(super) embedded: Option<Embedded>,
    pub(super) external: Option<External>,
    pub(super) dex: Option<Dex>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Embedded {
    pub(super) users: Option<Vec<Option<User>>>,
    pub(super) access_token_ttl: Option<String>,
    pub(super) refresh_token_idle: Option<String>,
    pub(super) refresh_token_absolute: Option<String>,
    pub(super) refresh_grace: Option<String>,
    pub(super) private_redirect_uris: Option<Vec<Option<String>>>,
    pub(super) initial_access_token: Option<Secret>,
    pub(super) signing: Option<String>,
    pub(super) key_rotation: Option<String>,
    pub(super) key_encryption_secret: Option<Secret>,
    pub(super) client_id_metadata_documents: Option<MetadataDocuments>,
    pub(super) static_clients: Option<Vec<Option<StaticClient>>>,
    pub(super) machine_clients: Option<Vec<Option<MachineClient>>>,
    pub(super) personal_access_tokens: Option<PersonalTokens>,
    pub(super) federation: Option<Vec<Option<Federated>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Federated {
    pub(super) name: Option<String>,
    pub(super) label: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scopes: Option<Vec<Option<String>>>,
    pub(super) claims: Option<IdentityClaims>,
    pub(super) hosted_domain: Option<String>,
    pub(super) tenants: Option<Vec<Option<String>>>,
    pub(super) email_domains: Option<Vec<Option<String>>>,
    pub(super) require_verified_email: Option<String>,
    pub(super) max_session: Option<String>,
    pub(super) allow_private: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityClaims {
    pub(super) email: Option<String>,
    pub(super) email_verified: Option<String>,
    pub(super) groups: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct External {
    pub(super) issuer: Option<String>,
    pub(super) client: Option<ProviderClient>,
    pub(super) registration: Option<Registration>,
    pub(super) audience: Option<String>,
    pub(super) resource_parameter: Option<String>,
    pub(super) scopes: Option<Vec<Option<String>>>,
    pub(super) scope_map: Option<BTreeMap<String, Option<String>>>,
    pub(super) claims: Option<ClaimNames>,
    pub(super) introspection: Option<Introspection>,
    pub(super) algorithm: Option<String>,
    pub(super) allow_private: Option<String>,
    pub(super) refresh_token_idle: Option<String>,
    pub(super) refresh_token_absolute: Option<String>,
    pub(super) refresh_grace: Option<String>,
    pub(super) private_redirect_uris: Option<Vec<Option<String>>>,
    pub(super) initial_access_token: Option<Secret>,
    pub(super) key_encryption_secret: Option<Secret>,
    pub(super) client_id_metadata_documents: Option<MetadataDocuments>,
    pub(super) static_clients: Option<Vec<Option<StaticClient>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dex {
    pub(super) issuer: Option<String>,
    pub(super) grpc: Option<DexApi>,
    pub(super) scopes: Option<Vec<Option<String>>>,
    pub(super) refresh_token_idle: Option<String>,
    pub(super) refresh_token_absolute: Option<String>,
    pub(super) refresh_grace: Option<String>,
    pub(super) private_redirect_uris: Option<Vec<Option<String>>>,
    pub(super) initial_access_token: Option<Secret>,
    pub(super) key_encryption_secret: Option<Secret>,
    pub(super) client_id_metadata_documents: Option<MetadataDocuments>,
    pub(super) static_clients: Option<Vec<Option<StaticClient>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderClient {
    pub(super) id: Option<String>,
    pub(super) secret: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    pub(super) enabled: Option<String>,
    pub(super) initial_access_token: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimNames {
    pub(super) groups: Option<String>,
    pub(super) email: Option<String>,
    pub(super) scope: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Introspection {
    pub(super) enabled: Option<String>,
    pub(super) cache: Option<String>,
    pub(super) without_audience: Option<String>,
    pub(super) client: Option<ProviderClient>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DexApi {
    pub(super) address: Option<String>,
    pub(super) tls: Option<DexTls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DexTls {
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) private_key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetadataDocuments {
    pub(super) hosts: Option<Vec<Option<String>>>,
    pub(super) allow_private: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticClient {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) redirect_uris: Option<Vec<Option<String>>>,
    pub(super) secret: Option<Secret>,
    pub(super) jwks: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineClient {
    pub(super) id: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) jwks: Option<String>,
    pub(super) servers: Option<Vec<Option<String>>>,
    pub(super) scopes: Option<Vec<Option<String>>>,
    pub(super) groups: Option<Vec<Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonalTokens {
    pub(super) enabled: Option<String>,
    pub(super) cache: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) email: Option<String>,
    pub(super) password_hash: Option<Secret>,
    pub(super) groups: Option<Vec<Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) listen: Option<String>,
    pub(super) internal: Option<String>,
    pub(super) address: Option<String>,
    pub(super) internal_address: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) metrics_secret: Option<Secret>,
    pub(super) log: Option<String>,
    pub(super) log_level: Option<String>,
    pub(super) trusted_proxies: Option<Vec<Option<String>>>,
    pub(super) drain_delay: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envoy {
    pub(super) wasm: Option<String>,
    pub(super) admin: Option<String>,
    pub(super) max_body: Option<String>,
    pub(super) max_list: Option<String>,
    pub(super) max_heap: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) authentication: Option<String>,
    pub(super) scopes: Option<Vec<Option<String>>>,
    pub(super) credentials: Option<Credentials>,
    pub(super) forward_token: Option<String>,
    pub(super) foreign_schemes: Option<Vec<Option<String>>>,
    pub(super) metadata_origins: Option<Vec<Option<String>>>,
    pub(super) allowed_origins: Option<Vec<Option<String>>>,
    pub(super) timeout: Option<String>,
    pub(super) http_version: Option<String>,
    pub(super) analytics: Option<ServerAnalytics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    pub(super) header: Option<String>,
    pub(super) value: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerAnalytics {
    pub(super) arguments: Option<Vec<Option<String>>>,
    pub(super) capture: Option<String>,
    pub(super) exempt: Option<Vec<Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Analytics {
    pub(super) keep: Option<String>,
    pub(super) max_size: Option<String>,
    pub(super) webhook: Option<Webhook>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) url: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) previous_secret: Option<Secret>,
    pub(super) allow_private: Option<String>,
}
