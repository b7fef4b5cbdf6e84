//! RFC 7662: what a token is worth, asked at the internal listener.

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::json;

use super::{BAD, Flow, GRACE, invalid, refresh_token};
use crate::testing::{Answer, PUBLIC_URL, RESOURCE, SERVICE_SECRET, entry, form};

const INACTIVE: &str = r#"{"active":false}"#;

impl Flow {
    pub(super) async fn introspect(&self, fields: &[(&str, &str)]) -> Answer {
        let mut request = form("/internal/introspect", fields);
        let value = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        let answer = self.bench.internal(request).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    pub(super) async fn is_active(&self, token: &str) -> bool {
        let answer = self.introspect(&[("token", token)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let active = answer.json()["active"].as_bool().unwrap();
        assert!(active || answer.body == INACTIVE, "{}", answer.body);
        active
    }
}

#[tokio::test]
async fn introspection_says_what_a_good_token_stands_for() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let both = json!([RESOURCE, format!("{PUBLIC_URL}/weather/mcp")]);
    let mut said = flow.introspect(&[("token", &access)]).await.json();
    let (jti, sub) = (said["jti"].take(), said["sub"].take());
    assert_eq!((jti.as_str().unwrap().len(), sub.as_str().unwrap().len()), (22, 43));
    let expected = json!({
        "active": true,
        "scope": "mcp offline_access",
        "client_id": flow.client,
        "username": "admin@example.com",
        "token_type": "Bearer",
        "exp": 1_790_003_600,
        "iat": 1_790_000_000,
        "sub": null,
        "aud": both,
        "iss": PUBLIC_URL,
        "jti": null,
        "groups": ["Developers"],
    });
    assert_eq!(said, expected);
    // A hint may be wrong.
    let fields = [("token", refresh.as_str()), ("token_type_hint", "access_token")];
    let said = flow.introspect(&fields).await.json();
    let expected = json!({
        "active": true,
        "scope": "mcp offline_access",
        "client_id": flow.client,
        "username": "admin@example.com",
        "exp": 1_792_592_000,
        "sub": sub,
        "aud": both,
        "iss": PUBLIC_URL,
        "groups": ["Developers"],
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn introspection_is_for_those_who_have_the_shared_secret() {
    let flow = Flow::public().await;
    let (access, _) = flow.tokens().await;
    let fields = [("token", access.as_str())];
    let answer = flow.bench.internal(form("/internal/introspect", &fields)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = flow.bench.public(form("/internal/introspect", &fields)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    invalid(&flow.introspect(&[]).await, BAD, "invalid_request");
    invalid(&flow.introspect(&[("token", "a"), ("token", "b")]).await, BAD, "invalid_request");
}

#[tokio::test]
async fn introspection_says_nothing_of_what_is_no_token() {
    let flow = Flow::public().await;
    let (access, _) = flow.tokens().await;
    for token in ["nonsense", "a.b.c", &format!("{access}x"), &"x".repeat(16 * 1024)] {
        assert!(!flow.is_active(token).await, "{token}");
    }
}

#[tokio::test]
async fn introspection_says_that_a_token_of_a_grant_that_ended_is_not_active() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let (other, _) = flow.tokens().await;
    assert!(flow.is_active(&access).await && flow.is_active(&refresh).await);
    flow.revoke(&[("token", &refresh), ("client_id", &flow.client)]).await;
    assert!(!flow.is_active(&access).await && !flow.is_active(&refresh).await);
    assert!(flow.is_active(&other).await);

    let now = flow.bench.app.clock.now_unix();
    let removed = flow.bench.app.store.remove_client(&flow.client, entry(now)).await;
    assert_eq!(removed.unwrap(), Some(1), "one was ended before");
    assert!(!flow.is_active(&other).await);
}

#[tokio::test]
async fn introspection_knows_when_tokens_die() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let successor = refresh_token(&flow.refresh(&refresh, &[]).await);
    // Looking at a token is not using it.
    for _ in 0..40 {
        assert!(flow.is_active(&refresh).await && flow.is_active(&successor).await);
    }
    flow.bench.advance(GRACE + Duration::from_millis(1));
    assert!(!flow.is_active(&refresh).await && flow.is_active(&successor).await);
    flow.bench.advance(Duration::from_secs(3600 - 61));
    assert!(flow.is_active(&access).await);
    flow.bench.advance(Duration::from_secs(1));
    assert!(!flow.is_active(&access).await && flow.is_active(&successor).await);
    flow.bench.advance(Duration::from_secs(30 * 24 * 3600));
    assert!(!flow.is_active(&successor).await);
}

#[tokio::test]
async fn introspection_says_that_a_token_of_a_revoked_key_is_not_active() {
    let flow = Flow::public().await;
    let (access, refresh) = flow.tokens().await;
    let current = flow.bench.app.keys().unwrap().stored().await.unwrap().swap_remove(0);
    flow.bench.app.store.revoke_signing_key(&current.kid, entry(0)).await.unwrap();
    assert!(!flow.is_active(&access).await && flow.is_active(&refresh).await);
}
