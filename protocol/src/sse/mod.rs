//! Server-Sent Events, byte by byte (WHATWG HTML section 9.2).
//!
//! An event leaves with the bytes it came with, unless its data is replaced; then only its `data` lines
//! change. Any split of the stream gives the same events, and the same bytes.

use std::ops::Range;

use crate::word;

/// Cuts a stream into events.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The beginning of an event whose end has not come.
    held: Vec<u8>,
    cap: usize,
    state: State,
    place: Place,
}

/// Where an event is in its stream: only the first may begin with a byte order mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    First,
    Later,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// At the start of a line; `held` is an event so far.
    LineStart,
    /// Inside a line.
    InLine,
    /// Behind a CR that ended a line with something in it.
    AfterCr,
    /// Behind a CR that ended an event: a LF would belong to it.
    AfterLastCr,
    /// The same, and the event has left: it does not wait for a LF that may never come.
    AfterEvent,
    /// The event was larger than the cap: its bytes pass as they come.
    Passing(Line),
}

/// Where in its lines a passing event is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Start,
    Inside,
    AfterCr,
    AfterLastCr,
}

/// What leaves the decoder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// A whole event, comment or empty line, with its blank line.
    Event(Event<'a>),
    /// Bytes that are part of no event that can be looked at: one above the cap, or cut off by the end.
    Raw(&'a [u8]),
}

/// A whole event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    raw: &'a [u8],
    place: Place,
}

impl Decoder {
    /// A decoder that holds an event of at most `cap` bytes; a larger one passes as [`Piece::Raw`].
    #[must_use]
    pub const fn new(cap: usize) -> Self {
        Self { held: Vec::new(), cap, state: State::LineStart, place: Place::First }
    }

    /// Takes the next bytes and gives each piece that they complete to `sink`.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match (self.state, rest) {
                (State::Passing(line), _) => self.pass(line, rest, &mut sink),
                (State::AfterEvent, [b'\n', rest @ ..]) => {
                    sink(Piece::Raw(b"\n"));
                    self.state = State::LineStart;
                    rest
                }
                (State::AfterEvent, _) => {
                    self.state = State::LineStart;
                    rest
                }
                _ => self.collect(rest, &mut sink),
            };
        }
    }

    /// Bytes of memory for what is held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Ends the stream: what is held leaves as it is.
    pub fn end(&mut self, mut sink: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            sink(Piece::Raw(&std::mem::take(&mut self.held)));
        }
        self.state = State::LineStart;
    }

    fn collect<'b>(&mut self, bytes: &'b [u8], sink: &mut impl FnMut(Piece<'_>)) -> &'b [u8] {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let (next, ends) = self.step(byte);
            self.state = next;
            match ends {
                Ends::No => at += 1,
                Ends::After => return self.emit(bytes, at + 1, sink),
                Ends::Before => return self.emit(bytes, at, sink),
            }
            if next == State::InLine {
                at += word::before_line_end(bytes.get(at..).unwrap_or_default());
            }
        }
        if self.state == State::AfterLastCr {
            self.emit(bytes, bytes.len(), sink);
            self.state = State::AfterEvent;
            return &[];
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > self.cap {
            let line = match self.state {
                State::LineStart => Line::Start,
                State::AfterCr => Line::AfterCr,
                State::InLine | State::AfterLastCr | State::AfterEvent | State::Passing(_) => {
                    Line::Inside
                }
            };
            sink(Piece::Raw(&std::mem::take(&mut self.held)));
            self.place = Place::Later;
            self.state = State::Passing(line);
        }
        &[]
    }

    fn emit<'b>(
        &mut self,
        bytes: &'b [u8],
        end: usize,
        sink: &mut impl FnMut(Piece<'_>),
    ) -> &'b [u8] {
        let (mine, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        if self.held.is_empty() {
            sink(self.piece(mine));
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(mine);
            sink(self.piece(&held));
        }
        self.place = Place::Later;
        self.state = State::LineStart;
        rest
    }

    /// The LF of a last CRLF may come later, so it does not count: whether an event is above the cap does not
    /// depend on how the stream is split.
    fn piece<'p>(&self, raw: &'p [u8]) -> Piece<'p> {
        if raw.len() - usize::from(raw.ends_with(b"\r\n")) > self.cap {
            return Piece::Raw(raw);
        }
        Piece::Event(Event { raw, place: self.place })
    }

    const fn step(&self, byte: u8) -> (State, Ends) {
        match (self.state, byte) {
            (State::LineStart, b'\n') => (State::LineStart, Ends::After),
            (State::LineStart, b'\r') => (State::AfterLastCr, Ends::No),
            (State::AfterCr, b'\n') => (State::LineStart, Ends::No),
            (State::AfterCr, b'\r') => (State::AfterLastCr, Ends::No),
            (State::AfterLastCr, b'\n') => (State::LineStart, Ends::After),
            (State::AfterLastCr, _) => (State::LineStart, Ends::Before),
            (_, b'\n') => (State::LineStart, Ends::No),
            (_, b'\r') => (State::AfterCr, Ends::No),
            _ => (State::InLine, Ends::No),
        }
    }

    /// Passes bytes of an event above the cap up to its end.
    fn pass<'b>(
        &mut self,
        mut line: Line,
        bytes: &'b [u8],
        sink: &mut impl FnMut(Piece<'_>),
    ) -> &'b [u8] {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let end = match (line, byte) {
                (Line::Start | Line::AfterLastCr, b'\n') => Some(at + 1),
                (Line::AfterLastCr, _) => Some(at),
                _ => None,
            };
            if let Some(end) = end {
                let (mine, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
                sink(Piece::Raw(mine));
                self.state = State::LineStart;
                return rest;
            }
            line = match (line, byte) {
                (Line::Start | Line::AfterCr, b'\r') => Line::AfterLastCr,
                (_, b'\n') => Line::Start,
                (_, b'\r') => Line::AfterCr,
                _ => Line::Inside,
            };
            at += 1;
            if line == Line::Inside {
                at += word::before_line_end(bytes.get(at..).unwrap_or_default());
            }
        }
        self.state = State::Passing(line);
        sink(Piece::Raw(bytes));
        &[]
    }
}

#[derive(Clone, Copy)]
enum Ends {
    No,
    Before,
    After,
}

impl<'a> Event<'a> {
    /// The bytes as they came.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The data: the values of its `data` lines joined by LF; `None` when there is no such line.
    #[must_use]
    pub fn data(&self) -> Option<Vec<u8>> {
        let mut data: Option<Vec<u8>> = None;
        for line in Lines::new(self) {
            if let Some(value) = data_value(self.raw.get(line.content).unwrap_or_default()) {
                match &mut data {
                    None => data = Some(value.to_vec()),
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                }
            }
        }
        data
    }

    /// The event with other data; all lines but the `data` lines keep their bytes.
    ///
    /// Each line of `data` (ended by CRLF, LF or CR) becomes a `data` line; without one there is none to replace.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + data.len());
        let mut written = false;
        for line in Lines::new(self) {
            let content = self.raw.get(line.content.clone()).unwrap_or_default();
            if data_value(content).is_none() {
                let raw = self.raw.get(line.start..line.end).unwrap_or_default();
                // Behind another line that ends with CR, a LF would end that line, and the event would not end.
                if raw == b"\n" && out.ends_with(b"\r") {
                    out.push(b'\r');
                }
                out.extend_from_slice(raw);
                continue;
            }
            if written {
                continue;
            }
            written = true;
            let ending = self.raw.get(line.content.end..line.end).unwrap_or(b"\n");
            // Only the first line of a stream may follow a byte order mark.
            out.extend_from_slice(self.raw.get(line.start..line.content.start).unwrap_or_default());
            let mut rest = Some(data);
            while let Some(data) = rest {
                let (piece, tail) = first_line(data);
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(piece);
                out.extend_from_slice(ending);
                rest = tail;
            }
        }
        out
    }
}

/// The value of a `data` line.
fn data_value(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

/// The first line of a text without its ending, and the lines behind it.
fn first_line(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (line, rest) =
        text.split_at_checked(word::before_line_end(text)).unwrap_or((text, Default::default()));
    match rest {
        [] => (line, None),
        [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => (line, Some(rest)),
    }
}

struct TextLine {
    start: usize,
    content: Range<usize>,
    end: usize,
}

struct Lines<'a> {
    raw: &'a [u8],
    at: usize,
    mark: usize,
}

impl<'a> Lines<'a> {
    fn new(event: &Event<'a>) -> Self {
        let marked = event.place == Place::First && event.raw.starts_with(b"\xEF\xBB\xBF");
        Self { raw: event.raw, at: 0, mark: if marked { 3 } else { 0 } }
    }
}

impl Iterator for Lines<'_> {
    type Item = TextLine;

    fn next(&mut self) -> Option<TextLine> {
        let rest = self.raw.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let mark = std::mem::take(&mut self.mark);
        let length = word::before_line_end(rest);
        let ending = match (rest.get(length), rest.get(length + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(_), _) => 1,
            (None, _) => 0,
        };
        self.at = start + length + ending;
        Some(TextLine { start, content: start + mark..start + length, end: self.at })
    }
}

#[cfg(test)]
mod tests;
