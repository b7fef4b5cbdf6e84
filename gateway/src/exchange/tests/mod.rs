//! Whole exchanges: what Envoy says, what Envoy is to do, and the events.

mod answers;
mod capture;
mod forwarding;
mod keys;
mod outcomes;
mod refusals;
mod waiting;

use std::borrow::Cow;

use attache_protocol::event::Event;
use serde_json::Value;

use super::{Effect, Exchange, Forward, Input, Shared};
use crate::{
    request::headers::Headers,
    testing::{NOW_US, headers, shared},
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"q":1,"attache_intent":"look it up"}}}"#;
const STRIPPED: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"q":1}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// An exchange, and what it shares with others.
struct Run {
    shared: Shared,
    exchange: Option<Exchange>,
}

impl Run {
    fn new(configuration: Value) -> Self {
        Self::with(shared(configuration))
    }

    fn with(shared: Shared) -> Self {
        let endpoint = shared.gateway.endpoint(b"/mcp").expect("it is there").clone();
        Self { shared, exchange: Some(Exchange::new(endpoint, None)) }
    }

    fn say(&mut self, input: Input<'_>) -> Effect {
        let exchange = self.exchange.take().expect("it comes back each time");
        let (exchange, effect) = exchange.handle(input, &mut self.shared);
        self.exchange = Some(exchange);
        effect
    }

    fn headers(&mut self, headers: Headers) -> Effect {
        self.say(Input::RequestHeaders { headers, end: false, now_us: NOW_US })
    }

    fn body(&mut self, body: &str) -> Effect {
        self.say(Input::RequestBody { body: body.as_bytes(), now_us: NOW_US + 100 })
    }

    fn response(&mut self, status: &str, media_type: &str) -> Effect {
        let headers = headers(&[(":status", status), ("content-type", media_type)]);
        self.say(Input::ResponseHeaders { headers, end: false })
    }

    fn chunk(&mut self, text: &str, end: bool) -> Effect {
        let exchange = self.exchange.as_ref().expect("it comes back each time");
        let bytes = if exchange.reads_response() { text.as_bytes() } else { b"" };
        self.say(Input::ResponseBody { size: text.len(), bytes, end })
    }

    fn done(&mut self) -> Vec<Event> {
        let done = Input::Done { broken_by_server: false, now_us: NOW_US + 1000 };
        let Effect::Over(over) = self.say(done) else { panic!("it is over") };
        over.events
    }

    fn event(&mut self) -> Event {
        let mut events = self.done();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

fn refused(effect: Effect) -> (u16, Value) {
    let Effect::Refuse(reply) = effect else { panic!("refused, not {effect:?}") };
    (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
}

fn forwarded(remove: &[&'static str], length: Option<usize>, body: Option<&str>) -> Effect {
    let body = body.map(|body| body.as_bytes().to_vec());
    Effect::Forward(Forward {
        remove: remove.iter().copied().map(Cow::Borrowed).collect(),
        length,
        media_type: None,
        body,
    })
}
