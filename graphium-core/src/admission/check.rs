//! What a stack wants, held against what is allowed.

use super::{Admission, Allowance, allowance, drivers};
use crate::{
    action::Action,
    diagnostic::{Diagnostic, Property, Subject},
    stack::{Container, MountKind, Stack},
};
use std::{cell::LazyCell, collections::BTreeSet, fmt};

/// What containers may do in every engine's default.
const BY_DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Something that is wanted and not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What it is, as a sentence's subject: "the host's `/etc`".
    pub(super) what: String,
    /// The key of the container's document that asks for it, or `network` or `volumes` of the stack.
    pub key: &'static str,
    /// What would have to be allowed; absent: nothing but everything would do.
    pub wanted: Allowance,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not allowed here", self.what)
    }
}

impl Denied {
    /// The code under which it is told.
    pub fn code(&self) -> &'static str {
        "not-allowed"
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        let instead = match &self.wanted {
            Allowance::Bind(_) => "mount a volume",
            Allowance::Registry(_) => "use an image of a registry that is allowed",
            _ => "leave it out",
        };
        format!("{instead}, or have it allowed on the server and on the agents of its hosts: `--allow {}`", self.wanted)
    }

    fn diagnostic(&self, about: Subject) -> Diagnostic {
        let property = Property::Setting { key: self.key.to_owned() };
        let message = match &about.container {
            Some(name) => format!("`{name}`: {self}"),
            None => self.to_string(),
        };
        Diagnostic::error(self.code(), "", message).with_help(self.help()).about(about.property(property))
    }
}

impl Admission {
    /// Everything that a stack wants and may not have, as a reader of its document would be told.
    pub fn stack(&self, stack: &Stack) -> Vec<Diagnostic> {
        let own = LazyCell::new(|| engine_names(stack));
        let is_own = |name: &str| own.contains(name);
        let containers = stack.containers.iter().flat_map(|container| {
            let about = Subject::container(&container.name);
            self.container(container, &is_own).into_iter().map(move |denied| denied.diagnostic(about.clone()))
        });
        let network = stack.network.iter().flat_map(|network| self.network(network));
        let volumes = stack.volumes.iter().flat_map(|volume| self.volume(volume));
        let of_stack = network.chain(volumes).map(|denied| denied.diagnostic(Subject::stack()));
        containers.chain(of_stack).collect()
    }

    /// What an action wants and may not have; `is_own` as for [`container`](Self::container).
    pub(crate) fn action(&self, action: &Action, is_own: &dyn Fn(&str) -> bool) -> Vec<Denied> {
        match action {
            Action::Deploy { spec } | Action::Update { spec, .. } | Action::Adopt { spec, .. } => {
                self.container(&spec.container, is_own)
            }
            Action::Network { spec } => self.network(&spec.network),
            Action::Volume { spec } => self.volume(&spec.volume),
            Action::Pull { image, .. } => self.image(image).into_iter().collect(),
            // Another action says here what it wants.
            Action::Adjust { .. }
            | Action::Check { .. }
            | Action::Stop { .. }
            | Action::Start { .. }
            | Action::Restart { .. }
            | Action::Delete { .. }
            | Action::RemoveNetwork { .. }
            | Action::RemoveVolume { .. } => Vec::new(),
        }
    }

    /// What a container wants and may not have; `is_own` says of a name on the engine whether it is one of the same stack.
    pub fn container(&self, container: &Container, is_own: &dyn Fn(&str) -> bool) -> Vec<Denied> {
        let mut wants = Vec::new();
        if container.privileged {
            wants.push(wanted("`privileged`".to_owned(), "privileged", Allowance::Privileged));
        }
        wants.extend(namespaces(container, is_own));
        wants.extend(container.volume_mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Bind { source, .. } => Some(host_path(source, "volumeMounts")),
            MountKind::Volume { .. } | MountKind::Secret { .. } | MountKind::Tmpfs { .. } => None,
        }));
        wants.extend(container.devices.iter().map(|device| {
            let what = format!("the host's device `{}`", device.host_path);
            wanted(what, "devices", Allowance::Device(device.host_path.clone()))
        }));
        let added = container.cap_add.iter().map(|name| allowance::capability(name));
        wants.extend(
            added
                .filter(|name| !BY_DEFAULT.contains(&name.as_str()))
                .map(|name| wanted(format!("the capability `{name}`"), "capAdd", Allowance::Capability(name))),
        );
        // Said with `false` it takes away what the engine's own settings may ask for.
        let confines = |option: &&String| {
            ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"].contains(&option.as_str())
        };
        wants.extend(
            container
                .security_opt
                .iter()
                .filter(|option| !confines(option))
                .map(|option| wanted(format!("the security option `{option}`"), "securityOpt", Allowance::Unconfined)),
        );
        wants.extend(container.logging.iter().flat_map(drivers::logging));
        wants.extend(self.image(&container.image));
        wants.retain(|denied| !self.covers(&denied.wanted));
        wants
    }

    /// An image of another registry, where registries are named.
    fn image(&self, image: &str) -> Option<Denied> {
        let is_named = self.allowed.iter().any(|allowed| matches!(allowed, Allowance::Registry(_)));
        let full = full_name(image);
        let wanted = wanted(format!("the image `{image}` (of `{full}`)"), "image", Allowance::Registry(full));
        (is_named && !self.covers(&wanted.wanted)).then_some(wanted)
    }
}

pub(super) fn wanted(what: String, key: &'static str, wanted: Allowance) -> Denied {
    Denied { what, key, wanted }
}

pub(super) fn host_path(path: &str, key: &'static str) -> Denied {
    wanted(format!("the host's `{path}`"), key, Allowance::Bind(path.to_owned()))
}

/// Namespaces of the host, and of containers that are not of the stack.
fn namespaces<'a>(container: &'a Container, is_own: &'a dyn Fn(&str) -> bool) -> impl Iterator<Item = Denied> + 'a {
    let modes = [("networkMode", &container.network_mode), ("pid", &container.pid), ("ipc", &container.ipc)];
    let modes = modes.into_iter().filter_map(|(key, mode)| Some((key, mode.as_deref()?)));
    modes.filter_map(move |(key, mode)| {
        let what = match mode.split_once(':') {
            None if mode == "host" => format!("`{key}` of the host"),
            Some(("container", other)) if !is_own(other) => {
                format!("`{key}` of the container `{other}`, which is not of this stack,")
            }
            _ => return None,
        };
        Some(wanted(what, key, Allowance::HostNamespaces))
    })
}

/// With its registry, and without tag and digest: `docker.io/library/nginx`.
fn full_name(image: &str) -> String {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let is_registry = |first: &str| first == "localhost" || first.contains(['.', ':']);
    let full = match name.split_once('/') {
        Some(("index.docker.io", rest)) => format!("docker.io/{rest}"),
        Some((first, _)) if is_registry(first) => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    };
    full.to_ascii_lowercase()
}

/// What engines call the containers of a stack.
fn engine_names(stack: &Stack) -> BTreeSet<String> {
    let names = stack.containers.iter().flat_map(|container| {
        let base = stack.engine_name(&container.name);
        let numbers = 1..=if container.is_replicated() { container.replicas.unwrap_or(1) } else { 0 };
        let numbered: Vec<_> = numbers.map(|number| format!("{base}-{number}")).collect();
        std::iter::once(base).chain(numbered)
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(allowed: &[&str], stack: Value) -> Vec<String> {
        let admission: Admission = allowed.iter().map(|text| text.parse::<Allowance>().unwrap()).collect();
        let stack: Stack = serde_json::from_value(stack).unwrap();
        admission.stack(&stack).iter().map(|diagnostic| diagnostic.message.clone()).collect()
    }

    fn of_container(allowed: &[&str], container: Value) -> Vec<String> {
        let mut whole = json!({"name": "web", "image": "nginx"});
        whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
        told(allowed, json!({"@id": "stack:s", "name": "s", "hasPart": [whole, {"name": "db", "image": "postgres"}]}))
    }

    /// Each asks for one thing, and one allowance is enough for it.
    const CONTAINERS: [(&str, &str, &str); 14] = [
        (r#"{"privileged": true}"#, "privileged", "`privileged`"),
        (r#"{"networkMode": "host"}"#, "host-namespaces", "`networkMode` of the host"),
        (r#"{"pid": "host"}"#, "host-namespaces", "`pid` of the host"),
        (r#"{"ipc": "host"}"#, "host-namespaces", "`ipc` of the host"),
        (
            r#"{"networkMode": "container:other"}"#,
            "host-namespaces",
            "the container `other`, which is not of this stack",
        ),
        (r#"{"volumeMounts": [{"type": "bind", "source": "/etc", "target": "/e"}]}"#, "bind=/etc", "the host's `/etc`"),
        (
            r#"{"volumeMounts": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/s"}]}"#,
            "bind=/var/run",
            "the host's `/var/run/docker.sock`",
        ),
        (
            r#"{"devices": [{"hostPath": "/dev/kvm", "containerPath": "/dev/kvm", "permissions": "rwm"}]}"#,
            "device=/dev",
            "the host's device `/dev/kvm`",
        ),
        (r#"{"capAdd": ["CAP_NET_ADMIN", "CHOWN"]}"#, "capability=NET_ADMIN", "the capability `NET_ADMIN`"),
        (r#"{"capAdd": ["all"]}"#, "capability=ALL", "the capability `ALL`"),
        (r#"{"capAdd": ["sys_admin"]}"#, "capability=ALL", "the capability `SYS_ADMIN`"),
        (r#"{"securityOpt": ["seccomp=unconfined"]}"#, "unconfined", "the security option `seccomp=unconfined`"),
        (r#"{"securityOpt": ["apparmor:unconfined", "no-new-privileges"]}"#, "unconfined", "`apparmor:unconfined`"),
        (r#"{"securityOpt": ["no-new-privileges=false"]}"#, "unconfined", "`no-new-privileges=false`"),
    ];

    #[test]
    fn what_reaches_out_of_a_container_is_denied_until_it_is_allowed() {
        for (container, allowance, words) in CONTAINERS {
            let container: Value = serde_json::from_str(container).unwrap();
            let denied = of_container(&[], container.clone());
            assert!(denied.len() == 1 && denied[0].contains(words), "{container}: {denied:?}");
            let others = CONTAINERS.iter().map(|(_, other, _)| *other).filter(|other| {
                !other.parse::<Allowance>().unwrap().covers(&allowance.parse().unwrap())
                    && !allowance.parse::<Allowance>().unwrap().covers(&other.parse().unwrap())
            });
            assert_eq!(of_container(&others.collect::<Vec<_>>(), container.clone()), denied, "{container}");
            for enough in [allowance, "all"] {
                assert_eq!(of_container(&[enough], container.clone()), [""; 0], "{container} with {enough}");
            }
        }
    }

    #[test]
    fn what_stays_within_needs_no_allowance() {
        let plain = json!({"networkMode": "container:s-db", "pid": "private", "ipc": "shareable", "capAdd": ["chown"],
            "capDrop": ["ALL"], "securityOpt": ["no-new-privileges=true"], "gpus": -1,
            "volumeMounts": [{"type": "volume", "source": "v", "target": "/v"}, {"type": "tmpfs", "target": "/t"}]});
        assert_eq!(of_container(&[], plain), [""; 0]);
        let replica = json!({"networkMode": "container:s-web-2", "replicas": 2});
        assert_eq!(of_container(&[], replica), [""; 0]);
        assert_eq!(of_container(&[], json!({"networkMode": "container:s-web-3", "replicas": 2})).len(), 1);
    }

    #[test]
    fn images_come_from_anywhere_until_registries_are_named() {
        for (image, allowed, is_allowed) in [
            ("nginx", vec![], true),
            ("nginx:1@sha256:12", vec!["registry=docker.io/library"], true),
            ("acme/web", vec!["registry=docker.io/library"], false),
            ("ghcr.io/acme/web:1", vec!["registry=docker.io", "registry=ghcr.io/acme"], true),
            ("localhost:5000/web", vec!["registry=ghcr.io"], false),
            ("GHCR.io/acme/web", vec!["registry=ghcr.io"], true),
        ] {
            let stack = json!({"@id": "stack:s", "name": "s", "hasPart": [{"name": "web", "image": image}]});
            assert_eq!(told(&allowed, stack).is_empty(), is_allowed, "{image} with {allowed:?}");
        }
    }
}
