//! Sizes and durations as people write them.

use std::time::Duration;

/// A year: longer than any wait of a container, shorter than what an engine's clock overflows at.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads `512M`, `1.5g`, `64kb`, `100`; units are powers of 1024, as Docker's are.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift);
    }
    let bytes = number.parse::<f64>().ok()? * (1u64 << shift) as f64;
    // Beyond 2^53 a fraction of a byte more or less is lost; nobody writes fractions of petabytes.
    (bytes.is_finite() && bytes < (1u64 << 53) as f64).then_some(bytes as u64)
}

/// Reads `30s`, `1m30s`, `1.5h`, `500ms`, and a bare number as seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(seconds) = decimal(text) {
        return bounded(seconds);
    }
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        total = total.checked_add(bounded(decimal(number)? * seconds)?)?;
        rest = tail;
    }
    (total <= LONGEST).then_some(total)
}

/// Seconds as a duration.
pub(super) fn bounded(seconds: f64) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= LONGEST).then_some(time)
}

/// A number without sign or exponent; Rust's own parser takes `inf` and `1e9` too.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let cases = [
            ("512M", Some(512 << 20)),
            ("1.5g", Some(3 << 29)),
            ("64kb", Some(64 << 10)),
            ("2 GiB", Some(2 << 30)),
            ("100", Some(100)),
            ("7b", Some(7)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1e9", None),
            ("12X", None),
            ("99999999T", None),
            ("1.2.3", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn durations_add_up() {
        let cases = [
            ("30s", Some(30.0)),
            ("1m30s", Some(90.0)),
            ("1.5h", Some(5400.0)),
            ("500ms", Some(0.5)),
            ("10", Some(10.0)),
            ("0", Some(0.0)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1y", None),
            ("1m30", None),
            ("inf", None),
            ("1e3", None),
            ("400d", None),
            ("99999999999999999999h", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(duration(text), seconds.map(Duration::from_secs_f64), "{text}");
        }
    }
}
