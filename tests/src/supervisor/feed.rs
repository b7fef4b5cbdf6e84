//! Events as they come, a line each.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_protocol::event::{Event, Outcome};
use reqwest::Client;
use serde::Deserialize;
use tokio::time::sleep;

use crate::http;

/// Follows authsvc's list of events.
pub(super) struct Feed {
    http: Client,
    url: String,
    secret: String,
    after: Option<i64>,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Row>,
    next: i64,
}

#[derive(Deserialize)]
struct Row {
    event: Event,
}

impl Feed {
    pub(super) fn new(internal: SocketAddr, secret: &str) -> Self {
        let url = format!("http://{internal}/internal/events");
        Self { http: http::client(), url, secret: secret.to_owned(), after: None }
    }

    /// Prints every event from now on; a failure is left to the watch over authsvc.
    pub(super) async fn follow(&mut self) -> Infallible {
        loop {
            if self.turn().await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn turn(&mut self) -> Result<()> {
        let Some(after) = self.after else {
            self.after = Some(self.end().await?);
            return Ok(());
        };
        let page = self.page(after, 20).await?;
        for row in &page.events {
            println!("{}", line(&row.event));
        }
        self.after = Some(page.next);
        Ok(())
    }

    /// Behind what was there before.
    async fn end(&self) -> Result<i64> {
        let mut after = 0;
        loop {
            let page = self.page(after, 0).await?;
            if page.events.is_empty() {
                return Ok(after);
            }
            after = page.next;
        }
    }

    async fn page(&self, after: i64, wait: u8) -> Result<Page> {
        let url = format!("{}?after={after}&limit=1000&wait={wait}", self.url);
        let answer = self.http.get(url).bearer_auth(&self.secret).send().await?;
        ensure!(answer.status().is_success(), "GET /internal/events: {}", answer.status());
        answer.json().await.context("a page of events")
    }
}

/// Time, who, server, what, how it ended, how long it took, why.
fn line(event: &Event) -> String {
    let who = event.email.as_deref().or(event.subject.as_deref()).unwrap_or("-");
    let what = match &event.name {
        Some(name) => format!("{} {name}", event.method),
        None => event.method.clone(),
    };
    let outcome = outcome(event.outcome);
    let milliseconds = event.duration_us as f64 / 1000.0;
    let time = time_of_day(event.started_at_ms);
    let mut line =
        format!("{time}  {who}  {}  {what}  {outcome}  {milliseconds:.1} ms", event.server);
    if let Some(reason) = &event.reason {
        line.push_str(&format!("  ({reason})"));
    }
    if let Some(intent) = &event.intent {
        line.push_str(&format!("  {:?}", intent.text));
    }
    // What clients wrote must not move the cursor of the terminal.
    line.chars().filter(|c| !c.is_control()).collect()
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::ToolError => "tool error",
        Outcome::RpcError => "error",
        Outcome::Denied => "denied",
        Outcome::Unauthenticated => "not logged in",
        Outcome::Invalid => "invalid",
        Outcome::UpstreamError => "server failed",
        Outcome::Timeout => "timeout",
        Outcome::Cancelled => "cancelled",
    }
}

/// Local time of day of a Unix time in milliseconds.
fn time_of_day(unix_ms: u64) -> String {
    let seconds = libc::time_t::try_from(unix_ms / 1000).unwrap_or_default();
    // SAFETY: both pointers are to live values of the right type, and `tm` is plain numbers and a pointer.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time
    };
    format!("{:02}:{:02}:{:02}", time.tm_hour, time.tm_min, time.tm_sec)
}
