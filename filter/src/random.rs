//! Random bits, from the host: WASI's `random_get`, which Envoy draws from BoringSSL.

use attache_gateway::{exchange::Seed, request::token::MarkKey};

/// What a worker draws once; `None` when the host gives no random bits.
pub(crate) fn seed() -> Option<Seed> {
    let event_ids = u64::from_le_bytes(draw()?);
    Some(Seed { event_ids, mark_key: MarkKey::new(draw()?) })
}

fn draw<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).then_some(bytes)
}

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "wasi_snapshot_preview1")]
#[expect(unsafe_code, reason = "the declaration of a WASI import")]
unsafe extern "C" {
    fn random_get(buffer: *mut u8, length: usize) -> i32;
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a WASI import; the buffer is ours and as long as we say")]
fn fill(bytes: &mut [u8]) -> bool {
    // SAFETY: the host writes `bytes.len()` bytes, all of them inside of `bytes`.
    unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) == 0 }
}

#[cfg(not(target_arch = "wasm32"))]
const fn fill(_bytes: &mut [u8]) -> bool {
    false
}

/// What the signature crates reach for; checking a signature draws nothing.
#[cfg(target_arch = "wasm32")]
fn getrandom(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    if fill(bytes) { Ok(()) } else { Err(getrandom::Error::UNSUPPORTED) }
}

#[cfg(target_arch = "wasm32")]
getrandom::register_custom_getrandom!(getrandom);
