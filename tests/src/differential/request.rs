//! What clients send.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    DEEPEST, EXEMPT, OURS, Server, Way,
    json::Pen,
    object::{Object, Two, array},
};

/// What is asked, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `tools/list`.
    List,
    /// `tools/call`.
    Call,
    /// One request of another method.
    Other,
    /// Notifications and responses.
    Silent,
    /// Several messages.
    Batch,
    /// The stream of a session.
    Get,
    /// The end of a session.
    Delete,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) verb: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Way,
    /// As it was written; the answer says it again.
    pub(super) id: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Era {
    Legacy,
    Modern,
}

const MODERN: &str = "2026-07-28";
const LEGACY: [Option<&str>; 6] =
    [None, None, Some("2025-11-25"), Some("2025-06-18"), Some("2025-03-26"), Some("2024-11-05")];

const LEGACY_METHODS: [&str; 10] = [
    "initialize",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/read",
    "resources/subscribe",
    "logging/setLevel",
    "tasks/result",
    "Tools/Call",
    "unbekannt/метод 😀",
];
const MODERN_METHODS: [&str; 8] = [
    "server/discover",
    "prompts/get",
    "prompts/list",
    "resources/read",
    "completion/complete",
    "tasks/get",
    "subscriptions/listen",
    "vendor/extension",
];
const NOTIFICATIONS: [&str; 4] = [
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "vendor/said",
];
const TOOLS: [&str; 7] = ["echo", "a", "exempt", EXEMPT[1], "café ☕", " edge ", "=?base64?YQ==?="];
const SPELLED: [&str; 5] =
    ["Attache_intent", "attache_intent ", "attache-intent", "attache_", "attache_intents"];

pub(super) fn generate(pen: &mut Pen, server: Server) -> Asked {
    let era = pen.dice.pick(&[Era::Legacy, Era::Modern]);
    let kind = match (pen.dice.below(20), era) {
        (0..9, _) => Kind::Call,
        (9..14, _) => Kind::List,
        (14..17, _) => Kind::Other,
        (17, _) => Kind::Silent,
        (_, Era::Modern) => Kind::Other,
        (18, Era::Legacy) => Kind::Batch,
        (_, Era::Legacy) => pen.dice.pick(&[Kind::Get, Kind::Delete]),
    };
    let mut headers = headers(pen);
    let id = pen.id();
    let text = match kind {
        Kind::Get | Kind::Delete => None,
        Kind::Batch => {
            headers.push(("mcp-protocol-version".to_owned(), "2025-03-26".to_owned()));
            Some(batch(pen, server))
        }
        Kind::List | Kind::Call | Kind::Other | Kind::Silent => {
            let message = Message { kind, era, server, id: &id, outer: 0 };
            Some(message.write(pen, &mut headers))
        }
    };
    let (verb, body) = match text {
        Some(mut text) => {
            text = around(pen, &text);
            headers.push(("content-type".to_owned(), json_type(pen)));
            ("POST", Way::new(pen, text.with, text.without))
        }
        None if kind == Kind::Get => ("GET", Way::default()),
        None => ("DELETE", Way::default()),
    };
    Asked { kind, verb, headers, body, id }
}

fn json_type(pen: &mut Pen) -> String {
    let types = [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
    ];
    pen.dice.pick(&types).to_owned()
}

fn headers(pen: &mut Pen) -> Vec<(String, String)> {
    let mut headers = vec![("accept", "application/json, text/event-stream")];
    let optional = [
        ("accept-encoding", "gzip, br;q=0.5"),
        ("content-encoding", "identity"),
        ("mcp-session-id", "!session~0190f0e8"),
        ("mcp-param-user_id", "=?base64?w6k=?="),
        ("mcp-param-region", "  eu  "),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-said", "\"a\", b; c=d"),
        ("last-event-id", "a/1"),
    ];
    headers.extend(optional.into_iter().filter(|_| pen.dice.one_in(3)));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
    headers.into_iter().map(owned).collect()
}

/// White space around a whole text.
pub(super) fn around(pen: &mut Pen, text: &Two) -> Two {
    let mut out = Two::from(pen.space());
    out.push(text);
    out.push_both(pen.space());
    out
}

/// Of 2025-03-26: calls, notifications and responses in one body.
fn batch(pen: &mut Pen, server: Server) -> Two {
    let items: Vec<Two> = (0..2 + pen.dice.below(3))
        .map(|_| {
            let kind = pen.dice.pick(&[Kind::Call, Kind::List, Kind::Other, Kind::Silent]);
            let id = pen.id();
            Message { kind, era: Era::Legacy, server, id: &id, outer: 1 }
                .write(pen, &mut Vec::new())
        })
        .collect();
    array(pen, &items)
}

struct Message<'a> {
    kind: Kind,
    era: Era,
    server: Server,
    id: &'a str,
    /// Levels around it.
    outer: usize,
}

impl Message<'_> {
    /// The message; its headers, where it is not one of many.
    fn write(&self, pen: &mut Pen, headers: &mut Vec<(String, String)>) -> Two {
        if self.kind == Kind::Silent && self.era == Era::Legacy && pen.dice.one_in(2) {
            return self.response(pen);
        }
        let method = match (self.kind, self.era) {
            (Kind::List, _) => "tools/list",
            (Kind::Call, _) => "tools/call",
            (Kind::Silent, _) => pen.dice.pick(&NOTIFICATIONS),
            (_, Era::Legacy) => pen.dice.pick(&LEGACY_METHODS),
            (_, Era::Modern) => pen.dice.pick(&MODERN_METHODS),
        };
        let named = self.target(pen, method);
        self.mirror(pen, method, named.map(|(_, name)| name), headers);
        let mut message = Object::default();
        let version = pen.string("2.0");
        message.add(pen, "jsonrpc", version.into());
        let method = pen.string(method);
        message.add(pen, "method", method.into());
        if let Some(params) = self.params(pen, named) {
            message.add(pen, "params", params);
        }
        if self.kind != Kind::Silent {
            message.add(pen, "id", self.id.into());
        }
        pen.noise(&mut message);
        message.shuffle(pen);
        message.text(pen)
    }

    /// The answer of a client to its server.
    fn response(&self, pen: &mut Pen) -> Two {
        let mut message = Object::default();
        message.add(pen, "jsonrpc", r#""2.0""#.into());
        let value = pen.value(4);
        if pen.dice.one_in(3) {
            let error = format!(r#"{{"code":-1,"message":"no","data":{value}}}"#);
            message.add(pen, "error", error.into());
            match pen.dice.below(3) {
                0 => {}
                1 => message.add(pen, "id", "null".into()),
                _ => message.add(pen, "id", self.id.into()),
            }
        } else {
            message.add(pen, "result", value.into());
            message.add(pen, "id", self.id.into());
        }
        message.shuffle(pen);
        message.text(pen)
    }

    /// What the method is about: the member that says so, and what it says.
    fn target(&self, pen: &mut Pen, method: &str) -> Option<(&'static str, &'static str)> {
        match method {
            "tools/call" => Some(("name", pen.dice.pick(&TOOLS))),
            "prompts/get" => Some(("name", "a prompt")),
            "resources/read" => Some(("uri", "file:///a/b?c=é")),
            "tasks/get" | "tasks/result" => Some(("taskId", "task-1")),
            _ => None,
        }
    }

    /// The headers that say what the message says.
    fn mirror(
        &self,
        pen: &mut Pen,
        method: &str,
        name: Option<&str>,
        headers: &mut Vec<(String, String)>,
    ) {
        let mut push = |name: &str, value: String| headers.push((name.to_owned(), value));
        if self.era == Era::Legacy {
            if let Some(version) = pen.dice.pick(&LEGACY) {
                push("mcp-protocol-version", version.to_owned());
            }
            return;
        }
        push("mcp-protocol-version", MODERN.to_owned());
        if self.kind != Kind::Silent {
            push("mcp-method", method.to_owned());
        }
        if let Some(name) = name {
            let plain =
                name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && name == name.trim();
            let is_literal = plain && !name.starts_with("=?") && !pen.dice.one_in(4);
            let encoded = || format!("=?base64?{}?=", STANDARD.encode(name));
            push("mcp-name", if is_literal { name.to_owned() } else { encoded() });
        } else if method == "vendor/extension" {
            push("mcp-name", "only its server knows".to_owned());
        }
    }

    fn params(&self, pen: &mut Pen, named: Option<(&str, &str)>) -> Option<Two> {
        let mut params = Object::default();
        match self.era {
            Era::Modern if self.kind != Kind::Silent => {
                let meta = modern_meta(pen);
                params.add(pen, "_meta", meta);
            }
            Era::Modern | Era::Legacy if self.kind == Kind::Call => {}
            Era::Modern | Era::Legacy => match pen.dice.below(4) {
                0 => return None,
                1 if named.is_none() => return Some(array(pen, &[])),
                _ => {}
            },
        }
        if self.era == Era::Legacy && pen.dice.one_in(3) {
            let token = pen.scalar();
            let meta = format!(r#"{{"progressToken":{token},"a":1,"a":{{"_meta":[]}}}}"#);
            params.add(pen, "_meta", meta.into());
        }
        if let Some((member, name)) = named {
            let name = pen.string(name);
            params.add(pen, member, name.into());
        }
        if self.kind == Kind::Call {
            let exempt = named.is_some_and(|(_, tool)| self.server.exempts(tool));
            if let Some(arguments) = arguments(pen, exempt, self.outer) {
                params.add(pen, "arguments", arguments);
            }
        } else if pen.dice.one_in(3) {
            // Ours only in a call: elsewhere it is somebody else's.
            params.add(pen, "arguments", r#"{"attache_intent":"of a prompt"}"#.into());
        }
        for name in ["cursor", "task", "requestState", "inputResponses"] {
            if pen.dice.one_in(5) {
                let value = pen.value(3);
                params.add(pen, name, value.into());
            }
        }
        pen.noise(&mut params);
        params.shuffle(pen);
        Some(params.text(pen))
    }
}

fn modern_meta(pen: &mut Pen) -> Two {
    let mut meta = Object::default();
    let version = pen.string(MODERN);
    meta.add(pen, "io.modelcontextprotocol/protocolVersion", version.into());
    let capabilities = r#"{"elicitation":{"form":{}}}"#;
    meta.add(pen, "io.modelcontextprotocol/clientCapabilities", capabilities.into());
    if pen.dice.one_in(2) {
        let client = r#"{"name":"odd \u00e9","version":"1.0.0-β"}"#;
        meta.add(pen, "io.modelcontextprotocol/clientInfo", client.into());
        let intent = r#"{"userIntent":"to \"see\""}"#;
        meta.add(pen, "io.modelcontextprotocol/aiInvocation", intent.into());
        let token = pen.scalar();
        meta.add(pen, "progressToken", token.into());
    }
    pen.noise(&mut meta);
    meta.shuffle(pen);
    meta.text(pen)
}

/// The arguments of a call, with ours at any place among them, spelled in any way, of any value, any number of
/// times.
fn arguments(pen: &mut Pen, exempt: bool, outer: usize) -> Option<Two> {
    match pen.dice.below(12) {
        0 => return None,
        1 => {
            return Some(
                pen.dice
                    .pick(&["null", "[]", "\"attache_intent\"", "{}", "[{\"attache_intent\":1}]"])
                    .into(),
            );
        }
        _ => {}
    }
    let mut arguments = Object::default();
    for _ in 0..pen.dice.below(4) {
        pen.noise(&mut arguments);
        let (name, value) = (pen.name(), pen.value(4));
        arguments.add(pen, &name, value.into());
    }
    if pen.dice.one_in(6) {
        let name = pen.dice.pick(&SPELLED);
        arguments.add(pen, name, r#"{"attache_intent":"further in"}"#.into());
    }
    if pen.dice.one_in(12) {
        // `arguments` is the third level of a message.
        let deep = pen.nested(DEEPEST - 3 - outer);
        arguments.add(pen, "deep", deep.into());
    }
    for _ in 0..pen.dice.pick(&[0, 1, 1, 1, 2, 4]) {
        let name = pen.dice.pick(&OURS);
        let value =
            if pen.dice.one_in(3) { pen.value(4) } else { pen.string("Why, \"quoted\" } é") };
        if exempt {
            arguments.add(pen, name, value.into());
        } else {
            arguments.add_ours(pen, name, &value);
        }
    }
    arguments.shuffle(pen);
    Some(arguments.text(pen))
}
