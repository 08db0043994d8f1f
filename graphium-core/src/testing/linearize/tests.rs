use super::{Model, Settings, Tally, Timed, Verdict, check, check_histories};
use crate::{
    store::{MemoryStore, TaskStore},
    testing::store_suite::{Sabotage, Saboteur, Stop},
};
use futures::executor::block_on;
use std::sync::Arc;

/// A register: what was read must be what was written last.
struct Register;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Write(u8),
    Read(u8),
}
use Call::{Read, Write};

impl Model for Register {
    type State = u8;
    type Operation = Call;

    fn initial(&self) -> u8 {
        0
    }

    fn step(&self, state: &u8, call: &Call) -> Option<u8> {
        match call {
            Write(value) => Some(*value),
            Read(value) => (value == state).then_some(*value),
        }
    }
}

fn history(calls: &[(u64, u64, Call)]) -> Vec<Timed<Call>> {
    calls.iter().map(|(begin, end, operation)| Timed { begin: *begin, end: *end, operation: *operation }).collect()
}

fn verdict(calls: &[(u64, u64, Call)]) -> Verdict {
    check(&Register, &history(calls), 100_000)
}

#[test]
fn what_happened_one_after_the_other_is_linearizable() {
    assert_eq!(verdict(&[]), Verdict::Linearizable);
    assert_eq!(verdict(&[(0, 1, Read(0)), (2, 3, Write(1)), (4, 5, Read(1))]), Verdict::Linearizable);
}

#[test]
fn what_overlaps_may_have_happened_in_any_order() {
    for seen in [0, 1] {
        assert_eq!(verdict(&[(0, 3, Write(1)), (1, 2, Read(seen))]), Verdict::Linearizable);
    }
    // The second write took effect before the first.
    let calls = [(0, 9, Write(1)), (1, 8, Write(2)), (2, 3, Read(2)), (4, 5, Read(1)), (10, 11, Read(1))];
    assert_eq!(verdict(&calls), Verdict::Linearizable);
}

#[test]
fn a_read_of_what_was_overwritten_before_it_began_is_found() {
    let calls = [(0, 1, Write(1)), (2, 3, Write(2)), (4, 5, Read(1))];
    assert_eq!(verdict(&calls), Verdict::NotLinearizable(vec![0, 1]));
}

#[test]
fn a_value_that_was_seen_and_is_gone_again_is_found() {
    // Each read alone could be, while the write is under way; not both in this order.
    let calls = [(0, 9, Write(1)), (1, 2, Read(1)), (3, 4, Read(0))];
    assert!(matches!(verdict(&calls), Verdict::NotLinearizable(_)));
    let calls = [(0, 9, Write(1)), (1, 2, Read(0)), (3, 4, Read(1))];
    assert_eq!(verdict(&calls), Verdict::Linearizable);
}

#[test]
fn two_who_see_two_orders_are_found() {
    let calls = [(0, 20, Write(1)), (1, 21, Write(2)), (2, 3, Read(1)), (4, 5, Read(2)), (6, 7, Read(1))];
    assert!(matches!(verdict(&calls), Verdict::NotLinearizable(_)));
}

#[test]
fn what_was_never_answered_may_have_happened_or_not() {
    for seen in [0, 1] {
        assert_eq!(verdict(&[(0, u64::MAX, Write(1)), (1, 2, Read(0)), (3, 4, Read(seen))]), Verdict::Linearizable);
    }
    assert!(matches!(verdict(&[(3, u64::MAX, Write(1)), (1, 2, Read(1))]), Verdict::NotLinearizable(_)));
}

#[test]
fn many_that_were_never_answered_are_decided_in_few_steps() {
    let lost = |number: u8| (number.into(), u64::MAX, Write(1 + number));
    let reads = [Read(0), Read(7), Read(7), Read(30)];
    let mut calls: Vec<_> = (0..40).map(lost).collect();
    calls.extend((100..).step_by(2).zip(reads).map(|(moment, read)| (moment, moment + 1, read)));
    assert_eq!(check(&Register, &history(&calls), 1000), Verdict::Linearizable);
    calls.push((200, 201, Read(0)));
    assert!(!matches!(check(&Register, &history(&calls), 1000), Verdict::Linearizable));
}

#[test]
fn too_much_to_try_is_said() {
    // Writes that all overlap, and a read of none of them: every order has to be tried.
    let mut calls: Vec<_> =
        (0..12).map(|number| (number, 100 + number, Write(1 + u8::try_from(number).unwrap_or(0)))).collect();
    calls.push((200, 201, Read(0)));
    assert_eq!(check(&Register, &history(&calls), 1000), Verdict::Unknown);
    assert!(matches!(check(&Register, &history(&calls), usize::MAX), Verdict::NotLinearizable(_)));
}

proptest::proptest! {
    /// Clients of a real register, each call taking effect at some moment while it is under way.
    #[test]
    fn a_register_is_linearizable_and_one_that_lies_is_not(
        calls in proptest::collection::vec((0_u64..40, 1_u64..9, 1_u64..9, proptest::option::of((1_u8..4, proptest::bool::ANY))), 1..14),
        liar in 0_usize..5,
    ) {
        // Moments differ: every call has numbers of its own.
        let count = calls.len() as u64;
        let mut effects: Vec<_> = calls.iter().enumerate().map(|(number, (begin, before, after, write))| {
            let place = |moment: u64, kind: u64| (moment * 3 + kind) * count + number as u64;
            (place(*begin, 0), place(begin + before, 1), place(begin + before + after, 2), *write)
        }).collect();
        effects.sort_by_key(|(_, effect, ..)| *effect);
        let mut value = 0;
        let mut history = Vec::new();
        for (begin, _, end, write) in effects {
            history.push(match write {
                Some((written, is_answered)) => {
                    value = written;
                    Timed { begin, end: if is_answered { end } else { u64::MAX }, operation: Write(value) }
                }
                None => Timed { begin, end, operation: Read(value) },
            });
        }
        proptest::prop_assert_eq!(check(&Register, &history, 1_000_000), Verdict::Linearizable);
        if let Some(lie) = history.iter_mut().filter(|timed| matches!(timed.operation, Read(_))).nth(liar) {
            lie.operation = Read(9);
            proptest::prop_assert!(matches!(check(&Register, &history, 1_000_000), Verdict::NotLinearizable(_)));
        }
    }
}

fn run(store: &dyn TaskStore, seeds: std::ops::Range<u64>) -> Result<Tally, Stop> {
    check_histories(store, Settings::default(), seeds, &|work| block_on(work))
}

#[test]
fn broken_stores_are_found() {
    let visible = [
        Sabotage::GrantsTwice,
        Sabotage::ForgetsClaims,
        Sabotage::GrantsEarly,
        Sabotage::IgnoresSessions,
        Sabotage::BelievesStaleReports,
        Sabotage::RenewsLostLeases,
        Sabotage::KeepsCancellationsToItself,
        Sabotage::ExpiresEarly,
        Sabotage::NeverExpires,
        Sabotage::ForgetsEnds,
        Sabotage::SharesGrants,
    ];
    for sabotage in visible {
        let store = Saboteur::new(Arc::new(MemoryStore::new()), sabotage);
        let verdict = run(&store, 0..200);
        assert!(matches!(verdict, Err(Stop::Broken(_))), "{sabotage:?} was not found: {verdict:?}");
    }
}

#[test]
fn a_store_that_is_broken_under_contention_alone_is_found_here_alone() {
    let named = Sabotage::FOUND_BY.iter().filter(|(_, cases)| cases.is_empty());
    assert_eq!(named.map(|(sabotage, _)| *sabotage).collect::<Vec<_>>(), [Sabotage::SharesGrants]);
}
