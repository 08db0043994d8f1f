//! Saying that a container has no place: why, host by host, and what might help.

use super::{
    fix::FixStep,
    members::Member,
    place::Placer,
    propose::{Asking, Proposal, best},
    reasons::{Reason, host_by_host},
    room::Refusal,
    subject,
    wanting::{Plight, Wanting},
};
use crate::{
    diagnostic::{Diagnostic, Property, Subject},
    id::HostId,
    stack::{Container, Mode},
    suggest,
};
use std::collections::BTreeSet;

/// More hosts than these are counted where all that are known are listed.
const KNOWN: usize = 20;

/// What is advised where no change is known to help.
const OTHERWISE: &str = "add a host, ask for less, or bind containers to hosts with `locatedInHost`";
/// The same of a container that is bound to a host.
const OTHERWISE_BOUND: &str = "bind it to another host or to none, ask for less, or make room on that host";

impl<'a> Placer<'a, '_> {
    /// Whether one more error would be told; what it would tell of is counted if not.
    pub(super) fn tells(&mut self) -> bool {
        let tells = self.errors.len() < self.told;
        self.unlisted += usize::from(!tells);
        tells
    }

    /// The same of one member; what its replicas have in common is told once.
    fn tells_of(&mut self, number: usize) -> bool {
        match self.refused.get(&*self.definition(number).name) {
            Some(&told) => {
                self.wanting[told].members.push(number);
                false
            }
            None => self.tells(),
        }
    }

    fn asking(&self) -> Asking<'_, 'a, '_> {
        let together = self.room.stack.deployment.mode == Mode::SingleHost;
        Asking { room: &self.room, placed: &self.placed, together }
    }

    /// It names no host although it must.
    pub(super) fn refuse_unbound(&mut self, number: usize) {
        if !self.tells_of(number) {
            return;
        }
        self.want_as_told(no_host(self.definition(number)), vec![number]);
    }

    pub(super) fn refuse_unknown(&mut self, number: usize, id: &HostId) {
        if !self.tells_of(number) {
            return;
        }
        let known: Vec<&str> = self.room.hosts.list.iter().map(|site| site.host.id.as_str()).collect();
        let plight = of("is", "are", format!("to run on the host `{id}`, which is not known"));
        let error = Diagnostic::error("unknown-host", "", "")
            .with_help(known_hosts(id, &known))
            .about(subject::of(self.definition(number), Property::Host));
        self.want(error, plight, vec![number], Vec::new());
    }

    /// The datacenters of which hosts are known.
    fn datacenters(&self) -> BTreeSet<&'a str> {
        self.room.hosts.list.iter().filter_map(|site| site.datacenter).collect()
    }

    pub(super) fn refuse_without_datacenter(&mut self, free: Vec<usize>) {
        if !self.tells() {
            return;
        }
        let known: Vec<&str> = self.datacenters().into_iter().collect();
        let error = missing_datacenter().with_help(listed("datacenter", &known));
        self.want_as_told(error, free);
    }

    /// No host is in the datacenter that the strategy asks for: one mistake, however many containers there are.
    pub(super) fn refuse_unknown_datacenter(&mut self, wanted: &str, free: Vec<usize>) {
        if !self.tells() {
            return;
        }
        let known = self.datacenters();
        let step = |to: &str| FixStep::Datacenter { container: None, from: wanted.to_owned(), to: to.to_owned() };
        let near = suggest::nearest(wanted, known.iter().copied());
        let others = known.iter().copied().filter(|&name| Some(name) != near);
        let others = near.into_iter().chain(others).map(|to| Proposal::of(step(to)));
        let sites = self.room.hosts.list.iter().enumerate().filter(|(_, site)| site.datacenter.is_none());
        let said = sites.map(|(host, site)| Proposal {
            host: Some(host),
            steps: vec![FixStep::HostDatacenter { host: site.host.id.clone(), to: wanted.to_owned() }],
        });
        let new_host = self.asking().new_host(&free, Some(wanted)).map(Proposal::of);
        let proposals = others.take(KNOWN).chain(said.take(KNOWN)).chain(new_host).collect();
        let known: Vec<&str> = known.into_iter().collect();
        let plight = Plight::All(format!("no known host is in the datacenter `{wanted}`"));
        let error = Diagnostic::error("unknown-datacenter", "", "")
            .with_help(listed("datacenter", &known))
            .about(Subject::stack().property(Property::TargetDatacenter));
        self.want(error, plight, free, proposals);
    }

    /// `closed` is why the host takes nothing at all.
    pub(super) fn refuse_bound(&mut self, number: usize, host: usize, closed: Option<Refusal<'a>>) {
        if !self.tells_of(number) {
            return;
        }
        let refusals: Vec<_> = closed.into_iter().chain(self.room.refusals(number, host, None)).collect();
        let code = match refusals.as_slice() {
            [Refusal::Port { .. }, ..] => "host-port-clash",
            _ => "host-unsuitable",
        };
        let words = self.words(&refusals);
        let plight = of("is", "are", format!("bound to the host `{}`, which {words}", self.host_name(host)));
        let replicas: Vec<usize> = self.asking().unplaced_replicas(number).collect();
        let proposal = self.proposal_together(&replicas, host, closed);
        let fewer = self.asking().fewer_replicas(number).map(Proposal::of);
        let proposals = best(proposal.into_iter().collect(), fewer);
        let property = refusals.first().map_or(Some(Property::Host), |first| subject::of_refusal(first));
        let subject = subject::of(self.definition(number), property.unwrap_or(Property::Host));
        self.want(
            Diagnostic::error(code, "", "").with_help(OTHERWISE_BOUND).about(subject),
            plight,
            vec![number],
            proposals,
        );
    }

    pub(super) fn refuse_everywhere(&mut self, number: usize) {
        if !self.tells_of(number) {
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
        let plight = of("fits", "fit", format!("on no host: {}", host_by_host(reasons)));
        let replicas: Vec<usize> = self.asking().unplaced_replicas(number).collect();
        let proposals = best(proposals, None);
        let mut more = Vec::new();
        // What helps one of several on the host that is nearest to taking it may be done for all of them there.
        if let ([_, _, ..], Some(host)) = (&*replicas, proposals.first().and_then(|proposal| proposal.host)) {
            let status = self.status(host);
            more.extend(self.proposal_together(&replicas, host, status).filter(|proposal| !proposal.starves()));
        }
        let asking = self.asking();
        let elsewhere = asking.fewer_replicas(number).into_iter().chain(asking.new_host(&replicas, self.within));
        more.extend(elsewhere.map(Proposal::of));
        let proposals = best(proposals, more);
        let subject = subject::common(subjects).unwrap_or_else(|| subject::of(self.definition(number), None));
        let error = Diagnostic::error("no-eligible-host", "", "").with_help(OTHERWISE).about(subject);
        self.want(error, plight, vec![number], proposals);
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
        let plight = Plight::All(format!("no host takes all containers of the stack: {}", host_by_host(reasons)));
        let new_host = self.asking().new_host(free, self.within).filter(|_| !is_bound);
        let proposals = best(proposals, new_host.map(Proposal::of));
        let subject = subject::common(subjects).unwrap_or_else(|| Subject::stack().property(Property::Mode));
        let error = Diagnostic::error("no-eligible-host", "", "").with_help(OTHERWISE).about(subject);
        self.want(error, plight, free.to_vec(), proposals);
    }

    /// What has to change for a host to take all of these, one after the other.
    fn proposal_together(&mut self, free: &[usize], host: usize, status: Option<Refusal<'a>>) -> Option<Proposal> {
        let (mut proposal, load) = (Proposal::on(host), self.room.load(host));
        let mut answered = Some(());
        for (done, &number) in free.iter().enumerate() {
            let first = status.filter(|_| done == 0);
            let refusals: Vec<_> = first.into_iter().chain(self.room.refusals(number, host, self.within)).collect();
            answered = answered.and_then(|()| self.asking().answer(&mut proposal, number, host, &refusals));
            self.room.occupy_as_proposed(number, host, &refusals);
            self.placed[number] = Some(host);
        }
        for &number in free {
            self.room.vacate(number, host);
            self.placed[number] = None;
        }
        self.room.restore(host, load);
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

    /// Takes down an error whose message is the same whatever the number of those that it tells of.
    fn want_as_told(&mut self, error: Diagnostic, members: Vec<usize>) {
        let plight = Plight::All(error.message.clone());
        self.want(error, plight, members, Vec::new());
    }

    /// Takes down an error that tells of these members, whose message is made when all of them are known.
    fn want(&mut self, error: Diagnostic, plight: Plight, members: Vec<usize>, proposals: Vec<Proposal>) {
        if let [number] = members[..] {
            self.refused.insert(&self.definition(number).name, self.wanting.len());
        }
        self.wanting.push(Wanting { error: self.errors.len(), members, plight, proposals });
        self.errors.push(error);
    }
}

fn of(one: &'static str, many: &'static str, rest: impl Into<String>) -> Plight {
    Plight::Of { one, many, rest: rest.into() }
}

/// A container that nobody may place.
pub(super) fn no_host(definition: &Container) -> Diagnostic {
    let message = format!("`{}` names no host, and the placement strategy is `manual`", definition.name);
    Diagnostic::error("no-host", "", message)
        .with_help("add `locatedInHost`, or use another `placementStrategy`")
        .about(subject::of(definition, None))
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
