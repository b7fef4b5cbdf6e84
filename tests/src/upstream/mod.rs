//! A scripted server, HTTP/1.1 or HTTP/2 as it is spoken to: answers what a test says, byte by byte, and records what reached it.
//!
//! Stands in for MCP servers where a test needs an answer that no real server gives, and for webhook receivers.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use http_body_util::BodyExt as _;
use hyper::{Request, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, task::JoinHandle};

mod answer;
pub mod mcp;

pub use answer::{Answer, Step};

use crate::stack::eventually;

/// One request, as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Of HTTP.
    pub version: Version,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Every header, in order; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The first header of that name, in lower case, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A running server; dropping it closes its listener.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// A webhook receiver that fails once (500), and then takes what comes (204).
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn failing_once() -> Result<Self> {
        let attempts = AtomicUsize::new(0);
        Self::start(move |_| {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            Answer::status(if attempt == 0 { 500 } else { 204 })
        })
        .await
    }

    /// Listens on a free port of loopback and answers with what `script` makes of each request.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start<S>(script: S) -> Result<Self>
    where
        S: Fn(&Seen) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("an upstream")?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { seen: Arc::clone(&seen), script });
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let shared = Arc::clone(&shared);
                let serve = service_fn(move |request| serve(Arc::clone(&shared), request));
                tokio::spawn(async move {
                    let mut connection = auto::Builder::new(TokioExecutor::new());
                    connection.http1().timer(TokioTimer::new()).header_read_timeout(None);
                    // A connection that ends is what some tests are about.
                    drop(connection.serve_connection(TokioIo::new(stream), serve).await);
                });
            }
        });
        Ok(Self { address, seen, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// An absolute URL on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has arrived so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Forgets what has arrived, and returns it.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.seen))
    }

    /// Waits for a request of which `wanted` is true.
    ///
    /// # Errors
    /// When none came within a few seconds.
    pub async fn wait_for(&self, wanted: impl Fn(&Seen) -> bool) -> Result<Seen> {
        eventually(Duration::from_secs(15), async || {
            let seen = self.seen();
            let found = seen.iter().find(|request| wanted(request)).cloned();
            found.with_context(|| format!("not among the {} requests that arrived", seen.len()))
        })
        .await
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Shared<S> {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: S,
}

async fn serve<S>(
    shared: Arc<Shared<S>>,
    request: Request<Incoming>,
) -> Result<hyper::Response<answer::Body>, Infallible>
where
    S: Fn(&Seen) -> Answer,
{
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let headers = head.headers.iter();
    let seen = Seen {
        version: head.version,
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: body.to_vec(),
    };
    let answer = (shared.script)(&seen);
    lock(&shared.seen).push(seen);
    Ok(answer.into_response())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
