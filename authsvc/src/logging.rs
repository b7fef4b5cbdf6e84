//! The log: one line per event on standard error, for people or as JSON. Every line of a request carries its id.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal as _},
};

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Says what is worth a line, where the configuration does not.
const RUST_LOG: &str = "RUST_LOG";

/// Starts to log. `RUST_LOG`, where it is set, says what is worth a line; else the configuration does.
///
/// # Errors
/// When `RUST_LOG` cannot be read.
pub fn start(log: Log) -> anyhow::Result<()> {
    let level = LevelFilter::from_level(log.level);
    let filter = filter(level, std::env::var_os(RUST_LOG).as_deref())?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        // Members of the event stand beside its time and level; those of its request in `span`.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

fn filter(level: LevelFilter, said: Option<&OsStr>) -> anyhow::Result<EnvFilter> {
    let said = said.map(OsStr::to_string_lossy).unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(level.into()).parse(&said);
    filter.with_context(|| {
        format!("{RUST_LOG} is {said:?}: it may be a level, like debug, or levels by target, like info,attache_authsvc=debug")
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use tracing::level_filters::LevelFilter;

    use super::filter;

    #[test]
    fn what_cannot_be_read_is_named_with_its_variable() {
        let said = |text: &str| filter(LevelFilter::INFO, Some(OsStr::new(text)));
        assert_eq!(filter(LevelFilter::INFO, None).unwrap().to_string(), "info");
        assert_eq!(said("warn").unwrap().to_string(), "warn");
        let told = format!("{:#}", said("attache=loud").unwrap_err());
        assert!(told.starts_with("RUST_LOG is \"attache=loud\": it may be a level"), "{told}");
    }
}
