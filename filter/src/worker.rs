//! What the root context and the streams of one worker share.

use std::collections::{BTreeMap, BTreeSet};

use attache_gateway::{
    exchange::{Effect, Exchange, Forward, Input, Over, Shared},
    outbox::{Outbox, Pushed},
    refusal::{Refusal, Reply},
};

use crate::host::{self, HostError};

/// Requests that wait for keys, or for what is said of their token, at the same time; more are refused at once. Few: Envoy keeps the body of each, and
/// answers those that are refused in one tick one inside of the other, on one stack.
const MOST_WAITING: usize = 64;
/// Those of one network among them that wait for what is said of their token: the rest is for others.
const MOST_WAITING_OF_ONE: usize = 48;
/// Tools about which a line is logged.
const MOST_WARNED: usize = 256;

/// The state of one worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Shared,
    pub(crate) outbox: Outbox,
    pub(crate) counters: Counters,
    /// Exchanges that wait, or did: their streams take them back at their next callback.
    pub(crate) parked: BTreeMap<u32, Parked>,
    /// The tick period in effect, milliseconds.
    pub(crate) period_ms: u64,
    /// What of this VM's memory the gauge says, bytes.
    weighed: u64,
    warned: BTreeSet<String>,
}

/// An exchange outside of its stream.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) exchange: Exchange,
    /// When it has waited long enough, Unix microseconds; `None` when it no longer waits.
    pub(crate) until_us: Option<u64>,
}

/// Numbers in Envoy's statistics.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) dropped: u32,
    throttled: u32,
    pub(crate) refusals: u32,
    pub(crate) panics: u32,
    memory: u32,
}

/// What the stream is to tell Envoy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Move {
    /// Go on.
    On,
    /// Keep what came.
    Stay,
}

impl Counters {
    /// Defines them.
    pub(crate) fn define() -> Result<Self, HostError> {
        Ok(Self {
            dropped: host::define_counter("attache_events_dropped")?,
            throttled: host::define_counter("attache_events_throttled")?,
            refusals: host::define_counter("attache_refusals")?,
            panics: host::define_counter("attache_panics")?,
            memory: host::define_gauge("attache_memory_bytes")?,
        })
    }
}

impl Worker {
    pub(crate) fn new(shared: Shared, counters: Counters) -> Self {
        Self {
            outbox: Outbox::new(&shared.gateway.events),
            shared,
            counters,
            parked: BTreeMap::new(),
            period_ms: 0,
            weighed: 0,
            warned: BTreeSet::new(),
        }
    }

    /// Asks for ticks at this period, unless they come that often already.
    pub(crate) fn hurry(&mut self, period_ms: u64) {
        if self.period_ms == 0 || period_ms < self.period_ms {
            self.set_period(period_ms);
        }
    }

    /// Asks for ticks at this period.
    pub(crate) fn set_period(&mut self, period_ms: u64) {
        if self.period_ms == period_ms {
            return;
        }
        match host::set_tick_period(period_ms) {
            Ok(()) => self.period_ms = period_ms,
            Err(error) => log::error!("{error}"),
        }
    }

    /// Whether somebody waits.
    pub(crate) fn has_waiting(&self) -> bool {
        self.parked.values().any(|parked| parked.until_us.is_some())
    }

    /// Keeps an exchange while it waits; `Some` gives it back when too many do.
    pub(crate) fn park(&mut self, id: u32, exchange: Exchange, now_us: u64) -> Option<Exchange> {
        // Those that wait no longer are with their servers, perhaps for long.
        let waiting = || self.parked.values().filter(|parked| parked.until_us.is_some());
        let theirs = exchange.network().map_or(0, |network| {
            waiting().filter(|parked| parked.exchange.network() == Some(network)).count()
        });
        if waiting().count() >= MOST_WAITING || theirs >= MOST_WAITING_OF_ONE {
            return Some(exchange);
        }
        let wait_us = self.shared.gateway.jwks.wait_ms.saturating_mul(1000);
        let until_us = Some(now_us.saturating_add(wait_us));
        self.parked.insert(id, Parked { exchange, until_us });
        None
    }

    /// Counts, and says so when that fails.
    pub(crate) fn count(counter: u32, by: u64) {
        if let Err(error) = host::increment(counter, by) {
            log::error!("{error}");
        }
    }

    /// Says how much memory this VM has, in a gauge that is the sum of all of them: such memory never shrinks.
    pub(crate) fn weigh(&mut self) {
        let memory = memory();
        if memory > self.weighed {
            Self::count(self.counters.memory, memory - self.weighed);
            self.weighed = memory;
        }
    }

    /// Takes what is left of an exchange.
    pub(crate) fn record(&mut self, over: Over, now_ms: u64) {
        for event in &over.events {
            match self.outbox.push(event, now_ms) {
                Pushed::Held => {}
                Pushed::First => self.hurry(self.shared.gateway.events.flush_ms),
                Pushed::Full => self.hurry(1),
                Pushed::Dropped => Self::count(self.counters.dropped, 1),
                Pushed::Throttled => Self::count(self.counters.throttled, 1),
            }
        }
        for owner in over.owners {
            if self.warned.len() < MOST_WARNED && !self.warned.contains(&owner) {
                log::warn!(
                    "tool `{owner}` has an argument of a reserved name; list it under `analytics.exempt`"
                );
                self.warned.insert(owner);
            }
        }
    }

    /// Carries out what an exchange decided on its request.
    ///
    /// # Errors
    /// When Envoy does not: then the request must not go on.
    pub(crate) fn apply(&self, exchange: &Exchange, effect: Effect) -> Result<Move, HostError> {
        match effect {
            Effect::Continue | Effect::Over(_) => Ok(Move::On),
            // `ReadBody` comes of no other input than those of `wake`.
            Effect::Hold | Effect::AwaitVerdict | Effect::ReadBody { .. } => Ok(Move::Stay),
            Effect::Forward(forward) => {
                label(exchange)?;
                change(&forward)?;
                Ok(Move::On)
            }
            Effect::Refuse(reply) => {
                label(exchange)?;
                self.refuse(&reply)?;
                Ok(Move::Stay)
            }
            Effect::OpenLength => {
                host::remove_response_header("content-length")?;
                Ok(Move::On)
            }
            Effect::Challenge(challenge) => {
                host::remove_response_header("www-authenticate")?;
                if let Some(challenge) = challenge {
                    host::add_response_header("www-authenticate", &challenge)?;
                }
                Ok(Move::On)
            }
            Effect::Replace(chunk) => {
                host::replace_response_chunk(&chunk)?;
                Ok(Move::On)
            }
            Effect::Abort => {
                log::error!("trailers came before a list was complete: the response is broken off");
                host::reply(&Refusal::Failure.plain_reply(None))?;
                Ok(Move::Stay)
            }
        }
    }

    fn refuse(&self, reply: &Reply) -> Result<(), HostError> {
        Self::count(self.counters.refusals, 1);
        host::reply(reply)
    }

    /// Lets an exchange outside of its stream go on; what comes back is to be parked again.
    pub(crate) fn wake(&mut self, id: u32, input: Input<'_>) {
        let Some(Parked { exchange, until_us }) = self.parked.remove(&id) else {
            return;
        };
        if let Err(error) = host::set_effective_context(id) {
            log::error!("{error}");
            return;
        }
        let (mut exchange, mut effect) = exchange.handle(input, &mut self.shared);
        if let Effect::ReadBody { size } = effect {
            (exchange, effect) = match read(size) {
                Ok((body, now_us)) => {
                    let input = Input::RequestBody { body: &body, now_us };
                    exchange.handle(input, &mut self.shared)
                }
                Err(error) => {
                    log::error!("{error}");
                    return fail();
                }
            };
        }
        let until_us = until_us.filter(|_| effect == Effect::AwaitVerdict);
        let resumes = matches!(effect, Effect::Forward(_) | Effect::Continue);
        let applied = self.apply(&exchange, effect);
        let done = applied.and_then(|_| if resumes { host::resume_request() } else { Ok(()) });
        if let Err(error) = done {
            log::error!("{error}");
            fail();
        }
        self.parked.insert(id, Parked { exchange, until_us });
    }
}

/// The linear memory of this VM, bytes.
#[cfg(target_arch = "wasm32")]
fn memory() -> u64 {
    const PAGE: u64 = 64 << 10;
    core::arch::wasm32::memory_size::<0>() as u64 * PAGE
}

#[cfg(not(target_arch = "wasm32"))]
const fn memory() -> u64 {
    0
}

/// The request body that Envoy holds for the stream in effect.
fn read(size: usize) -> Result<(Vec<u8>, u64), HostError> {
    Ok((host::request_body(size)?, host::now_us()?))
}

/// The last resort for the stream in effect.
pub(crate) fn fail() {
    if let Err(error) = host::reply(&Refusal::Failure.plain_reply(None)) {
        log::error!("{error}");
    }
}

fn change(forward: &Forward) -> Result<(), HostError> {
    for name in &forward.remove {
        host::remove_request_header(name)?;
    }
    if let Some(body) = &forward.body {
        host::replace_request_body(body)?;
    }
    if let Some(media_type) = forward.media_type {
        host::set_request_header("content-type", media_type)?;
    }
    if let Some(length) = forward.length {
        host::set_request_header("content-length", &length.to_string())?;
    }
    Ok(())
}

/// Tells access logs what was learned: filter state `wasm.mcp_*`.
fn label(exchange: &Exchange) -> Result<(), HostError> {
    host::set_property("mcp_server", &exchange.endpoint().server)?;
    let Some(record) = exchange.record() else {
        return Ok(());
    };
    let labels = [
        ("mcp_method", record.method()),
        ("mcp_tool", record.name()),
        ("mcp_subject", record.subject()),
    ];
    for (name, value) in labels {
        if let Some(value) = value {
            host::set_property(name, value)?;
        }
    }
    Ok(())
}
