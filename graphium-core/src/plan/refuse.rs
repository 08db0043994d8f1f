//! Saying that a container has no place: why, host by host, and what might help.

use super::{
    members::Member,
    place::{LISTED, Placer, Reasons, Wanting},
    propose::{Asking, Proposal, best},
    reasons::{Reason, host_by_host},
    room::Refusal,
    subject,
};
use crate::{
    diagnostic::{Diagnostic, Property, Subject},
    id::HostId,
    stack::Mode,
    suggest,
};
use std::collections::BTreeSet;

/// More hosts than these are counted where all that are known are listed.
const KNOWN: usize = 20;

/// What is advised where no change is known to help.
const OTHERWISE: &str = "add a host, ask for less, or bind containers to hosts with `locatedInHost`";

impl<'a> Placer<'a, '_> {
    /// Takes an error down, and gives its number if it is listed.
    pub(super) fn refuse(&mut self, error: impl FnOnce() -> Diagnostic) -> Option<usize> {
        if self.errors.len() >= LISTED {
            self.unlisted += 1;
            return None;
        }
        self.errors.push(error());
        Some(self.errors.len() - 1)
    }

    /// Whether one more error would be told with its reasons; it is counted if not.
    fn tells(&mut self) -> bool {
        let tells = self.reasons == Reasons::Told && self.errors.len() < LISTED;
        self.unlisted += usize::from(!tells);
        tells
    }

    fn asking(&self) -> Asking<'_, 'a, '_> {
        let together = self.room.stack.deployment.mode == Mode::SingleHost;
        Asking { room: &self.room, placed: &self.placed, together }
    }

    pub(super) fn refuse_unknown(&mut self, number: usize, id: &HostId) {
        if !self.tells() {
            return;
        }
        let known: Vec<&str> = self.room.hosts.list.iter().map(|site| site.host.id.as_str()).collect();
        let help = known_hosts(id, &known);
        let message = format!("`{}` is to run on the host `{id}`, which is not known", self.name(number));
        let subject = subject::of(self.definition(number), Property::Host);
        self.refuse(|| Diagnostic::error("unknown-host", "", message).with_help(help).about(subject));
    }

    pub(super) fn refuse_without_datacenter(&mut self) {
        let known: BTreeSet<&str> = self.room.hosts.list.iter().filter_map(|site| site.datacenter).collect();
        let help = listed("datacenter", &known.into_iter().collect::<Vec<_>>());
        self.refuse(|| missing_datacenter().with_help(help));
    }

    /// `closed` is why the host takes nothing at all.
    pub(super) fn refuse_bound(&mut self, number: usize, host: usize, closed: Option<Refusal<'a>>) {
        if !self.tells() {
            return;
        }
        let refusals: Vec<_> = closed.into_iter().chain(self.room.refusals(number, host, None)).collect();
        let code = match refusals.as_slice() {
            [Refusal::Port { .. }, ..] => "host-port-clash",
            _ => "host-unsuitable",
        };
        let words = self.words(&refusals);
        let message = format!("`{}` is bound to the host `{}`, which {words}", self.name(number), self.host_name(host));
        let mut proposal = Proposal::on(host);
        let answered = self.asking().answer(&mut proposal, number, host, &refusals);
        let fewer = self.asking().fewer_replicas(number).map(Proposal::of);
        let proposals = best(answered.map(|()| proposal).into_iter().collect(), fewer);
        let property = refusals.first().map_or(Some(Property::Host), |first| subject::of_refusal(first));
        let subject = subject::of(self.definition(number), property.unwrap_or(Property::Host));
        self.want(Diagnostic::error(code, "", message).about(subject), vec![number], proposals);
    }

    pub(super) fn refuse_everywhere(&mut self, number: usize) {
        if !self.tells() {
            return;
        }
        let (mut reasons, mut proposals, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for host in 0..self.room.hosts.list.len() {
            let status = self.status(host);
            let refusals: Vec<_> = status.into_iter().chain(self.room.refusals(number, host, self.within)).collect();
            // Of a host that takes nothing at all the rest is of no interest.
            let told = if status.is_some() { &refusals[..1] } else { &refusals[..] };
            reasons.extend(self.reason(host, told, String::new()));
            subjects.extend(told.first().and_then(|refusal| self.subject(number, refusal)));
            let mut proposal = Proposal::on(host);
            if self.asking().answer(&mut proposal, number, host, &refusals).is_some() {
                proposals.push(proposal);
            }
        }
        let message = format!("`{}` fits on no host: {}", self.name(number), host_by_host(reasons));
        let asking = self.asking();
        let elsewhere = asking.fewer_replicas(number).into_iter().chain(asking.new_host(&[number], self.within));
        let proposals = best(proposals, elsewhere.map(Proposal::of).collect::<Vec<_>>());
        let subject = subject::common(subjects).unwrap_or_else(|| subject::of(self.definition(number), None));
        self.want(Diagnostic::error("no-eligible-host", "", message).about(subject), vec![number], proposals);
    }

    /// None of these hosts takes all of these members.
    pub(super) fn refuse_together(&mut self, free: &[usize], candidates: &[usize]) {
        if !self.tells() {
            return;
        }
        let (mut reasons, mut proposals, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        let is_bound = self.placed.iter().any(Option::is_some);
        for host in 0..self.room.hosts.list.len() {
            if is_bound && !candidates.contains(&host) {
                continue;
            }
            let status = self.status(host).filter(|_| !is_bound);
            match status {
                Some(status) => reasons.extend(self.reason(host, &[status], String::new())),
                None => {
                    if let Err((number, refusal)) = self.try_together(free, host) {
                        let for_whom = format!(" for `{}`", self.name(number));
                        reasons.extend(self.reason(host, &[refusal], for_whom));
                        subjects.extend(self.subject(number, &refusal));
                    }
                }
            }
            proposals.extend(self.proposal_together(free, host, status));
        }
        let message = format!("no host takes all containers of the stack: {}", host_by_host(reasons));
        let new_host = self.asking().new_host(free, self.within).filter(|_| !is_bound);
        let proposals = best(proposals, new_host.map(Proposal::of));
        let subject = subject::common(subjects).unwrap_or_else(|| Subject::stack().property(Property::Mode));
        self.want(Diagnostic::error("no-eligible-host", "", message).about(subject), free.to_vec(), proposals);
    }

    /// What has to change for a host to take all of these, one after the other.
    fn proposal_together(&mut self, free: &[usize], host: usize, status: Option<Refusal<'a>>) -> Option<Proposal> {
        let mut proposal = Proposal::on(host);
        let mut answered = Some(());
        for (done, &number) in free.iter().enumerate() {
            let first = status.filter(|_| done == 0);
            let refusals: Vec<_> = first.into_iter().chain(self.room.refusals(number, host, self.within)).collect();
            answered = answered.and_then(|()| self.asking().answer(&mut proposal, number, host, &refusals));
            self.room.occupy_as_proposed(number, host, &refusals);
            self.placed[number] = Some(host);
        }
        // How full the host is matters to nobody after this; who has its ports would, and who is placed does.
        for &number in free {
            self.room.vacate(number, host);
            self.placed[number] = None;
        }
        answered.map(|()| proposal)
    }

    fn status(&self, host: usize) -> Option<Refusal<'a>> {
        let site = &self.room.hosts.list[host];
        (!site.is_active()).then_some(Refusal::Status(site.host.status))
    }

    fn words(&self, refusals: &[Refusal<'_>]) -> String {
        let words: Vec<String> = refusals.iter().map(|refusal| self.room.words(*refusal)).collect();
        words.join(" and ")
    }

    fn reason(&self, host: usize, refusals: &[Refusal<'_>], more: String) -> Option<Reason<'a>> {
        let kind = refusals.first()?.kind();
        let host = &self.room.hosts.list[host].host.id;
        Some(Reason { host, words: self.words(refusals) + &more, kind })
    }

    /// What of a container a refusal is about, if the document says it.
    fn subject(&self, number: usize, refusal: &Refusal<'_>) -> Option<Subject> {
        Some(subject::of(self.definition(number), subject::of_refusal(refusal)?))
    }

    fn want(&mut self, error: Diagnostic, members: Vec<usize>, proposals: Vec<Proposal>) {
        if let Some(error) = self.refuse(|| error.with_help(OTHERWISE)) {
            self.wanting.push(Wanting { error, members, proposals });
        }
    }
}

/// A container that nobody may place.
pub(super) fn no_host(member: &Member<'_>) -> Diagnostic {
    let message = format!("`{}` names no host, and the placement strategy is `manual`", member.name);
    Diagnostic::error("no-host", "", message)
        .with_help("add `locatedInHost`, or use another `placementStrategy`")
        .about(subject::of(member.definition, None))
}

/// A strategy that lacks what it goes by.
pub(super) fn missing_datacenter() -> Diagnostic {
    let message = "the placement strategy `datacenter` needs a `targetDatacenter`";
    Diagnostic::error("missing-datacenter", "", message)
        .with_help("add `targetDatacenter`")
        .about(Subject::stack().property(Property::PlacementStrategy))
}

/// Two containers that are to share a host, and where each is bound to.
pub(super) fn host_conflict(one: (&Member<'_>, &HostId), other: (&Member<'_>, &HostId)) -> Diagnostic {
    let ((first, host), (second, elsewhere)) = (one, other);
    let message = format!(
        "`{}` is bound to `{host}` and `{}` to `{elsewhere}`, but the mode is `single-host`",
        first.name, second.name
    );
    Diagnostic::error("host-conflict", "", message)
        .with_help("name one host, or use the mode `multi-host`")
        .about(subject::of(second.definition, Property::Host))
}

/// What was probably meant by a host that is not known, and those that are.
pub(super) fn known_hosts(unknown: &HostId, known: &[&str]) -> String {
    let near = suggest::nearest(unknown.as_str(), known.iter().copied());
    near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default() + &listed("host", known)
}

/// All that are known of something, or the first of them.
fn listed(what: &str, known: &[&str]) -> String {
    match known.len() {
        0 => format!("no {what} is known"),
        1..=KNOWN => format!("known {what}s: {}", known.join(", ")),
        more => format!("known {what}s: {} and {} more", known[..KNOWN].join(", "), more - KNOWN),
    }
}
