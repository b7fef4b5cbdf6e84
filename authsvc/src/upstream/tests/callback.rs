//! What browsers come back with, and where they are sent.

use serde_json::json;

use super::{CLIENT_ID, REDIRECT_URI, discovery::metadata, trip};
use crate::{
    authorization::parameters::Parameters,
    config::{Issuer, Targets, Tenants},
    upstream::{
        callback::{BadReturn, Returned},
        issuer::Issuers,
        request::{self, Prompt, Request},
    },
};

const ISSUER: &str = "https://login.example.com";

fn issuers() -> Issuers {
    Issuers::new(&Issuer::parse(ISSUER, Targets::Public).unwrap(), &Tenants::Single)
}

fn read(query: &str, says_iss: bool) -> Result<Returned, BadReturn> {
    let metadata =
        metadata(&json!({ "authorization_response_iss_parameter_supported": says_iss })).unwrap();
    Returned::read(&Parameters::parse(query.as_bytes()), &issuers(), &metadata)
}

#[test]
fn s47_iss_is_that_of_the_provider_and_there_where_it_is_promised() {
    let ours = "code=x&iss=https%3A%2F%2Flogin.example.com";
    for says_iss in [false, true] {
        assert_eq!(read(ours, says_iss), Ok(Returned::Code("x".to_owned())));
        let other = read("code=x&iss=https%3A%2F%2Flogin.example.org", says_iss);
        assert_eq!(other, Err(BadReturn::OtherIssuer));
        let almost = read("code=x&iss=https%3A%2F%2Flogin.example.com%2F", says_iss);
        assert_eq!(almost, Err(BadReturn::OtherIssuer));
    }
    assert_eq!(read("code=x", false), Ok(Returned::Code("x".to_owned())));
    assert_eq!(read("code=x", true), Err(BadReturn::NoIssuer));
    assert_eq!(read("error=access_denied", true), Err(BadReturn::NoIssuer));
    assert_eq!(read("", false), Err(BadReturn::Nothing));
    assert!(matches!(read("code=x&code=y", false), Err(BadReturn::Parameter(_))));
}

#[test]
fn an_error_of_a_provider_is_bounded_and_of_visible_characters() {
    let query = format!("error=a%00%3Cb&error_description=no%0A{}", "x".repeat(300));
    let Ok(Returned::Error { code, description }) = read(&query, false) else { panic!("no error") };
    assert_eq!(code, "ab");
    let description = description.unwrap();
    assert!(description.starts_with("nox") && description.len() == 200, "{description}");
}

#[test]
fn s47_the_request_has_state_nonce_and_pkce() {
    let metadata = metadata(&json!({
        "authorization_endpoint": "https://login.example.com/authorize?tenant=a",
        "prompt_values_supported": ["none", "login"],
    }))
    .unwrap();
    let trip = trip();
    let request = Request {
        client_id: CLIENT_ID,
        redirect_uri: REDIRECT_URI,
        scope: "openid email",
        trip: &trip,
        prompt: Prompt::SelectAccount,
        more: &[("hd", "example.com")],
    };
    let url = request::url(&metadata, request);
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "tenant",
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "nonce",
            "code_challenge",
            "code_challenge_method",
            "prompt",
            "hd"
        ]
    );
    assert!(url.as_str().contains("&prompt=login&"), "{url}");
    assert!(!url.as_str().contains(trip.verifier.reveal()), "{url}");
    assert!(url.as_str().contains(&format!("code_challenge={}", trip.challenge())), "{url}");
}
