//! Changes that another may cross.

use super::ControlError;
use crate::store::StoreError;

/// How often such a change is tried.
const TRIES: usize = 5;

/// Makes a change, and makes it anew a few times where somebody else has changed meanwhile what it was made upon, such as the note
/// that a credential was used.
///
/// # Errors
/// Those of the change; a conflict where it was crossed each time.
pub(super) async fn uncrossed<T, F>(change: impl Fn() -> F) -> Result<T, ControlError>
where
    F: Future<Output = Result<T, ControlError>>,
{
    for _ in 1..TRIES {
        match change().await {
            Err(ControlError::Store(StoreError::Conflict { .. })) => {}
            done => return done,
        }
    }
    change().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::Cell;

    fn crossed() -> ControlError {
        ControlError::Store(StoreError::Conflict { kind: "user", id: "ann".to_owned() })
    }

    /// How often it was tried, and what came of it.
    fn tried(mut answers: Vec<Result<(), ControlError>>) -> (usize, Result<(), ControlError>) {
        answers.reverse();
        let (answers, tries) = (Cell::new(answers), Cell::new(0));
        let result = block_on(uncrossed(|| {
            tries.set(tries.get() + 1);
            let mut left = answers.take();
            let answer = left.pop().unwrap_or_else(|| Err(crossed()));
            answers.set(left);
            async { answer }
        }));
        (tries.get(), result)
    }

    #[test]
    fn a_change_that_is_crossed_is_tried_a_few_times_and_any_other_end_is_its_own() {
        assert!(matches!(tried(vec![Err(crossed()), Err(crossed()), Ok(())]), (3, Ok(()))));
        let gone = || Err(ControlError::NotFound { kind: "user", id: "ann".to_owned() });
        assert!(matches!(tried(vec![Err(crossed()), gone(), Ok(())]), (2, Err(ControlError::NotFound { .. }))));
        assert!(matches!(tried(Vec::new()), (TRIES, Err(ControlError::Store(StoreError::Conflict { .. })))));
    }
}
