//! `graphium import PROJECT`: the document of a Compose project that runs on this machine.

use super::{
    connect,
    exit::{Exit, Failure},
    output::Output,
};
use crate::{engine, render};
use graphium_core::{
    document::{self, ReadContext},
    plan::definition_of,
    runtime::{ContainerRuntime, ContainerState, Description},
    stack::{Condition, Container, Dependency, MountKind},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Writes the document of a Compose project that runs on this machine, as it runs: `graphium adopt` takes it over by that
///
/// The document has the values of all variables, those that are secret too. No server is asked, and nothing is changed.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The project, as `docker compose ls` calls it
    project: String,
    /// The engine: unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST [default: as docker finds it]
    #[arg(long, value_name = "ENDPOINT")]
    docker: Option<String>,
    /// What the stack is called [default: as the project]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Binds every container to this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

const LABEL: &str = "com.docker.compose.";

/// One of the project's services, with what was seen of its containers.
#[derive(Debug, Default)]
struct Service {
    seen: Vec<(ContainerState, Description)>,
}

pub(crate) fn run(args: &ImportArgs, output: &mut Output) -> Result<Exit, Failure> {
    let engine = engine::find(args.docker.as_deref())?;
    let name = args.name.as_deref().unwrap_or(&args.project);
    let services = connect::run(async {
        let runtime = engine.runtime();
        seen(&runtime, &args.project).await.map_err(|error| engine::unreachable(&engine, &error))
    })?;
    if services.is_empty() {
        return Err(Failure::new(Exit::Failed, format!("no container of the project `{}` runs there", args.project))
            .because(format!("asked was {} ({})", engine.endpoint, engine.found))
            .hint("see what there is: `docker compose ls`; start what does not run"));
    }
    let mut notes = Vec::new();
    let text = document_of(name, &services, args.host.as_deref(), &mut notes);
    // What is written is read again: it is a document, or it is not written.
    let formatted = document::format(text.to_string())
        .and_then(|formatted| document::read(&formatted.text, &ReadContext::default()).map(|_| formatted));
    let formatted = formatted.map_err(|mistakes| {
        let failure =
            Failure::new(Exit::Failed, format!("the project `{}` cannot be written as a document", args.project));
        mistakes.iter().fold(failure, |failure, mistake| failure.because(mistake.message.clone()))
    })?;
    for note in notes {
        output.say(format_args!("{} {}", output.style().yellow("note:"), render::printable(&note)));
    }
    formatted.text.lines().try_for_each(|line| output.line(line))?;
    output.say("look at it, then: graphium adopt FILE");
    Ok(Exit::Ok)
}

/// The services of a project, by name, with their containers that run.
async fn seen(
    runtime: &dyn ContainerRuntime,
    project: &str,
) -> Result<BTreeMap<String, Service>, graphium_core::runtime::RuntimeError> {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for state in runtime.list().await? {
        let label = |key: &str| state.observed.label(&format!("{LABEL}{key}"));
        let is_one_off = label("oneoff").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let (Some(service), true) = (label("service"), label("project") == Some(project) && !is_one_off) else {
            continue;
        };
        if state.status() != graphium_core::inventory::ContainerStatus::Running {
            continue;
        }
        if let Some(shown) = runtime.describe(&state.observed.id).await? {
            services.entry(service.to_owned()).or_default().seen.push((state.clone(), shown));
        }
    }
    Ok(services)
}

/// The document, before it is brought into its form.
fn document_of(name: &str, services: &BTreeMap<String, Service>, host: Option<&str>, notes: &mut Vec<String>) -> Value {
    let network = shared_network(services);
    let mut volumes = BTreeSet::new();
    let mut parts = Vec::new();
    for (service, Service { seen }) in services {
        let Some((state, shown)) = seen.first() else { continue };
        let mut container = definition_of(shown);
        container.name.clone_from(service);
        container.host = host.map(Into::into);
        container.replicas = u32::try_from(seen.len()).ok().filter(|count| *count > 1);
        container.depends_on = dependencies(state, services);
        if let Some(names) = network.as_ref().and_then(|network| shown.networks.get(network)) {
            let is_other = |alias: &&String| {
                *alias != service && *alias != &shown.name && !state.observed.id.starts_with(alias.as_str())
            };
            container.aliases = names.iter().filter(is_other).cloned().collect();
        }
        volumes.extend(container.volume_mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Volume { source, .. } => source.clone(),
            MountKind::Bind { .. } | MountKind::Secret { .. } | MountKind::Tmpfs { .. } => None,
        }));
        for (_, other) in &seen[1..] {
            if definition_of(other) != definition_of(shown) {
                notes.push(format!("`{}` is not as `{}`, which the document describes", other.name, shown.name));
            }
        }
        for word in seen.iter().flat_map(|(_, shown)| shown.beyond.keys()).collect::<BTreeSet<_>>() {
            notes.push(format!("`{service}` has `{word}` of its engine, which no document can say"));
        }
        let mut part = serde_json::to_value(Arc::new(container)).unwrap_or_default();
        escape(&mut part);
        in_the_words_of_documents(&mut part);
        if let Some(part) = part.as_object_mut() {
            part.insert("@type".to_owned(), "datacenter:Container".into());
            part.insert("@id".to_owned(), format!("container:{service}").into());
        }
        parts.push(part);
    }
    let mut stack = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": format!("stack:{name}"),
        "name": name, "hasPart": parts
    });
    if let Some(network) = network {
        stack["network"] = json!({"name": network, "external": true});
    }
    if !volumes.is_empty() {
        stack["volumes"] = volumes.into_iter().map(|name| json!({"name": name, "external": true})).collect();
    }
    stack
}

/// A definition as it is stored has some things in other places than a document.
fn in_the_words_of_documents(part: &mut Value) {
    for mount in part.get_mut("volumeMounts").and_then(Value::as_array_mut).into_iter().flatten() {
        let options = format!("{}Options", mount.get("type").and_then(Value::as_str).unwrap_or_default());
        let Some(mount) = mount.as_object_mut() else { continue };
        let mut moved = serde_json::Map::new();
        for key in ["noCopy", "subpath", "propagation", "createHostPath", "size", "mode"] {
            if let Some(value) = mount.remove(key) {
                let octal = value.as_u64().filter(|_| key == "mode").map(|mode| format!("{mode:o}").into());
                moved.insert(key.to_owned(), octal.unwrap_or(value));
            }
        }
        if !moved.is_empty() {
            mount.insert(options, moved.into());
        }
    }
    if let Some(check) = part.get_mut("healthCheck").filter(|check| check["type"] == "shell") {
        check["type"] = "exec".into();
        check["command"] = json!(["CMD-SHELL", check["command"]]);
    }
    for dependency in part.get_mut("dependsOn").and_then(Value::as_array_mut).into_iter().flatten() {
        let on = dependency.get("container").and_then(Value::as_str).unwrap_or_default();
        *dependency = json!({"@id": format!("container:{on}"), "condition": dependency["condition"]});
    }
}

/// What is there stands as it is: nothing in it is a variable of the document.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(list) => list.iter_mut().for_each(escape),
        Value::Object(object) => object.values_mut().for_each(escape),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The network that all of a project's containers are in which have one; of several the first by name.
fn shared_network(services: &BTreeMap<String, Service>) -> Option<String> {
    let own_modes = ["host", "none", "bridge"];
    let joined = services.values().flat_map(|service| &service.seen).map(|(_, shown)| {
        let names = shown.networks.keys().filter(|name| !own_modes.contains(&name.as_str()));
        names.cloned().collect::<BTreeSet<String>>()
    });
    let shared = joined.filter(|names| !names.is_empty()).reduce(|one, other| &one & &other)?;
    shared.into_iter().next()
}

/// `db:service_healthy:false,cache:service_started:false`, as Compose keeps it.
fn dependencies(state: &ContainerState, services: &BTreeMap<String, Service>) -> Vec<Dependency> {
    let text = state.observed.label(&format!("{LABEL}depends_on")).unwrap_or_default();
    let own = state.observed.label(&format!("{LABEL}service"));
    let each = text.split(',').filter_map(|one| {
        let mut words = one.split(':');
        let name = words.next().filter(|name| !name.is_empty() && Some(*name) != own)?;
        let (_, other) = services.get(name)?.seen.first()?;
        let definition: Container = definition_of(other);
        let condition = match words.next() {
            // A check that only its image has is not seen by the planner.
            Some("service_healthy") if definition.health_check.is_some() => Condition::Healthy,
            // One that is awaited has ended, and is not among what runs.
            _ => Condition::Started,
        };
        Some(Dependency { container: name.to_owned(), condition })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use graphium_core::{runtime::ContainerSpec, testing::FakeRuntime};

    fn run(fake: &FakeRuntime, service: &str, number: &str, definition: Value) {
        let mut labels = graphium_core::stack::TextMap::new();
        for (key, value) in [
            ("project", "shop"),
            ("service", service),
            ("container-number", number),
            ("depends_on", "db:service_healthy:false"),
        ] {
            labels.insert(format!("{LABEL}{key}"), value.to_owned());
        }
        let container = Container { name: service.to_owned(), ..serde_json::from_value(definition).unwrap() };
        labels.extend(container.labels.clone());
        let mut spec = ContainerSpec::new(format!("shop-{service}-{number}"), container);
        spec.network = Some("shop_default".into());
        fake.run_foreign(spec, labels);
    }

    #[test]
    fn a_project_is_written_as_a_document_that_reads_as_what_runs() {
        let fake = FakeRuntime::new();
        let check = json!({"type": "exec", "command": ["true"]});
        let all = json!({
            "image": "a:1", "command": ["run", "$it"], "entrypoint": ["/in"], "user": "1:2", "workingDir": "/srv",
            "init": true, "tty": true, "stopSignal": "SIGINT", "stopGracePeriod": 90, "hostname": "all", "expose": ["9000/tcp"],
            "ports": [{"containerPort": 53, "hostPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"}],
            "volumeMounts": [{"type": "volume", "source": "v", "target": "/v", "subpath": "in"},
                {"type": "bind", "source": "/b", "target": "/b", "propagation": "rshared", "readOnly": true},
                {"type": "tmpfs", "target": "/t", "size": 1048576, "mode": 1023}],
            "healthCheck": {"type": "shell", "command": "true || $X", "interval": 5, "timeout": 1.5, "retries": 2, "startPeriod": 9},
            "resources": {"limits": {"cpus": 0.5, "memory": 536870912, "memorySwap": -1, "pids": 64},
                "reservations": {"cpus": 0.25, "memory": 16777216}},
            "restartPolicy": "on-failure:3", "extraHosts": {"a": "10.0.0.1"}, "dns": ["1.1.1.1"], "capAdd": ["NET_ADMIN"],
            "securityOpt": ["no-new-privileges"], "readOnlyRootfs": true, "shmSize": 1048576, "groupAdd": ["9"],
            "ulimits": [{"name": "nofile", "soft": 1, "hard": 2}], "gpus": -1, "sysctls": {"net.core.somaxconn": "9"},
            "devices": [{"hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": "rw"}], "pid": "host", "ipc": "host",
            "logging": {"driver": "local", "options": {"max-size": "1m"}}, "runtime": "crun", "labels": {"tier": "a${b}"}
        });
        run(&fake, "all", "1", all);
        let mounts = json!([{"type": "volume", "source": "shop_data", "target": "/data"}]);
        run(
            &fake,
            "db",
            "1",
            json!({"image": "postgres:15", "healthCheck": check, "volumeMounts": mounts,
            "environment": [{"name": "PASSWORD", "value": "pa$$ ${word}"}]}),
        );
        for number in ["1", "2"] {
            run(
                &fake,
                "web",
                number,
                json!({"image": "nginx:1", "restartPolicy": "always", "ports": [{"containerPort": 80}]}),
            );
        }
        let services = futures::executor::block_on(seen(&fake, "shop")).unwrap();
        let mut notes = Vec::new();
        let text = document_of("shop", &services, Some("vm1"), &mut notes);
        assert_eq!(notes, [""; 0]);
        let formatted = document::format(text.to_string()).unwrap();
        let stack = document::read(&formatted.text, &ReadContext::default()).unwrap().stack;
        let web = stack.containers.iter().find(|container| container.name == "web").unwrap();
        let db = stack.containers.iter().find(|container| container.name == "db").unwrap();
        assert_eq!((web.replicas, web.host.as_ref().map(AsRef::as_ref)), (Some(2), Some("vm1")));
        assert_eq!(web.depends_on, [Dependency { container: "db".to_owned(), condition: Condition::Healthy }]);
        assert_eq!(serde_json::to_value(&db.environment).unwrap()[0]["value"], "pa$$ ${word}");
        for (service, seen) in &services {
            let read = stack.containers.iter().find(|container| container.name == *service).unwrap();
            let spec = ContainerSpec::new("shop", Container { name: String::new(), ..Container::clone(read) });
            let differences = graphium_core::plan::deviations(&spec, &Default::default(), &seen.seen[0].1);
            assert_eq!(differences, [], "{service}: {}", formatted.text);
        }
        assert!(stack.volumes[0].external && stack.network.unwrap().external);
        assert_eq!(futures::executor::block_on(seen(&fake, "other")).unwrap().len(), 0);
    }
}
