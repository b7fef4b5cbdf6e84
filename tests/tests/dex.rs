//! Dex logs people in and issues the tokens.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    certificates::Authority,
    dex::{self, Connector, Dex, NEWEST, OLD, Setup, admin},
    http,
    mcp::Mcp,
    oauth::{self, OAuth, REDIRECT_URI, Tokens},
    person::Person,
    stack::{self, Stack, fresh_folder},
    upstream::{Upstream, mcp},
};
use serde_json::{Value, json};
use url::Url;

const SCOPE: &str = "mcp offline_access";
/// With what is looked for again a few seconds later.
const PATIENCE: Duration = Duration::from_secs(30);
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// A gateway before a Dex, and an MCP server.
struct Gateway {
    stack: Stack,
    dex: Dex,
    _server: Upstream,
}

/// The configuration of a gateway before this Dex.
fn before(setup: &Setup, server: &Upstream) -> stack::Setup {
    let mut gateway = stack::Setup::new().server("everything", &server.url("/mcp"));
    gateway.config["authorization"] = setup.authorization();
    gateway.config["service"]["log_level"] = json!("trace");
    gateway
}

impl Gateway {
    async fn start(setup: Setup) -> Result<Self> {
        let server = Upstream::start(mcp::echo).await?;
        let stack = before(&setup, &server);
        let dex = setup.start(&fresh_folder(None)?).await?;
        Ok(Self { stack: stack.start().await?, dex, _server: server })
    }

    fn url(&self) -> String {
        self.stack.url("everything")
    }

    /// The whole way of a client that knows only the URL.
    async fn connect(&self, person: &mut Person) -> Result<(OAuth, Tokens)> {
        let client = OAuth::register(&self.url()).await?;
        let code = client.authorize(person, SCOPE).await?;
        let tokens = client.exchange(&code).await?;
        Ok((client, tokens))
    }

    /// The status with which a list is answered to the bearer of a token.
    async fn opens(&self, token: &str) -> Result<u16> {
        Ok(Mcp::new(&self.url(), Some(token)).post(LIST).await?.status().as_u16())
    }
}

/// The access token is Dex's, for this resource, and its client is one of ours.
fn is_for(token: &str, issuer: &str, resource: &str) -> Result<Value> {
    let (_, claims) = oauth::claims(token)?;
    ensure!(claims["iss"] == issuer, "{claims}");
    let audience = claims["aud"].as_array().with_context(|| format!("one audience: {claims}"))?;
    ensure!(audience.contains(&json!(resource)), "{claims}");
    let party = claims["azp"].as_str().with_context(|| format!("no azp: {claims}"))?;
    ensure!(party.starts_with("attache-"), "{claims}");
    Ok(claims)
}

#[tokio::test]
async fn a_client_that_knows_only_the_url_gets_tokens_of_dex() -> Result<()> {
    for version in [NEWEST, OLD] {
        let gateway = Gateway::start(Setup::new(&[Connector::Passwords]).version(version)).await?;
        let mut person = admin(gateway.dex.issuer());
        let (client, tokens) = gateway.connect(&mut person).await?;
        let question = person.pages.first().context("no page")?;
        ensure!(question.contains("id=\"elsewhere\""), "who agrees is not told where they log in");
        let claims = is_for(&tokens.access, gateway.dex.issuer(), &gateway.url())?;
        ensure!(claims["email"] == dex::EMAIL, "{claims}");
        ensure!(tokens.answer["token_type"] == "Bearer", "{}", tokens.answer);
        ensure!(tokens.answer.get("id_token").is_none(), "{}", tokens.answer);
        ensure!(gateway.opens(&tokens.access).await? == 200, "{version}");
        let event = gateway.stack.event(|event| event["email"] == dex::EMAIL).await?;
        ensure!(event["outcome"] == "ok" && event["subject"] == claims["sub"], "{event}");

        let refresh = tokens.refresh.context("no refresh token")?;
        let next = client.refresh(&refresh).await?;
        is_for(&next.access, gateway.dex.issuer(), &gateway.url())?;
        ensure!(gateway.opens(&next.access).await? == 200, "{version}");

        let log = std::fs::read_to_string(gateway.stack.folder().join("authsvc.log"))?;
        ensure!(log.contains("TRACE"), "{log}");
        ensure!(!log.contains(&tokens.access) && !log.contains(&next.access), "a token is logged");
        gateway.stack.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn two_machines_of_one_user_do_not_log_each_other_out() -> Result<()> {
    let gateway = Gateway::start(Setup::new(&[Connector::Mock])).await?;
    let client = OAuth::register(&gateway.url()).await?;
    let mut refresh = Vec::new();
    for _machine in 0..2 {
        let mut person = admin(gateway.dex.issuer());
        let code = client.authorize(&mut person, SCOPE).await?;
        refresh.push(client.exchange(&code).await?.refresh.context("no refresh token")?);
    }
    for token in refresh {
        let tokens = client.refresh(&token).await?;
        ensure!(gateway.opens(&tokens.access).await? == 200, "refused");
    }
    gateway.stack.stop().await
}

/// What Dex answers to a client of its own; the URL that the browser is sent to.
async fn directly(dex: &Dex, scope: &str) -> Result<Url> {
    let mut url = Url::parse(&format!("{}/auth", dex.issuer()))?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", "foreign")
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("scope", scope);
    admin(dex.issuer()).authorize(&url).await
}

#[tokio::test]
async fn a_token_of_another_client_of_dex_opens_nothing() -> Result<()> {
    let foreign = json!({
        "id": "foreign", "secret": "foreign-secret", "name": "Foreign", "redirectURIs": [REDIRECT_URI],
    });
    let gateway = Gateway::start(Setup::new(&[Connector::Mock]).client(foreign)).await?;
    let (_, ours) = gateway.connect(&mut admin(gateway.dex.issuer())).await?;
    ensure!(gateway.opens(&ours.access).await? == 200, "ours is refused");

    let url = directly(&gateway.dex, "openid email").await?;
    let (_, code) =
        url.query_pairs().find(|(name, _)| name == "code").with_context(|| format!("{url}"))?;
    let form =
        [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", REDIRECT_URI)];
    let answer = http::client().post(format!("{}/token", gateway.dex.issuer()));
    let answer = answer.basic_auth("foreign", Some("foreign-secret")).form(&form).send().await?;
    let theirs: Value = answer.json().await?;
    for token in ["access_token", "id_token"] {
        let token = theirs[token].as_str().with_context(|| format!("{theirs}"))?;
        ensure!(gateway.opens(token).await? == 401, "another client's token is taken");
    }

    let forged = format!("openid audience:server:client_id:{}", gateway.url());
    let url = directly(&gateway.dex, &forged).await?;
    ensure!(url.query().unwrap_or_default().contains("error=invalid_scope"), "{url}");
    gateway.stack.stop().await
}

#[tokio::test]
async fn a_dex_that_is_down_costs_nothing_but_time() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new(&[Connector::Mock]);
    let stack = before(&setup, &server).start().await?;
    // Discovery and registration need no Dex; a login does.
    let client = OAuth::register(&stack.url("everything")).await?;
    let told = client.authorize(&mut admin(setup.issuer()), SCOPE).await;
    let told = told.err().context("somebody was let in")?.to_string();
    ensure!(told.contains("503") && told.contains("does not answer just now"), "{told}");

    let mut dex = setup.start(stack.folder()).await?;
    let gateway = async |dex: &Dex| {
        let code = client.authorize(&mut admin(dex.issuer()), SCOPE).await?;
        client.exchange(&code).await
    };
    let tokens =
        stack::eventually(std::time::Duration::from_secs(30), async || gateway(&dex).await);
    let tokens = tokens.await?;
    let refresh = tokens.refresh.context("no refresh token")?;

    dex.stop().await?;
    let refused = client.refresh(&refresh).await.err().context("it was refreshed")?.to_string();
    ensure!(refused.contains("503") && refused.contains("temporarily_unavailable"), "{refused}");

    // It comes back with nothing in its memory: that grant is over, and the next one is as ever.
    dex.restart().await?;
    let refused = client.refresh(&refresh).await.err().context("it was refreshed")?.to_string();
    ensure!(refused.contains("400") && refused.contains("invalid_grant"), "{refused}");
    // Its keys are others, too, and are looked for again after some seconds, here and in Envoy.
    let tokens = stack::eventually(PATIENCE, async || gateway(&dex).await).await?;
    let mcp = Mcp::new(&stack.url("everything"), Some(&tokens.access));
    stack::eventually(PATIENCE, async || {
        let status = mcp.post(LIST).await?.status();
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await?;
    stack.stop().await
}

#[tokio::test]
async fn over_mutual_tls_and_with_doctor() -> Result<()> {
    let folder = fresh_folder(None)?;
    let [authority, other] = ["authority", "other"].map(|name| Authority::new(&folder, name));
    let (authority, other) = (authority?, other?);
    let setup = Setup::new(&[Connector::Mock]);
    let setup = setup.tls(&authority.issue("server")?, Some(authority.certificate()));
    let server = Upstream::start(mcp::echo).await?;
    let dex = setup.clone().start(&folder).await?;
    for (client, good) in [(authority.issue("client")?, true), (other.issue("stranger")?, false)] {
        let mut gateway = before(&setup, &server);
        gateway.config["authorization"]["dex"]["grpc"]["tls"] = json!({
            "ca": authority.certificate(), "certificate": client.certificate, "private_key": client.key,
        });
        let stack = gateway.start().await?;
        let client = OAuth::register(&stack.url("everything")).await?;
        let authorized = client.authorize(&mut admin(dex.issuer()), SCOPE).await;
        let doctor = stack.operate(&["doctor"], "");
        let doctor = doctor.unwrap_or_else(|error| error.to_string());
        let line = doctor.lines().find(|line| line.contains("  dex  ")).unwrap_or(&doctor);
        if good {
            client.exchange(&authorized?).await?;
            ensure!(
                line.starts_with("ok") && line.contains("over TLS with our certificate"),
                "{doctor}"
            );
        } else {
            ensure!(authorized.is_err(), "Dex takes any certificate");
            ensure!(line.starts_with("failed"), "{doctor}");
        }
        stack.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_does_not_agree_is_denied_before_dex_and_who_says_no_at_dex_may_go_back() -> Result<()>
{
    let mut setup = Setup::new(&[Connector::Mock]);
    setup.config["oauth2"]["skipApprovalScreen"] = json!(false);
    let gateway = Gateway::start(setup).await?;
    let issuer = gateway.dex.issuer();
    let client = OAuth::register(&gateway.url()).await?;
    let url = client.authorization_url(SCOPE, "s")?;

    // Our question is the first, and its no goes to the application.
    let mut person = admin(issuer).refusing("deny");
    let back = person.authorize(&url).await?;
    let said = |name: &str| back.query_pairs().find(|(other, _)| other == name);
    ensure!(said("error").is_some_and(|(_, code)| code == "access_denied"), "{back}");
    ensure!(said("state").is_some() && said("iss").is_some(), "{back}");
    ensure!(!person.visited.iter().any(|url| url.as_str().starts_with(issuer)), "they were there");

    // Dex' own question, where it is not switched off, has a no that ends on a page of Dex.
    let mut person = admin(issuer).refusing("rejected");
    let ended = person.authorize(&url).await.err().context("let in")?.to_string();
    ensure!(ended.contains("500") && ended.contains("Approval rejected"), "{ended}");
    // The way back is that of the browser: our question is still there, and good for another way.
    let question = person.visited.iter().find(|url| url.path() == "/oauth/consent");
    let question = question.context("no question")?.clone();
    let mut person = person.agreeing();
    let back = person.authorize(&question).await?;
    let (_, code) =
        back.query_pairs().find(|(name, _)| name == "code").with_context(|| format!("{back}"))?;
    let tokens = client.exchange(&code).await?;
    ensure!(gateway.opens(&tokens.access).await? == 200, "refused");
    ensure!(person.pages.iter().any(|page| page.contains("Grant Access")), "Dex did not ask");
    gateway.stack.stop().await
}

/// Their own page, in a browser that no application has sent.
#[tokio::test]
async fn people_sign_in_to_their_own_page_at_dex() -> Result<()> {
    let gateway = Gateway::start(Setup::new(&[Connector::Passwords])).await?;
    gateway.connect(&mut admin(gateway.dex.issuer())).await?;
    let page = format!("{}/account", gateway.stack.public_url()).parse()?;
    let page = admin(gateway.dex.issuer()).reach(&page, "id=\"account\"").await?;
    ensure!(page.contains(dex::EMAIL), "{page}");
    ensure!(page.contains("name=\"client\""), "what was let in is not listed: {page}");
    gateway.stack.stop().await
}

/// One registration, and another port each time that the program runs (RFC 8252 section 7.3).
#[tokio::test]
async fn a_native_client_waits_at_another_port_each_time() -> Result<()> {
    let gateway = Gateway::start(Setup::new(&[Connector::Mock])).await?;
    let issuer = gateway.dex.issuer();
    let registered = OAuth::register_for(&gateway.url(), "http://127.0.0.1:49152/callback").await?;
    let at = |redirect_uri: &str| {
        let mut client = registered.clone();
        redirect_uri.clone_into(&mut client.redirect_uri);
        client
    };
    let (one, other) =
        (at("http://127.0.0.1:49153/callback"), at("http://127.0.0.1:50001/callback"));
    // Two of them at the same time.
    let (mut here, mut there) = (admin(issuer), admin(issuer));
    let codes =
        tokio::try_join!(one.authorize(&mut here, SCOPE), other.authorize(&mut there, SCOPE))?;
    for (client, code) in [(&one, &codes.0), (&other, &codes.1)] {
        let tokens = client.exchange(code).await?;
        is_for(&tokens.access, issuer, &gateway.url())?;
        ensure!(gateway.opens(&tokens.access).await? == 200, "{}", client.redirect_uri);
        let next = client.refresh(&tokens.refresh.context("no refresh token")?).await?;
        ensure!(gateway.opens(&next.access).await? == 200, "{}", client.redirect_uri);
    }
    // A code is for the port where it was waited for.
    let code = one.authorize(&mut admin(issuer), SCOPE).await?;
    let refused = other.exchange(&code).await.err().context("a code for another port")?;
    ensure!(refused.to_string().contains("invalid_grant"), "{refused}");
    // Only the port is free.
    for uri in [
        "http://127.0.0.1:49153/elsewhere",
        "http://localhost:49153/callback",
        "http://[::1]:49153/callback",
        "https://127.0.0.1:49153/callback",
    ] {
        let mut person = admin(issuer);
        let refused = at(uri).authorize(&mut person, SCOPE).await.err().context("let in")?;
        ensure!(refused.to_string().contains("400"), "{uri}: {refused}");
        ensure!(person.visited.len() == 1, "{uri} leads somewhere");
    }
    gateway.stack.stop().await
}

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
