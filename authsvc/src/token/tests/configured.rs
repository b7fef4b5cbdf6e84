//! Clients of the configuration.

use std::{sync::Arc, time::Duration};

use attache_protocol::secret::Secret;
use serde_json::{Value, json};

use super::{
    BAD, Flow, UNAUTHORIZED, basic, form, invalid,
    machine::{SECRET, SEED, good, header, public_keys, signed},
    refresh_token,
};
use crate::{
    clients,
    config::{Config, Proof, StaticClient},
    state::App,
    store::{
        self,
        clients::{AuthMethod, Client, Identity},
    },
    sweep,
    testing::{Bench, SERVICE_SECRET, get, server},
    token::assertion,
};

fn configured(id: &str, proof: Option<Proof>) -> StaticClient {
    StaticClient {
        id: id.to_owned(),
        name: "An application".to_owned(),
        redirect_uris: vec!["http://localhost/callback".to_owned()],
        proof,
    }
}

/// `app` is public, `confidential` has a secret, `signer` a key; the flow is that of `client`.
async fn flow(client: &str) -> Flow {
    let bench = Bench::with(|config| {
        config.servers.push(server("weather"));
        config.authorization.clients.configured = vec![
            configured("app", None),
            configured("confidential", Some(Proof::Secret(Secret::new(SECRET.to_owned())))),
            configured("signer", Some(Proof::Keys(Arc::new(public_keys())))),
        ];
    })
    .await;
    Flow { bench, client: client.to_owned(), secret: None }
}

#[tokio::test]
async fn a_configured_client_shows_who_it_is_as_the_configuration_says() {
    let flow = flow("app").await;
    let code = flow.code(|_code| ()).await;
    let sent = [("client_secret", SECRET)];
    invalid(&flow.redeem(&code, &sent).await, UNAUTHORIZED, "invalid_client");
    refresh_token(&flow.redeem(&code, &[]).await);

    let flow = self::flow("confidential").await;
    let code = flow.code(|_code| ()).await;
    for sent in [&[][..], &[("client_secret", "wrong")]] {
        invalid(&flow.redeem(&code, sent).await, UNAUTHORIZED, "invalid_client");
    }
    let refresh = refresh_token(&flow.redeem(&code, &sent).await);
    let request = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let request = basic(form("/oauth/token", &request), "confidential", SECRET);
    refresh_token(&flow.bench.public(request).await);

    let flow = self::flow("signer").await;
    let code = flow.code(|_code| ()).await;
    let text = signed(&header(), SEED, good(flow.bench.app.clock.now_unix(), "once"));
    let shown = [("client_assertion_type", assertion::TYPE), ("client_assertion", text.as_str())];
    for sent in [&[][..], &sent] {
        invalid(&flow.redeem(&code, sent).await, UNAUTHORIZED, "invalid_client");
    }
    let refresh = refresh_token(&flow.redeem(&code, &shown).await);
    invalid(&flow.refresh(&refresh, &shown).await, UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn that_a_configured_client_may_sign_is_in_the_metadata() {
    for (signer, methods) in [(false, 3), (true, 4)] {
        let bench = Bench::with(|config| {
            config.authorization.clients.metadata_documents.hosts.clear();
            let keys = Proof::Keys(Arc::new(public_keys()));
            let proof = signer.then_some(keys);
            config.authorization.clients.configured = vec![configured("signer", proof)];
        })
        .await;
        let said = bench.public(get("/.well-known/oauth-authorization-server")).await.json();
        let offered = said["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert_eq!(offered.len(), methods, "{said}");
    }
}

/// As if somebody had registered with this id before it was configured.
async fn register(flow: &Flow, id: &str, token: &str) {
    let client = Client {
        management: Some(store::digest(token)),
        redirect_uris: vec!["https://evil.example/callback".to_owned()],
        auth_method: AuthMethod::Basic,
        secret: Some(store::digest("another")),
        ..Client::from(&configured(id, None))
    };
    flow.bench.app.store.register_client(&client, Identity::Own).await.unwrap();
}

#[tokio::test]
async fn nobody_but_the_operator_changes_a_configured_client() {
    let flow = flow("app").await;
    register(&flow, "app", "its-token").await;
    let known = flow.bench.app.client("app").await.unwrap().unwrap();
    assert_eq!(known.redirect_uris, ["http://localhost/callback"], "the configuration counts");
    for method in ["GET", "PUT", "DELETE"] {
        let mut request = get("/oauth/register/app");
        *request.method_mut() = method.parse().unwrap();
        request.headers_mut().insert("authorization", "Bearer its-token".parse().unwrap());
        invalid(&flow.bench.public(request).await, UNAUTHORIZED, "invalid_token");
    }
    flow.bench.advance(Duration::from_hours(24 * 200));
    sweep::once(&flow.bench.app).await.unwrap();
    assert_eq!(flow.bench.app.client("app").await.unwrap(), Some(known), "it is not forgotten");
}

/// authsvc, started again with another configuration.
async fn restart(flow: &mut Flow, change: impl FnOnce(&mut Config)) {
    let app = &flow.bench.app;
    let mut config = (*app.config).clone();
    change(&mut config);
    let app = App::open(config, app.clock.clone(), app.random.clone()).await.unwrap();
    clients::end_removed(&app).await.unwrap();
    flow.bench.app = app;
}

async fn is_active(flow: &Flow, token: &str) -> Value {
    let mut request = form("/internal/introspect", &[("token", token)]);
    let bearer = format!("Bearer {SERVICE_SECRET}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    flow.bench.internal(request).await.json()["active"].clone()
}

#[tokio::test]
async fn what_a_configured_client_was_granted_ends_with_it_and_for_good() {
    let mut flow = flow("app").await;
    let code = flow.code(|_code| ()).await;
    let tokens = flow.redeem(&code, &[]).await.json();
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| tokens[name].as_str());
    let (access, refresh) = (access.unwrap(), refresh.unwrap());
    let pending = flow.code(|_code| ()).await;

    restart(&mut flow, |_config| ()).await;
    assert_eq!(is_active(&flow, access).await, json!(true));

    let mut gone = None;
    restart(&mut flow, |config| {
        gone = Some(config.authorization.clients.configured.remove(0));
    })
    .await;
    invalid(&flow.refresh(refresh, &[]).await, UNAUTHORIZED, "invalid_client");
    invalid(&flow.redeem(&pending, &[]).await, UNAUTHORIZED, "invalid_client");
    assert_eq!(is_active(&flow, access).await, json!(false));

    let trail = flow.bench.app.store.audited(0).await.unwrap();
    let [kept] = trail.as_slice() else { panic!("one entry: {trail:?}") };
    assert_eq!((kept.author.as_str(), kept.action.as_str()), ("authsvc", "client.remove"));
    assert_eq!((kept.target.as_deref(), &kept.details["grants"]), (Some("app"), &json!(1)));

    restart(&mut flow, |config| config.authorization.clients.configured.extend(gone)).await;
    flow.refresh_is_dead(refresh).await;
    invalid(&flow.redeem(&pending, &[]).await, BAD, "invalid_grant");
    assert_eq!(is_active(&flow, access).await, json!(false));
}
