//! What differs between a container that somebody has made and what a document wants, whatever the words of the two.

use super::{PropertyChange, difference::between_definitions, live};
use crate::{
    runtime::{ContainerSpec, Description, LiveSettings, label},
    stack::{Container, HealthCheck, HealthTest, MountKind, Port, TextMap},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What Graphium tells a container of others beside what its document says: one that others have made is not told of it before it
/// is made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Names of variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// Names of hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

impl Told {
    /// What a specification has beside a definition.
    pub(super) fn of(spec: &ContainerSpec, definition: &Container) -> Self {
        let is_own = |name: &str| definition.environment.iter().any(|variable| variable.name == name);
        let variables = spec.container.environment.iter().map(|variable| variable.name.clone());
        let hosts = spec.container.extra_hosts.keys().cloned();
        Self {
            variables: variables.filter(|name| !is_own(name)).collect(),
            hosts: hosts.filter(|name| !definition.extra_hosts.contains_key(name)).collect(),
        }
    }
}

/// What differs: `old` as it is wanted, `new` as it is. Values of variables, of headers and of drivers' options are hidden.
///
/// What an image or an engine fills in where nothing is said is no difference; nor are more networks than the document has, the
/// labels by which other programs know their containers, and what the container will be [told](Told) once it is made anew.
/// Of the image its reference counts.
///
/// # Example
/// ```
/// use graphium_core::plan::{Told, definition_of, deviations, need_a_new_container};
/// use graphium_core::runtime::{ContainerSpec, Description, LiveSettings};
/// use graphium_core::stack::Container;
/// use serde_json::json;
///
/// let made: Container = serde_json::from_value(json!({"image": "nginx:1.26", "user": "web"}))?;
/// let seen = Description { settings: LiveSettings::of(&made), container: made, ..Description::default() };
/// assert_eq!(definition_of(&seen).user.as_deref(), Some("web"));
///
/// let wanted: Container = serde_json::from_value(json!({
///     "image": "nginx:1.27", "user": "web", "environment": [{"name": "DB_HOST", "value": "10.0.0.2"}]
/// }))?;
/// let told = Told { variables: vec!["DB_HOST".to_owned()], hosts: Vec::new() };
/// let differences = deviations(&ContainerSpec::new("shop-web", wanted), &told, &seen);
/// let paths: Vec<&str> = differences.iter().map(|one| one.path.as_str()).collect();
/// assert_eq!(paths, ["image"]);
/// assert!(need_a_new_container(&differences));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn deviations(wanted: &ContainerSpec, told: &Told, present: &Description) -> Vec<PropertyChange> {
    let mut expected = Container::clone(&wanted.container);
    expected.labels = wanted.all_labels();
    let usual = &present.usual;
    let takes_a_network = !is_apart(present.container.network_mode.as_deref());
    let changes = {
        let expected = in_one_form(expected, told, usual);
        let mut shown = in_one_form(present.container.clone(), told, usual);
        if expected.network_mode.is_none() && takes_a_network {
            shown.network_mode = None;
        }
        between_definitions(&expected, &shown)
    };
    let names = wanted.network.as_deref().filter(|_| wanted.container.network_mode.is_none());
    let known = names.and_then(|network| present.networks.get(network));
    let missing = known.into_iter().flat_map(|known| {
        // Of replicas the name that they have together counts: the number behind it is ours.
        let own_number = Some(wanted.container.name.as_str()).filter(|_| !wanted.aliases.is_empty());
        let names = wanted.names().into_iter().filter(move |name| Some(*name) != own_number);
        let names = names.filter(|name| !known.iter().any(|one| one == name));
        names.map(|name| PropertyChange { path: "aliases".to_owned(), old: Some(name.into()), new: None })
    });
    let beyond = present.beyond.iter().map(|(word, value)| PropertyChange {
        path: format!("engine.{word}"),
        old: None,
        new: Some(value.clone()),
    });
    let settings = live::differences(&LiveSettings::of(&wanted.container), &present.settings);
    changes.into_iter().chain(missing).chain(beyond).chain(settings).collect()
}

/// Whether a container must be made anew before these differences are gone: others are set right in place.
///
/// # Example
/// ```
/// use graphium_core::plan::{PropertyChange, need_a_new_container};
///
/// let change = |path: &str| PropertyChange { path: path.to_owned(), old: Some("a".into()), new: Some("b".into()) };
/// assert!(need_a_new_container(&[change("image")]));
/// assert!(!need_a_new_container(&[change("restartPolicy")]), "that is set in place");
/// ```
pub fn need_a_new_container(differences: &[PropertyChange]) -> bool {
    differences.iter().any(|difference| !live::is_live(&difference.path))
}

/// Whether a network mode leaves no room for a network of a stack.
pub(super) fn is_apart(mode: Option<&str>) -> bool {
    mode.is_some_and(|mode| matches!(mode, "host" | "none") || mode.starts_with("container:"))
}

/// A definition in one of the forms that mean the same, without what is for people and for the planner.
pub(super) fn in_one_form(mut it: Container, told: &Told, usual: &Container) -> Container {
    let (command, entrypoint) = program(&it, usual);
    let check = checked(it.health_check.take(), usual.health_check.as_ref());
    it = Container {
        id: String::new(),
        name: String::new(),
        description: None,
        application_category: None,
        resources: Default::default(),
        requirements: Default::default(),
        host: None,
        depends_on: Vec::new(),
        args: Vec::new(),
        restart_policy: Default::default(),
        aliases: Vec::new(),
        platform: None,
        pull_policy: Default::default(),
        replicas: None,
        annotations: Default::default(),
        command,
        entrypoint,
        health_check: check,
        image: whole_reference(&it.image),
        ..it
    };
    it.environment.retain(|variable| !told.variables.contains(&variable.name) && !usual.environment.contains(variable));
    it.extra_hosts.retain(|name, _| !told.hosts.contains(name));
    it.labels.retain(|key, value| !label::is_ours(key) && !is_bookkeeping(key) && usual.labels.get(key) != Some(value));
    it.ports.iter_mut().for_each(in_one_port_form);
    it.ports.sort_by_key(|port| (port.container_port, port.protocol, port.host_port, port.host_ip));
    it.ports.dedup();
    it.expose = exposed(&it, usual);
    for mount in &mut it.volume_mounts {
        match &mut mount.kind {
            // How it was made does not matter to what is there.
            MountKind::Bind { propagation, create_host_path, .. } => {
                *create_host_path = false;
                propagation.take_if(|word| word == "rprivate");
            }
            MountKind::Volume { no_copy, .. } => *no_copy = false,
            MountKind::Secret { .. } | MountKind::Tmpfs { .. } => {}
        }
    }
    it.volume_mounts.sort_by(|one, other| one.target.cmp(&other.target));
    for capabilities in [&mut it.cap_add, &mut it.cap_drop] {
        for word in capabilities.iter_mut() {
            let upper = word.to_uppercase();
            *word = upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned();
        }
        capabilities.sort();
    }
    it.security_opt.sort();
    it.group_add.sort();
    it.ulimits.sort_by(|one, other| one.name.cmp(&other.name));
    it.devices.sort_by(|one, other| one.container_path.cmp(&other.container_path));
    sorted(&mut it.sysctls);
    sorted(&mut it.extra_hosts);
    sorted(&mut it.labels);
    it.environment.sort_by(|one, other| one.name.cmp(&other.name));
    for (own, usual) in [
        (&mut it.working_dir, &usual.working_dir),
        (&mut it.user, &usual.user),
        (&mut it.hostname, &usual.hostname),
        (&mut it.stop_signal, &usual.stop_signal),
        (&mut it.pid, &usual.pid),
        (&mut it.ipc, &usual.ipc),
        (&mut it.runtime, &usual.runtime),
    ] {
        own.take_if(|word| word.is_empty() || Some(&*word) == usual.as_ref());
    }
    it.network_mode = it.network_mode.map(|mode| if mode == "default" { "bridge".to_owned() } else { mode });
    it.stop_signal.take_if(|signal| signal == "SIGTERM");
    it.stop_grace_period.take_if(|time| *time == Duration::from_secs(10));
    it.shm_size.take_if(|size| Some(*size) == usual.shm_size);
    if let Some(logging) = &mut it.logging {
        let usual = usual.logging.as_ref().and_then(|logging| logging.driver.as_ref());
        logging.driver.take_if(|driver| Some(&*driver) == usual);
        sorted(&mut logging.options);
    }
    it.logging.take_if(|logging| logging.driver.is_none() && logging.options.is_empty());
    it.init.take_if(|init| !*init);
    it
}

/// The command and the entry point that are not the image's own, by the rules of engines.
fn program(it: &Container, usual: &Container) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let mut command = it.command.clone();
    if !it.args.is_empty() {
        command.get_or_insert_default().extend(it.args.iter().cloned());
    }
    let filled = |words: Option<Vec<String>>| words.filter(|words| words.iter().any(|word| !word.is_empty()));
    // An entry point of its own takes the image's command away.
    let effective = match (&command, &it.entrypoint) {
        (None, None) => usual.command.clone(),
        _ => command,
    };
    let entrypoint = match &it.entrypoint {
        None => usual.entrypoint.clone(),
        own => own.clone(),
    };
    (filled(effective), filled(entrypoint))
}

/// A health check without what engines take for granted; one over the network is the agent's, and to the engine it is none.
pub(super) fn checked(check: Option<HealthCheck>, usual: Option<&HealthCheck>) -> Option<HealthCheck> {
    let mut check = check.or_else(|| usual.cloned())?;
    if check.test.is_networked() || check.test == HealthTest::None {
        return usual.is_some().then_some(HealthCheck {
            test: HealthTest::None,
            interval: None,
            timeout: None,
            retries: None,
            start_period: None,
        });
    }
    let half_a_minute = |time: &mut Duration| *time == Duration::from_secs(30) || time.is_zero();
    check.interval.take_if(half_a_minute);
    check.timeout.take_if(half_a_minute);
    check.retries.take_if(|times| matches!(*times, 0 | 3));
    check.start_period.take_if(|time| time.is_zero());
    Some(check)
}

fn in_one_port_form(port: &mut Port) {
    port.host_port.take_if(|number| *number == 0);
    port.host_ip.take_if(|address| address.is_unspecified());
}

/// Ports that are neither published nor opened by the image.
fn exposed(it: &Container, usual: &Container) -> Vec<String> {
    let whole = |port: &String| if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
    let published = it.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol.as_str()));
    let known: Vec<String> = usual.expose.iter().map(whole).chain(published).collect();
    let mut own: Vec<String> = it.expose.iter().map(whole).filter(|port| !known.contains(port)).collect();
    own.sort();
    own.dedup();
    own
}

/// A reference with everything that engines fill in.
fn whole_reference(image: &str) -> String {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    match digest {
        Some(digest) => format!("{}@{digest}", name.strip_suffix(":latest").unwrap_or(name)),
        None if last.contains(':') => name.to_owned(),
        None => format!("{name}:latest"),
    }
}

/// Labels by which other programs know what they have made.
fn is_bookkeeping(key: &str) -> bool {
    ["com.docker.compose.", "com.docker.stack.", "com.docker.swarm.", "desktop.docker.io/", "io.podman.compose."]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

fn sorted(map: &mut TextMap) {
    map.sort_keys();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn container(definition: Value) -> Container {
        serde_json::from_value(definition).unwrap()
    }

    fn told_of(wanted: Value, present: Value, usual: Value) -> Vec<String> {
        let spec = ContainerSpec::new("shop-web", container(wanted));
        let container = Container { restart_policy: Default::default(), ..container(present) };
        let settings = LiveSettings::of(&Container::default());
        let seen = Description { container, usual: self::container(usual), settings, ..Description::default() };
        let told = Told { variables: vec!["DB_HOST".to_owned()], hosts: vec!["db".to_owned()] };
        let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        let changes = deviations(&spec, &told, &seen);
        changes
            .into_iter()
            .map(|change| format!("{}: {} > {}", change.path, show(change.old), show(change.new)))
            .collect()
    }

    #[test]
    fn what_means_the_same_differs_in_nothing() {
        let nothing = Vec::<String>::new();
        // What an image and its engine fill in.
        let usual = json!({
            "environment": [{"name": "PATH", "value": "/bin"}], "command": ["serve"], "entrypoint": ["/entry"],
            "labels": {"maintainer": "them"}, "workingDir": "/srv", "user": "web", "stopSignal": "SIGQUIT", "expose": ["80/tcp"],
            "hostname": "4f5a", "ipc": "private", "runtime": "runc", "shmSize": 67108864,
            "logging": {"driver": "json-file"},
            "healthCheck": {"type": "exec", "command": ["true"]}
        });
        let filled_in = json!({
            "image": "docker.io/library/nginx:latest", "environment": usual["environment"], "command": ["serve"],
            "entrypoint": ["/entry"], "workingDir": "/srv", "user": "web", "stopSignal": "SIGQUIT", "expose": ["80/tcp"],
            "hostname": "4f5a", "ipc": "private", "runtime": "runc", "shmSize": 67108864, "networkMode": "shop_default",
            "logging": {"driver": "json-file"}, "healthCheck": usual["healthCheck"],
            "labels": {"maintainer": "them", "com.docker.compose.project": "shop", "graphium.stack": "stack:old"}
        });
        assert_eq!(told_of(json!({"image": "nginx"}), filled_in.clone(), usual.clone()), nothing);
        let said = json!({
            "image": "nginx:latest", "command": ["serve"], "entrypoint": ["/entry"], "user": "web", "shmSize": 67108864,
            "environment": [{"name": "PATH", "value": "/bin"}, {"name": "DB_HOST", "value": "10.0.0.1"}],
            "extraHosts": {"db": "10.0.0.1"}, "stopGracePeriod": 10, "pullPolicy": "always",
            "healthCheck": {"type": "exec", "command": ["true"], "interval": 30, "retries": 3}
        });
        assert_eq!(told_of(said, filled_in, usual), nothing);
        // Two notations of one thing.
        let one = json!({
            "image": "a:1", "command": ["run"], "args": ["fast"], "capAdd": ["NET_ADMIN", "CHOWN"], "expose": ["81"],
            "ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "0.0.0.0"}, {"containerPort": 90}],
            "volumeMounts": [{"type": "bind", "source": "/a", "target": "/a", "createHostPath": true},
                             {"type": "volume", "source": "v", "target": "/v", "noCopy": true}],
            "healthCheck": {"type": "tcp", "port": 80}
        });
        let other = json!({
            "image": "a:1", "command": ["run", "fast"], "capAdd": ["CAP_CHOWN", "CAP_NET_ADMIN"],
            "expose": ["80/tcp", "81/tcp", "90/tcp"],
            "ports": [{"containerPort": 90}, {"containerPort": 80, "hostPort": 8080}],
            "volumeMounts": [{"type": "volume", "source": "v", "target": "/v"},
                             {"type": "bind", "source": "/a", "target": "/a", "propagation": "rprivate"}],
        });
        assert_eq!(told_of(one, other, json!({})), nothing);
    }

    #[test]
    fn what_differs_is_told_with_both_sides_and_without_secrets() {
        let wanted = json!({
            "image": "a:1", "environment": [{"name": "A", "value": "s3cret"}], "restartPolicy": "always", "tty": true,
            "ports": [{"containerPort": 80, "hostPort": 80}], "labels": {"tier": "front"}
        });
        let present = json!({
            "image": "a:2", "environment": [{"name": "A", "value": "s3cret2"}, {"name": "B", "value": "s3cret"}],
            "ports": [{"containerPort": 80, "hostPort": 81}], "networkMode": "host", "command": ["other"]
        });
        let told =
            told_of(wanted, present, json!({"command": ["serve"], "environment": [{"name": "C", "value": "x"}]}));
        assert_eq!(
            told,
            [
                r#"command: ["serve"] > ["other"]"#,
                r#"environment.A.value: "•••" > "•••""#,
                r#"environment.B: - > {"name":"B","value":"•••"}"#,
                r#"image: "a:1" > "a:2""#,
                r#"labels: {"tier":"front"} > -"#,
                r#"networkMode: - > "host""#,
                "ports.80/tcp.hostPort: 80 > 81",
                "tty: true > -",
                r#"restartPolicy: "always" > "no""#,
            ]
        );
    }

    #[test]
    fn a_check_of_the_image_that_speaks_beside_one_of_the_agent_is_a_difference() {
        let usual = json!({"healthCheck": {"type": "shell", "command": "true"}});
        let told = told_of(json!({"healthCheck": {"type": "tcp", "port": 80}}), usual.clone(), usual);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|one| one.starts_with("healthCheck.")), "{told:?}");
    }

    #[test]
    fn names_and_what_no_document_can_say_are_differences() {
        let mut spec = ContainerSpec::new("shop-web", container(json!({"name": "web", "aliases": ["www"]})));
        spec.network = Some("shop".into());
        let mut seen = Description { settings: LiveSettings::of(&Container::default()), ..Description::default() };
        assert_eq!(deviations(&spec, &Told::default(), &seen), [], "it can join a network");
        seen.networks.insert("shop".to_owned(), vec!["web".to_owned()]);
        seen.beyond.insert("CpusetCpus".to_owned(), "0".into());
        let told = deviations(&spec, &Told::default(), &seen);
        let paths: Vec<&str> = told.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["aliases", "engine.CpusetCpus"]);
        assert!(need_a_new_container(&told) && !need_a_new_container(&[]));
        seen.beyond.clear();
        spec.container = container(json!({"name": "web-1"})).into();
        spec.aliases = vec!["web".to_owned()];
        assert_eq!(deviations(&spec, &Told::default(), &seen), [], "a replica answers to the name of all");
    }

    fn form(definition: Value, usual: Value) -> Container {
        in_one_form(container(definition), &Told::default(), &container(usual))
    }

    #[test]
    fn what_is_for_people_and_for_the_planner_is_in_no_form() {
        let wanted = json!({
            "@id": "container:web", "name": "web", "image": "a:1", "description": "serves", "applicationCategory": "web",
            "resources": {"limits": {"memory": 512}}, "requirements": {"preferredDatacenter": "dc"}, "locatedInHost": "vm1",
            "dependsOn": [{"container": "db", "condition": "started"}], "restartPolicy": "always", "aliases": ["www"], "platform": "linux/amd64",
            "pullPolicy": "always", "replicas": 2, "annotations": {"a": "b"}
        });
        let wanted = container(wanted);
        let bare = form(json!({"image": "a:1"}), json!({}));
        assert_ne!(Container { image: "a:1".to_owned(), ..wanted.clone() }, bare);
        assert_eq!(in_one_form(wanted, &Told::default(), &container(json!({}))), bare);
    }

    #[test]
    fn what_is_told_beside_a_definition_is_named_and_nothing_else() {
        let definition = json!({
            "name": "web", "image": "a:1", "environment": [{"name": "OWN", "value": "1"}], "extraHosts": {"own": "10.0.0.1"}
        });
        let mut whole = definition.clone();
        whole["environment"] = json!([{"name": "OWN", "value": "1"}, {"name": "DB_HOST", "value": "10.0.0.2"}]);
        whole["extraHosts"] = json!({"own": "10.0.0.1", "db": "10.0.0.2"});
        let told = Told::of(&ContainerSpec::new("shop-web", container(whole)), &container(definition));
        assert_eq!((told.variables, told.hosts), (vec!["DB_HOST".to_owned()], vec!["db".to_owned()]));
    }

    #[test]
    fn what_is_not_as_usual_is_said() {
        for (own, usual) in [
            (json!({"shmSize": 1024}), json!({"shmSize": 2048})),
            (json!({"logging": {"driver": "syslog"}}), json!({"logging": {"driver": "json-file"}})),
            (json!({"logging": {"options": {"max-size": "1m"}}}), json!({"logging": {"driver": "json-file"}})),
            (json!({"init": true}), json!({})),
            (json!({"expose": ["81"]}), json!({"expose": ["80/tcp"]})),
            (json!({"user": "root"}), json!({"user": "web"})),
            (json!({"stopSignal": "SIGINT"}), json!({})),
            (json!({"stopGracePeriod": 11}), json!({})),
        ] {
            assert_ne!(form(own.clone(), usual.clone()), form(json!({}), usual), "{own}");
        }
        assert_eq!(form(json!({"init": false, "logging": {}}), json!({})), form(json!({}), json!({})));
    }

    #[test]
    fn maps_have_no_order() {
        for key in ["sysctls", "extraHosts", "labels"] {
            let keys = |order: [&str; 2]| {
                let map: TextMap = order.map(|name| (name.to_owned(), "1".to_owned())).into_iter().collect();
                serde_json::to_string(&form(json!({key: map}), json!({}))).unwrap()
            };
            assert_eq!(keys(["a", "b"]), keys(["b", "a"]), "{key}");
        }
    }
}
