//! Each server gets what its configuration says: credentials, the caller's token or none, callers without one.

use anyhow::Result;
use attache_tests::{
    http,
    mcp::Mcp,
    oauth,
    stack::{PASSWORD, SERVICE_SECRET, Setup},
    upstream::{Answer, Seen, Upstream, mcp},
};
use serde_json::{Value, json};

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

#[tokio::test]
async fn a_server_gets_its_own_credentials_and_not_the_callers() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let credentials = json!({"header": "x-api-key", "value": "the key, 100% of it"});
    let keyed =
        json!({"name": "keyed", "url": server.url("/deep/mcp"), "credentials": credentials});
    let stack = Setup::new().server_with(keyed).start().await?;
    let url = stack.url("keyed");
    let (_, tokens) = oauth::connect(&url).await?;
    let answer = Mcp::new(&url, Some(&tokens.access)).post(PING).await?;
    assert_eq!(answer.status(), 200);
    let seen = server.seen();
    let request = seen.last().expect("a request");
    assert_eq!(request.path, "/deep/mcp");
    assert_eq!(request.header("host"), Some(server.address().to_string().as_str()));
    assert_eq!(request.header("x-api-key"), Some("the key, 100% of it"));
    assert_eq!(request.header("authorization"), None);
    Ok(())
}

/// Takes one `AccessToken` and refuses everything else with a challenge of its own.
fn self_reliant(challenge: &'static str) -> impl Fn(&Seen) -> Answer {
    move |request| {
        if request.header("authorization") == Some("AccessToken theirs") {
            return mcp::echo(request);
        }
        let body = r#"{"error":"unauthorized"}"#;
        Answer::json(body).with_status(401).header("www-authenticate", challenge)
    }
}

#[tokio::test]
async fn a_server_that_checks_callers_itself_gets_their_credentials_and_never_ours() -> Result<()> {
    const EVIL: &str = r#"Bearer resource_metadata="http://169.254.169.254/latest""#;
    const THEIRS: &str =
        r#"Bearer resource_metadata="https://id.example.com/.well-known/x", scope="read""#;
    let (phishing, honest) =
        (Upstream::start(self_reliant(EVIL)).await?, Upstream::start(self_reliant(THEIRS)).await?);
    let stack = Setup::new()
        .server_with(json!({"name": "both", "url": phishing.url("/mcp"), "foreign_schemes": ["AccessToken"]}))
        .server_with(json!({"name": "own", "url": honest.url("/mcp"), "authentication": "none", "foreign_schemes": ["AccessToken", "Bearer"]}))
        .server_with(json!({"name": "astray", "url": phishing.url("/mcp"), "authentication": "none", "foreign_schemes": ["Bearer"]}))
        .start()
        .await?;
    let post = async |server: &str, authorization: Option<&str>| {
        let request = http::client()
            .post(stack.url(server))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#);
        match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
        .send()
        .await
    };
    let challenge = |answer: &reqwest::Response| {
        let all = answer.headers().get_all("www-authenticate").iter();
        all.map(|value| value.to_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };

    for server in ["both", "own"] {
        let answer = post(server, Some("AccessToken theirs")).await?;
        assert_eq!(answer.status(), 200, "{server}");
    }
    for seen in phishing.take().iter().chain(&honest.take()) {
        assert_eq!(seen.header("authorization"), Some("AccessToken theirs"));
    }
    let event = stack.event(|event| event["method"] == "tools/list").await?;
    assert!(event.get("subject").is_none() && event.get("client_id").is_none(), "{event}");

    // The server says no, and would send the client anywhere: it is sent to us.
    let answer = post("both", Some("AccessToken wrong")).await?;
    assert_eq!(answer.status(), 401);
    let metadata = format!("{}/.well-known/oauth-protected-resource/both/mcp", stack.public_url());
    let ours = format!(r#"Bearer resource_metadata="{metadata}", scope="mcp""#);
    assert_eq!(challenge(&answer), [ours]);
    assert_eq!(answer.text().await?, r#"{"error":"unauthorized"}"#);
    // What is not listed never gets there.
    drop(phishing.take());
    assert_eq!(post("both", Some("Basic YTpi")).await?.status(), 401);
    assert_eq!(post("both", None).await?.status(), 401);
    assert!(phishing.take().is_empty());

    let (_, tokens) = oauth::connect(&stack.url("both")).await?;
    let bearer = format!("Bearer {}", tokens.access);
    for server in ["both", "own"] {
        drop(phishing.take());
        drop(honest.take());
        assert_eq!(post(server, Some(&bearer)).await?.status(), 401, "the server's own");
        let seen: Vec<Seen> = phishing.take().into_iter().chain(honest.take()).collect();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen.first().and_then(|seen| seen.header("authorization")), None);
    }

    assert_eq!(challenge(&post("own", Some("Bearer wrong")).await?), [THEIRS]);
    assert_eq!(challenge(&post("astray", None).await?), ["Bearer"]);
    assert_eq!(stack.statistic("wasmcustom.attache_panics").await?, 0);
    stack.stop().await
}

#[tokio::test]
async fn a_server_neither_sees_nor_speaks_for_the_origin_it_shares_with_us() -> Result<()> {
    let ours = [
        ("set-cookie", "__Host-session=theirs; Secure; Path=/"),
        ("clear-site-data", "\"*\""),
        ("service-worker-allowed", "/"),
        ("strict-transport-security", "max-age=31536000"),
        ("alt-svc", "h2=\"elsewhere.example:443\""),
        ("nel", "{}"),
        ("report-to", "{}"),
        ("reporting-endpoints", "default=\"https://elsewhere.example\""),
    ];
    let page = "<script>parent.postMessage(document.cookie, '*')</script>";
    let server = Upstream::start(move |_| {
        let answer =
            Answer::json(page).header("x-theirs", "kept").header("x-frame-options", "DENY");
        ours.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
    })
    .await?;
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none"});
    let stack = Setup::new().server_with(open).start().await?;
    let request = http::client().get(stack.url("open")).header("cookie", "__Host-session=secret");
    let answer = request.send().await?;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    for (name, _) in ours {
        assert!(!headers.contains_key(name), "{name} reaches the browser");
    }
    assert_eq!(headers["x-theirs"], "kept");
    assert_eq!(headers["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await?, page, "the bytes are the server's");
    assert_eq!(server.seen()[0].header("cookie"), None);
    Ok(())
}

#[tokio::test]
async fn a_server_that_asks_for_no_token_gets_none_of_ours() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none"});
    let setup = Setup::new().server("closed", &server.url("/mcp")).server_with(open);
    let stack = setup.start().await?;
    let (_, tokens) = oauth::connect(&stack.url("closed")).await?;
    for (token, reaches) in [(tokens.access.as_str(), false), ("a-token-of-the-server", true)] {
        let answer = Mcp::new(&stack.url("open"), Some(token)).post(PING).await?;
        assert_eq!(answer.status(), 200);
        let seen = server.seen();
        let authorization = seen.last().expect("a request").header("authorization");
        assert_eq!(authorization.is_some(), reaches, "{authorization:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_caller_cannot_bring_the_servers_credentials() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let credentials = json!({"header": "x-api-key", "value": "ours"});
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none", "credentials": credentials});
    let stack = Setup::new().server_with(open).start().await?;
    let request = http::client().post(stack.url("open")).header("content-type", "application/json");
    let answer = request.header("x-api-key", "theirs").body(PING).send().await?;
    assert_eq!(answer.status(), 200);
    let keys: Vec<_> =
        server.seen()[0].headers.iter().filter(|(name, _)| name == "x-api-key").cloned().collect();
    assert_eq!(keys, [("x-api-key".to_owned(), b"ours".to_vec())]);
    Ok(())
}

#[tokio::test]
async fn a_server_cannot_take_a_header_of_the_caller_for_one_of_ours() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let credentials = json!({"header": "x-api-key", "value": "ours"});
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none", "credentials": credentials});
    let stack = Setup::new().server_with(open).start().await?;
    let request = http::client().post(stack.url("open")).header("content-type", "application/json");
    let request = request.header("x_api_key", "theirs").header("Mcp-Param-user_id", "7");
    assert_eq!(request.body(PING).send().await?.status(), 200);
    let seen = server.seen();
    assert_eq!(seen[0].header("x_api_key"), None);
    assert_eq!(seen[0].header("mcp-param-user_id"), Some("7"));
    Ok(())
}

#[tokio::test]
async fn a_caller_cannot_speak_to_a_server_in_the_name_of_its_proxy() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let open = json!({"name": "open", "url": server.url("/mcp"), "authentication": "none"});
    let stack = Setup::new().server_with(open).start().await?;
    let claims = [
        ("forwarded", "for=127.0.0.1;host=admin.example"),
        ("proxy-authorization", "Basic eDp4"),
        ("x-forwarded-host", "admin.example"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-server", "admin.example"),
        ("x-http-method", "DELETE"),
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-original-host", "admin.example"),
        ("x-original-url", "/admin"),
        ("x-real-ip", "127.0.0.1"),
        ("x-rewrite-url", "/admin"),
    ];
    let request = http::client().post(stack.url("open")).header("content-type", "application/json");
    let request =
        claims.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    assert_eq!(request.header("x-mine", "kept").body(PING).send().await?.status(), 200);
    let seen = server.seen();
    for (name, _) in claims {
        assert_eq!(seen[0].header(name), None, "{name}");
    }
    assert_eq!(seen[0].header("x-mine"), Some("kept"));
    Ok(())
}

#[tokio::test]
async fn a_server_may_speak_http_2() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let two = json!({"name": "two", "url": server.url("/mcp"), "http_version": "2"});
    let stack = Setup::new().server_with(two).start().await?;
    let url = stack.url("two");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    let tools = session.tools().await?;
    assert!(tools[0]["inputSchema"]["properties"]["attache_intent"].is_object(), "{tools:?}");
    let arguments = json!({"text": "x", "attache_intent": "to see it over HTTP/2"});
    let answer = session.call("echo", arguments).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let seen = server.seen();
    assert!(seen.iter().all(|request| request.version == reqwest::Version::HTTP_2));
    let call = seen.last().expect("a request").json();
    assert_eq!(call["params"]["arguments"], json!({"text": "x"}));
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_the_tokens_audience_may_be_given_it() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let audience = json!({"name": "audience", "url": server.url("/mcp"), "forward_token": true});
    let stack = Setup::new().server_with(audience).start().await?;
    let url = stack.url("audience");
    let (_, tokens) = oauth::connect(&url).await?;
    assert_eq!(Mcp::new(&url, Some(&tokens.access)).post(PING).await?.status(), 200);
    let bearer = format!("Bearer {}", tokens.access);
    assert_eq!(server.seen()[0].header("authorization"), Some(bearer.as_str()));
    Ok(())
}

#[tokio::test]
async fn where_a_token_is_optional_none_is_welcome_and_a_bad_one_is_not() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let optional =
        json!({"name": "optional", "url": server.url("/mcp"), "authentication": "optional"});
    let mut setup = Setup::new().server_with(optional);
    setup.config["authorization"]["embedded"]["signing"] = json!("ES256");
    let stack = setup.start().await?;
    let url = stack.url("optional");
    assert_eq!(Mcp::new(&url, None).post(PING).await?.status(), 200);
    assert_eq!(Mcp::new(&url, Some("nonsense")).post(PING).await?.status(), 401);
    assert_eq!(server.seen().len(), 1, "a refused request reached the server");
    Ok(())
}

#[tokio::test]
async fn tokens_signed_with_es256_are_as_good() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let mut setup = Setup::new().server("everything", &server.url("/mcp"));
    setup.config["authorization"]["embedded"]["signing"] = json!("ES256");
    setup.workers = 2;
    let stack = setup.start().await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let (header, _) = oauth::claims(&tokens.access)?;
    assert_eq!(header["alg"], "ES256");
    // Connections of their own, so that both workers meet the token.
    for turn in 0..8 {
        let answer = Mcp::new(&url, Some(&tokens.access)).post(PING).await?;
        assert_eq!(answer.status(), 200, "request {turn}");
    }
    Ok(())
}

#[tokio::test]
async fn metadata_is_where_the_specifications_put_it_and_nowhere_else() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("one", &server.url("/mcp")).server("two", &server.url("/mcp"));
    let stack = setup.start().await?;
    let get = async |path: &str| -> Result<(u16, Value)> {
        let answer = http::client().get(format!("{}{path}", stack.public_url())).send().await?;
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        assert!(kind.starts_with("application/json"), "{path}: {kind}");
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    for name in ["one", "two"] {
        let (status, document) =
            get(&format!("/.well-known/oauth-protected-resource/{name}/mcp")).await?;
        assert_eq!(status, 200);
        assert_eq!(document["resource"], json!(stack.url(name)));
        assert_eq!(document["authorization_servers"], json!([stack.public_url()]));
    }
    let (_, oauth) = get("/.well-known/oauth-authorization-server").await?;
    let (_, openid) = get("/.well-known/openid-configuration").await?;
    for document in [&oauth, &openid] {
        assert_eq!(document["issuer"], stack.public_url());
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    }
    let (_, keys) = get("/oauth/jwks.json").await?;
    assert!(keys["keys"].as_array().is_some_and(|keys| !keys.is_empty()), "{keys}");
    assert!(!keys.to_string().contains(r#""d":"#), "a private key is published");
    for elsewhere in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/three/mcp",
        "/.well-known/oauth-protected-resource/one/mcp/",
        "/.well-known/oauth-authorization-server/one/mcp",
        "/one/mcp/.well-known/openid-configuration",
    ] {
        assert_eq!(get(elsewhere).await?.0, 404, "{elsewhere}");
    }
    Ok(())
}

#[tokio::test]
async fn the_access_log_says_what_was_called_and_how_it_ended() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let url = stack.url("everything");
    let (_, tokens) = oauth::connect(&url).await?;
    let session = Mcp::initialized(&url, &tokens.access).await?;
    session.call("echo", json!({"text": "x"})).await?;
    assert_eq!(Mcp::new(&url, None).post(PING).await?.status(), 401);
    stack.event(|event| event["outcome"] == "unauthenticated").await?;
    let folder = stack.folder().to_owned();
    stack.stop().await?;
    let log = std::fs::read_to_string(folder.join("envoy.log"))?;
    let said =
        |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    let call = [r#""mcp_server":"everything""#, r#""mcp_tool":"echo""#, r#""mcp_outcome":"ok""#];
    assert!(said(&call), "{log}");
    assert!(said(&[r#""status":401"#, r#""mcp_outcome":"unauthenticated""#]), "{log}");
    Ok(())
}

#[tokio::test]
async fn nothing_secret_is_logged_and_the_inside_is_closed() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let stack = Setup::new().server("everything", &server.url("/mcp")).start().await?;
    let url = stack.url("everything");
    let (client, tokens) = oauth::connect(&url).await?;
    let refresh = tokens.refresh.clone().expect("a refresh token");
    client.refresh(&refresh).await?;
    assert_eq!(Mcp::new(&url, Some(&tokens.access)).post(PING).await?.status(), 200);
    for secret in [None, Some(""), Some("wrong"), Some(&tokens.access)] {
        for method in ["GET", "POST"] {
            let events = format!("{}/internal/events", stack.internal_url());
            let mut request = http::client().request(method.parse()?, events).body("{}");
            if let Some(secret) = secret {
                request = request.bearer_auth(secret);
            }
            assert_eq!(request.send().await?.status(), 401, "{method} with {secret:?}");
        }
    }
    let folder = stack.folder().to_owned();
    stack.stop().await?;
    for log in ["authsvc.log", "envoy.log"] {
        let text = std::fs::read_to_string(folder.join(log))?;
        assert!(!text.is_empty(), "{log} says nothing");
        for secret in [PASSWORD, SERVICE_SECRET, &tokens.access, &refresh] {
            let shown = text.lines().find(|line| line.contains(secret));
            assert_eq!(shown, None, "{log} shows a secret");
        }
    }
    Ok(())
}
