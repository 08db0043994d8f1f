//! Refusals, counted: the first of a kind within a minute is told in full, those after it as a number. Nobody fills the disk with
//! them, and nobody drives out by them what was done before.

use graphium_core::control::{AuditActor, AuditEntry};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    time::Duration,
};

/// For so long those of a kind are one.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// For so long those are one that there was no room to tell apart.
const VARIOUS: Duration = Duration::from_secs(600);
/// Kinds that may be told apart at once by those who are nobody, and by those who are known.
const BURST: f64 = 300.0;
/// In the long run so many more in a second: one in four minutes, and one in a minute.
const ANONYMOUS: f64 = 1.0 / 240.0;
const KNOWN: f64 = 1.0 / 60.0;

/// What was refused lately.
#[derive(Debug)]
pub(super) struct Refusals {
    kinds: HashMap<Kind, Counted>,
    rooms: [Room; 2],
}

/// Entries that differ in their time alone.
#[derive(Debug, PartialEq, Eq)]
struct Kind(AuditEntry);

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let AuditEntry { who, from, operation, method, on, program, status, code, .. } = &self.0;
        (who, from, operation, method, on, program, status, code).hash(state);
    }
}

#[derive(Debug)]
struct Counted {
    /// How many there were after the one that was told.
    more: u64,
    until: Duration,
}

/// Room for kinds, which fills again with time.
#[derive(Debug)]
struct Room {
    left: f64,
    per_second: f64,
    at: Duration,
}

impl Default for Refusals {
    fn default() -> Self {
        let room = |per_second| Room { left: BURST, per_second, at: Duration::ZERO };
        Self { kinds: HashMap::new(), rooms: [room(ANONYMOUS), room(KNOWN)] }
    }
}

impl Room {
    /// Takes room for two entries, the first and the number of those after it, where there is some.
    fn take(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.at);
        self.at = now;
        self.left = (self.left + since.as_secs_f64() * self.per_second).min(BURST);
        if self.left < 2.0 {
            return false;
        }
        self.left -= 2.0;
        true
    }
}

impl Refusals {
    /// Counts a refusal, and gives it back where it is to be told now.
    pub(super) fn note(&mut self, entry: AuditEntry, span: Duration, now: Duration) -> Option<AuditEntry> {
        let kind = Kind(entry);
        if let Some(counted) = self.kinds.get_mut(&kind) {
            counted.more += 1;
            return None;
        }
        let is_known = usize::from(!kind.0.who.is_anonymous());
        if self.rooms.get_mut(is_known).is_some_and(|room| room.take(now)) {
            let told = kind.0.clone();
            self.kinds.insert(kind, Counted { more: 0, until: now + span });
            return Some(told);
        }
        let various = self.kinds.entry(Kind(various(&kind.0)));
        various.or_insert(Counted { more: 0, until: now + VARIOUS }).more += 1;
        None
    }

    /// Takes what has to be told of those whose time is over, or of all.
    pub(super) fn over(&mut self, now: Duration, are_all: bool) -> Vec<AuditEntry> {
        let ended = self.kinds.extract_if(|_, counted| are_all || counted.until <= now);
        ended
            .filter(|(_, counted)| counted.more > 0)
            .map(|(kind, counted)| AuditEntry { times: counted.more, ..kind.0 })
            .collect()
    }

    /// When the time of the next is over.
    pub(super) fn next(&self) -> Option<Duration> {
        self.kinds.values().map(|counted| counted.until).min()
    }
}

/// What stands for all that there is no room to tell apart.
fn various(entry: &AuditEntry) -> AuditEntry {
    let mut who = entry.who.clone();
    if !who.is_anonymous() {
        who = AuditActor { name: "various".to_owned(), user: None, token: None, role: who.role };
    }
    AuditEntry {
        who,
        from: None,
        operation: "various".to_owned(),
        method: String::new(),
        on: None,
        program: None,
        code: None,
        deployment: None,
        ..entry.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::control::Role;
    use jiff::Timestamp;
    use std::net::IpAddr;

    fn refusal(from: u32, operation: &str) -> AuditEntry {
        AuditEntry {
            seq: 0,
            timestamp: Timestamp::UNIX_EPOCH,
            who: AuditActor::anonymous(),
            from: Some(IpAddr::V4(from.into())),
            operation: operation.to_owned(),
            method: "POST".to_owned(),
            on: None,
            program: None,
            status: 401,
            code: Some("token-missing".to_owned()),
            deployment: None,
            times: 1,
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_of_a_minute_is_told_and_the_rest_is_a_number() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.note(refusal(1, "deployStack"), MINUTE, at(0)), Some(refusal(1, "deployStack")));
        for _ in 0..9 {
            assert_eq!(refusals.note(refusal(1, "deployStack"), MINUTE, at(1)), None);
        }
        assert!(refusals.note(refusal(2, "deployStack"), MINUTE, at(1)).is_some(), "another address");
        assert!(refusals.note(refusal(1, "listStacks"), MINUTE, at(1)).is_some(), "another operation");
        assert_eq!((refusals.over(at(59), false), refusals.next()), (vec![], Some(at(60))));
        let told = refusals.over(at(60), false);
        assert_eq!(told, [AuditEntry { times: 9, ..refusal(1, "deployStack") }]);
        assert!(refusals.note(refusal(1, "deployStack"), MINUTE, at(60)).is_some(), "a minute of its own");
        assert_eq!(refusals.over(at(61), false), []);
    }

    #[test]
    fn a_flood_from_everywhere_fills_nothing_and_hides_nobody_who_is_known() {
        let mut refusals = Refusals::default();
        let mut told = 0;
        let days = 10;
        for second in 0..days * 86_400_u64 {
            for number in 0..3 {
                let from = u32::try_from(second * 3 + number).unwrap();
                told += usize::from(refusals.note(refusal(from, "logIn"), MINUTE, at(second)).is_some());
            }
            told += refusals.over(at(second), false).len();
            assert!(refusals.kinds.len() < 400);
        }
        // What stands for the rest is one entry in ten minutes.
        assert!(told < 300 + 360 * days as usize, "{told} entries in {days} days");
        let who = AuditActor {
            name: "eve".to_owned(),
            user: None,
            token: Some("token-1".to_owned()),
            role: Some(Role::Viewer),
        };
        let known = AuditEntry { who, ..refusal(1, "removeStack") };
        assert!(refusals.note(known, MINUTE, at(days * 86_400)).is_some());
        let rest: u64 = refusals.over(at(0), true).iter().map(|entry| entry.times).sum();
        assert!(rest > 0);
    }
}
