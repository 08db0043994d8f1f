//! Whole lines of what comes in pieces.

use crate::runtime::{LogEntry, LogSource};
use jiff::Timestamp;

/// How long a line may grow until it is handed on in parts.
const LONGEST: usize = 256 * 1024;

/// Puts the pieces of one container's log together to lines, each source for itself, so that nothing of another comes in between.
#[derive(Debug, Default)]
pub struct Lines {
    open: Vec<Line>,
}

/// A whole line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was written to.
    pub source: LogSource,
    /// When its beginning was written.
    pub time: Option<Timestamp>,
    /// As it was written.
    pub bytes: Vec<u8>,
}

impl Lines {
    /// Takes in a piece, and hands each line that is whole to `take`.
    pub fn push(&mut self, entry: LogEntry, mut take: impl FnMut(Line)) {
        let LogEntry { source, time, bytes } = entry;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (part, after) = match end {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &[][..]),
            };
            let place = self.open.iter().position(|line| line.source == source);
            let mut line = match place {
                Some(place) => self.open.swap_remove(place),
                None => Line { source, time, bytes: Vec::new() },
            };
            line.bytes.extend_from_slice(part);
            rest = after;
            if end.is_some() {
                take(line);
            } else if line.bytes.len() >= LONGEST {
                let kept = line.bytes.split_off(whole_characters(&line.bytes));
                take(line);
                self.open.push(Line { source, time, bytes: kept });
            } else {
                self.open.push(line);
            }
        }
    }

    /// What was begun and not ended.
    pub fn finish(&mut self) -> impl Iterator<Item = Line> + use<> {
        std::mem::take(&mut self.open).into_iter().filter(|line| !line.bytes.is_empty())
    }
}

/// Up to where no character of UTF-8 is cut; all of it, where it is something else.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(source: LogSource, bytes: &[u8]) -> LogEntry {
        LogEntry { source, time: None, bytes: bytes.to_vec() }
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    #[test]
    fn a_line_of_one_source_is_not_broken_by_the_other() {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        for (source, bytes) in [
            (LogSource::Stdout, "grü".as_bytes()),
            (LogSource::Stderr, b"oh\nno"),
            (LogSource::Stdout, b"n\n\nx"),
            (LogSource::Stderr, b"!\n"),
        ] {
            lines.push(entry(source, bytes), |line| whole.push(line));
        }
        assert_eq!(texts(&whole), ["oh", "grün", "", "no!"]);
        assert_eq!(texts(&lines.finish().collect::<Vec<_>>()), ["x"]);
        assert_eq!(lines.finish().count(), 0);
    }

    #[test]
    fn a_line_without_an_end_is_handed_on_in_parts_between_characters() {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        let text = "aä".repeat(LONGEST);
        for piece in text.as_bytes().chunks(1000) {
            lines.push(entry(LogSource::Stdout, piece), |line| whole.push(line));
        }
        assert!(whole.len() >= 2 && whole.iter().all(|line| line.bytes.len() <= LONGEST + 1000));
        assert!(whole.iter().all(|line| std::str::from_utf8(&line.bytes).is_ok()));
        whole.extend(lines.finish());
        assert_eq!(texts(&whole).concat(), text);
    }

    proptest! {
        #[test]
        fn however_bytes_are_cut_the_lines_are_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let cut = cut.min(bytes.len());
            let mut found = Vec::new();
            let mut lines = Lines::default();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                lines.push(entry(LogSource::Stdout, piece), |line| found.push(line.bytes));
            }
            found.extend(lines.finish().map(|line| line.bytes));
            let mut expected: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_piece_comes_back_from_the_wire_as_it_was(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
            let frame = crate::log::LogFrame::line(entry(LogSource::Stderr, &bytes));
            let wire = frame.to_json_line();
            prop_assert_eq!(wire.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(serde_json::from_slice::<crate::log::LogFrame>(&wire).unwrap(), frame);
        }
    }
}
