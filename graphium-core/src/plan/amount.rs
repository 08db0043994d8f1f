//! Processors and memory in words.

use std::fmt;

const MIB: u64 = 1 << 20;

/// Bytes as a document may say them, exact where two decimals or whole mebibytes are enough.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (MIB, "MiB")];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| bytes >= *size) else {
        return format!("{bytes} bytes");
    };
    let is_round = u128::from(bytes) * 100 % u128::from(size) == 0;
    if !is_round && bytes.is_multiple_of(MIB) {
        return format!("{} MiB", bytes / MIB);
    }
    format!("{} {unit}", (bytes as f64 / size as f64 * 100.0).round() / 100.0)
}

/// How much less or more than it says an amount in words may be.
fn blur(amount: u64) -> u64 {
    let size = [1 << 40, 1 << 30, MIB].into_iter().find(|size| amount >= *size).unwrap_or(1);
    let is_exact = u128::from(amount) * 100 % u128::from(size) == 0 || amount.is_multiple_of(MIB);
    if is_exact { 0 } else { size / 200 }
}

/// Amounts that are too much by so many bytes: exactly, where words would hide that.
pub(super) fn telling<const N: usize>(amounts: [u64; N], excess: u64) -> [String; N] {
    let hides = amounts.iter().map(|amount| blur(*amount)).sum::<u64>() >= excess;
    amounts.map(|amount| if hides { format!("{amount} bytes") } else { bytes(amount) })
}

/// `1 processor`, `2 processors`.
pub(super) fn count(number: impl fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `1 is`, `2 are`.
pub(super) fn so_many_are(number: impl fmt::Display) -> String {
    let number = number.to_string();
    let are = if number == "1" { "is" } else { "are" };
    format!("{number} {are}")
}

/// As much of some bytes as can be said exactly: whole mebibytes where there is one.
pub(super) fn plain(bytes: u64) -> u64 {
    match bytes / MIB {
        0 => bytes,
        whole => whole * MIB,
    }
}

/// Thousandths of a processor as processors.
pub(super) fn processors(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}

/// Processors in thousandths, rounded down.
pub(super) fn thousandths(processors: f64) -> u64 {
    // What is a billionth short of the next is the next: sums of decimals are.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and saturating")]
    let whole = (processors.max(0.0) * 1000.0 + 1e-6).floor() as u64;
    whole
}

/// A figure without what sums of decimals leave behind.
pub(super) fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_exactly_where_that_is_short() {
        let told = [0, 1023, MIB, 5632 * MIB, 8 << 30, (8 << 30) + MIB, 3 << 39, 16_723_345_408].map(bytes);
        let expected = ["0 bytes", "1023 bytes", "1 MiB", "5.5 GiB", "8 GiB", "8193 MiB", "1.5 TiB", "15.57 GiB"];
        assert_eq!(told, expected);
        assert_eq!([5, MIB, MIB + 5, 3 * MIB - 1].map(plain), [5, MIB, MIB, 2 * MIB]);
    }

    #[test]
    fn amounts_that_look_alike_are_told_to_the_byte() {
        assert_eq!(telling([(5 << 30) - 1, 5 << 30], 1), ["5368709119 bytes", "5368709120 bytes"]);
        assert_eq!(telling([5 << 30, 6 << 30], 1 << 30), ["5 GiB", "6 GiB"]);
        assert_eq!(telling([16_723_345_408, 20 << 30], 5 << 30), ["15.57 GiB", "20 GiB"]);
        assert_eq!(telling([16_723_345_408, 16_723_350_408], 5000), ["16723345408 bytes", "16723350408 bytes"]);
        // What is exact in whole mebibytes or in two decimals hides nothing.
        assert_eq!(telling([8193 * MIB, 8195 * MIB], 2 * MIB), ["8193 MiB", "8195 MiB"]);
        assert_eq!(telling([3 * MIB / 2, 3 * MIB / 2 + 6000], 6000), ["1.5 MiB", "1.51 MiB"]);
        assert_eq!(
            (count(1, "container"), count(1.5, "processor")),
            ("1 container".to_owned(), "1.5 processors".to_owned())
        );
        assert_eq!((so_many_are(1.0), so_many_are(0)), ("1 is".to_owned(), "0 are".to_owned()));
    }

    #[test]
    fn processors_are_rounded_down_but_for_what_a_sum_lost() {
        assert_eq!([1.0, 0.3 - 0.1, 2.9999, -1.0, 1.0005].map(thousandths), [1000, 200, 2999, 0, 1000]);
        assert_eq!(processors(2500).to_string(), "2.5");
        assert_eq!(rounded(0.1 + 0.2).to_string(), "0.3");
    }
}
