//! Every reason for which a user sees a page instead of being sent back to the application.

use std::borrow::Cow;

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{STYLE, respond};
use crate::{config::Config, refusal::AWAY};

/// What went wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// `client_id` is missing, repeated or unknown.
    UnknownClient,
    /// The document that `client_id` names is not to be had, or is none.
    NoDocument,
    /// The operator does not trust the host of that document.
    UntrustedHost(String),
    /// The redirect URI is not one that the client registered: nothing may be sent there.
    UnknownRedirect,
    /// The request is larger than we read, or no form.
    Unreadable,
    /// There is no such interaction, or it belongs to another browser.
    NotYours,
    /// It took too long.
    Expired,
    /// It was answered before.
    Answered,
    /// The form comes from elsewhere, or from a page that is out of date.
    ForeignForm,
    /// Too many passwords are being checked, or too many documents fetched.
    Overloaded,
    /// Too many requests of one network wait for somebody.
    TooMany,
    /// The database does not answer now.
    Away,
    /// It is our fault.
    Broken,
}

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct Page {
    style: &'static str,
    gateway: String,
    title: &'static str,
    problem: Cow<'static, str>,
    remedy: &'static str,
    /// Whether the user's own page is where they may want to be.
    to_account: bool,
}

const AGAIN: &str = "Go back to where you came from, and begin again.";

impl Trouble {
    /// The page.
    #[must_use]
    pub fn page(&self, config: &Config) -> Response {
        let (status, title, problem, remedy) = self.text();
        let problem = if let Self::UntrustedHost(host) = self {
            format!("This gateway does not accept applications that are described at {host}.")
                .into()
        } else {
            Cow::Borrowed(problem)
        };
        let to_account = matches!(self, Self::NotYours);
        let page =
            Page { style: STYLE, gateway: gateway(config), title, problem, remedy, to_account };
        let mut response = respond(status, &page);
        if matches!(self, Self::Away) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AWAY));
        }
        if matches!(self, Self::Overloaded | Self::TooMany) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }

    const fn text(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::UnknownClient => (
                StatusCode::BAD_REQUEST,
                "This application is not known here",
                "The application that sent you here is not registered, or its registration was removed.",
                "In the application, remove this server and add it again, so that it registers anew.",
            ),
            Self::NoDocument => (
                StatusCode::BAD_REQUEST,
                "This application does not say what it is",
                "The application that sent you here describes itself at an address where nothing, or nothing that can be used, was found.",
                "Try again in a moment; if it stays so, tell whoever makes the application.",
            ),
            // Its problem names the host.
            Self::UntrustedHost(_) => (
                StatusCode::BAD_REQUEST,
                "This application is not accepted here",
                "",
                "Whoever runs this gateway can allow it.",
            ),
            Self::UnknownRedirect => (
                StatusCode::BAD_REQUEST,
                "The way back does not match",
                "The application wants the answer at an address that it did not register. Nothing was sent there.",
                "If you started this in an application, remove this server there and add it again. \
                 If a link brought you here, close this page.",
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "This request cannot be read",
                "The application sent something that is too large or is not a form.",
                AGAIN,
            ),
            Self::NotYours => (
                StatusCode::BAD_REQUEST,
                "This page does not belong to this browser",
                "The request was begun in another browser, or this one did not keep our cookie.",
                "Allow cookies for this site, then go back to the application and connect again.",
            ),
            Self::Expired => (
                StatusCode::GONE,
                "This took too long",
                "The request was open for more than 10 minutes.",
                AGAIN,
            ),
            Self::Answered => (
                StatusCode::CONFLICT,
                "This was answered already",
                "Your answer was sent to the application. You can close this page.",
                "If the application is still waiting, connect again from there.",
            ),
            Self::ForeignForm => (
                StatusCode::FORBIDDEN,
                "This form is not valid any more",
                "It was sent from another site, or your sign-in changed since the page was opened.",
                AGAIN,
            ),
            Self::TooMany | Self::Overloaded | Self::Away | Self::Broken => self.ours(),
        }
    }

    /// What is not the application's fault.
    const fn ours(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        if matches!(self, Self::TooMany) {
            return (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Too many people or programs of your network are signing in at the same time.",
                "Wait a few seconds, then try again.",
            );
        }
        if matches!(self, Self::Overloaded) {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too busy right now",
                "Too many people or programs are signing in at the same time.",
                "Wait a few seconds, then try again.",
            );
        }
        if matches!(self, Self::Away) {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not available right now",
                "The gateway cannot reach what it needs. It is not your fault, and it was logged.",
                "Wait a few seconds, then try again.",
            );
        }
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong here",
            "The gateway could not handle this request. It is not your fault, and it was logged.",
            "Try again in a moment; if it stays so, tell whoever runs this gateway.",
        )
    }
}

/// Host and port of the public URL.
#[must_use]
pub fn gateway(config: &Config) -> String {
    let origin = config.public_url.as_str();
    origin.split_once("://").map_or(origin, |(_, host)| host).to_owned()
}
