//! How much strangers may cause: credit that grows with time, and is spent.

/// Credit that grows with time.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    credit_ms: u64,
    seen_ms: u64,
}

/// What is bought with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// What one costs, milliseconds of credit.
    pub(crate) cost_ms: u64,
    /// How many can be had at once.
    pub(crate) burst: u64,
}

impl Bucket {
    /// With all the credit that there can be.
    pub(crate) const fn full(rate: Rate) -> Self {
        Self { rate, credit_ms: rate.most_ms(), seen_ms: 0 }
    }

    /// When it was asked last, Unix milliseconds.
    pub(crate) const fn seen_ms(&self) -> u64 {
        self.seen_ms
    }

    /// Pays for one; `false` when there is not enough credit.
    pub(crate) fn pays(&mut self, now_ms: u64) -> bool {
        let grown = now_ms.saturating_sub(self.seen_ms);
        self.credit_ms = self.credit_ms.saturating_add(grown).min(self.rate.most_ms());
        self.seen_ms = now_ms;
        let left = self.credit_ms.checked_sub(self.rate.cost_ms);
        self.credit_ms = left.unwrap_or(self.credit_ms);
        left.is_some()
    }
}

impl Rate {
    const fn most_ms(self) -> u64 {
        self.cost_ms.saturating_mul(self.burst)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{Bucket, Rate};

    #[test]
    fn a_burst_can_be_had_at_once_and_then_the_rate() {
        let mut bucket = Bucket::full(Rate { cost_ms: 50, burst: 3 });
        let now_ms = 1_000_000;
        let paid = (0..9).filter(|_| bucket.pays(now_ms)).count();
        assert_eq!(paid, 3);
        assert!(!bucket.pays(now_ms + 49));
        assert!(bucket.pays(now_ms + 50));
        assert!(!bucket.pays(0), "a clock that runs backwards brings no credit");
    }
}
