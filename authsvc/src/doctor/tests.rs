//! An installation with one part that is not well at a time, each played by a small server.

use std::sync::{Arc, Mutex};

use attache_protocol::plugin::{CallerToken, Challenges, Foreign};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use time::format_description::well_known::Rfc2822;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{Finding, Verdict, installation};
use crate::{
    config::{Config, Origin, Targets, Webhook},
    keys::Haste,
    routes,
    testing::Bench,
};

type Change = Arc<Mutex<Box<dyn FnMut(&str, Response) -> Response + Send>>>;

/// A bench whose public and internal listeners really listen, and what is in front of the public one.
struct Installation {
    bench: Bench,
    change: Change,
}

impl Installation {
    async fn new() -> Self {
        Self::with(|_config| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let internal = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = public.local_addr().unwrap();
        let bench = Bench::with(|config| {
            config.public_url = Origin::parse(&format!("http://localhost:{}", at.port())).unwrap();
            config.service.internal = internal.local_addr().unwrap();
            // Our own listener stands in for an MCP server: it answers.
            config.servers[0].url = format!("http://{at}/oauth/token").parse().unwrap();
            change(config);
        })
        .await;
        let front: Change = Arc::new(Mutex::new(Box::new(|_path, response| response)));
        let state =
            (routes::public(bench.app.clone()), Arc::clone(&front), bench.app.clock.clone());
        let proxy = Router::new().fallback(pass_on).with_state(state);
        tokio::spawn(async { axum::serve(public, proxy).await.unwrap() });
        let router = routes::internal(bench.app.clone());
        tokio::spawn(async { axum::serve(internal, router).await.unwrap() });
        Self { bench, change: front }
    }

    /// What stands in front of authsvc changes its answers from now on.
    fn answers(&self, change: impl FnMut(&str, Response) -> Response + Send + 'static) {
        *self.change.lock().unwrap() = Box::new(change);
    }

    async fn examine(&self) -> Vec<Finding> {
        installation(&self.bench.app.config, &self.bench.app.clock).await
    }

    /// The findings that are not good.
    async fn unwell(&self) -> Vec<(String, Verdict, String)> {
        let findings = self.examine().await.into_iter();
        let unwell = findings.filter(|finding| finding.verdict > Verdict::Ok);
        unwell.map(|finding| (finding.check, finding.verdict, finding.found)).collect()
    }
}

type Front = (Router, Change, crate::clock::Clock);

async fn pass_on(State((router, change, clock)): State<Front>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Ok(mut response) = router.oneshot(request).await;
    let date = clock.now().format(&Rfc2822).unwrap().replace("+0000", "GMT");
    let date = HeaderValue::try_from(date).unwrap();
    response.headers_mut().insert(header::DATE, date.clone());
    let mut response = (change.lock().unwrap())(&path, response);
    response.headers_mut().entry(header::DATE).or_insert(date);
    response
}

/// The same status and headers, with a member of the document replaced.
fn saying(document: &str, member: &str, value: Value) -> Body {
    let mut document: Value = serde_json::from_str(document).unwrap();
    document[member] = value;
    Body::from(document.to_string())
}

#[tokio::test]
async fn an_installation_that_is_well_is_called_so_and_shows_no_secret() {
    let installation = Installation::with(|config| {
        config.webhook = Some(Webhook {
            url: "http://localhost:9/a-secret-path".parse().unwrap(),
            secret: attache_protocol::secret::Secret::new("whsec_of-the-hook".to_owned()),
            previous_secret: None,
            targets: Targets::Any,
        });
    })
    .await;
    let findings = installation.examine().await;
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
    let all = [
        "metadata",
        "clock",
        "keys",
        "resource everything",
        "internal",
        "server everything",
        "webhook",
    ];
    assert!(checks.ends_with(&all), "{checks:?}");
    assert_eq!(checks[0], "database");
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    let said = format!("{findings:?}");
    assert!(!said.contains("a-secret-path") && !said.contains("whsec_"), "{said}");
}

#[tokio::test]
async fn documents_that_say_something_else_are_named_with_what_they_say() {
    let installation = Installation::new().await;
    let [metadata, resource] = {
        let config = &installation.bench.app.config;
        let server = crate::discovery::metadata(config).server;
        let resource = crate::discovery::protected_resource(config, &config.servers[0]);
        [serde_json::to_string(&server).unwrap(), serde_json::to_string(&resource).unwrap()]
    };
    installation.answers(move |path, response| match path {
        "/.well-known/oauth-authorization-server" => {
            saying(&metadata, "issuer", "http://elsewhere".into()).into_response()
        }
        "/.well-known/oauth-protected-resource/everything/mcp" => {
            saying(&resource, "resource", "http://elsewhere/mcp".into()).into_response()
        }
        _ => response,
    });
    let unwell = installation.unwell().await;
    let said = format!("{unwell:?}");
    assert!(
        said.contains(r#"says that issuer is \"http://elsewhere\", and the configuration"#),
        "{said}"
    );
    assert!(said.contains(r#"says that resource is \"http://elsewhere/mcp\""#), "{said}");
    let named = [("metadata", Verdict::Failed), ("resource everything", Verdict::Failed)];
    assert!(
        named.iter().all(|(check, verdict)| {
            unwell.iter().any(|(name, how, _)| name == check && how == verdict)
        }),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_not_a_document_is_refused_and_no_redirect_is_followed() {
    let installation = Installation::new().await;
    installation.answers(|path, response| match path {
        "/.well-known/oauth-authorization-server" => {
            (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response()
        }
        "/oauth/jwks.json" => "<html>".into_response(),
        "/.well-known/oauth-protected-resource/everything/mcp" => {
            " ".repeat(1 << 20).into_response()
        }
        _ => response,
    });
    let said = format!("{:?}", installation.unwell().await);
    for expected in ["is answered with 302", "is not the document", "larger than 256 KiB"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn clocks_that_differ_are_noticed() {
    for (seconds, verdict) in [(4, None), (8, Some(Verdict::Warning)), (90, Some(Verdict::Failed))]
    {
        for sign in [-1, 1] {
            let installation = Installation::new().await;
            let clock = installation.bench.app.clock.clone();
            installation.answers(move |_path, mut response| {
                let date = clock.now() + time::Duration::seconds(sign * seconds);
                let date = date.format(&Rfc2822).unwrap().replace("+0000", "GMT");
                let date = HeaderValue::try_from(date).unwrap();
                response.headers_mut().insert(header::DATE, date);
                response
            });
            let unwell = installation.unwell().await;
            let found = unwell.iter().find(|(check, ..)| check == "clock");
            assert_eq!(found.map(|(_, verdict, _)| *verdict), verdict, "{seconds} {unwell:?}");
        }
    }
}

#[tokio::test]
async fn a_key_set_without_the_key_that_signs_is_noticed() {
    let installation = Installation::new().await;
    let before =
        serde_json::to_string(installation.bench.app.keys().unwrap().ring().await.unwrap().jwks());
    let before = before.unwrap();
    let operator = crate::operator::Operator::open(
        (*installation.bench.app.config).clone(),
        installation.bench.app.clock.clone(),
        installation.bench.app.random.clone(),
    );
    let operator = operator.await.unwrap();
    // Twice: the first successor was published before.
    operator.rotate(Haste::Now).await.unwrap();
    operator.rotate(Haste::Now).await.unwrap();
    installation.answers(move |path, response| match path {
        "/oauth/jwks.json" => before.clone().into_response(),
        _ => response,
    });
    let said = format!("{:?}", installation.unwell().await);
    assert!(said.contains("which signs") && said.contains("does not have"), "{said}");
}

#[tokio::test]
async fn what_does_not_answer_is_named_with_what_to_do() {
    let installation = Installation::with(|config| {
        config.servers[0].url = "http://127.0.0.1:1/mcp".parse().unwrap();
        config.webhook = Some(Webhook {
            url: "https://localhost/hook".parse().unwrap(),
            secret: attache_protocol::secret::Secret::new("whsec_x".to_owned()),
            previous_secret: None,
            targets: Targets::Public,
        });
    })
    .await;
    let mut config = (*installation.bench.app.config).clone();
    config.service.internal = "127.0.0.1:1".parse().unwrap();
    config.public_url = Origin::parse("http://localhost:1").unwrap();
    let findings = installation_of(&config, &installation).await;
    let failed: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Failed)
        .map(|finding| finding.check.as_str())
        .collect();
    let expected =
        ["metadata", "keys", "resource everything", "internal", "server everything", "webhook"];
    assert_eq!(failed, expected, "{findings:#?}");
    assert!(findings.iter().all(|one| (one.verdict == Verdict::Ok) == one.remedy.is_none()));
}

async fn installation_of(config: &Config, installation: &Installation) -> Vec<Finding> {
    super::installation(config, &installation.bench.app.clock).await
}

#[tokio::test]
async fn nothing_is_made_where_there_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::testing::config();
    let path = folder.path().join("attache.db");
    config.database = crate::config::Database::Sqlite(path.clone());
    let (findings, signing) = super::database::check(&config).await;
    assert_eq!((findings[0].verdict, signing), (Verdict::Warning, None));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_database_of_another_version_is_noticed() {
    let bench = Bench::new().await;
    for (change, verdict) in [
        ("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 7", Verdict::Failed),
        ("DELETE FROM _sqlx_migrations WHERE version > 6", Verdict::Warning),
        ("DELETE FROM _sqlx_migrations", Verdict::Warning),
    ] {
        let mut transaction = bench.app.store.write().await.unwrap();
        sqlx::query(change).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let (findings, _) = super::database::check(&bench.app.config).await;
        assert_eq!(findings[0].verdict, verdict, "{change}: {findings:?}");
    }
}

#[tokio::test]
async fn an_authsvc_that_has_not_read_the_configuration_is_noticed() {
    let installation = Installation::new().await;
    let mut config = (*installation.bench.app.config).clone();
    config.service.secret =
        attache_protocol::secret::Secret::new("another-secret-of-32-characters-or-more".to_owned());
    let found = super::parts::internal(&config).await;
    assert_eq!(found.verdict, Verdict::Failed);
    assert!(found.found.contains("another service.secret"), "{found:?}");
}

#[tokio::test]
async fn a_server_that_checks_callers_itself_is_well_when_it_refuses() {
    let installation = Installation::new().await;
    let checked = async |change: fn(&mut Config)| {
        let mut config = (*installation.bench.app.config).clone();
        change(&mut config);
        let [found] = super::parts::servers(&config).await.try_into().unwrap();
        found
    };
    let found = checked(|_config| ()).await;
    assert!(found.found.ends_with("is reachable (400 to a ping without a session)"), "{found:?}");
    installation.answers(|_path, _response| StatusCode::UNAUTHORIZED.into_response());
    let found = checked(|_config| ()).await;
    assert!(found.verdict == Verdict::Warning && found.remedy.unwrap().contains("credentials"));
    for change in [
        (|config| config.servers[0].caller_token = CallerToken::Forwarded) as fn(&mut Config),
        |config| {
            let schemes = vec!["AccessToken".to_owned()];
            config.servers[0].foreign = Some(Foreign { schemes, challenges: Challenges::Ours });
        },
    ] {
        let found = checked(change).await;
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
        assert!(found.found.ends_with("is reachable (401); it checks callers itself"), "{found:?}");
    }
}

#[tokio::test]
async fn a_secret_that_does_not_open_the_keys_is_noticed_before_a_start_fails() {
    let bench = Bench::new().await;
    let (findings, _) = super::database::check(&bench.app.config).await;
    let keys = |findings: &[Finding]| {
        findings.iter().find(|found| found.check == "key encryption").cloned().unwrap()
    };
    assert_eq!(keys(&findings).verdict, Verdict::Ok);
    let mut config = (*bench.app.config).clone();
    let another = "another-secret-of-32-characters-or-more".to_owned();
    config.service.secret = attache_protocol::secret::Secret::new(another);
    let (findings, _) = super::database::check(&config).await;
    let found = keys(&findings);
    assert_eq!(found.verdict, Verdict::Failed);
    assert!(found.found.ends_with("encrypted with another secret than the configured one"));
    let remedy = found.remedy.unwrap();
    assert!(remedy.starts_with("give the earlier `service.secret` in `authorization."), "{remedy}");
}
