//! Step 2 of the way out: what happened, as events.
//!
//! Facts are collected while the exchange goes on, and become events at its end: one per message, one per refused
//! request. Whatever was written by somebody else is cut to a length and freed of control characters.

use std::rc::Rc;

use attache_protocol::{
    event::{ClientInfo, Event, Fault, Intent, IntentSource, Outcome},
    jsonrpc::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR},
    mcp::{
        call::Cut,
        headers::{PROTOCOL_VERSION, SESSION_ID},
        method::Method,
    },
    plugin::{Argument, Capture},
};

use crate::{
    config::Endpoint,
    event_id::EventIds,
    refusal::Refusal,
    request::{
        headers::{Headers, Verb},
        message::{Item, Spoken},
        token::Identity,
    },
    response::body::{Answer, Seen},
};

/// Characters of an intent.
const INTENT: usize = 2048;
/// Characters of a prompt.
const PROMPT: usize = 8 * 1024;
/// Characters of a history.
const HISTORY: usize = 16 * 1024;
/// Characters of a name, an identity, a header.
pub(super) const NAME: usize = 256;
/// Names of a list.
pub(super) const LISTED: usize = 512;
/// Bytes of all of them: with less of a limit their server could make the event larger than what is stored.
pub(super) const LISTED_BYTES: usize = 64 << 10;
/// -32601: the method does not exist.
const METHOD_NOT_FOUND: i64 = -32601;

/// What is known of an exchange so far. Times are Unix microseconds.
#[derive(Debug)]
pub struct Record {
    endpoint: Rc<Endpoint>,
    started_us: u64,
    forwarded_us: Option<u64>,
    verb: Option<Verb>,
    said: Vec<Said>,
    identity: Option<Rc<Identity>>,
    user_agent: Option<String>,
    session: Option<String>,
    version: Option<String>,
    traceparent: Option<String>,
    request_id: Option<String>,
    request_bytes: u64,
    response_bytes: u64,
    status: Option<u16>,
    refused: Option<Refusal>,
}

/// What a message said, as far as its event tells it.
#[derive(Debug, Default)]
struct Said {
    method: Option<String>,
    name: Option<String>,
    task: Option<String>,
    version: Option<String>,
    traceparent: Option<String>,
    client: Option<ClientInfo>,
    intent: Option<Intent>,
    prompt: Option<String>,
    history: Option<String>,
}

/// How the stream of an exchange ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The last byte of the response was seen.
    Complete,
    /// The server broke it off.
    ServerBroke,
    /// The client went away, or nobody knows who did.
    ClientLeft,
}

impl Record {
    /// A request begins.
    #[must_use]
    pub fn new(endpoint: Rc<Endpoint>, headers: &Headers, verb: Option<Verb>, now_us: u64) -> Self {
        // What no event will tell need not be copied.
        let is_told = endpoint.capture != Capture::Off;
        let text =
            |name: &str| headers.first(name).filter(|_| is_told).map(|value| bytes(value, NAME));
        Self {
            endpoint,
            started_us: now_us,
            forwarded_us: None,
            verb,
            said: Vec::new(),
            identity: None,
            user_agent: text("user-agent"),
            session: text(SESSION_ID),
            version: text(PROTOCOL_VERSION),
            traceparent: text("traceparent"),
            request_id: text("x-request-id"),
            request_bytes: 0,
            response_bytes: 0,
            status: None,
            refused: None,
        }
    }

    /// The token was verified.
    pub fn identified(&mut self, identity: Option<&Rc<Identity>>) {
        self.identity = identity.map(Rc::clone);
    }

    /// The body is complete.
    pub const fn received(&mut self, bytes: usize) {
        self.request_bytes = bytes as u64;
    }

    /// The body was understood.
    pub fn understood(&mut self, spoken: &Spoken<'_>, cuts: &[Vec<Cut<'_>>]) {
        let none = Vec::new();
        self.said = spoken
            .items()
            .iter()
            .enumerate()
            .map(|(at, item)| Said::read(&self.endpoint, item, cuts.get(at).unwrap_or(&none)))
            .collect();
    }

    /// The request goes on to the server.
    pub const fn forwarded(&mut self, now_us: u64) {
        self.forwarded_us = Some(now_us);
    }

    /// The request is refused.
    pub const fn refused(&mut self, refusal: Refusal) {
        self.refused = Some(refusal);
        self.status = Some(refusal.status());
    }

    /// The response begins.
    pub const fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Bytes of the response pass.
    pub const fn passed(&mut self, bytes: usize) {
        self.response_bytes = self.response_bytes.saturating_add(bytes as u64);
    }

    /// The events of an exchange that is over.
    #[must_use]
    pub fn events(
        self,
        seen: &Seen,
        ending: Ending,
        ids: &mut EventIds,
        now_us: u64,
    ) -> Vec<Event> {
        if self.endpoint.capture == Capture::Off {
            return Vec::new();
        }
        let Some(verdict) = self.verdict(seen, ending) else {
            return Vec::new();
        };
        let mut record = self;
        let mut said = std::mem::take(&mut record.said);
        if said.is_empty() {
            said.push(Said::default());
        }
        let mut events: Vec<Event> =
            said.into_iter().map(|said| record.event(said, &verdict, ids, now_us)).collect();
        if let Some((event, others)) = events.split_first_mut() {
            for other in others {
                other.request_id.clone_from(&record.request_id);
            }
            event.request_id = record.request_id;
            event.listed = seen.listed.to_vec();
            if let Some(task) = &seen.task {
                event.task = Some(text(task, NAME));
            }
        }
        events
    }

    /// How it ended; `None` when the end is still to come, in another exchange.
    fn verdict(&self, seen: &Seen, ending: Ending) -> Option<Verdict> {
        use Outcome::{Cancelled, Invalid, Ok, RpcError, Timeout, ToolError, UpstreamError};
        let verdict = |outcome, fault| Verdict { outcome, fault, code: None };
        if let Some(refusal) = self.refused {
            return Some(Verdict {
                outcome: refusal.outcome(),
                fault: Some(refusal.fault()),
                code: Some(refusal.code()),
            });
        }
        let forwarded = self.forwarded_us.is_some();
        Some(match (self.status, seen.answer, ending) {
            // Envoy's own answer to a request that did not become one.
            (Some(400..500), ..) if !forwarded => verdict(Invalid, Some(Fault::Client)),
            (Some(500..), ..) if !forwarded => verdict(UpstreamError, Some(Fault::Gateway)),
            (Some(504), ..) => verdict(Timeout, Some(Fault::Server)),
            (Some(500..), ..) => verdict(UpstreamError, Some(Fault::Server)),
            (_, Some(Answer::InputRequired), _) => return None,
            (_, Some(Answer::Result), _) => verdict(Ok, None),
            (_, Some(Answer::ToolError), _) => verdict(ToolError, Some(Fault::Server)),
            (_, Some(Answer::Error(code)), _) => {
                Verdict { outcome: RpcError, fault: Some(rpc_fault(code)), code }
            }
            (Some(400..), None, _) => verdict(UpstreamError, Some(Fault::Client)),
            (_, None, Ending::ServerBroke) => verdict(UpstreamError, Some(Fault::Server)),
            (None, None, _) | (_, None, Ending::ClientLeft) => {
                verdict(Cancelled, Some(Fault::Client))
            }
            (Some(_), None, Ending::Complete) => verdict(Ok, None),
        })
    }

    fn event(&self, said: Said, verdict: &Verdict, ids: &mut EventIds, now_us: u64) -> Event {
        let claims = self.identity.as_ref().map(|identity| &identity.claims);
        let claim = |value: &str| text(value, NAME);
        let verb = self.verb.map_or("HTTP", Verb::as_str);
        Event {
            id: ids.next(self.started_us / 1000),
            started_at_ms: self.started_us / 1000,
            duration_us: now_us.saturating_sub(self.started_us),
            upstream_us: self.forwarded_us.map(|forwarded| now_us.saturating_sub(forwarded)),
            endpoint: self.endpoint.path.clone(),
            server: self.endpoint.server.clone(),
            method: said.method.unwrap_or_else(|| verb.to_owned()),
            name: said.name,
            outcome: verdict.outcome,
            fault: verdict.fault,
            status: self.status,
            code: verdict.code,
            reason: self.refused.map(|refusal| refusal.to_string()),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            subject: claims.map(|claims| claim(&claims.sub)),
            email: claims.and_then(|claims| claims.email.as_deref()).map(claim),
            client_id: claims.and_then(|claims| claims.client_id.as_deref()).map(claim),
            client: said.client,
            user_agent: self.user_agent.clone(),
            session: self.session.clone(),
            protocol_version: said.version.or_else(|| self.version.clone()),
            intent: said.intent,
            prompt: said.prompt,
            history: said.history,
            listed: Vec::new(),
            task: said.task,
            traceparent: self.traceparent.clone().or(said.traceparent),
            request_id: None,
        }
    }

    /// The method of the first message, for those who look on.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.said.first()?.method.as_deref()
    }

    /// The subject of the token, for those who look on.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.claims.sub.as_str())
    }

    /// What the first message names, for those who look on.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.said.first()?.name.as_deref()
    }
}

struct Verdict {
    outcome: Outcome,
    fault: Option<Fault>,
    code: Option<i64>,
}

/// Whose fault a JSON-RPC error is: the codes about the request are the client's.
const fn rpc_fault(code: Option<i64>) -> Fault {
    match code {
        Some(PARSE_ERROR | INVALID_REQUEST | METHOD_NOT_FOUND | INVALID_PARAMS) => Fault::Client,
        Some(_) | None => Fault::Server,
    }
}

impl Said {
    fn read(endpoint: &Endpoint, item: &Item<'_>, cuts: &[Cut<'_>]) -> Self {
        let Some(call) = item.call() else {
            return Self::default();
        };
        let params = &item.params;
        let version = params.version.as_deref().or(params.asked_version.as_deref());
        let name = params.target.as_deref().map(|name| text(name, NAME));
        let mut said = Self {
            method: Some(text(&call.method, NAME)),
            task: name.clone().filter(|_| matches!(item.method, Method::Task | Method::TaskResult)),
            name,
            version: version.map(|version| text(version, NAME)),
            traceparent: params.traceparent.as_deref().map(|trace| text(trace, NAME)),
            client: params.client.as_ref().map(|client| ClientInfo {
                name: text(&client.name, NAME),
                version: client.version.as_deref().map(|version| text(version, NAME)),
            }),
            ..Self::default()
        };
        if endpoint.capture >= Capture::Intent {
            let argument = |argument, most| captured(endpoint, cuts, argument, most);
            // The client's own word outranks the argument.
            let own = params.intent.as_deref().map(|intent| text(intent, INTENT));
            said.intent = match own.filter(|intent| !intent.is_empty()) {
                Some(text) => Some(Intent { text, source: IntentSource::ClientMetadata }),
                None => argument(Argument::Intent, INTENT)
                    .map(|text| Intent { text, source: IntentSource::Argument }),
            };
            said.prompt = argument(Argument::Prompt, PROMPT);
            said.history = argument(Argument::History, HISTORY);
        }
        said
    }
}

/// The text of one of our arguments, if it is asked for and a string with something in it.
fn captured(
    endpoint: &Endpoint,
    cuts: &[Cut<'_>],
    argument: Argument,
    most: usize,
) -> Option<String> {
    let cut = cuts.iter().find(|cut| cut.name == argument.property())?;
    let value = cut.value.as_str().filter(|_| endpoint.captures(argument))?;
    Some(text(&value, most)).filter(|text| !text.is_empty())
}

/// At most `most` characters, without control characters; line breaks and tabs become spaces.
pub(crate) fn text(value: &str, most: usize) -> String {
    let clean = |letter: char| match letter {
        '\n' | '\r' | '\t' => Some(' '),
        letter if letter.is_control() => None,
        letter => Some(letter),
    };
    if value.len() <= most && value.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return value.to_owned();
    }
    value.chars().filter_map(clean).take(most).collect()
}

/// As [`text`], of bytes that need not be UTF-8.
fn bytes(value: &[u8], most: usize) -> String {
    text(&String::from_utf8_lossy(value), most)
}

#[cfg(test)]
mod tests;
