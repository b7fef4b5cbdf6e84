//! One stream: callbacks become inputs, effects become host calls.

use std::{
    cell::RefCell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use attache_gateway::exchange::{Effect, Exchange, Input};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};
use thiserror::Error;

use crate::{
    host::{self, HostError},
    worker::{Move, Parked, Worker, fail},
};

/// Response flags that say that the server, not the client, broke the response off: reset, connection failure,
/// connection termination, protocol error. The last is also the connection that ends before the last chunk.
const SERVER_BROKE: u64 = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 23;

/// One stream.
pub(crate) struct Http {
    id: u32,
    worker: Rc<RefCell<Worker>>,
    presence: Presence,
}

/// Where the exchange of a stream is.
#[expect(
    clippy::large_enum_variant,
    reason = "moving it costs less than allocating it per request"
)]
enum Presence {
    /// Not on a path of ours: everything passes.
    Elsewhere,
    /// Here.
    Here(Exchange),
    /// With the worker: it waits, or did.
    Parked,
    /// Nowhere: it failed, and was answered.
    Failed,
}

/// Why a callback could not be carried out.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the state of the worker is in use: {0}")]
    InUse(#[from] std::cell::BorrowMutError),
}

type Outcome = Result<Move, Trouble>;

impl Http {
    pub(crate) const fn new(id: u32, worker: Rc<RefCell<Worker>>) -> Self {
        Self { id, worker, presence: Presence::Elsewhere }
    }

    /// Runs a callback so that neither a panic nor an error gets out of it.
    fn guard(&mut self, run: impl FnOnce(&mut Self) -> Outcome) -> Action {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(self)));
        match outcome {
            Ok(Ok(Move::On)) => return Action::Continue,
            Ok(Ok(Move::Stay)) => return Action::Pause,
            Ok(Err(trouble)) => log::error!("{trouble}"),
            // The panic itself was logged by the hook.
            Err(_panic) => {
                if let Ok(worker) = self.worker.try_borrow() {
                    Worker::count(worker.counters.panics, 1);
                }
            }
        }
        self.presence = Presence::Failed;
        fail();
        Action::Pause
    }

    /// Hands an input to the exchange, and carries out what it says.
    fn drive(&mut self, input: Input<'_>) -> Outcome {
        let worker = Rc::clone(&self.worker);
        let mut worker = worker.try_borrow_mut()?;
        let Some((exchange, until_us)) = self.take(&mut worker) else {
            return Ok(self.rest());
        };
        let (exchange, effect) = exchange.handle(input, &mut worker.shared);
        if effect == Effect::AwaitVerdict {
            return self.wait(&mut worker, exchange);
        }
        if effect == Effect::Hold && until_us.is_some() {
            worker.parked.insert(self.id, Parked { exchange, until_us });
            self.presence = Presence::Parked;
            return Ok(Move::Stay);
        }
        let moved = worker.apply(&exchange, effect)?;
        self.presence = Presence::Here(exchange);
        Ok(moved)
    }

    /// Leaves the exchange with the worker until more is known.
    fn wait(&mut self, worker: &mut Worker, exchange: Exchange) -> Outcome {
        let now_us = host::now_us()?;
        let Some(exchange) = worker.park(self.id, exchange, now_us) else {
            self.presence = Presence::Parked;
            worker.hurry(1);
            return Ok(Move::Stay);
        };
        let (exchange, effect) = exchange.handle(Input::WaitExpired { now_us }, &mut worker.shared);
        let moved = worker.apply(&exchange, effect)?;
        self.presence = Presence::Here(exchange);
        Ok(moved)
    }

    /// The exchange, wherever it is, and until when it waits.
    fn take(&mut self, worker: &mut Worker) -> Option<(Exchange, Option<u64>)> {
        match mem::replace(&mut self.presence, Presence::Failed) {
            Presence::Here(exchange) => Some((exchange, None)),
            Presence::Parked => {
                let Parked { exchange, until_us } = worker.parked.remove(&self.id)?;
                Some((exchange, until_us))
            }
            presence @ (Presence::Elsewhere | Presence::Failed) => {
                self.presence = presence;
                None
            }
        }
    }

    /// What a stream without an exchange does.
    const fn rest(&self) -> Move {
        match self.presence {
            Presence::Elsewhere | Presence::Here(_) | Presence::Parked => Move::On,
            Presence::Failed => Move::Stay,
        }
    }

    fn begin(&mut self, end: bool) -> Outcome {
        let path = host::path()?.unwrap_or_default();
        let endpoint = self.worker.try_borrow_mut()?.shared.gateway.endpoint(&path).cloned();
        let Some(endpoint) = endpoint else {
            return Ok(Move::On);
        };
        let headers = host::request_headers()?;
        let counts = self.worker.try_borrow_mut()?.shared.trust.counts(&headers);
        let address = if counts { host::client_address()? } else { None };
        self.presence = Presence::Here(Exchange::new(endpoint, address));
        let now_us = host::now_us()?;
        self.drive(Input::RequestHeaders { headers, end, now_us })
    }

    /// The body is complete: from here on Envoy holds all of it.
    fn receive(&mut self, size: usize) -> Outcome {
        if !self.reads_request() {
            return Ok(self.rest());
        }
        let body = host::request_body(size)?;
        let now_us = host::now_us()?;
        self.drive(Input::RequestBody { body: &body, now_us })
    }

    fn reads_request(&self) -> bool {
        match &self.presence {
            Presence::Here(exchange) => exchange.reads_request(),
            Presence::Parked => true,
            Presence::Elsewhere | Presence::Failed => false,
        }
    }

    fn pass(&mut self, size: usize, end: bool) -> Outcome {
        let reads = match &self.presence {
            Presence::Here(exchange) => exchange.reads_response(),
            Presence::Elsewhere | Presence::Parked | Presence::Failed => false,
        };
        let bytes = if reads { host::response_chunk(size)? } else { Vec::new() };
        self.drive(Input::ResponseBody { size, bytes: &bytes, end })
    }

    fn finish(&mut self) -> Outcome {
        let worker = Rc::clone(&self.worker);
        let mut worker = worker.try_borrow_mut()?;
        let Some((exchange, _)) = self.take(&mut worker) else {
            return Ok(Move::On);
        };
        let broken_by_server = exchange.is_cut_off() && host::response_flags()? & SERVER_BROKE != 0;
        let now_us = host::now_us()?;
        let done = Input::Done { broken_by_server, now_us };
        let (_, effect) = exchange.handle(done, &mut worker.shared);
        if let Effect::Over(over) = effect {
            let outcome = over.events.first().map(|event| event.outcome);
            worker.record(over, now_us / 1000);
            // Envoy writes its access log after this.
            if let Some(outcome) = outcome {
                host::set_property("mcp_outcome", outcome.as_str())?;
            }
        }
        Ok(Move::On)
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.guard(|http| http.begin(end_of_stream))
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if matches!(self.presence, Presence::Elsewhere) {
            return Action::Continue;
        }
        self.guard(|http| {
            if end_of_stream {
                http.receive(body_size)
            } else {
                http.drive(Input::RequestBodyGrows { held: body_size })
            }
        })
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if matches!(self.presence, Presence::Elsewhere) {
            return Action::Continue;
        }
        self.guard(|http| http.receive(usize::MAX))
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        match &self.presence {
            Presence::Here(exchange) if exchange.awaits_response() => {}
            Presence::Parked => {}
            Presence::Here(_) | Presence::Elsewhere | Presence::Failed => return Action::Continue,
        }
        self.guard(|http| {
            let headers = host::response_headers()?;
            http.drive(Input::ResponseHeaders { headers, end: end_of_stream })
        })
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        match self.presence {
            Presence::Here(_) => self.guard(|http| http.pass(body_size, end_of_stream)),
            Presence::Elsewhere | Presence::Parked | Presence::Failed => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match self.presence {
            Presence::Here(_) => self.guard(|http| http.drive(Input::ResponseTrailers)),
            Presence::Elsewhere | Presence::Parked | Presence::Failed => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        if matches!(self.presence, Presence::Elsewhere | Presence::Failed) {
            return;
        }
        // The stream is over: nothing can be answered, whatever happens here.
        match catch_unwind(AssertUnwindSafe(|| self.finish())) {
            Ok(Ok(_)) => {}
            Ok(Err(trouble)) => log::error!("{trouble}"),
            Err(_panic) => {
                if let Ok(worker) = self.worker.try_borrow() {
                    Worker::count(worker.counters.panics, 1);
                }
            }
        }
    }
}
