//! `authsvc user …`.

use attache_authsvc::{
    ask, password,
    random::Random,
    users::{
        self,
        email::{Email, Whom},
    },
};
use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use crate::{File, operate, say};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a password (asked for, or from a pipe) and print its hash for `password_hash`
    Hash,
    /// List the users, where each is kept, how many grants each has given, and their personal access tokens (PATs)
    List(File),
    /// Show a user: groups, grants, personal access tokens
    Show(Named),
    /// Add a user to the database; their password is asked for, or comes from a pipe
    Add {
        /// What they will type to log in
        email: Email,
        /// A group for their tokens; repeat for more
        #[arg(long = "group", value_name = "G", value_parser = users::group)]
        groups: Vec<String>,
        #[command(flatten)]
        file: File,
    },
    /// Give a user another password (asked for, or from a pipe); all that they granted ends, their personal access tokens go on
    Password {
        /// A user of the database, as `list` shows them
        #[arg(value_name = "EMAIL|SUBJECT", allow_hyphen_values = true)]
        whom: Whom,
        #[command(flatten)]
        file: File,
    },
    /// Give a user of the database other groups, instead of those that they have
    Groups {
        /// A user of the database, as `list` shows them
        #[arg(value_name = "EMAIL|SUBJECT", allow_hyphen_values = true)]
        whom: Whom,
        /// A group for their tokens; repeat for more
        #[arg(long = "group", value_name = "G", value_parser = users::group, required_unless_present = "none")]
        groups: Vec<String>,
        /// No group at all
        #[arg(long, conflicts_with = "groups")]
        none: bool,
        #[command(flatten)]
        file: File,
    },
    /// End what a user has granted; they may log in and grant anew
    End {
        #[command(flatten)]
        whom: Named,
        /// Only what they granted to this client [default: to every one]
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), allow_hyphen_values = true)]
        client: Option<String>,
    },
    /// Keep a user, or an account at a provider, from logging in; all that they granted ends, their personal access tokens rest
    Disable(Named),
    /// Let a user, or an account at a provider, log in again; their personal access tokens live again
    Enable(Named),
    /// Forget a user, or an account at a provider; all that they granted ends, their personal access tokens are revoked
    Remove(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The address of a user of the database, or the subject of an account at a provider, as `list` shows them
    #[arg(value_name = "EMAIL|SUBJECT", allow_hyphen_values = true)]
    whom: Whom,
    #[command(flatten)]
    file: File,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Hash => {
                let hash = password::hash(&ask::password()?, &Random::System)?;
                say(&format!("{}\n", hash.reveal()))
            }
            Self::List(file) => operate(&file, async |desk| desk.users().await),
            Self::Add { email, groups, file } => {
                operate(&file, async |desk| desk.add_user(&email, groups, ask::password).await)
            }
            Self::Password { whom, file } => {
                operate(&file, async |desk| desk.change_password(&whom, ask::password).await)
            }
            Self::Show(Named { whom, file }) => operate(&file, async |desk| desk.user(&whom).await),
            Self::Groups { whom, groups, file, none: _ } => {
                operate(&file, async |desk| desk.change_groups(&whom, &groups).await)
            }
            Self::End { whom: Named { whom, file }, client } => {
                operate(&file, async |desk| desk.end_access(&whom, client.as_deref()).await)
            }
            Self::Disable(Named { whom, file }) => match whom {
                Whom::User(email) => operate(&file, async |desk| desk.disable_user(&email).await),
                Whom::Account(id) => operate(&file, async |desk| desk.disable_account(&id).await),
            },
            Self::Enable(Named { whom, file }) => match whom {
                Whom::User(email) => operate(&file, async |desk| desk.enable_user(&email).await),
                Whom::Account(id) => operate(&file, async |desk| desk.enable_account(&id).await),
            },
            Self::Remove(Named { whom, file }) => match whom {
                Whom::User(email) => operate(&file, async |desk| desk.remove_user(&email).await),
                Whom::Account(id) => operate(&file, async |desk| desk.remove_account(&id).await),
            },
        }
    }
}
