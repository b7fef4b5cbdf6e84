//! Step 3: the body becomes messages; each is decided on its own, and the headers must say the same.

use std::borrow::Cow;

use attache_protocol::{
    json::Value,
    jsonrpc::{self, Body, Call, Invalid, Message},
    mcp::{
        call::{Doubt, Params},
        era::{Era, REVISIONS},
        headers::{METHOD, Mirrored, Mismatch, NAME, PROTOCOL_VERSION, Said},
        method::Method,
    },
};

use crate::{
    refusal::Refusal,
    request::{
        headers::{Field, Headers},
        token::Caller,
    },
};

/// The only revision with batches.
const BATCH_REVISION: &[u8] = b"2025-03-26";
/// Messages of a batch.
const MOST_ITEMS: usize = 64;

/// What a body says; made only of a body whose sender may come in.
#[derive(Debug)]
pub struct Spoken<'a> {
    items: Vec<Item<'a>>,
}

/// One message of a body.
#[derive(Debug)]
pub struct Item<'a> {
    /// The message.
    pub message: Message<'a>,
    /// Its method, as far as we know methods.
    pub method: Method,
    /// Its parameters, as far as something depends on them.
    pub params: Params<'a>,
}

/// A body that is refused, and the id that the refusal can name.
#[derive(Debug)]
pub struct Refused<'a> {
    /// Why.
    pub refusal: Refusal,
    /// The id as it was written.
    pub id: Option<&'a str>,
    /// The revision that was asked for, where it is one that we cannot read.
    pub requested: Option<Cow<'a, str>>,
}

impl<'a> Refused<'a> {
    const fn new(refusal: Refusal, id: Option<&'a str>) -> Self {
        Self { refusal, id, requested: None }
    }
}

impl<'a> Spoken<'a> {
    /// Reads a body. The caller is the proof that it may be read.
    ///
    /// # Errors
    /// When the body is no message, could be read in two ways, or contradicts its headers.
    pub fn read(
        _caller: &Caller,
        headers: &Headers,
        body: &'a [u8],
        depth: usize,
    ) -> Result<Self, Refused<'a>> {
        match jsonrpc::parse(body, depth)? {
            Body::One(message) => {
                let item = Item::read(message)?;
                item.agrees_with(headers)?;
                Ok(Self { items: vec![item] })
            }
            Body::Batch(array) => Self::batch(headers, &array),
        }
    }

    fn batch(headers: &Headers, array: &Value<'a>) -> Result<Self, Refused<'a>> {
        let refused = |refusal| Refused::new(refusal, None);
        if headers.field(PROTOCOL_VERSION) != Field::Once(BATCH_REVISION) {
            return Err(refused(Refusal::Batch));
        }
        let mut items = Vec::new();
        for element in array.elements() {
            if items.len() == MOST_ITEMS {
                return Err(refused(Refusal::BatchSize(MOST_ITEMS)));
            }
            let item = Item::read(jsonrpc::message(&element)?)?;
            if item.params.version.is_some() {
                return Err(refused(Refusal::Batch));
            }
            items.push(item);
        }
        if items.is_empty() {
            return Err(refused(Refusal::BatchSize(MOST_ITEMS)));
        }
        Ok(Self { items })
    }

    /// The messages, in order.
    #[must_use]
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }
}

impl<'a> Item<'a> {
    fn read(message: Message<'a>) -> Result<Self, Refused<'a>> {
        let call = match &message {
            Message::Request { call, .. } | Message::Notification(call) => call,
            Message::Response { .. } => {
                return Ok(Self { message, method: Method::Other, params: Params::default() });
            }
        };
        let method = Method::of(&call.method);
        match Params::read(method, call.params.as_ref()) {
            Ok(params) => Ok(Self { message, method, params }),
            Err(doubt) => {
                let refusal = match doubt {
                    Doubt::Duplicate(duplicate) => Refusal::Duplicate(duplicate.name),
                    Doubt::NoText(name) => Refusal::NoText(name),
                };
                Err(Refused::new(refusal, id(&message)))
            }
        }
    }

    /// The id of a request, as it was written.
    #[must_use]
    pub const fn id(&self) -> Option<&'a str> {
        id(&self.message)
    }

    /// Method and parameters; a response has none.
    #[must_use]
    pub const fn call(&self) -> Option<&Call<'a>> {
        match &self.message {
            Message::Request { call, .. } | Message::Notification(call) => Some(call),
            Message::Response { .. } => None,
        }
    }

    /// Checks that a modern request is of a revision that we can read, and that its headers say what it says
    /// (2026-07-28, "Server Validation").
    fn agrees_with(&self, headers: &Headers) -> Result<(), Refused<'a>> {
        let version = headers.field(PROTOCOL_VERSION);
        let text = version.once().and_then(|version| std::str::from_utf8(version).ok());
        let said = self.params.version.as_ref();
        if Era::of(text.map(str::trim), said.map(AsRef::as_ref)) == Era::Legacy {
            return Ok(());
        }
        let Message::Request { call, .. } = &self.message else {
            return Ok(());
        };
        let refused = |refusal| Refused::new(refusal, self.id());
        let mismatch = |mismatch| refused(Refusal::Headers(mismatch));
        let Some(said) = said else {
            // A client that begins a session says in its parameters what it can.
            let begins = self.method == Method::Initialize;
            return if begins { Ok(()) } else { Err(refused(Refusal::NoVersion)) };
        };
        let mirrored = Mirrored {
            version: unless_several(PROTOCOL_VERSION, headers).map_err(mismatch)?,
            method: unless_several(METHOD, headers).map_err(mismatch)?,
            name: unless_several(NAME, headers).map_err(mismatch)?,
        };
        mirrored.agree_on_version(said).map_err(mismatch)?;
        if !REVISIONS.contains(&said.as_ref()) {
            let requested = Some(said.clone());
            return Err(Refused { requested, ..refused(Refusal::UnknownVersion) });
        }
        let said = Said { method: &call.method, name: self.params.target.as_deref() };
        mirrored.agree(&said).map_err(mismatch)
    }
}

fn unless_several<'h>(
    name: &'static str,
    headers: &'h Headers,
) -> Result<Option<&'h [u8]>, Mismatch> {
    match headers.field(name) {
        Field::Absent => Ok(None),
        Field::Once(value) => Ok(Some(value)),
        Field::Several => Err(Mismatch::Malformed(name)),
    }
}

const fn id<'a>(message: &Message<'a>) -> Option<&'a str> {
    match message {
        Message::Request { id, .. } => Some(id.raw()),
        Message::Notification(_) | Message::Response { .. } => None,
    }
}

impl<'a> From<Invalid<'a>> for Refused<'a> {
    fn from(invalid: Invalid<'a>) -> Self {
        Self::new(Refusal::Message(invalid.flaw), invalid.id.map(|id| id.raw()))
    }
}

#[cfg(test)]
mod tests;
