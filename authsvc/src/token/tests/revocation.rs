//! S30: what a client gives back, and whose it must be.

use std::time::Duration;

use attache_protocol::claims::{Audience, Claims};
use axum::http::{HeaderValue, StatusCode, header};

use super::{BAD, Flow, UNAUTHORIZED, basic, invalid, refresh_token, register};
use crate::{
    keys::Validity,
    testing::{Answer, PUBLIC_URL, RESOURCE, form},
};

impl Flow {
    pub(super) async fn revoke(&self, fields: &[(&str, &str)]) -> Answer {
        self.bench.public(form("/oauth/revoke", fields)).await
    }

    /// Access and refresh token of a new grant.
    pub(super) async fn tokens(&self) -> (String, String) {
        let code = self.code(|_code| ()).await;
        let answer = self.redeem(&code, &[]).await;
        (answer.json()["access_token"].as_str().unwrap().to_owned(), refresh_token(&answer))
    }
}

fn is_done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
}

#[tokio::test]
async fn s30_a_revoked_refresh_token_ends_its_family() {
    let flow = Flow::public().await;
    let first = flow.begin().await;
    let second = refresh_token(&flow.refresh(&first, &[]).await);
    let other = flow.begin().await;
    // The first was used already: it ends the family all the same, within the grace and after it.
    flow.bench.advance(Duration::from_secs(3600));
    is_done(&flow.revoke(&[("token", &first), ("client_id", &flow.client)]).await);
    flow.refresh_is_dead(&second).await;
    flow.refresh_is_dead(&first).await;
    is_done(&flow.revoke(&[("token", &second), ("client_id", &flow.client)]).await);
    refresh_token(&flow.refresh(&other, &[]).await);
}

#[tokio::test]
async fn s30_a_revoked_access_token_ends_its_grant() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let fields = [
        ("token", access.as_str()),
        // A hint may be wrong, or of a kind that nobody knows.
        ("token_type_hint", "refresh_token"),
        ("client_id", &flow.client),
    ];
    is_done(&flow.revoke(&fields).await);
    flow.refresh_is_dead(&refresh).await;

    let (access, refresh) = flow.tokens().await;
    let next = flow.refresh(&refresh, &[]).await;
    flow.bench.advance(Duration::from_secs(3601));
    let fields = [
        ("token", access.as_str()),
        ("token_type_hint", "something_else"),
        ("client_id", &flow.client),
    ];
    is_done(&flow.revoke(&fields).await);
    flow.refresh_is_dead(&refresh_token(&next)).await;
}

#[tokio::test]
async fn s30_what_is_not_known_needs_no_revocation() {
    let flow = Flow::public().await;
    let (access, _) = flow.tokens().await;
    let forged = format!("{access}x");
    let long = "x".repeat(16 * 1024);
    for token in ["nonsense", "a.b.c", &forged, &long] {
        is_done(&flow.revoke(&[("token", token), ("client_id", &flow.client)]).await);
    }
}

#[tokio::test]
async fn s30_a_client_revokes_its_own_tokens_only() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let (other, _) = register(&flow.bench, "none", "Other").await;
    for token in [&access, &refresh] {
        let answer = flow.revoke(&[("token", token), ("client_id", &other)]).await;
        invalid(&answer, BAD, "invalid_grant");
    }
    refresh_token(&flow.refresh(&refresh, &[]).await);
}

#[tokio::test]
async fn s30_a_confidential_client_proves_who_it_is() {
    let flow = Flow::with("client_secret_basic").await;
    let secret = flow.secret.clone().unwrap();
    let code = flow.code(|_code| ()).await;
    let refresh = refresh_token(&flow.redeem(&code, &[("client_secret", &secret)]).await);
    let (token, id) = (("token", refresh.as_str()), ("client_id", flow.client.as_str()));
    invalid(&flow.revoke(&[token, id]).await, UNAUTHORIZED, "invalid_client");
    let wrong = ("client_secret", "wrong");
    invalid(&flow.revoke(&[token, id, wrong]).await, UNAUTHORIZED, "invalid_client");
    invalid(&flow.revoke(&[token, ("client_id", "nobody")]).await, UNAUTHORIZED, "invalid_client");
    invalid(&flow.revoke(&[token]).await, BAD, "invalid_request");
    refresh_token(&flow.refresh(&refresh, &[("client_secret", &secret)]).await);

    let request = basic(form("/oauth/revoke", &[token]), &flow.client, &secret);
    is_done(&flow.bench.public(request).await);
    let dead = flow.refresh(&refresh, &[("client_secret", &secret)]).await;
    invalid(&dead, BAD, "invalid_grant");
}

#[tokio::test]
async fn s30_the_request_is_a_form_in_the_body() {
    let flow = Flow::public().await;
    let id = ("client_id", flow.client.as_str());
    invalid(&flow.revoke(&[id]).await, BAD, "invalid_request");
    invalid(&flow.revoke(&[("token", "a"), ("token", "a"), id]).await, BAD, "invalid_request");
    let longer = "x".repeat(16 * 1024 + 1);
    invalid(&flow.revoke(&[("token", &longer), id]).await, BAD, "invalid_request");
    let in_query = form("/oauth/revoke?token=a", &[id]);
    invalid(&flow.bench.public(in_query).await, BAD, "invalid_request");
    let mut request = form("/oauth/revoke", &[("token", "a"), id]);
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    invalid(&flow.bench.public(request).await, BAD, "invalid_request");
}

#[tokio::test]
async fn s30_a_token_of_ours_without_a_grant_cannot_be_revoked() {
    let flow = Flow::public().await;
    let claims = Claims {
        iss: PUBLIC_URL.to_owned(),
        sub: "someone".to_owned(),
        aud: Audience::One(RESOURCE.to_owned()),
        client_id: Some(flow.client.clone()),
        scope: None,
        jti: None,
        grant_id: None,
        email: None,
        groups: Vec::new(),
    };
    let now = flow.bench.app.clock.now_unix();
    let validity = Validity { issued_at: now, expires_at: now + 60 };
    let ring = flow.bench.app.keys().unwrap().ring().await.unwrap();
    let token = ring.sign(&claims, validity).unwrap();
    let answer = flow.revoke(&[("token", token.reveal()), ("client_id", &flow.client)]).await;
    invalid(&answer, BAD, "unsupported_token_type");
}
