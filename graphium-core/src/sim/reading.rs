//! What a reader of one log, or of one command, has got so far, and what may come next.

use crate::{
    exec::{ExecFrame, ExecInput, LARGEST, WINDOW},
    log::{EndReason, LogFrame},
    runtime::{LogSource, Tail},
};

/// One log, read without a break.
pub(super) struct Reading {
    /// The container that was there when it was asked for, and how many lines that had written.
    asked: (String, u64),
    tail: Tail,
    begun: Option<String>,
    last: Option<u64>,
    is_over: bool,
}

impl Reading {
    pub(super) fn new(id: String, tail: Tail, there: u64) -> Self {
        Self { asked: (id, there), tail, begun: None, last: None, is_over: false }
    }

    /// Takes in what comes next; an error is what is wrong with it.
    pub(super) fn take(&mut self, frame: &LogFrame) -> Result<(), String> {
        if self.is_over {
            return Err(format!("after the end comes {frame:?}"));
        }
        match frame {
            LogFrame::Begin(begin) => match self.begun.replace(begin.container_id.clone()) {
                Some(_) => Err("it begins twice".to_owned()),
                None => Ok(()),
            },
            LogFrame::Line(line) => self.line(&String::from_utf8_lossy(&line.entry.bytes)),
            LogFrame::End(end) => {
                self.is_over = true;
                if end.reason.is_an_end() && self.begun.is_none() {
                    return Err(format!("it ends and has not begun: {end:?}"));
                }
                let (id, there) = &self.asked;
                let is_whole = end.reason == EndReason::Complete && self.begun.as_ref() == Some(id);
                if is_whole && self.last.unwrap_or(0) < *there && self.tail != Tail::Last(0) {
                    return Err(format!("{there} lines were there, and it is complete after {:?}", self.last));
                }
                Ok(())
            }
            LogFrame::Waiting(_) => Ok(()),
        }
    }

    fn line(&mut self, text: &str) -> Result<(), String> {
        if self.begun.is_none() {
            return Err(format!("before it has begun comes {text:?}"));
        }
        // What the program of its image says has no number.
        let Some(number) = text.strip_prefix("line ").and_then(|rest| rest.trim_end().parse().ok()) else {
            return Ok(());
        };
        let is_next = match self.last.replace(number) {
            Some(last) => number == last + 1,
            None => number == 1 || self.tail != Tail::All,
        };
        if is_next { Ok(()) } else { Err(format!("after others comes line {number}, which is not the next")) }
    }
}

/// One command.
pub(super) struct Hearing {
    words: Vec<String>,
    /// What was sent to it.
    sent: Vec<u8>,
    out: Vec<u8>,
    err: Vec<u8>,
    /// Bytes that came and were not said to be used.
    unused: usize,
    has_begun: bool,
    is_over: bool,
}

impl Hearing {
    pub(super) fn new(words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, sent: Vec::new(), out: Vec::new(), err: Vec::new(), unused: 0, has_begun: false, is_over: false }
    }

    /// Pieces of these sizes for its standard input, and the end of that.
    pub(super) fn sends(&mut self, sizes: &[usize]) -> Vec<ExecInput> {
        let mut pieces = Vec::new();
        for size in sizes.iter().filter(|size| **size > 0) {
            let first = self.sent.len();
            let piece: Vec<u8> = (first..first + size).map(|place| (place % 251) as u8).collect();
            self.sent.extend(&piece);
            pieces.push(ExecInput::Stdin(piece));
        }
        pieces.push(ExecInput::Close {});
        pieces
    }

    /// It is about to say that so much was used.
    pub(super) fn uses(&mut self, count: usize) {
        self.unused -= count;
    }

    /// How much has come.
    pub(super) fn heard(&self) -> usize {
        self.out.len() + self.err.len()
    }

    /// Takes in what comes next; an error is what is wrong with it.
    pub(super) fn take(&mut self, frame: &ExecFrame) -> Result<(), String> {
        if self.is_over {
            return Err(format!("after the end comes {frame:?}"));
        }
        match frame {
            ExecFrame::Begin(_) if std::mem::replace(&mut self.has_begun, true) => Err("it begins twice".to_owned()),
            ExecFrame::Output(..) if !self.has_begun => Err("it writes and has not begun".to_owned()),
            ExecFrame::Output(source, bytes) => {
                let to = if *source == LogSource::Stderr { &mut self.err } else { &mut self.out };
                to.extend(bytes);
                self.unused += bytes.len();
                if self.unused > WINDOW + LARGEST {
                    return Err(format!("{} bytes came that nobody has used", self.unused));
                }
                Ok(())
            }
            ExecFrame::End(end) => {
                self.is_over = true;
                if end.reason != EndReason::Exited {
                    return Ok(());
                }
                // 137: it was killed with its container.
                let is_killed = end.exit_code == Some(137);
                let is_whole = match self.words.first().map(String::as_str) {
                    Some("say") => {
                        (&*self.out, &*self.err, end.exit_code) == (b"out\n".as_slice(), b"err\n".as_slice(), Some(3))
                    }
                    Some("cat") => self.out == self.sent && end.exit_code == Some(0),
                    _ => false,
                };
                if is_whole || is_killed && self.has_begun {
                    Ok(())
                } else {
                    Err(format!("it ends so after {} bytes: {end:?}", self.heard()))
                }
            }
            ExecFrame::Begin(_) | ExecFrame::Waiting(_) | ExecFrame::Taken(_) => Ok(()),
        }
    }
}
