//! Events waiting to leave: bounded, batched, retried; what is lost is counted.
//!
//! Events are written as JSON once, when they come. A batch stays until it is accepted, so an answer that was lost
//! costs a repetition, which the receiver recognizes by the events' identities, and never an event.

use std::collections::VecDeque;

use attache_protocol::{event::Event, plugin::Events};

use crate::bucket::{Bucket, Rate};

/// Waiting time after the first failure, milliseconds; it doubles with each further one.
const FIRST_BACKOFF_MS: u64 = 500;
/// The longest waiting time after failures, milliseconds.
const LONGEST_BACKOFF_MS: u64 = 30_000;
/// A batch does not grow beyond this, bytes, unless one event alone does.
const MOST_BATCH_BYTES: usize = 1 << 20;
/// What strangers may cause: each event is a row in a database and a delivery, and costs nothing to cause. Ten a
/// second.
const STRANGERS: Rate = Rate { cost_ms: 100, burst: 100 };
/// What a batch needs beside its events, bytes: about.
const ENVELOPE: usize = 1024;

/// The outbox of one worker.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    strangers: Strangers,
    sending: Option<Sending>,
    lost: Lost,
    failures: u32,
    again_ms: u64,
}

#[derive(Debug)]
struct Limits {
    events: usize,
    bytes: usize,
    batch: usize,
    flush_ms: u64,
}

/// An event that waits.
#[derive(Debug)]
struct Waiting {
    json: Vec<u8>,
    sender: Sender,
    /// When it came; Unix milliseconds.
    came_ms: u64,
}

/// What waits and tells of strangers.
#[derive(Debug)]
struct Strangers {
    events: usize,
    bytes: usize,
    /// What they may still cause.
    bucket: Bucket,
}

/// Events that are lost, and not told of yet.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    /// There was no room.
    dropped: u64,
    /// Strangers caused too many.
    throttled: u64,
}

/// Of whom an event tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sender {
    /// Nobody knows, and the request went nowhere: anyone can send that, any number of times.
    Stranger,
    /// Anybody else.
    Other,
}

/// A batch on its way: the first `events` of those that wait.
#[derive(Debug)]
struct Sending {
    events: usize,
    lost: Lost,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// It waits, and is the first.
    First,
    /// It waits with others.
    Held,
    /// It waits, and with it a batch is full: send now.
    Full,
    /// There was no room: it is lost, and counted.
    Dropped,
    /// Strangers caused too many of them: it is lost, and counted.
    Throttled,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// It is stored.
    Accepted,
    /// It is kept, and will be sent again.
    Kept,
    /// The receiver will never take it: that many events are lost, and counted.
    Poisoned(usize),
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub const fn new(events: &Events) -> Self {
        let limits = Limits {
            events: events.max_events,
            bytes: events.max_bytes,
            batch: events.batch,
            flush_ms: events.flush_ms,
        };
        Self {
            limits,
            waiting: VecDeque::new(),
            bytes: 0,
            strangers: Strangers { events: 0, bytes: 0, bucket: Bucket::full(STRANGERS) },
            sending: None,
            lost: Lost { dropped: 0, throttled: 0 },
            failures: 0,
            again_ms: 0,
        }
    }

    /// Takes an event; when there is no room, the new one is lost. Strangers have room for half of what fits: they
    /// must not crowd out what tells of calls. And they cause ten events a second, after a hundred at once: each
    /// fills a disk a little.
    pub fn push(&mut self, event: &Event, now_ms: u64) -> Pushed {
        let sender = Sender::of(event);
        if sender == Sender::Stranger && !self.strangers.bucket.pays(now_ms) {
            self.lost.throttled += 1;
            return Pushed::Throttled;
        }
        let Ok(json) = serde_json::to_vec(event) else {
            self.lost.dropped += 1;
            return Pushed::Dropped;
        };
        let full = self.waiting.len() >= self.limits.events
            || (sender == Sender::Stranger && self.is_full_of_strangers(json.len()))
            || self.bytes.saturating_add(json.len()) > self.limits.bytes;
        if full {
            self.lost.dropped += 1;
            return Pushed::Dropped;
        }
        let first = self.waiting.is_empty();
        self.bytes += json.len();
        if sender == Sender::Stranger {
            self.strangers.events += 1;
            self.strangers.bytes += json.len();
        }
        self.waiting.push_back(Waiting { json, sender, came_ms: now_ms });
        if self.sending.is_none() && self.fills_a_batch() {
            return Pushed::Full;
        }
        if first { Pushed::First } else { Pushed::Held }
    }

    /// The body of the batch that is to leave now, if one is; it counts as on its way until [`Outbox::answered`].
    pub fn next(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        if self.sending.is_some() || now_ms < self.again_ms {
            return None;
        }
        // Also behind a batch that was just accepted: small batches, one after the other, would cost each event
        // more than the call that it tells of.
        let oldest_ms = self.waiting.front()?.came_ms;
        let ripe = now_ms.saturating_sub(oldest_ms) >= self.limits.flush_ms;
        if !ripe && !self.fills_a_batch() {
            return None;
        }
        let mut body = Vec::with_capacity(self.bytes.min(MOST_BATCH_BYTES) + ENVELOPE);
        let Lost { dropped, throttled } = self.lost;
        let head = format!(r#"{{"dropped":{dropped},"throttled":{throttled},"events":["#);
        body.extend_from_slice(head.as_bytes());
        let mut events = 0;
        for Waiting { json: event, .. } in self.waiting.iter().take(self.limits.batch) {
            if events > 0 {
                if body.len() + event.len() > MOST_BATCH_BYTES {
                    break;
                }
                body.push(b',');
            }
            body.extend_from_slice(event);
            events += 1;
        }
        body.extend_from_slice(b"]}");
        self.sending = Some(Sending { events, lost: self.lost });
        Some(body)
    }

    /// Takes the answer to the batch on its way; `None` when there was none.
    pub fn answered(&mut self, status: Option<u16>, now_ms: u64) -> Sent {
        let Some(sending) = self.sending.take() else {
            return Sent::Kept;
        };
        match status {
            Some(202) => {
                let Lost { dropped, throttled } = sending.lost;
                self.lost.dropped = self.lost.dropped.saturating_sub(dropped);
                self.lost.throttled = self.lost.throttled.saturating_sub(throttled);
                self.forget(sending.events);
                Sent::Accepted
            }
            // The secret can be corrected, the load pass: everything else of 4xx is about the batch itself.
            Some(400..=499) if !matches!(status, Some(401 | 403 | 404 | 408 | 425 | 429)) => {
                self.forget(sending.events);
                self.lost.dropped = self.lost.dropped.saturating_add(sending.events as u64);
                Sent::Poisoned(sending.events)
            }
            Some(_) | None => {
                self.failures = self.failures.saturating_add(1);
                let doubled =
                    FIRST_BACKOFF_MS.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
                self.again_ms = now_ms.saturating_add(doubled.min(LONGEST_BACKOFF_MS));
                Sent::Kept
            }
        }
    }

    /// Whether anything waits or is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn fills_a_batch(&self) -> bool {
        self.waiting.len() >= self.limits.batch || self.bytes >= MOST_BATCH_BYTES
    }

    const fn is_full_of_strangers(&self, more: usize) -> bool {
        self.strangers.events >= self.limits.events / 2
            || self.strangers.bytes.saturating_add(more) > self.limits.bytes / 2
    }

    fn forget(&mut self, events: usize) {
        for event in self.waiting.drain(..events.min(self.waiting.len())) {
            self.bytes = self.bytes.saturating_sub(event.json.len());
            if event.sender == Sender::Stranger {
                let Strangers { events, bytes, .. } = &mut self.strangers;
                *events = events.saturating_sub(1);
                *bytes = bytes.saturating_sub(event.json.len());
            }
        }
        self.failures = 0;
        self.again_ms = 0;
    }
}

impl Sender {
    const fn of(event: &Event) -> Self {
        if event.subject.is_none() && event.upstream_us.is_none() {
            Self::Stranger
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests;
