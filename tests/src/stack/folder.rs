//! A folder for each stack: `target/e2e/<program>/<test>`, kept until the test runs again.

use std::{cell::Cell, env, fs, path::PathBuf, thread};

use anyhow::{Context as _, Result};

thread_local! {
    /// Stacks that the test of this thread has started.
    static STACKS: Cell<usize> = const { Cell::new(0) };
}

/// An empty folder, named by the program that asks and by `name`, else by its thread: libtest names a thread after
/// its test.
///
/// # Errors
/// When it cannot be made.
pub fn fresh(name: Option<&str>) -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program is")?;
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo appends a digest to the name of a test.
    let file = stem.rsplit_once('-').map_or(&*stem, |(file, _)| file);
    let thread = thread::current();
    let test = thread.name().unwrap_or("unnamed").replace("::", "-");
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = target.map_or_else(env::temp_dir, PathBuf::from);
    let turn = STACKS.replace(STACKS.get() + 1);
    let test = if turn == 0 { test } else { format!("{test}.{turn}") };
    let folder = target.join("e2e").join(file).join(name.unwrap_or(&test));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
