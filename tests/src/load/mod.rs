//! A load generator and the two readings that matter of the proxy under load: CPU and memory.
//!
//! Closed loop: every connection sends its next request when the answer to the last is complete.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Notify, task::JoinHandle};

pub mod process;

/// One request, sent over and over.
#[derive(Clone, Debug)]
pub struct Shot {
    /// HTTP method.
    pub method: &'static str,
    /// Path.
    pub path: String,
    /// Headers beyond `Host`.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// Status that every answer must have.
    pub status: u16,
    /// Where the stopwatch stops.
    pub until: Until,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// What a latency is the time to, from before the request.
#[derive(Clone, Debug)]
pub enum Until {
    /// The last byte of the answer.
    Whole,
    /// Its first piece. The server is told that it arrived, and sends no other before that.
    First(Arc<Notify>),
}

/// What a run measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Answers complete.
    pub requests: usize,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Latency of every request, up to where its stopwatch stopped; sorted.
    latencies: Vec<Duration>,
}

impl Measured {
    /// From the latencies of all requests, in any order.
    #[must_use]
    pub fn of(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { requests: latencies.len(), elapsed, latencies }
    }

    /// This and another, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of([self.latencies, other.latencies].concat(), self.elapsed + other.elapsed)
    }

    /// Requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which `share` (0 to 1) of the requests are.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Sends `shot` to `to` over `connections` connections for `lasting`.
///
/// # Errors
/// When a connection fails or an answer has another status: a benchmark of errors measures nothing.
pub async fn run(
    to: SocketAddr,
    host: &str,
    shot: &Shot,
    connections: usize,
    lasting: Duration,
) -> Result<Measured> {
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(connection(to, host.to_owned(), shot.clone(), Arc::clone(&stop))))
        .collect();
    tokio::time::sleep(lasting).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.context("a connection's task")??);
    }
    let elapsed = began.elapsed();
    ensure!(!latencies.is_empty(), "no request was answered within {lasting:?}");
    Ok(Measured::of(latencies, elapsed))
}

async fn connection(
    to: SocketAddr,
    host: String,
    shot: Shot,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let mut line = Line::open(to, &host).await?;
    let mut latencies = Vec::with_capacity(1 << 16);
    while !stop.load(Ordering::Relaxed) {
        latencies.push(line.send(&shot).await?.0);
    }
    Ok(latencies)
}

/// Sends each of `shots` once, over `connections` connections; their answers, in the same order.
///
/// # Errors
/// As [`run`].
pub async fn each(
    to: SocketAddr,
    host: &str,
    shots: Vec<Shot>,
    connections: usize,
) -> Result<(Measured, Vec<Answer>)> {
    let (shots, next) = (Arc::new(shots), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(take(to, host.to_owned(), Arc::clone(&shots), Arc::clone(&next))))
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.context("a connection's task")??);
    }
    let elapsed = began.elapsed();
    taken.sort_unstable_by_key(|(at, ..)| *at);
    let latencies = taken.iter().map(|(_, latency, _)| *latency).collect();
    let answers = taken.into_iter().map(|(.., answer)| answer).collect();
    Ok((Measured::of(latencies, elapsed), answers))
}

async fn take(
    to: SocketAddr,
    host: String,
    shots: Arc<Vec<Shot>>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<(usize, Duration, Answer)>> {
    let mut line = Line::open(to, &host).await?;
    let mut taken = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(shot) = shots.get(at) else { return Ok(taken) };
        let (latency, answer) = line.send(shot).await?;
        taken.push((at, latency, answer));
    }
}

/// One connection.
struct Line {
    host: String,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Line {
    async fn open(to: SocketAddr, host: &str) -> Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("connect to {to}"))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { host: host.to_owned(), sender, driver: tokio::spawn(driver) })
    }

    /// The latency, up to where the stopwatch stops, and the answer, without its body where that stopped before it.
    async fn send(&mut self, shot: &Shot) -> Result<(Duration, Answer)> {
        let mut request =
            Request::builder().method(shot.method).uri(&shot.path).header("host", &self.host);
        for (name, value) in &shot.headers {
            request = request.header(name, value);
        }
        let began = Instant::now();
        self.sender.ready().await.context("the proxy closed a connection")?;
        let request = request.body(Full::new(shot.body.clone()))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let (parts, mut body) = answer.into_parts();
        let headers = parts.headers;
        if status != shot.status {
            let said = body.collect().await?.to_bytes();
            bail!(
                "{} {}: status {status}, expected {}: {}",
                shot.method,
                shot.path,
                shot.status,
                String::from_utf8_lossy(&said)
            );
        }
        if let Until::First(arrived) = &shot.until {
            body.frame().await.context("an answer without a body")??;
            let latency = began.elapsed();
            arrived.notify_one();
            body.collect().await?;
            return Ok((latency, Answer { headers, body: Bytes::new() }));
        }
        let body = body.collect().await?.to_bytes();
        Ok((began.elapsed(), Answer { headers, body }))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The processor and how many of it.
#[must_use]
pub fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("{} × {}", count, model.trim_start_matches(['\t', ' ', ':']))
}
