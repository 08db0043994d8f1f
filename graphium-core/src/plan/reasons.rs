//! Why no host takes a container, host by host, in a message of bounded length.

use crate::id::HostId;
use indexmap::IndexMap;

/// So many different reasons are told in full; beyond them hosts are counted by the kind of reason.
const TOLD: usize = 8;
/// So many hosts of one reason are named; beyond them they are counted.
const NAMED: usize = 3;

/// What stands against one host.
#[derive(Debug)]
pub(super) struct Reason<'a> {
    pub(super) host: &'a HostId,
    /// In words that follow the host's name.
    pub(super) words: String,
    /// The kind, in words that follow a number of hosts.
    pub(super) kind: &'static str,
}

/// Hosts of the same reason together, in the order in which the reasons come.
pub(super) fn host_by_host(reasons: Vec<Reason<'_>>) -> String {
    if reasons.is_empty() {
        return "no host is known".to_owned();
    }
    let mut groups: IndexMap<String, (&'static str, Vec<&HostId>)> = IndexMap::new();
    for reason in reasons {
        groups.entry(reason.words).or_insert_with(|| (reason.kind, Vec::new())).1.push(reason.host);
    }
    let told = groups.iter().take(TOLD).map(|(words, (_, hosts))| format!("{} {words}", named(hosts)));
    let mut told: Vec<String> = told.collect();
    let mut counted: IndexMap<&'static str, usize> = IndexMap::new();
    for (kind, hosts) in groups.values().skip(TOLD) {
        *counted.entry(kind).or_default() += hosts.len();
    }
    if !counted.is_empty() {
        let kinds: Vec<String> =
            counted.iter().map(|(kind, count)| format!("{count} {}", agreeing(kind, *count))).collect();
        told.push(format!("of {} more {}", counted.values().sum::<usize>(), kinds.join(", ")));
    }
    told.join("; ")
}

/// A kind of refusal after a number of hosts.
fn agreeing(kind: &str, count: usize) -> String {
    match kind.split_once(' ') {
        Some(("have", rest)) if count == 1 => format!("has {rest}"),
        Some(("are", rest)) if count == 1 => format!("is {rest}"),
        Some((verb, rest)) if count == 1 => format!("{verb}s {rest}"),
        _ => kind.to_owned(),
    }
}

fn named(hosts: &[&HostId]) -> String {
    if let [host] = hosts {
        return format!("`{host}`");
    }
    let names: Vec<String> = hosts.iter().take(NAMED).map(|host| format!("`{host}`")).collect();
    match hosts.len().saturating_sub(NAMED) {
        0 => format!("each of {}", names.join(", ")),
        more => format!("each of {} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: usize, words: impl Fn(usize) -> String) -> String {
        let ids: Vec<HostId> = (0..count).map(|number| HostId::new(format!("vm{number}"))).collect();
        let reason = |(number, host)| Reason { host, words: words(number), kind: "lack something" };
        host_by_host(ids.iter().enumerate().map(reason).collect())
    }

    #[test]
    fn hosts_of_one_reason_are_told_together() {
        assert_eq!(told(0, |_| String::new()), "no host is known");
        assert_eq!(told(1, |_| "is offline".to_owned()), "`vm0` is offline");
        let parity = |number: usize| if number.is_multiple_of(2) { "is even".to_owned() } else { "is odd".to_owned() };
        assert_eq!(told(4, parity), "each of `vm0`, `vm2` is even; each of `vm1`, `vm3` is odd");
        assert_eq!(told(1000, |_| "is offline".to_owned()), "each of `vm0`, `vm1`, `vm2` and 997 more is offline");
    }

    #[test]
    fn a_kind_of_reason_agrees_with_the_number_of_hosts() {
        for (many, one) in [
            ("have the port taken", "has the port taken"),
            ("are in another datacenter", "is in another datacenter"),
            ("lack a label", "lacks a label"),
        ] {
            assert_eq!((agreeing(many, 1).as_str(), agreeing(many, 2).as_str()), (one, many));
        }
    }

    #[test]
    fn many_different_reasons_are_counted_by_kind() {
        let text = told(1000, |number| format!("has {number} of 9"));
        assert!(text.starts_with("`vm0` has 0 of 9; `vm1` has 1 of 9; "), "{text}");
        assert!(text.ends_with("`vm7` has 7 of 9; of 992 more 992 lack something"), "{text}");
        assert!(told(8, |number| format!("has {number}")).ends_with("`vm7` has 7"));
    }
}
