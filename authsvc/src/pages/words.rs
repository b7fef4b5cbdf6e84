//! Protocol values in words for people.

use std::time::Duration;

use axum::http::StatusCode;

use crate::authorization::answer::Receiver;

/// Longest name that is shown, characters.
const MAX_NAME: usize = 64;

/// A scope and what it means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scope {
    /// As clients write it.
    pub name: String,
    /// As people read it.
    pub words: &'static str,
}

impl Scope {
    /// Explains a scope.
    #[must_use]
    pub fn explain(name: &str) -> Self {
        let words = match name {
            "mcp" => "Use its tools, prompts and resources in your name",
            "offline_access" => "Stay connected while you are away",
            _ => "Use this permission",
        };
        Self { name: name.to_owned(), words }
    }
}

/// Of a provider that does not answer.
#[must_use]
pub fn unavailable(provider: &str) -> (StatusCode, String) {
    let text =
        format!("{provider} does not answer just now. Nothing is lost: try again in a moment.");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Of a provider whose answer cannot be used.
#[must_use]
pub fn unusable(provider: &str) -> (StatusCode, String) {
    let text = format!(
        "{provider} and this gateway do not understand each other. Try again; if it stays so, tell whoever runs this gateway: the reason is in its log."
    );
    (StatusCode::BAD_GATEWAY, text)
}

/// A name that an application gave itself, fit to be shown: one line, bounded, without characters that are
/// invisible or turn the direction of what follows.
#[must_use]
pub fn claimed_name(name: Option<&str>) -> String {
    let shown: String =
        name.unwrap_or_default().chars().filter(|one| !is_deceptive(*one)).collect();
    let shown = shown.trim();
    if shown.is_empty() {
        return "Unnamed application".to_owned();
    }
    let mut short: String = shown.chars().take(MAX_NAME).collect();
    if shown.chars().count() > MAX_NAME {
        short.push('…');
    }
    short
}

/// Who receives the code, and a note where the name alone does not say it.
#[must_use]
pub fn receiver(receiver: &Receiver) -> (String, Option<&'static str>) {
    match receiver {
        Receiver::Web { host } => (host.clone(), None),
        Receiver::Loopback { host } => (host.clone(), Some("a program on this computer")),
        Receiver::PrivateUse { target } => {
            (target.clone(), Some("an application installed on this computer"))
        }
    }
}

/// Why to look twice.
#[must_use]
pub const fn warning(receiver: &Receiver) -> Option<&'static str> {
    match receiver {
        Receiver::Web { .. } => None,
        Receiver::Loopback { .. } | Receiver::PrivateUse { .. } => Some(
            "A program on this computer receives this access, and nobody can check which one. \
             Allow it only if you started this yourself just now.",
        ),
    }
}

/// How long something takes, in the largest unit that fits.
#[must_use]
pub fn duration(of: Duration) -> String {
    let seconds = of.as_secs();
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Control, format and direction characters, and the fillers that look like nothing.
#[must_use]
pub fn is_deceptive(one: char) -> bool {
    one.is_control()
        || matches!(one,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{claimed_name, duration};

    #[test]
    fn a_duration_is_said_in_its_largest_unit() {
        for (seconds, said) in [(3600, "1 hour"), (5400, "90 minutes"), (61, "61 seconds")] {
            assert_eq!(duration(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn a_name_cannot_hide_or_turn_text() {
        assert_eq!(claimed_name(Some("Claude\u{202E}edoC\u{200B}\n")), "ClaudeedoC");
        assert_eq!(claimed_name(Some(" \u{3164} ")), "Unnamed application");
        assert_eq!(claimed_name(None), "Unnamed application");
        assert_eq!(claimed_name(Some(&"x".repeat(100))).chars().count(), 65);
    }
}
