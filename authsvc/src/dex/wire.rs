//! What of the gRPC API of Dex is used (`api/v2/api.proto`, the same in every release from 2.43 on): the messages,
//! written down with their numbers, since they are few and generating them takes more than they are. What else there
//! is in an answer is left out when it is read.

use std::fmt;

use prost::Message;

/// A client. Its secret is in no `Debug`.
#[derive(Clone, Eq, Message, PartialEq)]
#[prost(skip_debug)]
pub(super) struct Client {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) secret: String,
    /// Exact, all of them; a client without any that is not public can send nobody anywhere.
    #[prost(string, repeated, tag = "3")]
    pub(super) redirect_uris: Vec<String>,
    /// Clients that may have tokens made for this one.
    #[prost(string, repeated, tag = "4")]
    pub(super) trusted_peers: Vec<String>,
    #[prost(bool, tag = "5")]
    pub(super) public: bool,
    #[prost(string, tag = "6")]
    pub(super) name: String,
}

#[derive(Clone, Eq, Message, PartialEq)]
pub(super) struct CreateClient {
    #[prost(message, optional, tag = "1")]
    pub(super) client: Option<Client>,
}

/// Without the client, which comes back with its secret.
#[derive(Clone, Copy, Eq, Message, PartialEq)]
pub(super) struct Created {
    #[prost(bool, tag = "1")]
    pub(super) already_exists: bool,
}

/// What is empty stays as it is.
#[derive(Clone, Eq, Message, PartialEq)]
pub(super) struct UpdateClient {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) redirect_uris: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) trusted_peers: Vec<String>,
    #[prost(string, tag = "4")]
    pub(super) name: String,
}

#[derive(Clone, Eq, Message, PartialEq)]
pub(super) struct DeleteClient {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// Of an update and of a removal.
#[derive(Clone, Copy, Eq, Message, PartialEq)]
pub(super) struct Done {
    #[prost(bool, tag = "1")]
    pub(super) not_found: bool,
}

#[derive(Clone, Copy, Eq, Message, PartialEq)]
pub(super) struct GetVersion {}

/// Which Dex it is.
#[derive(Clone, Eq, Message, PartialEq)]
pub struct Version {
    /// Its release.
    #[prost(string, tag = "1")]
    pub server: String,
    /// Grows with what the API can do.
    #[prost(int32, tag = "2")]
    pub api: i32,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::{Client, CreateClient, Created};

    #[test]
    fn a_client_is_what_the_api_says() {
        let client = Client {
            id: "i".to_owned(),
            secret: "s".to_owned(),
            redirect_uris: vec!["r".to_owned()],
            trusted_peers: vec!["a".to_owned(), "b".to_owned()],
            public: true,
            name: "n".to_owned(),
        };
        let bytes = CreateClient { client: Some(client) }.encode_to_vec();
        assert_eq!(
            bytes,
            b"\x0a\x14\x0a\x01i\x12\x01s\x1a\x01r\x22\x01a\x22\x01b\x28\x01\x32\x01n"
        );
    }

    #[test]
    fn the_client_in_an_answer_is_not_read() {
        let answer = b"\x08\x01\x12\x06\x0a\x01i\x12\x01s";
        assert_eq!(Created::decode(&answer[..]).unwrap(), Created { already_exists: true });
    }

    #[test]
    fn s67_the_secret_of_a_client_is_not_shown() {
        let client = Client { secret: "the-secret".to_owned(), ..Client::default() };
        let shown = format!("{:?} {:#?}", client.clone(), CreateClient { client: Some(client) });
        assert!(!shown.contains("the-secret"), "{shown}");
    }
}
