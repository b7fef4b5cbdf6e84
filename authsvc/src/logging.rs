//! The log: one line per event on standard error, for people or as JSON. Every line of a request carries its id.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts to log. `RUST_LOG`, where it is set, says what is worth a line; else the configuration does.
///
/// # Errors
/// When `RUST_LOG` cannot be read.
pub fn start(log: Log) -> anyhow::Result<()> {
    let level = LevelFilter::from_level(log.level);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env()?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        // Members of the event stand beside its time and level; those of its request in `span`.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}
