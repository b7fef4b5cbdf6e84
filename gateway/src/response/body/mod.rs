//! Step 1 of the way out: what becomes of the bytes of an answer.
//!
//! A list in JSON is held, up to a limit, and leaves with our arguments in it. A list in an event stream is
//! rewritten event by event as it flows. Other answers are watched, if anybody wants to know how they ended, and
//! never held. What is compressed, or not for us, is not touched.

mod hold;

use std::{mem, rc::Rc};

use attache_protocol::{
    json::{Ended, Watch},
    mcp::method::Method,
    plugin::{Capture, Limits},
    sse::{Decoder, Piece},
};

use self::hold::{Held, Hold};
use super::lists::{Lists, Rewritten};
use crate::{
    budget::Share,
    config::Endpoint,
    request::{
        headers::{Field, Headers, is_identity, is_media_type, read_length},
        message::Spoken,
    },
};

/// An event of a watched stream is held up to this, bytes; how a larger one ended is not known.
const WATCHED_EVENT: usize = 1 << 20;
/// The method whose answer is a stream without an end (2026-07-28).
const LISTEN: &str = "subscriptions/listen";

/// What the request was, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// One request: its answer can be read.
    One(Method),
    /// A stream that need not end: nothing is expected of it.
    Listen,
    /// Notifications, responses, several messages, GET, DELETE.
    Other,
}

/// What an answer was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A result.
    Result,
    /// A tool result with `isError: true`.
    ToolError,
    /// A question back (2026-07-28): the final answer is that to another request.
    InputRequired,
    /// A JSON-RPC error, and its code when that is an integer.
    Error(Option<i64>),
}

impl Asked {
    /// What a body asks for.
    #[must_use]
    pub fn of(spoken: &Spoken<'_>) -> Self {
        let [item] = spoken.items() else {
            return Self::Other;
        };
        match (item.id(), item.call()) {
            (Some(_), Some(call)) if call.method == LISTEN => Self::Listen,
            (Some(_), Some(_)) => Self::One(item.method),
            _ => Self::Other,
        }
    }
}

/// What was learned from an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// What the answer was; `None` when none was seen.
    pub answer: Option<Answer>,
    /// Names of the tools that it lists.
    pub listed: Rc<[String]>,
    /// Tools that own a property of a reserved name, and were left alone.
    pub owners: Rc<[String]>,
    /// The task that a call began.
    pub task: Option<String>,
}

/// The way of an answer through the filter.
#[derive(Debug)]
pub struct Flow {
    way: Way,
    seen: Seen,
    /// For what the way holds.
    share: Share,
}

#[derive(Debug)]
enum Way {
    /// The bytes are not looked at.
    Untouched,
    /// A list, held until it is complete.
    HoldList(Hold),
    /// Events, rewritten as they flow.
    ListEvents(Decoder),
    /// JSON, watched as it flows.
    Watch(Watch),
    /// Events, watched as they flow.
    WatchEvents(Decoder),
}

/// What is done to the response headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Head {
    /// Nothing.
    Unchanged,
    /// The length will be another: `content-length` goes.
    LengthOpen,
}

/// What one chunk needs from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Which arguments are injected, and where not.
    pub endpoint: &'a Endpoint,
    /// How much is held.
    pub limits: &'a Limits,
}

impl Flow {
    /// Decides from the headers of an answer.
    #[must_use]
    pub fn begin(
        asked: Asked,
        status: u16,
        headers: &Headers,
        rules: Rules<'_>,
        share: Share,
    ) -> (Self, Head) {
        let way = way(asked, status, headers, rules);
        let head = match way {
            Way::HoldList(_) | Way::ListEvents(_) => Head::LengthOpen,
            Way::Untouched | Way::Watch(_) | Way::WatchEvents(_) => Head::Unchanged,
        };
        (Self { way, seen: Seen::default(), share }, head)
    }

    /// Whether the bytes are looked at: if not, they need not be copied out of the host.
    #[must_use]
    pub const fn reads(&self) -> bool {
        !matches!(self.way, Way::Untouched)
    }

    /// Takes the next bytes; `Some` is what leaves in their place.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        end: bool,
        rules: Rules<'_>,
        lists: &mut Lists,
    ) -> Option<Vec<u8>> {
        let out = self.take(bytes, end, rules, lists);
        if self.share.holds(self.way.held()) { out } else { self.let_go(out) }
    }

    /// There is no room: what is held leaves as it is, and so does what follows.
    fn let_go(&mut self, out: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match mem::replace(&mut self.way, Way::Untouched) {
            Way::Untouched | Way::Watch(_) | Way::WatchEvents(_) => out,
            Way::HoldList(hold) => Some([out.unwrap_or_default(), hold.into_text()].concat()),
            Way::ListEvents(mut decoder) => {
                let mut out = out.unwrap_or_default();
                decoder.end(|piece| match piece {
                    Piece::Raw(raw) => out.extend_from_slice(raw),
                    Piece::Event(event) => out.extend_from_slice(event.raw()),
                });
                Some(out)
            }
        }
    }

    fn take(
        &mut self,
        bytes: &[u8],
        end: bool,
        rules: Rules<'_>,
        lists: &mut Lists,
    ) -> Option<Vec<u8>> {
        let seen = &mut self.seen;
        match &mut self.way {
            Way::Untouched => None,
            Way::Watch(watch) => {
                watch.feed(bytes);
                None
            }
            Way::WatchEvents(decoder) => {
                decoder.feed(bytes, |piece| seen.watch_event(piece));
                None
            }
            Way::ListEvents(decoder) => {
                let mut out = Vec::with_capacity(bytes.len());
                decoder.feed(bytes, |piece| seen.rewrite_event(piece, rules, lists, &mut out));
                if end {
                    decoder.end(|piece| seen.rewrite_event(piece, rules, lists, &mut out));
                }
                Some(out)
            }
            Way::HoldList(hold) => match hold.take(bytes, end, rules) {
                Held::Back => Some(Vec::new()),
                Held::Unchanged(text) => {
                    self.way = Way::Untouched;
                    Some(text)
                }
                Held::Complete(text) => {
                    self.way = Way::Untouched;
                    Some(seen.rewrite_list(&text, rules, lists).unwrap_or(text))
                }
            },
        }
    }

    /// Whether bytes are held that could not leave if the body ended now, without another chunk.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(&self.way, Way::HoldList(hold) if !hold.is_empty())
    }

    /// What was learned, after the last chunk.
    #[must_use]
    pub fn finish(self) -> Seen {
        let mut seen = self.seen;
        if let Way::Watch(watch) = self.way {
            seen.note(watch.end());
        }
        seen
    }
}

fn way(asked: Asked, status: u16, headers: &Headers, rules: Rules<'_>) -> Way {
    let method = match asked {
        Asked::One(method) => method,
        Asked::Listen | Asked::Other => return Way::Untouched,
    };
    let readable = match headers.field("content-encoding") {
        Field::Absent => true,
        Field::Once(encoding) => is_identity(encoding),
        Field::Several => false,
    };
    let Some(media_type) = headers.first("content-type").filter(|_| readable) else {
        return Way::Untouched;
    };
    let declared = headers.first("content-length").and_then(read_length);
    let lists = method == Method::ToolsList && status == 200 && !rules.endpoint.injected.is_empty();
    let watches = rules.endpoint.capture > Capture::Off;
    if is_media_type(media_type, "application/json") {
        let small = declared.is_none_or(|declared| declared <= rules.limits.max_list as u64);
        if lists && small {
            return Way::HoldList(Hold::new(declared));
        }
        if watches {
            return Way::Watch(Watch::default());
        }
    } else if is_media_type(media_type, "text/event-stream") {
        if lists {
            return Way::ListEvents(Decoder::new(rules.limits.max_list));
        }
        if watches {
            return Way::WatchEvents(Decoder::new(WATCHED_EVENT));
        }
    }
    Way::Untouched
}

impl Way {
    /// Bytes that are held.
    const fn held(&self) -> usize {
        match self {
            Self::Untouched | Self::Watch(_) => 0,
            Self::HoldList(hold) => hold.held(),
            Self::ListEvents(decoder) | Self::WatchEvents(decoder) => decoder.held(),
        }
    }
}

impl Seen {
    /// The list with our arguments; `None` when it stays as it is.
    fn rewrite_list(
        &mut self,
        text: &[u8],
        Rules { endpoint, limits }: Rules<'_>,
        lists: &mut Lists,
    ) -> Option<Vec<u8>> {
        let Rewritten { text: new, names, owners } = lists.rewrite(text, endpoint, limits);
        if names.is_empty() && new.is_none() {
            self.watch(text);
        } else {
            self.answer = Some(Answer::Result);
        }
        if !names.is_empty() {
            self.listed = names;
            self.owners = owners;
        }
        new
    }

    fn rewrite_event(
        &mut self,
        piece: Piece<'_>,
        rules: Rules<'_>,
        lists: &mut Lists,
        out: &mut Vec<u8>,
    ) {
        match piece {
            Piece::Raw(raw) => out.extend_from_slice(raw),
            Piece::Event(event) => {
                let new = event
                    .data()
                    .filter(|data| !data.is_empty())
                    .and_then(|data| self.rewrite_list(&data, rules, lists));
                match new {
                    Some(data) => out.extend_from_slice(&event.with_data(&data)),
                    None => out.extend_from_slice(event.raw()),
                }
            }
        }
    }

    fn watch_event(&mut self, piece: Piece<'_>) {
        if let Piece::Event(event) = piece
            && let Some(data) = event.data()
        {
            self.watch(&data);
        }
    }

    fn watch(&mut self, text: &[u8]) {
        let mut watch = Watch::default();
        watch.feed(text);
        self.note(watch.end());
    }

    /// Keeps what a message says, if it is an answer: requests and notifications of the server are none.
    fn note(&mut self, ended: Ended) {
        let answer = match (ended.error, ended.result) {
            (Some(code), _) => Answer::Error(code),
            (None, Some(result)) if result.is_error => Answer::ToolError,
            (None, Some(result)) => {
                self.task = result.task_id.or(result.task);
                match result.result_type.as_deref() {
                    Some("input_required") => Answer::InputRequired,
                    _ => Answer::Result,
                }
            }
            (None, None) => return,
        };
        self.answer = Some(answer);
    }
}

#[cfg(test)]
mod tests;
