//! Webhook signatures, Standard Webhooks 1.0.0 scheme `v1` (HMAC-SHA256).

use attache_protocol::secret::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Lengths of a secret that the specification allows, bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that is shared with one receiver.
#[derive(Clone, Debug)]
pub struct Key(Secret<Vec<u8>>);

/// Why a secret is not one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It begins otherwise.
    #[error("webhook secret does not begin with whsec_")]
    Prefix,
    /// The rest is not base64.
    #[error("webhook secret is not base64 after whsec_")]
    Encoding(#[source] base64::DecodeError),
    /// It is too short to be safe or too long to be one.
    #[error("webhook secret has {0} bytes, it must have 24 to 64")]
    Length(usize),
}

impl Key {
    /// Reads `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// When the text is anything else; the error does not show it.
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let encoded = secret.reveal().strip_prefix(PREFIX).ok_or(KeyError::Prefix)?;
        let bytes = STANDARD.decode(encoded).map_err(KeyError::Encoding)?;
        if !LENGTHS.contains(&bytes.len()) {
            return Err(KeyError::Length(bytes.len()));
        }
        Ok(Self(Secret::new(bytes)))
    }

    /// Value of `webhook-signature` for a message; `timestamp` is that of the attempt, Unix seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = keyed(self.0.reveal());
        for part in [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 section 3)")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use attache_protocol::secret::Secret;

    use super::Key;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn key(secret: &str) -> Result<Key, super::KeyError> {
        Key::parse(&Secret::new(secret.to_owned()))
    }

    #[test]
    fn the_published_vector_is_reproduced() {
        let signature = key(SECRET).unwrap().sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
        );
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn an_independent_implementation_signs_the_same() {
        let (id, timestamp, body) = ("evt_1", 1_795_257_600, r#"{"type":"mcp.message","é":1}"#);
        let theirs = standardwebhooks::Webhook::new(SECRET).unwrap();
        assert_eq!(
            key(SECRET).unwrap().sign(id, timestamp, body.as_bytes()),
            theirs.sign(id, timestamp, body.as_bytes()).unwrap()
        );
    }

    #[test]
    fn a_secret_that_is_empty_short_long_or_encoded_otherwise_is_refused() {
        let long = format!("whsec_{}", "AAAA".repeat(22));
        for secret in ["", "whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_!!", &long] {
            assert!(key(secret).is_err(), "{secret}");
        }
        assert_eq!(
            key("whsec_AAAA").unwrap_err().to_string(),
            "webhook secret has 3 bytes, it must have 24 to 64"
        );
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", key(SECRET).unwrap()), "Key([redacted])");
    }
}
