//! What servers answer.

use super::{
    Added, Server, Way, events,
    json::{Pen, White},
    list,
    object::{Object, Two},
    request::{Asked, Kind, around},
};

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Way,
}

pub(super) fn generate(pen: &mut Pen, server: Server, asked: &Asked, added: &Added) -> Reply {
    let (status, headers, body) = match asked.kind {
        Kind::Silent => (202, Vec::new(), Way::default()),
        Kind::Delete => (pen.dice.pick(&[200, 204, 405]), Vec::new(), Way::default()),
        Kind::Get if pen.dice.one_in(3) => (405, Vec::new(), Way::default()),
        Kind::Get => {
            pen.white = White::NoReturn;
            let message = message(pen, &asked.id, Kind::List);
            let stream = events::write(pen, &message);
            (200, vec![event_stream(pen)], chunked(pen, stream.without.clone(), stream.without))
        }
        Kind::Batch => {
            let message = message(pen, &asked.id, Kind::Call).without;
            let text = format!("[{message}]");
            (200, vec![json_type(pen)], Way::new(pen, text.clone(), text))
        }
        Kind::List | Kind::Call | Kind::Other => return one(pen, server, asked, added),
    };
    Reply { status, headers: with_others(pen, headers), body }
}

fn one(pen: &mut Pen, server: Server, asked: &Asked, added: &Added) -> Reply {
    let form = pen.dice.below(20);
    let status = if form == 0 { pen.dice.pick(&[400, 404, 500, 503]) } else { 200 };
    if (10..18).contains(&form) {
        pen.white = White::NoReturn;
    }
    // What is not read is not changed: another status, another type, an encoding, half a text.
    let is_read = !matches!(form, 0..=3);
    let message = if asked.kind == Kind::List && !pen.dice.one_in(8) {
        let added = added.on(server).filter(|_| is_read).unwrap_or_default();
        list::write(pen, &asked.id, added, server)
    } else {
        message(pen, &asked.id, asked.kind)
    };
    let (headers, body) = match form {
        1 => {
            let text = message.without;
            let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
            let half = text[..half].trim_end_matches('}').to_owned();
            (vec![json_type(pen)], Way::new(pen, half.clone(), half))
        }
        2 => {
            let odd: Vec<u8> = (0..pen.dice.below(300)).map(|_| pen.dice.number() as u8).collect();
            let encoded = ("content-encoding".to_owned(), "gzip".to_owned());
            (vec![json_type(pen), encoded], Way::new(pen, odd.clone(), odd))
        }
        3 => {
            let types = ["text/html", "application/json-seq", "text/plain; charset=utf-8"];
            let header = ("content-type".to_owned(), pen.dice.pick(&types).to_owned());
            let text = message.without;
            (vec![header], Way::new(pen, text.clone(), text))
        }
        10..18 => {
            let stream = events::write(pen, &message);
            (vec![event_stream(pen)], chunked(pen, stream.without, stream.with))
        }
        _ => {
            let text = around(pen, &message);
            (vec![json_type(pen)], Way::new(pen, text.without, text.with))
        }
    };
    Reply { status, headers: with_others(pen, headers), body }
}

fn chunked(pen: &mut Pen, sent: String, arrives: String) -> Way {
    let cuts = Some(pen.dice.cuts(sent.len()));
    Way { sent: sent.into_bytes(), arrives: arrives.into_bytes(), cuts }
}

fn json_type(pen: &mut Pen) -> (String, String) {
    let types = ["application/json", "application/json;charset=utf-8", "Application/JSON ; a=b"];
    ("content-type".to_owned(), pen.dice.pick(&types).to_owned())
}

fn event_stream(pen: &mut Pen) -> (String, String) {
    let types = ["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream"];
    ("content-type".to_owned(), pen.dice.pick(&types).to_owned())
}

fn with_others(pen: &mut Pen, mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let optional = [
        ("mcp-session-id", "~!a-session"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("x_answered", "\"odd\"; =,"),
    ];
    let some = optional.into_iter().filter(|_| pen.dice.one_in(3));
    headers.extend(some.map(|(name, value)| (name.to_owned(), value.to_owned())));
    headers
}

/// A response in which nothing is changed: that of another method, an error, or what only looks like a list.
fn message(pen: &mut Pen, id: &str, kind: Kind) -> Two {
    let mut message = Object::default();
    message.add(pen, "jsonrpc", r#""2.0""#.into());
    message.add(pen, "id", id.into());
    let value = pen.value(5);
    if pen.dice.one_in(4) {
        let error = format!(r#"{{"code":-32603,"message":"caf\u00e9","data":{value}}}"#);
        message.add(pen, "error", error.into());
    } else if kind == Kind::List {
        let results = [
            "null",
            "{}",
            r#"{"tools":[]}"#,
            r#"{"tools":{"name":"a"}}"#,
            r#"{"tools":[1,"a",null,[],{}]}"#,
            r#"{"tools":[{"name":"a"}],"tools":[]}"#,
            r#"{"Tools":[{"name":"a"}],"nextCursor":"c"}"#,
        ];
        let result = pen.dice.pick(&results);
        message.add(pen, "result", result.into());
    } else {
        let mut result = Object::default();
        result.add(pen, "content", value.into());
        result.add(pen, "tools", r#"[{"name":"not a list of tools"}]"#.into());
        pen.noise(&mut result);
        result.shuffle(pen);
        let result = result.text(pen);
        message.add(pen, "result", result);
    }
    pen.noise(&mut message);
    message.shuffle(pen);
    message.text(pen)
}
