//! `GET /`: what this is, for somebody who opens it in a browser.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    pages::{self, STYLE, error::gateway},
    state::App,
};

/// The page. It says no more than the metadata and the refusal of an unknown path.
pub async fn get(State(app): State<App>) -> Response {
    let config = &app.config;
    let page = pages::Home {
        style: STYLE,
        gateway: gateway(config),
        servers: config.servers.iter().map(|server| config.public_url.url(&server.path)).collect(),
    };
    pages::respond(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use crate::testing::{Bench, EMAIL, RESOURCE, get};

    #[tokio::test]
    async fn whoever_opens_the_gateway_is_told_what_it_is_and_nothing_that_is_not_public() {
        let bench = Bench::new().await;
        let page = bench.public(get("/")).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8")
        );
        assert!(
            page.header("content-security-policy").starts_with("default-src 'none'; style-src")
        );
        assert_eq!(page.header("x-frame-options"), "DENY");
        for text in
            [RESOURCE, "href=\"/account\"", "href=\"/.well-known/oauth-authorization-server\""]
        {
            assert!(page.body.contains(text), "{text}: {}", page.body);
        }
        for text in [EMAIL, env!("CARGO_PKG_VERSION"), "127.0.0.1"] {
            assert!(!page.body.contains(text), "{text}: {}", page.body);
        }
        assert!(page.header("set-cookie").is_empty());
    }
}
