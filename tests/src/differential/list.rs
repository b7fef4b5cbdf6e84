//! Lists of tools: what is added where, and where nothing is.

use super::{
    DEEPEST, Server,
    json::Pen,
    object::{Object, Two, array},
};

/// Schemas to which nothing can be added without a contradiction: no object's, or one that looks at all its
/// properties.
const FOREIGN: [&str; 14] = [
    "true",
    "null",
    "[]",
    "{}",
    r#""object""#,
    r#"{"type":["object"]}"#,
    r#"{"type":"string","properties":{}}"#,
    r##"{"type":"object","$ref":"#/$defs/a"}"##,
    r#"{"type":"object","anyOf":[{"required":["a"]}]}"#,
    r#"{"type":"object","patternProperties":{"^a":{}}}"#,
    r#"{"maxProperties":1,"properties":{},"type":"object"}"#,
    r#"{"type":"object","properties":{},"properties":{}}"#,
    r#"{"type":"object","properties":[]}"#,
    r#"{"type":"object","not":{}}"#,
];

/// Keywords that say nothing against another property.
const PLAIN: [(&str, &str); 9] = [
    ("$schema", r#""https://json-schema.org/draft/2020-12/schema""#),
    ("$defs", r#"{"a":{"type":"object","properties":{"b":{}}}}"#),
    ("$anchor", r#""here""#),
    ("required", r#"["x"]"#),
    ("additionalProperties", "false"),
    ("unevaluatedProperties", "false"),
    ("description", r#""properties: {} \" } caf\u00e9""#),
    ("title", r#""""#),
    ("default", r#"{"properties":{}}"#),
];

/// A response to `tools/list` with `added` in the schemas.
pub(super) fn write(pen: &mut Pen, id: &str, added: &str, server: Server) -> Two {
    // Twice, it can be read in two ways; nested too deep, it is not read: it is not changed.
    let (twice, deep) = (pen.dice.one_in(25), pen.dice.one_in(25));
    let added = if twice || deep { "" } else { added };
    let mut tools: Vec<Two> = (0..pen.dice.below(6)).map(|_| tool(pen, added, server)).collect();
    if pen.dice.one_in(10) {
        let value = pen.value(2);
        tools.push(if value.starts_with('{') { "7".into() } else { value.into() });
    }
    if deep {
        tools.push(pen.nested(DEEPEST - 2).into());
    }
    let tools = array(pen, &tools);
    let mut result = Object::default();
    result.add(pen, "tools", tools.clone());
    if twice {
        result.add(pen, "tools", tools);
    }
    for (name, value) in [
        ("nextCursor", r#""caf\u00e9/\ud83d\ude00==""#),
        ("ttlMs", "3.6e6"),
        ("cacheScope", r#""public""#),
        ("resultType", r#""complete""#),
        (
            "_meta",
            r#"{"io.modelcontextprotocol/serverInfo":{"name":"odd","version":"1"},"n":-0.0}"#,
        ),
    ] {
        if pen.dice.one_in(3) {
            result.add(pen, name, value.into());
        }
    }
    pen.noise(&mut result);
    result.shuffle(pen);
    let result = result.text(pen);
    let mut message = Object::default();
    message.add(pen, "result", result);
    message.add(pen, "id", id.into());
    message.add(pen, "jsonrpc", r#""2.0""#.into());
    pen.noise(&mut message);
    message.shuffle(pen);
    message.text(pen)
}

/// One tool; `added` is empty where nothing is added.
fn tool(pen: &mut Pen, added: &str, server: Server) -> Two {
    let mut tool = Object::default();
    let name = pen.dice.pick(&["a", "exempt", "tool_1", "café ☕", "inputSchema", ""]);
    let named = !pen.dice.one_in(12);
    if named {
        let name = pen.string(name);
        tool.add(pen, "name", name.into());
    } else if pen.dice.one_in(2) {
        tool.add(pen, "name", "7".into());
    }
    let added = if named && !server.exempts(name) { added } else { "" };
    for (name, value) in [
        ("description", r#""Says \"inputSchema\":{\"properties\":{}}""#),
        (
            "outputSchema",
            r#"{"type":"object","properties":{"a":{"type":"number","maximum":1e400}}}"#,
        ),
        ("icons", r#"[{"src":"data:image/png;base64,AA==","sizes":["48x48"]}]"#),
        ("execution", r#"{"taskSupport":"optional"}"#),
        ("annotations", r#"{"readOnlyHint":true}"#),
        ("_meta", r#"{"big":12345678901234567890}"#),
    ] {
        if pen.dice.one_in(4) {
            tool.add(pen, name, value.into());
        }
    }
    pen.noise(&mut tool);
    match pen.dice.below(10) {
        0 => {
            tool.shuffle(pen);
            let properties =
                format!(r#""inputSchema":{{"type":"object","properties":{{{added}}}}}"#);
            inject(pen, &mut tool, added, &properties);
        }
        1 | 2 => {
            let schema = foreign(pen, server);
            tool.add(pen, "inputSchema", schema.into());
            tool.shuffle(pen);
        }
        3 if pen.dice.one_in(3) => {
            // Twice: nobody knows which is meant.
            tool.add(pen, "inputSchema", r#"{"type":"object"}"#.into());
            tool.add(pen, "inputSchema", r#"{"type":"object","properties":{}}"#.into());
            tool.shuffle(pen);
        }
        _ => {
            let schema = schema(pen, added);
            tool.add(pen, "inputSchema", schema);
            tool.shuffle(pen);
        }
    }
    tool.text(pen)
}

fn foreign(pen: &mut Pen, server: Server) -> String {
    if pen.dice.one_in(3) {
        // A tool that has an argument of a name that would be added keeps it, and gets no other.
        let name = pen.dice.pick(&super::OURS[..server.added().max(1)]);
        let name = pen.string(name);
        return format!(
            r#"{{"type":"object","properties":{{"a":{{}},{name}:{{"type":"integer"}}}}}}"#
        );
    }
    pen.dice.pick(&FOREIGN).to_owned()
}

/// A plain object's schema, with the properties of ours at their end.
fn schema(pen: &mut Pen, added: &str) -> Two {
    let mut schema = Object::default();
    let kind = pen.string("object");
    schema.add(pen, "type", kind.into());
    for (name, value) in PLAIN {
        if pen.dice.one_in(4) {
            schema.add(pen, name, value.into());
        }
    }
    pen.noise(&mut schema);
    if pen.dice.one_in(4) {
        schema.shuffle(pen);
        inject(pen, &mut schema, added, &format!(r#""properties":{{{added}}}"#));
        return schema.text(pen);
    }
    let mut properties = Object::default();
    for _ in 0..pen.dice.below(4) {
        let name = pen.name();
        let region = r#"{"type":"string","x-mcp-header":"Region","enum":["eu","\u0075s"]}"#;
        let value = if pen.dice.one_in(3) { region.to_owned() } else { pen.value(3) };
        properties.add(pen, &name, value.into());
        pen.noise(&mut properties);
    }
    if pen.dice.one_in(15) {
        // Of the message, its result, its tools, a tool, its schema, its properties.
        let deep = pen.nested(DEEPEST - 6);
        properties.add(pen, "deep", deep.into());
    }
    inject(pen, &mut properties, added, added);
    let properties = properties.text(pen);
    schema.add(pen, "properties", properties);
    schema.shuffle(pen);
    schema.text(pen)
}

fn inject(pen: &mut Pen, object: &mut Object, added: &str, text: &str) {
    if !added.is_empty() {
        object.inject(pen, text);
    }
}
