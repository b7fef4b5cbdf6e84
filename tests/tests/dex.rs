//! Dex logs people in and issues the tokens.

use anyhow::{Result, ensure};
use attache_tests::{
    certificates::Authority,
    dex::{Connector, NEWEST, OLD, Setup, admin},
    http,
    person::Person,
    stack::fresh_folder,
};
use serde_json::{Value, json};
use url::Url;

/// What Dex itself does with a client that asks it, without us.
async fn logs_in(setup: Setup, person: impl FnOnce(&str) -> Person) -> Result<()> {
    let folder = fresh_folder(None)?;
    let callback = "http://localhost:1/callback";
    let setup = setup.client(json!({
        "id": "direct", "secret": "direct-secret", "name": "Direct", "redirectURIs": [callback],
    }));
    let dex = setup.start(&folder).await?;
    let mut url = Url::parse(&format!("{}/auth", dex.issuer()))?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", "direct")
        .append_pair("redirect_uri", callback)
        .append_pair("scope", "openid")
        .append_pair("state", "a state");
    let returned = person(dex.issuer()).authorize(&url).await?;
    let code = returned.query_pairs().find(|(name, _)| name == "code");
    let (_, code) = code.ok_or_else(|| anyhow::anyhow!("no code: {returned}"))?;
    let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", callback)];
    let answer = http::client().post(format!("{}/token", dex.issuer()));
    let answer = answer.basic_auth("direct", Some("direct-secret")).form(&form).send().await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    let tokens: Value = answer.json().await?;
    ensure!(tokens["id_token"].is_string(), "{tokens}");
    Ok(())
}

#[tokio::test]
async fn people_log_in_at_each_release_of_dex() -> Result<()> {
    for version in [NEWEST, OLD] {
        let setup = Setup::new(&[Connector::Passwords]).version(version);
        logs_in(setup, admin).await?;
        let setup = Setup::new(&[Connector::Passwords, Connector::Mock]).version(version);
        logs_in(setup, |issuer| Person::admin().at(issuer).choosing("/auth/mock")).await?;
        let mut setup = Setup::new(&[Connector::MockPassword]).version(version);
        setup.config["oauth2"]["skipApprovalScreen"] = json!(false);
        let (user, password) = attache_tests::dex::MOCK;
        logs_in(setup, |issuer| Person::new(user, password).at(issuer)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_grpc_api_speaks_tls() -> Result<()> {
    let folder = fresh_folder(None)?;
    let authority = Authority::new(&folder, "authority")?;
    let setup = Setup::new(&[Connector::Mock]);
    let setup = setup.tls(&authority.issue("server")?, Some(authority.certificate()));
    let mut dex = setup.start(&folder).await?;
    dex.restart().await
}
