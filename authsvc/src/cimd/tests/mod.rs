//! Documents and keys as they are fetched, over real HTTP.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    NoClient,
    fetch::{FetchError, Fetcher},
    resolve,
};
use crate::{
    config::{Config, HostPattern, MetadataDocuments, Targets},
    routes,
    state::App,
    store::{
        self,
        clients::Client,
        codes::{Code, Granted},
    },
    testing::{self, Answer, Bench, RESOURCE, SERVICE_SECRET, form, get},
    users,
};

mod keys;
mod ssrf;

const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// Where requests come from of which that is not known.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const CALLBACK: &str = "https://client.example/callback";
/// RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the next request for the document, or for anything else, gets.
#[derive(Clone, Debug)]
enum Next {
    Json(Value),
    Status(u16),
    Redirect,
    Html,
    Endless,
}

/// A web site with a document and keys.
struct Site {
    origin: String,
    document: Arc<Mutex<Next>>,
    keys: Arc<Mutex<Next>>,
    seen: Arc<Mutex<Vec<String>>>,
}

type Shared = (Arc<Mutex<Next>>, Arc<Mutex<Next>>, Arc<Mutex<Vec<String>>>);

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let document = json!({
            "client_id": format!("{origin}/client.json"),
            "client_name": "Documented",
            "redirect_uris": [CALLBACK, "http://localhost/callback"],
        });
        let document = Arc::new(Mutex::new(Next::Json(document)));
        let keys = Arc::new(Mutex::new(Next::Status(404)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared: Shared = (document.clone(), keys.clone(), seen.clone());
        let router = Router::new().fallback(answer).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, document, keys, seen }
    }

    fn id(&self) -> String {
        format!("{}/client.json", self.origin)
    }

    fn say(&self, next: Next) {
        *self.document.lock().unwrap() = next;
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        if let Next::Json(document) = &mut *self.document.lock().unwrap() {
            change(document);
        }
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn answer(State((document, keys, seen)): State<Shared>, uri: Uri) -> Response {
    seen.lock().unwrap().push(uri.path().to_owned());
    let next = if uri.path() == "/client.json" { &document } else { &keys };
    match next.lock().unwrap().clone() {
        Next::Json(value) => {
            ([(header::CACHE_CONTROL, "max-age=600")], axum::Json(value)).into_response()
        }
        Next::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Next::Redirect => Redirect::temporary("/elsewhere").into_response(),
        Next::Html => ([(header::CONTENT_TYPE, "text/html")], "{}").into_response(),
        Next::Endless => {
            let body = format!("\"{}\"", "x".repeat(70_000));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

fn open(config: &mut Config) {
    config.authorization.clients.metadata_documents =
        MetadataDocuments { hosts: vec![HostPattern::Any], targets: Targets::Any };
}

async fn ask(bench: &Bench, site: &Site) -> Result<Client, NoClient> {
    resolve(&bench.app, SOMEBODY, &site.id()).await
}

#[tokio::test]
async fn s54_a_document_is_fetched_once_while_it_is_good() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    let client = ask(&bench, &site).await.unwrap();
    assert_eq!(client.name.as_deref(), Some("Documented"));
    assert_eq!(client.redirect_uris, [CALLBACK, "http://localhost/callback"]);
    bench.advance(Duration::from_secs(599));
    assert_eq!(ask(&bench, &site).await.unwrap(), client);
    assert_eq!(site.asked(), 1);
    site.change(|document| document["client_name"] = json!("Renamed"));
    bench.advance(Duration::from_secs(1));
    assert_eq!(ask(&bench, &site).await.unwrap().name.as_deref(), Some("Renamed"));
    assert_eq!(site.asked(), 2);
}

#[tokio::test]
async fn s54_a_document_that_cannot_be_fetched_anew_is_good_for_a_day_more() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    let client = ask(&bench, &site).await.unwrap();
    site.say(Next::Status(503));
    bench.advance(Duration::from_secs(600 + 86_399));
    assert_eq!(ask(&bench, &site).await.unwrap(), client);
    bench.advance(Duration::from_secs(1));
    assert!(matches!(ask(&bench, &site).await, Err(NoClient::Fetch(_))));
}

#[tokio::test]
async fn s54_what_is_gone_or_wrong_is_no_client_even_if_it_was_one() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    for known in [false, true] {
        for next in
            [Next::Status(404), Next::Status(204), Next::Redirect, Next::Html, Next::Endless]
        {
            bench.advance(Duration::from_secs(700));
            site.say(next.clone());
            let refused = ask(&bench, &site).await;
            assert!(matches!(refused, Err(NoClient::Fetch(_))), "{next:?} {known}: {refused:?}");
        }
        site.say(Next::Json(json!({"client_id": "https://other.example/x"})));
        assert!(matches!(ask(&bench, &site).await, Err(NoClient::Document(_))));
        let good = json!({"client_id": site.id(), "redirect_uris": [CALLBACK]});
        site.say(Next::Json(good));
        ask(&bench, &site).await.unwrap();
    }
    assert!(!site.seen.lock().unwrap().iter().any(|path| path == "/elsewhere"));
}

#[tokio::test]
async fn s55_ssrf_a_document_is_not_fetched_from_this_machine_or_a_private_network() {
    let (bench, site) = (Bench::new().await, Site::start().await);
    let port = site.origin.rsplit(':').next().unwrap().to_owned();
    for host in
        ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]"]
    {
        let id = format!("https://{host}:{port}/client.json");
        let refused = resolve(&bench.app, SOMEBODY, &id).await;
        assert!(matches!(refused, Err(NoClient::Fetch(_) | NoClient::Id)), "{host}: {refused:?}");
    }
    assert!(matches!(ask(&bench, &site).await, Err(NoClient::Id)), "in clear");
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn one_network_does_not_make_us_fetch_without_end() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    site.say(Next::Status(404));
    let mut refused = 0;
    for _ in 0..110 {
        refused += usize::from(matches!(ask(&bench, &site).await, Err(NoClient::TooMany)));
    }
    assert_eq!((refused, site.asked()), (10, 100));
}

#[tokio::test]
async fn s55_a_network_with_much_under_way_keeps_no_other_waiting() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    let turns: Vec<_> = (0..100).filter_map(|_| bench.app.documents.turn(UNKNOWN).ok()).collect();
    let busy = resolve(&bench.app, UNKNOWN, &site.id()).await;
    assert!(matches!(busy, Err(NoClient::Fetch(FetchError::Busy))), "{busy:?}");
    let page = bench.public(get(&authorize(&site.id(), CALLBACK))).await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    assert_eq!(site.asked(), 0);
    ask(&bench, &site).await.unwrap();
    drop(turns);
    resolve(&bench.app, UNKNOWN, &site.id()).await.unwrap();
}

fn authorize(client_id: &str, redirect_uri: &str) -> String {
    let fields = [
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("/oauth/authorize?{query}")
}

#[tokio::test]
async fn s54_a_client_with_a_document_needs_no_registration() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    for uri in [CALLBACK, "http://localhost:49152/callback"] {
        let answer = bench.public(get(&authorize(&site.id(), uri))).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert!(answer.header("location").starts_with("/oauth/login?"));
    }
    let elsewhere = bench.public(get(&authorize(&site.id(), "https://evil.example/"))).await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);
    let other = format!("{}/other.json", site.origin);
    let nothing = bench.public(get(&authorize(&other, CALLBACK))).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
    assert!(nothing.body.contains("does not say what it is"), "{}", nothing.body);
    let metadata = bench.public(get("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
}

/// Somebody has let the client in.
async fn let_in(bench: &Bench, site: &Site, code: &str) {
    let login = users::members(&bench.app.config).next().unwrap().login(bench.app.clock.now_unix());
    let granted = Granted {
        client_id: site.id(),
        resources: vec![RESOURCE.to_owned()],
        scope: "mcp".to_owned(),
        sub: login.sub,
        email: login.email,
        groups: login.groups,
        auth_time: login.auth_time,
        credential: login.credential,
    };
    let now = granted.auth_time;
    let kept = Code {
        granted,
        redirect_uri: CALLBACK.to_owned(),
        redirect_uri_sent: true,
        code_challenge: CHALLENGE.to_owned(),
        provider_tokens: None,
        expires_at: now + 60,
    };
    bench.app.store.create_code(&store::digest(code), &kept, now).await.unwrap();
}

/// What the client got then.
async fn redeemed(bench: &Bench, site: &Site) -> Vec<String> {
    let_in(bench, site, "code").await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &site.id()),
        ("code", "code"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let answer = bench.public(form("/oauth/token", &fields)).await.json();
    let token = |name: &str| answer[name].as_str().unwrap().to_owned();
    vec![token("access_token"), token("refresh_token")]
}

/// Whether each of them is good.
async fn active(app: &App, tokens: &[String]) -> Vec<bool> {
    let mut active = Vec::new();
    for token in tokens {
        let mut request = form("/internal/introspect", &[("token", token)]);
        let bearer = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let answer = testing::answer(routes::internal(app.clone()), request).await;
        active.push(answer.json()["active"] == true);
    }
    active
}

/// Who signed was believed: what is wrong then is the refresh token.
fn believed(answer: &Answer) -> bool {
    match answer.json()["error"].as_str() {
        Some("invalid_grant") => true,
        Some("invalid_client") => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s54_a_host_that_is_not_trusted_any_more_has_no_clients() {
    let (bench, site) = (Bench::with(open).await, Site::start().await);
    ask(&bench, &site).await.unwrap();
    let id = site.id();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &id)];
    assert!(believed(&bench.public(form("/oauth/token", &fields)).await));

    let mut later = bench.app.clone();
    let policy = MetadataDocuments { hosts: Vec::new(), targets: Targets::Any };
    later.documents = Arc::new(Fetcher::new(policy).unwrap());
    let refused = testing::answer(routes::public(later.clone()), form("/oauth/token", &fields));
    assert!(!believed(&refused.await));

    let tokens = redeemed(&bench, &site).await;
    assert_eq!(active(&bench.app, &tokens).await, [true, true]);
    assert_eq!(active(&later, &tokens).await, [false, false]);
}
