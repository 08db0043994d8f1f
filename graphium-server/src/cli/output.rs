//! Where a command writes: the result on stdout, everything else on stderr.

use super::exit::{Exit, Failure, Told};
use crate::{
    config::Format,
    render::{self, Source, Style, printable},
};
use graphium_core::diagnostic::{Diagnostic, Severity};
use serde::Serialize;
use std::{
    env,
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
};

/// The two streams. A reader that goes away (`graphium … | head`) ends the command quietly.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    /// Whether programs have got a result already.
    has_result: bool,
    is_handed_over: bool,
}

/// The size of the terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Output {
    /// The streams of this process.
    pub(crate) fn new() -> Self {
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout: BufWriter::new(io::stdout()),
            stdout_is_terminal: io::stdout().is_terminal() && !dumb,
            stderr_is_terminal: io::stderr().is_terminal() && !dumb,
            has_result: false,
            is_handed_over: false,
        }
    }

    /// Writes a line of the result.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{text}").map_err(refused)
    }

    /// Writes a line of the result as somebody else wrote it, after a text of ours.
    pub(crate) fn bytes_line(&mut self, before: &str, bytes: &[u8]) -> Result<(), Failure> {
        let parts = [before.as_bytes(), bytes, b"\n"];
        parts.iter().try_for_each(|part| self.stdout.write_all(part)).map_err(refused)
    }

    /// Writes the result as JSON for programs: indented on a terminal, on one line otherwise.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.has_result = true;
        let written = if self.stdout_is_terminal {
            serde_json::to_writer_pretty(&mut self.stdout, value)
        } else {
            serde_json::to_writer(&mut self.stdout, value)
        };
        written.map_err(|error| refused(error.into()))?;
        self.line("")
    }

    /// Writes one of many results as JSON, on a line of its own.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, value).map_err(|error| refused(error.into()))?;
        self.line("")
    }

    /// Standard output is somebody else's from now on: no failure of ours is written there, and none waits for what is.
    pub(crate) fn hand_over(&mut self) -> Result<(), Failure> {
        self.flush()?;
        (self.has_result, self.is_handed_over) = (true, true);
        Ok(())
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if self.is_handed_over {
            return Ok(());
        }
        self.stdout.flush().map_err(refused)
    }

    /// Says something that is not the result. Nobody is left to be told if that fails.
    pub(crate) fn say(&self, text: impl Display) {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{text}");
    }

    /// Writes to stderr as it is, for the live region.
    pub(crate) fn draw(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }

    /// Says how a command failed: on stderr for people, and for programs that have no result yet where they look for one.
    pub(crate) fn fail(&mut self, failure: &Failure, format: impl FnOnce() -> Format) {
        // What was written before the failure is still the result so far.
        let _ = self.flush();
        self.tell(failure);
        self.fail_in_json(failure, format);
    }

    /// Says it to programs alone.
    pub(crate) fn fail_in_json(&mut self, failure: &Failure, format: impl FnOnce() -> Format) {
        if failure.exit != Exit::Ok && !self.has_result && format() == Format::Json {
            // Nobody is left to be told if that fails.
            let _ = self.json(&Told::of(failure)).and_then(|()| self.flush());
        }
    }

    fn tell(&self, failure: &Failure) {
        let style = self.style();
        // What has no document to be shown in is told all the same.
        let (name, text) = failure.source.as_ref().map_or(("", ""), |source| (&source.name, &source.text));
        let is_worse = |found: &&Diagnostic| found.severity > Severity::Note;
        let worse: Vec<_> = failure.diagnostics.iter().filter(is_worse).cloned().collect();
        if !worse.is_empty() {
            self.say(render::diagnostics(&worse, Source { name, text }, self.size().width, style).trim_end());
        }
        if !failure.what.is_empty() {
            self.say(format_args!("{} {}", style.red("error:"), printable(&failure.what)));
        }
        for cause in &failure.causes {
            for line in cause.lines() {
                self.say(format_args!("  {}", printable(line)));
            }
        }
        for hint in &failure.hints {
            self.say(format_args!("{} {}", style.cyan("hint:"), printable(hint)));
        }
    }

    /// How text on stderr is coloured.
    pub(crate) fn style(&self) -> Style {
        style(self.stderr_is_terminal)
    }

    /// How text on stdout is coloured.
    pub(crate) fn data_style(&self) -> Style {
        style(self.stdout_is_terminal)
    }

    /// Whether a person reads stdout.
    pub(crate) fn is_page(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether a person watches stderr.
    pub(crate) fn is_watched(&self) -> bool {
        self.stderr_is_terminal
    }

    /// Whether a person sits at both ends, and can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.stderr_is_terminal && io::stdin().is_terminal()
    }

    /// Asks for a word on the terminal.
    pub(crate) fn ask(&self, question: &str) -> String {
        self.draw(question);
        let mut answer = String::new();
        let _ = io::stdin().read_line(&mut answer);
        answer.trim().to_owned()
    }

    /// The size of the terminal: as it is, or `COLUMNS` and `LINES`, or 100 by 24.
    pub(crate) fn size(&self) -> Size {
        let variable = |name| env::var(name).ok()?.parse().ok().filter(|size| *size > 0);
        let actual = self.stderr_is_terminal.then(|| terminal_size::terminal_size_of(io::stderr())).flatten();
        let (width, height) = actual.map_or((100, 24), |(width, height)| (width.0.into(), height.0.into()));
        Size { width: variable("COLUMNS").unwrap_or(width), height: variable("LINES").unwrap_or(height) }
    }
}

fn style(is_terminal: bool) -> Style {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_terminal && !refused { Style::COLOURED } else { Style::PLAIN }
}

/// A reader that went away has what it wanted; anything else is a failure.
fn refused(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(Exit::Ok),
        _ => Failure::new(Exit::Failed, "the result cannot be written").because(error),
    }
}
