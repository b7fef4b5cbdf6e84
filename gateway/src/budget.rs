//! What the exchanges of a worker hold in memory together: bounded, since a module that gets no more memory traps, and
//! with it goes every stream of its worker. Each limit on one exchange is harmless alone, and there can be thousands.

use std::{cell::Cell, rc::Rc};

/// Bytes that the exchanges of a worker hold at most; Envoy gives a module 1 GiB.
const MOST_HELD: usize = 256 << 20;

/// What is left for the exchanges of a worker.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Cell<usize>>);

/// What one of them holds; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    left: Budget,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MOST_HELD)
    }
}

impl Budget {
    /// So many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }

    /// For somebody who holds nothing yet.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { left: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Says how much is held now; `false` when there is no room for that much: then nothing is to be held.
    #[must_use]
    pub fn holds(&mut self, bytes: usize) -> bool {
        let all = self.left.0.get().saturating_add(self.bytes);
        let left = all.checked_sub(bytes);
        self.bytes = left.map_or(0, |_| bytes);
        self.left.0.set(left.unwrap_or(all));
        left.is_some()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Self { left, bytes } = self;
        left.0.set(left.0.get().saturating_add(*bytes));
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::Budget;

    #[test]
    fn what_is_held_is_bounded_and_comes_back() {
        let budget = Budget::of(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.holds(6) && other.holds(4));
        assert!(!other.holds(5), "only what it had itself is left for it");
        assert!(one.holds(10), "who does not get more holds nothing");
        assert!(!other.holds(1) && one.holds(9) && other.holds(1));
        drop(one);
        assert!(other.holds(10) && other.holds(0));
    }
}
