//! How long each task of a plan can wait before the whole takes longer: the critical path method.
//!
//! J. E. Kelley and M. R. Walker, "Critical-path planning and scheduling", Proceedings of the Eastern Joint Computer
//! Conference, 1959. Once over the tasks forwards for the earliest start of each, once backwards for the latest that delays
//! nothing; the slack is the difference. How many tasks a host does at a time is left out, as the method does.

use super::{PlannedTask, task::Waits};
use crate::action::TaskType;

/// How long a task takes beside others, in plain weights: an estimate without a unit, in about the proportion of seconds
/// on an engine whose registry is near. Only the proportions count.
///
/// # Example
/// ```
/// use graphium_core::{action::TaskType, plan::weight};
///
/// assert!(weight(TaskType::Pull) > weight(TaskType::Deploy), "a pull is begun first");
/// ```
pub fn weight(task: TaskType) -> u32 {
    match task {
        TaskType::Pull => 20,
        TaskType::Check => 5,
        TaskType::Deploy | TaskType::Update => 2,
        TaskType::Network
        | TaskType::Volume
        | TaskType::Adjust
        | TaskType::Adopt
        | TaskType::Stop
        | TaskType::Start
        | TaskType::Restart
        | TaskType::Delete
        | TaskType::RemoveNetwork
        | TaskType::RemoveVolume => 1,
    }
}

/// Gives tasks their slack; linear in tasks and dependencies.
pub(super) fn give(tasks: &mut [PlannedTask], waits: &Waits) {
    let weights: Vec<u32> = tasks.iter().map(|task| weight(task.action.task_type())).collect();
    let mut earliest = vec![0_u32; tasks.len()];
    let mut length = 0;
    for number in 0..tasks.len() {
        let ends = waits.first(number).iter().map(|&on| earliest[on] + weights[on]);
        earliest[number] = ends.max().unwrap_or(0);
        length = length.max(earliest[number] + weights[number]);
    }
    // By when each must have ended.
    let mut latest = vec![length; tasks.len()];
    for number in (0..tasks.len()).rev() {
        let start = latest[number] - weights[number];
        for &on in waits.first(number) {
            latest[on] = latest[on].min(start);
        }
        tasks[number].slack = start - earliest[number];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        action::Action,
        id::HostId,
        plan::task::{Tasks, task},
        stack::{Condition, PullPolicy},
    };
    use proptest::prelude::*;

    fn tasks(given: &[(TaskType, &[usize])]) -> Vec<PlannedTask> {
        let action = |kind: TaskType| match kind {
            TaskType::Pull => Action::Pull { image: "x".to_owned(), platform: None, policy: PullPolicy::Always },
            TaskType::Check => Action::Check { name: "x".to_owned(), condition: Condition::Healthy },
            _ => Action::Start { name: "x".to_owned() },
        };
        let mut made = Tasks::default();
        for (number, (kind, first)) in given.iter().enumerate() {
            made.add(task(&*number.to_string(), action(*kind), &HostId::new("vm1"), ""), first.iter().copied());
        }
        made.finish()
    }

    fn slacks(given: &[(TaskType, &[usize])]) -> Vec<u32> {
        tasks(given).iter().map(|task| task.slack).collect()
    }

    #[test]
    fn the_longest_way_has_no_slack_and_what_stands_beside_it_has_the_rest() {
        use TaskType::{Check, Pull, Start};
        assert!(slacks(&[]).is_empty());
        // pull → start → check → start is 27; a start of 1 beside the pull, and one that nothing waits for.
        let given: [(TaskType, &[usize]); 6] =
            [(Pull, &[]), (Start, &[]), (Start, &[0, 1]), (Check, &[2]), (Start, &[3]), (Start, &[])];
        assert_eq!(slacks(&given), [0, 19, 0, 0, 0, 26]);
    }

    /// The length of the longest way when each task takes its weight and some more.
    fn length(tasks: &[PlannedTask], more: impl Fn(usize) -> u32) -> u32 {
        let mut ends: Vec<u32> = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            let start = task.depends_on.iter().map(|id| ends[id.as_str().parse::<usize>().unwrap()]).max().unwrap_or(0);
            ends.push(start + weight(task.action.task_type()) + more(number));
        }
        ends.into_iter().max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn a_task_may_take_longer_by_its_slack_and_not_by_more(
            given in proptest::collection::vec((0..3_usize, proptest::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..20),
        ) {
            let kinds = [TaskType::Pull, TaskType::Check, TaskType::Start];
            let first: Vec<Vec<usize>> = given.iter().enumerate()
                .map(|(number, (_, on))| if number == 0 { Vec::new() } else { on.iter().map(|on| on.index(number)).collect() })
                .collect();
            let given: Vec<(TaskType, &[usize])> =
                given.iter().zip(&first).map(|((kind, _), first)| (kinds[*kind], first.as_slice())).collect();
            let tasks = tasks(&given);
            let whole = length(&tasks, |_| 0);
            for (late, task) in tasks.iter().enumerate() {
                let delayed = |by: u32| length(&tasks, move |number| if number == late { by } else { 0 });
                prop_assert_eq!(delayed(task.slack), whole);
                prop_assert_eq!(delayed(task.slack + 1), whole + 1);
            }
        }
    }
}
