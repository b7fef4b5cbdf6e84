//! A `tools/list` response with arguments added to the tools' schemas; every other byte stays.

use crate::json::{self, Edits, Kind, Overlap, Value};

/// An argument to add.
#[derive(Clone, Debug)]
pub struct Injected {
    /// Reserved property name.
    pub name: &'static str,
    /// Its schema, JSON.
    pub schema: String,
}

/// What became of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listed {
    /// The document with the arguments; `None` when nothing was to be changed.
    pub text: Option<Vec<u8>>,
    /// Names of the tools, in order.
    pub names: Vec<String>,
    /// Tools that have a property of a reserved name themselves, and were left alone.
    pub owners: Vec<String>,
}

/// Adds `injected` to every tool of a response, but for the `exempt` ones and those whose schema is not a
/// plain object's. A document that is no such response comes back unchanged.
#[must_use]
pub fn inject(text: &[u8], depth: usize, injected: &[Injected], exempt: &[String]) -> Listed {
    let mut listed = Listed::default();
    let Ok(document) = json::parse(text, depth) else {
        return listed;
    };
    let Some(tools) = tools(&document) else {
        return listed;
    };
    let mut edits = Edits::default();
    for tool in tools.elements() {
        let name = tool.first("name").and_then(|name| name.as_str()).unwrap_or_default();
        if !exempt.iter().any(|exempt| *exempt == name) {
            match inject_tool(&tool, injected, &mut edits) {
                Schema::Plain => {}
                Schema::Owner => listed.owners.push(name.clone().into_owned()),
            }
        }
        listed.names.push(name.into_owned());
    }
    if !edits.is_empty() {
        listed.text = edits.apply(text).map_err(|Overlap { .. }| ()).ok();
    }
    listed
}

/// `result.tools` of a response, where it cannot be read in two ways.
fn tools<'a>(document: &Value<'a>) -> Option<Value<'a>> {
    let result = document.unique("result").ok()??;
    let tools = result.unique("tools").ok()??;
    (tools.kind() == Kind::Array).then_some(tools)
}

enum Schema {
    Plain,
    Owner,
}

fn inject_tool(tool: &Value<'_>, injected: &[Injected], edits: &mut Edits) -> Schema {
    if tool.kind() != Kind::Object || injected.is_empty() {
        return Schema::Plain;
    }
    let members = || {
        let all: Vec<String> =
            injected.iter().map(|one| format!("\"{}\":{}", one.name, one.schema)).collect();
        all.join(",")
    };
    let Ok(schema) = tool.unique("inputSchema") else {
        return Schema::Plain;
    };
    let Some(schema) = schema else {
        let members = members();
        edits.append_members(
            tool,
            &format!(r#""inputSchema":{{"type":"object","properties":{{{members}}}}}"#),
        );
        return Schema::Plain;
    };
    let Ok(properties) = schema.unique("properties") else {
        return Schema::Plain;
    };
    if !is_plain(&schema) {
        return Schema::Plain;
    }
    let Some(properties) = properties else {
        edits.append_members(&schema, &format!(r#""properties":{{{}}}"#, members()));
        return Schema::Plain;
    };
    if properties.kind() != Kind::Object {
        return Schema::Plain;
    }
    if properties.members().any(|member| injected.iter().any(|one| member.is(one.name))) {
        return Schema::Owner;
    }
    edits.append_members(&properties, &members());
    Schema::Plain
}

/// Whether one more optional property cannot contradict a schema: its root is an object's, and has no
/// keyword that looks at properties other than those it declares.
fn is_plain(schema: &Value<'_>) -> bool {
    let mut object = false;
    for member in schema.members() {
        match member.key.as_str().as_deref() {
            Some("type") => object = member.value.as_str().as_deref() == Some("object"),
            Some(
                "$ref" | "$dynamicRef" | "$recursiveRef" | "allOf" | "anyOf" | "oneOf" | "not"
                | "if" | "then" | "else" | "propertyNames" | "patternProperties" | "maxProperties"
                | "minProperties" | "dependentSchemas" | "enum" | "const",
            ) => return false,
            _ => {}
        }
    }
    object
}

#[cfg(test)]
mod tests;
