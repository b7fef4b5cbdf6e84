//! One HTTP exchange as a state machine; the only place that knows the order of the steps.
//!
//! ```text
//! Started ──headers──▶ AwaitingVerdict ──news──┐
//!    │                      └──too long──▶ Refused
//!    └──caller known──▶ ReadingBody ──end──▶ AwaitingResponse ──headers──▶ Responding ──▶ over
//! every state before AwaitingResponse ──▶ Refused ──▶ over
//! ```

mod effect;
mod input;
mod shared;
mod state;

use std::{borrow::Cow, mem, net::IpAddr, rc::Rc};

use attache_protocol::{mcp::method::Method, network::network};

use self::state::{Arrived, Known, State, Waiting};
pub use self::{
    effect::{Effect, Forward, Over},
    input::Input,
    shared::{Seed, Shared},
};
use crate::{
    config::Endpoint,
    refusal::Refusal,
    request::{
        headers::{self, Field, Headers, Verb},
        message::{Refused, Spoken},
        rewrite::rewrite,
        token::{Patience, Verdict},
    },
    response::{
        analytics::{Ending, Record},
        body::{Asked, Flow, Head, Rules, Seen},
        challenge::{self, Rewritten},
    },
};

/// One HTTP exchange on an endpoint.
#[derive(Debug)]
pub struct Exchange {
    endpoint: Rc<Endpoint>,
    from: Option<IpAddr>,
    record: Option<Record>,
    state: State,
}

type Step = (State, Effect);

impl Exchange {
    /// A request to this endpoint begins; where it comes from need not be said unless [`Trust::counts`] it.
    ///
    /// [`Trust::counts`]: crate::request::token::Trust::counts
    #[must_use]
    pub const fn new(endpoint: Rc<Endpoint>, from: Option<IpAddr>) -> Self {
        Self { endpoint, from, record: None, state: State::Started }
    }

    /// Takes what Envoy says, and says what Envoy is to do.
    pub fn handle(mut self, input: Input<'_>, shared: &mut Shared) -> (Self, Effect) {
        let state = mem::replace(&mut self.state, State::Refused);
        let (state, effect) = match (state, input) {
            (State::Started, Input::RequestHeaders { headers, end, now_us }) => {
                self.begin(headers, end, shared, now_us)
            }
            (state, Input::RequestBodyGrows { held }) => self.grow(state, held, shared),
            (state, Input::RequestBody { body, now_us }) => {
                self.receive(state, body, shared, now_us)
            }
            (state, Input::TrustChanged { now_us }) => {
                self.wake(state, Patience::Waits(self.from), shared, now_us)
            }
            (state, Input::WaitExpired { now_us }) => {
                self.wake(state, Patience::Over, shared, now_us)
            }
            (State::AwaitingResponse { asked }, Input::ResponseHeaders { headers, end }) => {
                let (state, effect) = self.respond(asked, &headers, end, shared);
                (state, self.challenge(&headers, effect))
            }
            (
                State::Started | State::AwaitingVerdict(_) | State::ReadingBody(_),
                Input::ResponseHeaders { headers, end },
            ) => self.respond(Asked::Other, &headers, end, shared),
            (State::Responding { flow, complete }, Input::ResponseBody { size, bytes, end }) => {
                self.pass(flow, complete || end, (size, bytes, end), shared)
            }
            (State::Responding { flow, .. }, Input::ResponseTrailers) => trail(flow),
            (state, Input::Done { broken_by_server, now_us }) => {
                let over = self.finish(state, broken_by_server, shared, now_us);
                (State::Refused, Effect::Over(over))
            }
            (
                state,
                Input::RequestHeaders { .. }
                | Input::ResponseHeaders { .. }
                | Input::ResponseBody { .. }
                | Input::ResponseTrailers,
            ) => (state, Effect::Continue),
        };
        self.state = state;
        (self, effect)
    }

    /// Whether the request body is needed: if not, it need not be copied.
    #[must_use]
    pub const fn reads_request(&self) -> bool {
        matches!(&self.state, State::AwaitingVerdict(_) | State::ReadingBody(_))
    }

    /// Whether a response would be news: not one that we made. Before the request went to the server it is Envoy's
    /// own, as for a body that does not come.
    #[must_use]
    pub const fn awaits_response(&self) -> bool {
        !matches!(&self.state, State::Refused | State::Responding { .. })
    }

    /// Whether the bytes of the response are looked at: if not, they need not be copied.
    #[must_use]
    pub const fn reads_response(&self) -> bool {
        matches!(&self.state, State::Responding { flow, .. } if flow.reads())
    }

    /// Whether the stream would end now before its response has.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        match &self.state {
            State::Responding { complete, .. } => !*complete,
            State::Started
            | State::AwaitingVerdict(_)
            | State::ReadingBody(_)
            | State::AwaitingResponse { .. } => true,
            State::Refused => false,
        }
    }

    /// Where the request goes.
    #[must_use]
    pub const fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// The network that it comes from, if that matters.
    #[must_use]
    pub fn network(&self) -> Option<IpAddr> {
        self.from.map(network)
    }

    /// What was learned so far.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    fn begin(&mut self, headers: Headers, end: bool, shared: &mut Shared, now_us: u64) -> Step {
        let verb = Verb::read(&headers);
        self.record = Some(Record::new(Rc::clone(&self.endpoint), &headers, verb.ok(), now_us));
        let checked = headers::check_origin(&self.endpoint, &headers);
        let verb = match verb.and_then(|verb| checked.map(|()| verb)) {
            Ok(verb) => verb,
            Err(refusal) => return self.refuse(refusal, None),
        };
        let arrived = if end { Arrived::All(0) } else { Arrived::Part };
        let waiting = Waiting { headers, verb, arrived };
        self.authorize(waiting, Patience::Waits(self.from), shared, now_us)
    }

    fn grow(&mut self, state: State, held: usize, shared: &Shared) -> Step {
        let most = shared.gateway.limits.max_body;
        match state {
            State::AwaitingVerdict(_) | State::ReadingBody(_) if held > most => {
                self.refuse(Refusal::BodyTooLarge(most), None)
            }
            State::ReadingBody(Known { verb: Verb::Get | Verb::Delete, .. }) if held > 0 => {
                self.refuse(Refusal::StrayBody, None)
            }
            state @ (State::AwaitingVerdict(_) | State::ReadingBody(_) | State::Started) => {
                (state, Effect::Hold)
            }
            state @ State::Refused => (state, Effect::Hold),
            state @ (State::AwaitingResponse { .. } | State::Responding { .. }) => {
                (state, Effect::Continue)
            }
        }
    }

    fn receive(&mut self, state: State, body: &[u8], shared: &mut Shared, now_us: u64) -> Step {
        let most = shared.gateway.limits.max_body;
        match state {
            State::AwaitingVerdict(_) | State::ReadingBody(_) if body.len() > most => {
                self.refuse(Refusal::BodyTooLarge(most), None)
            }
            State::AwaitingVerdict(waiting) => {
                let arrived = Arrived::All(body.len());
                (State::AwaitingVerdict(Waiting { arrived, ..waiting }), Effect::Hold)
            }
            State::ReadingBody(known) => self.read(&known, body, shared, now_us),
            state @ (State::Started | State::Refused) => (state, Effect::Hold),
            state @ (State::AwaitingResponse { .. } | State::Responding { .. }) => {
                (state, Effect::Continue)
            }
        }
    }

    fn wake(&mut self, state: State, patience: Patience, shared: &mut Shared, now_us: u64) -> Step {
        match state {
            State::AwaitingVerdict(waiting) => self.authorize(waiting, patience, shared, now_us),
            state @ (State::Started
            | State::ReadingBody(_)
            | State::AwaitingResponse { .. }
            | State::Responding { .. }
            | State::Refused) => (state, Effect::Hold),
        }
    }

    fn authorize(
        &mut self,
        waiting: Waiting,
        patience: Patience,
        shared: &mut Shared,
        now_us: u64,
    ) -> Step {
        let Waiting { headers, verb, arrived } = waiting;
        let authorization = headers.field("authorization");
        let verdict =
            shared.trust.authorize(&self.endpoint, authorization, patience, now_us / 1000);
        let caller = match verdict {
            Verdict::Caller(caller) => caller,
            Verdict::Undecided => {
                let waiting = Waiting { headers, verb, arrived };
                return (State::AwaitingVerdict(waiting), Effect::AwaitVerdict);
            }
            Verdict::Refused(refusal) => return self.refuse(refusal, None),
        };
        if let Some(record) = &mut self.record {
            record.identified(caller.identity());
        }
        if verb == Verb::Post
            && let Err(refusal) = headers::check_body(&headers, &shared.gateway.limits)
        {
            return self.refuse(refusal, None);
        }
        let withheld = shared.trust.withholds(&self.endpoint, &headers).then_some("authorization");
        let headers = headers.with_body();
        if headers.size() > headers::MOST_WAITING {
            return self.refuse(Refusal::HeadersTooLarge(headers::MOST_WAITING), None);
        }
        let mut share = shared.budget.share();
        if !share.holds(headers.size()) {
            return self.refuse(Refusal::Busy, None);
        }
        let known = Known { headers, verb, caller, withheld, _share: share };
        match arrived {
            Arrived::Part => (State::ReadingBody(known), Effect::Hold),
            Arrived::All(0) => self.read(&known, &[], shared, now_us),
            // It was not kept here meanwhile: strangers may send many that are large.
            Arrived::All(size) => (State::ReadingBody(known), Effect::ReadBody { size }),
        }
    }

    fn read(&mut self, known: &Known, body: &[u8], shared: &Shared, now_us: u64) -> Step {
        let Known { headers, verb, caller, .. } = known;
        match (verb, body) {
            (Verb::Post, _) => {}
            (Verb::Get | Verb::Delete, []) => {
                return self.forward(known, Asked::Other, None, now_us);
            }
            // Nobody looks at it here; behind us somebody might, or take it for the next request.
            (Verb::Get | Verb::Delete, _) => return self.refuse(Refusal::StrayBody, None),
        }
        if let Some(record) = &mut self.record {
            record.received(body.len());
        }
        let depth = shared.gateway.limits.max_depth;
        let spoken = match Spoken::read(caller, headers, body, depth) {
            Ok(spoken) => spoken,
            Err(refused) => return self.refuse_message(&refused),
        };
        let rewritten = rewrite(&self.endpoint, &spoken, body);
        if let Some(record) = &mut self.record {
            record.understood(&spoken, &rewritten.cuts);
        }
        self.forward(known, Asked::of(&spoken), rewritten.body, now_us)
    }

    /// The caller is the proof that the request may go on.
    fn forward(&mut self, known: &Known, asked: Asked, body: Option<Vec<u8>>, now_us: u64) -> Step {
        let present = |name: &str| known.headers.field(name) != Field::Absent;
        let mut remove: Vec<Cow<'static, str>> =
            known.withheld.map(Cow::Borrowed).into_iter().collect();
        remove.extend(known.headers.confusable().map(|name| Cow::Owned(name.to_owned())));
        let reads = matches!(asked, Asked::One(Method::ToolsList | Method::ToolsCall));
        if reads && present("accept-encoding") {
            remove.push(Cow::Borrowed("accept-encoding"));
        }
        let declared = present("content-length");
        let length = body.as_ref().map(Vec::len).filter(|_| declared);
        if let Some(record) = &mut self.record {
            record.forwarded(now_us);
        }
        let media_type = known
            .headers
            .first("content-type")
            .filter(|declared| headers::names_foreign_charset(declared))
            .map(|_| "application/json");
        let forward = Forward { remove, length, media_type, body };
        (State::AwaitingResponse { asked }, Effect::Forward(forward))
    }

    fn respond(&mut self, asked: Asked, headers: &Headers, end: bool, shared: &Shared) -> Step {
        let status = headers.status().unwrap_or_default();
        if let Some(record) = &mut self.record {
            record.answered(status);
        }
        let rules = Rules { endpoint: &self.endpoint, limits: &shared.gateway.limits };
        let (flow, head) = Flow::begin(asked, status, headers, rules, shared.budget.share());
        let effect = match head {
            Head::LengthOpen if !end => Effect::OpenLength,
            Head::LengthOpen | Head::Unchanged => Effect::Continue,
        };
        (State::Responding { flow, complete: end }, effect)
    }

    /// The challenges of a server that checks callers itself. Only an answer without a challenge is a list.
    fn challenge(&self, headers: &Headers, effect: Effect) -> Effect {
        let status = headers.status().unwrap_or_default();
        match challenge::rewrite(&self.endpoint, status, headers) {
            Rewritten::Kept => effect,
            Rewritten::Removed => Effect::Challenge(None),
            Rewritten::Replaced(challenge) => Effect::Challenge(Some(challenge)),
        }
    }

    fn pass(
        &mut self,
        mut flow: Flow,
        complete: bool,
        (size, bytes, end): (usize, &[u8], bool),
        shared: &mut Shared,
    ) -> Step {
        if let Some(record) = &mut self.record {
            record.passed(size);
        }
        let rules = Rules { endpoint: &self.endpoint, limits: &shared.gateway.limits };
        let replaced = flow.feed(bytes, end, rules, &mut shared.lists);
        let effect = replaced.map_or(Effect::Continue, Effect::Replace);
        (State::Responding { flow, complete }, effect)
    }

    fn refuse(&mut self, refusal: Refusal, id: Option<&str>) -> Step {
        if let Some(record) = &mut self.record {
            record.refused(refusal);
        }
        (State::Refused, Effect::Refuse(refusal.reply(&self.endpoint, id)))
    }

    fn refuse_message(&mut self, refused: &Refused<'_>) -> Step {
        let (state, effect) = self.refuse(refused.refusal, refused.id);
        match &refused.requested {
            Some(version) => (state, Effect::Refuse(Refusal::version_reply(version, refused.id))),
            None => (state, effect),
        }
    }

    fn finish(
        &mut self,
        state: State,
        broken_by_server: bool,
        shared: &mut Shared,
        now_us: u64,
    ) -> Over {
        let (seen, ending) = match state {
            State::Responding { flow, complete: true } => (flow.finish(), Ending::Complete),
            State::Responding { flow, complete: false } if broken_by_server => {
                (flow.finish(), Ending::ServerBroke)
            }
            State::Responding { flow, complete: false } => (flow.finish(), Ending::ClientLeft),
            State::Started
            | State::AwaitingVerdict(_)
            | State::ReadingBody(_)
            | State::AwaitingResponse { .. }
            | State::Refused => (Seen::default(), Ending::ClientLeft),
        };
        let Some(record) = self.record.take() else {
            return Over::default();
        };
        let events = record.events(&seen, ending, &mut shared.ids, now_us);
        Over { events, owners: seen.owners.to_vec() }
    }
}

/// Trailers follow the body: nothing can leave any more.
fn trail(flow: Flow) -> Step {
    let effect = if flow.holds() { Effect::Abort } else { Effect::Continue };
    (State::Responding { flow, complete: true }, effect)
}

#[cfg(test)]
mod tests;
