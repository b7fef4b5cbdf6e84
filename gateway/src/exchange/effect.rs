//! What an exchange says to Envoy.

use std::borrow::Cow;

use attache_protocol::event::Event;

use crate::refusal::Reply;

/// What Envoy is to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Go on.
    Continue,
    /// Keep what came, and go on asking.
    Hold,
    /// The same; and tell when more is known of whom to believe, or the wait is over.
    AwaitVerdict,
    /// The request waits no longer: say the body that is held, of this many bytes.
    ReadBody {
        /// Its length.
        size: usize,
    },
    /// Answer this.
    Refuse(Reply),
    /// Send the request to the server, changed like this.
    Forward(Forward),
    /// Remove the response's `content-length`: its body will have another.
    OpenLength,
    /// Put this in the place of the response's `www-authenticate`; `None`: remove it.
    Challenge(Option<String>),
    /// Put this in the place of the chunk.
    Replace(Vec<u8>),
    /// Break the response off: a part of it cannot be delivered.
    Abort,
    /// Nothing is left to do but this.
    Over(Over),
}

/// Changes of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Forward {
    /// Headers that go.
    pub remove: Vec<Cow<'static, str>>,
    /// `content-length`, where it was declared and the body changed.
    pub length: Option<usize>,
    /// `content-type`, where it named another charset than the one in which the body was read.
    pub media_type: Option<&'static str>,
    /// The new body; `None` when it stays as it is.
    pub body: Option<Vec<u8>>,
}

/// What is left of an exchange.
#[derive(Debug, Default, PartialEq)]
pub struct Over {
    /// What happened.
    pub events: Vec<Event>,
    /// Tools that have an argument of a reserved name themselves: the operator should exempt them.
    pub owners: Vec<String>,
}
