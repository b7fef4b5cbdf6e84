//! The clients: streams that are held open, calls at a steady pace, and those who leave in the middle.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;
use http_body_util::BodyExt as _;
use hyper::{
    Request,
    body::{Body, Bytes, Frame},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{sync::watch, task::JoinSet, time};

use crate::plan::{HEADER, Plan, Shape};

/// Connections of HTTP/2 among which their streams are spread: Envoy takes at most 100 on each.
const CONNECTIONS: usize = 8;

/// How requests ended, as their clients saw it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that were begun.
    pub sent: AtomicU64,
    /// Whole and right answers.
    pub answered: AtomicU64,
    /// The client left.
    pub cancelled: AtomicU64,
    /// The server broke the answer off, and that was seen.
    pub cut: AtomicU64,
    /// What should not have happened.
    pub failures: Mutex<Vec<String>>,
}

/// Everything that a request needs.
#[derive(Clone, Debug)]
pub struct Clients {
    one: Client<HttpConnector, Sent>,
    two: Vec<Client<HttpConnector, Sent>>,
    url: String,
    token: String,
    tally: Arc<Tally>,
}

enum Ended {
    Answered,
    Cut,
}

impl Clients {
    /// Clients of an endpoint.
    pub fn new(to: SocketAddr, path: &str, token: &str) -> Self {
        let two = || Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self {
            one: Client::builder(TokioExecutor::new()).build_http(),
            two: (0..CONNECTIONS).map(|_| two()).collect(),
            url: format!("http://localhost:{}{path}", to.port()),
            token: token.to_owned(),
            tally: Arc::default(),
        }
    }

    /// Holds `streams` streams open and makes `calls` calls a second, until `lasting` is over; how they all ended.
    pub async fn run(self, streams: u64, calls: u32, lasting: Duration) -> Result<Arc<Tally>> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for slot in 0..streams {
            let (clients, stopped) = (self.clone(), stopped.clone());
            tasks.spawn(async move { clients.keep_open(Rng::with_seed(slot), stopped).await });
        }
        let mut dice = Rng::with_seed(streams);
        let mut pace = time::interval(Duration::from_secs(1) / calls);
        let end = time::Instant::now() + lasting;
        while time::Instant::now() < end {
            pace.tick().await;
            let (clients, stopped, dice) = (self.clone(), stopped.clone(), dice.fork());
            tasks.spawn(async move { clients.call(dice, stopped).await });
            while let Some(done) = tasks.try_join_next() {
                done?;
            }
        }
        stop.send(true)?;
        while let Some(done) = tasks.join_next().await {
            done?;
        }
        Ok(self.tally)
    }

    async fn keep_open(&self, mut dice: Rng, stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            self.once(Plan::stream(&mut dice), &mut dice, stopped.clone()).await;
        }
    }

    async fn call(&self, mut dice: Rng, stopped: watch::Receiver<bool>) {
        self.once(Plan::call(&mut dice), &mut dice, stopped).await;
    }

    /// One request, of which one in four is left at some moment of its life.
    async fn once(&self, plan: Plan, dice: &mut Rng, mut stopped: watch::Receiver<bool>) {
        let leaves = dice.u8(..4) == 0;
        let at = plan.lasting().mul_f64(dice.f64());
        let body = if leaves && dice.u8(..4) == 0 { Sending::Half } else { Sending::All };
        let client = match dice.usize(..2 * CONNECTIONS) {
            number if number < CONNECTIONS => &self.two[number],
            _ => &self.one,
        };
        Self::count(&self.tally.sent);
        let leaving = async {
            if leaves {
                time::sleep(at).await;
            } else {
                // When it is over those leave who are still there.
                drop(stopped.wait_for(|stopped| *stopped).await);
            }
        };
        tokio::select! {
            ended = self.exchange(client, plan, body) => match ended {
                Ok(Ended::Answered) => Self::count(&self.tally.answered),
                Ok(Ended::Cut) => Self::count(&self.tally.cut),
                Err(error) => self.failed(format!("{plan:?}: {error:#}")),
            },
            () = leaving => Self::count(&self.tally.cancelled),
        }
    }

    async fn exchange(
        &self,
        client: &Client<HttpConnector, Sent>,
        plan: Plan,
        sending: Sending,
    ) -> Result<Ended> {
        let (method, text) = plan.request();
        let request = Request::builder()
            .method(method)
            .uri(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .header(HEADER, serde_json::to_string(&plan)?)
            .body(Sent::new(&text, sending))?;
        let answer = client.request(request).await.context("no answer")?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        match body {
            Ok(body) => {
                let body = body.to_bytes();
                if status != 200 || !plan.is_kept(&body) {
                    bail!("{status}: {}", String::from_utf8_lossy(&body));
                }
                Ok(Ended::Answered)
            }
            Err(_) if plan.shape == Shape::Cut && status == 200 => Ok(Ended::Cut),
            Err(error) => Err(error).with_context(|| format!("{status}, and broken off")),
        }
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, what: String) {
        self.tally.failures.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// How much of a body is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sending {
    All,
    /// The rest never comes.
    Half,
}

/// A body in two pieces.
#[derive(Debug)]
pub struct Sent {
    pieces: VecDeque<Bytes>,
    sending: Sending,
}

impl Sent {
    fn new(text: &str, sending: Sending) -> Self {
        let (one, other) = text.as_bytes().split_at(text.len() / 2);
        let all = [one, other].map(Bytes::copy_from_slice);
        let pieces = if text.is_empty() { VecDeque::new() } else { VecDeque::from(all) };
        Self { pieces, sending }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.sending == Sending::Half && self.pieces.len() == 1 {
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }
}
