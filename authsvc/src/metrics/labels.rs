//! The labels, and every value that they can have.

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

macro_rules! label {
    ($(#[$about:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        $vis enum $name {
            $($(#[$doc])* $value,)+
        }

        impl $name {
            /// As it is shown.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                self.as_str().encode(encoder)
            }
        }
    };
}

label! {
    /// Where a request came in.
    pub Listener {
        /// `service.listen`.
        Public = "public",
        /// `service.internal`.
        Internal = "internal",
    }
}

label! {
    /// What came of a login at a provider.
    pub FederatedLogin {
        /// Somebody is logged in.
        Ok = "ok",
        /// They or the provider said no, or they may not come in.
        Refused = "refused",
        /// The provider does not answer.
        Unavailable = "unavailable",
        /// What it answers cannot be used.
        Unusable = "unusable",
    }
}

label! {
    /// `grant_type`.
    pub GrantType {
        /// A code.
        Code = "authorization_code",
        /// A refresh token.
        Refresh = "refresh_token",
        /// What a program of the configuration shows.
        Credentials = "client_credentials",
        /// None, or one that is not offered.
        Other = "other",
    }
}

impl GrantType {
    /// What a request names.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let known = [Self::Code, Self::Refresh, Self::Credentials];
        known.into_iter().find(|known| known.as_str() == name).unwrap_or(Self::Other)
    }
}

label! {
    /// How a login ended.
    pub LoggedIn {
        /// It is them.
        Ok = "ok",
        /// Wrong address or password.
        Wrong = "wrong",
        /// Not looked at: too many have failed.
        Throttled = "throttled",
        /// Not looked at: too many at the same time.
        Overloaded = "overloaded",
    }
}

label! {
    /// What there was too much of.
    pub Throttled {
        /// Wrong passwords.
        Login = "login",
        /// Passwords at the same time.
        PasswordChecks = "password_checks",
        /// Registrations of one network.
        Registration = "registration",
        /// Requests for authorization of one network that wait for somebody.
        Authorization = "authorization",
    }
}

label! {
    /// How an attempt to deliver ended.
    pub Delivered {
        /// 2xx.
        Ok = "ok",
        /// It is repeated.
        Failed = "failed",
        /// It was the last one.
        GaveUp = "gave_up",
        /// 410: the receiver wants no more.
        Gone = "gone",
    }
}

label! {
    /// Class of a status.
    pub(super) Class {
        /// 1xx to 3xx, but for 2xx.
        Other = "3xx",
        /// 2xx.
        Success = "2xx",
        /// 4xx.
        Client = "4xx",
        /// 5xx.
        Server = "5xx",
    }
}

impl From<StatusCode> for Class {
    fn from(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Success,
            400..=499 => Self::Client,
            500..=599 => Self::Server,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Answered {
    pub(super) listener: Listener,
    pub(super) route: String,
    pub(super) status: Class,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByRoute {
    pub(super) route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByGrant {
    pub(super) grant: GrantType,
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByResult {
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByKind {
    pub(super) kind: Throttled,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByReason {
    pub(super) reason: String,
}
