//! How many events of strangers are taken: each is a row in a database and a delivery, and they cost nothing to cause.

/// What one event costs, milliseconds of credit: ten events a second.
const COST_MS: u64 = 100;
/// The most credit: a hundred events at once.
const MOST_MS: u64 = 100 * COST_MS;

/// Credit that grows with time.
#[derive(Debug)]
pub(super) struct Bucket {
    credit_ms: u64,
    seen_ms: u64,
}

impl Bucket {
    /// With all the credit that there can be.
    pub(super) const fn full() -> Self {
        Self { credit_ms: MOST_MS, seen_ms: 0 }
    }

    /// Pays for one event; `false` when there is not enough credit.
    pub(super) fn pays(&mut self, now_ms: u64) -> bool {
        let grown = now_ms.saturating_sub(self.seen_ms);
        self.credit_ms = self.credit_ms.saturating_add(grown).min(MOST_MS);
        self.seen_ms = now_ms;
        let left = self.credit_ms.checked_sub(COST_MS);
        self.credit_ms = left.unwrap_or(self.credit_ms);
        left.is_some()
    }
}
