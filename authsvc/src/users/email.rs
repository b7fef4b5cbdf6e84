//! E-mail addresses as names of accounts.

use std::fmt;

use thiserror::Error;

use crate::config::User;

/// Characters of a subject of ours: 256 bits.
const SUBJECT: usize = 43;

/// An address in the one form in which it is compared and kept: without spaces around it, ASCII in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email(String);

/// Whom an operator means: a user by address, or an account at a provider by our subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    /// A user.
    User(Email),
    /// An account.
    Account(String),
}

impl std::str::FromStr for Whom {
    type Err = Nobody;

    fn from_str(text: &str) -> Result<Self, Nobody> {
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.len() == SUBJECT && text.bytes().all(base64url) {
            return Ok(Self::Account(text.to_owned()));
        }
        Email::parse(text).map(Self::User).map_err(|NotAnEmail| Nobody)
    }
}

impl From<Email> for Whom {
    fn from(email: Email) -> Self {
        Self::User(email)
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User(email) => email.as_str(),
            Self::Account(id) => id,
        })
    }
}

/// It is no address.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("must be an e-mail address")]
pub struct NotAnEmail;

/// It is neither an address nor a subject.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("must be an e-mail address or a subject ({SUBJECT} characters, see `authsvc user list`)")]
pub struct Nobody;

impl Email {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// [`NotAnEmail`]
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let fits = text.len() <= User::MAX_EMAIL
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        match text.split_once('@') {
            Some((name, domain)) if fits && !name.is_empty() && !domain.is_empty() => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(NotAnEmail),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Email, Nobody, NotAnEmail, User, Whom};

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(Email::parse(" Admin@EXAMPLE.com\n").unwrap().as_str(), "admin@example.com");
        let long = format!("{}@example.com", "x".repeat(User::MAX_EMAIL));
        for text in ["", "admin", "@example.com", "admin@", "a b@example.com", "a\0@b", &long] {
            assert_eq!(Email::parse(text), Err(NotAnEmail), "{text:?}");
        }
    }

    #[test]
    fn somebody_is_meant_by_address_or_by_subject() {
        let subject = format!("-{}_", "x".repeat(41));
        assert_eq!(subject.parse(), Ok(Whom::Account(subject.clone())));
        let email = Email::parse("jane@example.com").unwrap();
        assert_eq!("Jane@example.com".parse(), Ok(Whom::User(email)));
        for text in [
            "jane",
            "",
            &subject.replacen('x', "", 1),
            &format!("{subject}x"),
            &subject.replace('_', "."),
        ] {
            assert_eq!(text.parse::<Whom>(), Err(Nobody), "{text:?}");
        }
        let said = Nobody.to_string();
        let expected =
            "must be an e-mail address or a subject (43 characters, see `authsvc user list`)";
        assert_eq!(said, expected);
    }
}
