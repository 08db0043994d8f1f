//! What is chosen at random: names that tell one write from another, and pauses.

/// A name that nobody else has: 128 random bits in hexadecimal.
pub(super) fn text() -> String {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number from 0 up to 1.
pub(super) fn fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

fn fill(bytes: &mut [u8]) {
    // A system without randomness has none for its hash maps either: those tell.
    if getrandom::fill(bytes).is_err() {
        use std::hash::{BuildHasher, RandomState};
        for (number, byte) in bytes.iter_mut().enumerate() {
            *byte = RandomState::new().hash_one(number).to_le_bytes()[0];
        }
    }
}
