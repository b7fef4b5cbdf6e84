//! A browser without scripts, and the clients that send people to us.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
};
use url::Url;

use crate::{
    sessions::digest,
    store::{
        clients::{AuthMethod, Client, Identity},
        codes::{Code, Redemption},
        consents::Parties,
    },
    testing::{Answer, Bench, EMAIL, PASSWORD, PUBLIC_URL, RESOURCE, form, get},
    users,
};

/// A client with a web site.
pub(crate) const WEB: &str = "web-client";
/// Its redirect URI.
pub(crate) const WEB_REDIRECT: &str = "https://client.example/callback";
/// A client on the user's machine.
pub(crate) const LOOPBACK: &str = "loopback-client";
/// Where it listens this time; its registration names no port.
pub(crate) const LOOPBACK_REDIRECT: &str = "http://localhost:53412/callback";
/// A client with a scheme of its own.
pub(crate) const PRIVATE: &str = "private-client";
/// Its redirect URI.
pub(crate) const PRIVATE_REDIRECT: &str = "cursor://anysphere.cursor-mcp/oauth/callback";
/// The example of RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Keeps cookies; says of its forms what a browser says.
pub(crate) struct Browser<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) fetch_site: Option<&'static str>,
    pub(crate) origin: Option<&'static str>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        // What Chromium sends with a form of a page that has `Referrer-Policy: no-referrer`.
        Self {
            bench,
            cookies: BTreeMap::new(),
            fetch_site: Some("same-origin"),
            origin: Some("null"),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(get(path)).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = form(path, fields);
        let headers = request.headers_mut();
        if let Some(site) = self.fetch_site {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
        }
        if let Some(origin) = self.origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        self.send(request).await
    }

    /// Sends a form with what the page has hidden in it.
    pub(crate) async fn submit(
        &mut self,
        page: &Answer,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let (interaction, csrf) = (hidden(page, "interaction"), hidden(page, "csrf"));
        let own = [("interaction", interaction.as_str()), ("csrf", csrf.as_str())];
        self.post(path, &[&own, fields].concat()).await
    }

    pub(crate) async fn log_in(&mut self, page: &Answer, password: &str) -> Answer {
        self.submit(page, "/oauth/login", &[("email", EMAIL), ("password", password)]).await
    }

    pub(crate) async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        self.submit(page, "/oauth/consent", &[("decision", decision)]).await
    }

    /// Follows redirects on our own origin; the page or the redirect elsewhere.
    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..5 {
            if !answer.header("location").starts_with('/') {
                return answer;
            }
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            let location = answer.header("location").to_owned();
            answer = self.get(&location).await;
        }
        panic!("redirects go round in circles: {answer:?}");
    }

    /// Opens an authorization request and logs in where asked: the consent page, or the redirect to the client.
    pub(crate) async fn arrive(&mut self, request: &[(&str, &str)]) -> Answer {
        let answer = self.get(&url(request)).await;
        let answer = self.follow(answer).await;
        if answer.body.contains("id=\"password\"") {
            let answer = self.log_in(&answer, PASSWORD).await;
            return self.follow(answer).await;
        }
        answer
    }

    async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let pairs: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            request.headers_mut().insert(header::COOKIE, pairs.join("; ").try_into().unwrap());
        }
        let answer = self.bench.public(request).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let (name, value) =
                line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// Three clients, as registration would have kept them.
pub(crate) async fn register(bench: &Bench) {
    client(bench, WEB, Some("Web Client"), &[WEB_REDIRECT]).await;
    client(bench, LOOPBACK, Some("Claude Code"), &["http://localhost/callback"]).await;
    client(bench, PRIVATE, Some("Cursor"), &[PRIVATE_REDIRECT]).await;
}

/// The clients, and [`EMAIL`] has agreed to something at the web site: errors go there without a page.
pub(crate) async fn register_known(bench: &Bench) {
    register(bench).await;
    let sub = users::sub(&bench.app.config, EMAIL);
    let parties = Parties { sub: &sub, client_id: WEB, redirect_host: "client.example" };
    let (resources, scopes) = ([RESOURCE.to_owned()], ["another".to_owned()]);
    bench.app.store.remember_consent(parties, &resources, &scopes, 0).await.unwrap();
}

pub(crate) async fn client(bench: &Bench, id: &str, name: Option<&str>, redirect_uris: &[&str]) {
    let client = Client {
        id: id.to_owned(),
        name: name.map(str::to_owned),
        redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
        auth_method: AuthMethod::None,
        secret: None,
        management: None,
        created_at: 0,
    };
    bench.app.store.register_client(&client, Identity::Own).await.unwrap();
}

/// A good request of the client, each of `changes` replaced, or left out where its value is empty.
pub(crate) fn asking<'a>(
    client_id: &'a str,
    redirect_uri: &'a str,
    changes: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut request = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "mcp"),
    ];
    for change in changes {
        request.retain(|(name, _)| name != &change.0);
    }
    request.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    request
}

/// A good request of the client with a web site, changed.
pub(crate) fn web<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    asking(WEB, WEB_REDIRECT, changes)
}

pub(crate) fn url(request: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request).finish();
    format!("/oauth/authorize?{query}")
}

/// The parameters of a redirect to the client, which must be a 303 with our `iss`.
pub(crate) fn answered(answer: &Answer, redirect_uri: &str) -> BTreeMap<String, String> {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let location = answer.header("location");
    assert!(location.starts_with(&format!("{redirect_uri}?")), "{location}");
    let location = Url::parse(location).unwrap();
    let parameters: BTreeMap<String, String> = location
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    assert_eq!(parameters.len(), location.query_pairs().count(), "repeated: {location}");
    assert_eq!(parameters.get("iss").map(String::as_str), Some(PUBLIC_URL));
    parameters
}

/// `error` of a redirect to the client with the web site.
pub(crate) fn error(answer: &Answer) -> String {
    let parameters = answered(answer, WEB_REDIRECT);
    assert!(!parameters.contains_key("code") && parameters.contains_key("error_description"));
    parameters["error"].clone()
}

/// What the code of a redirect stands for.
pub(crate) async fn redeem(bench: &Bench, answer: &Answer, redirect_uri: &str) -> Code {
    let digest = digest(&answered(answer, redirect_uri)["code"]);
    let mut found = None;
    let now = bench.app.clock.now_unix();
    let redemption = bench.app.store.redeem_code(&digest, now, |code| {
        found = Some(code.clone());
        Err(())
    });
    assert_eq!(redemption.await.unwrap(), Redemption::Refused(()));
    found.unwrap()
}

/// A hidden field of a form.
pub(crate) fn hidden(page: &Answer, name: &str) -> String {
    let open = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.body.split_once(&open).unwrap_or_else(|| panic!("no {name}: {page:?}"));
    rest.split_once('"').unwrap().0.to_owned()
}
