//! Asks at the command line.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;
use attache_protocol::secret::Secret;

use crate::password;

/// Longest password that is read, bytes; more is refused later.
const MAX_PASSWORD: u64 = 8 * 1024;

/// A password: asked for twice at a terminal, otherwise what is piped in, but for the end of its line.
///
/// # Errors
/// When it cannot be read, or the two differ.
pub fn password() -> anyhow::Result<Secret> {
    if io::stdin().is_terminal() {
        return twice(|prompt| {
            rpassword::prompt_password(prompt).context("cannot ask for a password")
        });
    }
    let mut text = String::new();
    io::stdin().take(MAX_PASSWORD).read_to_string(&mut text).context("cannot read the password")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// Nobody types a password again that may not be used.
fn twice(mut ask: impl FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<Secret> {
    let password = Secret::new(ask("password: ")?);
    password::fits(&password)?;
    let again = Secret::new(ask("the same again: ")?);
    anyhow::ensure!(password == again, "the two passwords differ, nothing was done");
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::twice;

    #[test]
    fn a_password_that_may_not_be_used_is_not_asked_for_again() {
        let mut asked = Vec::new();
        let mut typed = |text: &'static str| {
            asked.clear();
            twice(|prompt| {
                asked.push(prompt.to_owned());
                Ok(text.to_owned())
            })
            .map(|_password| asked.len())
            .map_err(|error| (error.to_string(), asked.len()))
        };
        assert_eq!(typed("long enough").unwrap(), 2);
        let (said, asked) = typed("short").unwrap_err();
        assert!(said.contains("at least 8 characters") && asked == 1, "{said}");
    }
}
