//! What Envoy and authsvc say while the load goes on, and after it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    load::process,
    stack::{Stack, eventually},
    upstream::Upstream,
};
use tokio::time::{self, Instant};

/// How long everything may take to come to rest after the load.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events per page.
const PAGE: u32 = 1000;

/// Memory at one moment, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident, of the process.
    pub resident: u64,
    /// What Envoy's allocator has given out.
    pub allocated: u64,
    /// Of all VMs: what the filter has asked for.
    pub vms: u64,
}

/// Events in authsvc, by outcome.
#[derive(Clone, Debug, Default)]
pub struct Events {
    cursor: i64,
    /// How many of each.
    pub outcomes: BTreeMap<String, u64>,
}

/// What must be zero when nobody is there.
const GAUGES: [&str; 6] = [
    "http.attache.downstream_cx_active",
    "http.attache.downstream_rq_active",
    "cluster.mcp_soak.upstream_cx_active",
    "cluster.mcp_soak.upstream_rq_active",
    "cluster.mcp_soak.upstream_rq_pending_active",
    "cluster.authsvc_internal.upstream_rq_active",
];

impl Memory {
    async fn read(stack: &Stack) -> Result<Self> {
        Ok(Self {
            resident: process::resident(stack.envoy.id())?,
            allocated: stack.statistic("server.memory_allocated").await?,
            vms: stack.statistic("wasmcustom.attache_memory_bytes").await?,
        })
    }
}

impl Events {
    /// Reads on to the last.
    pub async fn read(&mut self, stack: &Stack) -> Result<()> {
        while self.page(stack, 0).await? {}
        Ok(())
    }

    /// Reads one page, for which it waits so many seconds; whether there is anything on it.
    async fn page(&mut self, stack: &Stack, wait: u8) -> Result<bool> {
        let (events, next) = stack.events_after(self.cursor, PAGE, wait).await?;
        for event in &events {
            let outcome = event["outcome"].as_str().unwrap_or("none");
            *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
        self.cursor = next;
        Ok(!events.is_empty())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// A reading a second for as long as the load goes on.
pub async fn watch(
    stack: &Stack,
    upstream: &Upstream,
    events: &mut Events,
    lasting: Duration,
) -> Result<Vec<Memory>> {
    let end = Instant::now() + lasting;
    let mut pace = time::interval(Duration::from_secs(1));
    let mut readings = Vec::new();
    while Instant::now() < end {
        pace.tick().await;
        readings.push(Memory::read(stack).await?);
        events.read(stack).await?;
        // It keeps what it has seen until somebody takes it.
        drop(upstream.take());
    }
    Ok(readings)
}

/// Waits until no stream and no connection is left.
pub async fn at_rest(stack: &Stack) -> Result<()> {
    for gauge in GAUGES {
        eventually(PATIENCE, async || {
            let active = stack.statistic(gauge).await?;
            ensure!(active == 0, "a stream is stuck: Envoy's `{gauge}` is {active}, not 0");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Waits until every event has come.
pub async fn complete(stack: &Stack, events: &mut Events, wanted: u64) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    events.read(stack).await?;
    loop {
        let count = events.count();
        if count == wanted {
            return Ok(());
        }
        ensure!(
            count < wanted && Instant::now() < end,
            "events do not add up: {count} are stored, {wanted} should be"
        );
        events.page(stack, 1).await?;
    }
}

/// The median of one reading over a share of the time.
pub fn median(
    readings: &[Memory],
    (from, to): (f64, f64),
    read: impl Fn(&Memory) -> u64,
) -> Result<u64> {
    let at = |share: f64| (readings.len() as f64 * share).round() as usize;
    let mut window: Vec<u64> =
        readings.get(at(from)..at(to)).unwrap_or_default().iter().map(read).collect();
    window.sort_unstable();
    window.get(window.len() / 2).copied().context("too short: no reading in a window")
}
