//! What the writer is asked to do, and the answer that waits until that is stored.

use super::step::Step;
use graphium_core::store::StoreError;
use tokio::sync::oneshot;

/// A command. It may be decided more than once: when another server's entry came first, what was decided does not hold.
pub(super) trait Job: Send {
    fn decide(&mut self, step: &mut Step<'_>);

    /// Somebody still waits for the answer.
    fn is_wanted(&self) -> bool;

    /// Lets the answer of the last decision go, or the failure to store it.
    fn finish(self: Box<Self>, stored: Result<(), &StoreError>);
}

struct Typed<T, F> {
    decide: F,
    decided: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: Fn(&mut Step<'_>) -> Result<T, StoreError> + Send,
{
    fn decide(&mut self, step: &mut Step<'_>) {
        let decided = (self.decide)(step);
        step.refuses |= decided.is_err();
        self.decided = Some(decided);
    }

    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn finish(self: Box<Self>, stored: Result<(), &StoreError>) {
        let answer = match (stored, self.decided) {
            (Err(failure), _) => Err(failure.clone()),
            (Ok(()), Some(decided)) => decided,
            (Ok(()), None) => Err(StoreError::Unavailable("the command was not decided".to_owned())),
        };
        // Whoever asked may have gone; the change holds all the same.
        let _ = self.reply.send(answer);
    }
}

/// A command and where its answer will be.
pub(super) fn job<T: Send + 'static>(
    decide: impl Fn(&mut Step<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Typed { decide, decided: None, reply }), answer)
}
