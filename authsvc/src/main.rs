//! The command line.

mod people;
mod personal_tokens;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use attache_authsvc::{
    check,
    clock::Clock,
    config::{Config, Log, LogFormat, Mistakes},
    doctor, init,
    keys::Haste,
    logging,
    operator::{
        Operator,
        audit::{Since, Style},
    },
    password,
    personal_token::Refused,
    private_file,
    random::Random,
    render, server, store,
};
use clap::{Args, Parser, Subcommand};

/// Where systems keep the certificate authorities that they trust: Debian, Fedora, Alpine and macOS.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Attaché's companion service: logs people in, issues tokens, keeps events, renders Envoy's configuration.
///
/// Everything is told by one file, attache.yaml. Exit codes: 0 well, 1 something failed, 2 a mistake in the
/// configuration or on the command line.
#[derive(Debug, Parser)]
#[command(name = "authsvc", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until SIGINT or SIGTERM (RUST_LOG, if set, goes before service.log_level)
    Serve {
        #[command(flatten)]
        file: File,
        /// Log one JSON object per line, whatever service.log says
        #[arg(long)]
        log_json: bool,
    },
    /// Derive other configurations from attache.yaml
    #[command(subcommand)]
    Render(Target),
    /// Say whether attache.yaml is right, and what it amounts to
    Check(File),
    /// Look at the whole installation, and say what is not well and what to do
    Doctor {
        #[command(flatten)]
        file: File,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Users of the embedded authorization server
    #[command(subcommand)]
    User(people::Command),
    /// Copy the SQLite database, also while the service runs, into a new file that only you can read
    Backup {
        #[command(flatten)]
        file: File,
        /// The copy; it must not exist yet
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Clients that act for users
    #[command(subcommand)]
    Client(Client),
    /// Personal access tokens: for programs that cannot send a person to log in
    #[command(subcommand)]
    Token(personal_tokens::Command),
    /// Keys that sign access tokens
    #[command(subcommand)]
    Key(Key),
    /// Who changed what: operators, users, clients; and logins that failed
    #[command(subcommand)]
    Audit(Audit),
    /// Write a first attache.yaml with a generated password; refuses to overwrite
    Init(Init),
}

#[derive(Debug, Args)]
struct File {
    /// The configuration
    #[arg(short = 'c', long = "config", default_value = "attache.yaml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Target {
    /// A whole bootstrap file for Envoy 1.35 or later: `envoy -c FILE`
    Envoy {
        #[command(flatten)]
        file: File,
        /// Write here, readable by you only, instead of to the terminal
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Certificate authorities for https servers, PEM, as Envoy's file system knows them [default: the system's]
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// The pieces for an Envoy that you already run: listener-filter.yaml, clusters.yaml and routes.yaml
    Snippets {
        #[command(flatten)]
        file: File,
        /// Write them into this folder, readable by you only
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        /// Certificate authorities for https servers, PEM, as Envoy's file system knows them [default: the system's]
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Client {
    /// List the clients: those of attache.yaml, then the last seen first
    List(File),
    /// Remove a client that is not in attache.yaml, and end all that it was granted
    Remove {
        /// Its id, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        file: File,
    },
}

#[derive(Debug, Subcommand)]
enum Key {
    /// List the keys: the one that signs, the next one, and those whose tokens still live
    List(File),
    /// Let the next key sign now, not only when its time has come
    Rotate {
        /// Even if the next key is too new for everybody who verifies tokens to know it
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        file: File,
    },
    /// Take a key out of use at once, because somebody else may have it; its tokens end within five minutes
    Revoke {
        /// Its id, as `list` shows it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        file: File,
    },
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// List the entries, oldest first
    List {
        /// From when on: a time ago (12h, 7d), a day (2026-11-21) or a time (2026-11-21T12:00:00Z)
        #[arg(long, value_name = "WHEN", default_value = "30d")]
        since: Since,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: File,
    },
}

#[derive(Debug, Args)]
struct Init {
    #[command(flatten)]
    file: File,
    /// An MCP server; repeat for more [default: everything=http://127.0.0.1:3001/mcp]
    #[arg(long = "server", value_name = "NAME=URL")]
    servers: Vec<init::Named>,
    /// Where Envoy listens
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "IP:PORT")]
    listen: SocketAddr,
    /// The filter [default: target/attache.wasm beside the configuration]
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Keep the generated login here, too, readable by you only
    #[arg(long, value_name = "FILE")]
    login_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve { file, log_json } => serve(&file.config, log_json),
        Command::Render(Target::Envoy { file, output, ca }) => {
            render_envoy(&file.config, output.as_deref(), ca)
        }
        Command::Render(Target::Snippets { file, output, ca }) => {
            render_snippets(&file.config, &output, ca)
        }
        Command::Check(file) => check_file(&file.config),
        Command::Doctor { file, json } => examine(&file.config, json),
        Command::User(command) => command.run(),
        Command::Backup { file, to } => backup(&file.config, &to),
        Command::Client(Client::List(file)) => operate(&file, async |desk| desk.clients().await),
        Command::Client(Client::Remove { id, file }) => {
            operate(&file, async |desk| desk.remove_client(&id).await)
        }
        Command::Key(Key::List(file)) => operate(&file, async |desk| desk.keys().await),
        Command::Key(Key::Rotate { now, file }) => {
            let haste = if now { Haste::Now } else { Haste::Wait };
            operate(&file, async |desk| desk.rotate(haste).await)
        }
        Command::Key(Key::Revoke { kid, file }) => {
            operate(&file, async |desk| desk.revoke(&kid).await)
        }
        Command::Token(token) => token.run(),
        Command::Audit(Audit::List { since, json, file }) => {
            let style = if json { Style::Json } else { Style::Table };
            operate(&file, async |desk| desk.audited(since, style).await)
        }
        Command::Init(arguments) => init_file(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

/// Says what went wrong, and whose fault it is.
fn refuse(error: &anyhow::Error) -> ExitCode {
    // Nobody listens any more when this fails.
    let told = if error.is::<Mistakes>() {
        writeln!(io::stderr(), "{error}")
    } else {
        writeln!(io::stderr(), "authsvc: {error:#}")
    };
    let mistake = error.is::<Mistakes>()
        || error.is::<init::Error>()
        || error.is::<password::Error>()
        || error.downcast_ref::<Refused>().is_some_and(Refused::is_mistake);
    match (told, mistake) {
        (Ok(()), true) => ExitCode::from(2),
        (Ok(()), false) | (Err(_), _) => ExitCode::FAILURE,
    }
}

fn serve(file: &Path, log_json: bool) -> anyhow::Result<()> {
    let config = load(file)?;
    let log = config.service.log;
    logging::start(if log_json { Log { format: LogFormat::Json, ..log } } else { log })?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    runtime.block_on(server::serve(config))
}

fn backup(file: &Path, to: &Path) -> anyhow::Result<()> {
    let config = load(file)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    runtime.block_on(store::backup(&config.database, to))?;
    let by = match config.authorization.key_encryption_secret {
        Some(_) => "the key_encryption_secret",
        None => "service.secret",
    };
    say(&format!(
        "{}: written, with private keys in it, encrypted by {by}; readable by you only\n",
        to.display()
    ))
}

fn render_envoy(file: &Path, output: Option<&Path>, ca: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    let text = render::envoy(&config, &ca.unwrap_or_else(authorities))?;
    match output {
        Some(output) => write_file(output, &text),
        None => say(&text),
    }
}

fn render_snippets(file: &Path, folder: &Path, ca: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    let snippets = render::snippets(&config, &ca.unwrap_or_else(authorities))?;
    for (name, text) in snippets.files() {
        let path = folder.join(name);
        write_file(&path, text)?;
        say(&format!("{}: written\n", path.display()))?;
    }
    Ok(())
}

/// What the system trusts.
fn authorities() -> PathBuf {
    let [debian, ..] = AUTHORITIES;
    AUTHORITIES
        .iter()
        .find(|path| Path::new(path).is_file())
        .map_or_else(|| debian.into(), PathBuf::from)
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    private_file::replace(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn check_file(file: &Path) -> anyhow::Result<()> {
    let config = load(file)?;
    let runtime = runtime()?;
    let warnings = check::surroundings(file, &config);
    for warning in warnings.into_iter().chain(runtime.block_on(check::logins(&config))) {
        writeln!(io::stderr(), "warning: {warning}")?;
    }
    say(&format!("{}: ok\n{}", file.display(), check::summary(&config)))
}

fn examine(file: &Path, json: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    let report = runtime.block_on(doctor::examine(file, &Clock::system()));
    say(&if json { serde_json::to_string(&report)? + "\n" } else { report.lines() })?;
    anyhow::ensure!(report.verdict < doctor::Verdict::Failed, "not everything is well");
    Ok(())
}

/// Does what the operator asks for, on the database of the running service.
fn operate(
    file: &File,
    order: impl AsyncFnOnce(Operator) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    say(&answered(file, order)?)
}

fn answered<T>(
    file: &File,
    order: impl AsyncFnOnce(Operator) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = load(&file.config)?;
    runtime()?.block_on(async {
        order(Operator::open(config, Clock::system(), Random::System).await?).await
    })
}

/// For orders that are done one after the other.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().context("cannot start")
}

fn init_file(arguments: Init) -> anyhow::Result<()> {
    let plan = init::Plan {
        file: arguments.file.config,
        servers: arguments.servers,
        listen: arguments.listen,
        wasm: arguments.wasm,
        login_file: arguments.login_file,
    };
    let login = init::init(&plan, &Random::System)?;
    let file = plan.file.display();
    say(&format!(
        "{file}: written, readable by you only\nlogin:    {}\npassword: {} (only its hash is in {file})\n",
        login.email,
        login.password.reveal()
    ))
}

/// Reads the configuration and tells what is probably not meant.
fn load(file: &Path) -> anyhow::Result<Config> {
    let loaded = Config::load(file)?;
    for line in loaded.warnings.to_string().lines() {
        writeln!(io::stderr(), "warning: {line}")?;
    }
    Ok(loaded.config)
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to the terminal")
}
