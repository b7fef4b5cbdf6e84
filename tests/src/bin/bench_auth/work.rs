//! The work that is measured.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use attache_tests::{
    events,
    load::{self, Answer, Measured, Shot, Until},
    oauth::VERIFIER,
    person::Person,
    stack::SERVICE_SECRET,
};
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::{
    Row, charged,
    service::{REDIRECT_URI, Service},
};

const CONNECTIONS: usize = 16;
/// Requests of each kind.
const REQUESTS: u32 = 2000;
/// Codes live for a minute: so many are made and exchanged before the next ones.
const CODES: u32 = 500;
const LOGINS: usize = 40;
/// Passwords are checked two at a time; more would only wait.
const BROWSERS: usize = 2;
/// Events of a batch, and batches.
const BATCH: u32 = 100;
const BATCHES: u32 = 300;

/// All of it, in this order: each kind needs what the one before it left.
pub(crate) async fn all(service: &Service) -> Result<Vec<Row>> {
    let mut rows = vec![registrations(service).await?, logins(service).await?];
    let mut person = Person::admin();
    service.code(&mut person).await.context("the first login")?;
    let (codes, exchanges, tokens) = codes(service, &person).await?;
    let refreshes = refreshes(service, &tokens).await?;
    rows.extend([codes, exchanges, refreshes]);
    let access = text(&tokens, "access_token").into_iter().next().context("no token")?;
    rows.push(introspections(service, &access).await?);
    rows.push(ingest(service).await?);
    Ok(rows)
}

async fn registrations(service: &Service) -> Result<Row> {
    let shots = (0..REQUESTS).map(|n| {
        let metadata = json!({
            "client_name": format!("client {n}"), "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
        });
        // One network may register one a second, so each is of another.
        let from = Ipv4Addr::from_bits(0x0a00_0000 | n << 2).to_string();
        let headers = [("content-type", "application/json"), ("x-forwarded-for", &from)];
        shot("POST", "/oauth/register", &headers, metadata.to_string(), 201)
    });
    Ok(each(service, "registrations", shots.collect()).await?.0)
}

async fn logins(service: &Service) -> Result<Row> {
    let began = Instant::now();
    let browsers = async {
        let some = || some_logins(service, LOGINS / BROWSERS);
        let (one, other) = tokio::try_join!(some(), some())?;
        Ok([one, other].concat())
    };
    let (latencies, cpu_us) = charged(service.process.id(), browsers).await?;
    let measured = Measured::of(latencies, began.elapsed());
    let cpu_us = cpu_us / measured.requests as f64;
    let name = "logins with consent: five requests, one of them Argon2id (19 MiB, 2 passes)";
    Ok(Row { name, measured, each: 1, cpu_us })
}

async fn some_logins(service: &Service, count: usize) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        service.code(&mut Person::admin()).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// Codes for somebody who is logged in and has agreed, and what they are exchanged for.
async fn codes(service: &Service, person: &Person) -> Result<(Row, Row, Vec<Value>)> {
    let url = service.authorization()?;
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let cookie = person.cookie();
    let (mut asked, mut exchanged, mut tokens) = (None, None, Vec::new());
    for _ in 0..REQUESTS / CODES {
        let shots =
            (0..CODES).map(|_| shot("GET", &path, &[("cookie", &cookie)], String::new(), 303));
        let (row, answers) =
            each(service, "codes, for somebody who is logged in and has agreed", shots.collect())
                .await?;
        asked = Some(row.after(asked));
        let codes = answers.iter().map(code).collect::<Result<Vec<_>>>()?;
        let shots = codes.iter().map(|code| {
            token(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", REDIRECT_URI),
                ("client_id", &service.client_id),
                ("code_verifier", VERIFIER),
            ])
        });
        let (row, answers) = each(service, "exchanges of a code", shots.collect()).await?;
        exchanged = Some(row.after(exchanged));
        for answer in answers {
            tokens.push(serde_json::from_slice(&answer.body)?);
        }
    }
    Ok((asked.context("no codes")?, exchanged.context("no exchanges")?, tokens))
}

async fn refreshes(service: &Service, tokens: &[Value]) -> Result<Row> {
    let shots = text(tokens, "refresh_token").into_iter().map(|refresh| {
        token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            ("client_id", &service.client_id),
        ])
    });
    Ok(each(service, "refreshes", shots.collect()).await?.0)
}

async fn introspections(service: &Service, access: &str) -> Result<Row> {
    let bearer = format!("Bearer {SERVICE_SECRET}");
    let headers = [("content-type", FORM), ("authorization", &bearer)];
    let shots = (0..REQUESTS).map(|_| {
        shot("POST", "/internal/introspect", &headers, encoded(&[("token", access)]), 200)
    });
    inside(service, "introspections", shots.collect()).await
}

async fn ingest(service: &Service) -> Result<Row> {
    let bearer = format!("Bearer {SERVICE_SECRET}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let shots = (0..BATCHES).map(|n| {
        let (_, body) = events::batch(1, n, BATCH);
        shot("POST", "/internal/events", &headers, body.to_string(), 202)
    });
    let row =
        inside(service, "events, in batches of 100 (latency and CPU of a batch)", shots.collect())
            .await?;
    Ok(Row { each: BATCH as usize, ..row })
}

async fn inside(service: &Service, name: &'static str, shots: Vec<Shot>) -> Result<Row> {
    let host = service.internal.to_string();
    let sending = load::each(service.internal, &host, shots, CONNECTIONS);
    let ((measured, _), cpu_us) = charged(service.process.id(), sending).await.context(name)?;
    let cpu_us = cpu_us / measured.requests as f64;
    Ok(Row { name, measured, each: 1, cpu_us })
}

async fn each(
    service: &Service,
    name: &'static str,
    shots: Vec<Shot>,
) -> Result<(Row, Vec<Answer>)> {
    let host = service.origin.trim_start_matches("http://");
    let sending = load::each(service.public, host, shots, CONNECTIONS);
    let ((measured, answers), cpu_us) =
        charged(service.process.id(), sending).await.context(name)?;
    let cpu_us = cpu_us / measured.requests as f64;
    Ok((Row { name, measured, each: 1, cpu_us }, answers))
}

const FORM: &str = "application/x-www-form-urlencoded";

fn token(form: &[(&str, &str)]) -> Shot {
    shot("POST", "/oauth/token", &[("content-type", FORM)], encoded(form), 200)
}

fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

fn shot(
    method: &'static str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
    status: u16,
) -> Shot {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Shot {
        method,
        path: path.to_owned(),
        headers: headers.iter().map(owned).collect(),
        body: Bytes::from(body),
        status,
        until: Until::Whole,
    }
}

/// The code that a browser is sent on with.
fn code(answer: &Answer) -> Result<String> {
    let location = answer.headers.get("location").context("no Location")?.to_str()?;
    let url =
        url::Url::parse(location).with_context(|| format!("not sent to the client: {location}"))?;
    let code = url.query_pairs().find(|(name, _)| name == "code");
    Ok(code.with_context(|| format!("no code: {location}"))?.1.into_owned())
}

/// A member of each of these answers.
fn text(answers: &[Value], member: &str) -> Vec<String> {
    let found = answers.iter().filter_map(|answer| answer[member].as_str());
    found.map(str::to_owned).collect()
}
