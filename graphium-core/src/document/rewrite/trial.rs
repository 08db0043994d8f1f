//! Reading a document without knowing its variables: several times, with different values for them.
//!
//! A mistake that is there whatever the variables are is the document's own. One that comes and goes with them is not.

use super::super::{
    Findings, ReadContext,
    code::Code,
    node::Node,
    read::{self, Document},
    syntax, variables,
};
use std::{cell::RefCell, collections::HashSet};

/// What every variable is in one reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trial {
    /// Not set, so that defaults hold.
    Unset,
    /// This.
    All(&'static str),
    /// A number of its own for each.
    Distinct,
}

/// The readings that a document takes: one is enough where nothing varies.
pub(super) fn trials(text: &str) -> Vec<Trial> {
    if !text.contains("${") {
        return vec![Trial::Unset];
    }
    vec![Trial::Distinct, Trial::All("1"), Trial::All("0"), Trial::All("true"), Trial::Unset]
}

/// The document as it reads in a trial.
fn read(root: Node<'_>, trial: Trial) -> (Option<Document>, Findings) {
    let names: RefCell<Vec<String>> = RefCell::default();
    let variables = |name: &str| match trial {
        Trial::Unset => None,
        Trial::All(value) => Some(value.to_owned()),
        Trial::Distinct => {
            let mut names = names.borrow_mut();
            let known = names.iter().position(|known| known == name);
            let number = known.unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            // Ports are the smallest of what variables stand for, and low ones stand in documents.
            Some((20_000 + number % 40_000).to_string())
        }
    };
    let mut findings = Findings::default();
    syntax::inspect(root, &mut findings);
    read::document(root, &ReadContext::new(&variables), findings)
}

/// The errors that every trial has, none that is about the value of a variable.
pub(super) fn mistakes(root: Node<'_>, trials: &[Trial]) -> Findings {
    let mut common = Findings::default();
    for (number, trial) in trials.iter().enumerate() {
        let mut findings = read(root, *trial).1;
        if number == 0 {
            let mut varying = HashSet::new();
            collect(root, &mut varying);
            findings.retain_errors(|code, _, index| !(is_about_a_value(code) && varying.contains(&index)));
            common = findings;
        } else {
            let also: HashSet<(Code, usize, usize)> = findings.errors().collect();
            common.retain_errors(|code, mark, index| also.contains(&(code, mark, index)));
        }
    }
    common.only_errors();
    common
}

/// Whether the new text reads to the same in every trial that the document reads in at all.
pub(super) fn same(root: Node<'_>, formatted: &str, trials: &[Trial]) -> bool {
    let Ok((value, map)) = syntax::parse(formatted) else { return false };
    let again = Node::root(&value, &map);
    let equal = trials.iter().all(|trial| {
        let (before, findings) = read(root, *trial);
        if findings.has_errors() {
            return true;
        }
        let (after, findings) = read(again, *trial);
        let (Some(before), Some(after)) = (before, after) else { return false };
        !findings.has_errors() && before.stack == after.stack && before.options == after.options
    });
    equal && !mistakes(again, trials).has_errors()
}

/// The numbers of the texts that hold variables.
fn collect(node: Node<'_>, found: &mut HashSet<usize>) {
    if node.as_str().is_some_and(variables::is_used_in) {
        found.insert(node.index());
    }
    node.elements().for_each(|element| collect(element, found));
    node.members().for_each(|member| collect(member.value, found));
}

/// Codes that say of a value that it is not one of those that the key takes.
fn is_about_a_value(code: Code) -> bool {
    matches!(
        code,
        Code::UnsetVariable
            | Code::UnknownValue
            | Code::UnknownRestartPolicy
            | Code::BadPort
            | Code::BadNumber
            | Code::BadSize
            | Code::BadDuration
            | Code::BadName
            | Code::BadAddress
            | Code::BadPath
            | Code::BadForm
            | Code::UnclosedQuote
            | Code::UnresolvedReference
            | Code::AmbiguousReference
            | Code::HostConflict
            | Code::PortMismatch
            | Code::MissingImage
    )
}
