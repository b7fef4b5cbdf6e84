//! What is counted, where, and what is never a label.

use axum::http::{Request, StatusCode, header};

use crate::testing::{Answer, Bench, EMAIL, SERVICE_SECRET, form, get, json};

fn with_secret(mut request: Request<axum::body::Body>, secret: &str) -> Request<axum::body::Body> {
    let value = format!("Bearer {secret}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request
}

async fn scrape(bench: &Bench) -> Answer {
    bench.internal(with_secret(get("/metrics"), SERVICE_SECRET)).await
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let mut values = lines.filter(|(name, _)| *name == series).map(|(_, value)| value);
    let value = values.next()?.parse().unwrap();
    assert!(values.next().is_none(), "{series} comes twice");
    Some(value)
}

#[tokio::test]
async fn s69_no_label_depends_on_who_asks() {
    let bench = Bench::new().await;
    bench.public(get("/nowhere/at/all?x=y")).await;
    bench.public(get("/oauth/register/a-client-that-nobody-knows")).await;
    bench.public(get("/.well-known/oauth-protected-resource/elsewhere")).await;
    let token = [("grant_type", "made-up"), ("client_id", "somebody")];
    bench.public(form("/oauth/token", &token)).await;
    let registration = serde_json::json!({
        "client_name": "Named",
        "redirect_uris": ["https://client.example/callback"],
    });
    let registered = bench.public(json("/oauth/register", &registration)).await.json();
    let answer = scrape(&bench).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = answer.body;
    for stranger in [
        "nowhere",
        "elsewhere",
        "made-up",
        "somebody",
        "nobody-knows",
        "Named",
        "client.example",
        EMAIL,
        registered["client_id"].as_str().unwrap(),
    ] {
        assert!(!text.contains(stranger), "{stranger} is in:\n{text}");
    }
    assert_eq!(
        value(
            &text,
            r#"authsvc_http_requests_total{listener="public",route="unknown",status="4xx"}"#
        ),
        Some(1.0)
    );
    assert_eq!(
        value(&text, r#"authsvc_token_grants_total{grant="other",result="invalid_client"}"#),
        Some(1.0),
        "{text}"
    );
    assert_eq!(value(&text, r#"authsvc_registrations_total{result="ok"}"#), Some(1.0));
}

#[tokio::test]
async fn s69_series_stay_few_whatever_is_asked() {
    let bench = Bench::new().await;
    let ask = async |round: usize| {
        for n in 0..20 {
            bench.public(get(&format!("/{round}/{n}"))).await;
            bench.public(get(&format!("/oauth/register/{round}-{n}"))).await;
            let client = format!("client-{round}-{n}");
            bench.public(form("/oauth/token", &[("client_id", &client)])).await;
        }
        scrape(&bench).await.body.lines().count()
    };
    // The first scrape is counted by the second.
    ask(0).await;
    assert_eq!(ask(1).await, ask(2).await);
}

#[tokio::test]
async fn the_format_is_that_of_prometheus() {
    let bench = Bench::new().await;
    scrape(&bench).await;
    let answer = scrape(&bench).await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.body;
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("authsvc_") && value.parse::<f64>().is_ok(), "{line}");
    }
    let bucket = r#"authsvc_http_request_duration_seconds_bucket{le="30.0",route="/metrics"}"#;
    assert_eq!(value(&text, bucket), Some(1.0), "{text}");
    assert_eq!(value(&text, "authsvc_database_up"), Some(1.0));
    assert_eq!(value(&text, "authsvc_events_undelivered{}"), Some(0.0));
    let build = concat!("authsvc_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(value(&text, build), Some(1.0));
}

#[tokio::test]
async fn s68_metrics_and_status_need_a_secret_and_may_have_one_of_their_own() {
    const OWN: &str = "of-the-scraper-0123456789abcdef01";
    let bench = Bench::with(|config| {
        let own = attache_protocol::secret::Secret::new(OWN.to_owned());
        config.service.metrics_secret = Some(own);
    })
    .await;
    for path in ["/metrics", "/status"] {
        assert_eq!(bench.internal(get(path)).await.status, StatusCode::UNAUTHORIZED);
        for (secret, expected) in [
            (OWN, StatusCode::OK),
            (SERVICE_SECRET, StatusCode::OK),
            ("wrong", StatusCode::UNAUTHORIZED),
        ] {
            let answer = bench.internal(with_secret(get(path), secret)).await;
            assert_eq!(answer.status, expected, "{path}");
        }
        let answer = bench.public(with_secret(get(path), OWN)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let events = bench.internal(with_secret(get("/internal/events"), OWN)).await;
    assert_eq!(events.status, StatusCode::UNAUTHORIZED, "it opens what has addresses in it");
    let introspection = with_secret(form("/internal/introspect", &[("token", "x")]), OWN);
    assert_eq!(bench.internal(introspection).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_status_says_how_old_keys_are_and_what_waits() {
    let bench = Bench::new().await;
    bench.advance(std::time::Duration::from_secs(90));
    let status = bench.internal(with_secret(get("/status"), SERVICE_SECRET)).await.json();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&status["uptime_seconds"], &status["database"]["answers"]),
        (&90.into(), &true.into())
    );
    let keys = status["keys"].as_array().unwrap();
    let states: Vec<_> = keys.iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["current", "next"]);
    assert!(keys.iter().all(|key| key["age_seconds"] == 90 && key["kid"].is_string()));
    let events = serde_json::json!({
        "undelivered": 0, "oldest_undelivered_seconds": null, "lost": {},
    });
    assert_eq!(status["events"], events);
}

#[tokio::test]
async fn a_rotation_of_keys_is_counted_when_it_is_seen() {
    let bench = Bench::new().await;
    let counted = async || {
        let text = scrape(&bench).await.body;
        value(&text, "authsvc_key_rotations_total").unwrap()
    };
    assert!(counted().await < 1.0);
    let app = &bench.app;
    let (config, clock) = ((*app.config).clone(), app.clock.clone());
    let operator =
        crate::operator::Operator::open(config, clock, app.random.clone()).await.unwrap();
    operator.rotate(crate::keys::Haste::Now).await.unwrap();
    bench.public(get("/oauth/jwks.json")).await;
    assert!((counted().await - 1.0).abs() < f64::EPSILON);
}
