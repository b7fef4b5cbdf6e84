//! What one request is to go through: the client tells the server in a header, and knows what must come back.

use std::time::Duration;

use attache_tests::upstream::{Answer, Seen, Step};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// The header with the plan.
pub const HEADER: &str = "x-plan";

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"look","description":"Looks something up.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}],"isError":false}}"#;
const PROGRESS: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n";
const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// The way of one exchange.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// What comes back.
    pub shape: Shape,
    /// Pieces before the last.
    pieces: u32,
    /// Before each piece, milliseconds.
    pause_ms: u64,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Shape {
    /// A result at once.
    Result,
    /// A result in pieces.
    Slow,
    /// A list, at once, that is rewritten.
    List,
    /// A list in an event stream.
    ListEvents,
    /// Progress, then a result, in an event stream.
    Events,
    /// The same, broken off by the server before the result.
    Cut,
    /// The stream of a session, ended by the server.
    Session,
}

impl Plan {
    /// One of the calls: over within a second.
    pub fn call(dice: &mut Rng) -> Self {
        let shapes = [
            Shape::Result,
            Shape::Result,
            Shape::Slow,
            Shape::List,
            Shape::ListEvents,
            Shape::Events,
            Shape::Events,
            Shape::Cut,
        ];
        let shape = shapes[dice.usize(..shapes.len())];
        Self { shape, pieces: dice.u32(0..8), pause_ms: dice.u64(1..80) }
    }

    /// One of the streams that stay open: up to half a minute.
    pub fn stream(dice: &mut Rng) -> Self {
        let shape = if dice.bool() { Shape::Session } else { Shape::Events };
        Self { shape, pieces: dice.u32(1..30), pause_ms: 1000 }
    }

    /// How long it takes when nobody leaves.
    pub fn lasting(self) -> Duration {
        Duration::from_millis(u64::from(self.pieces + 1) * self.pause_ms)
    }

    /// The request.
    pub fn request(self) -> (&'static str, String) {
        let method = match self.shape {
            Shape::Session => return ("GET", String::new()),
            Shape::List | Shape::ListEvents => r#""tools/list""#,
            Shape::Result | Shape::Slow | Shape::Events | Shape::Cut => {
                r#""tools/call","params":{"name":"look","arguments":{"text":"a","attache_intent":"Soak it"}}"#
            }
        };
        ("POST", format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method}}}"#))
    }

    /// Whether this whole answer is the right one.
    pub fn is_kept(self, answer: &[u8]) -> bool {
        let contains =
            |part: &str| answer.windows(part.len()).any(|window| window == part.as_bytes());
        match self.shape {
            Shape::Result | Shape::Slow | Shape::Events => contains(RESULT),
            Shape::List | Shape::ListEvents => contains("attache_intent"),
            Shape::Session => contains(KEEP_ALIVE),
            Shape::Cut => false,
        }
    }

    fn answer(self) -> Answer {
        let events = |piece: &str, last: &str| {
            let mut steps = Vec::new();
            for _ in 0..self.pieces {
                steps.push(Step::Send(piece.as_bytes().to_vec()));
                steps.push(Step::Wait(Duration::from_millis(self.pause_ms)));
            }
            steps.push(Step::Send(last.as_bytes().to_vec()));
            steps
        };
        match self.shape {
            Shape::Result => Answer::json(RESULT),
            Shape::List => Answer::json(LIST),
            Shape::Slow => Answer::status(200)
                .header("content-type", "application/json")
                .steps(events(" ", RESULT)),
            Shape::ListEvents => {
                Answer::sse_steps(events(KEEP_ALIVE, &format!("data: {LIST}\n\n")))
            }
            Shape::Events => Answer::sse_steps(events(PROGRESS, &format!("data: {RESULT}\n\n"))),
            Shape::Session => Answer::sse_steps(events(PROGRESS, KEEP_ALIVE)),
            Shape::Cut => {
                let mut steps = events(PROGRESS, PROGRESS);
                steps.push(Step::Cut);
                Answer::sse_steps(steps)
            }
        }
    }
}

/// The server: answers as it is told.
pub fn answer(seen: &Seen) -> Answer {
    let plan = seen.header(HEADER).and_then(|text| serde_json::from_str::<Plan>(text).ok());
    plan.map_or_else(|| Answer::status(400), Plan::answer)
}
