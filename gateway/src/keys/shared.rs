//! What the workers of one Envoy tell each other about keys: two slots of shared data.
//!
//! Shared data is never freed, so there are two names per issuer and no more. Whatever stands in a slot is read
//! with care: another version of the filter may have written it.

use attache_protocol::plugin::Target;

/// The name of the slot that holds the last fetched keys.
#[must_use]
pub fn keys_slot(target: &Target) -> String {
    format!("attache.jwks.1 {} {}{}", target.cluster, target.authority, target.path)
}

/// The name of the slot that says until when nobody else needs to fetch.
#[must_use]
pub fn claim_slot(target: &Target) -> String {
    format!("attache.jwks.claim.1 {} {}{}", target.cluster, target.authority, target.path)
}

/// The keys slot's content: when they were fetched, and the issuer's answer.
#[must_use]
pub fn write_keys(fetched_ms: u64, text: &[u8]) -> Vec<u8> {
    let mut out = fetched_ms.to_le_bytes().to_vec();
    out.extend_from_slice(text);
    out
}

/// The reverse of [`write_keys`].
#[must_use]
pub fn read_keys(slot: &[u8]) -> Option<(u64, &[u8])> {
    let (fetched_ms, text) = slot.split_first_chunk()?;
    Some((u64::from_le_bytes(*fetched_ms), text))
}

/// The claim slot's content.
#[must_use]
pub fn write_claim(until_ms: u64) -> Vec<u8> {
    until_ms.to_le_bytes().to_vec()
}

/// Until when somebody else sees to the keys; `None` when nobody does.
#[must_use]
pub fn read_claim(slot: Option<&[u8]>, now_ms: u64) -> Option<u64> {
    /// No claim is longer than this, whatever the slot says.
    const LONGEST_MS: u64 = 120_000;
    let until_ms = u64::from_le_bytes(slot?.try_into().ok()?);
    (now_ms < until_ms && until_ms - now_ms <= LONGEST_MS).then_some(until_ms)
}

#[cfg(test)]
mod tests {
    use super::{read_claim, read_keys, write_claim, write_keys};

    #[test]
    fn keys_come_back_as_they_went_in() {
        assert_eq!(read_keys(&write_keys(7, b"{}")), Some((7, b"{}".as_slice())));
        assert_eq!(read_keys(b"short"), None);
    }

    #[test]
    fn a_claim_holds_until_its_time_and_never_for_ever() {
        assert_eq!(read_claim(Some(&write_claim(1_000)), 999), Some(1_000));
        assert_eq!(read_claim(Some(&write_claim(1_000)), 1_000), None);
        assert_eq!(read_claim(Some(&write_claim(u64::MAX)), 1_000), None);
        assert_eq!(read_claim(Some(b"nonsense!"), 1_000), None);
        assert_eq!(read_claim(None, 1_000), None);
    }
}
