//! What is chosen at random: names that tell one write from another, and pauses.

use std::{fmt, sync::Arc};

/// Fills what it is given with random bytes.
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// Where random bytes come from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dice(Arc<Fill>);

impl Dice {
    /// Those of the operating system.
    pub(super) fn system() -> Self {
        Self::filled_by(fill)
    }

    pub(crate) fn filled_by(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// A name that nobody else has: 128 random bits in hexadecimal.
    pub(super) fn name(&self) -> String {
        let mut bytes = [0_u8; 16];
        (self.0)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A number from 0 up to 1.
    pub(super) fn fraction(&self) -> f64 {
        let mut bytes = [0_u8; 4];
        (self.0)(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
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
