//! Event streams: every line ending, comments, fields in any order, data over several lines.

use super::{json::Pen, object::Two};

/// How lines end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Endings {
    Always(&'static str),
    Mixed,
}

/// Writes lines of both texts.
struct Lines {
    text: Two,
    endings: Endings,
}

/// A stream in which `answer` is the data of one event, somewhere.
pub(super) fn write(pen: &mut Pen, answer: &Two) -> Two {
    let styles = [
        Endings::Always("\n"),
        Endings::Always("\r\n"),
        Endings::Always("\r"),
        Endings::Mixed,
        Endings::Mixed,
        Endings::Mixed,
    ];
    let mut lines = Lines { text: Two::default(), endings: pen.dice.pick(&styles) };
    if pen.dice.one_in(6) {
        lines.text.push_both("\u{feff}");
    }
    for _ in 0..pen.dice.below(4) {
        other(pen, &mut lines);
    }
    event(pen, &mut lines, answer);
    for _ in 0..pen.dice.pick(&[0, 0, 1, 2]) {
        other(pen, &mut lines);
    }
    if pen.dice.one_in(6) {
        // The end comes before the empty line: this event never happened.
        let line = format!("data: {}", answer.without.replace('\n', " "));
        lines.text.push_both(&line);
    }
    lines.text
}

/// A block that is not the answer.
fn other(pen: &mut Pen, lines: &mut Lines) {
    match pen.dice.below(5) {
        0 => {
            let comment = pen.dice.pick(&[":", ": keep-alive", ":data: {}", ": é 😀"]);
            lines.line(pen, comment);
            if pen.dice.one_in(2) {
                lines.line(pen, "");
            }
        }
        1 => {
            lines.line(pen, "retry: 3000");
            lines.line(pen, "");
        }
        2 => {
            let empty = pen.dice.pick(&["data", "data:", "data: "]);
            lines.line(pen, "id: 0/1");
            lines.line(pen, empty);
            lines.line(pen, "");
        }
        3 => {
            let value = pen.value(3).replace('\n', " ");
            let said = pen.dice.pick(&[
                r#""method":"notifications/progress","params":"#,
                r#""id":"s-1","method":"sampling/createMessage","params":"#,
                r#""id":"old","error":"#,
            ]);
            let name = pen.dice.pick(&[
                "event: message",
                "event:message",
                "event: other",
                "dat: a",
                "data2",
            ]);
            lines.line(pen, name);
            lines.line(pen, &format!(r#"data: {{"jsonrpc":"2.0",{said}{value}}}"#));
            lines.line(pen, "");
        }
        _ => lines.line(pen, ""),
    }
}

/// The event with the answer. Where it is changed, its data moves to the place of the first `data` line, each line
/// of it as `data: ` with the ending that that line had; every other line keeps its bytes.
fn event(pen: &mut Pen, lines: &mut Lines, answer: &Two) {
    let parts: Vec<&str> = answer.without.split('\n').collect();
    let changed = (!answer.is_same()).then(|| answer.with.split('\n').collect::<Vec<_>>());
    let fields = ["id: 7", "event: message", ": comment", "retry:1", "unknown", "id"];
    for (at, part) in parts.iter().enumerate() {
        if pen.dice.one_in(4) {
            let field = pen.dice.pick(&fields);
            lines.line(pen, field);
        }
        let prefix = if part.starts_with(' ') || pen.dice.one_in(2) { "data: " } else { "data:" };
        let ending = lines.ending(pen, "data", &lines.text.without);
        let line = format!("{prefix}{part}{ending}");
        match &changed {
            None => lines.text.push_both(&line),
            Some(whole) => {
                lines.text.without.push_str(&line);
                for part in whole.iter().filter(|_| at == 0) {
                    lines.text.with.push_str(&format!("data: {part}{ending}"));
                }
            }
        }
    }
    if pen.dice.one_in(4) {
        let field = pen.dice.pick(&fields);
        lines.line(pen, field);
    }
    lines.line(pen, "");
}

impl Lines {
    /// A line of both texts.
    fn line(&mut self, pen: &mut Pen, content: &str) {
        let ending = self.ending(pen, content, &self.text.without);
        self.text.without.push_str(&format!("{content}{ending}"));
        // Behind a CR a LF alone ends no line: an empty line stays one.
        let joins = content.is_empty() && ending == "\n" && self.text.with.ends_with('\r');
        let ending = if joins { "\r\n" } else { ending };
        self.text.with.push_str(&format!("{content}{ending}"));
    }

    fn ending(&self, pen: &mut Pen, content: &str, before: &str) -> &'static str {
        match self.endings {
            Endings::Always(ending) => ending,
            Endings::Mixed if content.is_empty() && before.ends_with('\r') => {
                pen.dice.pick(&["\r", "\r\n"])
            }
            Endings::Mixed => pen.dice.pick(&["\n", "\r\n", "\r"]),
        }
    }
}
