//! Collects mistakes and warnings while the file is compiled.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use attache_protocol::secret::Secret;

use super::{
    super::{
        document::{Node, Path},
        mistake::{Mistake, Mistakes, Shown},
    },
    SizeRange, units,
};

/// Fewest and most bytes of a secret of our own.
const SECRET: SizeRange = 32..=512;

/// Only a reported mistake makes one: whoever holds it need not report again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// A value, or a mistake that was reported.
pub(super) type Checked<T> = Result<T, Reported>;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) root: &'a Node,
    pub(super) mistakes: &'a mut Mistakes,
    pub(super) warnings: &'a mut Mistakes,
}

impl Report<'_> {
    /// The value at `path` is wrong; the message shows it.
    pub(super) fn wrong(&mut self, path: &Path, reason: impl Display) -> Reported {
        self.mistakes.add(self.mistake(path, reason, Shown::Value));
        Reported(())
    }

    /// The value at `path` is wrong; the message does not show it.
    pub(super) fn wrong_secret(&mut self, path: &Path, reason: impl Display) -> Reported {
        self.mistakes.add(self.mistake(path, reason, Shown::Nothing));
        Reported(())
    }

    /// The value at `path` is allowed, but probably not meant.
    pub(super) fn warn(&mut self, path: &Path, reason: impl Display) {
        self.warnings.add(self.mistake(path, reason, Shown::Value));
    }

    /// As [`Self::warn`]; the message does not show the value.
    pub(super) fn warn_secret(&mut self, path: &Path, reason: impl Display) {
        self.warnings.add(self.mistake(path, reason, Shown::Nothing));
    }

    /// What is at `path`, which must be there.
    pub(super) fn given<T>(&mut self, path: &Path, value: Option<T>, what: &str) -> Checked<T> {
        match value {
            Some(value) => Ok(value),
            // A value that could not be read was reported with its reason.
            None if self.mistakes.has(path) => Err(Reported(())),
            None => Err(self.wrong(path, format_args!("missing: give {what}"))),
        }
    }

    /// What `parse` makes of the text at `path`, which must be there.
    pub(super) fn needed<T>(
        &mut self,
        path: &Path,
        text: Option<&str>,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Checked<T> {
        let text = self.given(path, text, what)?;
        parse(text).map_err(|reason| self.wrong(path, reason))
    }

    /// What `parse` makes of the text at `path`, or the default.
    pub(super) fn optional<T>(
        &mut self,
        path: &Path,
        text: Option<&str>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Checked<T> {
        text.map_or(Ok(default), |text| parse(text).map_err(|reason| self.wrong(path, reason)))
    }

    /// Each entry of the list at `path`, which must say `what`; `compare` looks at one that is well and those before it.
    pub(super) fn entries<F, T>(
        &mut self,
        path: &Path,
        (files, what): (&[Option<F>], &str),
        mut read: impl FnMut(&F, &Path, &mut Self) -> Checked<T>,
        mut compare: impl FnMut(&T, &[&T], &Path, &mut Self),
    ) -> Checked<Vec<T>> {
        let mut entries: Vec<Checked<T>> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let at = path.item(number);
            let entry = self.given(&at, file.as_ref(), what);
            let entry = entry.and_then(|file| read(file, &at, self));
            if let Ok(entry) = &entry {
                let earlier: Vec<&T> = entries.iter().flatten().collect();
                compare(entry, &earlier, &at, self);
            }
            entries.push(entry);
        }
        entries.into_iter().collect()
    }

    /// What `parse` makes of every text of the list at `path`.
    pub(super) fn list<T>(
        &mut self,
        path: &Path,
        texts: &[Option<String>],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Checked<Vec<T>> {
        let parsed: Vec<Checked<T>> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| self.needed(&path.item(at), text.as_deref(), "a value", &parse))
            .collect();
        parsed.into_iter().collect()
    }

    /// A duration within a range, or the default.
    pub(super) fn duration(
        &mut self,
        path: &Path,
        text: Option<&str>,
        default: Duration,
        allowed: RangeInclusive<Duration>,
    ) -> Checked<Duration> {
        self.optional(path, text, default, |text| {
            let duration = units::duration(text)?;
            if allowed.contains(&duration) {
                return Ok(duration);
            }
            let (least, most) = (units::show(*allowed.start()), units::show(*allowed.end()));
            Err(format!("must be between {least} and {most}"))
        })
    }

    /// A size within a range, or the default.
    pub(super) fn size(
        &mut self,
        path: &Path,
        text: Option<&str>,
        default: usize,
        allowed: &SizeRange,
    ) -> Checked<usize> {
        self.optional(path, text, default, |text| {
            let bytes = units::size(text)?;
            if allowed.contains(&bytes) {
                return Ok(bytes);
            }
            let (least, most) =
                (units::show_size(*allowed.start()), units::show_size(*allowed.end()));
            Err(format!("must be between {least} and {most}"))
        })
    }

    /// A secret that is long enough to be random, and not too long to be one.
    pub(super) fn long_secret(&mut self, path: &Path, secret: &Secret) -> Checked<Secret> {
        let length = secret.reveal().len();
        if SECRET.contains(&length) {
            return Ok(secret.clone());
        }
        let (least, most) = (SECRET.start(), SECRET.end());
        let reason = format!(
            "must have {least} to {most} characters, this has {length}: openssl rand -hex 32 makes one"
        );
        Err(self.wrong_secret(path, reason))
    }

    fn mistake(&self, path: &Path, reason: impl Display, shown: Shown) -> Mistake {
        Mistake { path: path.clone(), ..Mistake::of_file(reason.to_string()) }
            .located(self.root, shown)
    }
}
