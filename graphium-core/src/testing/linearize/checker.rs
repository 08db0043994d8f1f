//! The checker: Wing and Gong's search, with Lowe's memory of what was tried.

use std::collections::HashMap;

/// What a thing is that operations act on, one after the other.
pub trait Model {
    /// Where it stands.
    type State: Clone + PartialEq;
    /// An operation with what it was answered.
    type Operation;

    /// Where it stands at first.
    fn initial(&self) -> Self::State;

    /// Where it stands after an operation; `None` when the answer is impossible in this state.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// An operation and when it was under way. All moments of a history differ, but for ends that never came: [`u64::MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// When it was asked for.
    pub begin: u64,
    /// When it was answered.
    pub end: u64,
    /// What it was.
    pub operation: T,
}

/// What the checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It could have happened one after the other.
    Linearizable,
    /// It could not; these operations, by their place in the history, were the most that fit, in an order in which they do.
    NotLinearizable(Vec<usize>),
    /// Too much to try.
    Unknown,
}

/// Looks for an order of the operations that keeps to real time and to the model, in at most `budget` steps.
///
/// One that was never answered (its end is [`u64::MAX`]) may have happened at any time since it began, or not at all: it is
/// given a place only where it changes something and no answered one fits.
pub fn check<M: Model>(model: &M, history: &[Timed<M::Operation>], budget: usize) -> Verdict {
    let is_answered = |operation: usize| history.get(operation).is_some_and(|timed| timed.end != u64::MAX);
    let mut timeline = Timeline::of(history);
    let mut state = model.initial();
    let mut done = Set::empty(history.len());
    let mut tried: HashMap<Set, Vec<M::State>> = HashMap::new();
    // Operations that were put in order, each with the state before it.
    let mut order: Vec<(usize, M::State)> = Vec::new();
    let mut best = Vec::new();
    let mut left = (0..history.len()).filter(|operation| is_answered(*operation)).count();
    let mut entry = timeline.first();
    let mut among_answered = true;
    for _ in 0..budget {
        if left == 0 {
            return Verdict::Linearizable;
        }
        let Some((event, operation)) = entry.and_then(|event| Some((event, timeline.begin_of(event)?))) else {
            // An answer of one that has no place yet.
            if std::mem::take(&mut among_answered) {
                entry = timeline.first();
                continue;
            }
            // Whatever was put last does not belong there.
            let Some((last, before)) = order.pop() else { return Verdict::NotLinearizable(best) };
            state = before;
            done.remove(last);
            timeline.put_back(last);
            among_answered = is_answered(last);
            left += usize::from(among_answered);
            entry = timeline.after_begin_of(last);
            continue;
        };
        let asked = history.get(operation).filter(|_| is_answered(operation) == among_answered);
        let next = asked.and_then(|timed| model.step(&state, &timed.operation));
        let next = next.filter(|next| among_answered || *next != state);
        let next = next.filter(|next| is_new(&mut tried, &done.with(operation), next));
        match next {
            Some(next) => {
                order.push((operation, std::mem::replace(&mut state, next)));
                done.insert(operation);
                timeline.take_out(operation);
                left -= usize::from(among_answered);
                if order.len() > best.len() {
                    best = order.iter().map(|(operation, _)| *operation).collect();
                }
                entry = timeline.first();
                among_answered = true;
            }
            None => entry = timeline.next(event),
        }
    }
    Verdict::Unknown
}

/// Whether these operations have not led to this state before.
fn is_new<S: Clone + PartialEq>(tried: &mut HashMap<Set, Vec<S>>, done: &Set, state: &S) -> bool {
    let states = tried.entry(done.clone()).or_default();
    let is_new = !states.contains(state);
    if is_new {
        states.push(state.clone());
    }
    is_new
}

/// Some operations of a history, by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Set(Vec<u64>);

impl Set {
    fn empty(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn remove(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    fn with(&self, number: usize) -> Self {
        let mut set = self.clone();
        set.insert(number);
        set
    }
}

/// Begins and ends of operations in the order of time, as a list from which operations are taken and put back.
///
/// The list has a head at place 0; the event `n` of the history stands at place `n + 1`.
struct Timeline {
    next: Vec<usize>,
    previous: Vec<usize>,
    /// The operation that begins at a place.
    begins: Vec<Option<usize>>,
    /// Where each operation begins and ends.
    places: Vec<(usize, usize)>,
}

impl Timeline {
    fn of<T>(history: &[Timed<T>]) -> Self {
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(history.len() * 2);
        for (number, timed) in history.iter().enumerate() {
            events.push((timed.begin, false, number));
            events.push((timed.end, true, number));
        }
        events.sort_unstable();
        let size = events.len() + 1;
        let mut begins = vec![None; size];
        let mut places = vec![(0, 0); history.len()];
        for (place, (_, is_end, number)) in (1..).zip(events) {
            if is_end {
                places[number].1 = place;
            } else {
                begins[place] = Some(number);
                places[number].0 = place;
            }
        }
        let next = (1..=size).map(|place| place % size).collect();
        let previous = (0..size).map(|place| (place + size - 1) % size).collect();
        Self { next, previous, begins, places }
    }

    fn first(&self) -> Option<usize> {
        self.next(0)
    }

    fn next(&self, place: usize) -> Option<usize> {
        Some(self.next[place]).filter(|next| *next != 0)
    }

    fn begin_of(&self, place: usize) -> Option<usize> {
        self.begins[place]
    }

    fn after_begin_of(&self, operation: usize) -> Option<usize> {
        self.next(self.places[operation].0)
    }

    fn take_out(&mut self, operation: usize) {
        let (begin, end) = self.places[operation];
        for place in [begin, end] {
            let (before, after) = (self.previous[place], self.next[place]);
            self.next[before] = after;
            self.previous[after] = before;
        }
    }

    /// Undoes the last [`take_out`](Self::take_out), step by step in reverse.
    fn put_back(&mut self, operation: usize) {
        let (begin, end) = self.places[operation];
        for place in [end, begin] {
            let (before, after) = (self.previous[place], self.next[place]);
            self.next[before] = place;
            self.previous[after] = place;
        }
    }
}
