//! Whether a database says anything at all. While it does not, nobody is made to wait for it.

use jiff::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What is known of it, and since when. The time comes from whoever calls, and makes words alone: what counts is whether an
/// answer came between a question and the moment in which it was given up.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    known: Mutex<Known>,
    /// Wakes those who wait in their order, so that a rehearsal is the same from the same seed.
    silent: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    answers: u64,
    answered_at: Option<Timestamp>,
    /// Since when there is a question to which nothing was heard, nor to any other since.
    silent_since: Option<Timestamp>,
}

/// A question that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    at: Timestamp,
    answers: u64,
}

impl Pulse {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question is asked.
    pub(super) fn asked(&self, now: Timestamp) -> Asked {
        Asked { at: now, answers: self.known().answers }
    }

    /// An answer came, whatever it says.
    pub(super) fn answered(&self, now: Timestamp) {
        let mut known = self.known();
        *known = Known { answers: known.answers + 1, answered_at: Some(now), silent_since: None };
    }

    /// A connection was refused or broke: that is no answer, and nothing that anybody would have to wait for.
    pub(super) fn broke(&self) {
        self.known().silent_since = None;
    }

    /// A question was given up. Where others were answered meanwhile it is the question, and not the database.
    pub(super) fn given_up(&self, asked: Asked) {
        let mut known = self.known();
        if known.silent_since.is_none() && known.answers == asked.answers {
            known.silent_since = Some(asked.at);
            drop(known);
            self.silent.notify_waiters();
        }
    }

    /// Since when it is silent, in words; nothing while it is not.
    pub(super) fn silence(&self) -> Option<String> {
        let known = *self.known();
        let since = known.silent_since?;
        let last = match known.answered_at {
            Some(at) => format!("it last answered at {at:.0}"),
            None => "it has never answered".to_owned(),
        };
        Some(format!("has said nothing since {since:.0}; {last}"))
    }

    /// Waits until it is silent.
    pub(super) async fn falls_silent(&self) {
        loop {
            // From here on nothing is missed.
            let told = self.silent.notified();
            if self.known().silent_since.is_some() {
                return;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn a_question_that_is_given_up_makes_a_silence_until_the_next_answer() {
        let pulse = Pulse::default();
        pulse.answered(at(7));
        assert_eq!(pulse.silence(), None);
        let (first, second) = (pulse.asked(at(10)), pulse.asked(at(12)));
        pulse.given_up(first);
        let words = "has said nothing since 1970-01-01T00:00:10Z; it last answered at 1970-01-01T00:00:07Z";
        assert_eq!(pulse.silence().as_deref(), Some(words));
        pulse.given_up(second);
        assert_eq!(pulse.silence().as_deref(), Some(words), "it is one silence");
        pulse.answered(at(20));
        assert_eq!(pulse.silence(), None);
    }

    #[test]
    fn one_that_never_answered_is_told_apart() {
        let pulse = Pulse::default();
        pulse.given_up(pulse.asked(at(10)));
        let words = pulse.silence().unwrap_or_default();
        assert!(words.contains("never answered"), "{words}");
    }

    #[test]
    fn a_question_that_is_given_up_while_others_are_answered_makes_none() {
        let pulse = Pulse::default();
        let asked = pulse.asked(at(10));
        pulse.answered(at(11));
        pulse.given_up(asked);
        assert_eq!(pulse.silence(), None);
        pulse.given_up(pulse.asked(at(12)));
        assert!(pulse.silence().is_some());
    }

    #[test]
    fn a_connection_that_breaks_ends_a_silence_and_answers_nothing() {
        let pulse = Pulse::default();
        let asked = pulse.asked(at(10));
        pulse.broke();
        pulse.given_up(asked);
        assert!(pulse.silence().is_some_and(|words| words.contains("never answered")));
        pulse.broke();
        assert_eq!(pulse.silence(), None);
    }

    #[test]
    fn who_waits_for_a_silence_is_told_also_of_one_that_is_there() {
        let pulse = Pulse::default();
        let mut context = Context::from_waker(Waker::noop());
        let asked = pulse.asked(at(1));
        {
            let mut waiting = pin!(pulse.falls_silent());
            assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
            pulse.given_up(asked);
            assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
        }
        assert_eq!(pin!(pulse.falls_silent()).poll(&mut context), Poll::Ready(()));
    }
}
