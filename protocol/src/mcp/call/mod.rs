//! What the parameters of a request say, and a `tools/call` without the arguments that we added.

use std::borrow::Cow;

use thiserror::Error;

use crate::{
    event::ClientInfo,
    json::{Duplicate, Edits, Kind, Value, is_lookalike},
    mcp::{era, method::Method},
};

const AI_INVOCATION: &str = "io.modelcontextprotocol/aiInvocation";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// Why nobody can rely on parameters.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum Doubt {
    /// Two parsers could read a member differently.
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    /// A string that is no text: some parsers refuse it, others put something in the place of half a character.
    #[error("the member `{0}` has half of a surrogate pair; send whole characters")]
    NoText(&'static str),
}

/// The members of `params` that something depends on, or that an event tells.
#[derive(Clone, Debug, Default)]
pub struct Params<'a> {
    /// What the method names: tool, prompt, resource, task.
    pub target: Option<Cow<'a, str>>,
    /// `arguments`.
    pub arguments: Option<Value<'a>>,
    /// `_meta["io.modelcontextprotocol/protocolVersion"]`.
    pub version: Option<Cow<'a, str>>,
    /// `_meta["io.modelcontextprotocol/aiInvocation"].userIntent`.
    pub intent: Option<Cow<'a, str>>,
    /// `clientInfo` of `initialize`, or of `_meta`.
    pub client: Option<ClientInfo>,
    /// `protocolVersion` of `initialize`.
    pub asked_version: Option<Cow<'a, str>>,
    /// `_meta.traceparent` (W3C Trace Context).
    pub traceparent: Option<Cow<'a, str>>,
}

impl<'a> Params<'a> {
    /// Reads the parameters of `method`.
    ///
    /// # Errors
    /// When a member that something depends on occurs twice, or in other letter case, or is a string that is no text.
    pub fn read(method: Method, params: Option<&Value<'a>>) -> Result<Self, Doubt> {
        let mut read = Self::default();
        let Some(params) = params else {
            return Ok(read);
        };
        let mut meta = None;
        let mut arguments = None;
        let mut target = None;
        for member in params.members() {
            let key = member.key.as_str();
            let slot = match key.as_deref() {
                Some("_meta") => ("_meta", &mut meta),
                Some("arguments") => ("arguments", &mut arguments),
                Some("clientInfo") if method == Method::Initialize => {
                    read.client = client(&member.value);
                    continue;
                }
                Some("protocolVersion") if method == Method::Initialize => {
                    read.asked_version = member.value.as_str();
                    continue;
                }
                Some(name) if method.target() == Some(name) => {
                    (method.target().unwrap_or_default(), &mut target)
                }
                Some(key) => match method.deciding().find(|name| is_lookalike(key, name)) {
                    Some(name) => return Err(Duplicate { name }.into()),
                    None => continue,
                },
                None => continue,
            };
            if slot.1.replace(member.value).is_some() {
                return Err(Duplicate { name: slot.0 }.into());
            }
        }
        read.arguments = arguments;
        read.target = text(method.target().unwrap_or_default(), target)?;
        if let Some(meta) = meta {
            read.meta(&meta)?;
        }
        Ok(read)
    }

    fn meta(&mut self, meta: &Value<'a>) -> Result<(), Doubt> {
        let mut version = None;
        for member in meta.members() {
            match member.key.as_str().as_deref() {
                Some(era::VERSION_META) if version.is_some() => {
                    return Err(Duplicate { name: era::VERSION_META }.into());
                }
                Some(era::VERSION_META) => version = Some(member.value),
                Some(AI_INVOCATION) => {
                    self.intent =
                        member.value.first("userIntent").and_then(|intent| intent.as_str());
                }
                Some(CLIENT_INFO) => self.client = client(&member.value),
                Some("traceparent") => self.traceparent = member.value.as_str(),
                _ => {}
            }
        }
        self.version = text(era::VERSION_META, version)?;
        Ok(())
    }
}

/// The text of a member that something depends on, if it is a string.
fn text<'a>(name: &'static str, value: Option<Value<'a>>) -> Result<Option<Cow<'a, str>>, Doubt> {
    let Some(value) = value.filter(|value| value.kind() == Kind::String) else { return Ok(None) };
    value.as_str().map(Some).ok_or(Doubt::NoText(name))
}

fn client(value: &Value<'_>) -> Option<ClientInfo> {
    let name = value.first("name")?.as_str()?.into_owned();
    let version = value.first("version").and_then(|version| version.as_str()).map(Cow::into_owned);
    Some(ClientInfo { name, version })
}

/// An argument that was cut out of a call.
#[derive(Clone, Debug)]
pub struct Cut<'a> {
    /// Its name, one of those asked for.
    pub name: &'static str,
    /// Its value, whatever the model wrote.
    pub value: Value<'a>,
}

/// Cuts every argument with one of `names` out of a call, however often it occurs and whatever its value.
///
/// `arguments` that become empty stay `{}`; arguments that are no object stay as they are.
pub fn strip<'a>(arguments: &Value<'a>, names: &[&'static str], edits: &mut Edits) -> Vec<Cut<'a>> {
    let mut cut = Vec::new();
    if arguments.kind() != Kind::Object {
        return cut;
    }
    for member in arguments.members() {
        if let Some(name) = names.iter().find(|name| member.is(name)) {
            cut.push(Cut { name, value: member.value });
        }
    }
    if !cut.is_empty() {
        edits.remove_members(arguments, |member| names.iter().any(|name| member.is(name)));
    }
    cut
}

#[cfg(test)]
mod tests;
