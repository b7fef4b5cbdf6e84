//! JSON-RPC 2.0 messages, borrowed from the body that carries them.
//!
//! A message is read strictly where something depends on it: a member that occurs twice is refused, since
//! another parser might take the other one.

use std::borrow::Cow;

use thiserror::Error;

use crate::json::{self, Kind, Value, is_lookalike};

/// -32700: the body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// -32600: the body is JSON, but not a message.
pub const INVALID_REQUEST: i64 = -32600;
/// -32602: parameters that nobody can use.
pub const INVALID_PARAMS: i64 = -32602;

/// What a body carries.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// One message.
    One(Message<'a>),
    /// An array (2025-03-26 only); its elements are not checked yet. Not collected: there may be millions.
    Batch(Value<'a>),
}

/// One message.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// To be echoed byte for byte.
        id: Id<'a>,
        /// What is asked.
        call: Call<'a>,
    },
    /// Wants none.
    Notification(Call<'a>),
    /// Answers a request of the other side (legacy eras).
    Response {
        /// Absent when the request could not be read.
        id: Option<Id<'a>>,
    },
}

/// A method and its parameters.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Method, unescaped.
    pub method: Cow<'a, str>,
    /// An object or an array.
    pub params: Option<Value<'a>>,
}

/// An id as it is written: a string, or a number of any size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// The bytes of the id, a JSON string or number.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.0
    }

    fn read(value: &Value<'a>) -> Option<Self> {
        matches!(value.kind(), Kind::String | Kind::Number).then(|| Self(value.raw()))
    }
}

/// Why a body is no message.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum Flaw {
    /// Not JSON, or nested too deep.
    #[error("{0}")]
    Json(json::Error),
    /// JSON, but neither an object nor an array.
    #[error("the body is not a JSON-RPC message: expected an object")]
    NotAnObject,
    /// `jsonrpc` is not `"2.0"`.
    #[error("`jsonrpc` must be \"2.0\"")]
    Version,
    /// `id` is neither a string nor a number.
    #[error("`id` must be a string or a number")]
    BadId,
    /// `method` is not a string.
    #[error("`method` must be a string")]
    BadMethod,
    /// `params` is neither an object nor an array.
    #[error("`params` must be an object or an array")]
    BadParams,
    /// Neither a method nor a result nor an error.
    #[error("a message needs `method`, or `id` with `result` or `error`")]
    Nothing,
    /// A method together with a result or an error.
    #[error("a message has either `method`, or `result` or `error`")]
    Both,
    /// A member occurs twice, or in other letter case, which some parsers ignore.
    #[error(
        "the member `{0}` occurs twice or in other letter case; send it once, as it is spelled here"
    )]
    Duplicate(&'static str),
}

/// A body that is no message, and what is known of its id.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
#[error("{flaw}")]
pub struct Invalid<'a> {
    /// Why.
    pub flaw: Flaw,
    /// The id, when it could be read: an error can name the request it answers.
    pub id: Option<Id<'a>>,
}

/// Reads a body.
///
/// # Errors
/// When it is neither one message nor an array.
pub fn parse(body: &[u8], depth: usize) -> Result<Body<'_>, Invalid<'_>> {
    let value =
        json::parse(body, depth).map_err(|error| Invalid { flaw: Flaw::Json(error), id: None })?;
    match value.kind() {
        Kind::Object => message(&value).map(Body::One),
        Kind::Array => Ok(Body::Batch(value)),
        Kind::String | Kind::Number | Kind::Boolean | Kind::Null => {
            Err(Invalid { flaw: Flaw::NotAnObject, id: None })
        }
    }
}

/// The names of [`Parts`].
const DECIDING: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// The members that decide what a message is.
#[derive(Default)]
struct Parts<'a> {
    version: Option<Value<'a>>,
    id: Option<Value<'a>>,
    method: Option<Value<'a>>,
    params: Option<Value<'a>>,
    result: Option<Value<'a>>,
    error: Option<Value<'a>>,
}

/// Reads one message: the body, or an element of a batch.
///
/// # Errors
/// When the object is no message.
pub fn message<'a>(value: &Value<'a>) -> Result<Message<'a>, Invalid<'a>> {
    if value.kind() != Kind::Object {
        return Err(Invalid { flaw: Flaw::NotAnObject, id: None });
    }
    let mut parts = Parts::default();
    // A doubtful id outweighs any other: then no error may echo one.
    let mut duplicate: Option<&'static str> = None;
    let mut doubt = |name| duplicate = duplicate.filter(|found| *found == "id").or(Some(name));
    for member in value.members() {
        let key = member.key.as_str();
        let (name, slot) = match key.as_deref() {
            Some("jsonrpc") => ("jsonrpc", &mut parts.version),
            Some("id") => ("id", &mut parts.id),
            Some("method") => ("method", &mut parts.method),
            Some("params") => ("params", &mut parts.params),
            Some("result") => ("result", &mut parts.result),
            Some("error") => ("error", &mut parts.error),
            Some(key) => {
                DECIDING.into_iter().filter(|name| is_lookalike(key, name)).for_each(&mut doubt);
                continue;
            }
            None => continue,
        };
        if slot.replace(member.value).is_some() {
            doubt(name);
        }
    }
    if let Some(name) = duplicate {
        let id = if name == "id" { None } else { parts.id.as_ref().and_then(Id::read) };
        return Err(Invalid { flaw: Flaw::Duplicate(name), id });
    }
    let id = parts.id.as_ref().and_then(Id::read);
    parts.classify(id).map_err(|flaw| Invalid { flaw, id })
}

impl<'a> Parts<'a> {
    fn classify(self, id: Option<Id<'a>>) -> Result<Message<'a>, Flaw> {
        if self.version.and_then(|version| version.as_str()).as_deref() != Some("2.0") {
            return Err(Flaw::Version);
        }
        let answers = self.result.is_some() || self.error.is_some();
        let Some(method) = self.method else {
            if !answers {
                return Err(Flaw::Nothing);
            }
            // An error may answer a request whose id could not be read: absent, or null (JSON-RPC 2.0 section 5).
            let null = self.id.is_none_or(|id| id.kind() == Kind::Null);
            if id.is_none() && !(null && self.error.is_some()) {
                return Err(Flaw::BadId);
            }
            return Ok(Message::Response { id });
        };
        if answers {
            return Err(Flaw::Both);
        }
        let method = method.as_str().ok_or(Flaw::BadMethod)?;
        if self.params.is_some_and(|params| !matches!(params.kind(), Kind::Object | Kind::Array)) {
            return Err(Flaw::BadParams);
        }
        let call = Call { method, params: self.params };
        match (self.id, id) {
            (None, _) => Ok(Message::Notification(call)),
            (Some(_), Some(id)) => Ok(Message::Request { id, call }),
            (Some(_), None) => Err(Flaw::BadId),
        }
    }
}

/// The body of an error that we answer; the id is echoed byte for byte, or left out: never null.
#[must_use]
pub fn error_body(id: Option<&str>, code: i64, message: &str, data: Option<&str>) -> String {
    let message = serde_json::Value::from(message);
    let mut body = String::from(r#"{"jsonrpc":"2.0","#);
    if let Some(id) = id {
        body.push_str(r#""id":"#);
        body.push_str(id);
        body.push(',');
    }
    body.push_str(&format!(r#""error":{{"code":{code},"message":{message}"#));
    if let Some(data) = data {
        body.push_str(r#","data":"#);
        body.push_str(data);
    }
    body.push_str("}}");
    body
}

#[cfg(test)]
mod tests;
