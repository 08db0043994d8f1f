//! One container's log: asked for, taken up again where it broke off, put together to lines.

use crate::cli::exit::{Exit, Failure};
use futures::{StreamExt as _, stream, stream::BoxStream};
use graphium_core::{
    log::{End, EndReason, Line, Lines, LogBegin, LogFrame, Since},
    runtime::{LogEntry, LogSource, Tail},
};
use graphium_server::client::{Client, ClientError, LogFrames, LogOptions};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a log that is not followed is tried to be taken up again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pauses between two attempts: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What is told of one container, under the key of who asked.
pub(super) type Tellings = BoxStream<'static, (String, Told)>;

/// Something that is told of a container.
pub(super) enum Told {
    /// It wrote a line.
    Line(Line),
    /// Something about the reading itself.
    Note(String),
    /// There is no more, and so far it was read.
    Over(Over, Position),
}

/// How a reading ended.
pub(super) enum Over {
    /// All was read; what there is to say of the end.
    Ended(String),
    Failed(Failure),
}

/// How far one source of a log was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    last: Timestamp,
    /// How many pieces of that very moment were read.
    of_last: usize,
}

/// Of each source of a log, standard output and standard error.
type Marks = [Option<Mark>; 2];

/// The place of a source among them.
fn place(source: LogSource) -> usize {
    usize::from(source == LogSource::Stderr)
}

/// How far a log was read: by its times, for the engine knows no other. Each source is in its order, and neither in the other's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The engine's id of the container.
    pub(super) container: Option<String>,
    marks: Marks,
    /// A terminal was read, whose pieces have no times.
    has_untimed: bool,
    /// When the first reading of this container began, by its host's clock.
    begun: Option<Timestamp>,
    /// All of it is to be shown, whatever was asked for of those that were there already.
    is_news: bool,
}

impl Position {
    /// At the beginning of a container that came while others were followed.
    pub(super) fn of_news() -> Self {
        Self { is_news: true, ..Self::default() }
    }

    fn take(&mut self, entry: &LogEntry) {
        let Some(time) = entry.time else {
            self.has_untimed = true;
            return;
        };
        match &mut self.marks[place(entry.source)] {
            Some(mark) if mark.last == time => mark.of_last += 1,
            mark => *mark = Some(Mark { last: time, of_last: 1 }),
        }
    }

    /// The moment from which on something may be unread.
    fn last(&self) -> Option<Timestamp> {
        self.marks.iter().flatten().map(|mark| mark.last).min()
    }

    /// What is asked for from here on, of what was asked for at first.
    fn rest(&self, options: &LogOptions) -> LogOptions {
        let all = |since| LogOptions { tail: Tail::All, since, ..options.clone() };
        match (self.last(), self.begun) {
            (Some(last), _) => all(Since::At(last)),
            (None, _) if self.has_untimed => LogOptions { tail: Tail::Last(0), ..options.clone() },
            (None, _) if self.is_news => all(Since::Beginning),
            (None, None) => options.clone(),
            // What is ten minutes ago was said when it was asked for, and does not move on.
            (None, Some(begun)) => match (options.since.moment(begun), options.tail) {
                (since, Tail::Last(0)) if options.follow => {
                    all(Since::At(since.map_or(begun, |since| since.max(begun))))
                }
                (since, tail) => {
                    LogOptions { tail, since: since.map_or(Since::Beginning, Since::At), ..options.clone() }
                }
            },
        }
    }

    /// Whether the last so many lines, asked for again because none had been read, are all from after the beginning: then
    /// there may be more of those.
    fn may_lack_some(&self, options: &LogOptions, first: &LogEntry) -> bool {
        let is_tail = matches!(options.tail, Tail::Last(1..)) && options.follow && !self.is_news;
        let is_first = self.last().is_none() && !self.has_untimed;
        is_tail && is_first && first.time.zip(self.begun).is_some_and(|(time, begun)| time >= begun)
    }
}

/// The reading of one container's log.
pub(super) struct Reading {
    client: Client,
    /// `<host>/<name>`.
    key: String,
    options: LogOptions,
    position: Position,
    frames: Option<LogFrames>,
    /// How far each source was read before, while what was read comes again.
    again: Marks,
    /// It was begun before, and is taken up.
    is_taken_up: bool,
    lines: Lines,
    ready: VecDeque<Told>,
    heard: Instant,
    pause: Duration,
    /// It was told that the log broke off, or has to wait.
    is_noted: bool,
    is_over: bool,
}

impl Reading {
    pub(super) fn new(client: &Client, key: String, options: LogOptions, position: Position) -> Self {
        Self {
            client: client.clone(),
            key,
            options,
            position,
            frames: None,
            again: Marks::default(),
            is_taken_up: false,
            lines: Lines::default(),
            ready: VecDeque::new(),
            heard: Instant::now(),
            pause: PAUSE.0,
            is_noted: false,
            is_over: false,
        }
    }

    pub(super) fn tellings(self) -> Tellings {
        stream::unfold(self, |mut reading| async move {
            let told = reading.next().await?;
            Some(((reading.key.clone(), told), reading))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if self.is_over {
                return None;
            }
            match &mut self.frames {
                None => self.open().await,
                Some(frames) => match frames.next().await {
                    Some(Ok(frame)) => self.take(frame).await,
                    Some(Err(error)) => self.break_off(Break::of(error)).await,
                    None => self.break_off(Break::new("the log broke off")).await,
                },
            }
        }
    }

    async fn open(&mut self) {
        self.again = self.position.marks;
        self.is_taken_up = self.position.begun.is_some();
        match self.client.container_logs(&self.key, &self.position.rest(&self.options)).await {
            Ok(frames) => self.frames = Some(frames),
            Err(error) if error.may_pass() => self.break_off(Break::of(error)).await,
            Err(ClientError::NotFound { .. }) if self.may_come_back() => {
                self.end(Over::Ended("is gone".to_owned()));
            }
            Err(error) => self.end(Over::Failed(error.into())),
        }
    }

    async fn take(&mut self, frame: LogFrame) {
        match frame {
            LogFrame::Begin(begin) => self.begin(begin),
            LogFrame::Waiting(wait) => self.note(wait.detail),
            LogFrame::Line(line) => self.line(line.entry),
            LogFrame::End(End { reason, detail }) if reason.is_a_break() => {
                let exit = match reason {
                    EndReason::TooMany => Exit::Failed,
                    _ => Exit::Unreachable,
                };
                self.break_off(Break { what: detail, exit, hints: Vec::new() }).await;
            }
            LogFrame::End(End { reason, detail }) => {
                let over = match reason {
                    reason if reason.is_an_end() => Over::Ended(detail),
                    EndReason::NotFound if self.may_come_back() => Over::Ended("is gone".to_owned()),
                    EndReason::Revoked => Over::Failed(Failure::new(Exit::Denied, detail)),
                    EndReason::NotFound => Over::Failed(Failure::new(Exit::Failed, detail).coded("not-found")),
                    _ => Over::Failed(Failure::new(Exit::Failed, detail)),
                };
                self.end(over);
            }
        }
    }

    /// Whether one that is not there has gone, and is no mistake: it was read, or it was seen and what takes its place is
    /// followed.
    fn may_come_back(&self) -> bool {
        self.position.container.is_some() || self.options.follow
    }

    fn begin(&mut self, LogBegin { container_id: container, time }: LogBegin) {
        (self.heard, self.pause) = (Instant::now(), PAUSE.0);
        let is_another = self.position.container.as_ref().is_some_and(|known| *known != container);
        if is_another {
            self.flush();
            self.ready.push_back(Told::Note("was replaced; this is the new one".to_owned()));
            // What was asked for of the one before may be less than all of this one.
            if self.position.last().is_none() {
                self.frames = None;
            }
            self.position = Position::of_news();
            self.again = Marks::default();
        } else if std::mem::take(&mut self.is_noted) {
            let gap = if self.position.has_untimed {
                ", without what it wrote meanwhile: a terminal keeps no times"
            } else {
                ""
            };
            self.ready.push_back(Told::Note(format!("goes on{gap}")));
        }
        self.position.container = Some(container);
        self.position.begun = self.position.begun.or(time);
    }

    fn line(&mut self, entry: LogEntry) {
        self.heard = Instant::now();
        if comes_again(&mut self.again, &entry) {
            return;
        }
        if self.is_taken_up && self.position.may_lack_some(&self.options, &entry) {
            self.options.tail = Tail::Last(0);
            self.frames = None;
            return;
        }
        self.position.take(&entry);
        let ready = &mut self.ready;
        self.lines.push(entry, |line| ready.push_back(Told::Line(tidied(line))));
    }

    fn flush(&mut self) {
        self.ready.extend(self.lines.finish().map(tidied).map(Told::Line));
    }

    async fn break_off(&mut self, cause: Break) {
        self.frames = None;
        // What is followed is waited for; of the rest what broke off for a while, and not what never began.
        let has_begun = self.position.container.is_some() || cause.exit != Exit::Unreachable;
        let is_hopeless = !has_begun || self.position.has_untimed || self.heard.elapsed() > PATIENCE;
        if is_hopeless && !self.options.follow {
            let Break { what, exit, hints } = cause;
            let failure = hints.into_iter().fold(Failure::new(exit, what), Failure::hint);
            return self.end(Over::Failed(failure));
        }
        self.note(cause.what);
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    fn note(&mut self, text: String) {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.ready.push_back(Told::Note(text));
        }
    }

    fn end(&mut self, over: Over) {
        self.flush();
        self.is_over = true;
        self.ready.push_back(Told::Over(over, self.position.clone()));
    }
}

/// Whether a piece was read before: of each source those come first, for the engine is asked from a moment on.
fn comes_again(marks: &mut Marks, entry: &LogEntry) -> bool {
    let read = &mut marks[place(entry.source)];
    match (read.as_mut(), entry.time) {
        (Some(mark), Some(time)) if time < mark.last => true,
        (Some(mark), Some(time)) if time == mark.last && mark.of_last > 0 => {
            mark.of_last -= 1;
            true
        }
        _ => {
            *read = None;
            false
        }
    }
}

/// Why a log broke off.
struct Break {
    what: String,
    exit: Exit,
    hints: Vec<String>,
}

impl Break {
    fn new(what: &str) -> Self {
        Self { what: what.to_owned(), exit: Exit::Unreachable, hints: Vec::new() }
    }

    fn of(error: ClientError) -> Self {
        if let ClientError::Problem { problem, .. } = &error
            && matches!(problem.status, 429 | 503)
        {
            let exit = if problem.status == 429 { Exit::Failed } else { Exit::Unreachable };
            return Self { exit, ..Self::new(&problem.detail) };
        }
        let Failure { what, exit, hints, .. } = error.into();
        Self { what, exit, hints }
    }
}

/// A terminal ends its lines with a carriage return, too.
fn tidied(mut line: Line) -> Line {
    if line.source == LogSource::Console && line.bytes.last() == Some(&b'\r') {
        line.bytes.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time: Option<i64>) -> LogEntry {
        let time = time.map(|second| Timestamp::from_second(second).unwrap());
        LogEntry { source: LogSource::Stdout, time, bytes: b"x\n".to_vec() }
    }

    #[test]
    fn a_log_is_taken_up_at_the_moment_that_was_read_last() {
        let options = LogOptions { tail: Tail::Last(5), follow: true, ..LogOptions::default() };
        let mut position = Position::default();
        assert_eq!(position.rest(&options), options, "nothing was read: as it was asked");
        for second in [1, 2, 2] {
            position.take(&entry(Some(second)));
        }
        let rest = position.rest(&options);
        assert_eq!((rest.tail, rest.since), (Tail::All, Since::At(Timestamp::from_second(2).unwrap())));
        let mut marks = position.marks;
        let again = [1, 2, 2, 2, 1].map(|second| comes_again(&mut marks, &entry(Some(second))));
        assert_eq!(again, [true, true, true, false, false], "as many come again");
    }

    #[test]
    fn each_source_is_taken_up_where_it_was() {
        let of = |source, second| LogEntry { source, ..entry(Some(second)) };
        let (out, err) = (LogSource::Stdout, LogSource::Stderr);
        let mut position = Position::default();
        // The engine tells of the one later than of the other.
        for piece in [of(out, 1), of(err, 5), of(out, 3)] {
            position.take(&piece);
        }
        assert_eq!(position.rest(&LogOptions::default()).since, Since::At(Timestamp::from_second(3).unwrap()));
        let mut marks = position.marks;
        let pieces = [(out, 3), (err, 4), (out, 4), (err, 5), (err, 5), (out, 3)];
        let again = pieces.map(|(source, second)| comes_again(&mut marks, &of(source, second)));
        assert_eq!(again, [true, true, false, true, false, false]);
    }

    #[test]
    fn what_broke_off_before_anything_was_read_is_taken_up_where_it_began() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let position = Position { begun: Some(at(100)), ..Position::default() };
        let options = |tail, since, follow| LogOptions { tail, since, follow, ..LogOptions::default() };
        let rest = |options: &LogOptions| (position.rest(options).tail, position.rest(options).since);
        let (none, five) = (Tail::Last(0), Tail::Last(5));
        let ago = Since::Ago(Duration::from_secs(10));
        assert_eq!(rest(&options(none, Since::Beginning, true)), (Tail::All, Since::At(at(100))));
        assert_eq!(rest(&options(none, ago, true)), (Tail::All, Since::At(at(100))));
        assert_eq!(rest(&options(none, Since::At(at(500)), true)), (Tail::All, Since::At(at(500))), "as it was asked");
        assert_eq!(rest(&options(Tail::All, ago, true)), (Tail::All, Since::At(at(90))), "the past stays where it was");
        assert_eq!(rest(&options(five, ago, true)), (five, Since::At(at(90))));
        assert_eq!(
            rest(&options(none, Since::Beginning, false)),
            (none, Since::Beginning),
            "of what is to come nothing"
        );
    }

    #[test]
    fn the_last_lines_asked_for_again_lack_some_where_all_of_them_are_new() {
        let begun = Position { begun: Timestamp::from_second(100).ok(), ..Position::default() };
        let options = |tail, follow| LogOptions { tail, follow, ..LogOptions::default() };
        let lacks = |position: &Position, options, second| position.may_lack_some(&options, &entry(second));
        assert!(lacks(&begun, options(Tail::Last(2), true), Some(100)));
        assert!(!lacks(&begun, options(Tail::Last(2), true), Some(99)), "with an older one all newer ones come");
        assert!(!lacks(&begun, options(Tail::All, true), Some(100)));
        assert!(!lacks(&begun, options(Tail::Last(0), true), Some(100)), "that is asked for by its time");
        assert!(!lacks(&begun, options(Tail::Last(2), false), Some(100)));
        assert!(!lacks(&begun, options(Tail::Last(2), true), None), "a terminal has no times");
        assert!(!lacks(&Position::default(), options(Tail::Last(2), true), Some(100)), "an agent that says no time");
        let mut read = begun;
        read.take(&entry(Some(100)));
        assert!(!lacks(&read, options(Tail::Last(2), true), Some(101)));
    }

    #[test]
    fn all_is_shown_of_what_is_news_however_often_it_is_taken_up() {
        let options = LogOptions {
            tail: Tail::Last(0),
            since: Since::Ago(Duration::ZERO),
            follow: true,
            ..LogOptions::default()
        };
        let mut position = Position::of_news();
        for begun in [None, Timestamp::from_second(100).ok()] {
            position.begun = begun;
            let rest = position.rest(&options);
            assert_eq!((rest.tail, rest.since), (Tail::All, Since::Beginning));
        }
    }

    #[test]
    fn of_a_terminal_only_what_is_to_come_can_be_taken_up() {
        let mut position = Position::default();
        position.take(&entry(None));
        assert_eq!(position.rest(&LogOptions::default()).tail, Tail::Last(0));
    }
}
