//! What this process logs, as it would in JSON: one log for all tests, since a thread without a subscriber can
//! silence the others. A test finds its own lines by the id of its request, or by another text of its own.

use std::{
    io::Write,
    sync::{Arc, LazyLock, Mutex},
};

use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
    let lines = lines.json().flatten_event(true).with_span_list(false);
    tracing::subscriber::set_global_default(lines.with_writer(log.clone()).finish()).unwrap();
    log
});

/// The lines so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to log, if nobody has.
    pub(crate) fn start() -> Self {
        LOG.clone()
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The lines with this text in them, oldest first.
    pub(crate) fn with(&self, text: &str) -> Vec<serde_json::Value> {
        let text_of_all = self.text();
        let lines = text_of_all.lines().filter(|line| line.contains(text));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
