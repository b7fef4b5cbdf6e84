//! One child process: its output in a file, its end noticed, nothing of it left behind.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        LazyLock, Mutex, PoisonError,
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::time::sleep;

/// Between two looks at something that we wait for.
const GLANCE: Duration = Duration::from_millis(20);

/// A running part.
///
/// It has a process group of its own, so that a Ctrl-C in the terminal reaches us alone and we end the parts
/// in order. Dropping it kills the group; should we be killed ourselves, the kernel ends the part.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` under the name that messages call it by; both its outputs go to `log`, which is truncated.
    ///
    /// # Errors
    /// When the log cannot be written or the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = command.get_program().display().to_string();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("cannot share a log between two outputs")?)
            .stderr(file)
            .process_group(0);
        let child = start(command).with_context(|| format!("cannot start {name} ({program})"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Why it is not running any more; nothing while it is.
    ///
    /// # Errors
    /// It ended: with how, the last lines of its log and where the rest is.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| format!("cannot watch {}", self.name))? {
            None => Ok(()),
            Some(status) => Err(self.trouble(&format!("ended ({status})"))),
        }
    }

    /// Waits until `probe` succeeds.
    ///
    /// # Errors
    /// When the process ends before that, or `patience` does; the last failure of the probe is the reason.
    pub async fn ready<P>(&mut self, patience: Duration, probe: P) -> Result<()>
    where
        P: AsyncFn() -> Result<()>,
    {
        let deadline = Instant::now() + patience;
        loop {
            self.check()?;
            match probe().await {
                Ok(()) => return Ok(()),
                Err(reason) if Instant::now() >= deadline => {
                    let waited = patience.as_secs();
                    return Err(self.trouble(&format!("is not ready after {waited} s: {reason:#}")));
                }
                Err(_) => sleep(GLANCE).await,
            }
        }
    }

    /// Asks it to end (SIGTERM), and kills it when `patience` is over.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.terminate();
        self.ended(patience).await
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Waits for its end, and kills it when `patience` is over.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(GLANCE).await;
        }
        self.signal(libc::SIGKILL);
        self.child.wait()?;
        bail!("{} had to be killed: it did not end within {} s", self.name, patience.as_secs())
    }

    /// Kills it (SIGKILL), as a crash would end it.
    ///
    /// # Errors
    /// When its end cannot be watched.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(libc::SIGKILL);
        self.child.wait().with_context(|| format!("cannot watch {}", self.name)).map(drop)
    }

    /// Its last lines, at most `count`.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(count)..).unwrap_or_default();
        tail.iter().map(|line| format!("  | {line}\n")).collect()
    }

    fn trouble(&self, what: &str) -> anyhow::Error {
        let (name, log) = (&self.name, self.log.display());
        anyhow!("{name} {what}\n{}  its log: {log}", self.last_lines(12))
    }

    fn signal(&self, signal: libc::c_int) {
        let Ok(group) = libc::pid_t::try_from(self.child.id()) else { return };
        // SAFETY: a call without memory; a group that is gone is an error that we may ignore.
        unsafe { libc::killpg(group, signal) };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(libc::SIGKILL);
            drop(self.child.wait());
        }
    }
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts every child: the kernel's promise to end a child with its parent holds for the parent *thread*, and
/// this one lives as long as the process.
static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, answer) in queue {
            // SAFETY: prctl is async-signal-safe and touches no memory of ours.
            unsafe {
                command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                });
            }
            drop(answer.send(command.spawn()));
        }
    });
    Mutex::new(orders)
});

fn start(command: Command) -> Result<Child> {
    let (answer, started) = mpsc::channel();
    let orders = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    orders.send((command, answer)).map_err(|_| anyhow!("the starting thread is gone"))?;
    drop(orders);
    Ok(started.recv().context("the starting thread is gone")??)
}
