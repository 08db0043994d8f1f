//! Restart policies and resources, as the engine shows and takes them. Pure.

use crate::convert;
use bollard::models::{
    ContainerUpdateBody, HostConfig, RestartPolicy as EngineRestart, RestartPolicyNameEnum as RestartName, SystemInfo,
};
use graphium_core::{runtime::LiveSettings, stack::RestartPolicy};

/// Which limits an engine holds containers to: that depends on its kernel. It takes the others, and shows what it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Enforced {
    cpus: bool,
    memory: bool,
    swap: bool,
    pids: bool,
    shares: bool,
}

impl Enforced {
    /// What an engine says of itself; where it says nothing it is taken to hold them.
    pub(crate) fn of(info: &SystemInfo) -> Self {
        let said = |word: Option<bool>| word.unwrap_or(true);
        Self {
            cpus: said(info.cpu_cfs_quota),
            memory: said(info.memory_limit),
            swap: said(info.swap_limit),
            pids: said(info.pids_limit),
            shares: said(info.cpu_shares),
        }
    }
}

/// The settings that a container has; those that its engine does not hold it to are unknown.
pub(crate) fn shown(config: &HostConfig, enforced: Enforced) -> LiveSettings {
    let limit = |is_enforced: bool, limit: Option<i64>| is_enforced.then(|| limit.unwrap_or(0));
    LiveSettings {
        restart_policy: Some(policy(config.restart_policy.as_ref())),
        nano_cpus: limit(enforced.cpus, config.nano_cpus),
        memory: limit(enforced.memory, config.memory),
        memory_swap: limit(enforced.memory && enforced.swap, config.memory_swap),
        pids: limit(enforced.pids, config.pids_limit).map(|count| count.max(0)),
        cpu_shares: limit(enforced.shares, config.cpu_shares),
        memory_reservation: limit(enforced.memory, config.memory_reservation),
    }
}

fn policy(shown: Option<&EngineRestart>) -> RestartPolicy {
    let times = |shown: &EngineRestart| shown.maximum_retry_count.and_then(|times| u32::try_from(times).ok());
    match shown.map(|shown| (shown.name, times(shown))) {
        Some((Some(RestartName::ALWAYS), _)) => RestartPolicy::Always,
        Some((Some(RestartName::UNLESS_STOPPED), _)) => RestartPolicy::UnlessStopped,
        Some((Some(RestartName::ON_FAILURE), times)) => RestartPolicy::OnFailure(times.filter(|times| *times > 0)),
        _ => RestartPolicy::No,
    }
}

/// The body that sets these. The engine leaves alone what is absent, and what is 0, but for the limit of processes.
pub(crate) fn body(settings: &LiveSettings) -> ContainerUpdateBody {
    ContainerUpdateBody {
        restart_policy: settings.restart_policy.map(convert::restart),
        nano_cpus: settings.nano_cpus,
        memory: settings.memory,
        memory_swap: settings.memory_swap,
        pids_limit: settings.pids,
        cpu_shares: settings.cpu_shares,
        memory_reservation: settings.memory_reservation,
        ..ContainerUpdateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::runtime::LiveStep;
    use serde_json::json;

    fn enforced(info: serde_json::Value) -> Enforced {
        Enforced::of(&serde_json::from_value(info).unwrap())
    }

    fn seen(config: serde_json::Value, enforced: Enforced) -> LiveSettings {
        shown(&serde_json::from_value(config).unwrap(), enforced)
    }

    #[test]
    fn what_an_engine_shows_is_read_and_nothing_said_is_no_limit() {
        let all = enforced(json!({}));
        let config = json!({
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "NanoCpus": 500_000_000, "Memory": 512,
            "MemorySwap": 1024, "PidsLimit": -1, "CpuShares": 256, "MemoryReservation": 128
        });
        let expected = LiveSettings {
            restart_policy: Some(RestartPolicy::OnFailure(Some(3))),
            nano_cpus: Some(500_000_000),
            memory: Some(512),
            memory_swap: Some(1024),
            pids: Some(0),
            cpu_shares: Some(256),
            memory_reservation: Some(128),
        };
        assert_eq!(seen(config, all), expected);
        let plain = LiveSettings::of(&Default::default());
        assert_eq!(seen(json!({}), all), plain);
        assert_eq!(
            seen(json!({"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "PidsLimit": null}), all),
            plain
        );
        for (name, policy) in [
            ("always", RestartPolicy::Always),
            ("unless-stopped", RestartPolicy::UnlessStopped),
            ("on-failure", RestartPolicy::OnFailure(None)),
            ("", RestartPolicy::No),
        ] {
            let shown = seen(json!({"RestartPolicy": {"Name": name, "MaximumRetryCount": 0}}), all);
            assert_eq!(shown.restart_policy, Some(policy), "{name}");
        }
    }

    #[test]
    fn limits_that_an_engine_does_not_hold_are_unknown() {
        let lame = enforced(json!({"SwapLimit": false, "PidsLimit": false}));
        let shown = seen(json!({"Memory": 512, "MemorySwap": -1}), lame);
        assert_eq!((shown.memory, shown.memory_swap, shown.pids), (Some(512), None, None));
        let none = enforced(json!({"MemoryLimit": false, "CpuCfsQuota": false, "CPUShares": false}));
        let shown = seen(json!({"Memory": 0, "MemorySwap": -1}), none);
        let unknown =
            LiveSettings { restart_policy: Some(RestartPolicy::No), pids: Some(0), ..LiveSettings::default() };
        assert_eq!(shown, unknown);
    }

    #[test]
    fn what_is_set_is_what_the_step_names() {
        let limited = |bytes: u64| {
            let mut container = graphium_core::stack::Container::default();
            container.resources.limits.memory = Some(bytes);
            LiveSettings::of(&container)
        };
        let LiveStep::InPlace(step) = limited(512).step_to(&limited(1024)) else { panic!() };
        let body = serde_json::to_value(body(&step)).unwrap();
        let said = body.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        let said: serde_json::Map<_, _> = said.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(serde_json::Value::from(said), json!({"Memory": 1024, "MemorySwap": 2048}));
        let no = super::body(&LiveSettings { restart_policy: Some(RestartPolicy::No), ..LiveSettings::default() });
        assert_eq!(no.restart_policy.unwrap().name, Some(RestartName::NO), "an absent policy would be left alone");
    }
}
