//! What a host does not allow its agent does not do, whatever the control plane has allowed.

use super::bed::{Bed, IMAGE, deploy_of, spec_of};
use graphium_core::{
    action::{Action, Refresh},
    admission::Allowance,
    runtime::{ContainerRuntime as _, ContainerSpec, NetworkSpec, VolumeSpec, label},
    stack::{Container, Logging, Mount, MountKind, Network, PullPolicy, TextMap, UpdateOrder, Volume},
    task::{Task, TaskStatus},
};
use std::sync::Arc;

fn outcomes(bed: &Bed, actions: Vec<Action>) -> Vec<Task> {
    let (tasks, _) = bed.serve(async {
        let mut tasks = Vec::new();
        for id in bed.submit(actions).await {
            tasks.push(bed.end_of(&id).await);
        }
        tasks
    });
    tasks
}

fn refused(task: &Task) -> (String, String) {
    let error = task.error.clone().unwrap_or_else(|| panic!("{task:?}"));
    assert_eq!((error.code.as_str(), error.retryable, task.attempt), ("not-allowed", false, 1), "{error:?}");
    (error.message, error.help.unwrap_or_default())
}

#[test]
fn nothing_is_made_that_the_host_does_not_allow() {
    let bed = Bed::new();
    let etc = Mount {
        kind: MountKind::Bind { source: "/etc".to_owned(), propagation: None, create_host_path: false },
        target: "/host".to_owned(),
        read_only: true,
    };
    let greedy =
        Container { image: IMAGE.to_owned(), privileged: true, volume_mounts: vec![etc], ..Container::default() };
    let driver_opts =
        [("type", "none"), ("o", "bind"), ("device", "/etc")].map(|(key, value)| (key.into(), value.into()));
    let volume = Volume { name: "v".to_owned(), driver_opts: TextMap::from(driver_opts), ..Volume::default() };
    let volume = VolumeSpec { name: "s-v".to_owned(), volume, labels: TextMap::new() };
    let update = Action::Update {
        spec: Box::new(spec_of("other", greedy.clone())),
        order: UpdateOrder::StopFirst,
        refresh: Refresh::Never,
    };
    let tasks = outcomes(&bed, vec![deploy_of("web", greedy), update, Action::Volume { spec: Box::new(volume) }]);
    let (message, help) = refused(&tasks[0]);
    assert_eq!(
        message,
        "host `vm1` refuses `web`: `privileged` is not allowed here; the host's `/etc` is not allowed here"
    );
    assert!(help.contains("start the agent of that host with `--allow privileged --allow bind=/etc`"), "{help}");
    assert!(refused(&tasks[1]).0.contains("host `vm1` refuses `other`"));
    assert!(refused(&tasks[2]).0.contains("the host's `/etc`, by the options of the volume `v`, is not allowed here"));
    assert!(bed.calls().iter().all(|call| !call.starts_with("create")), "{:?}", bed.calls());
}

#[test]
fn no_driver_is_asked_for_what_the_host_does_not_allow() {
    let bed = Bed::new();
    let network = Network { driver: Some("macvlan".to_owned()), ..Network::default() };
    let network = NetworkSpec { name: "shop".to_owned(), network, labels: TextMap::new() };
    let logging = Some(Logging { driver: Some("syslog".to_owned()), options: TextMap::new() });
    let tells = Container { logging, ..Container::default() };
    let tasks = outcomes(&bed, vec![Action::Network { spec: Box::new(network) }, deploy_of("web", tells)]);
    for (task, subject, what) in
        [(&tasks[0], "shop", "network driver `macvlan`"), (&tasks[1], "web", "log driver `syslog`")]
    {
        let (message, _) = refused(task);
        assert_eq!(message, format!("host `vm1` refuses `{subject}`: the {what} is not allowed here"));
    }
    assert!(bed.calls().iter().all(|call| !call.starts_with("create")), "{:?}", bed.calls());
}

#[test]
fn a_container_shares_with_others_of_its_own_stack_alone() {
    let bed = Bed::new();
    let of_stack = |name: &str, stack: &str, mode: Option<&str>| {
        let container = Container {
            image: IMAGE.to_owned(),
            network_mode: mode.map(|name| format!("container:{name}")),
            ..Container::default()
        };
        let mut spec: ContainerSpec = spec_of(name, container);
        Arc::make_mut(&mut spec.labels).insert(label::STACK.to_owned(), stack.to_owned());
        spec.sealed()
    };
    for name in ["one", "two"] {
        let first = of_stack(name, &format!("stack:{name}"), None);
        futures::executor::block_on(bed.runtime.create(&first)).expect("its name is free");
    }
    let deploy = |spec: ContainerSpec| Action::Deploy { spec: Box::new(spec) };
    let tasks = outcomes(
        &bed,
        vec![
            deploy(of_stack("beside", "stack:one", Some("one"))),
            deploy(of_stack("spy", "stack:one", Some("two"))),
            deploy(of_stack("blind", "stack:one", Some("nobody"))),
        ],
    );
    assert_eq!(tasks[0].status, TaskStatus::Completed, "{:?}", tasks[0]);
    assert!(refused(&tasks[1]).0.contains("the container `two`, which is not of this stack"));
    assert!(refused(&tasks[2]).0.contains("the container `nobody`, which is not of this stack"));
}

#[test]
fn no_image_is_pulled_from_a_registry_that_the_host_does_not_name() {
    let allowed: [Allowance; 1] = ["registry=ghcr.io".parse().unwrap()];
    let mut bed = Bed::new();
    bed.admission = Arc::new(allowed.into_iter().collect());
    let pull = Action::Pull { image: IMAGE.to_owned(), platform: None, policy: PullPolicy::IfNotPresent };
    let (message, help) = refused(&outcomes(&bed, vec![pull])[0]);
    assert!(message.starts_with("host `vm1` refuses `web:1`: "), "{message}");
    assert!(help.contains("--allow registry=docker.io"), "{help}");
    assert!(bed.calls().iter().all(|call| !call.starts_with("pull")), "{:?}", bed.calls());
}
