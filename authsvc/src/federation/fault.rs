//! Why nobody is logged in, in words for whoever wanted to be.

use axum::http::StatusCode;

use crate::{
    config::Tenants,
    metrics::{FederatedLogin, Metrics},
    pages::words,
    upstream::{
        Error,
        callback::{BadReturn, refuses_prompt},
        id_token::Refused,
    },
};

/// Why nobody is logged in.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The way there was begun anew, or is over.
    Over,
    /// The provider does not answer in time.
    Late,
    /// The provider, or what it says, is of no use.
    Provider(Error),
    /// What the browser came back with is none of the provider's.
    Return(BadReturn),
    /// The provider says no.
    Said {
        /// The code of its error.
        code: String,
        /// What it says to that.
        description: Option<String>,
    },
    /// They are somebody who may not come in.
    NotAdmitted(&'static str),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Provider(error)
    }
}

impl From<BadReturn> for Fault {
    fn from(error: BadReturn) -> Self {
        Self::Return(error)
    }
}

/// Where somebody wanted to log in.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name in our paths and in the log.
    pub name: &'a str,
    /// What people call it.
    pub label: &'a str,
    /// Whose accounts there may come in.
    pub tenants: &'a Tenants,
}

/// What is to be said of it.
struct Said {
    status: StatusCode,
    counted: FederatedLogin,
    text: String,
}

impl Fault {
    /// Counts and logs it; the status and the text of the page.
    #[must_use]
    pub fn tell(&self, at: Place<'_>, metrics: &Metrics) -> (StatusCode, String) {
        let Said { status, counted, text } = self.said(at);
        metrics.federated(counted);
        let log = if counted == FederatedLogin::Refused { refusal } else { failure };
        log(at.name, &self.reason());
        (status, text)
    }

    /// Whether another account there might do.
    #[must_use]
    pub const fn is_of_the_account(&self) -> bool {
        matches!(
            self,
            Self::NotAdmitted(_)
                | Self::Provider(Error::IdToken(Refused::HostedDomain | Refused::Issuer))
                | Self::Said { .. }
        )
    }

    /// For the log.
    fn reason(&self) -> String {
        match self {
            Self::Over => "it was begun anew, or is over".to_owned(),
            Self::Late => "it takes too long".to_owned(),
            Self::Provider(error) => error.to_string(),
            Self::Return(error) => error.to_string(),
            Self::Said { code, description } => {
                format!("it says {code}: {}", description.as_deref().unwrap_or("nothing more"))
            }
            Self::NotAdmitted(reason) => (*reason).to_owned(),
        }
    }

    fn said(&self, at: Place<'_>) -> Said {
        let label = at.label;
        match self {
            Self::Over => refused(
                StatusCode::BAD_REQUEST,
                format!(
                    "That sign-in at {label} is over, or another one was begun since. Sign in again."
                ),
            ),
            Self::Late | Self::Provider(Error::Unreachable { .. }) => unavailable(label, None),
            Self::Said { code, description } => answered(label, code, description.as_deref()),
            Self::Provider(Error::Grant(_)) => refused(
                StatusCode::BAD_REQUEST,
                format!("{label} does not know that sign-in any more. Sign in again."),
            ),
            Self::NotAdmitted(reason) => not_admitted(label, reason),
            Self::Provider(Error::IdToken(Refused::HostedDomain)) => {
                not_admitted(label, "it does not belong to the organization that may sign in here")
            }
            Self::Provider(Error::IdToken(Refused::Issuer)) if *at.tenants != Tenants::Single => {
                not_admitted(label, "its organization may not sign in here")
            }
            Self::Provider(
                Error::Unusable { .. } | Error::Client(_) | Error::Refused(_) | Error::IdToken(_),
            )
            | Self::Return(_) => unusable(label, None),
        }
    }
}

/// As it should be: somebody may not come in, or does not want to.
fn refusal(provider: &str, reason: &str) {
    tracing::info!(provider, reason, "a login at a provider was refused");
}

/// For whoever runs this.
fn failure(provider: &str, reason: &str) {
    tracing::warn!(provider, reason, "a login at a provider failed");
}

/// What a provider said by sending the browser back without a code.
fn answered(label: &str, code: &str, description: Option<&str>) -> Said {
    match code {
        "access_denied"
        | "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => {
            let text = format!(
                "You are not signed in: you cancelled at {label}, or it did not let you in."
            );
            refused(StatusCode::FORBIDDEN, with(text, label, description))
        }
        _ if refuses_prompt(code, description) => refused(
            StatusCode::BAD_REQUEST,
            format!(
                "{label} does not let you choose an account on the way there. Press the button again: it will ask you to sign in anew."
            ),
        ),
        "temporarily_unavailable" | "server_error" => unavailable(label, description),
        _ => unusable(label, description),
    }
}

fn refused(status: StatusCode, text: String) -> Said {
    Said { status, counted: FederatedLogin::Refused, text }
}

fn not_admitted(label: &str, reason: &str) -> Said {
    let text = format!(
        "Your account at {label} may not be used here: {reason}. Sign in with another one, or ask whoever runs this gateway."
    );
    refused(StatusCode::FORBIDDEN, text)
}

fn unavailable(label: &str, description: Option<&str>) -> Said {
    let (status, text) = words::unavailable(label);
    let text = with(text, label, description);
    Said { status, counted: FederatedLogin::Unavailable, text }
}

fn unusable(label: &str, description: Option<&str>) -> Said {
    let (status, text) = words::unusable(label);
    let text = with(text, label, description);
    Said { status, counted: FederatedLogin::Unusable, text }
}

/// What others wrote stands in quotation marks, and it says who wrote it.
fn with(text: String, label: &str, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("{text} {label} says: “{description}”"),
        None => text,
    }
}
