//! Choices made of a seed.

use std::time::Duration;

/// A sequence of choices that its seed alone decides (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other dice, whose throws do not depend on how often these are thrown from now on.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(super) fn chance(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.next() % 1000 < u64::from(per_mille)
    }

    /// A time in whole microseconds, from the first to the second.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX - 1);
        least + Duration::from_micros(self.next() % (span + 1))
    }

    /// A time in whole milliseconds, from the first to the second.
    pub(super) fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_millis(least), Duration::from_millis(most))
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_bounds_hold() {
        let (mut first, mut second) = (Dice::new(7), Dice::new(7));
        for _ in 0..1000 {
            assert_eq!(first.below(13), second.below(13));
            assert!(first.below(13) < 13 && second.below(13) < 13);
            let time = first.millis(3, 5);
            assert!(time >= Duration::from_millis(3) && time <= Duration::from_millis(5));
            second.millis(3, 5);
        }
        assert!(!first.chance(0) && first.chance(1000));
        assert_eq!(first.pick::<u8>(&[]), None);
    }

    #[test]
    fn forked_dice_go_their_own_way() {
        let mut dice = Dice::new(1);
        let mut fork = dice.fork();
        let ahead = dice.clone().next();
        fork.next();
        assert_eq!(dice.next(), ahead);
    }
}
