//! What was done, as the next page tells it.

use url::form_urlencoded::Serializer;

use super::MAX_FIELD;
use crate::{
    authorization::parameters::Parameters,
    csrf::{self, Form},
    sessions::Session,
};

/// What was done just now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Done {
    /// The access of the application of this name ended.
    Ended(String),
    /// One connection of the application of this name ended.
    EndedConnection(String),
    /// That of all ended.
    EndedAll,
    /// The personal access token of this name ended.
    EndedToken(String),
    /// There is another password.
    Password,
}

impl Done {
    /// The query of a URL that says so to this session and to no other: anyone can make up a link.
    pub(super) fn sealed(&self, session: &Session) -> String {
        let (kind, name) = self.parts();
        let mut query = Serializer::new(String::new());
        query.append_pair("done", kind);
        if !name.is_empty() {
            query.append_pair("of", name);
        }
        query.append_pair("seal", &csrf::token(&session.cookie, Form::Done, &self.text()));
        query.finish()
    }

    /// What this session was told was done.
    pub(super) fn told(parameters: &Parameters, session: &Session) -> Option<Self> {
        let text = |name| parameters.text(name, MAX_FIELD).ok().flatten();
        let (kind, seal) = (text("done")?, text("seal")?);
        let name = text("of").unwrap_or_default().to_owned();
        let done = match kind {
            "ended" => Self::Ended(name),
            "ended_connection" => Self::EndedConnection(name),
            "ended_all" => Self::EndedAll,
            "ended_token" => Self::EndedToken(name),
            "password" => Self::Password,
            _ => return None,
        };
        csrf::matches(seal, &session.cookie, Form::Done, &done.text()).then_some(done)
    }

    /// For people. `lingers` is how long access tokens live on, `tokens_linger` how long personal ones do, of which
    /// the user has so many.
    pub(super) fn words(&self, lingers: &str, tokens_linger: &str, tokens: usize) -> String {
        let meanwhile = format!("may go on for up to {lingers}");
        match self {
            Self::Ended(name) => format!(
                "The access of {name} has ended. If it was using a server just now, it {meanwhile}."
            ),
            Self::EndedConnection(name) => format!(
                "That connection of {name} has ended. If it was using a server just now, it {meanwhile}."
            ),
            Self::EndedAll => format!(
                "The access of every application has ended. One that was using a server just now {meanwhile}."
            ),
            Self::EndedToken(name) => format!(
                "The personal access token {name} has ended. Servers may accept it for up to {tokens_linger} more."
            ),
            Self::Password => {
                let go_on = match tokens {
                    0 => "",
                    1 => {
                        " Your personal access token goes on: end it below if somebody else may have it."
                    }
                    _ => {
                        " Your personal access tokens go on: end below what somebody else may have."
                    }
                };
                format!(
                    "Your password is changed. You are signed out everywhere else, and every application has to ask you again; one that was using a server just now {meanwhile}.{go_on}"
                )
            }
        }
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Ended(name) => ("ended", name),
            Self::EndedConnection(name) => ("ended_connection", name),
            Self::EndedAll => ("ended_all", ""),
            Self::EndedToken(name) => ("ended_token", name),
            Self::Password => ("password", ""),
        }
    }

    /// What is sealed.
    fn text(&self) -> String {
        let (kind, name) = self.parts();
        format!("{kind}\n{name}")
    }
}
