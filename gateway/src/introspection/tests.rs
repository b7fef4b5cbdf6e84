//! Opaque tokens: who is asked about when, what an answer is worth, and for how long.

use attache_protocol::personal_token;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Answered, MOST_CALLS, MOST_OPEN, MOST_OPEN_OF_ONE, Question, carries_token};
use crate::{
    config::Gateway,
    refusal::{Refusal, TokenFlaw},
    request::{
        headers::Field,
        token::{Patience, Trust, Verdict},
    },
    testing::{NOW, NOW_MS, configuration, endpoint, gateway, headers, merge, seed},
};

const RESOURCE: &str = "https://gateway.example/mcp";
/// Another network.
const OTHER: &str = "198.51.100.7";

/// A gateway with two endpoints, and what one worker of it knows.
struct Desk {
    gateway: std::rc::Rc<Gateway>,
    trust: Trust,
}

type Outcome = Result<Option<String>, Refusal>;

impl Desk {
    fn new() -> Self {
        let mut configuration = configuration();
        configuration["endpoints"] = json!([endpoint("mcp"), endpoint("other")]);
        configuration["introspection"] = json!({
            "target": {"cluster": "a", "authority": "a", "path": "/internal/introspect", "timeout_ms": 2000},
            "secret": "s".repeat(32), "good_seconds": 30, "bad_seconds": 10,
        });
        let gateway = gateway(configuration);
        let trust = Trust::new(&gateway, seed().mark_key);
        Self { gateway, trust }
    }

    /// `None`: it is to wait.
    fn present_at(
        &mut self,
        path: &str,
        token: &str,
        patience: Patience,
        at: u64,
    ) -> Option<Outcome> {
        let bearer = format!("Bearer {token}");
        let endpoint = self.gateway.endpoint(path.as_bytes()).expect("it is there");
        match self.trust.authorize(endpoint, Field::Once(bearer.as_bytes()), patience, at) {
            Verdict::Caller(caller) => {
                Some(Ok(caller.identity().and_then(|who| who.claims.client_id.clone())))
            }
            Verdict::Refused(refusal) => Some(Err(refusal)),
            Verdict::Undecided => None,
        }
    }

    fn present(&mut self, token: &str, at: u64) -> Option<Outcome> {
        self.present_at("/mcp", token, Patience::Waits(None), at)
    }

    /// As [`Self::present`], from there.
    fn present_from(&mut self, address: &str, token: &str, at: u64) -> Option<Outcome> {
        self.present_at("/mcp", token, Patience::Waits(address.parse().ok()), at)
    }

    fn next(&mut self, at: u64) -> Option<Question> {
        self.trust.introspection.as_mut().expect("it is on").next(at)
    }

    fn answer(
        &mut self,
        question: &Question,
        status: Option<u16>,
        body: &str,
        at: u64,
    ) -> Answered {
        let introspection = self.trust.introspection.as_mut().expect("it is on");
        introspection.answered(question.mark, status, body.as_bytes(), at)
    }

    /// Asks about a token and gets this answer.
    fn learn(&mut self, token: &str, answer: &Value, at: u64) {
        assert_eq!(self.present(token, at), None);
        let question = self.next(at).expect("it is asked about");
        let answered = self.answer(&question, Some(200), &answer.to_string(), at);
        assert_eq!(answered, Answered::Understood);
    }
}

fn token(number: usize) -> String {
    let mut bits = [0; 32];
    for (bit, byte) in bits.iter_mut().zip(number.to_le_bytes()) {
        *bit = byte;
    }
    personal_token::write(&bits).reveal().clone()
}

fn active() -> Value {
    json!({
        "active": true, "iss": "https://gateway.example", "sub": "alice", "aud": RESOURCE,
        "exp": NOW + 3600, "iat": NOW, "scope": "mcp", "client_id": "pat:1:ci",
        "username": "alice@example.com", "token_type": "Bearer", "groups": ["staff"],
    })
}

fn active_but(other: Value) -> Value {
    let mut answer = active();
    merge(&mut answer, other);
    answer
}

fn good() -> Option<Outcome> {
    Some(Ok(Some("pat:1:ci".to_owned())))
}

const UNKNOWN: Option<Outcome> = Some(Err(Refusal::InvalidToken(TokenFlaw::Unknown)));
const NO_ANSWER: Option<Outcome> = Some(Err(Refusal::NoAnswer));

#[test]
fn a_question_is_a_form_with_the_token_and_the_resource() {
    let mut desk = Desk::new();
    assert_eq!(desk.present(&token(7), NOW_MS), None);
    let question = desk.next(NOW_MS).expect("it is asked about");
    let form = String::from_utf8(question.body.reveal().clone()).expect("text");
    assert_eq!(form, format!("token={}&resource=https%3A%2F%2Fgateway.example%2Fmcp", token(7)));
    assert!(!format!("{question:?}{:?}", desk.trust).contains(&token(7)), "a token in a log");
}

#[test]
fn many_who_bring_the_same_token_wait_for_one_answer() {
    let mut desk = Desk::new();
    for _ in 0..10 {
        assert_eq!(desk.present(&token(1), NOW_MS), None);
    }
    let question = desk.next(NOW_MS).expect("it is asked about");
    assert!(desk.next(NOW_MS).is_none(), "asked about once");
    assert_eq!(desk.present(&token(1), NOW_MS + 5), None, "while the call is under way");
    assert!(desk.next(NOW_MS + 5).is_none());
    desk.answer(&question, Some(200), &active().to_string(), NOW_MS + 10);
    for _ in 0..10 {
        assert_eq!(desk.present(&token(1), NOW_MS + 10), good());
    }
}

#[test]
fn a_good_token_is_asked_about_again_after_its_time() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &active(), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS + 29_999), good());
    assert_eq!(desk.present(&token(1), NOW_MS + 30_000), None);
    assert!(desk.next(NOW_MS + 30_000).is_some());
}

#[test]
fn what_is_answered_holds_from_when_it_was_asked() {
    let mut desk = Desk::new();
    assert_eq!(desk.present(&token(1), NOW_MS), None);
    let question = desk.next(NOW_MS + 100).expect("it is asked about");
    desk.answer(&question, Some(200), &active().to_string(), NOW_MS + 1_900);
    assert_eq!(desk.present(&token(1), NOW_MS + 30_099), good());
    assert_eq!(desk.present(&token(1), NOW_MS + 30_100), None);
}

#[test]
fn a_token_is_good_until_its_end_and_no_second_longer() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &active_but(json!({"exp": NOW + 5})), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS + 4_999), good());
    assert_eq!(desk.present(&token(1), NOW_MS + 5_000), None, "to be asked about");
    let mut desk = Desk::new();
    desk.learn(&token(1), &active_but(json!({"exp": NOW})), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS), None);
}

#[test]
fn a_clock_that_is_set_back_prolongs_nothing() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &active(), NOW_MS);
    desk.learn(&token(2), &json!({"active": false}), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS - 1), None);
    assert_eq!(desk.present(&token(2), NOW_MS - 1), None);
}

#[test]
fn a_token_that_is_not_active_is_refused_for_a_while_without_asking() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &json!({"active": false}), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS + 9_999), UNKNOWN);
    assert!(desk.next(NOW_MS + 9_999).is_none());
    assert_eq!(desk.present(&token(1), NOW_MS + 10_000), None);
}

#[test]
fn a_revoked_token_is_refused_when_it_is_asked_about_again() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &active(), NOW_MS);
    desk.learn(&token(1), &json!({"active": false}), NOW_MS + 30_000);
    assert_eq!(desk.present(&token(1), NOW_MS + 30_000), UNKNOWN);
    desk.learn(&token(1), &active(), NOW_MS + 40_000);
    assert_eq!(desk.present(&token(1), NOW_MS + 40_000), good());
}

#[test]
fn an_answer_opens_only_the_resource_that_was_asked_about() {
    let mut desk = Desk::new();
    let both = json!([RESOURCE, "https://gateway.example/other"]);
    desk.learn(&token(1), &active_but(json!({"aud": both})), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS), good());
    let elsewhere = desk.present_at("/other", &token(1), Patience::Waits(None), NOW_MS);
    assert_eq!(elsewhere, None, "asked about again");
    let question = desk.next(NOW_MS).expect("it is asked about");
    assert!(String::from_utf8_lossy(question.body.reveal()).ends_with("%2Fother"));
}

#[test]
fn an_answer_that_does_not_fit_opens_nothing() {
    for other in [
        json!({"active": false}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"aud": "https://gateway.example/other"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"exp": null}),
        json!({"sub": null}),
    ] {
        let mut desk = Desk::new();
        desk.learn(&token(1), &active_but(other.clone()), NOW_MS);
        assert_eq!(desk.present(&token(1), NOW_MS), UNKNOWN, "{other}");
    }
    let mut desk = Desk::new();
    desk.learn(&token(1), &active_but(json!({"scope": "other"})), NOW_MS);
    assert_eq!(desk.present(&token(1), NOW_MS), Some(Err(Refusal::InsufficientScope)));
}

#[test]
fn an_answer_that_is_none_refuses_all_who_wait_and_lets_nobody_in() {
    for (status, body) in [
        (None, ""),
        (Some(503), ""),
        (Some(401), r#"{"active":true}"#),
        (Some(200), ""),
        (Some(200), "[]"),
        (Some(200), r#"{"active":"true"}"#),
        (Some(200), r#"{"active":true,"exp":"tomorrow"}"#),
    ] {
        let mut desk = Desk::new();
        assert_eq!(desk.present(&token(1), NOW_MS), None);
        let question = desk.next(NOW_MS).expect("it is asked about");
        assert_eq!(desk.present(&token(2), NOW_MS), None);
        let answered = desk.answer(&question, status, body, NOW_MS + 20);
        assert_eq!(answered, Answered::Useless, "{status:?} {body}");
        for number in 1..=3 {
            assert_eq!(desk.present(&token(number), NOW_MS + 20), NO_ANSWER, "{body}");
        }
        assert!(desk.next(NOW_MS + 1_019).is_none(), "a moment of rest");
        assert_eq!(desk.present(&token(1), NOW_MS + 1_020), None, "then the next attempt");
        assert!(desk.next(NOW_MS + 1_020).is_some());
    }
}

#[test]
fn who_is_known_goes_on_while_nobody_answers_until_it_is_to_be_asked_about() {
    let mut desk = Desk::new();
    desk.learn(&token(1), &active(), NOW_MS);
    assert_eq!(desk.present(&token(2), NOW_MS + 10_000), None);
    let question = desk.next(NOW_MS + 10_000).expect("it is asked about");
    desk.answer(&question, None, "", NOW_MS + 10_000);
    assert_eq!(desk.present(&token(1), NOW_MS + 10_500), good());
    assert_eq!(desk.present(&token(2), NOW_MS + 10_500), NO_ANSWER);
    assert_eq!(desk.present_at("/mcp", &token(1), Patience::Over, NOW_MS + 29_999), good());
    assert_eq!(desk.present_at("/mcp", &token(1), Patience::Over, NOW_MS + 30_000), NO_ANSWER);
}

#[test]
fn strangers_cause_few_questions_and_keep_nobody_from_being_asked_about() {
    let mut desk = Desk::new();
    desk.learn(&token(0), &active(), NOW_MS);
    let later = NOW_MS + 60_000;
    let mut asked = 0;
    for number in 1..10_000 {
        if desk.present(&token(number), later).is_none() {
            let question = desk.next(later).expect("it is asked about");
            desk.answer(&question, Some(200), r#"{"active":false}"#, later);
            asked += 1;
        }
    }
    assert_eq!(asked, 100, "what those of one network may cause at once");
    assert_eq!(desk.present(&token(0), later), None, "it was good a moment ago");
    assert!(desk.next(later).is_some());
    assert_eq!(desk.present(&token(10_001), later), NO_ANSWER);
    assert_eq!(desk.present_from(OTHER, &token(10_002), later), None, "others have their own");
    assert_eq!(desk.present(&token(10_001), later + 50), None, "and then twenty a second");
}

#[test]
fn one_network_leaves_room_for_the_questions_of_others() {
    let mut desk = Desk::new();
    let mut open = |from, numbers: std::ops::Range<usize>| {
        numbers.filter(|number| desk.present_from(from, &token(*number), NOW_MS).is_none()).count()
    };
    assert_eq!(open("192.0.2.1", 0..100), MOST_OPEN_OF_ONE);
    // Another address of the same IPv6 network is not another network.
    assert_eq!(open("2001:db8::1", 100..110), 10);
    assert_eq!(open("2001:db8::2", 110..1000), MOST_OPEN - MOST_OPEN_OF_ONE - 10);
}

#[test]
fn it_matters_where_a_request_comes_from_if_its_token_may_be_asked_about() {
    let desk = Desk::new();
    let counts = |value: &str| desk.trust.counts(&headers(&[("authorization", value)]));
    assert!(counts(&format!("Bearer {}", token(1))) && counts("bearer attache_pat_"));
    assert!(!counts("Bearer a.b.c") && !counts("Basic attache_pat_"));
    assert!(!desk.trust.counts(&headers(&[])));
}

#[test]
fn questions_that_are_open_are_bounded_and_take_turns() {
    let mut desk = Desk::new();
    let waiting = (1..=1_000).filter(|number| desk.present(&token(*number), NOW_MS).is_none());
    assert_eq!(waiting.count(), MOST_OPEN_OF_ONE);
    let of_others = (2_001..=2_100)
        .filter(|number| desk.present_from(OTHER, &token(*number), NOW_MS).is_none());
    assert_eq!(MOST_OPEN_OF_ONE + of_others.count(), MOST_OPEN);
    let mut calls: Vec<Question> = std::iter::from_fn(|| desk.next(NOW_MS)).collect();
    assert_eq!(calls.len(), MOST_CALLS);
    let answered = calls.pop().expect("a call");
    desk.answer(&answered, Some(200), r#"{"active":false}"#, NOW_MS);
    assert!(desk.next(NOW_MS).is_some() && desk.next(NOW_MS).is_none());
    // An answer that nobody waits for any more.
    let answered = desk.answer(&answered, Some(200), &active().to_string(), NOW_MS);
    assert_eq!(answered, Answered::Understood);
    assert!(desk.next(NOW_MS).is_none());
}

#[test]
fn a_token_with_a_wrong_checksum_is_refused_without_asking() {
    let mut desk = Desk::new();
    let mut wrong = token(1);
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    for broken in [wrong.as_str(), "attache_pat_", "attache_pat_00", &format!("{}0", token(1))] {
        let refused = Some(Err(Refusal::InvalidToken(TokenFlaw::Checksum)));
        assert_eq!(desk.present(broken, NOW_MS), refused, "{broken}");
    }
    assert!(desk.next(NOW_MS).is_none());
}

#[test]
fn where_there_are_no_opaque_tokens_each_is_a_malformed_jwt() {
    let gateway = gateway(configuration());
    let mut trust = Trust::new(&gateway, seed().mark_key);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let bearer = format!("Bearer {}", token(1));
    let field = Field::Once(bearer.as_bytes());
    let verdict = trust.authorize(endpoint, field, Patience::Waits(None), NOW_MS);
    let malformed = Refusal::InvalidToken(TokenFlaw::Malformed);
    assert!(matches!(verdict, Verdict::Refused(refusal) if refusal == malformed));
}

#[test]
fn a_personal_access_token_reaches_no_server() {
    for (authentication, caller_token) in
        [("required", "forwarded"), ("none", "removed"), ("none", "forwarded")]
    {
        let mut configuration = configuration();
        configuration["endpoints"][0]["authentication"] = json!(authentication);
        configuration["endpoints"][0]["caller_token"] = json!(caller_token);
        let gateway = gateway(configuration);
        let trust = Trust::new(&gateway, seed().mark_key);
        let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
        for scheme in ["Bearer", "AccessToken", "Bearer  "] {
            let value = format!("{scheme} {}", token(1));
            let headers = headers(&[("authorization", "Basic YTpi"), ("authorization", &value)]);
            assert!(trust.withholds(endpoint, &headers), "{authentication} {value}");
        }
    }
    assert!(!carries_token(b"Basic YTpi") && !carries_token(b"Bearer a.b.c"));
}
