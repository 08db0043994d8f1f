//! What may not be asked of a host is refused by whatever way it is asked, also where another server has allowed it before.

use crate::world::{World, container, stack};
use graphium_core::{
    admission::{Admission, Allowance},
    control::{AdoptOptions, Control, ControlError, DeployOptions, Settings, Started, TaskRequest},
    event::NoSink,
    runtime::label,
    stack::{Container, Stack},
    store::{TaskQuery, TaskStore},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Another server on the same store, with other allowances.
fn server(world: &World, allowed: &[&str]) -> Arc<Control> {
    let allowed = allowed.iter().map(|text| text.parse::<Allowance>().unwrap());
    let settings = Settings { admission: allowed.collect::<Admission>(), ..Settings::default() };
    let environment = Arc::new(world.environment.clone());
    world.run(Control::open(world.store.clone(), Arc::new(NoSink), environment, settings)).unwrap()
}

/// Tasks and events that there are: a refusal adds to neither.
fn stored(world: &World) -> (usize, u64) {
    let tasks = world.run(world.store.tasks(&TaskQuery::default())).unwrap().items.len();
    (tasks, world.run(world.store.last_event()).unwrap())
}

fn of_container(action: &str, container: Value) -> Value {
    let mut whole = json!({"name": "web", "image": "nginx"});
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let spec = json!({"name": "shop-web", "container": whole, "labels": {label::STACK: "stack:shop"}});
    let mut payload = json!({"action": action, "spec": spec});
    if action == "adopt" {
        let more = json!({"container": "4f5e", "name": "old", "aim": "as-it-is"});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    payload
}

fn asked(control: &Control, world: &World, payload: &Value) -> Result<(), ControlError> {
    let request: TaskRequest = serde_json::from_value(json!({"hostId": "vm1", "payload": payload})).unwrap();
    world.run(control.create_task(request, Some("ann".to_owned()))).map(|_task| ())
}

#[test]
fn a_task_of_an_operators_own_asks_for_no_more_than_a_document_may() {
    let world = World::new();
    let _vm1 = world.agent("vm1");
    let (privileged, bind) =
        (json!({"privileged": true}), json!({"volumeMounts": [{"type": "bind", "source": "/etc", "target": "/host"}]}));
    let driver = json!({"name": "v", "driverOpts": {"type": "none", "o": "bind", "device": "/etc"}});
    let volume = json!({"action": "volume", "spec": {"name": "shop-v", "volume": driver, "labels": {}}});
    let wire = json!({"action": "network", "spec": {"name": "shop", "network": {"driver": "macvlan"}, "labels": {}}});
    let pull = json!({"action": "pull", "image": "docker.io/acme/web:1", "policy": "always"});
    let joined = json!({"networkMode": "container:blog-db"});
    let none: &[&str] = &[];
    let ghcr: &[&str] = &["registry=ghcr.io"];
    for (payload, strict, wanted, words) in [
        (of_container("deploy", privileged.clone()), none, "privileged", "`privileged` is not allowed here"),
        (of_container("update", privileged), none, "privileged", "`privileged` is not allowed here"),
        (of_container("deploy", bind.clone()), none, "bind=/etc", "the host's `/etc` is not allowed here"),
        (of_container("adopt", bind), none, "bind=/etc", "the host's `/etc` is not allowed here"),
        (
            of_container("deploy", joined),
            none,
            "host-namespaces",
            "the container `blog-db`, which is not of this stack",
        ),
        (volume, none, "bind=/etc", "the host's `/etc`, by the options of the volume `v`, is not allowed here"),
        (wire, none, "network-driver=macvlan", "the network driver `macvlan` is not allowed here"),
        (
            of_container("deploy", json!({"logging": {"driver": "gelf"}})),
            none,
            "log-driver=gelf",
            "the log driver `gelf` is not allowed here",
        ),
        (pull, ghcr, "registry=docker.io/acme/web", "the image `docker.io/acme/web:1`"),
        (of_container("deploy", json!({})), ghcr, "registry=docker.io/library/nginx", "the image `nginx`"),
    ] {
        let before = stored(&world);
        let error = asked(&server(&world, strict), &world, &payload).unwrap_err();
        assert_eq!(stored(&world), before, "{payload}: a refusal leaves nothing");
        assert!(error.to_string().starts_with("the task is refused: "), "{error}");
        let ControlError::NotAllowed(denied) = error else { panic!("{payload}: {error}") };
        assert!(denied.len() == 1 && denied[0].message.contains(words), "{payload}: {denied:?}");
        assert_eq!(denied[0].code, "not-allowed");
        let help = denied[0].help.clone().unwrap_or_default();
        assert!(help.ends_with(&format!("`--allow {wanted}`")), "{payload}: {help}");
        asked(&server(&world, &[wanted]), &world, &payload).unwrap();
    }
}

#[test]
fn a_task_of_an_operators_own_shares_with_what_is_known_of_its_stack_on_its_host() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let db = |name: &str, host: &str| stack(name, vec![container("db", host, None, &[])]);
    for stack in [db("shop", "vm1"), db("blog", "vm2")] {
        world.run(world.control.deploy(stack, DeployOptions::default())).unwrap();
    }
    while one.work() + two.work() > 0 {}
    let strict = server(&world, &[]);
    let joins = |name: &str| of_container("deploy", json!({"networkMode": format!("container:{name}")}));
    asked(&strict, &world, &joins("shop-db")).unwrap();
    for other in ["blog-db", "none"] {
        let refused = asked(&strict, &world, &joins(other)).unwrap_err();
        assert!(matches!(refused, ControlError::NotAllowed(_)), "{other}: {refused}");
    }
}

#[test]
fn what_makes_nothing_needs_no_allowance() {
    let world = World::new();
    let _vm1 = world.agent("vm1");
    let strict = server(&world, &["registry=ghcr.io"]);
    for payload in [
        json!({"action": "stop", "name": "shop-web"}),
        json!({"action": "delete", "name": "shop-web"}),
        json!({"action": "pull", "image": "ghcr.io/acme/web", "policy": "always"}),
        of_container("deploy", json!({"image": "ghcr.io/acme/web"})),
    ] {
        asked(&strict, &world, &payload).unwrap();
    }
}

fn shop(privileged: bool, image: &str) -> Stack {
    let web = Container { privileged, image: image.to_owned(), ..container("web", "vm1", None, &[]) };
    stack("shop", vec![web])
}

#[test]
fn a_stricter_server_refuses_what_another_has_allowed_by_whatever_way_it_is_asked() {
    let world = World::new();
    let one = world.agent("vm1");
    for stack in [shop(true, "nginx:1"), shop(false, "nginx:1")] {
        world.run(world.control.deploy(stack, DeployOptions::default())).unwrap();
        while one.work() > 0 {}
        world.tick();
    }
    let (greedy, options) = (shop(true, "nginx:2"), DeployOptions::default());
    let saved = world.run(world.control.save(greedy.clone(), &options)).unwrap();
    let (strict, mut wrong) = (server(&world, &[]), Vec::new());
    let told = |error: ControlError| match error {
        ControlError::Invalid(found) => found.iter().map(|one| format!("{}: {}", one.code, one.message)).collect(),
        other => vec![other.to_string()],
    };
    let started = |answer: Result<Started, ControlError>| answer.map(|_started| ()).map_err(told);
    let before = stored(&world);
    let adopt = AdoptOptions::default();
    for (way, answer) in [
        ("preview", world.run(strict.preview(&greedy, &options)).map(|_plan| ()).map_err(told)),
        ("save", world.run(strict.save(greedy.clone(), &options)).map(|_saved| ()).map_err(told)),
        ("compare", world.run(strict.compare_for_adoption(&greedy, &adopt)).map(|_compared| ()).map_err(told)),
        ("adopt", started(world.run(strict.adopt(greedy.clone(), adopt)))),
        ("apply", started(world.run(strict.apply(saved.clone(), options.clone())))),
        ("rollback", started(world.run(strict.rollback("shop", Some(1), None)))),
        ("rollback to the one before", started(world.run(strict.rollback("shop", None, None)))),
        ("update", started(world.run(strict.deploy(greedy, options.clone())))),
    ] {
        let expected = vec!["not-allowed: `web`: `privileged` is not allowed here".to_owned()];
        if answer != Err(expected) {
            wrong.push((way, answer));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(stored(&world), before, "a refusal leaves nothing");
    // Nothing but the allowance stood in the way.
    assert!(world.run(world.control.apply(saved, options)).unwrap().task_count > 0);
    while one.work() > 0 {}
    world.tick();
    assert!(world.run(world.control.rollback("shop", Some(1), None)).unwrap().task_count > 0);
}
