//! What clients find without being told: RFC 9728, RFC 8414, RFC 7517. Built from the configuration alone, never
//! from a header of the request.

use attache_protocol::{
    metadata::{AuthorizationServer, ProtectedResource},
    plugin::Authentication,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    clients,
    config::{Config, Server, Signing},
    refusal::{NotFound, RETRY_AFTER, Refusal},
    state::{App, Issuance},
    token::machine,
};

/// Where RFC 9728 section 3.1 puts the metadata of a resource; its path follows.
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// Where RFC 8414 section 3 puts the metadata of the authorization server.
pub const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// Where the key set is.
pub const JWKS: &str = "/oauth/jwks.json";
/// How long the key set, and any other document, may be kept: stale copies make a change hard to understand. Seconds.
pub const JWKS_MAX_AGE: i64 = 300;
/// How clients authenticate wherever they do; the last with one of the algorithms below.
const AUTH_METHODS: &[&str] =
    &["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
/// Of assertions.
const ALGORITHMS: &[&str] = &["EdDSA", "ES256", "RS256", "PS256"];
/// The last for programs only.
const GRANTS: &[&str] = &["authorization_code", "refresh_token", "client_credentials"];

/// RFC 8414 and OpenID Connect Discovery in one: clients ask for either.
#[derive(Debug, Serialize)]
pub(crate) struct Metadata {
    #[serde(flatten)]
    pub(crate) server: AuthorizationServer,
    // No ID tokens are issued; but a client that reads the OpenID form refuses it without these.
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 2],
}

/// `GET /.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`. Our issuer has no path, so
/// these are all of its forms.
pub async fn authorization_server(State(app): State<App>) -> Response {
    (cache(), Json(metadata(&app.config))).into_response()
}

/// `GET /.well-known/oauth-protected-resource`: of a gateway with one server, for clients that do not ask by path.
pub async fn root_resource(State(app): State<App>) -> Result<Response, NotFound> {
    match protected(&app.config).collect::<Vec<_>>().as_slice() {
        [server] => Ok(resource(&app.config, server)),
        _ => Err(NotFound),
    }
}

/// `GET /.well-known/oauth-protected-resource/{path}`: of exactly the configured paths.
pub async fn path_resource(State(app): State<App>, uri: Uri) -> Result<Response, NotFound> {
    // Byte for byte: as soon as a path is decoded, one resource has many URLs.
    let path = uri.path().strip_prefix(PROTECTED_RESOURCE).unwrap_or_default();
    let known = |server: &&Server| server.path == path;
    let server = protected(&app.config).find(known).ok_or(NotFound)?;
    Ok(resource(&app.config, server))
}

/// `GET /oauth/jwks.json`.
///
/// # Errors
/// When the keys cannot be read; whoever verifies goes on with those that it has.
pub async fn jwks(State(app): State<App>) -> Result<Response, Refusal> {
    match &app.issuance {
        Issuance::Own(keys) => Ok((cache(), Json(keys.ring().await?.jwks())).into_response()),
        Issuance::Brokered(broker) => match broker.jwks().await {
            Ok(keys) => Ok((cache(), Json(keys)).into_response()),
            Err(error) => {
                tracing::error!(%error, "there are no keys of the identity provider");
                Err(Refusal::NoProvider { retry_after: RETRY_AFTER })
            }
        },
    }
}

fn cache() -> [(HeaderName, String); 1] {
    [(header::CACHE_CONTROL, format!("public, max-age={JWKS_MAX_AGE}"))]
}

fn resource(config: &Config, server: &Server) -> Response {
    (cache(), Json(protected_resource(config, server))).into_response()
}

/// RFC 9728 section 2.
pub(crate) fn protected_resource(config: &Config, server: &Server) -> ProtectedResource {
    ProtectedResource {
        resource: config.public_url.url(&server.path),
        authorization_servers: vec![config.public_url.as_str().to_owned()],
        scopes_supported: server.scopes.clone(),
        bearer_methods_supported: vec!["header".to_owned()],
        resource_name: Some(server.name.clone()),
    }
}

/// A server that does not look at tokens has nothing to say about them.
pub(crate) fn protected(config: &Config) -> impl Iterator<Item = &Server> {
    config.servers.iter().filter(|server| match server.authentication {
        Authentication::Required | Authentication::Optional => true,
        Authentication::None => false,
    })
}

/// What we say of ourselves.
pub(crate) fn metadata(config: &Config) -> Metadata {
    let url = |path: &str| config.public_url.url(path);
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let documents = !config.authorization.clients.metadata_documents.hosts.is_empty();
    // What only programs of the configuration can use is said where there are any: there are clients that take
    // the first thing they see.
    let all_but_last =
        |all: &'static [&'static str]| all.split_last().map_or(all, |(_, rest)| rest);
    let grants = if machine::is_offered(config) { GRANTS } else { all_but_last(GRANTS) };
    let (methods, algorithms) = if documents || machine::signs(config) || clients::signs(config) {
        (AUTH_METHODS, ALGORITHMS)
    } else {
        (all_but_last(AUTH_METHODS), [].as_slice())
    };
    Metadata {
        server: AuthorizationServer {
            issuer: config.public_url.as_str().to_owned(),
            authorization_endpoint: url("/oauth/authorize"),
            token_endpoint: url("/oauth/token"),
            registration_endpoint: url("/oauth/register"),
            revocation_endpoint: url("/oauth/revoke"),
            jwks_uri: url(JWKS),
            response_types_supported: texts(&["code"]),
            response_modes_supported: texts(&["query"]),
            grant_types_supported: texts(grants),
            token_endpoint_auth_methods_supported: texts(methods),
            revocation_endpoint_auth_methods_supported: texts(methods),
            token_endpoint_auth_signing_alg_values_supported: texts(algorithms),
            revocation_endpoint_auth_signing_alg_values_supported: texts(algorithms),
            code_challenge_methods_supported: texts(&["S256"]),
            scopes_supported: scopes(config),
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: documents,
        },
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: Signing::ALL.map(Signing::as_str),
    }
}

/// `scopes_supported`: only what a client may get, since some clients ask for all of it.
#[must_use]
pub fn scopes(config: &Config) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let offline = [crate::authorization::scope::OFFLINE_ACCESS.to_owned()];
    for scope in config.servers.iter().flat_map(|server| &server.scopes).chain(&offline) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::PROTECTED_RESOURCE as PRM;
    use crate::testing::{Bench, PUBLIC_URL, RESOURCE, get, server};

    #[tokio::test]
    async fn s16_the_resource_is_the_url_that_the_user_types() {
        let bench = Bench::new().await;
        let answer = bench.public(get(&format!("{PRM}/everything/mcp"))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(
            answer.json(),
            serde_json::json!({
                "resource": RESOURCE,
                "authorization_servers": [PUBLIC_URL],
                "scopes_supported": ["mcp"],
                "bearer_methods_supported": ["header"],
                "resource_name": "everything",
            })
        );
    }

    #[tokio::test]
    async fn s65_host_and_forwarded_headers_do_not_change_the_documents() {
        let bench = Bench::new().await;
        let mut request = get(&format!("{PRM}/everything/mcp"));
        for name in ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded"] {
            request.headers_mut().insert(name, "evil.example".parse().unwrap());
        }
        let answer = bench.public(request).await;
        assert_eq!(answer.json()["resource"], RESOURCE);
        assert!(!answer.body.contains("evil"));
    }

    #[tokio::test]
    async fn rule_2_unknown_well_known_paths_are_404_in_json() {
        let bench = Bench::new().await;
        for path in [
            format!("{PRM}/everything"),
            format!("{PRM}/everything/mcp/"),
            format!("{PRM}/everything/mcp/x"),
            format!("{PRM}/other/mcp"),
            format!("{PRM}/"),
            format!("{PRM}/everything%2fmcp"),
            format!("{PRM}/everything/mcp%00"),
            format!("{PRM}/%ff"),
            "/.well-known/oauth-authorization-server/everything/mcp".to_owned(),
            "/.well-known/openid-configuration/everything/mcp".to_owned(),
            "/everything/mcp/.well-known/openid-configuration".to_owned(),
            "/.well-known/other".to_owned(),
        ] {
            let answer = bench.public(get(&path)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(answer.json()["error"], "not_found", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }

    #[tokio::test]
    async fn the_root_form_answers_only_for_a_single_server() {
        let bench = Bench::new().await;
        assert_eq!(bench.public(get(PRM)).await.json()["resource"], RESOURCE);
        let bench = Bench::with(|config| config.servers.push(server("weather"))).await;
        assert_eq!(bench.public(get(PRM)).await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn rule_1_the_issuer_is_the_same_bytes_everywhere() {
        let bench = Bench::new().await;
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
        {
            let document = bench.public(get(path)).await.json();
            assert_eq!(document["issuer"], PUBLIC_URL);
            assert_eq!(document["authorization_endpoint"], format!("{PUBLIC_URL}/oauth/authorize"));
        }
        let resource = bench.public(get(PRM)).await.json();
        assert_eq!(resource["authorization_servers"][0], PUBLIC_URL);
    }

    #[tokio::test]
    async fn s15_metadata_has_what_clients_refuse_to_miss() {
        let bench = Bench::with(|config| {
            let mut other = server("weather");
            other.scopes = vec!["mcp".to_owned(), "weather:read".to_owned()];
            config.servers.push(other);
        })
        .await;
        let answer = bench.public(get("/.well-known/openid-configuration")).await;
        assert_eq!(
            answer.json(),
            serde_json::json!({
                "issuer": "http://localhost:8080",
                "authorization_endpoint": "http://localhost:8080/oauth/authorize",
                "token_endpoint": "http://localhost:8080/oauth/token",
                "registration_endpoint": "http://localhost:8080/oauth/register",
                "revocation_endpoint": "http://localhost:8080/oauth/revoke",
                "jwks_uri": "http://localhost:8080/oauth/jwks.json",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported":
                    ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
                "revocation_endpoint_auth_methods_supported":
                    ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported":
                    ["EdDSA", "ES256", "RS256", "PS256"],
                "revocation_endpoint_auth_signing_alg_values_supported":
                    ["EdDSA", "ES256", "RS256", "PS256"],
                "client_id_metadata_document_supported": true,
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["mcp", "weather:read", "offline_access"],
                "authorization_response_iss_parameter_supported": true,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "ES256"],
            })
        );
    }

    #[tokio::test]
    async fn rule_15_documents_may_be_cached_for_five_minutes() {
        let bench = Bench::new().await;
        for path in [PRM, "/.well-known/oauth-authorization-server", "/oauth/jwks.json"] {
            let answer = bench.public(get(path)).await;
            assert_eq!(answer.header("cache-control"), "public, max-age=300", "{path}");
        }
    }
}
