//! The root context of a worker: configuration, keys, events on their way out.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use attache_gateway::{
    config::Gateway,
    exchange::{Input, Shared},
    introspection::{Answered, MOST_ANSWER, Question},
    keys::{Adopted, JwksError, shared as slots},
    outbox::Sent,
    request::token::Mark,
};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};

use crate::{
    host::{self, HostError},
    http::Http,
    random,
    worker::{Counters, Worker},
};

/// Between ticks when nobody waits for anything, milliseconds.
const CALM_MS: u64 = 1_000;
/// Between ticks while somebody waits, milliseconds.
const EAGER_MS: u64 = 50;
/// How long after its timeout a call is believed to be lost, milliseconds.
const GRACE_MS: u64 = 2_000;
/// The largest key set that is read, bytes.
const MOST_JWKS: usize = 1 << 20;

/// The root context.
pub(crate) struct Root {
    id: u32,
    worker: Option<Rc<RefCell<Worker>>>,
    calls: BTreeMap<u32, Call>,
}

/// A call of ours on its way.
#[derive(Clone, Copy, Debug)]
struct Call {
    kind: Kind,
    /// When it is given up, Unix milliseconds.
    until_ms: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Keys,
    Events,
    Token(Mark),
}

impl Root {
    pub(crate) const fn new(id: u32) -> Self {
        Self { id, worker: None, calls: BTreeMap::new() }
    }

    fn configure(&mut self, size: usize) -> Result<(), String> {
        let text = host::configuration(size).map_err(|error| error.to_string())?;
        let gateway = Gateway::parse(&text).map_err(|error| error.to_string())?;
        let seed = random::seed().ok_or("the host gives no random bits")?;
        let counters = Counters::define().map_err(|error| error.to_string())?;
        let shared = Shared::new(Rc::new(gateway), seed);
        let mut worker = Worker::new(shared, counters);
        worker.set_period(1);
        self.worker = Some(Rc::new(RefCell::new(worker)));
        Ok(())
    }

    fn tick(&mut self, worker: &mut Worker) -> Result<(), HostError> {
        let now_us = host::now_us()?;
        let now_ms = now_us / 1000;
        self.give_up(worker, now_us);
        self.look_for_keys(worker, now_us)?;
        self.ask_for_keys(worker, now_ms)?;
        expire(worker, now_us);
        worker.weigh();
        host::set_effective_context(self.id)?;
        self.ask_about_tokens(worker, now_us);
        self.send_events(worker, now_ms);
        let flush_ms = worker.shared.gateway.events.flush_ms;
        let eager = worker.has_waiting() || worker.shared.trust.keys.is_eager(now_ms);
        let calm_ms = if worker.outbox.is_empty() { CALM_MS } else { CALM_MS.min(flush_ms) };
        worker.set_period(if eager { EAGER_MS } else { calm_ms });
        Ok(())
    }

    /// Forgets calls whose answer will never come.
    fn give_up(&mut self, worker: &mut Worker, now_us: u64) {
        let now_ms = now_us / 1000;
        let lost: Vec<u32> = self
            .calls
            .iter()
            .filter(|(_, call)| now_ms >= call.until_ms)
            .map(|(token, _)| *token)
            .collect();
        for token in lost {
            match self.calls.remove(&token).map(|call| call.kind) {
                Some(Kind::Events) => sent(worker, None, now_ms),
                Some(Kind::Keys) => {
                    worker.shared.trust.keys.failed(now_ms);
                }
                Some(Kind::Token(mark)) => self.learned(worker, mark, (None, &[]), now_us),
                None => {}
            }
        }
    }

    /// Takes the keys that another worker fetched.
    fn look_for_keys(&self, worker: &mut Worker, now_us: u64) -> Result<(), HostError> {
        let slot = slots::keys_slot(&worker.shared.gateway.jwks.target);
        let (Some(content), _) = host::shared_data(&slot)? else {
            return Ok(());
        };
        let Some((fetched_ms, text)) = slots::read_keys(&content) else {
            return Ok(());
        };
        if worker.shared.trust.keys.fetched_ms().is_none_or(|ours| fetched_ms > ours) {
            match worker.shared.trust.adopt(text, fetched_ms) {
                Ok(_) => self.wake_all(worker, now_us),
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(())
    }

    /// Fetches the keys when it is time, and no other worker does.
    fn ask_for_keys(&mut self, worker: &mut Worker, now_ms: u64) -> Result<(), HostError> {
        if !worker.shared.trust.keys.is_due(now_ms) {
            return Ok(());
        }
        let target = worker.shared.gateway.jwks.target.clone();
        let claim = slots::claim_slot(&target);
        let (content, version) = host::shared_data(&claim)?;
        if let Some(until_ms) = slots::read_claim(content.as_deref(), now_ms) {
            worker.shared.trust.keys.asked(until_ms);
            return Ok(());
        }
        let until_ms = now_ms.saturating_add(target.timeout_ms).saturating_add(GRACE_MS);
        worker.shared.trust.keys.asked(until_ms);
        if let Err(error) = host::set_shared_data(&claim, &slots::write_claim(until_ms), version) {
            // Another worker was faster.
            log::debug!("{error}");
            return Ok(());
        }
        match host::call(&target, "GET", &[("accept", "application/json")], None) {
            Ok(token) => {
                self.calls.insert(token, Call { kind: Kind::Keys, until_ms });
                Ok(())
            }
            Err(error) => {
                log::warn!("the keys cannot be fetched: {error}");
                keys_failed(worker, now_ms)
            }
        }
    }

    fn send_events(&mut self, worker: &mut Worker, now_ms: u64) {
        let Some(body) = worker.outbox.next(now_ms) else {
            return;
        };
        let events = &worker.shared.gateway.events;
        let bearer = format!("Bearer {}", events.secret.reveal());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let until_ms = now_ms.saturating_add(events.target.timeout_ms).saturating_add(GRACE_MS);
        match host::call(&events.target, "POST", &headers, Some(&body)) {
            Ok(token) => {
                self.calls.insert(token, Call { kind: Kind::Events, until_ms });
            }
            Err(error) => {
                log::warn!("events cannot be sent: {error}");
                sent(worker, None, now_ms);
            }
        }
    }

    /// Asks about the opaque tokens for whose answers somebody waits.
    fn ask_about_tokens(&mut self, worker: &mut Worker, now_us: u64) {
        let now_ms = now_us / 1000;
        let Some(policy) = worker.shared.gateway.introspection.clone() else {
            return;
        };
        let bearer = format!("Bearer {}", policy.secret.reveal());
        let form = "application/x-www-form-urlencoded";
        let headers = [("authorization", bearer.as_str()), ("content-type", form)];
        let until_ms = now_ms.saturating_add(policy.target.timeout_ms).saturating_add(GRACE_MS);
        let next = |worker: &mut Worker| worker.shared.trust.introspection.as_mut()?.next(now_ms);
        while let Some(Question { mark, body }) = next(worker) {
            match host::call(&policy.target, "POST", &headers, Some(body.reveal())) {
                Ok(token) => {
                    self.calls.insert(token, Call { kind: Kind::Token(mark), until_ms });
                }
                Err(error) => {
                    log::warn!("a token cannot be asked about: {error}");
                    self.learned(worker, mark, (None, &[]), now_us);
                }
            }
        }
    }

    fn answered(
        &mut self,
        worker: &mut Worker,
        token: u32,
        (headers, body): (usize, usize),
    ) -> Result<(), HostError> {
        let now_us = host::now_us()?;
        let now_ms = now_us / 1000;
        // Without headers there was no answer, and asking for them is an error.
        let status = if headers == 0 { None } else { host::call_headers()?.status() };
        match self.calls.remove(&token).map(|call| call.kind) {
            Some(Kind::Events) => {
                sent(worker, status, now_ms);
                self.send_events(worker, now_ms);
                Ok(())
            }
            Some(Kind::Keys) => self.fetched(worker, status, body, now_us),
            Some(Kind::Token(mark)) => {
                let body = host::call_body(body.min(MOST_ANSWER))?;
                self.learned(worker, mark, (status, &body), now_us);
                self.ask_about_tokens(worker, now_us);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn fetched(
        &self,
        worker: &mut Worker,
        status: Option<u16>,
        size: usize,
        now_us: u64,
    ) -> Result<(), HostError> {
        let now_ms = now_us / 1000;
        let adopted = match status {
            Some(200) => {
                let text = host::call_body(size.min(MOST_JWKS))?;
                worker.shared.trust.adopt(&text, now_ms).map(|adopted| (adopted, text))
            }
            Some(status) => Err(JwksError::Status(status)),
            None => Err(JwksError::Silent),
        };
        match adopted {
            Ok((adopted, text)) => {
                if adopted == Adopted::Other {
                    log::info!("the issuer's keys were fetched");
                }
                let target = &worker.shared.gateway.jwks.target;
                let keys = slots::write_keys(now_ms, &text);
                host::set_shared_data(&slots::keys_slot(target), &keys, None)?;
                host::set_shared_data(&slots::claim_slot(target), &slots::write_claim(0), None)?;
                self.wake_all(worker, now_us);
                Ok(())
            }
            Err(error) => {
                log::warn!("{error}");
                keys_failed(worker, now_ms)
            }
        }
    }

    /// What was said of a token, or that nothing was.
    fn learned(
        &self,
        worker: &mut Worker,
        mark: Mark,
        (status, body): (Option<u16>, &[u8]),
        now_us: u64,
    ) {
        let Some(introspection) = &mut worker.shared.trust.introspection else {
            return;
        };
        let answered = introspection.answered(mark, status, body, now_us / 1000);
        if answered == Answered::Useless {
            let status = status.map_or("no status".to_owned(), |status| status.to_string());
            log::warn!(
                "authsvc does not say what tokens are worth ({status}); those that are not known are refused"
            );
        }
        self.wake_all(worker, now_us);
    }

    /// Lets those decide anew who wait.
    fn wake_all(&self, worker: &mut Worker, now_us: u64) {
        for id in waiting(worker, None) {
            worker.wake(id, Input::TrustChanged { now_us });
        }
        if let Err(error) = host::set_effective_context(self.id) {
            log::error!("{error}");
        }
    }

    /// Runs a callback so that neither a panic nor an error gets out of it.
    fn guard(&mut self, run: impl FnOnce(&mut Self, &mut Worker) -> Result<(), HostError>) {
        let Some(worker) = self.worker.clone() else {
            return;
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| match worker.try_borrow_mut() {
            Ok(mut worker) => run(self, &mut worker).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!("{error}"),
            Err(_panic) => {
                if let Ok(worker) = worker.try_borrow() {
                    Worker::count(worker.counters.panics, 1);
                }
            }
        }
    }
}

/// The next attempt waits, in every worker.
fn keys_failed(worker: &mut Worker, now_ms: u64) -> Result<(), HostError> {
    let again_ms = worker.shared.trust.keys.failed(now_ms);
    let claim = slots::claim_slot(&worker.shared.gateway.jwks.target);
    host::set_shared_data(&claim, &slots::write_claim(again_ms), None)
}

fn sent(worker: &mut Worker, status: Option<u16>, now_ms: u64) {
    match worker.outbox.answered(status, now_ms) {
        Sent::Accepted => {}
        Sent::Kept => {
            let status = status.map_or("no status".to_owned(), |status| status.to_string());
            log::warn!("events were not accepted ({status}); they are kept and sent again");
        }
        Sent::Poisoned(events) => {
            log::error!("{events} events were refused for good, and are lost");
            Worker::count(worker.counters.dropped, events as u64);
        }
    }
}

/// Refuses those who have waited long enough.
fn expire(worker: &mut Worker, now_us: u64) {
    for id in waiting(worker, Some(now_us)) {
        worker.wake(id, Input::WaitExpired { now_us });
    }
}

/// Streams that wait for keys or for what is said of their token: all, or those that have waited until `until_us`.
fn waiting(worker: &Worker, until_us: Option<u64>) -> Vec<u32> {
    let ripe = |end: u64| until_us.is_none_or(|now| end <= now);
    worker
        .parked
        .iter()
        .filter(|(_, parked)| parked.until_us.is_some_and(ripe))
        .map(|(id, _)| *id)
        .collect()
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        self.guard(|root, worker| root.answered(worker, token, (headers, body)));
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configured = catch_unwind(AssertUnwindSafe(|| self.configure(size)));
        match configured {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                log::error!("{error}");
                false
            }
            Err(_panic) => false,
        }
    }

    fn on_tick(&mut self) {
        self.guard(Self::tick);
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        let worker = self.worker.as_ref()?;
        Some(Box::new(Http::new(id, Rc::clone(worker))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
