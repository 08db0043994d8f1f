//! What an engine can change of a container in place.

use crate::stack::{Container, RestartPolicy};
use serde::{Deserialize, Serialize};

/// Billionths of a processor in one.
pub(crate) const NANO: f64 = 1e9;
/// One processor, in the engine's unit of relative weight.
pub(crate) const SHARES_PER_CPU: f64 = 1024.0;
/// The least weight that the kernel takes.
const LEAST_SHARES: i64 = 2;

/// What an engine can change of a container without making it anew, in the units of engines; 0 is no limit.
///
/// What is wanted of a container is [known](Self::of) in full. Of what is seen a property may be absent: unknown, because
/// nobody looked or because the engine does not hold containers to it.
///
/// # Example
/// ```
/// use graphium_core::{runtime::{LiveSettings, LiveStep}, stack::{Container, Limits, Resources}};
///
/// let limited = |memory| {
///     let limits = Limits { memory, ..Limits::default() };
///     LiveSettings::of(&Container { resources: Resources { limits, ..Resources::default() }, ..Container::default() })
/// };
/// let (small, large) = (limited(Some(256 << 20)), limited(Some(512 << 20)));
/// let LiveStep::InPlace(step) = small.step_to(&large) else { panic!("more memory needs no new container") };
/// assert_eq!(step.memory, Some(512 << 20));
/// assert_eq!(small.step_to(&small), LiveStep::None);
/// // No engine takes a limit away from a container that runs.
/// assert!(matches!(small.step_to(&limited(None)), LiveStep::Anew(_)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LiveSettings {
    /// What the engine does when the container ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Billionths of a processor at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_cpus: Option<i64>,
    /// Bytes of memory at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Bytes of memory and swap together at most; -1 is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Processes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// Relative weight on the processors, 1024 for one that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<i64>,
    /// Bytes of memory that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<i64>,
}

/// What leads from the settings that a container has to those that it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveStep {
    /// Nothing: it has them.
    None,
    /// The engine sets these, and the container runs on.
    InPlace(LiveSettings),
    /// Only a new container: an engine takes the 0 of these, by their names in a document, for "leave it as it is".
    Anew(Vec<&'static str>),
}

/// The limits in their order, each by its name in a document.
pub(crate) const LIMITS: [&str; 6] = [
    "resources.limits.cpus",
    "resources.limits.memory",
    "resources.limits.memorySwap",
    "resources.limits.pids",
    "resources.reservations.cpus",
    "resources.reservations.memory",
];
const MEMORY: &str = LIMITS[1];
const MEMORY_SWAP: &str = LIMITS[2];
/// The one of them that an engine takes away too.
const PIDS: &str = LIMITS[3];

impl LiveSettings {
    /// What a definition asks for, as an engine shows it once the container is made.
    pub fn of(container: &Container) -> Self {
        let (limits, reservations) = (&container.resources.limits, &container.resources.reservations);
        let memory = limits.memory.map_or(0, bytes);
        let memory_swap = match limits.memory_swap {
            Some(both) if both != 0 => both.max(-1),
            // Nothing said is as much swap as memory.
            _ => memory.saturating_mul(2),
        };
        Self {
            restart_policy: Some(match container.restart_policy {
                RestartPolicy::OnFailure(Some(0)) => RestartPolicy::OnFailure(None),
                policy => policy,
            }),
            nano_cpus: Some(limits.cpus.map_or(0, |cpus| rounded(cpus * NANO))),
            memory: Some(memory),
            memory_swap: Some(memory_swap),
            pids: Some(limits.pids.unwrap_or(0).max(0)),
            cpu_shares: Some(reservations.cpus.map_or(0, |cpus| rounded(cpus * SHARES_PER_CPU).max(LEAST_SHARES))),
            memory_reservation: Some(reservations.memory.map_or(0, bytes)),
        }
    }

    /// These, and what is unknown of them from others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            restart_policy: self.restart_policy.or(others.restart_policy),
            nano_cpus: self.nano_cpus.or(others.nano_cpus),
            memory: self.memory.or(others.memory),
            memory_swap: self.memory_swap.or(others.memory_swap),
            pids: self.pids.or(others.pids),
            cpu_shares: self.cpu_shares.or(others.cpu_shares),
            memory_reservation: self.memory_reservation.or(others.memory_reservation),
        }
    }

    /// Whether nothing is unknown.
    pub fn is_complete(&self) -> bool {
        self.restart_policy.is_some() && self.limits().iter().all(Option::is_some)
    }

    /// What makes those that are wanted of these; what is unknown on either side counts as equal.
    pub fn step_to(&self, wanted: &Self) -> LiveStep {
        let differ =
            |one: Option<i64>, other: Option<i64>| matches!((one, other), (Some(one), Some(other)) if one != other);
        let limits = || LIMITS.into_iter().zip(self.limits()).zip(wanted.limits());
        let taken_away = limits()
            .filter(|((name, was), is)| *name != PIDS && *is == Some(0) && differ(*was, *is))
            .map(|((name, _), _)| name);
        let mut taken_away: Vec<_> = taken_away.collect();
        // Its swap goes with the memory that it is counted by.
        let has_memory = taken_away.contains(&MEMORY);
        taken_away.retain(|name| *name != MEMORY_SWAP || !has_memory);
        if !taken_away.is_empty() {
            return LiveStep::Anew(taken_away);
        }
        let policies = (self.restart_policy, wanted.restart_policy);
        let mut step = Self {
            restart_policy: wanted.restart_policy.filter(|_| matches!(policies, (Some(was), Some(is)) if was != is)),
            nano_cpus: wanted.nano_cpus.filter(|_| differ(self.nano_cpus, wanted.nano_cpus)),
            memory: wanted.memory.filter(|_| differ(self.memory, wanted.memory)),
            memory_swap: wanted.memory_swap.filter(|_| differ(self.memory_swap, wanted.memory_swap)),
            pids: wanted.pids.filter(|_| differ(self.pids, wanted.pids)),
            cpu_shares: wanted.cpu_shares.filter(|_| differ(self.cpu_shares, wanted.cpu_shares)),
            memory_reservation: wanted
                .memory_reservation
                .filter(|_| differ(self.memory_reservation, wanted.memory_reservation)),
        };
        if step == Self::default() {
            return LiveStep::None;
        }
        // An engine refuses memory above the swap that it knows, and swap below the memory.
        if step.memory.is_some() || step.memory_swap.is_some() {
            let limit = |bytes: &i64| *bytes != 0;
            (step.memory, step.memory_swap) = (wanted.memory.filter(limit), wanted.memory_swap.filter(limit));
        }
        LiveStep::InPlace(step)
    }

    /// The limits, in the order of [`LIMITS`].
    pub(crate) fn limits(&self) -> [Option<i64>; 6] {
        [self.nano_cpus, self.memory, self.memory_swap, self.pids, self.cpu_shares, self.memory_reservation]
    }
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what is wanted")]
fn rounded(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(definition: serde_json::Value) -> LiveSettings {
        LiveSettings::of(&serde_json::from_value(definition).unwrap())
    }

    fn memory(bytes: i64) -> LiveSettings {
        of(json!({"resources": {"limits": {"memory": bytes}}}))
    }

    #[test]
    fn a_definition_is_read_in_the_units_of_engines() {
        let settings = of(json!({
            "restartPolicy": "on-failure:0",
            "resources": {"limits": {"cpus": 0.5, "memory": 512, "pids": -1}, "reservations": {"cpus": 0.001, "memory": 256}}
        }));
        let expected = LiveSettings {
            restart_policy: Some(RestartPolicy::OnFailure(None)),
            nano_cpus: Some(500_000_000),
            memory: Some(512),
            memory_swap: Some(1024),
            pids: Some(0),
            cpu_shares: Some(2),
            memory_reservation: Some(256),
        };
        assert_eq!(settings, expected);
        assert!(settings.is_complete());
        let swap = |swap| of(json!({"resources": {"limits": {"memory": 512, "memorySwap": swap}}})).memory_swap;
        assert_eq!([swap(600), swap(-1), swap(-7)], [Some(600), Some(-1), Some(-1)]);
        let text = serde_json::to_string(&memory(0)).unwrap();
        assert_eq!(serde_json::from_str::<LiveSettings>(&text).unwrap(), memory(0));
        assert_eq!(serde_json::from_str::<LiveSettings>("{}").unwrap(), LiveSettings::default());
    }

    #[test]
    fn what_is_set_is_set_with_its_like_and_nothing_else() {
        let step = LiveSettings { memory: Some(1024), memory_swap: Some(2048), ..LiveSettings::default() };
        assert_eq!(memory(512).step_to(&memory(1024)), LiveStep::InPlace(step));
        assert_eq!(memory(0).step_to(&memory(1024)), LiveStep::InPlace(step));
        assert_eq!(memory(1024).step_to(&memory(1024)), LiveStep::None);
        let wanted = of(json!({"restartPolicy": "always", "resources": {"limits": {"memory": 512}}}));
        let policy = LiveSettings { restart_policy: Some(RestartPolicy::Always), ..LiveSettings::default() };
        assert_eq!(memory(512).step_to(&wanted), LiveStep::InPlace(policy));
        let endless = of(json!({"resources": {"limits": {"memorySwap": -1}}}));
        let swap = LiveSettings { memory_swap: Some(-1), ..LiveSettings::default() };
        assert_eq!(memory(0).step_to(&endless), LiveStep::InPlace(swap));
    }

    #[test]
    fn a_limit_that_is_taken_away_needs_a_new_container_but_for_that_of_processes() {
        let limited = of(json!({"resources": {
            "limits": {"cpus": 1, "memory": 512, "pids": 10}, "reservations": {"cpus": 1, "memory": 256}
        }}));
        let LiveStep::Anew(names) = limited.step_to(&memory(0)) else { panic!() };
        let taken: Vec<_> = LIMITS.into_iter().filter(|name| ![PIDS, MEMORY_SWAP].contains(name)).collect();
        assert_eq!(names, taken);
        let endless = of(json!({"resources": {"limits": {"memorySwap": -1}}}));
        assert_eq!(endless.step_to(&memory(0)), LiveStep::Anew(vec![MEMORY_SWAP]));
        let pids = of(json!({"resources": {"limits": {"pids": 10}}}));
        let none = LiveSettings { pids: Some(0), ..LiveSettings::default() };
        assert_eq!(pids.step_to(&memory(0)), LiveStep::InPlace(none));
    }

    #[test]
    fn what_is_unknown_differs_from_nothing() {
        let unknown = LiveSettings::default();
        assert_eq!(unknown.step_to(&memory(512)), LiveStep::None);
        assert_eq!(memory(512).step_to(&unknown), LiveStep::None);
        assert_eq!(unknown.or(memory(512)), memory(512));
        assert!(!unknown.is_complete());
    }
}
