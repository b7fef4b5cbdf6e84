//! Two thousand exchanges as odd as the specifications allow: the server gets every byte but our arguments, the
//! client gets every byte and what was added to the schemas.
//!
//! `DIFFERENTIAL_SEED=7` tries other exchanges, `DIFFERENTIAL_ONLY=123` one of them. What failed is written to
//! `target/e2e/differential/`.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    differential::{Added, EXEMPT, Exchange, OURS, Server, Way, exchange},
    http, oauth,
    stack::{Setup, Stack},
    upstream::{Answer, Seen, Step, Upstream},
};
use hyper::body::{Body, Bytes, Frame};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

const EXCHANGES: u64 = 2000;
const SEED: u64 = 20_260_728;
const AT_ONCE: usize = 16;
/// Failures that are written out.
const MOST_FAILURES: usize = 5;

/// Which exchange a request belongs to.
const NUMBER: &str = "x-exchange";

type Exchanges = BTreeMap<u64, Exchange>;

/// A gateway before a server that answers each exchange as that says.
struct Bench {
    stack: Stack,
    upstream: Upstream,
    token: String,
    http: Client,
    exchanges: Arc<OnceLock<Exchanges>>,
}

/// What arrived, next to what should have.
#[derive(Debug)]
struct Difference {
    number: u64,
    of: &'static str,
    expected: Vec<u8>,
    arrived: Vec<u8>,
}

impl Bench {
    async fn start() -> Result<Self> {
        let exchanges: Arc<OnceLock<Exchanges>> = Arc::default();
        let known = Arc::clone(&exchanges);
        let upstream = Upstream::start(move |seen| answer(known.get(), seen)).await?;
        let url = upstream.url("/mcp");
        let stack = Setup::new()
            .server(Server::One.name(), &url)
            .server_with(json!({
                "name": Server::All.name(), "url": url, "authentication": "none", "http_version": 2,
                "analytics": {"arguments": ["intent", "prompt", "history"], "exempt": EXEMPT},
            }))
            .server_with(json!({
                "name": Server::Off.name(), "url": url, "authentication": "none",
                "analytics": {"capture": "off"},
            }))
            .start()
            .await?;
        let (_, tokens) = oauth::connect(&stack.url(Server::One.name())).await?;
        Ok(Self { stack, upstream, token: tokens.access, http: http::client(), exchanges })
    }

    /// What the gateway adds to an empty schema of this server: JSON, and nothing but our arguments.
    async fn added(&self, server: Server) -> Result<String> {
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let request = self.http.post(self.stack.url(server.name())).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(list);
        let answer = request.send().await?.text().await?;
        let (before, after) = EMPTY_LIST.split_once("{}").context("an empty schema")?;
        let added = answer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let added = added.with_context(|| format!("an odd list: {answer}"))?;
        let properties: Value = serde_json::from_str(added)?;
        let properties = properties.as_object().context("properties")?;
        let wanted = &OURS[..server.added()];
        ensure!(properties.len() == wanted.len(), "{added}");
        ensure!(wanted.iter().all(|name| properties[*name]["type"] == "string"), "{added}");
        Ok(added[1..added.len() - 1].to_owned())
    }

    async fn ask(&self, number: u64, exchange: &Exchange) -> Result<Response> {
        let verb = Method::from_bytes(exchange.verb.as_bytes())?;
        let mut request = self.http.request(verb, self.stack.url(exchange.server.name()));
        request = request.header(NUMBER, number).bearer_auth(&self.token);
        for (name, value) in &exchange.headers {
            request = request.header(name, value);
        }
        if exchange.verb == "POST" {
            let way = &exchange.request;
            request = if way.cuts.is_some() {
                let pieces = way.pieces().map(Bytes::copy_from_slice).collect();
                request.body(reqwest::Body::wrap(Pieces { pieces, rests: false }))
            } else {
                request.body(way.sent.clone())
            };
        }
        Ok(request.send().await?)
    }

    /// Whether the answer is as the exchange says.
    async fn run(&self, number: u64, exchange: &Exchange) -> Result<Option<Difference>> {
        let answer = self.ask(number, exchange).await?;
        let said = |answer: &Response, name: &str| {
            answer.headers().get(name).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
        };
        let mut head = vec![format!("{}", answer.status().as_u16()).into_bytes()];
        let mut expected = vec![exchange.status.to_string().into_bytes()];
        for (name, value) in &exchange.answer_headers {
            head.push(said(&answer, name));
            expected.push(value.clone().into_bytes());
        }
        let body = answer.bytes().await?.to_vec();
        let difference = |of, expected: Vec<u8>, arrived: Vec<u8>| {
            (expected != arrived).then_some(Difference { number, of, expected, arrived })
        };
        let head = difference("answer's head", expected.join(&b'\n'), head.join(&b'\n'));
        Ok(difference("answer's body", exchange.answer.arrives.clone(), body).or(head))
    }
}

const EMPTY_LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"empty","inputSchema":{"type":"object","properties":{}}}]}}"#;

fn answer(exchanges: Option<&Exchanges>, seen: &Seen) -> Answer {
    let exchange = exchanges.and_then(|exchanges| exchanges.get(&number_of(seen)?));
    let Some(exchange) = exchange else {
        return Answer::json(EMPTY_LIST);
    };
    let way = &exchange.answer;
    let mut answer = if way.cuts.is_some() {
        let pieces = way.pieces().map(|piece| Step::Send(piece.to_vec()));
        Answer::status(exchange.status).steps(pieces.collect())
    } else if way.sent.is_empty() {
        Answer::status(exchange.status)
    } else {
        Answer::json(&way.sent).with_status(exchange.status)
    };
    for (name, value) in &exchange.answer_headers {
        answer = answer.header(name, value);
    }
    answer
}

fn number_of(seen: &Seen) -> Option<u64> {
    seen.header(NUMBER)?.parse().ok()
}

/// What the server got of an exchange, next to what it should have got.
fn received(number: u64, exchange: &Exchange, seen: &[&Seen]) -> Option<Difference> {
    let difference = |of, expected: Vec<u8>, arrived: Vec<u8>| {
        (expected != arrived).then_some(Difference { number, of, expected, arrived })
    };
    let [seen] = seen else {
        let times = seen.len().to_string().into_bytes();
        return difference("times that the server was asked", b"1".to_vec(), times);
    };
    let (mut expected, mut arrived) = (Vec::new(), Vec::new());
    for (name, value) in &exchange.headers {
        let is_kept = name != "accept-encoding" || exchange.encodings;
        let value = if is_kept { value.as_str() } else { "-" };
        expected.push(format!("{name}: {value}"));
        arrived.push(format!("{name}: {}", seen.header(name).unwrap_or("-")));
    }
    let lines = |lines: Vec<String>| lines.join("\n").into_bytes();
    let body = difference("request's body", exchange.request.arrives.clone(), seen.body.clone());
    body.or_else(|| difference("request's head", lines(expected), lines(arrived)))
}

/// A body that is sent piece by piece: before each, what is there so far is written out.
struct Pieces {
    pieces: VecDeque<Bytes>,
    rests: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.rests = !self.rests;
        if self.rests {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A number from the environment.
fn number(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = env::var(variable) else {
        return Ok(None);
    };
    text.parse().map(Some).with_context(|| format!("{variable}={text}: expected a number"))
}

/// That the dice have not fallen so that nothing was to be changed.
fn is_worth_it(exchanges: &Exchanges) -> Result<()> {
    let count = |way: fn(&Exchange) -> &Way| {
        exchanges.values().filter(|one| way(one).sent != way(one).arrives).count()
    };
    let (cut, added) = (count(|one| &one.request), count(|one| &one.answer));
    ensure!(cut >= 300 && added >= 150, "only {cut} requests and {added} answers are changed");
    Ok(())
}

fn report(
    bench: &Bench,
    seed: u64,
    exchange: &Exchange,
    difference: &Difference,
) -> Result<String> {
    let Difference { number, of, expected, arrived } = difference;
    let at = expected.iter().zip(arrived).take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let (from, to) = (at.saturating_sub(60), bytes.len().min(at + 60));
        String::from_utf8_lossy(&bytes[from.min(to)..to]).into_owned()
    };
    let file = bench.stack.folder().join(format!("failure-{number}.txt"));
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let text = format!(
        "DIFFERENTIAL_SEED={seed} DIFFERENTIAL_ONLY={number} cargo test --test differential\n\n{of} differs at byte {at}\n\nexpected\n{}\n\narrived\n{}\n\n{:?} {} {:?}\n\nrequest\n{}\n\nanswer {} {:?}\n{}\n",
        show(expected),
        show(arrived),
        exchange.server,
        exchange.verb,
        exchange.headers,
        show(&exchange.request.sent),
        exchange.status,
        exchange.answer_headers,
        show(&exchange.answer.sent),
    );
    fs::write(&file, text)?;
    Ok(format!(
        "exchange {number}: the {of} differs at byte {at}\n  expected …{:?}…\n  arrived  …{:?}…\n  all of it: {}\n",
        around(expected),
        around(arrived),
        file.display()
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_change_only_where_our_arguments_are() -> Result<()> {
    let seed = number("DIFFERENTIAL_SEED")?.unwrap_or(SEED);
    let only = number("DIFFERENTIAL_ONLY")?;
    let bench = Arc::new(Bench::start().await?);
    let added =
        Added { one: bench.added(Server::One).await?, all: bench.added(Server::All).await? };
    let numbers = only.map_or(0..EXCHANGES, |only| only..only + 1);
    let all = numbers.map(|number| (number, exchange(seed, number, &added))).collect();
    let exchanges = bench.exchanges.get_or_init(|| all).clone();
    if only.is_none() {
        is_worth_it(&exchanges)?;
    }
    drop(bench.upstream.take());

    let next = Arc::new(AtomicUsize::new(0));
    let list: Arc<Vec<(u64, Exchange)>> = Arc::new(exchanges.clone().into_iter().collect());
    let tasks = (0..AT_ONCE).map(|_| {
        let (bench, next, list) = (Arc::clone(&bench), Arc::clone(&next), Arc::clone(&list));
        tokio::spawn(async move {
            let mut differences = Vec::new();
            while let Some((number, exchange)) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = bench.run(*number, exchange).await;
                differences.extend(outcome.with_context(|| format!("exchange {number}"))?);
            }
            anyhow::Ok(differences)
        })
    });
    let mut differences = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        differences.extend(task.await??);
    }

    let seen = bench.upstream.take();
    let mut by_number: BTreeMap<u64, Vec<&Seen>> = BTreeMap::new();
    for seen in &seen {
        by_number.entry(number_of(seen).context("a request of nobody")?).or_default().push(seen);
    }
    for (number, exchange) in &exchanges {
        let seen = by_number.get(number).map(Vec::as_slice).unwrap_or_default();
        differences.extend(received(*number, exchange, seen));
    }
    let mut said = String::new();
    for difference in differences.iter().take(MOST_FAILURES) {
        said += &report(&bench, seed, &exchanges[&difference.number], difference)?;
    }
    ensure!(differences.is_empty(), "{} differences, seed {seed}\n{said}", differences.len());
    Ok(())
}
