//! What the clients of vendors send, byte by byte as they were seen: each fails here where that client would fail.
//!
//! The programs themselves cannot be run in a test: they are behind logins, or closed.

mod known;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use known::{Asked, Found, Known, granted};

/// Claude on the web: asks for every scope that the server lists, from a web address that it shares with everybody.
#[tokio::test]
async fn claude_on_the_web() -> Result<()> {
    let known = Known::start().await?;
    let redirect_uri = "https://claude.ai/api/mcp/auth_callback";
    let scope = known.every_scope();
    let body = json!({
        "client_name": "Claude", "redirect_uris": [redirect_uri], "scope": scope,
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    // It takes documents for ids only where `none` is offered, too; else it registers.
    let methods = &known.metadata["token_endpoint_auth_methods_supported"];
    ensure!(methods.as_array().is_some_and(|all| all.contains(&json!("none"))), "{methods}");
    let registered = known.register(&body).await?;
    ensure!(registered["token_endpoint_auth_method"] == "none", "{registered}");
    let more = vec![("scope", scope.as_str()), ("resource", known.url.as_str())];
    known.connects(&Asked { registered: &registered, redirect_uri, more }).await?;

    // It registers anew at every connection: still the same client, not a million of them.
    let again = known.register(&body).await?;
    ensure!(again["client_id"] == registered["client_id"], "{again}");
    known.stack.stop().await
}

/// As it was before: a scope that no server knows, a secret, the other of its two addresses.
#[tokio::test]
async fn claude_with_a_secret_and_a_scope_of_its_own() -> Result<()> {
    let known = Known::start().await?;
    let redirect_uri = "https://claude.com/api/mcp/auth_callback";
    let body = json!({
        "client_name": "Claude", "redirect_uris": [redirect_uri], "scope": "claudeai",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let registered = known.register(&body).await?;
    ensure!(registered["token_endpoint_auth_method"] == "client_secret_post", "{registered}");
    let more = vec![("scope", "claudeai"), ("resource", known.url.as_str())];
    let tokens = known.connects(&Asked { registered: &registered, redirect_uri, more }).await?;
    ensure!(tokens["scope"] == known.its_scopes(), "granted: {}", tokens["scope"]);
    known.stack.stop().await
}

/// Claude Code: `localhost`, another port each time, and several processes with one refresh token.
#[tokio::test]
async fn claude_code() -> Result<()> {
    let known = Known::start().await?;
    let body = json!({
        "client_name": "Claude Code (everything)", "redirect_uris": ["http://localhost:52431/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let registered = known.register(&body).await?;
    let scope = format!("{} offline_access", known.its_scopes());
    let more = vec![("scope", scope.as_str()), ("resource", known.url.as_str())];
    let redirect_uri = "http://localhost:61007/callback";
    let client = Asked { registered: &registered, redirect_uri, more };
    let tokens = known.connects(&client).await?;

    // `connects` has used it; this process does not know that.
    let refresh = tokens["refresh_token"].as_str().context("no refresh token")?;
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh)];
    form.extend(client.authentication()?);
    let (one, other) = tokio::try_join!(known.token(&form), known.token(&form))?;
    for answer in [one, other] {
        known.calls(&granted(answer).await?).await?;
    }

    // What its document for ids says, as a registration: no port at all.
    let portless = json!(["http://localhost/callback", "http://127.0.0.1/callback"]);
    let body = json!({"client_name": "Claude Code", "redirect_uris": portless});
    let registered = known.register(&body).await?;
    let more = vec![("scope", scope.as_str()), ("resource", known.url.as_str())];
    let redirect_uri = "http://127.0.0.1:61008/callback";
    known.connects(&Asked { registered: &registered, redirect_uri, more }).await?;
    known.stack.stop().await
}

/// ChatGPT: an address for each connector, and a `scope` that is there and empty.
#[tokio::test]
async fn chatgpt() -> Result<()> {
    let known = Known::start().await?;
    ensure!(known.metadata["code_challenge_methods_supported"] == json!(["S256"]));
    let ways = [
        ("https://chatgpt.com/connector/oauth/7Xv0pQ2mT1aK", Some("")),
        ("https://chatgpt.com/connector_platform_oauth_redirect", None),
    ];
    for (redirect_uri, scope) in ways {
        let body = json!({
            "client_name": "ChatGPT", "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let registered = known.register(&body).await?;
        let mut more = vec![("resource", known.url.as_str())];
        more.extend(scope.map(|scope| ("scope", scope)));
        let asked = Asked { registered: &registered, redirect_uri, more };
        let tokens = known.connects(&asked).await.with_context(|| redirect_uri.to_owned())?;
        ensure!(tokens["scope"] == known.its_scopes(), "granted: {}", tokens["scope"]);
    }
    known.stack.stop().await
}

/// VS Code: four addresses, of which the last may turn out to have another port; a grant that we do not have.
#[tokio::test]
async fn vs_code() -> Result<()> {
    let known = Known::start().await?;
    // It asks by the path of the server first.
    known
        .looks(&[
            ("/.well-known/oauth-authorization-server/everything/mcp", Found::Nothing),
            ("/.well-known/oauth-authorization-server", Found::Metadata),
        ])
        .await?;
    let body = json!({
        "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect",
            "http://127.0.0.1/", "http://127.0.0.1:33418/",
        ],
        "grant_types": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_types": ["code"], "token_endpoint_auth_method": "none",
        "application_type": "native", "scope": known.its_scopes(),
    });
    let registered = known.register(&body).await?;
    let scope = known.its_scopes();
    for redirect_uri in
        ["http://127.0.0.1:33418/", "http://127.0.0.1:49811/", "https://vscode.dev/redirect"]
    {
        let more = vec![("scope", scope.as_str()), ("resource", known.url.as_str())];
        let asked = Asked { registered: &registered, redirect_uri, more };
        known.connects(&asked).await.with_context(|| redirect_uri.to_owned())?;
    }
    known.stack.stop().await
}

/// Cursor: three addresses at once, one of which no browser can open.
#[tokio::test]
async fn cursor() -> Result<()> {
    let known = Known::start().await?;
    let uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ];
    let body = json!({
        "client_name": "Cursor", "redirect_uris": uris, "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    });
    let registered = known.register(&body).await?;
    for redirect_uri in uris {
        let more = vec![("resource", known.url.as_str())];
        let asked = Asked { registered: &registered, redirect_uri, more };
        known.connects(&asked).await.with_context(|| redirect_uri.to_owned())?;
    }
    known.stack.stop().await
}

/// Codex: the scopes of the authorization server, `iss` to the letter, and sometimes no `resource` at all.
#[tokio::test]
async fn codex() -> Result<()> {
    let known = Known::start().await?;
    known
        .looks(&[
            ("/.well-known/oauth-authorization-server/everything/mcp", Found::Nothing),
            ("/everything/mcp/.well-known/oauth-authorization-server", Found::Nothing),
            ("/.well-known/openid-configuration/everything/mcp", Found::Nothing),
            ("/.well-known/oauth-authorization-server", Found::Metadata),
            ("/.well-known/openid-configuration", Found::Metadata),
        ])
        .await?;
    let body = json!({
        "client_name": "Codex", "redirect_uris": ["http://127.0.0.1:40123/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "application_type": "native",
    });
    let registered = known.register(&body).await?;
    let scope = known.every_scope();
    for resource in [Some(known.url.as_str()), None] {
        let mut more = vec![("scope", scope.as_str())];
        more.extend(resource.map(|resource| ("resource", resource)));
        let redirect_uri = "http://127.0.0.1:40977/callback";
        known.connects(&Asked { registered: &registered, redirect_uri, more }).await?;
    }
    known.stack.stop().await
}

/// URL libraries write the same URL differently; a slash after a path is another URL.
#[tokio::test]
async fn a_resource_is_read_as_a_url_is() -> Result<()> {
    let known = Known::start().await?;
    let redirect_uri = "http://127.0.0.1:40123/callback";
    let registered = known.register(&json!({"redirect_uris": [redirect_uri]})).await?;
    let loud = known.url.replace("http://localhost", "HTTP://LocalHost");
    let slash = format!("{}/", known.url);
    let asked = |resource| {
        let more = vec![("resource", resource)];
        Asked { registered: &registered, redirect_uri, more }
    };
    known.connects(&asked(loud.as_str())).await?;
    let back = known.back(&asked(slash.as_str())).await?;
    ensure!(back.query_pairs().any(|pair| pair == ("error".into(), "invalid_target".into())));
    known.stack.stop().await
}
