//! `make soak`: hundreds of open streams, a steady pace of calls, clients that leave at any moment; for ten minutes,
//! or `SOAK_SECONDS`. Afterwards memory is flat, no stream is stuck, and every request is accounted for.

use std::{env, io::Write as _, sync::atomic::Ordering, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{oauth, stack::Setup, upstream::Upstream};

mod clients;
mod plan;
mod readings;

use clients::{Clients, Tally};
use readings::{Events, Memory};

const SECONDS: u64 = 600;
const STREAMS: u64 = 500;
const CALLS: u32 = 200;
/// How much memory may grow from the window after the warm-up to the last one.
const MOST_GROWTH: f64 = 1.10;
/// Shares of the time: before the first is the warm-up.
const EARLY: (f64, f64) = (0.25, 0.40);
const LATE: (f64, f64) = (0.85, 1.0);
/// Requests that Envoy saw.
const REQUESTS: &str = "http.attache.downstream_rq_total";
/// Failures that are told.
const MOST_TOLD: usize = 5;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let lasting = Duration::from_secs(seconds()?);
    let upstream = Upstream::start(plan::answer).await?;
    let setup = Setup::new().server("soak", &upstream.url("/mcp"));
    let stack = Setup { workers: 2, ..setup }.start().await.context("the gateway")?;
    let (_, tokens) = oauth::connect(&stack.url("soak")).await.context("a token")?;
    // The event of the request that found the way to the token: the last before the load.
    stack.event(|event| event["outcome"] == "unauthenticated").await?;
    let mut events = Events::default();
    events.read(&stack).await?;
    let before = Counted { requests: stack.statistic(REQUESTS).await?, events: events.count() };

    let clients = Clients::new(stack.listen(), "/soak/mcp", &tokens.access);
    let load = tokio::spawn(clients.run(STREAMS, CALLS, lasting));
    let memory = readings::watch(&stack, &upstream, &mut events, lasting).await?;
    let tally = load.await?.context("the load")?;

    let rest = readings::at_rest(&stack).await;
    let requests = stack.statistic(REQUESTS).await? - before.requests;
    let dropped = stack.statistic("wasmcustom.attache_events_dropped").await?;
    let wanted = before.events + requests - dropped;
    let complete = readings::complete(&stack, &mut events, wanted).await;
    report(&memory, &tally, &events, (requests, dropped))?;

    rest?;
    complete?;
    settled(&tally)?;
    for (what, read) in READINGS {
        flat(&memory, what, read)?;
    }
    let panics = stack.statistic("wasmcustom.attache_panics").await?;
    ensure!(panics == 0, "the filter panicked {panics} times; see {}", stack.folder().display());
    stack.stop().await
}

/// Counters before the load.
struct Counted {
    requests: u64,
    events: u64,
}

type Read = fn(&Memory) -> u64;

/// What must not grow.
const READINGS: [(&str, Read); 3] = [
    ("resident memory of Envoy", |memory| memory.resident),
    ("allocated by Envoy", |memory| memory.allocated),
    ("memory of the VMs", |memory| memory.vms),
];

fn seconds() -> Result<u64> {
    let Ok(text) = env::var("SOAK_SECONDS") else {
        return Ok(SECONDS);
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds >= 20);
    seconds.with_context(|| format!("SOAK_SECONDS={text}: expected a number of at least 20"))
}

/// That every request ended in one of the ways that were planned.
fn settled(tally: &Tally) -> Result<()> {
    let failures = tally.failures.lock().map_err(|_| anyhow::anyhow!("a client panicked"))?;
    let told: Vec<&str> = failures.iter().take(MOST_TOLD).map(String::as_str).collect();
    ensure!(failures.is_empty(), "{} requests failed:\n{}", failures.len(), told.join("\n"));
    let [sent, answered, cancelled, cut] = counts(tally);
    ensure!(
        sent == answered + cancelled + cut,
        "requests do not add up: {sent} sent, {answered} answered, {cancelled} cancelled, {cut} cut by the server"
    );
    Ok(())
}

fn flat(memory: &[Memory], what: &str, read: Read) -> Result<()> {
    let (early, late) =
        (readings::median(memory, EARLY, read)?, readings::median(memory, LATE, read)?);
    let growth = late as f64 / early as f64;
    ensure!(
        growth <= MOST_GROWTH,
        "{what} grows: {} MiB after the warm-up, {} MiB at the end, at most {MOST_GROWTH} times as much is expected",
        early >> 20,
        late >> 20
    );
    Ok(())
}

fn counts(tally: &Tally) -> [u64; 4] {
    [&tally.sent, &tally.answered, &tally.cancelled, &tally.cut]
        .map(|counter| counter.load(Ordering::Relaxed))
}

fn report(
    memory: &[Memory],
    tally: &Tally,
    events: &Events,
    (requests, dropped): (u64, u64),
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let [sent, answered, cancelled, cut] = counts(tally);
    writeln!(out, "{} s, {STREAMS} open streams, {CALLS} calls/s, 2 workers\n", memory.len())?;
    writeln!(out, "| memory, MiB | after the warm-up | at the end | ratio |")?;
    writeln!(out, "| --- | --- | --- | --- |")?;
    for (what, read) in READINGS {
        let early = readings::median(memory, EARLY, read)? as f64;
        let late = readings::median(memory, LATE, read)? as f64;
        let mib = f64::from(1 << 20);
        writeln!(out, "| {what} | {:.1} | {:.1} | {:.3} |", early / mib, late / mib, late / early)?;
    }
    writeln!(
        out,
        "\nrequests: {sent} sent, {answered} answered, {cancelled} cancelled, {cut} cut by the server; {requests} reached Envoy"
    )?;
    let outcomes: Vec<String> =
        events.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    writeln!(
        out,
        "events: {} stored ({}), {dropped} dropped",
        events.count(),
        outcomes.join(", ")
    )?;
    Ok(())
}
