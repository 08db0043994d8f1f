//! Frames of a log in a stream of bytes: for the server that gets them of an agent, and for the client that gets them of a server.

use bytes::{Buf, BytesMut};
use graphium_core::log::LogFrame;

/// The longest line: the largest piece, with every byte of it escaped, and the words around it.
const LONGEST: usize = LogFrame::LARGEST * 6 + 1024;

/// Finds frames in bytes. What is none (a newer program's) is passed over.
#[derive(Debug, Default)]
pub(crate) struct FrameParser {
    bytes: BytesMut,
    /// Up to here there is no end of a line.
    looked: usize,
}

impl FrameParser {
    /// Takes in more bytes; `None`: this is no stream of frames.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.extend_from_slice(bytes);
        (self.looked <= LONGEST).then_some(())
    }

    /// The next frame that is whole.
    pub(crate) fn next(&mut self) -> Option<LogFrame> {
        while let Some(end) = self.bytes[self.looked..].iter().position(|byte| *byte == b'\n') {
            let line = self.bytes.split_to(self.looked + end);
            self.bytes.advance(1);
            self.looked = 0;
            if let Ok(frame) = serde_json::from_slice(&line) {
                return Some(frame);
            }
        }
        self.looked = self.bytes.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::{
        log::{EndReason, LogBegin},
        runtime::{LogEntry, LogSource},
    };

    fn line(bytes: &[u8]) -> LogFrame {
        LogFrame::line(LogEntry { source: LogSource::Stdout, time: None, bytes: bytes.to_vec() })
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut_and_what_is_none_is_passed_over() {
        let frames = [
            LogFrame::Begin(LogBegin { container_id: "ab".to_owned(), time: None }),
            line("grün\n".as_bytes()),
            line(b"\xff\n"),
            line(b"part"),
            LogFrame::end(EndReason::Exited, "it ended"),
        ];
        let mut stream = b"\n{\"newer\":{}}\n".to_vec();
        frames.iter().for_each(|frame| stream.extend(frame.to_json_line()));
        for cut in 0..stream.len() {
            let mut parser = FrameParser::default();
            let mut found = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                parser.feed(part).unwrap();
                found.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, frames, "cut at {cut}");
        }
    }

    #[test]
    fn the_largest_piece_passes_and_a_line_without_an_end_does_not() {
        let mut parser = FrameParser::default();
        let largest = line(&[1; LogFrame::LARGEST]);
        parser.feed(&largest.to_json_line()).unwrap();
        assert_eq!(parser.next(), Some(largest));
        let fed = (0..100).take_while(|_| {
            let fed = parser.feed(&[b'x'; 4096]).is_some();
            assert_eq!(parser.next(), None);
            fed
        });
        assert!(fed.count() < 30, "it grows for ever");
    }
}
