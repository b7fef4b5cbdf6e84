//! `authsvc token …`.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::Context as _;
use attache_authsvc::{config::duration, personal_token::Order, users::email::Email};
use clap::{Subcommand, builder::NonEmptyStringValueParser};

use crate::{File, answered, operate, say};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token and print it, this once; only its digest is kept
    Create {
        /// Whom it stands for
        #[arg(long, value_name = "EMAIL")]
        user: Email,
        /// Scopes, separated by spaces [default: all those of its servers]
        #[arg(long, value_name = "SCOPES", value_parser = scopes)]
        scopes: Option<Scopes>,
        /// How long it lives, 1s to 366d: 10m, 12h, 90d
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Duration,
        /// An MCP server that it opens, by the URL that clients use; repeat for more [default: the first one]
        #[arg(long = "resource", value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
        resources: Vec<String>,
        /// What lists and events call it
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        name: Option<String>,
        #[command(flatten)]
        file: File,
    },
    /// List the tokens, the youngest first, also those that died in the last month
    List {
        /// Of this user only
        #[arg(long, value_name = "EMAIL")]
        user: Option<Email>,
        #[command(flatten)]
        file: File,
    },
    /// Revoke a token
    Revoke {
        /// Its id, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        file: File,
    },
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { user, scopes, expires, resources, name, file } => {
                let Scopes(scopes) = scopes.unwrap_or_default();
                let email = user.to_string();
                make(&file, &Order { email, scopes, resources, life: expires, name })
            }
            Self::List { user, file } => {
                operate(&file, async |desk| desk.tokens(user.as_ref()).await)
            }
            Self::Revoke { id, file } => operate(&file, async |desk| desk.revoke_token(&id).await),
        }
    }
}

/// Scopes, one at least where any are named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes(Vec<String>);

fn scopes(text: &str) -> Result<Scopes, String> {
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.is_empty() {
        return Err("names no scope: leave the option out for all those of the servers".to_owned());
    }
    Ok(Scopes(scopes))
}

/// Standard output has the token and nothing else, for scripts.
fn make(file: &File, order: &Order) -> anyhow::Result<()> {
    let made = answered(file, async |desk| desk.make_token(order).await)?;
    say(&format!("{}\n", made.token.reveal()))?;
    write!(io::stderr(), "{}", made.summary()).context("cannot write to the terminal")
}
