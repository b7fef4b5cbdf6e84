//! Codes and refresh tokens: what they become, and when they are dead.

use std::time::Duration;

use serde_json::json;

use super::{BAD, Flow, GRACE, VERIFIER, claims, invalid, refresh_token, register};
use crate::{
    config::Database,
    testing::{PUBLIC_URL, RESOURCE, embedded},
};

#[tokio::test]
async fn s24_a_code_becomes_a_token_for_what_was_granted() {
    let flow = Flow::public().await;
    let code = flow.code(|code| code.granted.resources.truncate(1)).await;
    let answer = flow.redeem(&code, &[("resource", RESOURCE)]).await;
    let claims = claims(&answer);
    let document = answer.json();
    assert_eq!(document["token_type"], "Bearer");
    assert_eq!(document["expires_in"], 3600);
    assert_eq!(document["scope"], "mcp offline_access");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(claims["iss"], PUBLIC_URL);
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["client_id"], flow.client.as_str());
    assert_eq!(claims["scope"], "mcp offline_access");
    assert_eq!(claims["email"], "admin@example.com");
    assert_eq!(claims["groups"], json!(["Developers"]));
    assert_eq!(claims["iat"], 1_790_000_000);
    assert_eq!(claims["exp"], 1_790_003_600);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
    assert!(!claims["sub"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn rule_9_an_access_token_is_for_the_resources_asked_for_among_those_granted() {
    let flow = Flow::public().await;
    let both = json!([RESOURCE, format!("{PUBLIC_URL}/weather/mcp")]);
    let weather = format!("{PUBLIC_URL}/weather/mcp");
    let code = flow.code(|_code| ()).await;
    let first = flow.redeem(&code, &[]).await;
    assert_eq!(claims(&first)["aud"], both);
    let narrow = flow.refresh(&refresh_token(&first), &[("resource", &weather)]).await;
    assert_eq!(claims(&narrow)["aud"], weather.as_str());
    let again = flow
        .refresh(&refresh_token(&narrow), &[("resource", RESOURCE), ("resource", &weather)])
        .await;
    assert_eq!(claims(&again)["aud"], both);
}

#[tokio::test]
async fn s14_a_resource_beyond_the_grant_is_an_invalid_target() {
    let flow = Flow::public().await;
    let weather = format!("{PUBLIC_URL}/weather/mcp");
    for resource in
        [weather.as_str(), "https://elsewhere.example/mcp", "not a uri", "/everything/mcp"]
    {
        let code = flow.code(|code| code.granted.resources.truncate(1)).await;
        invalid(&flow.redeem(&code, &[("resource", resource)]).await, BAD, "invalid_target");
        let code = flow.code(|code| code.granted.resources.truncate(1)).await;
        let token = refresh_token(&flow.redeem(&code, &[]).await);
        invalid(&flow.refresh(&token, &[("resource", resource)]).await, BAD, "invalid_target");
        // The token was not used up by it.
        refresh_token(&flow.refresh(&token, &[]).await);
    }
}

#[tokio::test]
async fn s12_a_code_without_its_verifier_is_refused() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    invalid(&flow.redeem(&code, &[("code_verifier", "")]).await, BAD, "invalid_grant");
}

#[tokio::test]
async fn s11_a_plain_verifier_does_not_open_an_s256_challenge() {
    let flow = Flow::public().await;
    let code = flow.code(|code| VERIFIER.clone_into(&mut code.code_challenge)).await;
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
}

#[tokio::test]
async fn s07_redirect_uri_is_that_of_the_authorization_request() {
    let flow = Flow::public().await;
    for wrong in ["", "http://localhost:1/callback", "http://localhost:53412/callback/"] {
        let code = flow.code(|_code| ()).await;
        invalid(&flow.redeem(&code, &[("redirect_uri", wrong)]).await, BAD, "invalid_grant");
    }
    let code = flow.code(|code| code.redirect_uri_sent = false).await;
    refresh_token(&flow.redeem(&code, &[("redirect_uri", "")]).await);
    let code = flow.code(|code| code.redirect_uri_sent = false).await;
    invalid(
        &flow.redeem(&code, &[("redirect_uri", "https://x.example/")]).await,
        BAD,
        "invalid_grant",
    );
}

#[tokio::test]
async fn s20_a_code_lives_for_its_minute_and_only_its_digest_is_stored() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    flow.bench.advance(Duration::from_secs(59));
    refresh_token(&flow.redeem(&code, &[]).await);
    let code = flow.code(|_code| ()).await;
    flow.bench.advance(Duration::from_secs(60));
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
}

#[tokio::test]
async fn s21_of_two_redemptions_at_the_same_time_one_succeeds() {
    let flow = Flow::public().await;
    for _ in 0..10 {
        let code = flow.code(|_code| ()).await;
        let (one, other) = tokio::join!(flow.redeem(&code, &[]), flow.redeem(&code, &[]));
        let succeeded = [&one, &other].into_iter().filter(|answer| answer.status == 200).count();
        assert_eq!(succeeded, 1, "{one:?} {other:?}");
        let winner = if one.status == 200 { one } else { other };
        // The other one was a replay.
        flow.refresh_is_dead(&refresh_token(&winner)).await;
    }
}

#[tokio::test]
async fn s22_a_replayed_code_revokes_what_was_issued() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    let first = refresh_token(&flow.redeem(&code, &[]).await);
    let second = refresh_token(&flow.refresh(&first, &[]).await);
    let other = flow.begin().await;
    flow.bench.advance(Duration::from_secs(3600));
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
    flow.refresh_is_dead(&second).await;
    refresh_token(&flow.refresh(&other, &[]).await);
}

#[tokio::test]
async fn s22_a_replay_counts_even_after_the_sweep() {
    let flow = Flow::public().await;
    let code = flow.code(|_code| ()).await;
    let token = refresh_token(&flow.redeem(&code, &[]).await);
    flow.bench.advance(Duration::from_secs(10 * 24 * 3600));
    crate::sweep::once(&flow.bench.app).await.unwrap();
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
    flow.refresh_is_dead(&token).await;
}

#[tokio::test]
async fn s23_a_wrong_client_or_verifier_burns_the_code() {
    let flow = Flow::public().await;
    let (other, _) = register(&flow.bench, "none", "Other").await;
    let wrong = "x".repeat(43);
    for replaced in [("client_id", other.as_str()), ("code_verifier", wrong.as_str())] {
        let code = flow.code(|_code| ()).await;
        invalid(&flow.redeem(&code, &[replaced]).await, BAD, "invalid_grant");
        invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
    }
}

#[tokio::test]
async fn s25_a_refresh_token_that_comes_again_ends_its_family() {
    let flow = Flow::public().await;
    let first = flow.begin().await;
    let second = refresh_token(&flow.refresh(&first, &[]).await);
    let third = refresh_token(&flow.refresh(&second, &[]).await);
    flow.bench.advance(GRACE + Duration::from_millis(1));
    flow.refresh_is_dead(&first).await;
    flow.refresh_is_dead(&third).await;
    flow.refresh_is_dead(&second).await;
}

#[tokio::test]
async fn rule_10_within_the_grace_both_callers_get_live_tokens() {
    let flow = Flow::public().await;
    let first = flow.begin().await;
    let mine = refresh_token(&flow.refresh(&first, &[]).await);
    flow.bench.advance(GRACE);
    let yours = refresh_token(&flow.refresh(&first, &[]).await);
    assert_ne!(mine, yours);
    flow.bench.advance(Duration::from_secs(7200));
    refresh_token(&flow.refresh(&mine, &[]).await);
    refresh_token(&flow.refresh(&yours, &[]).await);
}

#[tokio::test]
async fn rule_10_of_concurrent_refreshes_all_get_live_tokens() {
    let flow = Flow::public().await;
    let first = flow.begin().await;
    let (one, other) = tokio::join!(flow.refresh(&first, &[]), flow.refresh(&first, &[]));
    let (one, other) = (refresh_token(&one), refresh_token(&other));
    flow.bench.advance(Duration::from_secs(3600));
    refresh_token(&flow.refresh(&one, &[]).await);
    refresh_token(&flow.refresh(&other, &[]).await);
}

#[tokio::test]
async fn rule_10_the_grace_has_a_bound() {
    let flow = Flow::public().await;
    let first = flow.begin().await;
    let mut last = String::new();
    for _ in 0..32 {
        last = refresh_token(&flow.refresh(&first, &[]).await);
    }
    flow.refresh_is_dead(&first).await;
    refresh_token(&flow.refresh(&last, &[]).await);
}

#[tokio::test]
async fn s26_a_refresh_token_is_bound_to_its_client() {
    let flow = Flow::public().await;
    let (other, _) = register(&flow.bench, "none", "Other").await;
    let token = flow.begin().await;
    invalid(&flow.refresh(&token, &[("client_id", &other)]).await, BAD, "invalid_grant");
    refresh_token(&flow.refresh(&token, &[]).await);
}

#[tokio::test]
async fn s26_scope_may_narrow_and_never_widen() {
    let flow = Flow::public().await;
    let narrow = flow.refresh(&flow.begin().await, &[("scope", "mcp")]).await;
    assert_eq!(claims(&narrow)["scope"], "mcp");
    assert_eq!(narrow.json()["scope"], "mcp");
    let same = flow.refresh(&refresh_token(&narrow), &[]).await;
    assert_eq!(claims(&same)["scope"], "mcp offline_access");
    let unknown = flow.refresh(&refresh_token(&same), &[("scope", "mcp claudeai")]).await;
    assert_eq!(claims(&unknown)["scope"], "mcp");

    let code = flow.code(|code| "mcp".clone_into(&mut code.granted.scope)).await;
    let token = refresh_token(&flow.redeem(&code, &[]).await);
    for scope in ["mcp offline_access", "offline_access", "admin"] {
        invalid(&flow.refresh(&token, &[("scope", scope)]).await, BAD, "invalid_scope");
    }
    refresh_token(&flow.refresh(&token, &[]).await);
}

#[tokio::test]
async fn s27_a_refresh_token_dies_when_it_is_not_used() {
    let flow = Flow::public().await;
    let token = flow.begin().await;
    flow.bench.advance(Duration::from_secs(30 * 24 * 3600 - 1));
    let next = refresh_token(&flow.refresh(&token, &[]).await);
    flow.bench.advance(Duration::from_secs(30 * 24 * 3600));
    flow.refresh_is_dead(&next).await;
}

#[tokio::test]
async fn s27_a_family_dies_however_often_it_is_used() {
    let flow = Flow::public().await;
    let mut token = flow.begin().await;
    for _ in 0..4 {
        flow.bench.advance(Duration::from_secs(20 * 24 * 3600));
        token = refresh_token(&flow.refresh(&token, &[]).await);
    }
    flow.bench.advance(Duration::from_secs(10 * 24 * 3600));
    flow.refresh_is_dead(&token).await;
}

#[tokio::test]
async fn s28_the_database_holds_no_secret_in_clear() {
    let flow = Flow::with("client_secret_post").await;
    let secret = flow.secret.clone().unwrap();
    let code = flow.code(|_code| ()).await;
    let answer = flow.redeem(&code, &[("client_secret", &secret)]).await;
    let refresh = refresh_token(&answer);
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    // PostgreSQL is given the same values by the same statements, and its files are not ours.
    let Database::Sqlite(path) = &flow.bench.app.config.database else { return };
    for file in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        for secret in [&secret, &code, &refresh, &access] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_user_who_is_gone_gets_no_more_tokens() {
    let flow = Flow::public().await;
    let code = flow.code(|code| "someone else".clone_into(&mut code.granted.sub)).await;
    invalid(&flow.redeem(&code, &[]).await, BAD, "invalid_grant");
    let token = flow.begin().await;
    let mut app = flow.bench.app.clone();
    let mut config = (*app.config).clone();
    let embedded = embedded(&mut config);
    embedded.users.clear();
    app.config = config.into();
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", &token), ("client_id", &flow.client)];
    let request = crate::testing::form("/oauth/token", &fields);
    let answer = crate::testing::answer(crate::routes::public(app), request).await;
    invalid(&answer, BAD, "invalid_grant");
}
