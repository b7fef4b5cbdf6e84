//! What `/proc` says of a process.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// CPU time, user and system, that a process has used so far.
///
/// # Errors
/// When the process is gone.
pub fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The command, in parentheses, may contain anything; the fields follow its last parenthesis (proc(5)).
    let fields = stat.rsplit_once(')').context("no command in stat")?.1;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next().context("no utime")?.parse()?;
    let system: u64 = fields.next().context("no stime")?.parse()?;
    Ok(Duration::from_secs_f64((user + system) as f64 / ticks_per_second()))
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024)
}

fn ticks_per_second() -> f64 {
    // SAFETY: `sysconf` reads a constant of the system and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}
