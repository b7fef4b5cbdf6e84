//! How far an exchange has come.

use crate::{
    budget::Share,
    request::{
        headers::{Headers, Verb},
        token::Caller,
    },
    response::body::{Asked, Flow},
};

#[derive(Debug)]
pub(super) enum State {
    /// Nothing is known yet.
    Started,
    /// The caller cannot be known yet.
    AwaitingVerdict(Waiting),
    /// The caller is known; the body is on its way.
    ReadingBody(Known),
    /// The request went to the server.
    AwaitingResponse { asked: Asked },
    /// The response is on its way.
    Responding { flow: Flow, complete: bool },
    /// We answered ourselves.
    Refused,
}

/// A request whose caller is not known yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) headers: Headers,
    pub(super) verb: Verb,
    pub(super) arrived: Arrived,
}

/// A request whose caller is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) headers: Headers,
    pub(super) verb: Verb,
    pub(super) caller: Caller,
    /// A header that the server does not get.
    pub(super) withheld: Option<&'static str>,
    /// For the headers, while the body comes.
    pub(super) _share: Share,
}

/// What came of a request body so far; Envoy holds it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrived {
    Part,
    /// All of it: so many bytes.
    All(usize),
}
