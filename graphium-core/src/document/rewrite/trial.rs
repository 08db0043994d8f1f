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
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

/// What every variable is in one reading.
#[derive(Clone, Debug)]
pub(super) enum Trial {
    /// Not set, so that defaults hold.
    Unset,
    /// This.
    All(&'static str),
    /// A number of its own for each.
    Distinct,
    /// One of [`WORDS`], by its number, and a number of its own for each of the others.
    Words(HashMap<String, usize>),
}

/// What variables may stand for where numbers and flags are not taken: at least one word of every table of words, and
/// one text of every form. Those that fit most places come first.
const WORDS: [&str; 23] = [
    "true",
    "1",
    "no",
    "tcp",
    "volume",
    "started",
    "always",
    "/a",
    "10.0.0.1",
    "10.0.0.0/8",
    "http",
    "exec",
    "multi-host",
    "host-port",
    "spread",
    "stop-first",
    "rollback",
    "rprivate",
    "none",
    "512M",
    "SIGTERM",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// How the new text reads beside the old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Same,
    Different,
    /// The old text reads in no trial.
    Impossible,
}

/// The readings that a document takes: one is enough where nothing varies.
pub(super) fn trials(text: &str) -> Vec<Trial> {
    if !text.contains("${") {
        return vec![Trial::Unset];
    }
    vec![Trial::Distinct, Trial::All("1"), Trial::All("0"), Trial::All("true"), Trial::Unset]
}

/// The document as it reads in a trial.
fn read(root: Node<'_>, trial: &Trial) -> (Option<Document>, Findings) {
    let names: RefCell<Vec<String>> = RefCell::default();
    let word = |name: &str| match trial {
        Trial::Words(chosen) => chosen.get(name).and_then(|number| WORDS.get(*number)).copied(),
        _ => None,
    };
    let variables = |name: &str| match (trial, word(name)) {
        (Trial::Unset, _) => None,
        (Trial::All(value), _) => Some((*value).to_owned()),
        (_, Some(word)) => Some(word.to_owned()),
        (Trial::Distinct | Trial::Words(_), None) => {
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
        let mut findings = read(root, trial).1;
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

/// Reads the new text in every trial that the old one reads in.
pub(super) fn compare(root: Node<'_>, formatted: &str, trials: &[Trial]) -> Comparison {
    let Ok((value, map)) = syntax::parse(formatted) else { return Comparison::Different };
    let again = Node::root(&value, &map);
    let mut told: Vec<bool> = trials.iter().filter_map(|trial| reads_the_same(root, again, trial)).collect();
    if told.is_empty() {
        told.extend(fitting(root).and_then(|trial| reads_the_same(root, again, &trial)));
    }
    if told.contains(&false) || mistakes(again, trials).has_errors() {
        return Comparison::Different;
    }
    if told.is_empty() { Comparison::Impossible } else { Comparison::Same }
}

/// Whether both read to the same; `None` where the old one does not read.
fn reads_the_same(root: Node<'_>, again: Node<'_>, trial: &Trial) -> Option<bool> {
    let (before, findings) = read(root, trial);
    if findings.has_errors() {
        return None;
    }
    let (after, findings) = read(again, trial);
    let (Some(before), Some(after)) = (before, after) else { return Some(false) };
    Some(!findings.has_errors() && before.stack == after.stack && before.options == after.options)
}

/// A trial that the document reads in: the variables of every text that is refused take the next word, until all fit.
fn fitting(root: Node<'_>) -> Option<Trial> {
    let mut texts = HashMap::new();
    names(root, &mut texts);
    let mut chosen: HashMap<String, usize> = HashMap::new();
    // Every round takes at least one word from a finite list, and all that can be changed together are.
    for _ in 0..=WORDS.len() {
        let trial = Trial::Words(chosen.clone());
        let findings = read(root, &trial).1;
        if !findings.has_errors() {
            return Some(trial);
        }
        let refused: HashSet<&String> =
            findings.errors().filter_map(|(_, _, index)| texts.get(&index)).flatten().collect();
        if refused.is_empty() {
            return None;
        }
        for name in refused {
            chosen.entry(name.clone()).and_modify(|number| *number += 1).or_insert(0);
        }
    }
    None
}

/// The names of the variables of each text, by its number.
fn names(node: Node<'_>, found: &mut HashMap<usize, Vec<String>>) {
    if let Some(text) = node.as_str().filter(|text| variables::is_used_in(text)) {
        let used: RefCell<Vec<String>> = RefCell::default();
        let note = |name: &str| {
            used.borrow_mut().push(name.to_owned());
            Some("1".to_owned())
        };
        // What cannot be filled in is a mistake that is told elsewhere.
        let _ = variables::fill(text, &note);
        found.insert(node.index(), used.into_inner());
    }
    node.elements().for_each(|element| names(element, found));
    node.members().for_each(|member| names(member.value, found));
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
