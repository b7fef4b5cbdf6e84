//! One pass over a complete text: is it JSON, and is it nested too deep? No recursion, no allocation.

use std::ops::Range;

use thiserror::Error as ThisError;

use crate::word;

/// The deepest nesting that can be asked for: one bit per level.
pub const MAX_DEPTH: usize = 128;

/// Where a text stops being acceptable JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[error("{fault} at byte {at}")]
pub struct Error {
    /// Offset in bytes.
    pub at: usize,
    /// Why.
    pub fault: Fault,
}

/// Why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
pub enum Fault {
    /// RFC 8259 section 8.1.
    #[error("not UTF-8")]
    NotUtf8,
    /// RFC 8259 sections 2 to 7.
    #[error("not JSON")]
    Syntax,
    /// The text ends before its value does.
    #[error("the text ends inside its value")]
    Ended,
    /// More than one value.
    #[error("text after the value")]
    Trailing,
    /// Nested too deep.
    #[error("nested too deep")]
    TooDeep,
}

#[derive(Clone, Copy)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// The open containers, one bit each: 1 is an object.
struct Open {
    bits: u128,
    depth: usize,
    limit: usize,
}

impl Open {
    fn push(&mut self, object: u128, at: usize) -> Result<(), Error> {
        if self.depth >= self.limit {
            return Err(Error { at, fault: Fault::TooDeep });
        }
        self.bits = (self.bits << 1) | object;
        self.depth += 1;
        Ok(())
    }

    const fn in_object(&self) -> bool {
        self.depth > 0 && self.bits & 1 == 1
    }

    /// Closes the innermost container and says what may follow.
    const fn pop(&mut self) -> Expect {
        self.bits >>= 1;
        self.depth = self.depth.saturating_sub(1);
        self.after_value()
    }

    const fn after_value(&self) -> Expect {
        if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd }
    }
}

/// Checks `text` and gives the span of its one value, without the white space around it.
pub(super) fn check(text: &[u8], depth: usize) -> Result<Range<usize>, Error> {
    let mut open = Open { bits: 0, depth: 0, limit: depth.min(MAX_DEPTH) };
    let start = white_space(text, 0);
    let mut at = start;
    let mut expect = Expect::Value;
    loop {
        if matches!(expect, Expect::Nothing) {
            let end = at;
            let rest = white_space(text, at);
            return if rest == text.len() {
                Ok(start..end)
            } else {
                Err(Error { at: rest, fault: Fault::Trailing })
            };
        }
        at = white_space(text, at);
        let Some(&byte) = text.get(at) else {
            return Err(Error { at, fault: Fault::Ended });
        };
        (at, expect) = step(text, at, byte, expect, &mut open)?;
    }
}

fn step(
    text: &[u8],
    at: usize,
    byte: u8,
    expect: Expect,
    open: &mut Open,
) -> Result<(usize, Expect), Error> {
    let syntax = Err(Error { at, fault: Fault::Syntax });
    match (expect, byte) {
        (Expect::Key | Expect::KeyOrEnd, b'"') => Ok((string(text, at)?, Expect::Colon)),
        (Expect::KeyOrEnd, b'}') | (Expect::ValueOrEnd, b']') => Ok((at + 1, open.pop())),
        (Expect::Colon, b':') => Ok((at + 1, Expect::Value)),
        (Expect::CommaOrEnd, b',') => {
            Ok((at + 1, if open.in_object() { Expect::Key } else { Expect::Value }))
        }
        (Expect::CommaOrEnd, b'}') if open.in_object() => Ok((at + 1, open.pop())),
        (Expect::CommaOrEnd, b']') if !open.in_object() => Ok((at + 1, open.pop())),
        (Expect::Value | Expect::ValueOrEnd, b'{') => {
            open.push(1, at)?;
            Ok((at + 1, Expect::KeyOrEnd))
        }
        (Expect::Value | Expect::ValueOrEnd, b'[') => {
            open.push(0, at)?;
            Ok((at + 1, Expect::ValueOrEnd))
        }
        (Expect::Value | Expect::ValueOrEnd, _) => {
            Ok((scalar(text, at, byte)?, open.after_value()))
        }
        _ => syntax,
    }
}

fn scalar(text: &[u8], at: usize, byte: u8) -> Result<usize, Error> {
    match byte {
        b'"' => string(text, at),
        b't' => literal(text, at, b"true"),
        b'f' => literal(text, at, b"false"),
        b'n' => literal(text, at, b"null"),
        b'-' | b'0'..=b'9' => number(text, at),
        _ => Err(Error { at, fault: Fault::Syntax }),
    }
}

pub(super) fn white_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Result<usize, Error> {
    for (offset, expected) in word.iter().enumerate() {
        match text.get(at + offset) {
            Some(byte) if byte == expected => {}
            Some(_) => return Err(Error { at: at + offset, fault: Fault::Syntax }),
            None => return Err(Error { at: at + offset, fault: Fault::Ended }),
        }
    }
    Ok(at + word.len())
}

/// From the opening quote to behind the closing one.
fn string(text: &[u8], at: usize) -> Result<usize, Error> {
    let mut at = at + 1;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at + 1)?,
            Some(0x20..) => at += word::before_stop(text.get(at..).unwrap_or_default()),
            Some(_) => return Err(Error { at, fault: Fault::Syntax }),
            None => return Err(Error { at, fault: Fault::Ended }),
        }
    }
}

fn escape(text: &[u8], at: usize) -> Result<usize, Error> {
    match text.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => {
            for at in at + 1..at + 5 {
                match text.get(at) {
                    Some(byte) if byte.is_ascii_hexdigit() => {}
                    Some(_) => return Err(Error { at, fault: Fault::Syntax }),
                    None => return Err(Error { at, fault: Fault::Ended }),
                }
            }
            Ok(at + 5)
        }
        Some(_) => Err(Error { at, fault: Fault::Syntax }),
        None => Err(Error { at, fault: Fault::Ended }),
    }
}

/// RFC 8259 section 6; a number ends where its grammar does, and what follows is checked by the caller.
fn number(text: &[u8], mut at: usize) -> Result<usize, Error> {
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Ok(at)
}

fn digits(text: &[u8], at: usize) -> Result<usize, Error> {
    let mut end = at;
    while matches!(text.get(end), Some(b'0'..=b'9')) {
        end += 1;
    }
    if end > at {
        return Ok(end);
    }
    let fault = if text.get(end).is_some() { Fault::Syntax } else { Fault::Ended };
    Err(Error { at: end, fault })
}

/// The end of the value that begins at `at`, in text that [`check`] has passed.
pub(super) fn skip_value(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => skip_string(text, at),
        Some(b'{' | b'[') => skip_container(text, at),
        _ => {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            end.map_or(text.len(), |end| at + end)
        }
    }
}

fn skip_container(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    loop {
        match text.get(at) {
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') => {
                depth = depth.saturating_sub(1);
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            Some(b'"') => at = skip_string(text, at),
            Some(_) => at += 1,
            None => return at,
        }
    }
}

pub(super) fn skip_string(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(0x20..) => at += word::before_stop(text.get(at..).unwrap_or_default()),
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}
