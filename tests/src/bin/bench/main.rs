//! `make bench`: what the filter costs, next to the same Envoy without it.
//!
//! Both proxies run at once on this machine, with one worker each, the same routes and the same upstream;
//! rounds alternate between them. Times are CPU time of the proxy from `/proc`, divided by its requests:
//! other load on the machine stretches the wall clock, not that.

use std::{io::Write as _, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use attache_tests::{
    load::{self, Measured, machine, process},
    oauth,
    stack::Setup,
};

mod cases;
mod plain;
mod upstream;

use cases::Case;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(1);

/// A proxy under load.
#[derive(Clone, Copy, Debug)]
struct Proxy {
    address: SocketAddr,
    pid: u32,
}

/// What one round said of one proxy.
#[derive(Clone, Debug)]
struct Round {
    cpu_us: f64,
    measured: Measured,
}

#[tokio::main]
async fn main() -> Result<()> {
    let upstream = upstream::start().await?;
    let (streaming, arrived) = upstream::streaming().await?;
    let setup = Setup::new()
        .server("bench", &format!("http://{upstream}/mcp"))
        .server("stream", &streaming.url("/mcp"));
    let stack = setup.start().await.context("Envoy with the filter")?;
    let plain = plain::start(&stack).await.context("plain Envoy")?;
    let (_, tokens) = oauth::connect(&stack.url("bench")).await.context("a token")?;
    let (_, for_stream) = oauth::connect(&stack.url("stream")).await.context("another token")?;
    let host = format!("localhost:{}", stack.listen().port());

    let with = Proxy { address: stack.listen(), pid: stack.envoy.id() };
    let without = Proxy { address: plain.address, pid: plain.process.id() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", machine())?;
    writeln!(
        out,
        "{CONNECTIONS} connections, {ROUNDS} alternating rounds of {} s; medians\n",
        ROUND.as_secs()
    )?;
    writeln!(
        out,
        "| work | plain: CPU µs | filter: CPU µs | ratio | plain: req/s, p50, p99 | filter: req/s, p50, p99 |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    for case in cases::all(&tokens.access) {
        writeln!(out, "{}", compare(&case, &host, without, with).await?.row)?;
    }
    let stream = cases::stream(&for_stream.access, &arrived);
    let stream = compare(&stream, &host, without, with).await?;
    writeln!(out, "{}", stream.row)?;
    writeln!(out, "\nthe first event of a stream arrives {:.2} ms later", stream.later_ms)?;
    writeln!(
        out,
        "resident memory: plain {} MiB, filter {} MiB; filter artefact {} KiB",
        process::resident(without.pid)? >> 20,
        process::resident(with.pid)? >> 20,
        artefact()? >> 10
    )?;
    stack.stop().await
}

/// What the rounds of one case said.
#[derive(Clone, Debug)]
struct Compared {
    /// As a line of the table.
    row: String,
    /// How much later an answer comes with the filter: difference of the medians, milliseconds.
    later_ms: f64,
}

async fn compare(case: &Case, host: &str, without: Proxy, with: Proxy) -> Result<Compared> {
    for proxy in [without, with] {
        load::run(proxy.address, host, &case.shot, case.connections, WARM_UP).await?;
    }
    let (mut plain, mut filter) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(round(without, host, case).await?);
        filter.push(round(with, host, case).await?);
    }
    let (a, b) = (cpu(&mut plain), cpu(&mut filter));
    let row = format!(
        "| {} | {a:.1} | {b:.1} | {:.2} | {} | {} |",
        case.name,
        b / a,
        wall(&mut plain),
        wall(&mut filter)
    );
    Ok(Compared { row, later_ms: latency_ms(&mut filter) - latency_ms(&mut plain) })
}

async fn round(proxy: Proxy, host: &str, case: &Case) -> Result<Round> {
    let before = process::cpu(proxy.pid)?;
    let measured = load::run(proxy.address, host, &case.shot, case.connections, ROUND).await?;
    let used = process::cpu(proxy.pid)?.saturating_sub(before);
    Ok(Round { cpu_us: used.as_secs_f64() * 1e6 / measured.requests as f64, measured })
}

/// The median of the rounds' median latencies, milliseconds.
fn latency_ms(rounds: &mut [Round]) -> f64 {
    let median = |round: &Round| round.measured.quantile(0.5).as_secs_f64() * 1e3;
    rounds.sort_by(|a, b| median(a).total_cmp(&median(b)));
    rounds.get(rounds.len() / 2).map_or(f64::NAN, median)
}

/// The median CPU time per request.
fn cpu(rounds: &mut [Round]) -> f64 {
    rounds.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    rounds.get(rounds.len() / 2).map_or(f64::NAN, |round| round.cpu_us)
}

/// The round with the median rate: requests per second and latencies.
fn wall(rounds: &mut [Round]) -> String {
    rounds.sort_by(|a, b| a.measured.rate().total_cmp(&b.measured.rate()));
    rounds.get(rounds.len() / 2).map_or_else(String::new, |round| {
        format!(
            "{:.0}, {:.2} ms, {:.2} ms",
            round.measured.rate(),
            round.measured.quantile(0.5).as_secs_f64() * 1e3,
            round.measured.quantile(0.99).as_secs_f64() * 1e3
        )
    })
}

fn artefact() -> Result<u64> {
    Ok(std::fs::metadata(attache_tests::stack::parts::wasm()?)?.len())
}
