//! Chance that can be repeated: the same seed gives the same throws.

use fastrand::Rng;

/// A source of chance.
#[derive(Clone, Debug)]
pub struct Dice(Rng);

impl Dice {
    /// Dice that fall as this seed has it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.0.usize(..times) == 0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// One of these.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// Cuts of a text of this length: where its pieces end, the last at its end.
    pub fn cuts(&mut self, length: usize) -> Vec<usize> {
        let most = self.pick(&[1, 7, 64, 1024]);
        // A text of some size in single bytes would take most of the time of all exchanges.
        let most = most.max(length / 200);
        let mut cuts = Vec::new();
        let mut at = 0;
        while at < length {
            at = (at + 1 + self.below(most)).min(length);
            cuts.push(at);
        }
        cuts
    }
}
