//! How lines of logs are written: for people with the names of their containers, for programs as JSON.

use crate::{
    cli::{exit::Failure, output::Output},
    config::Format,
    render::{Style, printable},
};
use futures::{FutureExt as _, StreamExt as _, stream::SelectAll};
use graphium_core::{log::Line, runtime::LogSource};
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;

use super::reading::{Tellings, Told};

/// Where the lines go.
pub(super) struct Page<'a> {
    output: &'a mut Output,
    format: Format,
    times: bool,
    /// Absent: lines bear no names.
    names: Option<Names>,
}

/// Names before lines.
struct Names {
    /// On a terminal they are as wide as the widest.
    width: Option<usize>,
    style: Style,
    /// In the order of their colours.
    known: Vec<String>,
}

/// A line for programs.
#[derive(Serialize)]
struct Written<'a> {
    container: &'a str,
    host: &'a str,
    stream: LogSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    text: Cow<'a, str>,
}

impl<'a> Page<'a> {
    /// One for lines of containers with these names; none: there is but one, and everybody knows which.
    pub(super) fn new(output: &'a mut Output, format: Format, times: bool, names: Option<&[&str]>) -> Self {
        let style = output.data_style();
        let names = names.map(|names| Names {
            width: output.is_page().then(|| names.iter().map(|name| name.chars().count()).max().unwrap_or(0)),
            style,
            known: names.iter().map(|name| (*name).to_owned()).collect(),
        });
        Self { output, format, times, names }
    }

    /// The next telling; before it is waited for, everything so far is handed over.
    pub(super) async fn next(&mut self, tellings: &mut SelectAll<Tellings>) -> Result<Option<(String, Told)>, Failure> {
        if let Some(ready) = tellings.next().now_or_never() {
            return Ok(ready);
        }
        self.flush()?;
        Ok(tellings.next().await)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, container: &str, host: &str, line: &Line) -> Result<(), Failure> {
        if self.format == Format::Json {
            let text = String::from_utf8_lossy(&line.bytes);
            return self.output.json_line(&Written { container, host, stream: line.source, time: line.time, text });
        }
        let mut before = self.names.as_mut().map(|names| names.before(container)).unwrap_or_default();
        if let Some(time) = line.time.filter(|_| self.times) {
            before.push_str(&format!("{time:.9} "));
        }
        self.output.bytes_line(&before, &line.bytes)
    }

    /// Says something that is no line of a container.
    pub(super) fn note(&mut self, text: &str) {
        // After what was written before it.
        let _ = self.output.flush();
        let style = self.output.style();
        self.output.say(style.dim(&printable(text)));
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }
}

impl Names {
    fn before(&mut self, name: &str) -> String {
        let place = self.known.iter().position(|known| known == name).unwrap_or_else(|| {
            self.known.push(name.to_owned());
            self.known.len() - 1
        });
        let width = self.width.unwrap_or(0);
        self.style.one_of_many(place, &format!("{name:width$} | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_aligned_and_coloured_on_a_terminal_and_plain_in_a_pipe() {
        let names = |width, style| Names { width, style, known: vec!["web-1".to_owned(), "db".to_owned()] };
        let mut terminal = names(Some(5), Style::COLOURED);
        let (web, db) = (terminal.before("web-1"), terminal.before("db"));
        assert!(web.contains("web-1 | ") && db.contains("db    | "), "{web:?} {db:?}");
        assert_ne!(web.split('w').next(), db.split('d').next(), "each has its colour");
        let mut pipe = names(None, Style::PLAIN);
        assert_eq!((pipe.before("db"), pipe.before("new")), ("db | ".to_owned(), "new | ".to_owned()));
    }
}
