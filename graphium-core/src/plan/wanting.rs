//! Containers that have no place: which, for what reasons, and what might help them.

use super::{members::Members, propose::Proposal, warn::names};
use std::sync::Arc;

/// Containers without a host, told of in one error, and what might help them.
#[derive(Debug)]
pub(super) struct Wanting {
    /// The number of the error that tells of them.
    pub(super) error: usize,
    /// The numbers of the members: all replicas of a container that find no place.
    pub(super) members: Vec<usize>,
    pub(super) plight: Plight,
    /// The smallest first.
    pub(super) proposals: Vec<Proposal>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plight {
    /// Something of these containers, in words that follow their names: `is`, `are`, `bound to the host …`.
    Of { one: &'static str, many: &'static str, rest: String },
    /// Something of the stack, in a sentence.
    All(String),
}

impl Plight {
    /// The message for these members.
    pub(super) fn told_of(&self, members: &Members<'_>, numbers: &[usize]) -> String {
        match self {
            Self::Of { one, many, rest } => {
                let verb = if numbers.len() == 1 { one } else { many };
                format!("{} {verb} {rest}", who(members, numbers))
            }
            Self::All(sentence) => sentence.clone(),
        }
    }
}

fn who(members: &Members<'_>, numbers: &[usize]) -> String {
    let definition = |number: &usize| members.list[*number].definition;
    let is_one =
        |numbers: &[usize]| numbers.windows(2).all(|pair| Arc::ptr_eq(definition(&pair[0]), definition(&pair[1])));
    if let ([first, _, ..], true) = (numbers, is_one(numbers)) {
        let definition = definition(first);
        let all = definition.replicas.unwrap_or(1) as usize;
        let part = if numbers.len() == all { String::new() } else { format!("{} of ", numbers.len()) };
        return format!("{part}the {all} replicas of `{}`", definition.name);
    }
    names(members, numbers)
}
