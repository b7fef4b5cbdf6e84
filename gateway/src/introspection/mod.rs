//! Opaque tokens: what authsvc says of them (RFC 7662), for how long that holds, and whom to ask about when.
//!
//! ```text
//! unknown ──look──▶ asked about ──active──▶ good ──good_seconds or exp──▶ unknown, but familiar
//!    ▲                   │  └──not active──▶ bad ──bad_seconds──┐
//!    └──no answer, rest──┘◀─────────────────────────────────────┘
//! ```
//!
//! Everybody who waits for the same token waits for one answer. Strangers can make up tokens of the right form: those
//! of one network cause few questions a second, which leave others theirs, and none keeps a token that was good a
//! moment ago from being asked about.
//! Without an answer nobody gets in.

mod answer;
mod strangers;

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    ops::Range,
    rc::Rc,
};

use attache_protocol::{bearer, network::network, personal_token::PREFIX, plugin, secret::Secret};
use jwt_compact::UntrustedToken;

use self::strangers::Strangers;
use crate::{
    config::Endpoint,
    refusal::{Refusal, TokenFlaw},
    request::token::{Identity, Mark, MarkKey, Memory, Patience, Sight},
};

/// Questions about unknown tokens that are open at the same time; more requests could not wait for them.
const MOST_OPEN: usize = 64;
/// Those of one network among them: the rest is for others.
const MOST_OPEN_OF_ONE: usize = 48;
/// The same, with those about tokens that were good a moment ago.
const MOST_OPEN_FAMILIAR: usize = 256;
/// Calls under way at the same time; other questions wait for their turn.
const MOST_CALLS: usize = 16;
/// How long nobody asks after a call that failed, milliseconds.
const REST_MS: u64 = 1_000;
/// The largest answer that is read, bytes.
pub const MOST_ANSWER: usize = 64 << 10;

/// What a worker knows of opaque tokens, each at one endpoint's resource. Times are Unix milliseconds.
#[derive(Debug)]
pub struct Introspection {
    policy: plugin::Introspection,
    issuer: String,
    key: MarkKey,
    good: Memory<Good>,
    bad: Memory<Holds>,
    open: BTreeMap<Mark, Open>,
    queue: VecDeque<Mark>,
    calls: usize,
    strangers: Strangers,
    rest: Holds,
}

/// A token that was good when it was asked about.
#[derive(Clone, Debug)]
struct Good {
    identity: Rc<Identity>,
    holds: Holds,
}

/// When something that was learned holds: with both ends, so that a clock that is set back does not prolong it.
type Holds = Range<u64>;

/// A question that is not answered yet.
#[derive(Debug)]
struct Open {
    resource: String,
    /// The body of the call; taken when it is made.
    body: Option<Secret<Vec<u8>>>,
    asked_ms: u64,
    asker: Asker,
}

/// Because of whom a question is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asker {
    /// Somebody whose token was good a moment ago.
    Familiar,
    /// Somebody of this network, if it is known.
    Stranger(Option<IpAddr>),
}

/// A call that is to be made: `POST`, a form, with the shared secret.
#[derive(Debug)]
pub struct Question {
    /// What its answer is to be handed in with.
    pub mark: Mark,
    /// The form.
    pub body: Secret<Vec<u8>>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answered {
    /// It was understood.
    Understood,
    /// It says nothing about the token: the next calls wait.
    Useless,
}

impl Introspection {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(policy: plugin::Introspection, issuer: String, key: MarkKey) -> Self {
        Self {
            policy,
            issuer,
            key,
            good: Memory::new(),
            bad: Memory::new(),
            open: BTreeMap::new(),
            queue: VecDeque::new(),
            calls: 0,
            strangers: Strangers::new(),
            rest: 0..0,
        }
    }

    /// Which tokens are asked about.
    pub(crate) const fn takes(&self) -> plugin::Opaque {
        self.policy.tokens
    }

    /// Whether a credential begins as one that is asked about: no more is looked at than that takes, on each request.
    pub(crate) fn may_ask_about(&self, credential: &[u8]) -> bool {
        let credential = credential.trim_ascii();
        let (scheme, token) = credential.split_at(bearer::scheme(credential).len());
        scheme.eq_ignore_ascii_case(b"bearer")
            && match self.policy.tokens {
                plugin::Opaque::Personal => token.trim_ascii().starts_with(PREFIX.as_bytes()),
                plugin::Opaque::Any => true,
            }
    }

    /// Whether a token says nothing itself, and is asked about all the same, whatever its form.
    pub(crate) fn takes_opaque(&self, token: &str) -> bool {
        self.policy.tokens == plugin::Opaque::Any && UntrustedToken::new(token).is_err()
    }

    /// What is known of a token of the right form, or whether that is on its way.
    pub(crate) fn look(
        &mut self,
        token: &str,
        endpoint: &Endpoint,
        patience: Patience,
        now_ms: u64,
    ) -> Sight {
        // What is answered is an answer for the resource that was asked about.
        let mark = self.key.mark(&[token, &endpoint.resource]);
        let is_familiar = match self.good.recall(mark) {
            Some(good) if good.holds.contains(&now_ms) => return Sight::Verified(good.identity),
            known => known.is_some(),
        };
        if self.bad.recall(mark).is_some_and(|holds| holds.contains(&now_ms)) {
            return Sight::Refused(Refusal::InvalidToken(TokenFlaw::Unknown));
        }
        let Patience::Waits(from) = patience else { return Sight::Refused(Refusal::NoAnswer) };
        if self.open.contains_key(&mark) {
            return Sight::Undecided;
        }
        let asker = if is_familiar { Asker::Familiar } else { Asker::Stranger(from.map(network)) };
        if self.rest.contains(&now_ms) || !self.may_ask(asker, now_ms) {
            return Sight::Refused(Refusal::NoAnswer);
        }
        let resource = endpoint.resource.clone();
        let body = Some(form(token, &resource));
        self.open.insert(mark, Open { resource, body, asked_ms: now_ms, asker });
        self.queue.push_back(mark);
        Sight::Undecided
    }

    /// The next call that is to be made, if it is time for one; it must be answered or given up.
    pub fn next(&mut self, now_ms: u64) -> Option<Question> {
        if self.calls >= MOST_CALLS {
            return None;
        }
        while let Some(mark) = self.queue.pop_front() {
            let Some(open) = self.open.get_mut(&mark) else { continue };
            let Some(body) = open.body.take() else { continue };
            // What is answered holds from here on: a token may be revoked while its question waits.
            open.asked_ms = now_ms;
            self.calls += 1;
            return Some(Question { mark, body });
        }
        None
    }

    /// Takes the answer to a call: its status and its body.
    pub fn answered(
        &mut self,
        mark: Mark,
        status: Option<u16>,
        body: &[u8],
        now_ms: u64,
    ) -> Answered {
        let Some(open) = self.open.remove(&mark) else {
            return Answered::Understood;
        };
        self.calls = self.calls.saturating_sub(1);
        let read = (status == Some(200)).then(|| answer::read(body));
        let Some(Ok(answer)) = read else {
            self.give_up(now_ms);
            return Answered::Useless;
        };
        let Open { resource, asked_ms, .. } = open;
        self.bad.forget_one(mark);
        self.good.forget_one(mark);
        match answer.identity(&self.issuer, &resource) {
            Some(identity) => {
                let until_ms = later(asked_ms, self.policy.good_seconds).min(identity.dead_ms());
                let good = Good { identity: Rc::new(identity), holds: asked_ms..until_ms };
                self.good.remember(mark, good);
            }
            None => {
                self.bad.remember(mark, asked_ms..later(asked_ms, self.policy.bad_seconds));
            }
        }
        Answered::Understood
    }

    /// Nobody answers: whoever waits is refused, and for a moment nobody asks.
    fn give_up(&mut self, now_ms: u64) {
        // Calls under way may still be answered.
        self.open.retain(|_, open| open.body.is_none());
        self.queue.clear();
        self.rest = now_ms..now_ms.saturating_add(REST_MS);
    }

    fn may_ask(&mut self, asker: Asker, now_ms: u64) -> bool {
        let Asker::Stranger(from) = asker else { return self.open.len() < MOST_OPEN_FAMILIAR };
        let theirs = self.open.values().filter(|open| open.asker == asker).count();
        self.open.len() < MOST_OPEN && theirs < MOST_OPEN_OF_ONE && self.strangers.pay(from, now_ms)
    }
}

/// The form of a question.
fn form(token: &str, resource: &str) -> Secret<Vec<u8>> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token).append_pair("resource", resource);
    Secret::new(form.finish().into_bytes())
}

const fn later(ms: u64, seconds: u64) -> u64 {
    ms.saturating_add(seconds.saturating_mul(1000))
}

/// Whether a value of `Authorization`, of any scheme, carries a personal access token or what begins as one, wherever it
/// stands: quoted, as a parameter, in a list.
pub(crate) fn carries_token(value: &[u8]) -> bool {
    let value = bearer::laid_open(value);
    value.windows(PREFIX.len()).any(|part| part == PREFIX.as_bytes())
}

#[cfg(test)]
mod tests;
