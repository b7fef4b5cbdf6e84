//! The sections `analytics` and `audit`: how long what happened is kept.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    super::{Audit, Retention, document::Path, file},
    MIB, SizeRange,
    report::{Checked, Report},
};

const AGES: RangeInclusive<Duration> = Duration::from_hours(24)..=Duration::from_hours(3650 * 24);
const DEFAULT_AGE: Duration = Duration::from_hours(90 * 24);
const DEFAULT_AUDIT_AGE: Duration = Duration::from_hours(365 * 24);
const SIZES: SizeRange = 16 * MIB..=1024 * 1024 * MIB;
const DEFAULT_SIZE: usize = 4 * 1024 * MIB;

/// What is kept at most, by age and by size.
pub(super) fn retention(
    file: Option<&file::Analytics>,
    report: &mut Report<'_>,
) -> Checked<Retention> {
    let at = Path::default().key("analytics");
    let keep = file.and_then(|analytics| analytics.keep.as_deref());
    let keep = report.duration(&at.key("keep"), keep, DEFAULT_AGE, AGES);
    let size = file.and_then(|analytics| analytics.max_size.as_deref());
    let size = report.size(&at.key("max_size"), size, DEFAULT_SIZE, &SIZES);
    Ok(Retention { keep: keep?, max_size: size? as u64 })
}

/// How long it is kept who changed what.
pub(super) fn audit(file: Option<&file::Audit>, report: &mut Report<'_>) -> Checked<Audit> {
    let at = Path::default().key("audit");
    let keep = file.and_then(|audit| audit.keep.as_deref());
    let keep = report.duration(&at.key("keep"), keep, DEFAULT_AUDIT_AGE, AGES);
    Ok(Audit { keep: keep? })
}
