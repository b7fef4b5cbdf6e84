//! Exchanges as odd as MCP, JSON, SSE and HTTP allow, and what must become of each of them.
//!
//! Every exchange follows from a seed and its number. The generator puts it together from pieces and knows which
//! of them are ours, so it knows what the server must get and what the client must get, to the byte, without
//! reading anything: it shares no code with the gateway.

mod dice;
mod events;
mod json;
mod list;
mod object;
mod reply;
mod request;

use dice::Dice;
use json::{Pen, White};

pub use object::Two;

/// The deepest nesting that the gateway reads.
const DEEPEST: usize = 128;

/// A server behind the gateway: each is configured in another way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    /// With a token; one argument is added to its tools.
    One,
    /// Three arguments are added, but for the tools of [`EXEMPT`]; it is spoken to in HTTP/2.
    All,
    /// No argument is added.
    Off,
}

/// Tools that are left alone on [`Server::All`].
pub const EXEMPT: [&str; 2] = ["exempt", "café \"exempt\""];

/// Our arguments.
pub const OURS: [&str; 3] = ["attache_intent", "attache_prompt", "attache_history"];

impl Server {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::All => "all",
            Self::Off => "off",
        }
    }

    /// How many of [`OURS`] are added to its tools.
    #[must_use]
    pub const fn added(self) -> usize {
        match self {
            Self::One => 1,
            Self::All => 3,
            Self::Off => 0,
        }
    }

    /// Whether it leaves this tool alone.
    fn exempts(self, tool: &str) -> bool {
        self == Self::All && EXEMPT.contains(&tool)
    }
}

/// What the gateway adds to the properties of a tool on each server: asked of the gateway itself, since the
/// wording is not what is compared here.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// On [`Server::One`].
    pub one: String,
    /// On [`Server::All`].
    pub all: String,
}

impl Added {
    fn on(&self, server: Server) -> Option<&str> {
        match server {
            Server::One => Some(&self.one),
            Server::All => Some(&self.all),
            Server::Off => None,
        }
    }
}

/// Bytes that go one way: as they are sent, and as they must arrive.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Way {
    /// As they are sent.
    pub sent: Vec<u8>,
    /// As they must arrive.
    pub arrives: Vec<u8>,
    /// Where each piece ends that is sent on its own; `None` when it is one text with a `Content-Length`.
    pub cuts: Option<Vec<usize>>,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who is asked.
    pub server: Server,
    /// HTTP method.
    pub verb: &'static str,
    /// Headers, all of which must arrive but for `accept-encoding`.
    pub headers: Vec<(String, String)>,
    /// Whether `accept-encoding` arrives as well: the answer is not read.
    pub encodings: bool,
    /// The body of the request.
    pub request: Way,
    /// Status of the answer.
    pub status: u16,
    /// Headers of the answer, all of which must arrive.
    pub answer_headers: Vec<(String, String)>,
    /// The body of the answer.
    pub answer: Way,
}

impl Way {
    fn new(pen: &mut Pen, sent: impl Into<Vec<u8>>, arrives: impl Into<Vec<u8>>) -> Self {
        let (sent, arrives) = (sent.into(), arrives.into());
        let cuts = pen.dice.one_in(2).then(|| pen.dice.cuts(sent.len()));
        Self { sent, arrives, cuts }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let cuts = self.cuts.as_deref().unwrap_or_default();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        starts.zip(cuts).map(|(start, end)| &self.sent[start..*end])
    }
}

/// The exchange of this number.
#[must_use]
pub fn exchange(seed: u64, number: u64, added: &Added) -> Exchange {
    let dice = Dice::new(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut pen = Pen { dice, white: White::All };
    let server = pen.dice.pick(&[Server::One, Server::One, Server::One, Server::All, Server::Off]);
    let asked = request::generate(&mut pen, server);
    let reply = reply::generate(&mut pen, server, &asked, added);
    Exchange {
        server,
        verb: asked.verb,
        headers: asked.headers,
        encodings: !matches!(asked.kind, request::Kind::List | request::Kind::Call),
        request: asked.body,
        status: reply.status,
        answer_headers: reply.headers,
        answer: reply.body,
    }
}
