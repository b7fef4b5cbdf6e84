//! Asks at the command line.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;
use attache_protocol::secret::Secret;

/// Longest password that is read, bytes; more is refused later.
const MAX_PASSWORD: u64 = 8 * 1024;

/// A password: asked for twice at a terminal, otherwise what is piped in, but for the end of its line.
///
/// # Errors
/// When it cannot be read, or the two differ.
pub fn password() -> anyhow::Result<Secret> {
    if io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).context("cannot ask for a password");
        let (password, again) = (ask("password: ")?, ask("the same again: ")?);
        anyhow::ensure!(password == again, "the two passwords differ, nothing was done");
        return Ok(Secret::new(password));
    }
    let mut text = String::new();
    io::stdin().take(MAX_PASSWORD).read_to_string(&mut text).context("cannot read the password")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}
