//! A load generator and the two readings that matter of the proxy under load: CPU and memory.
//!
//! Closed loop: every connection sends its next request when the answer to the last is complete.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Notify};

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
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "no request was answered within {lasting:?}");
    Ok(Measured { requests: latencies.len(), elapsed, latencies })
}

async fn connection(
    to: SocketAddr,
    host: String,
    shot: Shot,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let stream = TcpStream::connect(to).await.with_context(|| format!("connect to {to}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(driver);
    let mut latencies = Vec::with_capacity(1 << 16);
    while !stop.load(Ordering::Relaxed) {
        let mut request =
            Request::builder().method(shot.method).uri(&shot.path).header("host", &host);
        for (name, value) in &shot.headers {
            request = request.header(name, value);
        }
        let began = Instant::now();
        sender.ready().await.context("the proxy closed a connection")?;
        let answer = sender.send_request(request.body(Full::new(shot.body.clone()))?).await?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
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
            latencies.push(began.elapsed());
            arrived.notify_one();
            body.collect().await?;
        } else {
            body.collect().await?;
            latencies.push(began.elapsed());
        }
    }
    driver.abort();
    Ok(latencies)
}
