//! An authorization request on its way to a code.
//!
//! ```text
//!  Asked ──logged in──▶ LoggedIn ──agreed──▶ Consented ──▶ a code
//!    │                     │
//!    └──── Refused ◀───────┘          (Expired: the interaction was not finished in time)
//! ```
//! Each state carries only what is true in it, and a transition consumes it: a code is made from [`Consented`],
//! which only an answer of the user, now or remembered, can make.

use super::{
    answer::{ErrorCode, Receiver},
    request::{Asked, Fault, Prompt},
};

/// Somebody who has shown who they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// Subject.
    pub sub: String,
    /// E-mail address, if they have one that is known to be theirs.
    pub email: Option<String>,
    /// What pages call them.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
    /// When they logged in, Unix seconds.
    pub auth_time: i64,
    /// See [`crate::users::Member::credential`].
    pub credential: Vec<u8>,
}

/// Whether a login belongs to the request at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// Made on the way of this request.
    ForThisRequest,
    /// Made before it.
    Earlier,
}

/// How far a request has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Grant {
    /// Someone must log in.
    Asked(Asked),
    /// Someone has logged in and must be asked.
    LoggedIn(LoggedIn),
    /// Someone has agreed.
    Consented(Consented),
    /// There will be no code.
    Refused(Refused),
}

/// A request and who is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedIn {
    asked: Asked,
    login: Login,
}

/// A request, and who agreed to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Consented {
    asked: Asked,
    login: Login,
}

/// A request that is answered with an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The request.
    pub asked: Asked,
    /// The error.
    pub fault: Fault,
}

/// An earlier agreement: these scopes, at that resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// The resource.
    pub resource: String,
    /// Scopes agreed to.
    pub scopes: Vec<String>,
}

impl Asked {
    /// Takes the login that there is, unless the request wants a new one.
    #[must_use]
    pub fn logged_in(self, login: Option<(Login, Freshness)>) -> Grant {
        let again =
            self.prompt.contains(&Prompt::Login) || self.prompt.contains(&Prompt::SelectAccount);
        match login {
            Some((login, Freshness::ForThisRequest)) => {
                Grant::LoggedIn(LoggedIn { asked: self, login })
            }
            Some((login, Freshness::Earlier)) if !again => {
                Grant::LoggedIn(LoggedIn { asked: self, login })
            }
            _ if self.prompt.contains(&Prompt::None) => {
                Grant::Refused(self.refused(ErrorCode::LoginRequired, "nobody is logged in"))
            }
            _ => Grant::Asked(self),
        }
    }

    /// Whether an agreement may be remembered. Any program of the user's machine can listen on a loopback port or
    /// claim a scheme, and a public client has no other proof of what it is (RFC 8252 section 8.6): there, each
    /// request is asked about.
    #[must_use]
    pub fn may_be_remembered(&self) -> bool {
        matches!(self.destination.receiver(), Receiver::Web { .. })
    }

    fn refused(self, code: ErrorCode, description: &str) -> Refused {
        Refused { asked: self, fault: Fault::new(code, description) }
    }
}

impl LoggedIn {
    /// The request.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Who is asked.
    #[must_use]
    pub const fn login(&self) -> &Login {
        &self.login
    }

    /// Takes earlier agreements of this user with this client and redirect host for an answer, where they cover
    /// every scope at every resource.
    #[must_use]
    pub fn remembered(self, earlier: &[Remembered]) -> Grant {
        let covers = |resource: &String| {
            earlier.iter().any(|one| {
                one.resource == *resource
                    && self.asked.scopes.iter().all(|scope| one.scopes.contains(scope))
            })
        };
        let again = self.asked.prompt.contains(&Prompt::Consent) || !self.asked.may_be_remembered();
        if !again && self.asked.resources.iter().all(covers) {
            return Grant::Consented(self.allowed());
        }
        if self.asked.prompt.contains(&Prompt::None) {
            return Grant::Refused(
                self.asked.refused(ErrorCode::ConsentRequired, "the user must be asked"),
            );
        }
        Grant::LoggedIn(self)
    }

    /// The user said yes.
    #[must_use]
    pub fn allowed(self) -> Consented {
        Consented { asked: self.asked, login: self.login }
    }

    /// The user said no.
    #[must_use]
    pub fn denied(self) -> Refused {
        self.asked.refused(ErrorCode::AccessDenied, "the user did not allow it")
    }
}

impl Consented {
    /// The request.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Who agreed.
    #[must_use]
    pub const fn login(&self) -> &Login {
        &self.login
    }
}
