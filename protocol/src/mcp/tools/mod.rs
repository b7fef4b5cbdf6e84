//! A `tools/list` response with arguments added to the tools' schemas; every other byte stays.

use crate::json::{self, Edits, Kind, Overlap, Value};

/// The longest list that is changed: what is added to each tool must not add up to more than a filter can hold.
const MOST_TOOLS: usize = 10_000;

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
/// plain object's. A document that is no such response, or lists more than 10,000 tools, comes back unchanged.
#[must_use]
pub fn inject(text: &[u8], depth: usize, injected: &[Injected], exempt: &[String]) -> Listed {
    let mut listed = Listed::default();
    let Ok(document) = json::parse(text, depth) else {
        return listed;
    };
    let Some(tools) = tools(&document) else {
        return listed;
    };
    let members: Vec<String> =
        injected.iter().map(|one| format!("\"{}\":{}", one.name, one.schema)).collect();
    let members = members.join(",");
    let mut edits = Edits::default();
    for tool in tools.elements() {
        if listed.names.len() == MOST_TOOLS {
            return Listed::default();
        }
        let name = tool.first("name").and_then(|name| name.as_str());
        let listed_name = name.as_deref().unwrap_or_default();
        if name.is_some() && !exempt.iter().any(|exempt| exempt == listed_name) {
            let tool = Tool::read(&tool, injected);
            if matches!(tool, Tool::Owner) {
                listed.owners.push(listed_name.to_owned());
            }
            tool.add(&members, &mut edits);
        }
        listed.names.push(listed_name.to_owned());
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

/// Where arguments can be added to a tool.
enum Tool<'a> {
    /// It has no schema.
    WithoutSchema(Value<'a>),
    /// Its schema has no properties.
    WithoutProperties(Value<'a>),
    /// Its schema has these properties.
    WithProperties(Value<'a>),
    /// One of the names is its own.
    Owner,
    /// Its schema is not a plain object's.
    Foreign,
}

impl<'a> Tool<'a> {
    fn read(tool: &Value<'a>, injected: &[Injected]) -> Self {
        let schema = match tool.unique("inputSchema") {
            Ok(Some(schema)) => schema,
            Ok(None) => return Self::WithoutSchema(*tool),
            Err(_) => return Self::Foreign,
        };
        let mut properties = None;
        let mut plain = Plain::Unknown;
        for member in schema.members() {
            let name = member.key.as_str();
            if name.as_deref() == Some("properties") {
                if properties.replace(member.value).is_some() {
                    return Self::Foreign;
                }
            } else {
                plain = plain.and(name.as_deref(), &member.value);
            }
        }
        let is_ours = |name: &str| injected.iter().any(|one| one.name == name);
        let mut own = properties.iter().flat_map(Value::members);
        if own.any(|member| member.key.as_str().is_some_and(|name| is_ours(&name))) {
            return Self::Owner;
        }
        match (plain, properties) {
            (Plain::Object, None) => Self::WithoutProperties(schema),
            (Plain::Object, Some(properties)) if properties.kind() == Kind::Object => {
                Self::WithProperties(properties)
            }
            _ => Self::Foreign,
        }
    }

    fn add(&self, members: &str, edits: &mut Edits) {
        match self {
            _ if members.is_empty() => {}
            Self::WithoutSchema(tool) => edits.append_members(
                tool,
                &format!(r#""inputSchema":{{"type":"object","properties":{{{members}}}}}"#),
            ),
            Self::WithoutProperties(schema) => {
                edits.append_members(schema, &format!(r#""properties":{{{members}}}"#));
            }
            Self::WithProperties(properties) => edits.append_members(properties, members),
            Self::Owner | Self::Foreign => {}
        }
    }
}

/// Whether one more optional property cannot contradict a schema.
#[derive(Clone, Copy)]
enum Plain {
    /// Nothing speaks against it, nor for it.
    Unknown,
    /// Its root is an object's.
    Object,
    /// It is no object's, or has a keyword that looks at properties other than those it declares. That is not
    /// said of `additionalProperties` and `unevaluatedProperties`: ours is declared.
    No,
}

impl Plain {
    fn and(self, keyword: Option<&str>, value: &Value<'_>) -> Self {
        match (self, keyword) {
            (Self::No, _) => Self::No,
            (_, Some("type")) if value.as_str().as_deref() == Some("object") => Self::Object,
            (
                _,
                Some(
                    "type" | "$ref" | "$dynamicRef" | "$recursiveRef" | "allOf" | "anyOf" | "oneOf"
                    | "not" | "if" | "then" | "else" | "propertyNames" | "patternProperties"
                    | "maxProperties" | "minProperties" | "dependentSchemas" | "dependencies"
                    | "enum" | "const",
                ),
            ) => Self::No,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests;
