//! The definition that a container could have been made from.

use super::deviation::{Told, checked, in_one_form, is_apart};
use crate::{
    runtime::{Description, LiveSettings, NANO, SHARES_PER_CPU},
    stack::{Container, Limits, Reservations, Resources},
};

/// The definition of a container that somebody has made, as short as it can be: what its image and its engine fill in is not
/// said. It has no name, and the names of volumes are those on the engine.
///
/// A container that is compared with it differs in nothing, but for what [no definition can say](Description::beyond).
///
/// # Example
/// ```
/// use graphium_core::{plan::definition_of, runtime::Description, stack::Container};
///
/// // What the image says by itself is not said again.
/// let usual = Container { user: Some("nginx".to_owned()), ..Container::default() };
/// let container = Container { image: "nginx:1.27".to_owned(), tty: true, ..usual.clone() };
/// let definition = definition_of(&Description { container, usual, ..Description::default() });
/// assert_eq!((definition.image.as_str(), definition.tty, definition.user), ("nginx:1.27", true, None));
/// ```
pub fn definition_of(seen: &Description) -> Container {
    let usual = &seen.usual;
    let mut it = in_one_form(seen.container.clone(), &Told::default(), usual);
    if it.entrypoint == usual.entrypoint {
        it.entrypoint = None;
        it.command.take_if(|command| Some(&*command) == usual.command.as_ref());
    }
    it.health_check.take_if(|check| Some(&*check) == checked(None, usual.health_check.as_ref()).as_ref());
    it.network_mode.take_if(|mode| !is_apart(Some(mode)));
    it.restart_policy = seen.settings.restart_policy.unwrap_or_default();
    it.resources = resources(&seen.settings);
    it
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 billionths of a processor")]
fn resources(settings: &LiveSettings) -> Resources {
    let limit = |limit: Option<i64>| limit.filter(|limit| *limit > 0);
    let bytes = |count: Option<i64>| limit(count).and_then(|count| u64::try_from(count).ok());
    let usual_swap = settings.memory.map(|memory| memory.saturating_mul(2));
    Resources {
        limits: Limits {
            cpus: limit(settings.nano_cpus).map(|count| count as f64 / NANO),
            memory: bytes(settings.memory),
            memory_swap: settings.memory_swap.filter(|swap| *swap != 0 && Some(*swap) != usual_swap),
            pids: limit(settings.pids),
        },
        reservations: Reservations {
            cpus: limit(settings.cpu_shares).map(|shares| shares as f64 / SHARES_PER_CPU),
            memory: bytes(settings.memory_reservation),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_image_and_engine_fill_in_is_not_said_and_the_rest_is() {
        let container = |value| serde_json::from_value::<Container>(value).unwrap();
        let usual = json!({
            "command": ["serve"], "entrypoint": ["/entry"], "environment": [{"name": "PATH", "value": "/bin"}], "user": "web",
            "healthCheck": {"type": "exec", "command": ["true"]}
        });
        let mut own = usual.clone();
        own["image"] = "nginx".into();
        own["networkMode"] = "shop_default".into();
        own["labels"] = json!({"tier": "front", "com.docker.compose.project": "shop"});
        let settings = json!({"restartPolicy": "always", "resources": {"limits": {"memory": 512}}});
        let mut seen = Description {
            container: container(own),
            usual: container(usual),
            settings: LiveSettings::of(&container(settings.clone())),
            ..Description::default()
        };
        let mut expected = json!({"image": "nginx:latest", "labels": {"tier": "front"}});
        expected.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        assert_eq!(definition_of(&seen), container(expected));
        seen.container.command = Some(vec!["other".to_owned()]);
        let definition = definition_of(&seen);
        assert_eq!((definition.command, definition.entrypoint), (Some(vec!["other".to_owned()]), None));
        seen.container.entrypoint = Some(vec!["/own".to_owned()]);
        assert_eq!(definition_of(&seen).entrypoint, Some(vec!["/own".to_owned()]));
    }

    #[test]
    fn what_a_container_may_use_is_said_as_it_is() {
        let container = |value| serde_json::from_value::<Container>(value).unwrap();
        let full = json!({"image": "a:1", "resources": {
            "limits": {"cpus": 0.5, "memory": 512, "memorySwap": 700, "pids": 10},
            "reservations": {"cpus": 0.25, "memory": 256}
        }});
        let seen = |settings| Description {
            container: container(json!({"image": "a:1"})),
            settings,
            ..Description::default()
        };
        let settings = LiveSettings::of(&container(full.clone()));
        assert_eq!(definition_of(&seen(settings)), container(full));
        // As much again is what engines give where nothing is said.
        let usual = definition_of(&seen(LiveSettings { memory_swap: Some(1024), ..settings }));
        assert_eq!(usual.resources.limits.memory_swap, None);
        let none = definition_of(&seen(LiveSettings { memory_swap: Some(0), ..settings }));
        assert_eq!(none.resources.limits.memory_swap, None);
    }
}
