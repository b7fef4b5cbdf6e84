//! Identities of events: UUIDs of version 7 (RFC 9562 section 5.7).

/// Makes identities that no other worker, Envoy or restart makes again.
#[derive(Clone, Debug)]
pub struct EventIds {
    seed: u64,
    made: u64,
}

impl EventIds {
    /// `seed` are random bits, drawn once per worker.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, made: 0 }
    }

    /// The next identity, of this Unix time in milliseconds.
    pub fn next(&mut self, now_ms: u64) -> String {
        let count = self.made;
        self.made = self.made.wrapping_add(1);
        let time = now_ms & 0xffff_ffff_ffff;
        // The count in `rand_a` keeps the order within a millisecond; added to the seed, it keeps the rest apart.
        let rand_a = count & 0xfff;
        let rand_b = self.seed.wrapping_add(count) & 0x3fff_ffff_ffff_ffff;
        format!(
            "{:08x}-{:04x}-7{rand_a:03x}-{:04x}-{:012x}",
            time >> 16,
            time & 0xffff,
            0x8000 | (rand_b >> 48),
            rand_b & 0xffff_ffff_ffff,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::EventIds;

    #[test]
    fn an_identity_is_a_version_7_uuid_that_begins_with_the_time() {
        let mut ids = EventIds::new(u64::MAX);
        assert_eq!(ids.next(0x0123_4567_89ab), "01234567-89ab-7000-bfff-ffffffffffff");
        assert_eq!(ids.next(0x0123_4567_89ab), "01234567-89ab-7001-8000-000000000000");
    }

    #[test]
    fn identities_of_one_millisecond_differ_and_are_in_order() {
        let mut ids = EventIds::new(42);
        let made: Vec<String> = (0..1000).map(|_| ids.next(1)).collect();
        let mut sorted = made.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted, made);
    }
}
