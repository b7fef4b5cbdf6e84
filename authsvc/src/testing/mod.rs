//! For tests: the whole service in this process, on a database of its own, with a stopped clock and fixed dice.

pub(crate) mod body;
pub(crate) mod log;
pub(crate) mod place;
pub(crate) mod provider;
pub(crate) mod strangers;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use attache_protocol::{
    plugin::{Analytics, Argument, Authentication, CallerToken, Capture, ClaimNames},
    secret::Secret,
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use place::{Kind, Place};

use crate::{
    clock::Clock,
    config::{
        self, Authorization, Brokered, Client, ClientPolicy, Config, Database, Embedded, Envoy,
        ForeignTokens, HostPattern, HostPort, HttpVersion, Issuer, Log, LogFormat,
        MetadataDocuments, Mode, OpaqueTokens, Origin, PersonalTokens, RefreshPolicy, Registrar,
        ResourceParameter, Retention, Server, Service, Signing, Targets, User,
    },
    random::Random,
    routes,
    state::App,
    store::{
        self,
        audit::{self, Action, Author, Entry},
    },
    users,
};

/// Origin of the gateway.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8080";
/// The one resource.
pub(crate) const RESOURCE: &str = "http://localhost:8080/everything/mcp";
/// The one user.
pub(crate) const EMAIL: &str = "admin@example.com";
/// Their password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Shared with the filter.
pub(crate) const SERVICE_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// When the clock stands, Unix milliseconds.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// An [`App`] and the place of its database, which goes with it.
pub(crate) struct Bench {
    /// What handlers share; advance its clock.
    pub(crate) app: App,
    _place: Place,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Bench {
    /// With [`config`].
    pub(crate) async fn new() -> Self {
        Self::with(|_config| ()).await
    }

    /// With [`config`], changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let place = Place::new(Kind::of_this_run()).await;
        let mut config = config();
        config.database = place.database.clone();
        change(&mut config);
        let app = App::open(config, Clock::stopped(NOW_MS), Random::seeded(1)).await.unwrap();
        Self { app, _place: place }
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.app.clock.advance(by);
    }

    /// To the public listener.
    pub(crate) async fn public(&self, request: Request<Body>) -> Answer {
        answer(routes::public(self.app.clone()), request).await
    }

    /// To the internal listener.
    pub(crate) async fn internal(&self, request: Request<Body>) -> Answer {
        answer(routes::internal(self.app.clone()), request).await
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A GET request.
pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// A POST request with a form; repeated names stay repeated.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

/// A POST request with JSON.
pub(crate) fn json(path: &str, body: &serde_json::Value) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// One request to a router.
pub(crate) async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// One user, one server, everything else as by default.
pub(crate) fn config() -> Config {
    Config {
        public_url: Origin::parse(PUBLIC_URL).unwrap(),
        listen: "127.0.0.1:8080".parse().unwrap(),
        authorization: Authorization {
            clients: ClientPolicy {
                initial_access_token: None,
                private_redirect_uris: vec![
                    "cursor://anysphere.cursor-mcp/oauth/callback".to_owned(),
                ],
                metadata_documents: MetadataDocuments {
                    hosts: vec![HostPattern::Any],
                    targets: Targets::Public,
                },
                configured: Vec::new(),
            },
            refresh: refresh_policy(),
            key_encryption_secret: None,
            mode: Mode::Embedded(Box::new(Embedded {
                users: vec![User {
                    email: EMAIL.to_owned(),
                    password_hash: Secret::new(hash(PASSWORD)),
                    groups: vec!["Developers".to_owned()],
                }],
                access_token_ttl: Duration::from_secs(3600),
                signing: Signing::EdDsa,
                key_rotation: Duration::from_secs(90 * 24 * 3600),
                machine_clients: Vec::new(),
                personal_tokens: PersonalTokens::On { cache: Duration::from_secs(30) },
                federation: Vec::new(),
            })),
        },
        database: Database::Sqlite(PathBuf::new()),
        service: Service {
            listen: "127.0.0.1:8081".parse().unwrap(),
            internal: "127.0.0.1:8082".parse().unwrap(),
            address: HostPort { host: "127.0.0.1".to_owned(), port: 8081 },
            internal_address: HostPort { host: "127.0.0.1".to_owned(), port: 8082 },
            secret: Secret::new(SERVICE_SECRET.to_owned()),
            metrics_secret: None,
            drain_delay: Duration::ZERO,
            log: Log { format: LogFormat::Text, level: tracing::Level::INFO },
            trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        },
        envoy: Envoy {
            wasm: PathBuf::from("target/attache.wasm"),
            admin: "127.0.0.1:9901".parse().unwrap(),
            max_body: 4 * 1024 * 1024,
            max_list: 8 * 1024 * 1024,
            max_heap: 1024 * 1024 * 1024,
        },
        servers: vec![server("everything")],
        retention: Retention {
            keep: Duration::from_hours(90 * 24),
            max_size: 4 * 1024 * 1024 * 1024,
        },
        webhook: None,
        audit: config::Audit { keep: Duration::from_hours(365 * 24) },
    }
}

const fn refresh_policy() -> RefreshPolicy {
    RefreshPolicy {
        idle: Duration::from_secs(30 * 24 * 3600),
        absolute: Duration::from_secs(90 * 24 * 3600),
        grace: Duration::from_secs(60),
    }
}

/// What is only where authsvc issues the tokens.
pub(crate) fn embedded(config: &mut Config) -> &mut Embedded {
    match &mut config.authorization.mode {
        Mode::Embedded(embedded) => embedded,
        Mode::Brokered(_) => panic!("a provider issues the tokens"),
    }
}

/// A provider with everything as by default.
pub(crate) fn brokered(issuer: &str, targets: Targets, client: Client) -> Brokered {
    Brokered {
        issuer: Issuer::parse(issuer, targets).unwrap(),
        registrar: Registrar::Static(client),
        request: config::Request {
            scopes: vec!["openid".to_owned(), "offline_access".to_owned()],
            scope_map: BTreeMap::new(),
            resource: ResourceParameter::Resource,
        },
        tokens: ForeignTokens {
            audience: None,
            claims: ClaimNames::default(),
            algorithm: None,
            opaque: OpaqueTokens::Refused,
        },
        targets,
    }
}

/// A server with the default path of its name.
pub(crate) fn server(name: &str) -> Server {
    Server {
        name: name.to_owned(),
        url: "http://127.0.0.1:3001/mcp".parse().unwrap(),
        path: format!("/{name}/mcp"),
        authentication: Authentication::Required,
        scopes: vec!["mcp".to_owned()],
        credentials: None,
        caller_token: CallerToken::Removed,
        foreign: None,
        allowed_origins: Vec::new(),
        timeout: Duration::from_secs(300),
        http: HttpVersion::Http1,
        analytics: Analytics {
            capture: Capture::Intent,
            arguments: vec![Argument::Intent],
            exempt: Vec::new(),
        },
    }
}

/// A user of the database with [`PASSWORD`], as it would be added now.
pub(crate) fn user(bench: &Bench, email: &str) -> store::users::User {
    let now = bench.app.clock.now_unix();
    store::users::User {
        id: users::sub(&bench.app.config, email),
        email: email.to_owned(),
        password_hash: Secret::new(hash(PASSWORD)),
        groups: vec!["Guests".to_owned()],
        created_at: now,
        password_changed_at: now,
        disabled_at: None,
        epoch: 0,
    }
}

/// Of a change that is made for a test.
pub(crate) fn entry(at: i64) -> Entry {
    Author::new(audit::Kind::Operator, at).does(Action::AddUser, None)
}

/// Argon2id with the least parameters: tests check that passwords are checked, not that it takes long.
fn hash(password: &str) -> String {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"attache-testing").unwrap().to_string()
}
