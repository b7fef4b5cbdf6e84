//! A provider of identities on a port of its own, which is as strict as it may be and, where a test says so, as bad.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use attache_protocol::secret::Secret;
use axum::{
    Form, Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{delete, get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jwt_compact::{
    Algorithm, AlgorithmExt as _, Claims, Header,
    alg::{Ed25519, SigningKey as _},
    jwk::JsonWebKey,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::{
    config::{Admission, Client, Federated, IdentityClaims, Issuer, Targets, Tenants},
    token::pkce,
};

pub(crate) const CLIENT_ID: &str = "gateway";
pub(crate) const CLIENT_SECRET: &str = "a secret: of/the%gateway";

pub(crate) type PrivateKey = <Ed25519 as Algorithm>::SigningKey;

/// What is wrong with an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Status(u16),
    Html,
    Broken,
    Endless,
    Redirect,
}

/// Whether clients that registered can be ended (RFC 7592).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Management {
    Offered,
    Absent,
}

/// What it is like; tests change it.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its metadata.
    pub(crate) metadata: Value,
    /// Its keys, by `kid`; the last one signs.
    pub(crate) keys: Vec<(&'static str, u8)>,
    /// Claims that replace those of ID tokens; null takes one away.
    pub(crate) claims: Value,
    /// Claims of UserInfo; without any it is not there.
    pub(crate) userinfo: Option<Value>,
    /// What is wrong with the endpoint at a path.
    pub(crate) faults: BTreeMap<&'static str, Fault>,
    /// The error that the token endpoint answers.
    pub(crate) error: Option<&'static str>,
    /// Paths that were asked for, in order.
    pub(crate) asked: Vec<String>,
    /// Forms that came to the token endpoint, in order.
    pub(crate) forms: Vec<BTreeMap<String, String>>,
    /// Claims of access tokens that replace those that they have; without any they are opaque.
    pub(crate) access: Option<Value>,
    /// What is said of an opaque token.
    pub(crate) introspection: Value,
    /// Whether there are ID tokens.
    pub(crate) says_who: bool,
    /// By how much its clock is ahead of the one that stands, seconds.
    pub(crate) ahead: i64,
    /// Whether it says how clients that registered are ended.
    pub(crate) management: Management,
    /// Clients that registered, with their secrets.
    pub(crate) clients: BTreeMap<String, String>,
    /// Refresh tokens that are good once more.
    pub(crate) refreshes: Vec<String>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct FakeProvider {
    pub(crate) issuer: String,
    shape: Arc<Mutex<Shape>>,
}

impl FakeProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shape = Shape {
            metadata: json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize?from=metadata"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
            }),
            keys: vec![("one", 1)],
            claims: json!({}),
            userinfo: Some(json!({ "sub": "somebody" })),
            faults: BTreeMap::new(),
            error: None,
            asked: Vec::new(),
            forms: Vec::new(),
            access: None,
            introspection: json!({ "active": false }),
            says_who: true,
            ahead: 0,
            management: Management::Offered,
            clients: BTreeMap::new(),
            refreshes: Vec::new(),
            codes: BTreeMap::new(),
        };
        let it = Self { issuer, shape: Arc::new(Mutex::new(shape)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/introspect", post(introspect))
            .route("/revoke", post(revoke))
            .route("/register", post(register))
            .route("/register/{id}", delete(unregister))
            .layer(middleware::from_fn_with_state(it.clone(), fail))
            .with_state(it.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        it
    }

    pub(crate) fn shape(&self) -> MutexGuard<'_, Shape> {
        self.shape.lock().unwrap()
    }

    /// How often this path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.shape().asked.iter().filter(|asked| *asked == path).count()
    }

    /// As it would be configured.
    pub(crate) fn federated(&self, name: &str) -> Federated {
        Federated {
            name: name.to_owned(),
            label: "Example Login".to_owned(),
            issuer: Issuer::parse(&self.issuer, Targets::Any).unwrap(),
            tenants: Tenants::Single,
            client: client(),
            scopes: ["openid", "email"].map(str::to_owned).to_vec(),
            claims: IdentityClaims::default(),
            hosted_domain: None,
            targets: Targets::Any,
            admission: Admission::default(),
            max_session: std::time::Duration::from_hours(30 * 24),
        }
    }

    /// Somebody opens the URL that we sent them to, and agrees: where they are sent back.
    pub(crate) fn agree(&self, url: &str) -> Url {
        let url = Url::parse(url).unwrap();
        assert!(url.as_str().starts_with(&format!("{}/authorize?from=metadata&", self.issuer)));
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        let mut shape = self.shape();
        let code = format!("code-{}", shape.codes.len());
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &query["state"]);
        shape.codes.insert(code, query);
        back
    }
}

/// Who we are there.
pub(crate) fn client() -> Client {
    let secret = Some(Secret::new(CLIENT_SECRET.to_owned()));
    Client { id: CLIENT_ID.to_owned(), secret }
}

pub(crate) fn private_key(seed: u8) -> PrivateKey {
    PrivateKey::from_slice(&[seed; 32]).unwrap()
}

/// A public key, as it is published.
pub(crate) fn jwk(kid: &str, seed: u8) -> Value {
    let mut jwk =
        serde_json::to_value(JsonWebKey::from(&private_key(seed).to_verifying_key())).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

/// A JWT of that key.
pub(crate) fn signed(header: &Header, seed: u8, claims: &Value) -> String {
    Ed25519.token(header, &Claims::new(claims.clone()), &private_key(seed)).unwrap()
}

async fn fail(State(it): State<FakeProvider>, request: Request, next: Next) -> Response {
    let fault = {
        let mut shape = it.shape();
        let path = request.uri().path().to_owned();
        shape.asked.push(path.clone());
        shape.faults.get(path.as_str()).copied()
    };
    match fault {
        None => next.run(request).await,
        Some(Fault::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Fault::Html) => Html("<p>maintenance</p>").into_response(),
        Some(Fault::Broken) => {
            ([(header::CONTENT_TYPE, "application/json")], "{\"x\":").into_response()
        }
        Some(Fault::Endless) => Json(json!({ "x": "x".repeat(1 << 20) })).into_response(),
        Some(Fault::Redirect) => Redirect::temporary("/elsewhere").into_response(),
    }
}

async fn metadata(State(it): State<FakeProvider>) -> Json<Value> {
    Json(it.shape().metadata.clone())
}

async fn keys(State(it): State<FakeProvider>) -> Json<Value> {
    let keys: Vec<Value> = it.shape().keys.iter().map(|(kid, seed)| jwk(kid, *seed)).collect();
    Json(json!({ "keys": keys }))
}

async fn userinfo(State(it): State<FakeProvider>, headers: HeaderMap) -> Response {
    let shape = it.shape();
    let bearer = headers[header::AUTHORIZATION].to_str().unwrap();
    assert!(bearer.starts_with("Bearer access-of-code-") || shape.access.is_some());
    match &shape.userinfo {
        Some(claims) => Json(claims.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn token(
    State(it): State<FakeProvider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let mut shape = it.shape();
    shape.forms.push(form.clone());
    let refuse =
        |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    if let Some(error) = shape.error {
        return refuse(error);
    }
    let Some(client) = shape.knows(&headers, &form) else {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" })))
            .into_response();
    };
    if let Some(refresh) = form.get("refresh_token") {
        let Some(at) = shape.refreshes.iter().position(|one| one == refresh) else {
            return refuse("invalid_grant");
        };
        shape.refreshes.remove(at);
        return Json(it.issue(&mut shape, &client, &form)).into_response();
    }
    let code = form.get("code").cloned().unwrap_or_default();
    let Some(asked) = shape.codes.remove(&code) else { return refuse("invalid_grant") };
    let verified = pkce::verify(&asked["code_challenge"], &form["code_verifier"]);
    if !verified || form["redirect_uri"] != asked["redirect_uri"] || asked["client_id"] != client {
        return refuse("invalid_grant");
    }
    let mut answer = it.issue(&mut shape, &client, &asked);
    if shape.access.is_none() {
        answer["access_token"] = json!(format!("access-of-{code}"));
    }
    let now = super::NOW_MS / 1000 + shape.ahead;
    let mut claims = json!({
        "iss": it.issuer, "sub": "somebody", "aud": client, "nonce": asked["nonce"],
        "iat": now, "exp": now + 300,
    });
    merge(&mut claims, &shape.claims);
    if shape.says_who {
        let (kid, seed) = shape.keys.last().unwrap();
        answer["id_token"] = json!(signed(&Header::empty().with_key_id(*kid), *seed, &claims));
    }
    Json(answer).into_response()
}

impl FakeProvider {
    /// An access token for what was asked for, and a refresh token.
    fn issue(&self, shape: &mut Shape, client: &str, asked: &BTreeMap<String, String>) -> Value {
        let number = shape.forms.len();
        let now = super::NOW_MS / 1000 + shape.ahead;
        let access = match &shape.access {
            None => format!("access-of-code-{number}"),
            Some(other) => {
                let mut claims = json!({
                    "iss": self.issuer, "sub": "somebody", "iat": now, "exp": now + 3600,
                    "aud": asked.get("resource"), "client_id": client, "jti": number.to_string(),
                    "scope": asked.get("scope").map_or("openid mcp", String::as_str),
                });
                merge(&mut claims, other);
                let (kid, seed) = shape.keys.last().unwrap();
                signed(&Header::empty().with_key_id(*kid), *seed, &claims)
            }
        };
        let refresh = format!("refresh-of-{number}");
        shape.refreshes.push(refresh.clone());
        json!({
            "access_token": access, "refresh_token": refresh, "token_type": "bearer",
            "expires_in": "3600",
        })
    }
}

/// Replaces members; null takes one away.
fn merge(into: &mut Value, other: &Value) {
    for (name, value) in other.as_object().unwrap() {
        into[name] = value.clone();
    }
    into.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

async fn introspect(
    State(it): State<FakeProvider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let shape = it.shape();
    match shape.knows(&headers, &form) {
        Some(_) => Json(shape.introspection.clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn revoke(
    State(it): State<FakeProvider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> StatusCode {
    let mut shape = it.shape();
    if shape.knows(&headers, &form).is_none() {
        return StatusCode::UNAUTHORIZED;
    }
    shape.refreshes.retain(|one| *one != form["token"]);
    StatusCode::OK
}

async fn register(State(it): State<FakeProvider>, Json(body): Json<Value>) -> Response {
    let mut shape = it.shape();
    let id = format!("client-{}", shape.clients.len());
    let secret = format!("secret/of {id}");
    shape.clients.insert(id.clone(), secret.clone());
    let mut answer = json!({
        "client_id": id, "client_secret": secret, "client_secret_expires_at": 0,
        "redirect_uris": body["redirect_uris"],
        "token_endpoint_auth_method": body["token_endpoint_auth_method"],
        "registration_client_uri": format!("{}/register/{id}", it.issuer),
        "registration_access_token": format!("token-of-{id}"),
    });
    if shape.management == Management::Absent {
        answer["registration_client_uri"] = Value::Null;
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn unregister(
    State(it): State<FakeProvider>,
    axum::extract::Path(id): axum::extract::Path<String>,
    headers: HeaderMap,
) -> StatusCode {
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer token-of-{id}"));
    match it.shape().clients.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::UNAUTHORIZED,
    }
}

impl Shape {
    /// The client that shows who it is, in the header or in the form, and not in both.
    fn knows(&self, headers: &HeaderMap, form: &BTreeMap<String, String>) -> Option<String> {
        let line = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let (id, secret) = match (line, form.get("client_secret")) {
            (Some(line), None) => {
                let pair = STANDARD.decode(line.strip_prefix("Basic ").unwrap()).unwrap();
                let pair = String::from_utf8(pair).unwrap();
                let (id, secret) = pair.split_once(':').unwrap();
                let decode =
                    |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap();
                assert!(!form.contains_key("client_id"));
                (decode(id).into_owned(), decode(secret).into_owned())
            }
            (None, Some(secret)) => (form["client_id"].clone(), secret.clone()),
            _ => return None,
        };
        let known = if id == CLIENT_ID { CLIENT_SECRET } else { self.clients.get(&id)? };
        (known == secret).then_some(id)
    }
}
